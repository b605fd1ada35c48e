//! What is seen of objects without a request, and that it is the same as from events.

use jiff::Timestamp;

use super::*;
use crate::audit::Metadata;
use crate::lifecycle::watched::{self, Moment, Sight};

/// Ten past the epoch's hour, in microseconds.
const NOW: i64 = 4_200_000_000;

fn seen(object: &Value, sight: Sight, moment: Moment, expected: Expect) {
    let text = object.to_string();
    let object: Object = serde_json::from_str(&text).expect("a readable object");
    let mut lines = String::new();
    let outcome = watched::pod("c", &object, sight, moment, &mut |fact| {
        lines += &format!("{} {}\n", fact.event_at, watched_line(fact));
    });
    if let Err(Unreadable(reason)) = outcome {
        lines += &format!("unreadable: {reason}\n");
    }
    expected.assert_eq(&lines);
}

/// With what tells how it ended.
fn watched_line(fact: &Fact) -> String {
    let mut line = line(fact);
    let numbers = [
        ("before", fact.asked_before),
        ("deadline", i64::from(fact.deadline)),
        ("emptied", fact.emptied_at),
    ];
    for (name, number) in numbers.into_iter().filter(|(_, number)| *number != 0) {
        line += &format!(" {name}={number}");
    }
    if fact.is_alive {
        line += " alive";
    }
    line
}

fn running() -> Value {
    pod(
        json!({"creationTimestamp": "1970-01-01T01:00:00Z", "labels": {"a": "1"},
            "managedFields": [{"time": "1970-01-01T01:00:09Z"}]}),
        json!({
            "phase": "Running", "startTime": "1970-01-01T01:00:02Z", "podIP": "10.0.0.1",
            "conditions": [
                {"type": "Ready", "status": "True", "lastTransitionTime": "1970-01-01T01:00:05Z"},
                {"type": "PodScheduled", "status": "True", "lastTransitionTime": "1970-01-01T01:00:01Z"},
            ],
            "containerStatuses": [{
                "name": "main", "image": "i", "imageID": "d", "restartCount": 0, "containerID": id("ab"),
                "state": {"running": {"startedAt": "1970-01-01T01:00:04Z"}},
            }],
        }),
    )
}

fn ending(grace: i64) -> Value {
    let mut pod = running();
    pod["metadata"]["deletionTimestamp"] = json!("1970-01-01T01:09:30Z");
    pod["metadata"]["deletionGracePeriodSeconds"] = json!(grace);
    pod
}

#[test]
fn a_listed_pod_has_its_whole_state_and_nobody_who_made_it() {
    seen(
        &running(),
        Sight::Listed,
        Moment::at(NOW),
        expect![[r#"
        4200000000 n/web version=7 node=node-1 labels=[("a", "1")] phase=Running ips=::ffff:10.0.0.1 restarts=main:0 created=3600 scheduled=3601000000 alive
        4200000000 App main ab00 #0 version=7 runtime=containerd image=i started=3604
    "#]],
    );
}

#[test]
fn a_deletion_that_is_watched_is_the_removal() {
    let moment = Moment {
        since: NOW - 1_000,
        until: NOW,
    };
    seen(
        &ending(30),
        Sight::Deleted,
        moment,
        expect![[r#"
        4200000000 n/web version=7 node=node-1 labels=[("a", "1")] phase=Running ips=::ffff:10.0.0.1 restarts=main:0 created=3600 scheduled=3601000000 removed=4200000000 before=4140000000 deadline=4170
        4200000000 App main ab00 #0 version=7 runtime=containerd image=i started=3604
    "#]],
    );
}

/// What is between the newest time of the object and now is not known.
#[test]
fn a_deletion_that_nobody_watched_proves_that_it_is_gone_now() {
    let moment = Moment {
        since: NOW - 1_000_000_000,
        until: NOW,
    };
    seen(
        &ending(30),
        Sight::Deleted,
        moment,
        expect![[r#"
        4140000000 n/web version=7 node=node-1 labels=[("a", "1")] phase=Running ips=::ffff:10.0.0.1 restarts=main:0 created=3600 scheduled=3601000000 before=4140000000 deadline=4170 alive
        4140000000 App main ab00 #0 version=7 runtime=containerd image=i started=3604
        4200000000 n/web gone=4200000000  uid=082bb149-e306-41c8-ac78-83da63ba8413
    "#]],
    );
}

/// It may have ended before its deletion was requested, or by that.
#[test]
fn a_state_of_the_past_does_not_tell_whether_it_ended_before_it_was_to_end() {
    let moment = Moment {
        since: NOW - 1_000_000_000,
        until: NOW,
    };
    seen(
        &failed(ending(30)),
        Sight::There,
        moment,
        expect![[r#"
        4143000000 n/web version=7 node=node-1 labels=[("a", "1")] phase=Failed ips=::ffff:10.0.0.1 restarts=main:0 created=3600 scheduled=3601000000 terminal=4200000000 before=4140000000 deadline=4170 emptied=4200000000 alive
        4143000000 App main ab00 #0 version=7 runtime=containerd image=i started=3604 ended=4143 143 0 
    "#]],
    );
    seen(
        &failed(running()),
        Sight::There,
        moment,
        expect![[r#"
        4143000000 n/web version=7 node=node-1 labels=[("a", "1")] phase=Failed ips=::ffff:10.0.0.1 restarts=main:0 created=3600 scheduled=3601000000 terminal=4143000000 alive
        4143000000 App main ab00 #0 version=7 runtime=containerd image=i started=3604 ended=4143 143 0 
    "#]],
    );
}

fn failed(mut pod: Value) -> Value {
    pod["status"]["phase"] = json!("Failed");
    pod["status"]["containerStatuses"][0]["state"] = json!({"terminated": {"exitCode": 143,
        "startedAt": "1970-01-01T01:00:04Z", "finishedAt": "1970-01-01T01:09:03Z"}});
    pod
}

/// A moment of a list; the API server wrote the object at `written`.
fn listed(object: &Value, written: Option<&str>, expected: Expect) {
    let text = object.to_string();
    let read: Object = serde_json::from_str(&text).expect("a readable object");
    let written = written.map(|written| written.parse().expect("a time"));
    let moment = watched::listed(&read, NOW, || written);
    seen(object, Sight::Listed, moment, expected);
}

#[test]
fn a_listed_pod_that_has_finished_finished_when_it_was_written() {
    // The newest time of the object itself, before Kubernetes 1.18.
    listed(
        &failed(running()),
        None,
        expect![[r#"
        4200000000 n/web version=7 node=node-1 labels=[("a", "1")] phase=Failed ips=::ffff:10.0.0.1 restarts=main:0 created=3600 scheduled=3601000000 terminal=4143000000 alive
        4200000000 App main ab00 #0 version=7 runtime=containerd image=i started=3604 ended=4143 143 0 
    "#]],
    );
    listed(
        &failed(running()),
        Some("1970-01-01T01:09:05Z"),
        expect![[r#"
            4200000000 n/web version=7 node=node-1 labels=[("a", "1")] phase=Failed ips=::ffff:10.0.0.1 restarts=main:0 created=3600 scheduled=3601000000 terminal=4145999999 alive
            4200000000 App main ab00 #0 version=7 runtime=containerd image=i started=3604 ended=4143 143 0 
        "#]],
    );
    // Whoever may change the pod has made that note older than its status is.
    listed(
        &failed(running()),
        Some("1970-01-01T01:00:00Z"),
        expect![[r#"
            4200000000 n/web version=7 node=node-1 labels=[("a", "1")] phase=Failed ips=::ffff:10.0.0.1 restarts=main:0 created=3600 scheduled=3601000000 terminal=4143000000 alive
            4200000000 App main ab00 #0 version=7 runtime=containerd image=i started=3604 ended=4143 143 0 
        "#]],
    );
    // The clock of the API server is ahead of what the list says.
    listed(
        &failed(running()),
        Some("1970-01-01T01:20:00Z"),
        expect![[r#"
            4200000000 n/web version=7 node=node-1 labels=[("a", "1")] phase=Failed ips=::ffff:10.0.0.1 restarts=main:0 created=3600 scheduled=3601000000 terminal=4200000000 alive
            4200000000 App main ab00 #0 version=7 runtime=containerd image=i started=3604 ended=4143 143 0 
        "#]],
    );
    // It may have finished by its deletion, or before that.
    listed(
        &failed(ending(30)),
        Some("1970-01-01T01:09:05Z"),
        expect![[r#"
            4200000000 n/web version=7 node=node-1 labels=[("a", "1")] phase=Failed ips=::ffff:10.0.0.1 restarts=main:0 created=3600 scheduled=3601000000 terminal=4200000000 before=4140000000 deadline=4170 emptied=4200000000 alive
            4200000000 App main ab00 #0 version=7 runtime=containerd image=i started=3604 ended=4143 143 0 
        "#]],
    );
}

#[test]
fn a_clock_that_is_behind_does_not_date_what_is_listed() {
    let mut behind = failed(running());
    behind["metadata"]["creationTimestamp"] = json!("1970-01-01T01:09:30Z");
    behind["status"]["conditions"] = json!([]);
    listed(
        &behind,
        None,
        expect![[r#"
        4200000000 n/web version=7 node=node-1 labels=[("a", "1")] phase=Failed ips=::ffff:10.0.0.1 restarts=main:0 created=4170 terminal=4200000000 alive
        4200000000 App main ab00 #0 version=7 runtime=containerd image=i started=3604 ended=4143 143 0 
    "#]],
    );
    listed(
        &behind,
        Some("1970-01-01T01:09:40Z"),
        expect![[r#"
        4200000000 n/web version=7 node=node-1 labels=[("a", "1")] phase=Failed ips=::ffff:10.0.0.1 restarts=main:0 created=4170 terminal=4180999999 alive
        4200000000 App main ab00 #0 version=7 runtime=containerd image=i started=3604 ended=4143 143 0 
        4180999999 App main ab00 #0 version=7 runtime=containerd image=i started=3604 ended=4143 143 0 
    "#]],
    );
}

/// The time of its newest change, and never before what is known of the stream.
#[test]
fn a_state_of_the_past_proves_no_life_after_it() {
    let of_past = Moment {
        since: NOW - 1_000_000_000,
        until: NOW,
    };
    seen(
        &running(),
        Sight::There,
        of_past,
        expect![[r#"
        3605000000 n/web version=7 node=node-1 labels=[("a", "1")] phase=Running ips=::ffff:10.0.0.1 restarts=main:0 created=3600 scheduled=3601000000 alive
        3605000000 App main ab00 #0 version=7 runtime=containerd image=i started=3604
    "#]],
    );
    let known_later = Moment {
        since: NOW - 100_000_000,
        ..of_past
    };
    seen(
        &running(),
        Sight::There,
        known_later,
        expect![[r#"
        4100000000 n/web version=7 node=node-1 labels=[("a", "1")] phase=Running ips=::ffff:10.0.0.1 restarts=main:0 created=3600 scheduled=3601000000 alive
        4100000000 App main ab00 #0 version=7 runtime=containerd image=i started=3604
    "#]],
    );
    // The clock of its node is ahead by hours.
    let mut ahead = running();
    ahead["status"]["containerStatuses"][0]["state"]["running"]["startedAt"] =
        json!("1970-01-01T03:00:00Z");
    seen(
        &ahead,
        Sight::There,
        of_past,
        expect![[r#"
        3605000000 n/web version=7 node=node-1 labels=[("a", "1")] phase=Running ips=::ffff:10.0.0.1 restarts=main:0 created=3600 scheduled=3601000000 alive
        3605000000 App main ab00 #0 version=7 runtime=containerd image=i started=10800
    "#]],
    );
}

#[test]
fn an_object_without_identity_is_unreadable() {
    seen(
        &json!({"kind": "Pod"}),
        Sight::There,
        Moment::at(NOW),
        expect![[r#"
            unreadable: a pod without metadata
        "#]],
    );
    let mut nameless = running();
    nameless["metadata"]["uid"] = json!("");
    seen(
        &nameless,
        Sight::There,
        Moment::at(NOW),
        expect![[r#"
        unreadable: a pod without a uid
    "#]],
    );
    seen(
        &running(),
        Sight::There,
        Moment::at(0),
        expect![[r#"
        unreadable: its time is not between 1970 and 2200
    "#]],
    );
}

#[test]
fn nodes_and_namespaces_come_and_go() {
    type Of = fn(&str, &Metadata, Sight, Moment, Emit) -> Result<(), Unreadable>;
    let check = |of: Of, sight, moment, expected: Expect| {
        let text = json!({"name": "x", "creationTimestamp": "1970-01-01T01:00:00Z"}).to_string();
        let metadata: Metadata = serde_json::from_str(&text).unwrap();
        let mut lines = String::new();
        of("c", &metadata, sight, moment, &mut |fact| {
            lines += &format!("{}\n", line(fact));
        })
        .unwrap();
        expected.assert_eq(&lines);
    };
    let moment = Moment::at(NOW);
    check(
        watched::node,
        Sight::There,
        moment,
        expect![[r#"
        /x node came=3600999999 
    "#]],
    );
    check(
        watched::node,
        Sight::Deleted,
        moment,
        expect![[r#"
        /x node gone=4200000000 
    "#]],
    );
    // It may have come back a moment later.
    let within = Moment {
        since: NOW - 2_000_000,
        until: NOW,
    };
    check(
        watched::node,
        Sight::Deleted,
        within,
        expect![[r#"
        /x node gone=4198000000 
    "#]],
    );
    // And while nobody watched it may have been back for long.
    let unknown = Moment {
        since: NOW - 2_000_001,
        until: NOW,
    };
    check(watched::node, Sight::Deleted, unknown, expect![[""]]);
    check(watched::namespace, Sight::Deleted, unknown, expect![[""]]);
    check(watched::namespace, Sight::There, moment, expect![[""]]);
    check(
        watched::namespace,
        Sight::Deleted,
        moment,
        expect![[r#"
        x/ finalize=4200000000 
    "#]],
    );
}

#[test]
fn what_a_list_lacks_is_gone_and_what_is_unchanged_lives() {
    let uid = uuid::Uuid::parse_str(UID).unwrap().as_u128();
    let mut lines = String::new();
    let mut emit = |fact: &Fact| lines += &format!("{}\n", watched_line(fact));
    watched::absent("c", ("n", "web", uid), NOW, &mut emit).unwrap();
    watched::alive("c", ("n", "web", uid), NOW, &mut emit).unwrap();
    expect![[r#"
        n/web gone=4200000000  uid=082bb149-e306-41c8-ac78-83da63ba8413
        n/web alive
    "#]]
    .assert_eq(&lines);
}

/// The fields that only a request has.
fn without_request<'a>(fact: &Fact<'a>) -> Fact<'a> {
    Fact {
        event_at: 0,
        scheduled_at: 0,
        created_by: None,
        changed_by: None,
        reporter: "",
        delete_asked: None,
        force_asked: None,
        evict_asked: None,
        audit_id: "",
        by_kubelet: false,
        terminal_at: i64::from(fact.terminal_at != 0),
        emptied_at: i64::from(fact.emptied_at != 0),
        removed_at: i64::from(fact.removed_at != 0),
        ..fact.clone()
    }
}

#[test]
fn a_state_gives_the_same_facts_from_an_event_and_from_a_watch() {
    let at = Timestamp::from_microsecond(NOW).unwrap().to_string();
    let mut failed = ending(30);
    failed["status"]["phase"] = json!("Failed");
    failed["status"]["containerStatuses"][0]["state"] = json!({"terminated": {"exitCode": 137, "reason": "OOMKilled", "finishedAt": "1970-01-01T01:09:10Z"}});
    let cases = [
        ("patch", "status", running(), Sight::There),
        ("patch", "", running(), Sight::There),
        ("update", "status", failed.clone(), Sight::There),
        ("delete", "", ending(0), Sight::Deleted),
    ];
    for (verb, subresource, object, sight) in cases {
        let mut event = event(verb, subresource, object.clone());
        event["stageTimestamp"] = json!(at);
        event["requestReceivedTimestamp"] = json!(at);
        let text = event.to_string();
        let event: Event = serde_json::from_str(&text).unwrap();
        let mut by_event = Vec::new();
        facts("c", &event, &mut |fact| {
            by_event.push(format!("{:?}", without_request(fact)));
        })
        .unwrap();
        let text = object.to_string();
        let object: Object = serde_json::from_str(&text).unwrap();
        let mut by_watch = Vec::new();
        watched::pod("c", &object, sight, Moment::at(NOW), &mut |fact| {
            by_watch.push(format!("{:?}", without_request(fact)));
        })
        .unwrap();
        assert_eq!(by_event, by_watch, "{verb} {subresource}");
    }
}
