//! What became of requests with options, table answers, odd queries and bodies: a recording of a real API server
//! (`fixtures/options`), whose truth another account read after each request.
//!
//! Where the API server's events don't tell what a request did, the answer has to say so (`truncated`), and must not
//! guess that a pod is gone.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::support::Bygone;

/// Pods that are told right without a mark, at least: an answer that doubts everything is none.
const PLAIN_MIN: usize = 700;

fn lines(name: &str) -> Vec<Value> {
    let path = format!("{}/fixtures/options/{name}", env!("CARGO_MANIFEST_DIR"));
    let packed = std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let text = String::from_utf8(zstd::decode_all(&packed[..]).expect("zstd")).expect("text");
    let lines = text.lines().map(serde_json::from_str);
    lines.map(|line| line.expect("JSON")).collect()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum State {
    Alive,
    Terminating,
    Gone,
}

fn truth(pod: &Value) -> State {
    match (&pod["exists"], &pod["deletion_timestamp"]) {
        (Value::Bool(false), _) => State::Gone,
        (_, Value::Null) => State::Alive,
        _ => State::Terminating,
    }
}

fn has_unknown(row: &Value, word: &str) -> bool {
    let unknown = row["unknown"].as_array().expect("a list");
    unknown.iter().any(|part| part == word)
}

fn told(row: &Value) -> State {
    // No kubelet is there that would delete what has ended. It is told to be over ten minutes after its deadline, which is
    // after all of this.
    let is_gone = has_unknown(row, "removal unseen") && row["gone_proof"] != "grace over";
    if !row["removed_at"].is_null() || is_gone {
        State::Gone
    } else if row["delete_asked_at"].is_null() {
        State::Alive
    } else {
        State::Terminating
    }
}

/// A pod, what was true of it at the end, and the requests about it.
struct Pod<'t> {
    name: &'t str,
    state: State,
    requests: Vec<&'t Value>,
}

fn pods(truth_lines: &[Value]) -> BTreeMap<&str, Pod<'_>> {
    let mut pods = BTreeMap::new();
    for line in truth_lines.iter().filter(|line| line["case"] == "end") {
        let pod = &line["pods"][0];
        // Without a uid it never came to be.
        let Some(uid) = pod["uid"].as_str() else {
            continue;
        };
        let (name, state) = (pod["name"].as_str().expect("a name"), truth(pod));
        let requests = Vec::new();
        let pod = Pod {
            name,
            state,
            requests,
        };
        pods.insert(uid, pod);
    }
    for line in truth_lines.iter().filter(|line| line["case"] != "end") {
        for pod in line["pods"].as_array().expect("pods") {
            let uid = pod["uid"].as_str().unwrap_or_default();
            if let Some(pod) = pods.get_mut(uid) {
                pod.requests.push(line);
            }
        }
    }
    pods
}

#[test]
fn every_pod_is_told_as_it_was_or_marked() {
    let (events, truth_lines) = (lines("events.jsonl.zst"), lines("truth.jsonl.zst"));
    let requests = truth_lines.iter().filter(|line| line["case"] != "end");
    assert!(requests.count() >= 300, "requests");
    let bodies: Vec<String> = events.iter().map(Value::to_string).collect();
    let bygone = Bygone::start();
    let bodies = bodies.chunks(400).map(|lines| lines.join("\n"));
    bygone.post_all(bodies);
    bygone.drained();
    let rows = bygone.rows(&["pods"]);
    let uid_of = |row: &Value| row["pod_uid"].as_str().expect("a uid").to_owned();
    let rows: BTreeMap<String, &Value> = rows.iter().map(|row| (uid_of(row), row)).collect();

    let all = events.iter().map(Value::to_string).collect::<String>();
    let (mut plain, mut marked, mut wrong) = (0, 0, Vec::new());
    let mut unheard_of = BTreeSet::new();
    for (uid, pod) in pods(&truth_lines) {
        let cases: Vec<&str> = pod
            .requests
            .iter()
            .filter_map(|it| it["case"].as_str())
            .collect();
        let Some(row) = rows.get(uid) else {
            if all.contains(uid) {
                wrong.push(format!("{}: no row; {cases:?}", pod.name));
            }
            unheard_of.insert(pod.name);
            continue;
        };
        let (told, is_marked) = (told(row), has_unknown(row, "truncated"));
        match (told == pod.state, is_marked) {
            (true, false) => plain += 1,
            // What is marked may be less than the truth, never more.
            (_, true) if told <= pod.state => marked += 1,
            _ => wrong.push(format!(
                "{}: {:?}, told {told:?}; {cases:?}",
                pod.name, pod.state
            )),
        }
        let by = &row["delete_asked_by"];
        if let ([request], false) = (&pod.requests[..], by.is_null())
            && request["user"] == "mallory"
            && request["method"] != "PATCH"
            && by != "mallory"
        {
            wrong.push(format!("{}: asked by {by}; {cases:?}", pod.name));
        }
    }
    println!(
        "{plain} right, {marked} marked, {} of which no event tells the uid",
        unheard_of.len()
    );
    assert!(
        wrong.is_empty(),
        "{} wrong:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    assert!(plain >= PLAIN_MIN, "{plain} right without a mark");
    assert!(unheard_of.len() <= 10, "{unheard_of:?}");
}
