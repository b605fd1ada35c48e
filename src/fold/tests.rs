//! The rules of the fold, one at a time. Whole histories are folded in `tests/it/laws.rs`.

mod gone;
mod past;
mod table;
mod why;

use expect_test::{Expect, expect};

use super::Rows;
use table::{Story, lines};

const READ_AT: u32 = 1_800_100_000;

/// The rows that facts make, in the order of the lines and backwards.
fn check(text: &str, expected: Expect) {
    let nothing = Rows::default();
    let story = Story::read(text);
    let rows = story.fold(&nothing, READ_AT);
    expected.assert_eq(&lines(&rows));
    let backwards: Vec<&str> = text.lines().rev().collect();
    let backwards = backwards.join("\n");
    let story = Story::read(&backwards);
    assert_eq!(story.fold(&nothing, READ_AT), rows, "in another order");
}

/// The rows that facts make.
fn rows(text: &str) -> String {
    let nothing = Rows::default();
    let story = Story::read(text);
    lines(&story.fold(&nothing, READ_AT))
}

#[test]
fn a_life() {
    check(
        "
        0:00 pod a created=0:00 by=alice/deployer version=1 labels=app:web owner=web
        0:01 pod a node=n1 bound
        0:02 pod a created=0:00 node=n1 started=0:02 phase=Running ips=10.0.0.1 restarts=main:0 version=2 labels=app:web owner=web
        0:02 run a main/aa n=0 start=0:02
        ",
        expect![[r#"
            a 0:00..now on n1 Running created by alice as deployer of web labels [app:web] ips [10.0.0.1] [workload inferred]
              a main/aa #0 0:02..now [workload inferred]
        "#]],
    );
}

#[test]
fn the_newest_state_has_the_labels() {
    check(
        "
        0:00 pod a created=0:00 version=5 labels=track:z
        0:01 pod a created=0:00 version=6 labels=track:b
        0:02 pod a created=0:00 labels=track:c
        ",
        expect![[r#"
            a 0:00..now labels [track:b] [created unseen]
        "#]],
    );
}

#[test]
fn addresses_are_in_the_order_of_first_sight() {
    check(
        "
        0:00 pod a created=0:00 ips=10.0.0.9,fd00::1
        0:01 pod a created=0:00 ips=10.0.0.1
        0:02 pod a created=0:00 ips=10.0.0.9
        ",
        expect![[r#"
            a 0:00..now ips [10.0.0.9, fd00::1, 10.0.0.1] [created unseen]
        "#]],
    );
}

#[test]
fn what_is_not_known() {
    check(
        "
        0:00 pod a node=n1
        0:00 pod b created=0:00 truncated waiting=main:ImagePullBackOff,log:CrashLoopBackOff restarts=log:0
        ",
        expect![[r#"
            a 0:00..now on n1 [created unseen, metadata only]
            b 0:00..now [created unseen, truncated, 1 instances unseen, main not started: ImagePullBackOff]
        "#]],
    );
}

#[test]
fn a_later_pod_of_the_name_proves_that_this_one_was_gone() {
    check(
        "
        0:00 pod a created=0:00
        0:01 run a main/aa n=0 start=0:01
        8:00 pod b created=8:00
        9:30 pod c node=n1
        ",
        expect![[r#"
            a 0:00..8:01 gone 8:01 proof: replaced why: unknown [created unseen, removal unseen]
              a main/aa #0 0:01..8:01 ended 8:01 why: unknown complete [end not confirmed]
            b 8:00..now [created unseen]
            c 9:30..now on n1 [created unseen, metadata only]
        "#]],
    );
    // Created in the same second: neither is the later one.
    check(
        "
        0:00 pod a created=0:00
        0:00 pod b created=0:00
        ",
        expect![[r#"
            a 0:00..now [created unseen]
            b 0:00..now [created unseen]
        "#]],
    );
}

#[test]
fn the_name_belongs_to_the_pod_that_had_it_then() {
    check(
        "
        0:00 pod a created=0:00
        4:00 name ask by=alice
        5:00 name remove by=system:node:n1
        8:00 pod b created=8:00
        ",
        expect![[r#"
            a 0:00..5:00 asked 4:00 by alice removed 5:00 why: deleted by alice [created unseen]
            b 8:00..now [created unseen]
        "#]],
    );
    // Of its predecessor nothing is known yet.
    check(
        "
        4:00 name ask by=alice
        8:00 pod b created=8:00
        9:00 name ask by=bob
        ",
        expect![[r#"
            b 8:00..now asked 9:00 by bob [created unseen]
        "#]],
    );
    // Nobody saw when b was created, but what created it, and what had its name before.
    check(
        "
        4:00 name create by=old
        5:00 name remove by=system:node:n1
        6:00 name create by=alice/deployer
        6:30 name ask by=bob
        8:00 pod b node=n1
        ",
        expect![[r#"
            b 8:00..now on n1 created by alice as deployer asked 6:30 by bob [metadata only]
        "#]],
    );
    check(
        "
        4:00 name create by=old
        5:00 name remove by=system:node:n1
        8:00 pod b node=n1
        ",
        expect![[r#"
            b 8:00..now on n1 [created unseen, metadata only]
        "#]],
    );
}

#[test]
fn a_name_says_the_node_and_what_was_cut_off() {
    check(
        "
        0:00 pod a created=0:00
        0:05 name status by=system:node:n7
        0:06 name truncated by=alice
        ",
        expect![[r#"
            a 0:00..now on n7 [created unseen, truncated]
        "#]],
    );
    // Of the same event, cut off: it is there whole.
    check(
        "
        0:00 pod a created=0:00 by=alice
        0:00 name truncated by=alice
        ",
        expect![[r#"
            a 0:00..now created by alice
        "#]],
    );
    check(
        "
        0:00 pod a created=0:00
        0:05 name status by=alice/system:node:n7
        ",
        expect![[r#"
            a 0:00..now on n7 [created unseen]
        "#]],
    );
}

#[test]
fn late_facts_alone_prove_a_life_up_to_the_last_of_them() {
    check(
        "
        0:00 late pod a created=0:00
        1:00 late run a main/aa n=0 start=0:01
        2:00 late run a main/bb n=1 start=1:30
        3:00 late run a log/cc n=0 start=0:01 end=2:30 exit=0
        ",
        expect![[r#"
            a 0:00..3:00.000001 [created unseen, end not confirmed]
              a log/cc #0 0:01..2:31 ended 2:30 seen exit 0 why: exited complete
              a main/aa #0 0:01..1:30 ended 1:30 why: unknown complete [end not confirmed]
              a main/bb #1 1:30..2:00.000001 complete [end not confirmed]
        "#]],
    );
    // One in time, and all of it is believed.
    check(
        "
        0:00 late pod a created=0:00
        1:00 late run a main/aa n=0 start=0:01
        2:00 run a main/bb n=1 start=1:30
        ",
        expect![[r#"
            a 0:00..now [created unseen]
              a main/aa #0 0:01..1:30 ended 1:30 why: unknown [end not confirmed]
              a main/bb #1 1:30..now
        "#]],
    );
}

#[test]
fn a_restart_ends_the_instance_before() {
    check(
        "
        0:00 pod a created=0:00 restarts=main:3
        0:01 run a main/aa n=0 start=0:01
        7:00 run a main/bb n=2 start=7:00
        9:00 run a main/cc n=3 start=9:00
        9:00 run a log/dd n=0 start=8:00
        ",
        expect![[r#"
            a 0:00..now [created unseen, 1 instances unseen]
              a log/dd #0 8:00..now
              a main/aa #0 0:01..7:00 ended 7:00 why: unknown [end not confirmed]
              a main/bb #2 7:00..9:00 ended 9:00 why: unknown [end not confirmed]
              a main/cc #3 9:00..now
        "#]],
    );
    // The count restarted: the start decides.
    check(
        "
        0:00 pod a created=0:00 restarts=main:5
        0:01 run a main/aa n=4 start=0:01
        2:00 run a main/bb n=5 start=2:00
        9:00 run a main/cc n=0 start=9:00
        ",
        expect![[r#"
            a 0:00..now [created unseen, 3 instances unseen]
              a main/aa #4 0:01..2:00 ended 2:00 why: unknown [end not confirmed]
              a main/bb #5 2:00..9:00 ended 9:00 why: unknown [end not confirmed]
              a main/cc #0 9:00..now
        "#]],
    );
    // Within a second the number decides; so it does where a start is not known.
    check(
        "
        0:00 pod a created=0:00 restarts=main:3
        0:01 run a main/bb n=0 start=0:01
        0:01 run a main/aa n=1 start=0:01
        5:00 run a main/cc n=2
        6:00 run a main/dd n=3 start=6:00
        ",
        expect![[r#"
            a 0:00..now [created unseen]
              a main/aa #1 0:01..5:00 ended 5:00 why: unknown [end not confirmed]
              a main/bb #0 0:01..0:01 ended 0:01 why: unknown [end not confirmed]
              a main/cc #2 5:00..6:00 ended 6:00 why: unknown [end not confirmed]
              a main/dd #3 6:00..now
        "#]],
    );
}

#[test]
fn a_report_of_an_end_beats_all_proofs() {
    check(
        "
        0:00 pod a created=0:00 restarts=main:1
        5:00 run a main/aa n=0 start=0:01 end=4:00 exit=137 reason=OOMKilled
        4:30 run a main/bb n=1 start=3:00 end=4:30 exit=1 reason=Error
        4:10 pod a created=0:00 removed
        ",
        expect![[r#"
            a 0:00..4:10 removed 4:10 why: unknown [created unseen]
              a main/aa #0 0:01..4:01 ended 4:00 seen exit 137 OOMKilled why: exited complete
              a main/bb #1 3:00..4:31 ended 4:30 seen exit 1 Error why: exited complete
        "#]],
    );
    // A report without a time is no report of an end; of two reports one counts, whole.
    check(
        "
        0:00 pod a created=0:00 restarts=main:1
        5:00 run a main/aa n=0 start=0:01 end= exit=137 reason=ContainerStatusUnknown
        6:00 run a log/bb n=0 start=0:01 end=5:00 exit=9 reason=A
        6:00 run a log/bb n=0 start=0:01 end=5:01 exit=1 reason=B
        ",
        expect![[r#"
            a 0:00..now [created unseen, 1 instances unseen]
              a log/bb #0 0:01..5:01 ended 5:00 seen exit 9 A why: exited [ends differ]
              a main/aa #0 0:01..5:00 ended 5:00 exit 137 ContainerStatusUnknown why: unknown [end not confirmed]
        "#]],
    );
}

#[test]
fn a_row_is_two_versions_above_the_one_before() {
    let nothing = Rows::default();
    let story = Story::read("0:00 pod a created=0:00");
    let first = story.fold(&nothing, READ_AT);
    assert_eq!(first.pods[0].version, 1_000);
    let story = Story::read("9:00 pod a created=0:00 removed");
    let second = story.fold(&first, READ_AT);
    assert_eq!(second.pods[0].version, 1_002);
    assert!(story.fold(&second, READ_AT).pods.is_empty());
}

#[test]
fn what_was_over_for_long_may_have_been_filed() {
    let nothing = Rows::default();
    let story = Story::read(
        "
        0:00 pod a created=0:00 restarts=main:0
        0:01 run a main/aa n=0 start=0:01
        5:00 pod a removed
        ",
    );
    let first = story.fold(&nothing, READ_AT);
    let story = Story::read("6:00 pod a created=0:00 labels=app:web phase=Failed");
    let expected = expect![[r#"
        a 0:00..5:00 Failed labels [app:web] removed 5:00 why: finished [created unseen]
          a main/aa #0 0:01..5:00 ended 5:00 why: unknown complete returned [end not confirmed]
        a 0:00..5:00 Failed labels [app:web] removed 5:00 why: finished returned [created unseen]
          a main/aa #0 0:01..5:00 ended 5:00 why: unknown complete returned [end not confirmed]
    "#]];
    let rows = |after: u32| lines(&story.fold(&first, READ_AT + after));
    expected.assert_eq(&format!("{}{}", rows(540), rows(541)));
}

#[test]
fn what_was_created_before_may_have_been_filed() {
    let story = Story::read("0:10 pod a created=0:00");
    let mut fold = super::Fold::new("c", "n", "web-0");
    for fact in story.facts() {
        fold.add_fact(&fact).unwrap();
    }
    let second = 1_800_000_000;
    assert!(!fold.may_be_filed(second));
    assert!(fold.may_be_filed(second + 1));
    let nothing = Rows::default();
    let rows = story.fold(&nothing, READ_AT);
    fold.add_stored(super::StoredPod::of(&rows.pods[0]))
        .unwrap();
    assert!(
        !fold.may_be_filed(second + 1),
        "it is stored among the recent ones"
    );
}

#[test]
fn after_a_race_all_rows_are_written_anew() {
    let story = Story::read(
        "
        0:00 pod a created=0:00 restarts=main:0
        0:00 run a main/aa n=0 start=0:01
        ",
    );
    let nothing = Rows::default();
    let rows = story.fold(&nothing, READ_AT);
    assert_eq!(story.fold(&rows, READ_AT), nothing);
    let mut fold = super::Fold::new("c", "n", "web-0");
    fold.add_stored(super::StoredPod::of(&rows.pods[0]))
        .unwrap();
    fold.raced();
    let again = fold.rows(&super::NameEvents::default(), READ_AT).unwrap();
    assert_eq!(lines(&again), lines(&rows));
    assert_eq!(again.unchanged, 2);
    assert_eq!(again.pods[0].version, rows.pods[0].version + 2);
}

/// Late facts ended it and it was filed; then it turned out to live. Its filed rows stay hidden for good.
#[test]
fn what_was_filed_once_stays_hidden() {
    let nothing = Rows::default();
    let late = Story::read(
        "
        0:00 late pod a created=0:00 restarts=main:0
        1:00 late run a main/aa n=0 start=0:01
        ",
    );
    let filed = late.fold(&nothing, READ_AT);
    let timely = Story::read("2:00 pod a created=0:00 restarts=main:0 phase=Running");
    let open = timely.fold(&filed, READ_AT + 541);
    let removed = Story::read("5:00 pod a removed");
    let over = removed.fold(&open, READ_AT + 542);
    for rows in [&open, &over] {
        assert_eq!((rows.pods.len(), rows.containers.len()), (1, 1));
        assert!(rows.pods[0].returned && rows.containers[0].returned);
    }
}

/// An event was about its name, or about its node: it may concern a filed pod.
#[test]
fn a_name_without_pods_may_have_been_filed() {
    assert!(super::Fold::new("demo", "shop", "web-0").may_be_filed(0));
}

/// Its node's clock is four minutes behind: it took the pod up when that was bound to it, and started the container two
/// seconds later. The report of a list comes long after that.
#[test]
fn a_start_by_a_clock_that_is_behind_counts_from_when_the_pod_was_bound() {
    check(
        "
        5:01 pod a created=5:00 bound
        60:00 pod a created=5:00 started=1:01 phase=Running restarts=main:0
        60:00 run a main/aa n=0 start=1:03
        ",
        expect![[r#"
            a 5:00..now Running [created unseen, node clock off by 4m]
              a main/aa #0 5:03..now [node clock off by 4m]
        "#]],
    );
    // It waited for its node. When it began is only known by the report.
    check(
        "
        60:00 pod a created=5:00 started=4:01 phase=Running restarts=main:0
        60:00 run a main/aa n=0 start=4:03
        ",
        expect![[r#"
            a 5:00..now Running [created unseen]
              a main/aa #0 60:00..now
        "#]],
    );
    // Never after its report: the clock may have been set meanwhile.
    check(
        "
        5:01 pod a created=5:00 bound
        7:00 pod a created=5:00 started=0:01 phase=Running restarts=main:0
        7:00 run a main/aa n=0 start=4:03
        ",
        expect![[r#"
            a 5:00..now Running [created unseen, node clock off by 5m]
              a main/aa #0 7:00..now
        "#]],
    );
}

#[test]
fn a_container_of_a_mirror_pod_may_be_older_than_that() {
    check(
        "
        60:00 pod a created=5:00 mirror started=0:01 phase=Running restarts=main:0,other:2
        60:00 run a main/aa n=0 start=0:03
        60:00 run a other/bb n=2 start=0:04
        ",
        expect![[r#"
            a 5:00..now Running [created unseen, 2 instances unseen]
              a main/aa #0 5:00..now
              a other/bb #2 60:00..now
        "#]],
    );
}
