//! Reconcile while questions are asked, and killed at any point.

use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::made::{Cluster, REMOVED, uid, wait_done};
use crate::support::{Random, setting, sql};

/// Questions that are asked all the time see each life exactly once, while lives are filed, corrected, filed
/// elsewhere and deleted. The full run: `BYGONE_READS=100000`.
#[test]
fn no_question_sees_a_life_twice_or_not_at_all() {
    const PODS: u64 = 60;
    let cluster = Cluster::start();
    let reads_min = setting("BYGONE_READS", 2_000);
    cluster.post_ended(0..PODS);
    let (reads, stop) = (AtomicU64::new(0), AtomicBool::new(false));
    let mut corrections = 0;
    std::thread::scope(|scope| {
        for seed in 0..3 {
            let (cluster, reads, stop) = (&cluster, &reads, &stop);
            scope.spawn(move || read_all_the_time(cluster, PODS, seed, reads, stop));
        }
        let begun = Instant::now();
        while reads.load(Ordering::Relaxed) < reads_min {
            cluster.grow_old();
            cluster.reconcile(0);
            // Some are corrected before what was filed is deleted, some after.
            let correct = |numbers: std::ops::Range<u64>, at: u64| {
                let events: Vec<Value> = numbers.map(|it| cluster.removed(at, it)).collect();
                cluster.post(&events);
            };
            corrections += 1;
            let over_at = REMOVED + corrections * 300;
            correct(0..PODS / 3, over_at);
            cluster.reconcile(2);
            correct(PODS / 4..PODS / 2, over_at + 7);
            if stop.load(Ordering::Relaxed) || begun.elapsed() > Duration::from_secs(3_600) {
                break;
            }
        }
        stop.store(true, Ordering::Relaxed);
    });
    let (reads, moved) = (reads.load(Ordering::Relaxed), "ended_pods WHERE moved");
    assert!(reads >= reads_min, "{reads} reads: one of them was wrong");
    eprintln!(
        "{reads} reads, {corrections} corrections, {} moves",
        cluster.count(moved)
    );
}

fn read_all_the_time(
    cluster: &Cluster,
    pods: u64,
    seed: u64,
    reads: &AtomicU64,
    stop: &AtomicBool,
) {
    let mut random = Random(seed);
    let (begin, end) = (cluster.at(0), cluster.at(10_000_000));
    let between = format!("(since = '{}', until = '{}')", &begin[..19], &end[..19]);
    // A reader that panics stops the others.
    let stop_all = StopAll(stop);
    while !stop.load(Ordering::Relaxed) {
        let one = random.below(pods);
        let (from, expected) = match random.below(5) {
            0 => ("pods".to_owned(), pods),
            1 => ("containers".to_owned(), pods),
            2 => (format!("pods_between{between}"), pods),
            3 => (format!("containers_between{between}"), pods),
            _ => (format!("pod_by_uid(uid = '{}')", uid(one)), 1),
        };
        // Some questions take their time between one table and the next.
        let sleep = match random.below(8) {
            0 => random.below(30),
            _ => 0,
        };
        let question = format!(
            "SELECT count(), uniqExact(pod_uid) FROM {from} SETTINGS merge_tree_storage_snapshot_sleep_ms = {sleep}"
        );
        let answer = sql(&cluster.bygone.database, &question);
        assert_eq!(answer, format!("{expected}\t{expected}\n"), "{question}");
        reads.fetch_add(1, Ordering::Relaxed);
    }
    std::mem::forget(stop_all);
}

struct StopAll<'s>(&'s AtomicBool);

impl Drop for StopAll<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Two processes reconcile all the time, and are killed at random instants, while pods come and questions are asked.
#[test]
fn two_at_once_and_killed_at_any_point() {
    let cluster = Cluster::start();
    let (rounds, seed) = (setting("BYGONE_ROUNDS", 12), setting("BYGONE_SEED", 1));
    let mut random = Random(seed);
    for round in 0..rounds {
        let pods = (round + 1) * 10;
        cluster.post_ended(round * 10..pods);
        if round > 2 {
            let corrected = cluster.removed(REMOVED + round * 300, random.below(pods));
            cluster.post(&[corrected]);
        }
        // Loads of killed sinks.
        if random.below(3) == 0 {
            sql(&cluster.bygone.database, "TRUNCATE TABLE loads");
        }
        cluster.grow_old();
        for _ in 0..3 {
            let mut children: Vec<Child> = (0..2)
                .map(|_| {
                    let mut command = cluster.command(2, &[]);
                    command.stdout(Stdio::piped()).stderr(Stdio::piped());
                    command.spawn().expect("bygone starts")
                })
                .collect();
            let life = Duration::from_millis(random.below(250));
            let begun = Instant::now();
            while begun.elapsed() < life {
                exactly_once(&cluster, pods);
            }
            let mut killed = children.swap_remove(random.below(2) as usize);
            killed.kill().expect("it is killed");
            killed.wait().expect("it ends");
            exactly_once(&cluster, pods);
            children
                .into_iter()
                .for_each(|child| drop(wait_done(child)));
        }
    }
    let lives = cluster.lives();
    for minutes in [2, 4, 30, 120] {
        cluster.reconcile(minutes);
        exactly_once(&cluster, rounds * 10);
    }
    assert!(cluster.lives() == lives);
    for table in ["facts", "recent_pods", "recent_containers"] {
        assert_eq!(cluster.count(table), 0, "{table}");
    }
}

fn exactly_once(cluster: &Cluster, pods: u64) {
    for view in ["pods", "containers"] {
        let question = format!("SELECT count(), uniqExact(pod_uid) FROM {view}");
        let answer = sql(&cluster.bygone.database, &question);
        assert_eq!(answer, format!("{pods}\t{pods}\n"), "{view}");
    }
}
