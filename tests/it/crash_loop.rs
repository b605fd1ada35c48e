//! A container that was started twenty thousand times, as its kubelet reports it. What is kept of its pod stays small, and so
//! does what a load reads and writes for it.

use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::lost_nodes::{body, event};
use crate::support::{self, Bygone};

const UID: &str = "5e0a8a1c-0000-4000-8000-000000000001";
const RESTARTS: u32 = 20_000;
/// Of so many instances no event told of one.
const UNSEEN_ONE_IN: u32 = 100;
const EVENTS_PER_BODY: usize = 400;

/// The state of the pod, in bytes.
const STATE_BYTES_MAX: u64 = 16 << 10;

fn is_seen(instance: u32) -> bool {
    instance % UNSEEN_ONE_IN != 7
}

/// The times of one run of the program, by the clock of this machine: each event comes when its instance began, and the last
/// ones are not late.
struct Times {
    begin: Timestamp,
}

impl Times {
    fn second(&self, number: u32) -> String {
        (self.begin + SignedDuration::from_secs(number.into())).to_string()
    }

    /// The time of an event.
    fn now() -> String {
        Timestamp::now()
            .strftime("%Y-%m-%dT%H:%M:%S%.6fZ")
            .to_string()
    }
}

fn id(instance: u32) -> String {
    format!("containerd://{instance:064x}")
}

fn pod(times: &Times, version: u32, statuses: Value) -> Value {
    json!({
        "kind": "Pod", "apiVersion": "v1",
        "metadata": {"name": "web", "namespace": "shop", "uid": UID, "resourceVersion": (version + 10).to_string(),
            "creationTimestamp": times.second(0), "labels": {"app": "web"}},
        "spec": {"nodeName": "node-1", "containers": [{"name": "main", "image": "web:1"}]},
        "status": {"phase": "Running", "podIPs": [{"ip": "10.0.0.7"}], "containerStatuses": statuses},
    })
}

/// The kubelet's patch when an instance has started: what runs, and how the one before ended. Where nobody saw the start,
/// the patch before it, which says that the container waits.
fn started(times: &Times, instance: u32) -> Value {
    let mut status = json!({
        "name": "main", "image": "web:1", "imageID": "web@sha256:1", "containerID": id(instance),
        "restartCount": instance, "state": {"running": {"startedAt": times.second(instance)}},
    });
    let before = instance.saturating_sub(1);
    if !is_seen(instance) {
        status["state"] = json!({"waiting": {"reason": "CrashLoopBackOff"}});
        status["containerID"] = json!(id(before));
        status["restartCount"] = json!(before);
    }
    if before < instance && is_seen(before) {
        status["lastState"] = json!({"terminated": {
            "containerID": id(before), "exitCode": 1, "reason": "Error",
            "startedAt": times.second(before), "finishedAt": times.second(instance)}});
    }
    let object_ref = json!({"resource": "pods", "subresource": "status", "namespace": "shop", "name": "web",
        "apiVersion": "v1"});
    let mut event = event(
        &times.second(instance),
        "patch",
        "system:node:node-1",
        object_ref,
    );
    event["auditID"] = json!(format!("patch-{instance}"));
    event["responseObject"] = pod(times, instance, json!([status]));
    event
}

/// The kubelet's last DELETE.
fn removed(times: &Times) -> Value {
    let object_ref =
        json!({"resource": "pods", "namespace": "shop", "name": "web", "apiVersion": "v1"});
    let mut event = event(&Times::now(), "delete", "system:node:node-1", object_ref);
    let mut pod = pod(times, RESTARTS, json!([]));
    pod["metadata"]["deletionTimestamp"] = json!(times.second(RESTARTS));
    pod["metadata"]["deletionGracePeriodSeconds"] = json!(0);
    event["requestObject"] =
        json!({"kind": "DeleteOptions", "apiVersion": "v1", "gracePeriodSeconds": 0});
    event["responseObject"] = pod;
    event
}

fn number(bygone: &Bygone, question: &str) -> u64 {
    support::number(&bygone.database, question)
}

/// What holds however much of it is filed.
fn check(bygone: &Bygone, removed: bool) {
    let unseen = RESTARTS / UNSEEN_ONE_IN;
    let unknown = support::sql(&bygone.database, "SELECT unknown FROM pods");
    // Its kubelet deletes what somebody had asked to end.
    let request = if removed { "'request unseen'," } else { "" };
    let expected = format!("['created unseen',{request}'{unseen} instances unseen']");
    assert_eq!(unknown.trim(), expected);
    let seen = u64::from(RESTARTS - unseen);
    assert_eq!(number(bygone, "SELECT count() FROM containers"), seen);
    let gone = number(
        bygone,
        "SELECT countIf(pod_removed_at IS NOT NULL) FROM containers",
    );
    assert_eq!(gone, if removed { seen } else { 0 });
    // The one that runs has not ended before its pod.
    let ended = number(
        bygone,
        "SELECT countIf(ended_at IS NOT NULL) FROM containers",
    );
    assert_eq!(ended, if removed { seen } else { seen - 1 });
    let state = number(bygone, "SELECT max(length(state)) FROM recent_pods");
    assert!(state <= STATE_BYTES_MAX, "{state} bytes");
}

#[test]
fn of_twenty_thousand_instances() {
    let _alone = support::alone();
    let bygone = Bygone::start();
    let times = Times {
        begin: Timestamp::now() - SignedDuration::from_secs(i64::from(RESTARTS) + 60),
    };
    let begun = Instant::now();
    let instances: Vec<u32> = (0..RESTARTS).collect();
    let bodies = instances.chunks(EVENTS_PER_BODY).map(|instances| {
        let events = instances.iter().map(|instance| started(&times, *instance));
        body(&events.collect::<Vec<_>>())
    });
    bygone.acknowledges(bodies);
    bygone.drained_within(Duration::from_secs(120));
    println!(
        "{} restarts are stored after {:.1?}",
        instances.len(),
        begun.elapsed()
    );
    check(&bygone, false);
    bygone.reconciled();
    check(&bygone, false);
    let begun = Instant::now();
    bygone.post_all([body(&[removed(&times)])]);
    println!("the removal is in every row after {:.1?}", begun.elapsed());
    check(&bygone, true);
    bygone.reconciled();
    check(&bygone, true);
}
