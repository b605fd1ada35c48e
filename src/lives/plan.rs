//! One fold of some names, step by step and without I/O: what has to be read next, and what is written.
//!
//! The order of the steps is decided here, so that it can be held against every order in which several writers
//! may take theirs (`tests/it/interleavings.rs`).

use std::collections::BTreeMap;

use super::Name;
use super::read::{InstanceRow, LogRow, PodRow, SaidRow, Wanted};
use super::round::Round;
use crate::fold;
use crate::rows;

/// What has to be done next.
#[derive(Debug)]
pub enum Step<'p> {
    /// Read all facts of these names and scopes.
    Log(Vec<Name>),
    /// Read every version of the recent lives of these names.
    Recent(Vec<Name>),
    /// Ask for the server's time: nothing that was read had it.
    Now,
    /// Read the lives of these names that were filed.
    Ended(Vec<Name>),
    /// Read the events about these names, namespaces and nodes.
    Said(Vec<Name>),
    /// Read the pruned instances of these pods.
    Instances(Vec<Wanted>),
    /// Write rows.
    Write(Changed<'p>),
    Done,
}

/// What a step brought: each answers the [`Step`] of its name.
#[derive(Clone, Debug)]
pub enum Answer {
    Log(Vec<LogRow>),
    Recent(Vec<PodRow>),
    /// Seconds.
    Now(u32),
    Ended(Vec<PodRow>),
    Said(Vec<SaidRow>),
    Instances(Vec<Wanted>, Vec<InstanceRow>),
    Wrote,
}

/// Rows that changed, and names that can't be folded.
#[derive(Debug, Default)]
pub struct Changed<'p> {
    rows: fold::Rows<'p>,
    /// The names, and why.
    pub refused: Vec<(Name, String)>,
}

/// Rows of one INSERT.
#[derive(Debug)]
pub enum Insert<'p> {
    Containers(Vec<rows::ContainerRow<'p>>),
    Pods(Vec<rows::PodRow<'p>>),
}

impl<'p> Changed<'p> {
    /// How many rows they are.
    pub fn count(&self) -> u64 {
        (self.rows.containers.len() + self.rows.pods.len()) as u64
    }

    /// How many of them are stored just so already.
    pub fn unchanged(&self) -> u64 {
        self.rows.unchanged
    }

    /// The INSERTs, in their order: containers first, because the row of their pod tells how far they are.
    pub fn inserts(self) -> [Insert<'p>; 2] {
        let fold::Rows {
            pods, containers, ..
        } = self.rows;
        [Insert::Containers(containers), Insert::Pods(pods)]
    }
}

/// What the steps of a fold brought. It lives as long as the plan, which refers to it.
pub type Answers = elsa::sync::FrozenVec<Box<Answer>>;

/// A fold of some names.
#[derive(Debug)]
pub struct Plan<'k> {
    answers: &'k Answers,
    names: Vec<&'k Name>,
    scopes: &'k [Name],
    raced: bool,
    round: Round<'k>,
    /// By uid: the version of rows of instances that were read before all else was.
    ahead: BTreeMap<u128, u64>,
    /// What the log had when rows were last written.
    log: &'k [LogRow],
    has_written: bool,
    rounds: usize,
    done: bool,
}

/// How often names that may have raced are folded, at most: once, and again when facts about them came in meanwhile.
const ROUNDS_MAX: usize = 5;

impl<'k> Plan<'k> {
    /// For the names, and the events about `scopes`, to which some of them belong. `answers` is empty.
    ///
    /// `raced`: others may have folded them at the same time, see [`fold::Fold::raced`]. Then the log is read again in
    /// the end. A process that reads newer facts after that reads these rows too; one that read newer facts before
    /// may not have seen them, so such names are folded once more.
    pub fn new(
        answers: &'k Answers,
        names: &'k [Name],
        scopes: &'k [Name],
        raced: bool,
    ) -> Plan<'k> {
        let names: Vec<&Name> = names.iter().collect();
        Plan {
            answers,
            round: Round::new(&names, scopes, raced),
            names,
            scopes,
            raced,
            ahead: BTreeMap::new(),
            log: &[],
            has_written: false,
            rounds: 0,
            done: false,
        }
    }

    /// What has to be done next.
    pub fn next(&self) -> Step<'k> {
        let round = &self.round;
        if self.done {
            return Step::Done;
        }
        if !round.has_log {
            let names = self.names.iter().copied().chain(self.scopes);
            return Step::Log(names.cloned().collect());
        }
        if !round.has_recent {
            return Step::Recent(self.names.iter().copied().cloned().collect());
        }
        let Some(read_at) = round.read_at else {
            return Step::Now;
        };
        if round.said.is_none() {
            let filed = round.may_be_filed(read_at);
            return match filed.is_empty() || round.has_ended {
                true => Step::Said(round.about()),
                false => Step::Ended(filed),
            };
        }
        let (rows, wanted) = round.rows(read_at);
        if !wanted.is_empty() {
            return Step::Instances(wanted);
        }
        let refused = round.refused();
        Step::Write(Changed { rows, refused })
    }

    /// Takes what a step brought.
    pub fn take(&mut self, answer: Answer) {
        match self.answers.push_get(Box::new(answer)) {
            Answer::Log(rows) => {
                if std::mem::take(&mut self.has_written) {
                    let before = places(&self.names, self.scopes, self.log);
                    let now = places(&self.names, self.scopes, rows);
                    self.names.retain(|name| before[name] != now[name]);
                    self.done = self.names.is_empty();
                    self.begin();
                }
                self.log = rows;
                self.round.add_log(rows);
            }
            Answer::Recent(rows) => self.round.add_recent(rows),
            Answer::Now(now) => self.round.read_at = Some(*now),
            Answer::Ended(rows) => self.round.add_ended(rows),
            Answer::Said(rows) => self.round.add_said(rows),
            Answer::Instances(wanted, rows) => {
                let newer = newer(rows, &self.round.versions, &self.ahead);
                if newer.is_empty() {
                    self.round.add_instances(wanted, rows);
                } else {
                    self.ahead.extend(newer);
                    self.begin();
                }
            }
            Answer::Wrote => {
                self.rounds += 1;
                self.done = !self.raced || self.rounds == ROUNDS_MAX;
                self.has_written = true;
                self.begin();
            }
        }
    }

    /// Starts reading again.
    fn begin(&mut self) {
        self.round = Round::new(&self.names, self.scopes, self.raced);
    }
}

/// The versions of rows that are newer than the row of their pod was, by its uid. Somebody else has written them
/// meanwhile, and will write that of the pod, or was killed. The version of what is written now will be above theirs;
/// so it has to be made of what they knew, which is in the log: all is read again.
fn newer(
    rows: &[InstanceRow],
    pods: &BTreeMap<u128, u64>,
    ahead: &BTreeMap<u128, u64>,
) -> BTreeMap<u128, u64> {
    let mut newer = BTreeMap::new();
    for row in rows {
        let uid = row.pod_uid.as_u128();
        let known = pods.get(&uid).max(ahead.get(&uid));
        if known.is_none_or(|known| row.version > *known) {
            let version: &mut u64 = newer.entry(uid).or_default();
            *version = row.version.max(*version);
        }
    }
    newer
}

/// The highest place in the log of each name, and of the scopes to which it may belong.
fn places<'k>(names: &[&'k Name], scopes: &[Name], log: &[LogRow]) -> BTreeMap<&'k Name, u64> {
    let mut places: BTreeMap<(&str, &str, &str), u64> = BTreeMap::new();
    for row in log {
        let key = (&*row.cluster, &*row.namespace, &*row.pod);
        let place = places.entry(key).or_default();
        *place = row.place.max(*place);
    }
    let place_of = |name: &Name| places.get(&name.key()).copied().unwrap_or(0);
    let all = names.iter().map(|name| {
        let scopes = scopes.iter().filter(|scope| scope.may_cover(name));
        let highest = scopes.map(place_of).fold(place_of(name), u64::max);
        (*name, highest)
    });
    all.collect()
}
