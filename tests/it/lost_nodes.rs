//! Pods whose removal nobody saw, on a node that was deleted: they are gone, and it is said why.

use serde_json::{Value, json};

use crate::late::{NO_RECONCILE, hours_later, set_clock};
use crate::support::Bygone;

/// Times of the events, in the hour in which they happen.
const STARTED: &str = "2026-11-23T06:15:00.000000Z";
const LOST: &str = "2026-11-23T06:16:00.000000Z";
const GONE: &str = "2026-11-23T06:17:00.000Z";

pub fn event(at: &str, verb: &str, user: &str, object_ref: Value) -> Value {
    json!({
        "kind": "Event", "apiVersion": "audit.k8s.io/v1", "level": "RequestResponse",
        "auditID": format!("{verb}-{at}-{object_ref}"), "stage": "ResponseComplete",
        "requestURI": "/", "verb": verb, "user": {"username": user}, "objectRef": object_ref,
        "responseStatus": {"code": 200}, "requestReceivedTimestamp": at, "stageTimestamp": at,
    })
}

/// A kubelet says that a pod runs.
pub fn runs(at: &str, number: u64, node: &str) -> Value {
    let name = format!("web-{number}");
    let uid = format!("00000000-0000-4000-8000-{number:012}");
    let id = format!("containerd://{number:064}");
    let mut event = event(
        at,
        "patch",
        &format!("system:node:{node}"),
        json!({"resource": "pods", "subresource": "status", "namespace": "shop", "name": name, "apiVersion": "v1"}),
    );
    event["responseObject"] = json!({
        "kind": "Pod", "apiVersion": "v1",
        "metadata": {"name": name, "namespace": "shop", "uid": uid, "resourceVersion": "7",
            "creationTimestamp": "2026-11-23T06:10:00Z", "labels": {"app": "web", "number": number.to_string()}},
        "spec": {"nodeName": node, "containers": [{"name": "main", "image": "web:1"}]},
        "status": {"phase": "Running", "containerStatuses": [{
            "name": "main", "image": "web:1", "imageID": "", "containerID": id, "restartCount": 0,
            "ready": true, "state": {"running": {"startedAt": "2026-11-23T06:10:30Z"}}}]},
    });
    event
}

/// What becomes of a node.
fn node(at: &str, verb: &str, name: &str) -> Value {
    let object_ref = json!({"resource": "nodes", "name": name, "apiVersion": "v1"});
    let mut event = event(at, verb, "alice", object_ref);
    event["level"] = json!("Request");
    event["requestObject"] = json!({"kind": "DeleteOptions", "apiVersion": "v1"});
    event
}

pub fn body(events: &[Value]) -> String {
    json!({"kind": "EventList", "apiVersion": "audit.k8s.io/v1", "items": events}).to_string()
}

/// Of each pod: when it was over, why, and what is not known.
fn fates(bygone: &Bygone) -> Value {
    let question = "SELECT pod, toString(over_at, 'UTC'), ended_why, has(unknown, 'removal unseen') \
                    FROM pods ORDER BY pod FORMAT JSONCompactEachRow";
    rows(bygone, question)
}

/// The answer to a question whose format is `JSONCompactEachRow`.
pub fn rows(bygone: &Bygone, question: &str) -> Value {
    let rows = crate::support::sql(&bygone.database, question);
    let rows = rows
        .lines()
        .map(|row| serde_json::from_str::<Value>(row).expect("JSON"));
    rows.collect()
}

#[test]
fn its_pods_are_gone_where_nobody_saw_them_go() {
    let bygone = Bygone::start_set(&[NO_RECONCILE]);
    set_clock(&bygone.database, hours_later(0));
    let mut dry = node(LOST, "delete", "dry");
    dry["requestObject"]["dryRun"] = json!(["All"]);
    bygone.post_all([body(&[
        runs(STARTED, 1, "lost"),
        runs(STARTED, 2, "lost"),
        runs(STARTED, 3, "back"),
        runs(STARTED, 4, "dry"),
    ])]);
    let lives = |number| json!([format!("web-{number}"), null, null, 0]);
    let lost = |number| {
        json!([
            format!("web-{number}"),
            "2026-11-23 06:17:00.000000",
            "node-lost",
            1
        ])
    };
    let open = json!([lives(1), lives(2), lives(3), lives(4)]);
    assert_eq!(fates(&bygone), open);
    bygone.post_all([body(&[
        node(LOST, "delete", "lost"),
        node(LOST, "delete", "back"),
        dry,
    ])]);
    let gone = json!([lost(1), lost(2), lost(3), lives(4)]);
    assert_eq!(fates(&bygone), gone, "at once");
    // Neither was their end: one node was registered anew, and on the other a pod goes on.
    bygone.post_all([body(&[
        node("2026-11-23T06:17:30.000000Z", "create", "back"),
        runs("2026-11-23T06:18:00.000000Z", 2, "lost"),
    ])]);
    let expected = json!([lost(1), lives(2), lives(3), lives(4)]);
    assert_eq!(fates(&bygone), expected, "taken back");
    bygone.reconciled();
    assert_eq!(fates(&bygone), expected, "filed");
    let containers = bygone.rows(&["containers", "-A", "--at", LOST, "--node", "lost"]);
    let container = containers.iter().find(|row| row["pod"] == "web-1");
    let container = container.expect("it lived when its node was lost");
    assert_eq!(container["ended_at"], GONE);
    // Hours later a kubelet speaks of this one too: what was filed is open again.
    set_clock(&bygone.database, hours_later(4));
    bygone.post_all([body(&[runs("2026-11-23T10:17:00.000000Z", 1, "lost")])]);
    for when in ["taken back late", "and filed"] {
        assert_eq!(fates(&bygone), open, "{when}");
        let containers = bygone.rows(&["containers", "-A", "--node", "lost"]);
        let container = containers.iter().find(|row| row["pod"] == "web-1");
        let container = container.expect("its container");
        assert!(container["ended_at"].is_null(), "{container}");
        bygone.reconciled();
    }
}

/// What a node's deletion meant does not depend on when the event came.
#[test]
fn events_may_come_in_any_order() {
    let bygone = Bygone::start_set(&[NO_RECONCILE]);
    let events = [
        node("2026-11-23T06:17:30.000000Z", "create", "back"),
        node(LOST, "delete", "back"),
        node(LOST, "delete", "lost"),
        runs(STARTED, 3, "back"),
        runs(STARTED, 1, "lost"),
    ];
    for event in events {
        bygone.post_all([body(&[event])]);
        bygone.reconciled();
    }
    let question =
        "SELECT pod, ended_why, unknown FROM pods ORDER BY pod FORMAT JSONCompactEachRow";
    let expected = json!([
        ["web-1", "node-lost", ["created unseen", "removal unseen"]],
        // Known from late events alone.
        ["web-3", null, ["created unseen", "end not confirmed"]],
    ]);
    assert_eq!(rows(&bygone, question), expected);
}
