//! A bygone with made-up pods, and reconcile beside it.

use std::process::{Child, Command, Output};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::support::{
    self, Bygone, number, on_shared, recording_a, run, sql, stderr, stdout, wait_for,
};

pub const NO_RECONCILE: (&str, &str) = ("BYGONE_RECONCILE_ENABLED", "false");

/// So many seconds before now the pods were created. Events are of now, as late ones would wait for others.
pub const CREATED: i64 = 3_600;

/// When they were removed, in seconds after that, where a test says nothing else.
pub const REMOVED: u64 = 3_660;

/// A bygone whose pods are made up.
pub struct Cluster {
    pub bygone: Bygone,
    /// When its pods were created.
    pub begin: Timestamp,
}

impl Cluster {
    /// Nobody reconciles it but the test. Its pods were created an hour ago: younger ones can't have been filed,
    /// and nobody looks for them there.
    pub fn start() -> Cluster {
        Cluster::start_set(&[NO_RECONCILE])
    }

    pub fn start_set(set: &[(&'static str, &str)]) -> Cluster {
        let begin = Timestamp::now().as_second() - CREATED;
        Cluster {
            bygone: Bygone::start_set(set),
            begin: Timestamp::from_second(begin).expect("a time"),
        }
    }

    /// So many seconds after the pods were created.
    pub fn at(&self, seconds: u64) -> String {
        let at = self.begin + SignedDuration::from_secs(seconds as i64);
        at.strftime("%Y-%m-%dT%H:%M:%S.000000Z").to_string()
    }

    pub fn event(&self, at: u64, verb: &str, number: u64) -> Value {
        let name = format!("web-{number}");
        let at = self.at(at);
        json!({
            "kind": "Event", "apiVersion": "audit.k8s.io/v1", "level": "RequestResponse",
            "auditID": format!("{verb}-{at}-{name}"), "stage": "ResponseComplete", "requestURI": "/", "verb": verb,
            "user": {"username": "system:node:node-1"}, "responseStatus": {"code": 200},
            "objectRef": {"resource": "pods", "namespace": "shop", "name": name, "apiVersion": "v1"},
            "requestReceivedTimestamp": at, "stageTimestamp": at,
        })
    }

    /// A kubelet reports that a pod runs.
    pub fn runs(&self, number: u64) -> Value {
        let mut event = self.event(REMOVED - 30, "patch", number);
        event["objectRef"]["subresource"] = json!("status");
        event["responseObject"] = json!({
            "kind": "Pod", "apiVersion": "v1",
            "metadata": {"name": format!("web-{number}"), "namespace": "shop", "uid": uid(number),
                "resourceVersion": "7", "creationTimestamp": self.at(0).replace(".000000", "")},
            "spec": {"nodeName": "node-1", "containers": [{"name": "main", "image": "web:1"}]},
            "status": {"phase": "Running", "containerStatuses": [{
                "name": "main", "image": "web:1", "imageID": "", "restartCount": 0, "ready": true,
                "containerID": format!("containerd://{number:064}"),
                "state": {"running": {"startedAt": self.at(1).replace(".000000", "")}}}]},
        });
        event
    }

    /// A kubelet removes a pod. The last removal counts.
    pub fn removed(&self, at: u64, number: u64) -> Value {
        let mut event = self.event(at, "delete", number);
        event["level"] = json!("Request");
        event["requestObject"] = json!({"kind": "DeleteOptions", "apiVersion": "v1",
            "gracePeriodSeconds": 0, "preconditions": {"uid": uid(number)}});
        event
    }

    /// Posts events of pods of which some can't be folded: their load is never noted.
    pub fn post_what_is_refused(&self, events: &[Value]) {
        let list = json!({"kind": "EventList", "apiVersion": "audit.k8s.io/v1", "items": events});
        self.bygone.post_all([list.to_string()]);
    }

    pub fn post(&self, events: &[Value]) {
        let before = self.unnoted();
        self.post_what_is_refused(events);
        // That loads are part of the lives is noted a little later.
        wait_for("noted loads", || (self.unnoted() <= before).then_some(()));
    }

    /// Loads of which it is not noted that they are part of the lives.
    fn unnoted(&self) -> u64 {
        let unnoted = "SELECT uniqExact(writer, load) FROM facts WHERE (writer, load) NOT IN (SELECT writer, load FROM loads)";
        number(&self.bygone.database, unnoted)
    }

    /// Posts pods that ran and were removed.
    pub fn post_ended(&self, numbers: std::ops::Range<u64>) {
        let events: Vec<Value> = numbers
            .flat_map(|number| [self.runs(number), self.removed(REMOVED, number)])
            .collect();
        self.post(&events);
    }

    /// `bygone reconcile`, as if it were later.
    pub fn command(&self, minutes_later: i64, args: &[&str]) -> Command {
        let clock = Timestamp::now() + SignedDuration::from_mins(minutes_later);
        let clock = clock.to_string();
        let all = [&["reconcile", "--clock", &*clock], args].concat();
        on_shared(&self.bygone.database, &all)
    }

    pub fn reconcile(&self, minutes_later: i64) -> String {
        done(&run(&mut self.command(minutes_later, &[])))
    }

    /// Makes every recent row one that was read an hour ago, so that it may be filed, and readers know that.
    pub fn grow_old(&self) {
        for table in ["recent_pods", "recent_containers"] {
            let older = format!(
                "ALTER TABLE {table} UPDATE read_at = read_at - 3600 WHERE 1 SETTINGS mutations_sync = 2"
            );
            sql(&self.bygone.database, &older);
        }
    }

    pub fn count(&self, table: &str) -> u64 {
        number(
            &self.bygone.database,
            &format!("SELECT count() FROM {table}"),
        )
    }

    /// Pods and containers, as answers show them.
    pub fn lives(&self) -> String {
        let pods = "SELECT * FROM pods ORDER BY cluster, namespace, pod, pod_uid FORMAT TSV";
        let containers = "SELECT * FROM containers \
                          ORDER BY cluster, namespace, pod, pod_uid, container, container_id FORMAT TSV";
        let database = &self.bygone.database;
        sql(database, pods) + &sql(database, containers)
    }

    pub fn post_recording(&self) {
        let bodies = support::read(&recording_a(), "bodies.jsonl");
        self.bygone.post_all(bodies.lines().map(str::to_owned));
    }
}

pub fn uid(number: u64) -> String {
    format!("{:08x}-0000-4000-8000-{number:012}", number + 1)
}

/// What it did; it may have found nothing to do.
pub fn done(output: &Output) -> String {
    let code = output.status.code();
    assert!(matches!(code, Some(0 | 1)), "{}", stderr(output));
    stdout(output)
}

pub fn wait_done(child: Child) -> String {
    done(&child.wait_with_output().expect("a child"))
}

/// The number behind a word of what reconcile printed.
pub fn said(outcome: &str, words: &str) -> u64 {
    let behind = outcome
        .split_once(words)
        .map(|(_, behind)| behind.trim_start());
    let number = behind.and_then(|behind| behind.split([' ', ',']).next());
    number.and_then(|number| number.parse().ok()).unwrap_or(0)
}
