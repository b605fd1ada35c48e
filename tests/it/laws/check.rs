//! The laws, for one world.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

use bygone::fold::life::Life;
use bygone::fold::{LoggedFact, Rows};
use bygone::rows::PodRow;

use super::answers::{ContainerAnswer, PodAnswer};
use super::store::{Load, Store, Versions};
use super::world::{Log, Logged, World};
use crate::lives::fact::About;
use crate::oracle::compare::differences;
use crate::oracle::life::uid_text;
use crate::oracle::state::Oracle;
use crate::support::Random;

/// What was checked.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    pub histories: u64,
    pub facts: u64,
    pub pods: u64,
    pub instances: u64,
    pub pruned: u64,
    pub folds: u64,
}

/// The answers for one name: pods by uid, instances by uid, container and the key of their row.
#[derive(Default)]
struct Expected {
    pods: BTreeMap<String, PodAnswer>,
    containers: BTreeMap<(String, String, [u8; 32]), ContainerAnswer>,
}

const READ_AT: u32 = 1_801_000_000;

/// Checks all laws; says which one does not hold, and how.
pub fn check(world: &World, counts: &mut Counts) -> Result<(), String> {
    let mut oracle = Oracle::default();
    for arrival in &world.arrivals {
        for fact in &arrival.facts {
            oracle.hear(fact, arrival.late);
        }
    }
    oracle.tell();
    let mut expected: BTreeMap<&str, Expected> = BTreeMap::new();
    for told in oracle.told() {
        let of = expected.entry(&told.pod.row.pod).or_default();
        let uid = &told.pod.row.pod_uid;
        of.pods.insert(uid.clone(), told.into());
        let instances = told.instances.iter().map(|(key, life)| {
            let container = life.row.container.clone();
            ((uid.clone(), container, *key), life.into())
        });
        of.containers.extend(instances);
    }
    let (bytes, ends) = world.encode();
    let log = Log::of(world, &bytes, &ends);
    counts.histories += 1;
    counts.facts += ends.len() as u64;
    for (name, facts) in &log.names {
        let expected = expected.remove(name).unwrap_or_default();
        counts.pods += expected.pods.len() as u64;
        counts.instances += expected.containers.len() as u64;
        let mut laws = Laws {
            world,
            log: &log,
            name,
            facts,
            expected: &expected,
            counts,
        };
        laws.hold().map_err(|what| format!("{name}: {what}"))?;
    }
    Ok(())
}

struct Laws<'l, 'a> {
    world: &'l World,
    log: &'l Log<'a>,
    name: &'a str,
    facts: &'l [Logged<'a>],
    expected: &'l Expected,
    counts: &'l mut Counts,
}

impl<'a> Laws<'_, 'a> {
    fn hold(&mut self) -> Result<(), String> {
        let named = |law: &'static str| move |what: String| format!("{law}: {what}");
        let once = self.at_once().map_err(named("at once"))?;
        self.nothing_new(&once, Versions::Newest)
            .map_err(named("again"))?;
        let stored = self.in_steps().map_err(named("in steps"))?;
        self.equals(&stored).map_err(named("in steps"))?;
        self.nothing_new(&stored, Versions::All)
            .map_err(named("all versions"))?;
        self.states_agree(&once, &stored).map_err(named("in steps"))
    }

    fn load<'l>(&'l self, facts: &'l [LoggedFact<'a>], step: u8) -> Load<'l, 'a> {
        Load {
            name: self.name,
            facts,
            log: self.log,
            step,
            read_at: READ_AT + 60 * u32::from(step),
        }
    }

    /// Everything at once, in two orders, in one of them twice: the rows are the same, and the oracle's.
    fn at_once(&mut self) -> Result<Store, String> {
        let mut facts = self.facts.to_vec();
        facts.sort_by_key(|logged| logged.fact.event_at);
        let in_order: Vec<LoggedFact> = facts.iter().map(|logged| logged.fact).collect();
        facts.sort_by_key(|logged| logged.rank);
        let shuffled = facts.iter().chain(facts.iter().rev());
        let shuffled: Vec<LoggedFact> = shuffled.map(|logged| logged.fact).collect();
        let nothing = Store::default();
        let rows = nothing.fold(&self.load(&in_order, self.world.steps), Versions::All);
        let other = nothing.fold(&self.load(&shuffled, self.world.steps), Versions::All);
        self.counts.folds += 2;
        if rows != other {
            let first = other
                .pods
                .iter()
                .zip(&rows.pods)
                .find(|(one, other)| one != other);
            return Err(format!("another order makes other rows: {first:#?}"));
        }
        let pruned = rows.containers.iter().filter(|row| row.complete);
        self.counts.pruned += pruned.count() as u64;
        let mut store = Store::default();
        store.put(&rows, &nothing)?;
        self.equals(&store)?;
        Ok(store)
    }

    /// All facts once more change nothing. Old versions may remember what the newest has let go of, or let go of what it
    /// keeps: so with these the state may change, and no answer.
    fn nothing_new(&mut self, store: &Store, versions: Versions) -> Result<(), String> {
        let facts: Vec<LoggedFact> = self.facts.iter().map(|logged| logged.fact).collect();
        let facts = match self.world.seed % 4 {
            0 => &[][..],
            _ => &facts[..],
        };
        let rows = store.fold(&self.load(facts, self.world.steps), versions);
        self.counts.folds += 1;
        let may_change = versions == Versions::All;
        let pods = rows.pods.iter().filter(|row| {
            let newest = store.pods[&row.pod_uid.0].last();
            let is_same = newest.is_some_and(|it| it.answer == PodAnswer::from(*row));
            !(is_same && may_change)
        });
        let containers = rows.containers.iter().filter(|row| {
            let key = (row.pod_uid.0, row.container.to_owned(), row.container_key);
            let kept = store.containers.get(&key);
            let is_same = kept.is_some_and(|it| {
                it.is_void == row.void && (row.void || it.answer == ContainerAnswer::from(*row))
            });
            !(is_same && may_change)
        });
        let containers: Vec<_> = containers
            .map(|row| {
                let key = (row.pod_uid.0, row.container.to_owned(), row.container_key);
                let was = store.containers.get(&key).map(|kept| &kept.answer);
                let is = ContainerAnswer::from(row);
                let what = was.map(|was| differences(&was.row, &is.row));
                (
                    row.container,
                    row.void,
                    row.complete,
                    what,
                    was.map(|was| was.span),
                    is.span,
                )
            })
            .collect();
        match (pods.count(), containers.is_empty()) {
            (0, true) => Ok(()),
            (pods, _) => Err(format!(
                "{pods} rows of pods are written again, and of instances {containers:?}{}",
                changes(&rows, store)
            )),
        }
    }

    /// Whether two may write at once. Where events tell of instances without their IDs, what one of both has stored of
    /// these does not say that it is what the other one knows by ID.
    fn may_race(&self) -> bool {
        let facts = self.world.facts().filter(|fact| *fact.pod == *self.name);
        let mut instances = facts.filter_map(|fact| match &fact.about {
            About::Instance(told) => Some(told),
            _ => None,
        });
        instances.all(|told| told.key != [0; 32])
    }

    /// Each step is folded onto what is stored, sometimes by two writers that do not see each other, after
    /// which somebody folds once more what both were about.
    fn in_steps(&mut self) -> Result<Store, String> {
        let mut random = Random(self.world.seed ^ 0x5eed);
        let mut store = Store::default();
        let mut facts = self.facts.to_vec();
        facts.sort_by_key(|logged| logged.rank);
        for step in 0..self.world.steps {
            let of_step = facts.iter().filter(|logged| logged.step == step);
            let of_step: Vec<LoggedFact> = of_step.map(|logged| logged.fact).collect();
            if of_step.is_empty() && !self.log.scopes.contains(&step) {
                continue;
            }
            let versions = match random.below(2) {
                0 => Versions::Newest,
                _ => Versions::All,
            };
            let mut read = store.clone();
            if random.below(4) == 0 && self.may_race() {
                store.had_race = true;
                let (one, other) = of_step.split_at(of_step.len() / 2);
                for half in [one, other] {
                    let rows = read.fold(&self.load(half, step), versions);
                    store.put(&rows, &read)?;
                    self.counts.folds += 1;
                }
                read = store.clone();
                read.raced = true;
            }
            // After a race all that both have written is there still.
            let versions = if read.raced { Versions::All } else { versions };
            let rows = read.fold(&self.load(&of_step, step), versions);
            store.put(&rows, &read)?;
            self.counts.folds += 1;
        }
        Ok(store)
    }

    /// The newest rows are the oracle's.
    fn equals(&self, store: &Store) -> Result<(), String> {
        let pods = store.pods.iter().map(|(uid, kept)| {
            let newest = kept.last().expect("a version");
            (uid_text(*uid), &newest.answer)
        });
        same(&self.expected.pods, pods.collect(), |wanted, came| {
            let mut wrong = differences(&wanted.row, &came.row);
            if wanted.beside != came.beside {
                wrong.push(format!("{:?}, should be {:?}", came.beside, wanted.beside));
            }
            wrong
        })?;
        let containers = store.containers.iter().filter(|(_, kept)| !kept.is_void);
        let containers = containers.map(|((uid, container, key), kept)| {
            ((uid_text(*uid), container.clone(), *key), &kept.answer)
        });
        same(
            &self.expected.containers,
            containers.collect(),
            |wanted, came| {
                let mut wrong = differences(&wanted.row, &came.row);
                if wanted.span != came.span {
                    wrong.push(format!(
                        "lived {:?}, should be {:?}",
                        came.span, wanted.span
                    ));
                }
                wrong
            },
        )
    }

    /// The steps leave no trace in the state, but for a pod of which another end was known in between: it has let
    /// go of instances. What was let go of once, and became another instance with what came later, stays counted, as its
    /// row said it. After a race a row that the other one has written may be believed.
    fn states_agree(&self, once: &Store, stored: &Store) -> Result<(), String> {
        for (uid, versions) in &once.pods {
            if stored.had_race || stored.had_another_end(*uid) {
                continue;
            }
            let state =
                |versions: &Vec<super::store::KeptPod>| versions.last().map(|it| it.state.clone());
            let other = stored.pods.get(uid).and_then(state);
            let (state, other) = (
                state(versions).unwrap_or_default(),
                other.unwrap_or_default(),
            );
            if have_pruned_alike(&state, &other) && state != other {
                let difference = difference(&state, &other);
                return Err(format!("{}: another state {difference}", uid_text(*uid)));
            }
        }
        Ok(())
    }
}

/// What of the states of pods has changed, where they have.
fn changes(rows: &Rows, store: &Store) -> String {
    let of_pod = |row: &PodRow| {
        let newest = store.pods[&row.pod_uid.0].last().expect("a version");
        difference(&newest.state, &row.state.0)
    };
    rows.pods.iter().map(of_pod).collect()
}

/// Whether both states have let go of the same.
fn have_pruned_alike(state: &[u8], other: &[u8]) -> bool {
    let past = |state| Life::decode(state, 0).map(|life| life.past);
    past(state) == past(other)
}

/// What two states have that is not in the other.
fn difference(was: &[u8], is: &[u8]) -> String {
    let lines = |state| -> Vec<String> {
        let life = Life::decode(state, 0).expect("a state");
        let text = format!("{life:#?}");
        text.lines().map(str::to_owned).collect()
    };
    let (was, is) = (lines(was), lines(is));
    let only = |of: &[String], not_of: &[String], word: &str| -> String {
        let lines = of.iter().filter(|line| !not_of.contains(line));
        lines.map(|line| format!("\n{word} {line}")).collect()
    };
    only(&was, &is, "was") + &only(&is, &was, "is")
}

/// Holds what came against what was expected, each by its key.
fn same<K: Ord + Debug, V>(
    expected: &BTreeMap<K, V>,
    came: BTreeMap<K, &V>,
    differences: impl Fn(&V, &V) -> Vec<String>,
) -> Result<(), String> {
    let keys: BTreeSet<&K> = expected.keys().chain(came.keys()).collect();
    for key in keys {
        let wrong = match (expected.get(key), came.get(key)) {
            (Some(wanted), Some(came)) => differences(wanted, came),
            (Some(_), None) => vec!["is missing".to_owned()],
            (None, _) => vec!["should not be there".to_owned()],
        };
        if !wrong.is_empty() {
            return Err(format!("{key:?}: {}", wrong.join("; ")));
        }
    }
    Ok(())
}
