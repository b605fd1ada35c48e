//! The oracle on hand-made cases, with the answers written out.

use std::sync::Arc;

use super::Window;
use super::state::Oracle;
use crate::lives::fact::{About, Ended, Fact, InstanceFact, NameFact, PodFact};
use crate::lives::object::Kind;
use crate::lives::{HOUR, MINUTE, SECOND, Text};

/// A slot's beginning.
const BEGIN: i64 = 1_800_000_000 * SECOND;

fn fact(uid: u128, at: i64, about: About) -> Arc<Fact> {
    Arc::new(Fact {
        cluster: "c".into(),
        namespace: "n".into(),
        pod_uid: uid,
        event_at: BEGIN + at,
        version: (BEGIN + at) as u64,
        about,
    })
}

/// A pod of the name `web-0`, created at a second.
fn pod(uid: u128, at: i64, change: impl Fn(&mut PodFact)) -> Arc<Fact> {
    let mut pod = PodFact {
        pod: "web-0".into(),
        labels: Some(Arc::new([])),
        created_at: second(at),
        ..PodFact::default()
    };
    change(&mut pod);
    fact(uid, at, About::Pod(Box::new(pod)))
}

fn instance(uid: u128, at: i64, id: u8, restart: u32, ended: Option<i64>) -> Arc<Fact> {
    let told = InstanceFact {
        container: "main".into(),
        key: [id; 32],
        id_text: Text::default(),
        runtime: "containerd".into(),
        kind: Kind::App,
        image: None,
        restart,
        started_at: second(at),
        ended: ended.map(|at| Ended {
            finished_at: second(at),
            exit_code: 3,
            signal: 0,
            reason: "Error".into(),
        }),
    };
    fact(uid, at, About::Instance(Box::new(told)))
}

fn second(at: i64) -> u32 {
    ((BEGIN + at) / SECOND) as u32
}

/// Facts, each heard so long after its event.
fn oracle(heard: &[(&Arc<Fact>, i64)]) -> Oracle {
    let mut oracle = Oracle::default();
    for (fact, delay) in heard {
        oracle.hear(fact, fact.event_at + delay);
    }
    oracle.tell();
    oracle
}

/// One line for each instance within a window of seconds, if it must be there.
fn containers(oracle: &Oracle, window: Option<(i64, i64)>) -> Vec<String> {
    let window = window.map(|(since, until)| Window {
        since: BEGIN + since,
        until: BEGIN + until,
    });
    let expected = oracle.containers(window, |_| true).into_iter();
    expected
        .filter(|expected| expected.must)
        .map(|expected| {
            let row = expected.rows[0];
            let ended = row.ended_at.map(|at| (at - BEGIN) / MINUTE);
            format!(
                "{} {ended:?} {:?} {:?}",
                &row.container_id[..2],
                row.exit_code,
                row.unknown
            )
        })
        .collect()
}

#[test]
fn a_reported_end_counts_to_the_end_of_its_second() {
    let oracle = oracle(&[
        (&pod(1, 0, |_| ()), SECOND),
        (&instance(1, 0, 0xaa, 0, Some(5 * MINUTE)), SECOND),
    ]);
    let row = "aa Some(5) Some(3) []".to_owned();
    let end = 5 * MINUTE;
    assert_eq!(
        containers(&oracle, Some((end + SECOND - 1, end + HOUR))),
        [row]
    );
    assert!(containers(&oracle, Some((end + SECOND, end + HOUR))).is_empty());
    assert!(
        containers(&oracle, Some((-HOUR, 0))).is_empty(),
        "until is exclusive"
    );
}

#[test]
fn a_restart_ends_the_instance_before() {
    let oracle = oracle(&[
        (&pod(1, 0, |_| ()), SECOND),
        (&instance(1, 0, 0xaa, 0, None), SECOND),
        (&instance(1, 9 * MINUTE, 0xcc, 3, None), SECOND),
        (&instance(1, 7 * MINUTE, 0xbb, 2, None), SECOND),
    ]);
    assert_eq!(
        containers(&oracle, None),
        [
            r#"aa Some(7) None ["end not confirmed"]"#,
            r#"bb Some(9) None ["end not confirmed"]"#,
            "cc None None []",
        ]
    );
}

#[test]
fn a_count_that_began_anew() {
    let oracle = oracle(&[
        (&pod(1, 0, |_| ()), SECOND),
        (&instance(1, 0, 0xaa, 4, None), SECOND),
        (&instance(1, 2 * MINUTE, 0xbb, 5, None), SECOND),
        (&instance(1, 9 * MINUTE, 0xcc, 0, None), SECOND),
    ]);
    assert_eq!(
        containers(&oracle, None),
        [
            r#"aa Some(2) None ["end not confirmed"]"#,
            r#"bb Some(9) None ["end not confirmed"]"#,
            "cc None None []",
        ]
    );
}

#[test]
fn a_removal_before_the_restart_ends_it_earlier() {
    let oracle = oracle(&[
        (&pod(1, 0, |_| ()), SECOND),
        (&instance(1, 0, 0xaa, 0, None), SECOND),
        (
            &pod(1, 4 * MINUTE, |pod| pod.removed_at = BEGIN + 4 * MINUTE),
            SECOND,
        ),
    ]);
    let row = r#"aa Some(4) None ["end not confirmed"]"#;
    assert_eq!(containers(&oracle, None), [row]);
    assert!(containers(&oracle, Some((4 * MINUTE, HOUR))).is_empty());
}

#[test]
fn late_facts_alone_prove_a_life_up_to_the_last_of_them() {
    let told = [pod(1, 0, |_| ()), instance(1, MINUTE, 0xaa, 0, None)];
    let mut oracle = oracle(&[(&told[0], HOUR), (&told[1], HOUR)]);
    let row = r#"aa None None ["end not confirmed"]"#;
    assert_eq!(containers(&oracle, Some((MINUTE, HOUR))), [row]);
    assert!(containers(&oracle, Some((MINUTE + 1, HOUR))).is_empty());
    oracle.settled(BEGIN + 2 * HOUR);
    oracle.tell();
    assert_eq!(
        containers(&oracle, Some((MINUTE + 1, HOUR))),
        ["aa None None []"]
    );
}

#[test]
fn heard_after_five_minutes_is_late() {
    let told = [pod(1, 0, |_| ()), instance(1, 0, 0xaa, 0, None)];
    let is_believed = |delay| {
        let oracle = oracle(&[(&told[0], SECOND), (&told[1], delay)]);
        containers(&oracle, Some((HOUR, 2 * HOUR))).len() == 1
    };
    assert!(is_believed(5 * MINUTE));
    assert!(!is_believed(5 * MINUTE + SECOND));
}

#[test]
fn a_name_used_again_proves_that_the_pod_before_was_gone() {
    let create = |pod: &mut PodFact| pod.created_by = Some(("sts".into(), Text::default()));
    let oracle = oracle(&[
        (&pod(1, 0, create), SECOND),
        (&instance(1, MINUTE, 0xaa, 0, None), SECOND),
        (&pod(2, 8 * MINUTE, create), SECOND),
    ]);
    let pods: Vec<_> = oracle.pods(None, |_| true);
    assert_eq!(pods[0].rows[0].unknown, ["removal unseen"]);
    assert_eq!(pods[0].rows[0].removed_at, None);
    assert!(pods[1].rows[0].unknown.is_empty());
    let row = r#"aa Some(8) None ["end not confirmed"]"#;
    assert_eq!(containers(&oracle, None), [row]);
    let gone = 8 * MINUTE + SECOND;
    assert_eq!(containers(&oracle, Some((gone - 1, HOUR))), [row]);
    assert!(containers(&oracle, Some((gone, HOUR))).is_empty());
}

#[test]
fn an_address_belongs_to_a_pod_until_it_is_terminal() {
    let ip = "::ffff:10.0.0.7".parse().expect("an address");
    let with = |phase: &'static str| {
        move |pod: &mut PodFact| {
            pod.ips = vec![ip];
            pod.phase = phase.into();
        }
    };
    let oracle = oracle(&[
        (&pod(1, 0, |_| ()), SECOND),
        (&pod(1, 2 * MINUTE, with("Running")), SECOND),
        (&pod(1, 4 * MINUTE, with("Succeeded")), SECOND),
    ]);
    let holders = |since, until| {
        let window = Window {
            since: BEGIN + since,
            until: BEGIN + until,
        };
        oracle.pods_with_ip("c", ip, window).len()
    };
    assert_eq!(holders(0, 2 * MINUTE), 0);
    assert_eq!(holders(0, 2 * MINUTE + 1_000), 1);
    assert_eq!(holders(4 * MINUTE - 1, HOUR), 1);
    assert_eq!(holders(4 * MINUTE, HOUR), 0);
}

#[test]
fn the_newest_state_wins_in_every_order() {
    let relabelled = |at, value: &'static str| {
        pod(1, at, move |pod| {
            pod.labels = Some(Arc::new([("track".into(), value.into())]));
        })
    };
    let (one, two) = (relabelled(0, "zulu"), relabelled(MINUTE, "alpha"));
    for order in [[&one, &two], [&two, &one]] {
        let oracle = oracle(&order.map(|fact| (fact, SECOND)));
        let pods = oracle.pods(None, |_| true);
        assert_eq!(pods[0].rows[0].labels["track"], "alpha");
    }
}

#[test]
fn what_came_into_a_slot_that_was_read_is_certain_two_settlings_later() {
    let mut oracle = oracle(&[(&pod(1, 0, |_| ()), SECOND)]);
    let mut certain = Vec::new();
    for hour in 1..4 {
        oracle.settled(BEGIN + hour * HOUR);
        if hour == 1 {
            oracle.hear(
                &pod(1, 2 * SECOND, |pod| pod.removed_at = BEGIN + 2 * SECOND),
                BEGIN + 3 * SECOND,
            );
        }
        oracle.tell();
        certain.push(oracle.pods(None, |_| true)[0].rows.len() == 1);
    }
    assert_eq!(certain, [false, false, true]);
}

/// What alice did to whatever was called `web-0`.
fn said(at: i64, what: &'static str) -> Arc<Fact> {
    let told = NameFact {
        pod: "web-0".into(),
        at: BEGIN + at,
        what,
        user: "alice".into(),
        acting_as: Text::default(),
    };
    fact(9, at, About::Name(Box::new(told)))
}

/// Removal in minutes, why, by whom, and what is not known, of each pod after two settlings.
fn fates(heard: &[(&Arc<Fact>, i64)]) -> Vec<String> {
    let mut oracle = oracle(heard);
    for hour in [1, 2] {
        oracle.settled(BEGIN + hour * HOUR);
    }
    oracle.tell();
    let pods = oracle.pods(None, |_| true).into_iter();
    pods.map(|expected| {
        let row = expected.rows[0];
        let removed = row.removed_at.map(|at| (at - BEGIN) / MINUTE);
        let (why, by) = (row.ended_why.as_deref(), row.ended_by.as_deref());
        format!("{removed:?} {why:?} {by:?} {:?}", row.unknown)
    })
    .collect()
}

#[test]
fn what_was_said_of_a_name_belongs_to_the_pod_that_had_it_then() {
    let ask = said(4 * MINUTE, "ask");
    let (one, two) = (pod(1, 0, |_| ()), pod(2, 8 * MINUTE, |_| ()));
    let remove = said(5 * MINUTE, "remove");
    let lives = r#"None None None ["created unseen"]"#;
    let removed = r#"Some(5) Some("asked") Some("alice") ["created unseen"]"#;
    assert_eq!(
        fates(&[
            (&one, SECOND),
            (&two, SECOND),
            (&remove, SECOND),
            (&ask, SECOND)
        ]),
        [removed, lives]
    );
    // Without its removal the next pod proves that it was gone.
    let replaced = r#"None Some("asked") Some("alice") ["created unseen", "removal unseen"]"#;
    assert_eq!(
        fates(&[(&two, SECOND), (&ask, SECOND), (&one, SECOND)]),
        [replaced, lives]
    );
    let nobody = r#"None Some("replaced") None ["created unseen", "removal unseen"]"#;
    assert_eq!(fates(&[(&two, SECOND), (&one, SECOND)]), [nobody, lives]);
}

#[test]
fn what_has_finished_goes_when_that_is_asked() {
    let done = pod(1, MINUTE, |pod| pod.phase = "Succeeded".into());
    let ask = said(9 * MINUTE, "ask");
    let fate = fates(&[
        (&pod(1, 0, |_| ()), SECOND),
        (&done, SECOND),
        (&ask, SECOND),
    ]);
    let gone = r#"None Some("done") None ["created unseen", "removal unseen"]"#;
    assert_eq!(fate, [gone]);
}

#[test]
fn an_instance_that_ends_while_its_pod_is_to_end_has_the_reason_of_the_pod() {
    let asked = |pod: &mut PodFact| {
        pod.delete_asked = Some((BEGIN + 4 * MINUTE, "bob".into(), "alice".into()));
    };
    let oracle = oracle(&[
        (&pod(1, 0, |_| ()), SECOND),
        (&pod(1, 4 * MINUTE, asked), SECOND),
        (&instance(1, 0, 0xaa, 0, Some(3 * MINUTE)), SECOND),
        (&instance(1, 0, 0xbb, 1, Some(5 * MINUTE)), SECOND),
    ]);
    let expected = oracle.containers(None, |_| true);
    let fates = expected.iter().map(|expected| {
        let row = expected.rows[0];
        (row.ended_why.as_deref(), row.ended_by.as_deref())
    });
    let fates: Vec<_> = fates.collect();
    assert_eq!(
        fates,
        [
            (Some("exited"), None),
            (Some("asked"), Some("bob as alice"))
        ]
    );
}
