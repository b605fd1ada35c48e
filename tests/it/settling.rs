//! Settling as users run it: by `bygone serve` alone, by hand, with a retention, and with a table of facts that
//! is full.

use std::process::Output;
use std::time::{Duration, Instant};

use jiff::{Timestamp, ToSpan};

use crate::late::{NO_SETTLING, hours_later, set_clock};
use crate::lost_nodes::{body, runs};
use crate::support::{self, Bygone, on_shared, recording_a, run, stderr, stdout, wait_for};
use crate::truth::{Order, RECORDING_A_REMOVALS_MISSED, answers_equal, bodies};

fn settle(bygone: &Bygone, args: &[&str]) -> Output {
    let mut command = on_shared(&bygone.database, &[&["settle"], args].concat());
    run(command.env("BYGONE_SETTLE_CHANGEOVER_SECONDS", "0"))
}

fn settled(output: &Output) {
    assert_eq!(output.status.code(), Some(0), "{}", stderr(output));
    assert!(
        stdout(output).contains("rows into history"),
        "{}",
        stdout(output)
    );
}

fn count(bygone: &Bygone, table: &str) -> u64 {
    support::number(&bygone.database, &format!("SELECT count() FROM {table}"))
}

fn equal(bygone: &Bygone, how: &str) {
    answers_equal(&recording_a(), bygone, how, RECORDING_A_REMOVALS_MISSED);
}

fn sum(bygone: &Bygone, metric: &str) -> f64 {
    let metrics = bygone.metrics();
    let lines = metrics.lines().filter(|line| line.starts_with(metric));
    lines
        .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
        .sum()
}

/// Nobody tells it to. It says how far it is.
#[test]
fn by_serve_alone() {
    let bygone = Bygone::start_set(&[]);
    set_clock(&bygone.database, hours_later(0));
    bygone.post_all(bodies(&recording_a(), Order::AsSent));
    wait_for("a settling by serve", || {
        (count(&bygone, "checkpoints") > 0).then_some(())
    });
    assert!(count(&bygone, "pod_history") > 100);
    assert!(count(&bygone, "container_history") > 100);
    equal(&bygone, "settled by serve");
    wait_for("the metrics of a settling", || {
        let told = sum(&bygone, "bygone_settle_rows_total{fate=\"settled\"}");
        (told >= 200.0 && bygone.metric("bygone_settle_facts_rows").is_some()).then_some(())
    });
    assert_eq!(bygone.metric("bygone_settle_pieces_left"), Some(0.0));
    assert!(bygone.metric("bygone_settle_lag_seconds").is_some());
    assert_eq!(sum(&bygone, "bygone_settle_failures_total"), 0.0);
}

/// `--now` does not wait for the slot's rest.
#[test]
fn by_hand() {
    let bygone = Bygone::start_set(&[NO_SETTLING]);
    let second = Timestamp::now().as_second();
    let slot = Timestamp::from_second(second - second % 600 - 600).expect("a time");
    set_clock(&bygone.database, slot);
    bygone.post_all(bodies(&recording_a(), Order::AsSent));
    settled(&settle(&bygone, &["--now"]));
    equal(&bygone, "settled now");
    // What was just heard of goes on: the slot's clock says that it was a minute before its end.
    assert_eq!(count(&bygone, "container_history"), 0);
    set_clock(&bygone.database, hours_later(0));
    let nothing = settle(&bygone, &["--now"]);
    assert_eq!(nothing.status.code(), Some(1), "{}", stdout(&nothing));
    assert!(
        stderr(&nothing).contains("nothing to settle"),
        "{}",
        stderr(&nothing)
    );
}

/// What ended over 400 days ago goes, with its month; so does what lived without an end and was not spoken of since.
#[test]
fn a_retention() {
    let bygone = Bygone::start_set(&[NO_SETTLING]);
    set_clock(&bygone.database, hours_later(0));
    bygone.post_all(bodies(&recording_a(), Order::AsSent));
    let settle_at = |hours: i64, more: &[&str]| {
        let until = hours_later(hours).to_string();
        settle(&bygone, &[&["--until", &*until], more].concat())
    };
    settled(&settle_at(1, &[]));
    let rows =
        || ["pod_history", "container_history", "received"].map(|table| count(&bygone, table));
    let all = rows();
    assert!(all.iter().all(|rows| *rows > 0), "{all:?}");
    let open = bygone.rows(&["pods", "-A", "--at", &hours_later(2).to_string()]);
    assert!(!open.is_empty(), "no pod of the recording is open");

    let kept = ["--retention", "400d", "--clock", "2027-12-20T00:00:00Z"];
    settled(&settle_at(2, &kept));
    assert_eq!(rows(), all);
    equal(&bygone, "within the retention");

    // 400 days after it ended; but the month may hold what ended twelve days after it.
    let kept = ["--retention", "400d", "--clock", "2028-01-03T00:00:00Z"];
    settled(&settle_at(3, &kept));
    assert_eq!(rows(), all);

    // Of a pod that lives on somebody spoke.
    let clock: Timestamp = "2028-02-01T00:00:00Z".parse().expect("a time");
    let spoke = (clock - 48.hours()).to_string();
    set_clock(&bygone.database, hours_later(3));
    bygone.post_all([body(&[runs(&spoke, 1, "node-1")])]);
    // Without --retention nothing is deleted.
    settled(&settle_at(4, &[]));
    assert_eq!(rows()[..2], all[..2]);
    let gone = ["--retention", "400d", "--clock", &clock.to_string()];
    settled(&settle_at(5, &gone));
    assert_eq!(rows(), [0, 0, 0]);
    let pods = bygone.rows(&["pods", "-A", "--to", "2029-01-01"]);
    let names: Vec<&str> = pods.iter().filter_map(|pod| pod["pod"].as_str()).collect();
    assert_eq!(names, ["web-1"]);
}

/// Rows wait in the spool while facts is full, and come when settlings have made room.
#[test]
fn facts_that_are_full() {
    let bodies = bodies(&recording_a(), Order::AsSent);
    let (first, second) = bodies.split_at(bodies.len() / 2);
    let bygone = Bygone::start_set(&[NO_SETTLING, ("BYGONE_SINK_FACTS_ROWS_MAX", "1000")]);
    set_clock(&bygone.database, hours_later(0));
    // Merges would make the rows fewer.
    support::sql(&bygone.database, "SYSTEM STOP MERGES facts");
    bygone.post_all(first.to_vec());
    let full = count(&bygone, "facts");
    assert!(full > 1_000, "{full} rows do not fill it");
    // A count of rows holds for five seconds.
    let counted = Instant::now();
    wait_for("the next count", || {
        (counted.elapsed() > Duration::from_secs(6)).then_some(())
    });
    bygone.acknowledges(second.to_vec());
    wait_for("the log to say that facts is full", || {
        bygone
            .log()
            .contains("rows wait in the spool until settling has made room")
            .then_some(())
    });
    assert_eq!(count(&bygone, "facts"), full);
    assert!(bygone.metric("bygone_spool_waiting_frames") > Some(0.0));
    set_clock(&bygone.database, hours_later(4));
    for hour in [1, 2] {
        settled(&settle(
            &bygone,
            &["--until", &hours_later(hour).to_string()],
        ));
    }
    bygone.drained_within(Duration::from_secs(10));
    assert!(bygone.log().contains("facts has room again"));
    let until = hours_later(6).to_string();
    settled(&settle(&bygone, &["--until", &until]));
    equal(&bygone, "after facts was full");
}
