//! Everything that was stored is sent once more, as fast as it is taken: no answer changes, and the
//! engine keeps to its memory.
//!
//!     BYGONE_REPLAY_FACTS=5000000 cargo test --release --test it replay:: -- --nocapture
//!
//! A recording is sent for so many clusters that it makes that many facts. They are a day old or
//! older by the server's clock, so all of them are late. `BYGONE_REPLAY_RECORDING` names another one of the
//! corpus than recording-load: of recording-metadata almost every event speaks of a name alone.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bygone::engine::{Config, Engine, Options};
use serde_json::Value;

use crate::support::{
    self, Account, BYGONE, Bygone, alone, block_on, memory_bytes, plain, run, setting, stderr,
};
use crate::truth::{self, Order};

const ENGINE_BYTES_MAX: u64 = 1 << 30;

/// Facts that are sent, at least.
const FACTS: u64 = 10_000;

/// So many facts are taken in a second, at the very least.
const FACTS_PER_SECOND_MIN: u64 = 2_000;

const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Does something while the engine's memory is looked at. Returns how long it took, and the most memory.
fn watched(engine: &Engine, what: impl FnOnce()) -> (Duration, u64) {
    let (done, most) = (AtomicBool::new(false), AtomicU64::new(0));
    let begun = Instant::now();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                // Not what is a file's.
                let bytes = engine.pid().and_then(|pid| memory_bytes(pid, "RssAnon:"));
                most.fetch_max(bytes.unwrap_or(0), Ordering::Relaxed);
                std::thread::park_timeout(LOOK_EVERY);
            }
        });
        what();
        done.store(true, Ordering::Relaxed);
    });
    (begun.elapsed(), most.into_inner())
}

/// All container instances and pods of a cluster, without its name.
fn answers(bygone: &Bygone, cluster: &str) -> Vec<String> {
    let mut rows = Vec::new();
    for what in ["containers", "pods"] {
        for mut row in bygone.rows(&[what, "-A", "--cluster", cluster]) {
            row["cluster"] = Value::Null;
            rows.push(row.to_string());
        }
    }
    rows.sort_unstable();
    rows
}

/// Sends the bodies for each cluster, and waits until ClickHouse has them.
fn send(bygone: &mut Bygone, bodies: &[String], clusters: u64, facts: u64) {
    for cluster in 0..clusters {
        bygone.webhook = format!("{}/v1/audit/c{cluster}", bygone.ingest);
        bygone.acknowledges(bodies.iter().cloned());
    }
    bygone.drained_within(Duration::from_secs(facts / FACTS_PER_SECOND_MIN));
}

/// What the answers of one cluster are, sent once and filed, and how many facts that takes.
fn expected(bodies: &[String]) -> (Vec<String>, u64) {
    let once = Bygone::start();
    once.post_all(bodies.iter().cloned());
    let facts = support::number(&once.database, "SELECT count() FROM facts");
    once.reconciled();
    (answers(&once, "demo"), facts)
}

/// A bygone on an engine that has this much memory.
fn start(folder: &Path) -> (Engine, Bygone) {
    let account = Account::write(folder);
    let engine = block_on(Engine::start(Options {
        config: Config {
            library: Some(support::library()),
            memory_bytes_max: ENGINE_BYTES_MAX,
            ..Config::default()
        },
        data_dir: folder.to_owned(),
        program: Some(BYGONE.into()),
        tcp_port: None,
        readable: None,
    }));
    let engine = engine.expect("the engine starts");
    let password = account.password_file.display().to_string();
    let environment = [
        ("BYGONE_CLICKHOUSE_URL", engine.url().to_owned()),
        ("BYGONE_CLICKHOUSE_USER", account.user),
        ("BYGONE_CLICKHOUSE_PASSWORD_FILE", password),
    ];
    let mut apply = plain(BYGONE);
    apply
        .args(["schema", "apply"])
        .envs(environment.iter().cloned());
    let made = run(&mut apply);
    assert!(made.status.success(), "{}", stderr(&made));
    let bygone = Bygone::start_with("bygone".to_owned(), &environment, &[]);
    (engine, bygone)
}

#[test]
fn of_everything_changes_nothing() {
    let _alone = alone();
    let name = std::env::var("BYGONE_REPLAY_RECORDING");
    let name = name.as_deref().unwrap_or("recording-load");
    let folder = support::corpus(name).unwrap_or_else(support::recording_a);
    let bodies = truth::bodies(&folder, Order::AsSent);
    let (expected, facts_each) = expected(&bodies);
    let clusters = setting("BYGONE_REPLAY_FACTS", FACTS).div_ceil(facts_each);
    let facts = clusters * facts_each;
    println!("{facts} facts of {clusters} clusters");
    let folder = tempfile::tempdir().expect("a folder");
    let (engine, mut bygone) = start(folder.path());

    let told = |how: &str, (took, most): (Duration, u64)| {
        let (seconds, most_mib) = (took.as_secs_f64(), most >> 20);
        let speed = facts as f64 / seconds;
        println!("{how}: {seconds:.1} s, {speed:.0} facts a second, engine {most_mib} MiB at most");
        assert!(most <= ENGINE_BYTES_MAX, "{how}: {most} bytes");
    };
    let check = |bygone: &Bygone, how: &str| {
        for cluster in 0..clusters {
            let came = answers(bygone, &format!("c{cluster}"));
            assert_eq!(came.len(), expected.len(), "{how}: cluster {cluster}");
            let differs = came.iter().zip(&expected).find(|(came, it)| came != it);
            assert_eq!(differs, None, "{how}: cluster {cluster}");
        }
    };
    for [sent, filed] in [["sent", "filed"], ["sent again", "filed again"]] {
        let sending = watched(&engine, || send(&mut bygone, &bodies, clusters, facts));
        told(sent, sending);
        check(&bygone, sent);
        told(filed, watched(&engine, || bygone.reconciled()));
        check(&bygone, filed);
    }
}
