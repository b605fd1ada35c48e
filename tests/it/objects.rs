//! Objects of a cluster that is seen, and what bygone tells of them.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::support::{BYGONE, Bygone, plain, run, sql, stdout, wait_for};

pub fn uid(number: u32) -> String {
    // The nil UUID is none.
    format!("00000000-0000-0000-0001-{number:012}")
}

pub fn ago(seconds: i64) -> String {
    let at = Timestamp::now() - jiff::SignedDuration::from_secs(seconds);
    Timestamp::from_second(at.as_second()).unwrap().to_string()
}

/// A running pod that was made some seconds ago.
pub fn pod(name: &str, number: u32, age: i64) -> Value {
    json!({
        "kind": "Pod", "apiVersion": "v1",
        "metadata": {"name": name, "namespace": "shop", "uid": uid(number), "creationTimestamp": ago(age),
            "managedFields": [{"manager": "kubelet", "time": ago(age - 5)}]},
        "spec": {"nodeName": "node-1", "containers": [{"name": "main", "env": [{"name": "A", "value": "canary"}]}]},
        "status": {"phase": "Running", "startTime": ago(age), "podIP": "10.0.0.1",
            "conditions": [{"type": "PodScheduled", "status": "True", "lastTransitionTime": ago(age)}],
            "containerStatuses": [{"name": "main", "image": "i", "imageID": "d", "restartCount": 0,
                "containerID": format!("containerd://{number:064}"), "state": {"running": {"startedAt": ago(age - 3)}}}]}
    })
}

pub fn node(name: &str) -> Value {
    json!({"kind": "Node", "apiVersion": "v1", "metadata": {"name": name, "uid": uid(9_000), "creationTimestamp": ago(9_000)}})
}

/// One value of a pod, as the table has it; empty while it has none.
pub fn told(bygone: &Bygone, name: &str, what: &str) -> String {
    let statement = format!("SELECT {what} FROM pods WHERE cluster = 'prod' AND pod = '{name}'");
    sql(&bygone.database, &statement).trim().to_owned()
}

pub fn until(bygone: &Bygone, name: &str, what: &str, expected: &str) {
    wait_for(&format!("{what} of {name} is {expected}"), || {
        (told(bygone, name, what) == expected).then_some(())
    });
}

pub fn statuses(bygone: &Bygone, source: &str) -> Vec<Value> {
    let output =
        run(plain(BYGONE).args(["sources", "status", "-o", "ndjson", "--server", &bygone.api]));
    let text = stdout(&output);
    let rows = text
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"));
    rows.filter(|row: &Value| row["source"] == source).collect()
}

pub fn state_of(bygone: &Bygone, source: &str, place: &str) -> Value {
    let all = statuses(bygone, source);
    let found = all.iter().find(|row| row["place"] == place);
    found.cloned().unwrap_or_default()
}

pub fn until_watching(bygone: &Bygone, source: &str) {
    wait_for("all resources are watched", || {
        let all = statuses(bygone, source);
        let watching = |row: &Value| {
            row["state"]
                .as_str()
                .is_some_and(|it| it.starts_with("watching"))
        };
        (all.len() == 3 && all.iter().all(watching)).then_some(())
    });
}

pub fn begin_again(bygone: &mut Bygone) {
    bygone.spawn_again();
    wait_for("it serves", || bygone.serves().then_some(()));
}

/// Makes a bygone that is away believe that it has been so for ten minutes.
pub fn away_for_long(bygone: &Bygone) {
    let at = (Timestamp::now() - jiff::SignedDuration::from_secs(600)).as_microsecond();
    let statement = format!(
        "INSERT INTO positions (source, cluster, key, position, state, place) \
         SELECT source, cluster, key, position, replaceRegexpOne(state, '\"at\":[0-9]+', '\"at\":{at}'), place \
         FROM positions FINAL WHERE key = 'pods'"
    );
    sql(&bygone.database, &statement);
}

/// Waits until a version at least as new is stored as the position of pods.
pub fn until_positioned(bygone: &Bygone, source: &str, version: u64) {
    wait_for("the position is stored", || {
        let statement = format!(
            "SELECT max(position) FROM positions WHERE source = '{source}' AND key = 'pods'"
        );
        let found: u64 = sql(&bygone.database, &statement).trim().parse().unwrap();
        (found >= version).then_some(())
    });
}
