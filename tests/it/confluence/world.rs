//! A database that histories arrive in, by a clock of its own.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::lives::deliver::{self, TEMPERS, Temper};
use crate::lives::fact::{Fact, facts};
use crate::lives::generate::{Plan, history};
use crate::lives::{HOUR, MINUTE, SECOND, encode};
use crate::oracle::compare::{Outcome, Wrong};
use crate::oracle::state::Oracle;
use crate::support::{self, Random};

/// When the receivers begin to listen: 2026-03-02, so that a month begins shortly before.
const BEGIN: i64 = 1_772_409_600 * SECOND;
/// How long things happen, and how long they arrive.
const HAPPENS: i64 = 30 * HOUR;
const ARRIVES: i64 = 36 * HOUR;
const SLOT: i64 = encode::SLOT_SECONDS as i64 * SECOND;

const PODS_MAX: u64 = 10;
/// Each cluster gets all histories, in another way.
const CLUSTERS: [&str; 3] = ["one", "two", "three"];

/// Rows of an INSERT, at most.
const BATCH_ROWS_MAX: u64 = 20_000;

/// Among so many the smallest is looked for.
const PODS_DESCRIBED_MAX: usize = 200;

pub struct World {
    pub database: String,
    pub oracle: Oracle,
    /// What still has to arrive; the next is last.
    to_come: Vec<Arrival>,
    /// By the server's clock.
    pub now: i64,
    pub histories: u64,
    rounds: u64,
    heard: u64,
    /// How long the last settling took.
    pub settling_ms: u64,
    /// How many rows are settled at a time.
    pub piece_rows_max: u64,
}

/// The facts of one event, on their way.
struct Arrival {
    /// When its INSERT begins, and when its rows are there.
    heard_at: i64,
    there_at: i64,
    facts: Arc<[Arc<Fact>]>,
}

impl World {
    pub fn new(histories: u64, rounds: u64, random: &mut Random) -> World {
        let database = support::new_database();
        let output = support::run(&mut support::on_shared(&database, &["schema", "apply"]));
        assert!(output.status.success(), "{}", support::stderr(&output));
        let mut to_come = Vec::new();
        for number in 0..histories {
            let seed = random.next();
            for (place, cluster) in CLUSTERS.into_iter().enumerate() {
                let temper = match place {
                    0 => Temper::Prompt,
                    _ => TEMPERS[random.below(TEMPERS.len() as u64) as usize],
                };
                let way = Way { cluster, temper };
                to_come.extend(arrivals(seed, number, &way, random));
            }
        }
        to_come.sort_by_key(|arrival| std::cmp::Reverse(arrival.there_at));
        World {
            database,
            oracle: Oracle::default(),
            to_come,
            now: BEGIN,
            histories,
            rounds,
            heard: 0,
            settling_ms: 1_000,
            // Some pieces even of a small history.
            piece_rows_max: (histories * 50).clamp(1_000, 50_000),
        }
    }

    pub fn ways(&self) -> usize {
        CLUSTERS.len()
    }

    /// Facts that were inserted.
    pub fn heard(&self) -> u64 {
        self.heard
    }

    /// Time goes on, and what comes meanwhile is inserted, in no order.
    pub fn arrive(&mut self, round: u64, random: &mut Random) {
        let step = ARRIVES / self.rounds as i64;
        let jitter = random.below(step as u64 / 2) as i64;
        self.now = match round + 1 {
            within if within < self.rounds => BEGIN + step * within as i64 + jitter,
            after => BEGIN + ARRIVES + HOUR * (after - self.rounds) as i64,
        };
        self.set_clock();
        let next = self
            .to_come
            .partition_point(|arrival| arrival.there_at > self.now);
        let mut came = self.to_come.split_off(next);
        for last in (1..came.len()).rev() {
            came.swap(last, random.below(last as u64 + 1) as usize);
        }
        while !came.is_empty() {
            let size = 1 + random.below(BATCH_ROWS_MAX) as usize;
            let rest = came.len().saturating_sub(size);
            self.insert(&came.split_off(rest));
        }
    }

    fn insert(&mut self, came: &[Arrival]) {
        let mut rows = Vec::new();
        for arrival in came {
            for fact in arrival.facts.iter() {
                encode::row(fact, arrival.heard_at, &mut rows);
                self.oracle.hear(fact, arrival.heard_at);
                self.heard += 1;
            }
        }
        let columns = encode::columns();
        let statement = format!("INSERT INTO facts ({columns}) FORMAT RowBinary");
        support::insert(&self.database, &statement, rows);
    }

    /// The defaults that the server fills in by its clock are those of this world's.
    fn set_clock(&self) {
        for (column, at) in [
            ("heard_at", self.now),
            ("slot", self.now - self.now.rem_euclid(SLOT)),
        ] {
            let seconds = at / SECOND;
            support::sql(
                &self.database,
                &format!(
                    "ALTER TABLE facts MODIFY COLUMN {column} DEFAULT toDateTime({seconds}, 'UTC')"
                ),
            );
        }
    }

    /// Where a settling of now ends.
    pub fn until(&self) -> i64 {
        self.now - self.now.rem_euclid(SLOT)
    }

    pub fn uncertain(&mut self) -> usize {
        self.oracle.tell();
        self.oracle.uncertain()
    }

    /// In all clusters the same was answered in the end.
    pub fn ways_agree(&self) {
        for view in ["containers", "pods"] {
            let sum = |cluster: &str| {
                let columns = "* EXCEPT (cluster, began_at, over_at, pending)";
                let rows = format!("SELECT {columns} FROM {view} WHERE cluster = '{cluster}'");
                let sum = format!("SELECT count(), groupBitXor(cityHash64(*)) FROM ({rows})");
                support::sql(&self.database, &sum)
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
            let told = wrongs.iter().map(|wrong| {
                let (cluster, uid, ..) = &wrong.key;
                (self.oracle.describe(cluster, uid), wrong)
            });
            let smallest = told
                .take(PODS_DESCRIBED_MAX)
                .min_by_key(|(lines, _)| lines.len());
            let Some((lines, wrong)) = smallest else {
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

/// How a cluster's facts reach the table.
struct Way {
    cluster: &'static str,
    temper: Temper,
}

/// What arrives of a history.
fn arrivals(seed: u64, number: u64, way: &Way, random: &mut Random) -> Vec<Arrival> {
    let plan = Plan {
        cluster: way.cluster.into(),
        begin: BEGIN,
        end: BEGIN + HAPPENS,
        pods_max: PODS_MAX,
    };
    let events = history(seed, &format!("ns-{number}"), &plan);
    let told: Vec<Arc<[Arc<Fact>]>> = events
        .iter()
        .map(|event| facts(event).into_iter().map(Arc::new).collect())
        .collect();
    let window = deliver::Window {
        begin: BEGIN,
        end: BEGIN + ARRIVES,
    };
    let deliveries = deliver::deliveries(&events, way.temper, window, random);
    let arrival = |delivery: deliver::Delivery| {
        let hangs = if delivery.hung {
            random.below(90) as i64 * MINUTE
        } else {
            0
        };
        Arrival {
            heard_at: delivery.heard_at,
            there_at: delivery.heard_at + hangs,
            facts: told[delivery.event].clone(),
        }
    };
    deliveries.into_iter().map(arrival).collect()
}
