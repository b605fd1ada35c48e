//! One fold of some names, step by step and without I/O: what has to be read next, and what is written.
//!
//! The order of the steps is decided here, so that it can be held against every order in which several writers
//! may take theirs (`tests/it/interleavings.rs`).

use std::collections::BTreeMap;

use super::Name;
use super::read::{InstanceRow, LogRow, PodRow, SaidRow, Wanted};
use super::round::{Known, Round};
use crate::fold::{self, Fold};
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
    /// Read what was said of these names, namespaces and nodes.
    Said(Vec<Name>),
    /// Read the instances that these pods have let go of.
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

    /// The INSERTs, in their order: containers first, since the row of their pod says how far they are.
    pub fn inserts(self) -> [Insert<'p>; 2] {
        let fold::Rows {
            pods, containers, ..
        } = self.rows;
        [Insert::Containers(containers), Insert::Pods(pods)]
    }
}

/// A fold of some names.
#[derive(Debug)]
pub struct Plan<'n> {
    names: Vec<Name>,
    scopes: &'n [Name],
    raced: bool,
    known: Known,
    /// By uid: the version of rows of instances that were read before all of `known` was.
    ahead: BTreeMap<u128, u64>,
    /// The highest place of each name in the log, as it was when rows were last written.
    written: Option<BTreeMap<Name, u64>>,
    rounds: usize,
    done: bool,
}

/// How often names that may have raced are folded, at most: once, and again when facts about them came in meanwhile.
const ROUNDS_MAX: usize = 5;

impl<'n> Plan<'n> {
    /// Of the names, and of what was said of `scopes`, to which some of them belong.
    ///
    /// `raced`: others may have folded them at the same time, see [`Fold::raced`]. Then the log is read again in
    /// the end. Whoever reads newer facts after that reads these rows too; whoever read newer facts before may not
    /// have seen them, so such names are folded once more.
    pub fn new(names: &[Name], scopes: &'n [Name], raced: bool) -> Plan<'n> {
        Plan {
            names: names.to_vec(),
            scopes,
            raced,
            known: Known::default(),
            ahead: BTreeMap::new(),
            written: None,
            rounds: 0,
            done: false,
        }
    }

    /// What has to be done next.
    pub fn next(&self) -> Step<'_> {
        let known = &self.known;
        if self.done {
            return Step::Done;
        }
        if known.log.is_none() {
            return Step::Log([&self.names, self.scopes].concat());
        }
        if known.recent.is_none() {
            return Step::Recent(self.names.to_vec());
        }
        let Some(read_at) = known.read_at else {
            return Step::Now;
        };
        let mut round = Round::new(&self.names, self.scopes, known, read_at);
        if self.raced {
            round.folds.values_mut().for_each(Fold::raced);
        }
        if known.said.is_none() {
            let filed = round.may_be_filed();
            return match filed.is_empty() || known.ended.is_some() {
                true => Step::Said(round.about()),
                false => Step::Ended(filed),
            };
        }
        let (rows, wanted) = round.rows();
        if !wanted.is_empty() {
            return Step::Instances(wanted);
        }
        let refused = round.refused;
        Step::Write(Changed { rows, refused })
    }

    /// Takes what a step brought.
    pub fn take(&mut self, answer: Answer) {
        let known = &mut self.known;
        match answer {
            Answer::Log(rows) => {
                if let Some(written) = self.written.take() {
                    let now = places(&self.names, self.scopes, &rows);
                    self.names.retain(|name| written[name] != now[name]);
                    self.done = self.names.is_empty();
                }
                known.read_at = rows.first().map(|row| row.read_at);
                known.log = Some(rows);
            }
            Answer::Recent(rows) => {
                let asked_at = rows.first().map(|row| row.asked_at);
                known.read_at = known.read_at.or(asked_at);
                known.recent = Some(rows);
            }
            Answer::Now(now) => known.read_at = Some(now),
            Answer::Ended(rows) => known.ended = Some(rows),
            Answer::Said(rows) => known.said = Some(rows),
            Answer::Instances(wanted, rows) => {
                let newer = newer(&rows, known, &self.ahead);
                if newer.is_empty() {
                    known.instances.extend(rows);
                    known.recalled.extend(wanted);
                } else {
                    *known = Known::default();
                    self.ahead.extend(newer);
                }
            }
            Answer::Wrote => {
                let log = std::mem::take(known).log.unwrap_or_default();
                self.rounds += 1;
                self.done = !self.raced || self.rounds == ROUNDS_MAX;
                self.written = Some(places(&self.names, self.scopes, &log));
            }
        }
    }
}

/// The versions of rows that are newer than the row of their pod was, by its uid. Somebody else has written them
/// meanwhile, and will write that of the pod, or was killed. The version of what is written now will be above theirs;
/// so it has to be made of what they knew, which is in the log: all is read again.
fn newer(rows: &[InstanceRow], known: &Known, ahead: &BTreeMap<u128, u64>) -> BTreeMap<u128, u64> {
    let mut versions = ahead.clone();
    for row in known.recent.iter().chain(&known.ended).flatten() {
        let version = versions.entry(row.pod_uid.as_u128()).or_default();
        *version = row.version.max(*version);
    }
    let mut newer = BTreeMap::new();
    for row in rows {
        let uid = row.pod_uid.as_u128();
        if versions
            .get(&uid)
            .is_none_or(|version| row.version > *version)
        {
            let version: &mut u64 = newer.entry(uid).or_default();
            *version = row.version.max(*version);
        }
    }
    newer
}

/// The highest place in the log of each name, and of the scopes to which it may belong.
fn places(names: &[Name], scopes: &[Name], log: &[LogRow]) -> BTreeMap<Name, u64> {
    let mut places: BTreeMap<Name, u64> = names.iter().map(|name| (name.clone(), 0)).collect();
    for row in log {
        let name = row.name();
        if scopes.contains(&name) {
            let covered = places.iter_mut().filter(|(pod, _)| name.may_cover(pod));
            covered.for_each(|(_, place)| *place = row.place.max(*place));
        } else if let Some(place) = places.get_mut(&name) {
            *place = row.place.max(*place);
        }
    }
    places
}
