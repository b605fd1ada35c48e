//! Everything hostile at once: bombs, endless and slow bodies, deep and huge JSON, wrong TLS, floods
//! of HTTP/2 streams. Good senders beside it lose nothing, and bygone's memory stays in its budget.
//!
//! The attackers have the token: what is refused before its body is read would be no trial.
//!
//! Longer than in every run: `BYGONE_HOSTILE_SECONDS=300 cargo test --release --test it hostile:: --
//! --nocapture`. The memory that it may take is `BYGONE_HOSTILE_RSS_BYTES_MAX`.

mod attacks;
mod client;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio_util::sync::CancellationToken;

use crate::guard;
use crate::load::{Load, Plan, percentile};
use crate::support::{self, Bygone, alone, block_on, setting, wait_longer_for};

const MIB: u64 = 1 << 20;

/// What bygone is set to.
const BODY_BYTES_MAX: u64 = 16 * MIB;
const MEMORY_BYTES_MAX: u64 = 64 * MIB;

/// What it may take besides: the program, the spool's queue and the sink's batch of the good load, and
/// the TLS buffers of a thousand connections.
const BASE_BYTES: u64 = 64 * MIB;

/// Of a body that is too large so much may go over the wire before the connection is cut: the
/// maximum, what the webhook and the listener read on so that the client hears why, and what sockets
/// hold.
const SENT_BYTES_MAX: u64 = BODY_BYTES_MAX + 64 * MIB + 16 * MIB + 16 * MIB;

const SLOW_CONNECTIONS: usize = 1000;

/// How often memory is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// How much longer than usual the slowest attack may take to take place once.
const ATTACKS_PATIENCE: Duration = Duration::from_secs(180);

/// Both ends of each connection are ours.
const FILES_MIN: u64 = 8192;

const LOAD: Plan = Plan {
    senders: 2,
    seed: 9,
    give_up_one_in: 0,
    pause: Duration::from_millis(20),
};

/// What attackers met: for each attack, how often which answer was given.
#[derive(Default)]
struct Met(Mutex<BTreeMap<&'static str, BTreeMap<String, u64>>>);

impl Met {
    /// Attacks that took place. The slow ones are told only when they end.
    fn attacks(&self) -> usize {
        let met = self.0.lock().expect("no attacker panics with it");
        met.keys().filter(|attack| **attack != "slow").count()
    }

    fn count(&self, attack: &'static str, answer: String) {
        let mut met = self.0.lock().expect("no attacker panics with it");
        *met.entry(attack).or_default().entry(answer).or_default() += 1;
    }
}

/// Lets time pass, looking at bygone's memory. Returns the most that it had.
fn watch(bygone: &mut Bygone, time: Duration) -> u64 {
    let (end, mut most) = (Instant::now() + time, 0);
    while Instant::now() < end {
        assert!(bygone.ended().is_none(), "bygone ended: {}", bygone.log());
        most = most.max(bygone.rss_bytes());
        std::thread::park_timeout(LOOK_EVERY);
    }
    most
}

fn open_files(bygone: &Bygone) -> usize {
    let files = std::fs::read_dir(format!("/proc/{}/fd", bygone.pid()));
    files.expect("a process").count()
}

fn p99_since(load: &Load, since: Instant) -> (usize, Duration) {
    let mut times = load.ack_times(since);
    (times.len(), percentile(&mut times, 99))
}

#[test]
fn everything_hostile_at_once() {
    let _alone = alone();
    allow_files();
    let time = Duration::from_secs(setting("BYGONE_HOSTILE_SECONDS", 5));
    let rss_bytes_max = MEMORY_BYTES_MAX + MEMORY_BYTES_MAX / 5 + BASE_BYTES;
    let rss_bytes_max = setting("BYGONE_HOSTILE_RSS_BYTES_MAX", rss_bytes_max);
    let limits = [
        (
            "BYGONE_WEBHOOK_BODY_BYTES_MAX",
            &*BODY_BYTES_MAX.to_string(),
        ),
        (
            "BYGONE_WEBHOOK_MEMORY_BYTES_MAX",
            &*MEMORY_BYTES_MAX.to_string(),
        ),
    ];
    let mut bygone = Bygone::start_args(&limits, &guard::arguments());
    let mut load = Load::start(&bygone, LOAD);
    let quiet = Instant::now();
    let quiet_rss = watch(&mut bygone, time / 3);
    let (quiet_acks, quiet_p99) = p99_since(&load, quiet);

    let stop = CancellationToken::new();
    let met = Arc::new(Met::default());
    let target = client::Target::of(&bygone);
    let attackers = attacks::start(&target, &met, &stop);
    let loud = Instant::now();
    let mut loud_rss = watch(&mut bygone, time);
    let mut files = 0;
    // A thousand and more clients on a machine that may have two processors.
    wait_longer_for(
        "each attack, once at least, and all slow connections",
        time + ATTACKS_PATIENCE,
        || {
            loud_rss = loud_rss.max(watch(&mut bygone, LOOK_EVERY));
            files = files.max(open_files(&bygone));
            (met.attacks() == attacks::ATTACKS && files > SLOW_CONNECTIONS).then_some(())
        },
    );
    let (loud_acks, loud_p99) = p99_since(&load, loud);
    let answers = load.tally().answers;
    stop.cancel();
    block_on(async {
        for attacker in attackers {
            attacker.await.expect("an attacker");
        }
    });
    load.finish();

    println!(
        "{files} files were open; p99 of an acknowledgement: quiet {quiet_p99:?} ({quiet_acks}), beside attacks {loud_p99:?} \
         ({loud_acks}); RSS: quiet {} MiB, beside attacks {} MiB of {}; {answers:?}",
        quiet_rss / MIB,
        loud_rss / MIB,
        rss_bytes_max / MIB
    );
    let met = met.0.lock().expect("no attacker panics with it").clone();
    for (attack, answers) in &met {
        println!("{attack}: {answers:?}");
    }
    check_answers(&met);
    assert!(loud_rss <= rss_bytes_max, "{loud_rss} bytes of memory");
    assert!(loud_acks > 0, "no good batch came through");
    let refused = |answer: &&String| !matches!(&***answer, "200" | "503" | "429");
    assert_eq!(answers.keys().find(refused), None, "{answers:?}");
    load.check(&bygone);
}

/// Every attack met what it should.
fn check_answers(met: &BTreeMap<&'static str, BTreeMap<String, u64>>) {
    for (attack, answers) in met {
        for answer in answers.keys() {
            assert!(attacks::expects(attack, answer), "{attack}: {answer}");
        }
    }
}

fn allow_files() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        ..limit
    };
    setrlimit(Resource::Nofile, raised).expect("a limit within the maximum");
    let files = limit.maximum.unwrap_or(u64::MAX);
    assert!(
        files >= FILES_MIN,
        "{files} files are too few for this test"
    );
    // bygone begins with the limits of this process.
    support::library();
}
