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
        pod: "web-0".into(),
        pod_uid: uid,
        event_at: BEGIN + at,
        version: (BEGIN + at) as u64,
        about,
    })
}

/// A pod of the name `web-0`, created at a second.
fn pod(uid: u128, at: i64, change: impl Fn(&mut PodFact)) -> Arc<Fact> {
    let mut pod = PodFact {
        labels: Some(Arc::new([])),
        created_at: second(at),
        is_alive: true,
        ..PodFact::default()
    };
    change(&mut pod);
    if matches!(&*pod.phase, "Succeeded" | "Failed") {
        pod.terminal_at = BEGIN + at;
    }
    pod.is_alive = pod.removed_at == 0;
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
        is_guess: false,
        started_at: second(at),
        is_running: ended.is_none(),
        ended: ended.map(|at| Ended {
            finished_at: second(at),
            exit_code: 3,
            signal: 0,
            reason: "Error".into(),
        }),
    };
    fact(uid, ended.unwrap_or(at), About::Instance(Box::new(told)))
}

fn second(at: i64) -> u32 {
    ((BEGIN + at) / SECOND) as u32
}

/// Facts that were all stored in time.
fn oracle(facts: &[&Arc<Fact>]) -> Oracle {
    let in_time: Vec<_> = facts.iter().map(|fact| (*fact, false)).collect();
    oracle_of(&in_time)
}

/// Facts, and whether each was stored late.
fn oracle_of(heard: &[(&Arc<Fact>, bool)]) -> Oracle {
    let mut oracle = Oracle::default();
    for (fact, late) in heard {
        oracle.hear(fact, *late);
    }
    oracle.tell();
    oracle
}

/// One line for each instance within a window.
fn containers(oracle: &Oracle, window: Option<(i64, i64)>) -> Vec<String> {
    let window = window.map(|(since, until)| Window {
        since: BEGIN + since,
        until: BEGIN + until,
    });
    let rows = oracle.containers(window, |_| true).into_iter();
    rows.map(|row| {
        let ended = row.ended_at.map(|at| (at - BEGIN) / MINUTE);
        format!(
            "{} {ended:?} {:?} {:?}",
            &row.container_id.as_deref().unwrap_or("--")[..2],
            row.exit_code,
            row.unknown
        )
    })
    .collect()
}

#[test]
fn a_reported_end_counts_to_the_end_of_its_second() {
    let oracle = oracle(&[
        &pod(1, 0, |_| ()),
        &instance(1, 0, 0xaa, 0, Some(5 * MINUTE)),
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
        &pod(1, 0, |_| ()),
        &instance(1, 0, 0xaa, 0, None),
        &instance(1, 9 * MINUTE, 0xcc, 3, None),
        &instance(1, 7 * MINUTE, 0xbb, 2, None),
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
        &pod(1, 0, |_| ()),
        &instance(1, 0, 0xaa, 4, None),
        &instance(1, 2 * MINUTE, 0xbb, 5, None),
        &instance(1, 9 * MINUTE, 0xcc, 0, None),
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
        &pod(1, 0, |_| ()),
        &instance(1, 0, 0xaa, 0, None),
        &pod(1, 4 * MINUTE, |pod| {
            pod.created_at = second(0);
            pod.removed_at = BEGIN + 4 * MINUTE;
        }),
    ]);
    let row = r#"aa Some(4) None ["end not confirmed"]"#;
    assert_eq!(containers(&oracle, None), [row]);
    assert!(containers(&oracle, Some((4 * MINUTE, HOUR))).is_empty());
}

#[test]
fn late_facts_alone_prove_a_life_up_to_the_last_of_them() {
    let told = [
        pod(1, 0, |_| ()),
        instance(1, MINUTE, 0xaa, 0, None),
        instance(1, 2 * MINUTE, 0xbb, 1, None),
    ];
    let late = oracle_of(&[(&told[0], true), (&told[1], true), (&told[2], true)]);
    let rows = [
        r#"aa Some(2) None ["end not confirmed"]"#,
        r#"bb None None ["end not confirmed"]"#,
    ];
    assert_eq!(containers(&late, None), rows);
    assert!(containers(&late, Some((2 * MINUTE + 1, HOUR))).is_empty());
    let pod = late.pods(None, |_| true)[0];
    assert_eq!(pod.unknown, ["created unseen", "end not confirmed"]);
    assert_eq!(pod.ended_why, None);
    // Of a pod with one timely fact all is believed.
    let mixed = oracle_of(&[(&told[0], false), (&told[1], true), (&told[2], true)]);
    assert_eq!(
        containers(&mixed, Some((2 * MINUTE + 1, HOUR))),
        ["bb None None []"]
    );
}

/// What was said of the node `node-1`.
fn of_node(at: i64, what: &'static str) -> Arc<Fact> {
    let said = said(at, what);
    Arc::new(Fact {
        namespace: Text::default(),
        pod: "node-1".into(),
        ..(*said).clone()
    })
}

#[test]
fn a_deleted_node_takes_its_pods_along() {
    let on_node = |pod: &mut PodFact| pod.node = "node-1".into();
    let pod_and = |says: &[Arc<Fact>]| {
        let on_node = pod(1, 0, on_node);
        let mut facts = vec![&on_node];
        facts.extend(says);
        fates(&facts)
    };
    let gone = r#"None Some("node-lost") None ["created unseen", "removal unseen"]"#;
    let lives = r#"None None None ["created unseen"]"#;
    let lost = of_node(5 * MINUTE, "node gone");
    assert_eq!(pod_and(std::slice::from_ref(&lost)), [gone]);
    for (back, fate) in [(15, lives), (16, gone)] {
        let back = of_node(back * MINUTE, "node came");
        assert_eq!(pod_and(&[lost.clone(), back]), [fate]);
    }
    for (seen, fate) in [(6, gone), (7, lives)] {
        let sign = pod(1, seen * MINUTE, |pod| pod.created_at = second(0));
        assert_eq!(pod_and(&[lost.clone(), sign]), [fate]);
    }
}

#[test]
fn a_name_used_again_proves_that_the_pod_before_was_gone() {
    let create = |pod: &mut PodFact| pod.created_by = Some(("sts".into(), Text::default()));
    let oracle = oracle(&[
        &pod(1, 0, create),
        &instance(1, MINUTE, 0xaa, 0, None),
        &pod(2, 8 * MINUTE, create),
    ]);
    let pods: Vec<_> = oracle.pods(None, |_| true);
    assert_eq!(pods[0].unknown, ["removal unseen"]);
    assert_eq!(pods[0].removed_at, None);
    assert!(pods[1].unknown.is_empty());
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
        &pod(1, 0, |_| ()),
        &pod(1, 2 * MINUTE, with("Running")),
        &pod(1, 4 * MINUTE, with("Succeeded")),
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
        let oracle = oracle(&order);
        let pods = oracle.pods(None, |_| true);
        assert_eq!(pods[0].labels["track"], "alpha");
    }
}

/// What alice did to whatever was called `web-0`.
fn said(at: i64, what: &'static str) -> Arc<Fact> {
    said_of(0, at, what)
}

/// And only to the pod of this uid, if it is not 0.
fn said_of(uid: u128, at: i64, what: &'static str) -> Arc<Fact> {
    let told = NameFact {
        at: BEGIN + at,
        what,
        user: "alice".into(),
        acting_as: Text::default(),
        selector: Text::default(),
        uid,
    };
    fact(0, at, About::Name(Box::new(told)))
}

/// Removal in minutes, why, by whom, and what is not known, of each pod.
fn fates(facts: &[&Arc<Fact>]) -> Vec<String> {
    let oracle = oracle(facts);
    let pods = oracle.pods(None, |_| true).into_iter();
    pods.map(|row| {
        let removed = row.removed_at.map(|at| (at - BEGIN) / MINUTE);
        let (why, by) = (row.ended_why.as_deref(), row.ended_by.as_deref());
        format!("{removed:?} {why:?} {by:?} {:?}", row.unknown)
    })
    .collect()
}

#[test]
fn what_was_not_found_was_gone() {
    let one = pod(1, 0, |_| ());
    let lives = r#"None None None ["created unseen"]"#;
    let gone = r#"None Some("unknown") None ["created unseen", "removal unseen"]"#;
    assert_eq!(fates(&[&one, &said(MINUTE, "gone")]), [gone]);
    assert_eq!(fates(&[&one, &said_of(1, MINUTE, "gone")]), [gone]);
    assert_eq!(fates(&[&one, &said_of(2, MINUTE, "gone")]), [lives]);
}

#[test]
fn a_deletecollection_is_about_what_its_selector_selects() {
    let labelled = pod(1, 0, |pod| {
        pod.labels = Some(Arc::new([
            ("app".into(), "web".into()),
            ("v".into(), "1".into()),
        ]));
    });
    let fate = |selector: &'static str| {
        let mut purge = (*said(5 * MINUTE, "purge")).clone();
        purge.pod = Text::default();
        if let About::Name(told) = &mut purge.about {
            told.selector = selector.into();
        }
        fates(&[&labelled, &Arc::new(purge)]).remove(0)
    };
    let gone = r#"Some(5) Some("deleted") Some("alice") ["created unseen"]"#;
    let lives = r#"None None None ["created unseen"]"#;
    for selector in ["", "app=web", "app==web,v=1"] {
        assert_eq!(fate(selector), gone, "{selector}");
    }
    for selector in [
        "app=api",
        "app=web,v=2",
        "app",
        "app!=web",
        "app in (web)",
        "?",
    ] {
        assert_eq!(fate(selector), lives, "{selector}");
    }
}

#[test]
fn what_was_said_of_a_name_belongs_to_the_pod_that_had_it_then() {
    let ask = said(4 * MINUTE, "ask");
    let (one, two) = (pod(1, 0, |_| ()), pod(2, 8 * MINUTE, |_| ()));
    let remove = said(5 * MINUTE, "remove");
    let lives = r#"None None None ["created unseen"]"#;
    let removed = r#"Some(5) Some("deleted") Some("alice") ["created unseen"]"#;
    assert_eq!(fates(&[&one, &two, &remove, &ask]), [removed, lives]);
    // Without its removal the next pod proves that it was gone.
    let replaced = r#"None Some("deleted") Some("alice") ["created unseen", "removal unseen"]"#;
    assert_eq!(fates(&[&two, &ask, &one]), [replaced, lives]);
    let nobody = r#"None Some("unknown") None ["created unseen", "removal unseen"]"#;
    assert_eq!(fates(&[&two, &one]), [nobody, lives]);
}

#[test]
fn what_has_finished_goes_when_that_is_asked() {
    let done = pod(1, MINUTE, |pod| pod.phase = "Succeeded".into());
    let ask = said(9 * MINUTE, "ask");
    let fate = fates(&[&pod(1, 0, |_| ()), &done, &ask]);
    let gone = r#"None Some("finished") None ["created unseen", "removal unseen"]"#;
    assert_eq!(fate, [gone]);
}

#[test]
fn an_instance_that_ends_while_its_pod_is_to_end_has_the_reason_of_the_pod() {
    let asked = |pod: &mut PodFact| {
        pod.created_at = second(0);
        pod.delete_asked = Some((BEGIN + 4 * MINUTE, "bob".into(), "alice".into()));
    };
    let oracle = oracle(&[
        &pod(1, 0, |_| ()),
        &pod(1, 4 * MINUTE, asked),
        &instance(1, 0, 0xaa, 0, Some(3 * MINUTE)),
        &instance(1, 0, 0xbb, 1, Some(5 * MINUTE)),
    ]);
    let rows = oracle.containers(None, |_| true);
    let fates = rows
        .iter()
        .map(|row| (row.ended_why.as_deref(), row.ended_by.as_deref()));
    let fates: Vec<_> = fates.collect();
    assert_eq!(
        fates,
        [
            (Some("exited"), None),
            (Some("deleted"), Some("bob as alice"))
        ]
    );
}
