//! Records per CPU second from a real broker to rows that ClickHouse has confirmed, beside bare
//! consumption of the same topic with rdkafka in the same run.
//!
//!     cargo bench --bench kafka                          200,000 records
//!     BYGONE_RECORDS=1000000 cargo bench --bench kafka   another number
//!
//! Each record is one event of the recording in fixtures/. CPU is that of bygone's own process, from
//! its start until everything is committed; the broker's and ClickHouse's are not in it. Rounds
//! alternate.

#![allow(dead_code, reason = "parts of the tests' own support")]
#![allow(clippy::unwrap_used, reason = "as in tests")]

#[path = "../it/kafka/broker.rs"]
mod broker;
#[path = "../it/listener"]
mod listener {
    pub mod pki;
}
#[path = "../it/kafka/members.rs"]
mod members;
#[path = "../it/support.rs"]
mod support;

use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::Message;
use rdkafka::consumer::{BaseConsumer, Consumer};

use broker::{Broker, Record};
use members::Group;
use support::{cpu_time, setting, wait_for};

const ROUNDS: usize = 3;
const PARTITIONS: i32 = 12;

/// Records that are handed to the producer at once.
const CHUNK: usize = 20_000;

fn main() {
    let count = setting("BYGONE_RECORDS", 200_000) as usize;
    let broker = Broker::start();
    let log = support::read(&support::recording_a(), "audit.log");
    let mut group = Group::new(&broker, "bench", PARTITIONS, "");
    let partitions = (0..PARTITIONS).cycle();
    let mut records = partitions.zip(log.lines().cycle()).take(count);
    let mut bytes = 0;
    loop {
        let chunk: Vec<Record> = records
            .by_ref()
            .take(CHUNK)
            .map(|(partition, line)| Record::new(partition, line))
            .collect();
        if chunk.is_empty() {
            break;
        }
        bytes += chunk.iter().map(|record| record.body.len()).sum::<usize>();
        broker.produce(&group.topic, chunk);
    }
    println!("{count} records, {:.1} MB", bytes as f64 / 1e6);
    let mut ratios = Vec::new();
    for round in 0..ROUNDS {
        let ours = rows(&broker, &mut group, round);
        let bare = bare(&broker, &group.topic, count);
        print("broker to rows", count, ours);
        print("bare rdkafka", count, bare);
        ratios.push(ours.0.div_duration_f64(bare.0));
    }
    ratios.sort_by(f64::total_cmp);
    println!(
        "from broker to rows takes {:.1} times the CPU of bare consumption (median of {ROUNDS})",
        ratios[ROUNDS / 2]
    );
}

fn print(name: &str, count: usize, (cpu, wall): (Duration, Duration)) {
    let per = |time: Duration| count as f64 / time.as_secs_f64();
    println!(
        "  {name:<16} {:>9.0} records per CPU second, {:>9.0} per second",
        per(cpu),
        per(wall)
    );
}

/// CPU and wall time of a bygone that begins at the beginning.
fn rows(broker: &Broker, group: &mut Group, round: usize) -> (Duration, Duration) {
    // A group of its own each time, and ClickHouse merges what it has already.
    group.name = format!("bench-{round}");
    let begun = Instant::now();
    let member = group.join();
    group.drained(broker);
    (cpu_time(member.pid()), begun.elapsed())
}

fn bare(broker: &Broker, topic: &str, count: usize) -> (Duration, Duration) {
    let (cpu, begun) = (cpu_time(std::process::id()), Instant::now());
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", broker.address())
        .set("group.id", "bare")
        .set("auto.offset.reset", "earliest")
        .set("enable.auto.commit", "false")
        .set("queued.max.messages.kbytes", "32768")
        .set("fetch.queue.backoff.ms", "50")
        .create()
        .unwrap();
    consumer.subscribe(&[topic]).unwrap();
    let (mut read, mut bytes) = (0, 0);
    wait_for("all records", || {
        while let Some(message) = consumer.poll(Duration::from_millis(100)) {
            bytes += message.unwrap().payload().unwrap().len();
            read += 1;
            if read == count {
                return Some(());
            }
        }
        None
    });
    assert!(bytes > 0);
    let took = (
        cpu_time(std::process::id()).saturating_sub(cpu),
        begun.elapsed(),
    );
    drop(consumer);
    took
}
