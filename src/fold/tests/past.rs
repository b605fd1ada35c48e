//! Pods that restart forever, and prune their oldest instances.

use expect_test::expect;

use super::super::life::Life;
use super::super::prune::INSTANCES_KEPT;
use super::table::{Story, lines};
use super::{READ_AT, Rows};

/// Instances of `main`, numbered from 1 on, one each minute, with their ends.
fn restarts(numbers: std::ops::Range<u32>) -> String {
    let last = numbers.end - 1;
    let lines = numbers.map(|number| {
        format!("{number}:50 run a main/{number:02x} n={number} start={number}:00 end={number}:50 exit=1\n")
    });
    let lines: String = lines.collect();
    format!("{lines}{last}:55 pod a created=0:00 restarts=main:{last}\n")
}

/// What is stored, with what a fold has changed of it.
fn with<'a>(stored: &Rows<'a>, changed: Rows<'a>) -> Rows<'a> {
    let mut stored = stored.clone();
    for row in changed.containers {
        stored
            .containers
            .retain(|old| old.container_key != row.container_key);
        stored.containers.push(row);
    }
    stored.pods.extend(changed.pods);
    stored
}

#[test]
fn the_oldest_instances_keep_their_own_state() {
    let story = restarts(1..20);
    let story = Story::read(&story);
    let nothing = Rows::default();
    let rows = story.fold(&nothing, READ_AT);
    let pruned = rows.containers.iter().filter(|row| row.complete);
    assert_eq!(pruned.count(), 19 - INSTANCES_KEPT);
    let life = Life::decode(&rows.pods[0].state.0, 0).unwrap();
    assert_eq!(life.instances.len(), INSTANCES_KEPT);
    // Number 0 was never seen; the pruned ones were.
    assert_eq!(
        rows.pods[0].unknown,
        ["created unseen", "1 instances unseen"]
    );
    // The next one touches nothing but its own row and that of the one that it pushes out.
    let next = restarts(20..21);
    let next = Story::read(&next);
    expect![[r#"
        a 0:00..now [created unseen, 1 instances unseen]
          a main/04 #4 4:00..4:51 ended 4:50 seen exit 1 why: exited complete
          a main/14 #20 20:00..20:51 ended 20:50 seen exit 1 why: exited
    "#]]
    .assert_eq(&lines(&next.fold(&rows, READ_AT)));
}

#[test]
fn a_fact_about_an_instance_that_was_pruned_is_added_to_what_its_row_knows() {
    let story = restarts(1..20);
    let story = Story::read(&story);
    let nothing = Rows::default();
    let stored = story.fold(&nothing, READ_AT);
    let again = Story::read("1:50 run a main/01 n=1 start=1:00 end=1:50 exit=1");
    assert_eq!(again.fold(&stored, READ_AT), Rows::default());
    let more = Story::read("1:52 run a main/01 n=1 start=1:00 end=1:51 exit=2 reason=Error");
    expect![[r#"
        a 0:00..now [created unseen, 1 instances unseen]
          a main/01 #1 1:00..1:51 ended 1:50 seen exit 1 why: exited returned [ends differ]
    "#]]
    .assert_eq(&lines(&more.fold(&stored, READ_AT)));
}

#[test]
fn an_instance_that_becomes_known_late_ends_when_the_next_one_began() {
    let story = restarts(2..22);
    let story = Story::read(&story);
    let nothing = Rows::default();
    let stored = story.fold(&nothing, READ_AT);
    // The one that began next was pruned.
    let late = Story::read("1:30 late run a main/01 n=1 start=1:00");
    let changed = late.fold(&stored, READ_AT);
    expect![[r#"
        a 0:00..now [created unseen, 1 instances unseen]
          a main/01 #1 1:00..2:00 ended 2:00 why: unknown [end not confirmed]
    "#]]
    .assert_eq(&lines(&changed));
    // It is remembered; and what was concluded without its start counts no more when that is known.
    let stored = with(&stored, changed);
    assert_eq!(late.fold(&stored, READ_AT), Rows::default());
    let unplaced = Story::read("9:30 late run a main/f1 n=1");
    let changed = unplaced.fold(&stored, READ_AT);
    expect![[r#"
        a 0:00..now [created unseen, 1 instances unseen]
          a main/f1 #1 9:30..2:00 ended 2:00 why: unknown [end not confirmed]
    "#]]
    .assert_eq(&lines(&changed));
    let stored = with(&stored, changed);
    let placed = Story::read("9:30 late run a main/f1 n=1 start=3:30");
    expect![[r#"
        a 0:00..now [created unseen, 1 instances unseen]
          a main/f1 #1 3:30..4:00 ended 4:00 why: unknown [end not confirmed]
    "#]]
    .assert_eq(&lines(&placed.fold(&stored, READ_AT)));
}

/// A report without an ID that was pruned: the instance with an ID turns out to have had its start.
#[test]
fn what_was_pruned_without_an_id_becomes_a_part_of_another() {
    let story = Story::read(
        "
        2:00 run a main/00 n=0 start=0:10 end=1:50 exit=137
        5:00 pod a created=0:00 restarts=main:0 removed
        5:00 run a main/b1 n=0 start=2:10
        ",
    );
    let nothing = Rows::default();
    let stored = story.fold(&nothing, READ_AT);
    expect![[r#"
        a 0:00..5:00 removed 5:00 why: unknown [created unseen]
          a main/b1 #0 2:10..5:00 ended 5:00 why: unknown complete [end not confirmed]
          a main/00 #0 0:10..1:51 ended 1:50 seen exit 137 why: exited complete
    "#]]
    .assert_eq(&lines(&stored));
    let late = Story::read("1:00 late run a main/b1 n=0 start=0:10");
    let changed = late.fold(&stored, READ_AT);
    expect![[r#"
        a 0:00..5:00 removed 5:00 why: unknown [created unseen]
          a main/b1 #0 0:10..5:00 ended 5:00 why: unknown complete returned [end not confirmed, started again]
          a main/00 #0 -30000000:00..-30000000:00 complete returned
    "#]].assert_eq(&lines(&changed));
    assert!(changed.containers.iter().any(|row| row.void));
}

#[test]
fn what_all_rows_repeat_is_written_to_all() {
    let story = restarts(1..20);
    let story = Story::read(&story);
    let nothing = Rows::default();
    let stored = story.fold(&nothing, READ_AT);
    let removed = Story::read("30:00 pod a removed");
    let changed = removed.fold(&stored, READ_AT);
    assert_eq!((changed.pods.len(), changed.containers.len()), (1, 19));
    assert!(
        changed
            .containers
            .iter()
            .all(|row| row.pod_removed_at.is_some())
    );
}

#[test]
fn what_ended_before_its_pod_began_by_a_clock_that_is_behind_is_pruned_as_it_was() {
    let story = Story::read(
        "
        1:02 pod a created=1:00
        1:02 run a main/aa n=0 start=0:30 end=0:40 exit=0
        9:00 pod a created=1:00 removed
        ",
    );
    let nothing = Rows::default();
    let stored = story.fold(&nothing, READ_AT);
    let again = Story::read("1:02 run a main/aa n=0 start=0:30 end=0:40 exit=0");
    assert_eq!(again.fold(&stored, READ_AT), Rows::default());
}
