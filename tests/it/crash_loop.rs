//! A container that was started twenty thousand times. What is kept of its pod stays small, and so does the settling that joins them all.

use jiff::Timestamp;

use crate::late::{NO_SETTLING, hours_later, settle};
use crate::support::{self, Bygone};

const UID: &str = "5e0a8a1c-0000-4000-8000-000000000001";
const RESTARTS: u32 = 20_000;
/// Of so many instances no event told of one.
const UNSEEN_ONE_IN: u32 = 100;

fn insert(database: &str, slot: Timestamp, columns: &str, values: &str) {
    let second = slot.as_second();
    support::sql(
        database,
        &format!(
            "INSERT INTO facts (slot, heard_at, late, timely, first_seen, last_seen, cluster, namespace, pod_uid, {columns})
             SELECT toDateTime({second}, 'UTC'), toDateTime({second} + 540, 'UTC'), 0, 1, toDateTime64({second}, 6, 'UTC'),
                toDateTime64({second}, 6, 'UTC'), 'c', 'n', toUUID('{UID}'), {values}"
        ),
    );
}

fn pod(database: &str, slot: Timestamp, removed: bool) {
    let created = hours_later(0).as_second();
    let removed = if removed { slot.as_second() } else { 0 };
    let values = format!(
        "'web', 'node-1', 'Running', map('main', toUInt32({})), toDateTime({created}, 'UTC'), toDateTime64({removed}, 3, 'UTC')",
        RESTARTS - 1
    );
    insert(
        database,
        slot,
        "pod, node, phase, restarts, created_at, removed_at",
        &values,
    );
}

fn unknown(bygone: &Bygone) -> String {
    support::sql(&bygone.database, "SELECT unknown FROM pods")
        .trim()
        .to_owned()
}

#[test]
fn of_twenty_thousand_instances() {
    let bygone = Bygone::start_set(&[NO_SETTLING]);
    let slot = hours_later(0);
    pod(&bygone.database, slot, false);
    let values = format!(
        "'main', toFixedString(reinterpretAsString(sipHash128(number)), 32), toUInt32(number), toDateTime({second} + number, 'UTC'),
         (1, toDateTime({second} + number, 'UTC'), toInt32(1), toInt32(0), 'Error')
         FROM numbers({RESTARTS}) WHERE number % {UNSEEN_ONE_IN} != 7",
        second = slot.as_second(),
    );
    let columns = "container, container_id, restart, started_at, ended";
    insert(&bygone.database, slot, columns, &values);
    let unseen = format!(
        "['created unseen','{} instances unseen']",
        RESTARTS / UNSEEN_ONE_IN
    );
    assert_eq!(unknown(&bygone), unseen);
    // They are settled while it lives, and joined with its end.
    for (hour, removed) in [(2, false), (4, true), (6, true)] {
        if hour < 6 {
            pod(&bygone.database, hours_later(hour), removed);
        }
        settle(&bygone.database, hours_later(hour));
        assert_eq!(unknown(&bygone), unseen, "after {hour} hours");
    }
    let count = |question: &str| support::sql(&bygone.database, question).trim().to_owned();
    let seen = (RESTARTS - RESTARTS / UNSEEN_ONE_IN).to_string();
    let gone = "SELECT countIf(pod_removed_at IS NOT NULL) FROM containers";
    assert_eq!(count(gone), seen);
    let ranges = "SELECT max(length(instances)) FROM pod_history";
    let ranges: u32 = count(ranges).parse().expect("a number");
    assert!(
        ranges <= 2 * (RESTARTS / UNSEEN_ONE_IN + 1),
        "{ranges} ranges"
    );
}
