//! Heavy questions, many at once: what comes in is acknowledged, stored and answered as ever, and a question ends with
//! its client.
//!
//!     BYGONE_LIVES=5000000 cargo test --release --test it heavy:: -- --nocapture

use std::time::{Duration, Instant};

use futures_util::StreamExt;

use crate::guard;
use crate::load::{Load, Plan, percentile};
use crate::support::{
    self, Bygone, alone, block_on, client, number, setting, sql, wait_for, wait_longer_for,
};

const PLAN: Plan = Plan {
    senders: 2,
    seed: 5,
    give_up_one_in: 0,
    pause: Duration::from_millis(50),
};

const QUESTIONS: usize = 12;

/// How long an acknowledgement may take meanwhile. Alone it takes some milliseconds.
const ACK_MAX: Duration = Duration::from_secs(2);

/// Instances of a year, so many that a question for all of them takes seconds and hundreds of MiB.
fn fill(database: &str, lives: u64) {
    sql(
        database,
        &format!(
            "INSERT INTO ended_containers (cluster, namespace, pod, pod_uid, container, container_key, image, \
             began_at, over_at, class, filed_from, version, read_at) \
             SELECT 'old', 'n' || toString(number % 50), 'pod-' || toString(number), \
             reinterpretAsUUID(sipHash128(number)), 'main', unhex(hex(SHA256(toString(number)))), \
             'registry.example/' || toString(number % 1000), \
             toDateTime64('2026-01-01 00:00:00', 6, 'UTC') + number, \
             toDateTime64('2026-01-01 00:00:00', 6, 'UTC') + number + 30, 0, \
             toDateTime('2026-01-01 00:00:00', 'UTC') + number, 1, now() \
             FROM numbers({lives})"
        ),
    );
}

/// Questions of a database that run.
fn running(database: &str) -> u64 {
    number(
        database,
        "SELECT count() FROM system.processes \
         WHERE current_database = currentDatabase() AND query LIKE '%ended_containers%' \
         AND query NOT LIKE '%system.processes%'",
    )
}

/// Reads the answer to its end. Returns its status and its length, or nothing where it broke off.
async fn ask(url: String) -> Option<(u16, usize)> {
    let request = client().get(url).header("accept", "application/x-ndjson");
    let response = request.send().await.ok()?;
    let status = response.status().as_u16();
    let mut chunks = response.bytes_stream();
    let mut bytes = 0;
    while let Some(chunk) = chunks.next().await {
        bytes += chunk.ok()?.len();
    }
    Some((status, bytes))
}

#[test]
fn what_comes_in_is_stored_and_questions_end_with_their_clients() {
    let _alone = alone();
    let bygone = Bygone::start_args(&[], &guard::arguments());
    fill(&bygone.database, setting("BYGONE_LIVES", 100_000));
    let mut load = Load::start(&bygone, PLAN);
    let acknowledged = |more: u64| {
        let aim = load.tally().acknowledged + more;
        wait_for("acknowledged batches", || {
            (load.tally().acknowledged >= aim).then_some(())
        });
    };
    acknowledged(10);
    let url = format!("{}/api/v1/containers?limit=1000000", bygone.api);
    let begun = Instant::now();
    let asked = (0..QUESTIONS).map(|_| support::spawn(ask(url.clone())));
    let asked: Vec<_> = asked.collect();
    wait_for("a question that runs", || {
        (running(&bygone.database) > 0).then_some(())
    });
    // A small question of the same reader stands in line behind them, and is answered or told to come again. (That others
    // have their turn, `http::questions` tests.)
    let small = bygone.try_rows(&["containers", "--cluster", "demo", "--limit", "1"]);
    let small_took = begun.elapsed();
    let small = small.map(|rows| rows.len());
    let is_told = |error: &String| error.contains("ask again later");
    assert!(
        small == Ok(1) || small.as_ref().is_err_and(is_told),
        "{small:?}"
    );
    let mut answers = Vec::new();
    for question in asked {
        answers.push(block_on(question).expect("a task"));
    }
    let took = begun.elapsed();
    acknowledged(5);
    let mut acks = load.ack_times(begun);
    let worst = percentile(&mut acks, 99);
    println!(
        "{QUESTIONS} questions in {took:?}: {answers:?}; a small one in {small_took:?}: {small:?}; \
         {} acknowledged meanwhile, p99 {worst:?}",
        acks.len()
    );
    assert!(answers.iter().all(Option::is_some), "none breaks off");
    let is_answer = |(status, _): &(u16, usize)| matches!(status, 200 | 503);
    assert!(answers.iter().flatten().all(is_answer));
    assert!(worst <= ACK_MAX, "{worst:?}");

    // Their clients go: so do they, and those that waited never begin.
    let asked: Vec<_> = (0..QUESTIONS)
        .map(|_| support::spawn(ask(url.clone())))
        .collect();
    wait_for("a question that runs", || {
        (running(&bygone.database) > 0).then_some(())
    });
    asked.iter().for_each(tokio::task::JoinHandle::abort);
    let left = Instant::now();
    wait_for("the end of all questions", || {
        (running(&bygone.database) == 0).then_some(())
    });
    println!("all ended {:?} after their clients left", left.elapsed());
    std::thread::park_timeout(Duration::from_millis(500));
    assert_eq!(running(&bygone.database), 0, "none begins later");

    load.finish();
    let tally = load.tally();
    assert_eq!(tally.answers.keys().collect::<Vec<_>>(), ["200"]);
    let stored = "SELECT uniqExact(pod) FROM containers WHERE cluster = 'demo'";
    wait_longer_for("all that was acknowledged", Duration::from_secs(60), || {
        (number(&bygone.database, stored) == 10 * tally.acknowledged).then_some(())
    });
    let failed = bygone.log().matches("rows wait in the spool").count();
    assert_eq!(failed, 0, "no INSERT failed: {}", bygone.log());
}
