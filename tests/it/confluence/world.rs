//! A database that histories arrive in, by a clock of its own.

use std::collections::BTreeMap;
use std::process::Child;
use std::sync::Arc;

use super::arrivals::{
    ARRIVES, Arrival, Arrived, BEGIN, CLUSTERS, Said, arrivals, bodies, of_history, shuffle,
};
use super::reconciling::done;
use super::servers::{Posting, Servers};
use crate::lives::deliver::{TEMPERS, Temper};
use crate::lives::{HOUR, MINUTE, SECOND};
use crate::oracle::compare::{Outcome, Wrong};
use crate::oracle::state::Oracle;
use crate::support::{self, Random};

const SLOT: i64 = 10 * MINUTE;

/// Of those that are wrong in the same way, among so many the smallest is looked for.
const PODS_DESCRIBED_MAX: usize = 200;

pub struct World {
    pub servers: Servers,
    pub oracle: Oracle,
    /// The events of each cluster, with what they say.
    events: Vec<(&'static str, Arc<Said>)>,
    /// What still has to arrive; the next is last.
    to_come: Vec<Arrival>,
    /// By the clock of this world, in microseconds.
    pub now: i64,
    pub histories: u64,
    rounds: u64,
    /// Facts that were acknowledged.
    pub facts: u64,
    /// Rows that reconcile has changed after two processes wrote at once.
    pub corrected: u64,
}

impl World {
    pub fn new(histories: u64, rounds: u64, random: &mut Random) -> World {
        let (mut events, mut to_come) = (Vec::new(), Vec::new());
        for number in 0..histories {
            let seed = random.next();
            for (place, cluster) in CLUSTERS.into_iter().enumerate() {
                let temper = match place {
                    0 => Temper::Prompt,
                    _ => TEMPERS[random.below(TEMPERS.len() as u64) as usize],
                };
                let said = of_history(seed, number, cluster);
                to_come.extend(arrivals(&said, cluster, temper, random));
                events.extend(said.into_iter().map(|said| (cluster, said)));
            }
        }
        to_come.sort_by_key(|arrival| std::cmp::Reverse(arrival.due));
        World {
            servers: Servers::start(),
            oracle: Oracle::default(),
            events,
            to_come,
            now: BEGIN,
            histories,
            rounds,
            facts: 0,
            corrected: 0,
        }
    }

    /// Time goes on; returns what comes meanwhile.
    pub fn arrive(&mut self, round: u64, random: &mut Random) -> Arrived {
        let step = ARRIVES / self.rounds as i64;
        let jitter = random.below(step as u64 / 2) as i64;
        self.now = match round + 1 {
            within if within < self.rounds => BEGIN + step * within as i64 + jitter,
            _ => BEGIN + ARRIVES + HOUR,
        };
        let next = self
            .to_come
            .partition_point(|arrival| arrival.due > self.now);
        let came = self.to_come.split_off(next);
        let (late, timely) = came.into_iter().partition(|arrival| arrival.late);
        Arrived { timely, late }
    }

    /// Posts arrivals in no order, and waits until they are part of the lives.
    pub fn post(
        &mut self,
        mut arrivals: Vec<Arrival>,
        late: bool,
        posting: Posting,
        random: &mut Random,
    ) {
        self.set_clock(late);
        let meanwhile: Vec<Child> = (0..random.below(3))
            .map(|_| self.start_meanwhile())
            .collect();
        shuffle(&mut arrivals, random);
        let bodies = bodies(&arrivals, random);
        self.servers.post(&bodies, posting, random);
        for mut process in meanwhile {
            match random.below(2) {
                0 => drop(done(process)),
                _ => {
                    // It may have ended already.
                    _ = process.kill();
                    process.wait().expect("it ends");
                }
            }
        }
        for fact in arrivals.iter().flat_map(|arrival| &arrival.said.facts) {
            self.oracle.hear(fact, late);
            self.facts += 1;
        }
        self.oracle.thin();
        if posting.races() {
            self.fold_what_raced();
        }
    }

    /// What the server fills in by its clock follows this world's.
    fn set_clock(&self, late: bool) {
        let slot = (self.now - self.now.rem_euclid(SLOT)) / SECOND;
        for (column, default) in [
            ("slot", format!("toDateTime({slot}, 'UTC')")),
            ("late", u8::from(late).to_string()),
        ] {
            let modify = format!("ALTER TABLE facts MODIFY COLUMN {column} DEFAULT {default}");
            support::sql(&self.servers.database, &modify);
        }
    }

    /// The last event of each pod in each cluster, so that no pod is known from late facts alone.
    pub fn last_of_each_pod(&self) -> Vec<Arrival> {
        let mut last: BTreeMap<(&str, u128), Arrival> = BTreeMap::new();
        for (cluster, said) in &self.events {
            for fact in said.facts.iter().filter(|fact| fact.pod_uid != 0) {
                let arrival = Arrival {
                    cluster,
                    said: said.clone(),
                    late: false,
                    due: 0,
                };
                last.insert((cluster, fact.pod_uid), arrival);
            }
        }
        last.into_values().collect()
    }

    /// In all clusters the same was answered in the end.
    pub fn ways_agree(&self) {
        for view in ["containers", "pods"] {
            let sum = |cluster: &str| {
                let rows =
                    format!("SELECT * EXCEPT (cluster) FROM {view} WHERE cluster = '{cluster}'");
                let sum = format!("SELECT count(), groupBitXor(cityHash64(*)) FROM ({rows})");
                support::sql(&self.servers.database, &sum)
            };
            for cluster in &CLUSTERS[1..] {
                assert_eq!(sum(cluster), sum(CLUSTERS[0]), "{view} of {cluster}");
            }
        }
    }

    /// Prints what is wrong: of each kind how often, and all that was heard of the smallest name.
    pub fn explain(&self, outcome: &Outcome) {
        let mut kinds: BTreeMap<&str, Vec<&Wrong>> = BTreeMap::new();
        for wrong in &outcome.wrong {
            kinds.entry(wrong.kind()).or_default().push(wrong);
        }
        for (kind, wrongs) in kinds {
            let described = wrongs.iter().take(PODS_DESCRIBED_MAX).map(|wrong| {
                let (cluster, uid, ..) = &wrong.key;
                (self.oracle.describe(cluster, uid), wrong)
            });
            let Some((lines, wrong)) = described.min_by_key(|(lines, _)| lines.len()) else {
                continue;
            };
            let (_, _, container, id) = &wrong.key;
            println!("{} times {kind}; of {container} {id}:", wrongs.len());
            println!("    {}", wrong.what);
            for line in lines {
                println!("    {line}");
            }
        }
    }
}
