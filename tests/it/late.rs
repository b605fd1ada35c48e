//! The answers equal the truth however late bodies come, by the clock of ClickHouse's server, within seconds of the last
//! acknowledgement; and filing what is over changes nothing.
//!
//! The clock is moved by the defaults of the columns that the server fills in. bygone itself does not reconcile here.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp, ToSpan};

use crate::final_at_once::{answers, changes_no_more, is_final_soon};
use crate::proxy::Proxy;
use crate::support::{self, Bygone, recording_a, shared};
use crate::truth::{Order, RECORDING_A_REMOVALS_MISSED, answers_equal, bodies};

/// The slot in which the recording begins; it takes four minutes.
const BEGIN: &str = "2026-11-23T06:10:00Z";

pub const NO_RECONCILE: (&str, &str) = ("BYGONE_RECONCILE_ENABLED", "false");

pub fn hours_later(hours: i64) -> Timestamp {
    let begin: Timestamp = BEGIN.parse().expect("a time");
    begin + hours.hours()
}

/// From now on the server believes that it is nine minutes after this.
pub fn set_clock(database: &str, slot: Timestamp) {
    let now = slot + SignedDuration::from_mins(9);
    let (slot, now) = (slot.as_second(), now.as_second());
    let columns = [
        ("slot", format!("toDateTime({slot}, 'UTC')")),
        (
            "late",
            format!("{now} - toUnixTimestamp64Second(event_at) > 300"),
        ),
    ];
    for (column, default) in columns {
        let sql = format!("ALTER TABLE facts MODIFY COLUMN {column} DEFAULT {default}");
        support::sql(database, &sql);
    }
}

/// The answers equal the truth soon, change no more, and are the same when everything that is over was filed.
fn equal_from_now_on(bygone: &Bygone, how: &str) {
    is_final_soon(bygone);
    answers_equal(&recording_a(), bygone, how, RECORDING_A_REMOVALS_MISSED);
    changes_no_more(bygone, Duration::from_secs(2));
    let before = answers(bygone);
    bygone.reconciled();
    assert!(
        answers(bygone) == before,
        "{how}: filing has changed an answer"
    );
}

#[test]
fn through_slots_an_hour_apart() {
    let bygone = Bygone::start_set(&[NO_RECONCILE]);
    let bodies = bodies(&recording_a(), Order::AsSent);
    let parts: Vec<&[String]> = bodies.chunks(bodies.len().div_ceil(4)).collect();
    for (hour, part) in parts.iter().enumerate() {
        set_clock(&bygone.database, hours_later(hour as i64));
        if hour + 1 < parts.len() {
            bygone.post_all(part.iter().cloned());
            bygone.reconciled();
        } else {
            bygone.acknowledges(part.iter().cloned());
        }
    }
    equal_from_now_on(&bygone, "in slots an hour apart");
    // Of what was filed some comes once more.
    set_clock(&bygone.database, hours_later(4));
    bygone.acknowledges(bodies.iter().step_by(3).cloned());
    equal_from_now_on(&bygone, "some of it once more");
}

#[test]
fn half_of_the_bodies_a_day_late() {
    for late in [0, 1] {
        let bygone = Bygone::start_set(&[NO_RECONCILE]);
        let bodies = bodies(&recording_a(), Order::AsSent);
        let half = |which: usize| bodies.iter().skip(which).step_by(2).cloned();
        set_clock(&bygone.database, hours_later(0));
        bygone.post_all(half(1 - late));
        bygone.reconciled();
        set_clock(&bygone.database, hours_later(24));
        bygone.acknowledges(half(late));
        equal_from_now_on(&bygone, "half of the bodies a day late");
    }
}

/// Of two replicas one cannot reach ClickHouse for two hours, while pods end and are filed. What it then brings must not
/// bring them back to life.
#[test]
fn one_of_two_spools_two_hours_behind() {
    let mut proxy = Proxy::start(&shared().url, 1);
    let one = Bygone::start_set(&[NO_RECONCILE]);
    let url = ("BYGONE_CLICKHOUSE_URL", &*proxy.url());
    let folder = tempfile::tempdir().expect("a folder");
    let other = Bygone::start_beside(one.database.clone(), "", folder, &[NO_RECONCILE, url]);
    let bodies = bodies(&recording_a(), Order::AsSent);
    set_clock(&one.database, hours_later(0));
    proxy.close();
    other.acknowledges(bodies.iter().step_by(2).cloned());
    one.post_all(bodies.iter().skip(1).step_by(2).cloned());
    one.reconciled();
    set_clock(&one.database, hours_later(2));
    proxy.open();
    // Its sink waits up to ten seconds before it tries again.
    other.drained();
    equal_from_now_on(&one, "one of two spools two hours behind");
}
