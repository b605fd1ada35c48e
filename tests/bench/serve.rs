//! The running program under load: acknowledgements, CPU, memory, and how soon it is ready.
//!
//!     TEST_CORPUS=path/to/corpus cargo bench --bench serve
//!
//! Posts the bodies of `recording-load` over TLS with a token, as 1, 4 and 16 API servers at once
//! would, three rounds of each in turn, every time to a fresh `bygone serve` with its default
//! settings and a database of its own. Then it is started on an empty spool, and on one of 10 GB
//! (`BYGONE_BENCH_SPOOL_GB`, 0: not at all), which takes so much room in the temporary folder.
//!
//! - Acknowledgement: from the first byte of a request to its 200. Senders share the machine's cores
//!   with bygone and ClickHouse. Beside it a plain write and fdatasync of the same rows on the
//!   same disk, in the same round.
//! - CPU is that of the bygone process, user and system, from its readiness until ClickHouse has
//!   confirmed everything; the engine is another process. Beside it the CPU of decoding, lifecycle
//!   and encoding alone, of the same bodies in the same round.
//! - Before all that: what an event costs until the rows that people read are stored (`stored`);
//!   `BYGONE_BENCH_STORED_ALONE=1` measures that alone.
//! - Every figure is the median of the rounds, with the lowest and the highest.

#![allow(
    clippy::unwrap_used,
    reason = "the tests' certificates are made with it"
)]

mod disk;
mod figures;
#[allow(dead_code, reason = "another bench uses the rest")]
mod process;
mod recording;
mod restart;
mod stored;

#[allow(dead_code, reason = "the tests use the rest")]
#[path = "../it/guard.rs"]
mod guard;
#[path = "../it/listener"]
mod listener {
    #[allow(dead_code, reason = "the tests use the rest")]
    pub mod pki;
}
#[allow(dead_code, reason = "the tests use the rest")]
#[path = "../it/support.rs"]
mod support;

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;

use figures::{Goal, Spread, percentile};
use process::Cpu;
use support::{Bygone, block_on};

const SENDERS: [usize; 3] = [1, 4, 16];
const ROUNDS: usize = 3;
/// How often the recording is posted in a round.
const PASSES: usize = 10;

/// The goals of the project.
const DECODE_RATIO: Goal = Goal::AtMost(2.5);
const EVENTS_PER_CPU_SECOND: Goal = Goal::AtLeast(72_000.0);
const PEAK_RSS_MIB: Goal = Goal::AtMost(128.0);

fn main() {
    let Some(folder) = support::corpus("recording-load") else {
        return;
    };
    let bodies = recording::bodies(&folder).expect("bodies.jsonl.zst");
    let load = Load::of(bodies.into_iter().map(Bytes::from).collect());
    let bytes: usize = load.bodies.iter().map(Bytes::len).sum();
    println!(
        "recording-load: {} bodies, {:.1} MB, {} events; posted {PASSES} times in each of {ROUNDS} rounds",
        load.bodies.len(),
        bytes as f64 / 1e6,
        load.events
    );
    stored::measure(&load.bodies);
    if std::env::var_os("BYGONE_BENCH_STORED_ALONE").is_some() {
        return;
    }
    let mut rounds: [Vec<Round>; SENDERS.len()] = Default::default();
    for _ in 0..ROUNDS {
        for (senders, rounds) in SENDERS.into_iter().zip(&mut rounds) {
            rounds.push(round(&load, senders));
        }
    }
    for (senders, rounds) in SENDERS.into_iter().zip(&rounds) {
        report(senders, rounds, load.events * PASSES);
    }
    restart::measure(&load.rows);
}

/// What is posted.
struct Load {
    bodies: Vec<Bytes>,
    events: usize,
    /// Of each body, encoded: what the spool must write of it.
    rows: Vec<recording::EncodedFacts>,
}

impl Load {
    fn of(bodies: Vec<Bytes>) -> Load {
        Load {
            events: recording::events(&bodies),
            rows: bodies.iter().map(|body| recording::facts(body)).collect(),
            bodies,
        }
    }
}

/// What was measured in a round with so many senders.
struct Round {
    acks: Vec<Duration>,
    syncs: Vec<Duration>,
    wall: Duration,
    cpu: Cpu,
    decode: Duration,
    peak_rss_bytes: u64,
    spooled_bytes: f64,
}

fn round(load: &Load, senders: usize) -> Round {
    // The tests' servers flush sooner.
    let set = [("BYGONE_SINK_FLUSH_WAIT_MS", "250")];
    let bygone = Bygone::start_args(&set, &guard::arguments());
    let decode = decode_alone(load);
    let rows: Vec<&[u8]> = load
        .rows
        .iter()
        .map(recording::EncodedFacts::bytes)
        .collect();
    let syncs = disk::write_and_sync(bygone.folder.path(), &rows);
    let before = Cpu::of(bygone.pid());
    let begun = Instant::now();
    let acks = post(&bygone, load, senders);
    let wall = begun.elapsed();
    bygone.drained();
    Round {
        acks,
        syncs,
        wall,
        cpu: Cpu::of(bygone.pid()) - before,
        decode,
        peak_rss_bytes: process::peak_rss_bytes(bygone.pid()),
        spooled_bytes: figures::metric(&bygone.metrics(), "bygone_spool_bytes"),
    }
}

/// The CPU time of decoding, lifecycle and encoding, of as much as a round posts.
fn decode_alone(load: &Load) -> Duration {
    let before = process::thread_cpu();
    for body in load.bodies.iter().cycle().take(load.bodies.len() * PASSES) {
        _ = black_box(recording::facts(black_box(body)));
    }
    process::thread_cpu() - before
}

/// Posts everything, each sender one body after the other. How long each took to be acknowledged.
fn post(bygone: &Bygone, load: &Load, senders: usize) -> Vec<Duration> {
    let next = Arc::new(AtomicUsize::new(0));
    let send = || {
        let (bodies, next) = (load.bodies.clone(), next.clone());
        let (client, webhook) = (guard::sender(), bygone.webhook.clone());
        support::spawn(async move {
            let mut acks = Vec::new();
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= bodies.len() * PASSES {
                    return acks;
                }
                let body = bodies[number % bodies.len()].clone();
                let begun = Instant::now();
                let request = client
                    .post(&webhook)
                    .header("content-type", "application/json");
                let answer = request.body(body).send().await.expect("an answer");
                assert_eq!(answer.status(), 200);
                acks.push(begun.elapsed());
            }
        })
    };
    let senders: Vec<_> = (0..senders).map(|_| send()).collect();
    block_on(async {
        let mut acks = Vec::new();
        for sender in senders {
            acks.extend(sender.await.expect("a sender"));
        }
        acks
    })
}

fn report(senders: usize, rounds: &[Round], events: usize) {
    let of = |figure: &dyn Fn(&Round) -> f64| Spread::of(rounds.iter().map(figure));
    let ms = |times: &[Duration], hundredths| percentile(times, hundredths).as_secs_f64() * 1e3;
    let events = events as f64;
    println!("\n{senders} senders");
    println!(
        "  ack p50, ms                {:.1}",
        of(&|r| ms(&r.acks, 50))
    );
    println!(
        "  ack p99, ms                {:.1}",
        of(&|r| ms(&r.acks, 99))
    );
    println!(
        "  write+fdatasync p50, ms    {:.1}",
        of(&|r| ms(&r.syncs, 50))
    );
    println!(
        "  write+fdatasync p99, ms    {:.1}",
        of(&|r| ms(&r.syncs, 99))
    );
    println!(
        "  events/s acknowledged      {:.0}",
        of(&|r| events / r.wall.as_secs_f64())
    );
    let speed = of(&|r| events / r.cpu.total().as_secs_f64());
    println!(
        "  events/CPU-second          {speed:.0} {}",
        EVENTS_PER_CPU_SECOND.held_by(speed)
    );
    println!(
        "    user, system, s          {:.2}, {:.2}",
        of(&|r| r.cpu.user.as_secs_f64()),
        of(&|r| r.cpu.system.as_secs_f64())
    );
    println!(
        "    decode alone, s          {:.2}",
        of(&|r| r.decode.as_secs_f64())
    );
    let ratio = of(&|r| r.cpu.total().as_secs_f64() / r.decode.as_secs_f64());
    println!(
        "  CPU beside decode alone    {ratio:.2} {}",
        DECODE_RATIO.held_by(ratio)
    );
    let peak = of(&|r| r.peak_rss_bytes as f64 / f64::from(1 << 20));
    println!(
        "  peak RSS, MiB              {peak:.0} {}",
        PEAK_RSS_MIB.held_by(peak)
    );
    println!(
        "  spooled bytes/event        {:.1}",
        of(&|r| r.spooled_bytes / events)
    );
}
