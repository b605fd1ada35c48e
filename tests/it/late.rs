//! The answers equal the truth however late bodies come, by the clock of ClickHouse's server.
//!
//! The clock is moved by the defaults of the columns that the server fills in. bygone itself does
//! not settle here; it is told to, up to an instant.

use std::collections::BTreeSet;
use std::process::{Child, Command, Stdio};

use jiff::{SignedDuration, Timestamp, ToSpan};

use crate::proxy::Proxy;
use crate::support::{self, Bygone, on_shared, recording_a, shared};
use crate::truth::{Order, RECORDING_A_REMOVALS_MISSED, answers_equal, bodies};

/// The slot in which the recording begins; it takes four minutes.
const BEGIN: &str = "2026-11-23T06:10:00Z";

pub const NO_SETTLING: (&str, &str) = ("BYGONE_SETTLE_ENABLED", "false");

pub fn hours_later(hours: i64) -> Timestamp {
    let begin: Timestamp = BEGIN.parse().expect("a time");
    begin + hours.hours()
}

/// From now on the server believes that it is nine minutes after this.
pub fn set_clock(database: &str, slot: Timestamp) {
    let heard = slot + SignedDuration::from_mins(9);
    for (column, at) in [("slot", slot), ("heard_at", heard)] {
        let second = at.as_second();
        support::sql(
            database,
            &format!(
                "ALTER TABLE facts MODIFY COLUMN {column} DEFAULT toDateTime({second}, 'UTC')"
            ),
        );
    }
}

/// Starts to settle what was heard in the slot that begins here, and before. Readers rely on it some seconds after it
/// ended: with questions under way that is longer than one of them takes to begin.
fn settling(database: &str, slot: Timestamp, changeover: &str) -> Child {
    let until = slot + SignedDuration::from_mins(10);
    let mut command: Command = on_shared(database, &["settle", "--until", &until.to_string()]);
    command.env("BYGONE_SETTLE_CHANGEOVER_SECONDS", changeover);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().expect("bygone starts")
}

pub fn settle(database: &str, slot: Timestamp) {
    let status = settling(database, slot, "0").wait().expect("it ends");
    // 1: there is nothing to settle.
    assert!(matches!(status.code(), Some(0 | 1)), "{status}");
}

fn equal(bygone: &Bygone, how: &str) {
    answers_equal(&recording_a(), bygone, how, RECORDING_A_REMOVALS_MISSED);
}

/// The container instances that live at an instant.
fn alive(bygone: &Bygone, at: Timestamp) -> BTreeSet<String> {
    let rows = bygone.rows(&["containers", "-A", "--at", &at.to_string()]);
    let names = rows.iter().map(|row| {
        let [pod, container, id] = ["pod", "container", "container_id"].map(|key| &row[key]);
        format!("{pod} {container} {id}")
    });
    names.collect()
}

/// Settles what came last: the answers equal the truth then, and nothing that is dead lived before.
fn settle_the_last(bygone: &Bygone, slot: Timestamp, how: &str) {
    let later = slot + 1.hours();
    let before = alive(bygone, later);
    settle(&bygone.database, slot);
    equal(bygone, how);
    let after = alive(bygone, later);
    let dead: Vec<&String> = before.difference(&after).collect();
    assert!(
        dead.is_empty(),
        "{how}: lived before the settling: {dead:?}"
    );
}

#[test]
fn through_slots_an_hour_apart() {
    let bygone = Bygone::start_set(&[NO_SETTLING]);
    let bodies = bodies(&recording_a(), Order::AsSent);
    let parts: Vec<&[String]> = bodies.chunks(bodies.len().div_ceil(4)).collect();
    for (hour, part) in parts.iter().enumerate() {
        let slot = hours_later(hour as i64);
        set_clock(&bygone.database, slot);
        bygone.post_all(part.iter().cloned());
        if hour + 1 < parts.len() {
            settle(&bygone.database, slot);
        } else {
            settle_the_last(&bygone, slot, "in slots an hour apart");
        }
    }
    // One more settling, with a thing to settle, and questions while it runs.
    let slot = hours_later(4);
    set_clock(&bygone.database, slot);
    bygone.post_all(bodies.iter().take(1).cloned());
    let mut process = settling(&bygone.database, slot, "5");
    while process.try_wait().expect("a child").is_none() {
        equal(&bygone, "while one more settling runs");
    }
    equal(&bygone, "after it");
}

#[test]
fn half_of_the_bodies_a_day_late() {
    for late in [0, 1] {
        let bygone = Bygone::start_set(&[NO_SETTLING]);
        let bodies = bodies(&recording_a(), Order::AsSent);
        let half = |which: usize| bodies.iter().skip(which).step_by(2).cloned();
        set_clock(&bygone.database, hours_later(0));
        bygone.post_all(half(1 - late));
        settle(&bygone.database, hours_later(1));
        set_clock(&bygone.database, hours_later(24));
        bygone.post_all(half(late));
        settle_the_last(&bygone, hours_later(24), "half of the bodies a day late");
    }
}

/// Of two replicas one cannot reach ClickHouse for two hours, while pods end and are settled. What
/// it then brings must not bring them back to life.
#[test]
fn one_of_two_spools_two_hours_behind() {
    let mut proxy = Proxy::start(&shared().url, 1);
    let one = Bygone::start_set(&[NO_SETTLING]);
    let url = ("BYGONE_CLICKHOUSE_URL", &*proxy.url());
    let folder = tempfile::tempdir().expect("a folder");
    let other = Bygone::start_beside(one.database.clone(), "", folder, &[NO_SETTLING, url]);
    let bodies = bodies(&recording_a(), Order::AsSent);
    set_clock(&one.database, hours_later(0));
    proxy.close();
    other.acknowledges(bodies.iter().step_by(2).cloned());
    one.post_all(bodies.iter().skip(1).step_by(2).cloned());
    settle(&one.database, hours_later(1));
    set_clock(&one.database, hours_later(2));
    proxy.open();
    other.drained();
    settle_the_last(&one, hours_later(2), "one of two spools two hours behind");
}
