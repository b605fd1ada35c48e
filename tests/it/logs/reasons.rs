//! Why an answer has no lines: what the store has instead.

use jiff::SignedDuration;
use serde_json::{Value, json};

use super::elastic;
use super::search;
use super::search::Mapping;
use super::server::recorded;
use super::written::{Instance, Line};
use super::{Answer, ask, loki, victorialogs};
use crate::support::{self, Bygone};

fn of(bygone: &Bygone, it: &Instance, more: &[(&str, &str)]) -> Answer {
    let restart = it.restart.to_string();
    let mut query = vec![
        ("uid", &*it.uid),
        ("container", &*it.container),
        ("instance", &*restart),
    ];
    query.extend_from_slice(more);
    let answer = ask(bygone, &query);
    assert_eq!(answer.status, 200, "{}", answer.end);
    answer
}

/// The reasons for an instance of which there is no line.
fn why(bygone: &Bygone, it: &Instance, more: &[(&str, &str)]) -> String {
    let answer = of(bygone, it, more);
    assert_eq!(answer.lines.len(), 0, "{}", answer.end);
    let parts = &answer.end["end"]["summary"]["parts"];
    assert_eq!(parts.as_array().map(Vec::len), Some(1), "{parts}");
    let why = parts[0]["why"].as_array().cloned().unwrap_or_default();
    let why = why.iter().map(|why| why.as_str().expect("text"));
    why.collect::<Vec<_>>().join("; ")
}

fn check(bygone: &Bygone, it: &Instance, more: &[(&str, &str)], expected: &str) {
    let why = why(bygone, it, more);
    assert!(why.contains(expected), "{expected:?} is not in {why:?}");
}

/// Writes records into an index of its own.
fn write(name: &str, records: impl IntoIterator<Item = Value>) {
    elastic::template(name, Mapping::Keywords, 1, false);
    let index = format!("{name}.1");
    let records: Vec<_> = records
        .into_iter()
        .map(|record| (index.clone(), record))
        .collect();
    search::shared().write(&records);
}

fn later(line: &Line, hours: i64) -> Line {
    Line {
        at: line.at + SignedDuration::from_hours(hours),
        ..line.clone()
    }
}

/// Another container of the same namespace at the time of the line, or later.
fn neighbour(line: &Line, hours: i64, container: &str) -> Value {
    let mut other = later(line, hours);
    other.instance.uid = "6f1c3f62-6f5c-4d53-8a8e-000000000000".to_owned();
    other.instance.pod = "another".to_owned();
    other.instance.container = container.to_owned();
    other.instance.container_id = "f".repeat(64);
    elastic::filebeat(&other)
}

#[test]
fn what_the_question_left_out() {
    let line = &recorded().written[0];
    let it = &line.instance;
    write("why-question", [elastic::filebeat(line)]);
    let bygone = elastic::beside("filebeat", "why-question.*");
    assert_eq!(of(&bygone, it, &[]).lines.len(), 1);
    let unmatched = "none that matches the regular expression";
    check(&bygone, it, &[("grep", "no such line")], unmatched);
    let from = line.at + SignedDuration::from_millis(1);
    let from = [("from", &*from.to_string())];
    let outside = "not in the time that was asked for: the last one is of ";
    check(&bygone, it, &from, outside);
}

#[test]
fn what_the_store_has_instead() {
    let line = &recorded().written[0];
    let it = &line.instance;
    let namespace = &it.namespace;
    let cases: [(&str, &str, Vec<Value>, String); 6] = [
        (
            "why-retention",
            "filebeat",
            vec![neighbour(line, 30, "any")],
            format!("what the store has of namespace {namespace} begins at "),
        ),
        (
            "why-stopped",
            "filebeat",
            vec![neighbour(line, -30, "any")],
            format!("what the store has of namespace {namespace} ends at "),
        ),
        (
            "why-clock",
            "filebeat",
            vec![elastic::filebeat(&later(line, 3))],
            "its lines have times outside of its life, like ".to_owned(),
        ),
        (
            "why-preset",
            "fluent-bit-elasticsearch",
            vec![elastic::filebeat(line)],
            "finds lines of it, by container ID: set preset = ".to_owned(),
        ),
        (
            "why-container",
            "filebeat",
            vec![neighbour(line, 0, "any")],
            format!(
                "lines of that time of namespace {namespace}, but none of a container {}",
                it.container
            ),
        ),
        (
            "why-quiet",
            "filebeat",
            vec![neighbour(line, 0, &it.container)],
            format!(
                "containers {} of namespace {namespace}, but of other pods",
                it.container
            ),
        ),
    ];
    for (name, preset, records, expected) in cases {
        write(name, records);
        let bygone = elastic::beside(preset, &format!("{name}.*"));
        check(&bygone, it, &[], &expected);
    }
}

/// Of a namespace that a token may not see nothing is said, not even when its lines begin.
#[test]
fn no_reason_is_about_another_namespace() {
    let line = &recorded().written[0];
    let it = &line.instance;
    let mut secret = later(line, 30);
    secret.instance.namespace = "secret-namespace".to_owned();
    secret.instance.container_id = "e".repeat(64);
    secret.instance.uid = "6f1c3f62-6f5c-4d53-8a8e-000000000001".to_owned();
    let mut at_once = secret.clone();
    at_once.at = line.at;
    write("why-secret", [&secret, &at_once].map(elastic::filebeat));
    let folder = tempfile::tempdir().expect("a folder");
    let token = "reader-secret-0123456789";
    std::fs::write(folder.path().join("token"), token).expect("written");
    let config = format!(
        "[[logs]]\nname = \"os\"\npreset = \"filebeat\"\nkind = \"opensearch\"\naddress = \"{}\"\nfrom = \"why-secret.*\"\n\
         [[access.api]]\ntoken_file = \"{{dir}}/token\"\nclusters = [\"*\"]\nnamespaces = [\"{}\"]\nlogs = true\n",
        search::shared().server.address,
        it.namespace
    );
    let database = recorded().bygone.database.clone();
    let bygone = Bygone::start_beside(database, &config, folder, &[]);
    let text = support::block_on(async {
        let request = support::client().get(format!("{}/api/v1/logs", bygone.api));
        let query = [("uid", &*it.uid), ("all_containers", "true")];
        let request = request.bearer_auth(token).query(&query);
        support::text_of(request.send().await.expect("an answer")).await
    });
    let nothing = format!("the store has no lines of namespace {}", it.namespace);
    assert!(text.contains(&nothing), "{text}");
    let begins = secret.at.to_string()[..16].to_owned();
    for foreign in [&*begins, "secret-namespace", "eeeeeeee", "000000000001"] {
        assert!(!text.contains(foreign), "{foreign}: {text}");
    }
}

#[test]
fn another_preset_of_victorialogs() {
    let loaded = &*victorialogs::LOADED;
    let line = &loaded.written[0];
    let record = victorialogs::Loaded::vlagent(line, line.at, "text");
    loaded.write(20, &[record]);
    let bygone = loaded.asking(20, "otel-victorialogs", "");
    let expected = "no record of those weeks has fields k8s.namespace.name, k8s.pod.name, ";
    check(&bygone, &line.instance, &[], expected);
    let expected = "preset vlagent finds lines of it, by names";
    check(&bygone, &line.instance, &[], expected);
}

#[test]
fn another_preset_of_loki() {
    let loaded = &*loki::LOADED;
    let line = &loaded.written[0];
    loaded.push("why", [loki::alloy(line, line.at.as_nanosecond(), "text")]);
    let bygone = loaded.asking("why", "kube-logging-loki", "");
    let why = why(&bygone, &line.instance, &[]);
    // Promtail and Alloy have the same labels.
    assert!(why.contains(" finds lines of it, by names"), "{why}");
    let bygone = loaded.asking("why", "otel-loki", "");
    let field = "no record of those weeks has fields stream:k8s_namespace_name, ";
    check(&bygone, &line.instance, &[], field);
}

/// However many instances have no lines, only a few are looked into, and the answer says so.
#[test]
fn a_few_instances_are_looked_into() {
    let line = &recorded().written[0];
    write("why-many", [neighbour(line, 30, "any")]);
    let bygone = elastic::beside("filebeat", "why-many.*");
    let answer = ask(&bygone, &[("name", "*"), ("from", "2026-11-23T06:00:00Z")]);
    let summary = &answer.end["end"]["summary"];
    let parts = summary["parts"].as_array().expect("parts");
    let explained = parts.iter().filter(|part| !part["why"].is_null()).count();
    assert_eq!(explained, 5, "{summary}");
    assert_eq!(summary["not_examined"], json!(parts.len() - 5));
}
