//! `-f`: what comes later, each line once, and instances that start later.

use std::fs::File;
use std::process::{Child, Command};

use jiff::{SignedDuration, Timestamp};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{ask, clickhouse};
use crate::support::{self, BYGONE, Bygone, plain, sql, wait_for, wait_longer_for};

const UID: &str = "00000000-0000-4000-8000-000000000f01";

const CONFIG: &str = "[[logs]]\nname = \"otel\"\npreset = \"otel-clickhouse\"\n";

/// Longer than the longest wait between two questions, on a machine that runs all the tests.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(30);

/// What the kubelet says of the pod's one container.
fn status(at: Timestamp, restart: u32, began: Timestamp, last: Option<Timestamp>) -> String {
    let id = |restart: u32| format!("containerd://{restart:064x}");
    let mut container = json!({
        "name": "app", "containerID": id(restart), "restartCount": restart,
        "state": {"running": {"startedAt": second(began)}},
    });
    if let Some(ended) = last {
        container["lastState"] = json!({"terminated": {
            "containerID": id(restart - 1), "exitCode": 1, "reason": "Error",
            "startedAt": second(ended - SignedDuration::from_secs(100)), "finishedAt": second(ended),
        }});
    }
    let created = second(began - SignedDuration::from_secs(1));
    let event = json!({
        "level": "RequestResponse", "auditID": format!("status-{at}"), "stage": "ResponseComplete",
        "verb": "patch", "requestURI": "/api/v1/namespaces/n/pods/follow-0/status",
        "user": {"username": "system:node:node-1", "groups": ["system:nodes", "system:authenticated"]},
        "objectRef": {"resource": "pods", "namespace": "n", "name": "follow-0", "apiVersion": "v1",
            "subresource": "status"},
        "responseStatus": {"code": 200},
        "stageTimestamp": at.to_string(),
        "responseObject": {
            "kind": "Pod",
            "metadata": {"name": "follow-0", "namespace": "n", "uid": UID, "resourceVersion": "7",
                "creationTimestamp": created},
            "spec": {"nodeName": "node-1"},
            "status": {"phase": "Running", "containerStatuses": [container]},
        },
    });
    json!({"kind": "EventList", "apiVersion": "audit.k8s.io/v1", "items": [event]}).to_string()
}

fn second(at: Timestamp) -> String {
    Timestamp::from_second(at.as_second())
        .expect("a time")
        .to_string()
}

/// Writes lines into the store, as they come from an agent.
fn write(database: &str, restart: u32, lines: &[(Timestamp, &str)]) {
    let rows = lines.iter().map(|(at, text)| {
        let row = json!({
            "Timestamp": at.to_string(), "ServiceName": "app", "Body": text,
            "ResourceAttributes": {
                "k8s.namespace.name": "n", "k8s.pod.name": "follow-0", "k8s.pod.uid": UID,
                "k8s.container.name": "app", "k8s.container.restart_count": restart.to_string(),
            },
        });
        format!("{row}\n")
    });
    sql(
        database,
        &format!(
            "INSERT INTO otel_logs SETTINGS date_time_input_format = 'best_effort' FORMAT JSONEachRow\n{}",
            rows.collect::<String>()
        ),
    );
}

/// The command, with what it has written so far.
struct Follower {
    child: Child,
    folder: TempDir,
}

impl Follower {
    fn start(mut command: Command) -> Follower {
        let folder = tempfile::tempdir().expect("a folder");
        let file = |name: &str| File::create(folder.path().join(name)).expect("a file");
        command.stdout(file("out")).stderr(file("err"));
        let child = command.spawn().expect("bygone starts");
        Follower { child, folder }
    }

    fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.folder.path().join(name)).expect("text")
    }

    fn shows(&self, line: &str) {
        let shown = || self.text("out").lines().any(|shown| shown == line);
        wait_longer_for(line, PATIENCE, || shown().then_some(()));
    }

    /// Ends it as Ctrl-C does. Returns its lines and what it said.
    fn interrupt(mut self) -> (Vec<String>, String) {
        kill_process(Pid::from_child(&self.child), Signal::INT).expect("SIGINT");
        let ended = wait_for("its end", || self.child.try_wait().expect("a child"));
        let said = self.text("err");
        assert_eq!(ended.code(), Some(0), "{said}");
        (self.text("out").lines().map(str::to_owned).collect(), said)
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

#[test]
fn what_comes_later_is_shown_once_also_of_the_next_instance() {
    let bygone = Bygone::start_configured(CONFIG, tempfile::tempdir().expect("a folder"));
    let database = &bygone.database;
    sql(database, &clickhouse::TABLE.replace("{table}", "otel_logs"));
    let now = Timestamp::now();
    let ago = |seconds: i64| now - SignedDuration::from_secs(seconds);
    bygone.post_all([status(ago(100), 0, ago(101), None)]);
    let first = [(90, "a"), (80, "b"), (70, "c"), (60, "d"), (50, "e")];
    write(
        database,
        0,
        &first.map(|(seconds, text)| (ago(seconds), text)),
    );

    let args = ["logs", "follow-0", "-n", "n", "-f", "--tail", "2"];
    let mut by_server = plain(BYGONE);
    by_server.args(args).args(["--server", &bygone.api]);
    let mut direct = support::on_shared(database, &args);
    direct
        .arg("--config")
        .arg(bygone.folder.path().join("bygone.toml"));
    let followers = [by_server, direct].map(Follower::start);
    followers.iter().for_each(|follower| follower.shows("e"));

    // One from before the tail; one that is late; a text that comes again at another time; one of a clock that is ahead.
    let later = [
        (75, "before the tail"),
        (55, "late"),
        (40, "e"),
        (-5, "ahead"),
    ];
    write(
        database,
        0,
        &later.map(|(seconds, text)| (ago(seconds), text)),
    );
    followers
        .iter()
        .for_each(|follower| follower.shows("ahead"));
    write(database, 0, &[(ago(30), "later")]);
    followers
        .iter()
        .for_each(|follower| follower.shows("later"));

    let ended = Timestamp::now();
    bygone.post_all([status(ended, 1, ended, Some(ended))]);
    let begun = ended + SignedDuration::from_millis(1100);
    write(database, 1, &[(begun, "after the restart")]);
    for follower in followers {
        follower.shows("after the restart");
        let (mut lines, said) = follower.interrupt();
        lines.sort_unstable();
        let expected = ["after the restart", "ahead", "d", "e", "e", "late", "later"];
        assert_eq!(lines, expected, "{said}");
        for part in [
            "6 lines of n/follow-0/app (instance 0) in otel",
            "1 line of n/follow-0/app (instance 1) in otel",
        ] {
            assert!(said.contains(part), "{said}");
        }
    }
}

/// An instance that ended long ago gets no more lines.
#[test]
fn what_ended_is_not_waited_for() {
    let loaded = clickhouse::strongest();
    let place = loaded.instance("statefulset-38e", "web-0");
    let query = [
        ("uid", &*place.uid),
        ("container", &*place.container),
        ("instance", "0"),
        ("follow", "true"),
    ];
    let answer = ask(&loaded.bygone, &query);
    assert_eq!(
        (answer.status, answer.lines.len()),
        (200, 6),
        "{}",
        answer.end
    );
    assert_eq!(answer.end["end"]["error"], Value::Null);
    let refused = ask(
        &loaded.bygone,
        &[
            ("name", "web-0"),
            ("follow", "true"),
            ("at", "2026-11-23T06:10:00Z"),
        ],
    );
    assert_eq!(refused.status, 400);
    assert_eq!(refused.end["detail"], "follow and at cannot be combined");
}
