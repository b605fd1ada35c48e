//! The broker is away, or ClickHouse is while Kafka flows.
//!
//! As long as in the promise: `BYGONE_OUTAGE_SECONDS=60 cargo test --test it kafka::outage --
//! --nocapture`.

use std::time::{Duration, Instant};

use super::broker::{Broker, Record, shared};
use super::members::{Group, partitions, statuses};
use super::rebalance::Senders;
use crate::load;
use crate::proxy::Proxy;
use crate::support::{self, Bygone, alone, cpu_time, setting, wait_for};

const PARTITIONS: i32 = 4;

/// Of one core, in an outage of the broker.
const BUSY_MAX: f64 = 0.1;

/// Of so many times the least busy one counts.
const QUIET_WITHIN: u32 = 3;

/// How much of a core it uses, over this time.
fn busy(member: &Bygone, time: Duration) -> f64 {
    let (used, begun) = (cpu_time(member.pid()), Instant::now());
    pass(time);
    let used = cpu_time(member.pid()).saturating_sub(used);
    used.div_duration_f64(begun.elapsed())
}

fn pass(time: Duration) {
    let end = Instant::now() + time;
    while Instant::now() < end {
        std::thread::park_timeout(end.saturating_duration_since(Instant::now()));
    }
}

#[test]
fn the_broker_is_away_for_a_while() {
    let _alone = alone();
    let time = Duration::from_secs(setting("BYGONE_OUTAGE_SECONDS", 4));
    let mut broker = Broker::start();
    let group = Group::new(&broker, "away", PARTITIONS, "");
    let member = group.join();
    let mut senders = Senders::start(&broker, &group.topic, PARTITIONS);
    wait_for("records", || (senders.acknowledged() >= 20).then_some(()));
    group.drained(&broker);
    let lines_before = member.log().lines().count();
    broker.kill();
    let told = "kafka: no broker is reachable";
    wait_for("a word in the log", || {
        member.log().contains(told).then_some(())
    });
    // What came before is folded meanwhile: that ends, trying again does not.
    let busy = (0..QUIET_WITHIN).map(|_| busy(&member, time));
    let busy = busy.fold(f64::MAX, f64::min);
    let lines: Vec<String> = member
        .log()
        .lines()
        .skip(lines_before)
        .map(str::to_owned)
        .collect();
    println!("busy {busy:.3} of a core; the log: {lines:#?}");
    assert!(busy < BUSY_MAX, "{busy:.3} of a core for nothing");
    assert_eq!(lines.len(), 1, "one line, not more");
    assert!(lines[0].contains(told) && lines[0].contains("Connection refused"));
    let told = statuses(&member);
    let kafka = told.iter().find(|it| it["source"] == "kafka");
    let kafka = kafka.expect("a source");
    assert_eq!(kafka["state"], "no broker is reachable", "{kafka}");
    let error = kafka["last_error"].as_str().expect("an error");
    assert!(error.contains("Connection refused"), "{kafka}");

    broker.launch();
    broker.answers();
    let before = senders.acknowledged();
    wait_for("records again", || {
        (senders.acknowledged() >= before + 20).then_some(())
    });
    senders.finish();
    group.drained(&broker);
    wait_for("a word in the log", || {
        let told = "kafka: a broker is reachable again after";
        member.log().contains(told).then_some(())
    });
    senders.check(&member);
}

/// The webhook works meanwhile, and Kafka from when a broker answers.
#[test]
fn the_broker_is_away_at_the_start() {
    let _alone = alone();
    let mut broker = Broker::start();
    let group = Group::new(&broker, "late", PARTITIONS, "");
    broker.kill();
    let member = group.join();
    let told = "kafka: no broker is reachable";
    wait_for("a word in the log", || {
        member.log().contains(told).then_some(())
    });
    assert_eq!(member.log().matches(told).count(), 1, "{}", member.log());
    assert!(member.log().contains("Connection refused"));
    member.acknowledges([load::body(0)]);

    broker.launch();
    broker.answers();
    broker.produce(&group.topic, [Record::new(0, load::body(1))]);
    group.drained(&broker);
    let batches = (0..2).collect();
    load::check(&member, &batches, &batches);
}

#[test]
fn clickhouse_is_away_while_kafka_flows() {
    let _alone = alone();
    let time = Duration::from_secs(setting("BYGONE_OUTAGE_SECONDS", 4));
    let rss_growth_bytes_max = setting("BYGONE_OUTAGE_RSS_BYTES_MAX", 64 << 20);
    let broker = shared();
    let mut proxy = Proxy::start(&support::shared().url, 1);
    // Far less than what will flow, so that partitions pause.
    let mut group = Group::new(
        broker,
        "flows",
        PARTITIONS,
        "unstored_bytes_max = 2000000\n",
    );
    group.set("BYGONE_CLICKHOUSE_URL", &proxy.url());
    let member = group.join();
    let records = |from: u64, to: u64| {
        let partition = |batch: u64| (batch % PARTITIONS as u64) as i32;
        (from..to).map(move |batch| Record::new(partition(batch), load::body(batch)))
    };
    broker.produce(&group.topic, records(0, 100));
    group.drained(broker);
    let before = broker.committed(&group.topic, &group.topic, PARTITIONS);

    proxy.close();
    // What is in the middle of its INSERT may still be stored; then offsets stand still.
    broker.produce(&group.topic, records(100, 1_000));
    wait_for("a pause", || {
        member
            .metrics()
            .contains("bygone_kafka_paused 1")
            .then_some(())
    });
    let rss = member.rss_bytes();
    let end = Instant::now() + time;
    let mut most = 0;
    while Instant::now() < end {
        most = most.max(member.rss_bytes());
        pass(Duration::from_millis(100));
    }
    let during = broker.committed(&group.topic, &group.topic, PARTITIONS);
    assert_eq!(during, before, "offsets stand still");
    println!("{} MiB at the pause, at most {} MiB", rss >> 20, most >> 20);
    assert!(most <= rss + rss_growth_bytes_max);
    let told = partitions(&member);
    assert!(told.iter().all(|it| it["state"] == "paused"), "{told:?}");
    assert!(
        told.iter()
            .all(|it| it["oldest_seconds"].as_f64() > Some(1.0)),
        "{told:?}"
    );
    let lag: i64 = told
        .iter()
        .map(|it| it["lag"].as_i64().expect("a lag"))
        .sum();
    assert_eq!(lag, 900);

    proxy.open();
    group.drained(broker);
    let batches = (0..1_000).collect();
    load::check(&member, &batches, &batches);
    assert!(member.metrics().contains("bygone_kafka_paused 0"));
}

/// A member that stops while ClickHouse is away lets its partitions go in time, and commits nothing
/// of what is only in its spool.
#[test]
fn stopped_while_clickhouse_is_away() {
    let _alone = alone();
    let broker = shared();
    let mut proxy = Proxy::start(&support::shared().url, 1);
    let mut group = Group::new(broker, "stopped", PARTITIONS, "flush_seconds_max = 2\n");
    group.set("BYGONE_CLICKHOUSE_URL", &proxy.url());
    let mut member: Bygone = group.join();
    broker.produce(&group.topic, [Record::new(0, load::body(0))]);
    group.drained(broker);
    proxy.close();
    broker.produce(&group.topic, [Record::new(0, load::body(1))]);
    wait_for("the record in the spool", || {
        let waiting = "bygone_spool_waiting_frames 1";
        member.metrics().contains(waiting).then_some(())
    });
    let begun = Instant::now();
    assert!(member.stop().success(), "{}", member.log());
    assert!(
        begun.elapsed() < Duration::from_secs(15),
        "{:?}",
        begun.elapsed()
    );
    let committed = broker.committed(&group.topic, &group.topic, 1);
    assert_eq!(committed, [Some(1)]);
    assert!(member.log().contains("the next owner rereads it"));
    proxy.open();
    let again = group.join();
    group.drained(broker);
    let batches = (0..2).collect();
    load::check(&again, &batches, &batches);
}
