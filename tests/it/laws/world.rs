//! A made-up history on its way to the tables: what arrives in which step, late or not, and in which order.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bygone::fold::LoggedFact;
use bygone::rows::{self, Piece, Said, fact_rows, pieces};

use crate::lives::fact::{About, Fact, facts};
use crate::lives::generate::{Plan, history};
use crate::lives::object::{Basis, Owner};
use crate::lives::{DAY, MINUTE, SECOND, audit, encode};
use crate::support::Random;

const BEGIN: i64 = 1_800_000_000 * SECOND;
const HAPPENS: i64 = 2 * DAY;
const PODS_MAX: u64 = 4;
const STEPS_MAX: u64 = 5;

/// A history and how it arrives. All of it follows from the seed.
#[derive(Clone)]
pub struct World {
    pub seed: u64,
    pub steps: u8,
    pub arrivals: Vec<Arrival>,
}

/// What one event says, on its way.
#[derive(Clone)]
pub struct Arrival {
    pub facts: Vec<Arc<Fact>>,
    audit_id: String,
    pub late: bool,
    /// Its place among those of its step.
    pub rank: u64,
    pub step: u8,
    /// The step in which it arrives once more.
    again: Option<u8>,
}

/// How the steps are filled.
#[derive(Clone, Copy)]
enum Order {
    AsItHappened,
    Backwards,
    Shuffled,
}

impl World {
    pub fn random(seed: u64) -> World {
        let mut random = Random(seed);
        let plan = Plan {
            cluster: "demo".into(),
            begin: BEGIN,
            end: BEGIN + HAPPENS,
            pods_max: 1 + random.below(PODS_MAX),
        };
        let events = history(random.next(), "shop", &plan);
        let steps = 1 + random.below(STEPS_MAX) as u8;
        let order = [Order::AsItHappened, Order::Backwards, Order::Shuffled];
        let order = order[random.below(3) as usize];
        let late_percent = [0, 0, 10, 50, 95, 100][random.below(6) as usize];
        let count = events.len();
        // A watch beside the events reads owners.
        let read_percent = [0, 0, 20, 60][random.below(4) as usize];
        let arrival = |(place, event)| {
            let share = place * usize::from(steps) / count;
            let step = match order {
                Order::AsItHappened => share as u8,
                Order::Backwards => steps - 1 - share as u8,
                Order::Shuffled => random.below(steps.into()) as u8,
            };
            Arrival {
                facts: read_owners(facts(event), read_percent, &mut random)
                    .into_iter()
                    .map(Arc::new)
                    .collect(),
                audit_id: audit::audit_id(event),
                late: random.below(100) < late_percent,
                rank: random.next(),
                step,
                again: (random.below(10) == 0).then(|| random.below(steps.into()) as u8),
            }
        };
        let mut world = World {
            seed,
            steps,
            arrivals: events.iter().enumerate().map(arrival).collect(),
        };
        if random.below(2) == 0 {
            world.thin();
        }
        world
    }

    /// Keeps of what was said of names the first and the last of each minute, as the table `said` does.
    fn thin(&mut self) {
        let mut kept: BTreeMap<_, (i64, i64)> = BTreeMap::new();
        let key = |fact: &Fact| match &fact.about {
            About::Name(said) => {
                let place = (fact.namespace.clone(), fact.pod.clone());
                let mut key = (**said).clone();
                key.at = key.at.div_euclid(MINUTE);
                Some(((place, key), said.at))
            }
            _ => None,
        };
        for (key, at) in self.facts().filter_map(key) {
            let (first, last) = kept.entry(key).or_insert((at, at));
            (*first, *last) = (at.min(*first), at.max(*last));
        }
        for arrival in &mut self.arrivals {
            arrival.facts.retain(|fact| {
                key(fact).is_none_or(|(key, at)| at == kept[&key].0 || at == kept[&key].1)
            });
        }
    }

    pub fn facts(&self) -> impl Iterator<Item = &Fact> {
        let arrivals = self.arrivals.iter();
        arrivals.flat_map(|arrival| arrival.facts.iter().map(|fact| &**fact))
    }

    /// All rows of `facts`, and where those of each arrival end.
    pub fn encode(&self) -> (Vec<u8>, Vec<usize>) {
        let mut bytes = Vec::new();
        let ends = self.arrivals.iter().map(|arrival| {
            let mut encoded = rows::Facts::default();
            for fact in &arrival.facts {
                encode::push(fact, &arrival.audit_id, &mut encoded);
            }
            bytes.extend(encoded.finish().into_bytes());
            bytes.len()
        });
        let ends = ends.collect();
        (bytes, ends)
    }
}

/// Some of the facts about pods of ReplicaSets and Jobs, as a watch has them that read the owner: its controller is
/// another one than its name suggests, there may be none, and it may change.
fn read_owners(mut facts: Vec<Fact>, percent: u64, random: &mut Random) -> Vec<Fact> {
    for fact in &mut facts {
        let About::Pod(pod) = &mut fact.about else {
            continue;
        };
        let Some(owner) = pod.owner.clone() else {
            continue;
        };
        if !["ReplicaSet", "Job"].contains(&&*owner.kind) || random.below(100) >= percent {
            continue;
        }
        let (kind, name) = match random.below(10) {
            0 => (owner.kind.clone(), owner.name.clone()),
            1 => ("Rollout".into(), "adopter".into()),
            _ => ("Rollout".into(), "above".into()),
        };
        pod.owner = Some(Arc::new(Owner {
            kind: owner.kind.clone(),
            name: owner.name.clone(),
            workload_kind: kind,
            workload: name,
            basis: Basis::Read,
        }));
    }
    facts
}

/// A fact, and when it arrives.
#[derive(Clone, Copy)]
pub struct Logged<'a> {
    pub fact: LoggedFact<'a>,
    pub rank: u64,
    pub step: u8,
}

/// The log, by name.
#[derive(Default)]
pub struct Log<'a> {
    pub names: BTreeMap<&'a str, Vec<Logged<'a>>>,
    /// By namespace and name, with the step.
    said: BTreeMap<(&'a str, &'a str), Vec<(u8, Said<'a>)>>,
    /// The steps in which something was said of a namespace or a node.
    pub scopes: BTreeSet<u8>,
    rows: u64,
}

impl<'a> Log<'a> {
    pub fn of(world: &World, bytes: &'a [u8], ends: &[usize]) -> Log<'a> {
        let mut log = Log::default();
        let mut place = 0;
        for (row, end) in fact_rows(bytes) {
            while ends[place] < end {
                place += 1;
            }
            let arrival = &world.arrivals[place];
            for step in [Some(arrival.step), arrival.again].into_iter().flatten() {
                log.add(&row, arrival, step);
            }
        }
        log
    }

    fn add(&mut self, row: &rows::FactRow<'a>, arrival: &Arrival, step: u8) {
        self.rows += 1;
        let fact = LoggedFact {
            pod_uid: row.pod_uid,
            event_at: row.event_at,
            late: arrival.late,
            place: (u64::from(step) + 1) << 40 | self.rows,
            body: row.body,
        };
        if row.pod_uid == 0 {
            for piece in pieces(row.body).expect("a body") {
                let Piece::Said(said) = piece else { continue };
                let of = self.said.entry((row.namespace, row.pod)).or_default();
                of.push((step, *said));
            }
        }
        if row.namespace.is_empty() || row.pod.is_empty() {
            self.scopes.insert(step);
            return;
        }
        self.names.entry(row.pod).or_default().push(Logged {
            fact,
            rank: arrival.rank,
            step,
        });
    }

    /// What was said up to a step.
    pub fn said(&self, namespace: &'a str, name: &'a str, until: u8) -> Vec<Said<'a>> {
        let all = self.said.get(&(namespace, name)).into_iter().flatten();
        let before = all.filter(|(step, _)| *step <= until);
        before.map(|(_, said)| said.clone()).collect()
    }
}
