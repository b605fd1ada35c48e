//! `bygone logs check`: the block that finds the lines of a store, or what the store has instead.

use serde_json::json;

use super::elastic;
use super::search;
use super::search::Mapping;
use super::server::{self, recorded};
use super::written::Instance;
use super::{ask, clickhouse, loki, victorialogs};
use crate::support::{self, BYGONE, Bygone, environment, plain, run, stderr, stdout};

/// Exit code and report. What is no comment in it is TOML.
fn check(bygone: &Bygone, it: &Instance, args: &[&str]) -> (Option<i32>, String) {
    let pod = format!("{}/{}", it.namespace, it.pod);
    let output = run(plain(BYGONE)
        .args(["logs", "check", &pod])
        .args(["--server", &bygone.api])
        .args(args));
    let text = stdout(&output) + &stderr(&output);
    (output.status.code(), text)
}

/// The block of a report, and a bygone that uses it.
fn block_of(report: &str) -> String {
    let lines = report.lines().filter(|line| !line.starts_with('#'));
    lines.collect::<Vec<_>>().join("\n")
}

/// A bygone with the block that was found shows the lines.
fn follows(beside: &Bygone, it: &Instance, report: &str) -> String {
    let block = block_of(report);
    let folder = tempfile::tempdir().expect("a folder");
    let bygone = Bygone::start_beside(beside.database.clone(), &block, folder, &[]);
    let restart = it.restart.to_string();
    let query = [
        ("uid", &*it.uid),
        ("container", &*it.container),
        ("instance", &*restart),
    ];
    let answer = ask(&bygone, &query);
    assert!(!answer.lines.is_empty(), "{block}: {}", answer.end);
    block
}

#[test]
fn a_search_store_that_is_not_configured() {
    let line = &recorded().written[0];
    let it = &line.instance;
    let recorded = &recorded().bygone;
    elastic::template("checked", Mapping::Keywords, 1, false);
    let record = ("checked.2026.11.24".to_owned(), elastic::filebeat(line));
    search::shared().write(&[record]);
    let address = &*search::shared().server.address;
    let store = ["--kind", "opensearch", "--address", address];
    // By the name of its indices.
    let named = [&store[..], &["--index", "checked.*"]].concat();
    let (code, report) = check(recorded, it, &named);
    assert_eq!(code, Some(0), "{report}");
    let block = follows(&server::recorded().bygone, it, &report);
    let expected = "kind = \"opensearch\"\naddress = ";
    assert!(block.contains(expected), "{report}");
    assert!(block.contains("from = \"checked.*\""), "{report}");
    assert!(
        report.contains(" by container ID, the newest of "),
        "{report}"
    );
    assert!(!report.contains(&line.text), "{report}");
    // Without it: in one of all the indices.
    let (code, report) = check(recorded, it, &store);
    assert_eq!(code, Some(0), "{report}");
    follows(&server::recorded().bygone, it, &report);
}

#[test]
fn what_a_search_store_has_instead() {
    let line = &recorded().written[0];
    let record = json!({"@timestamp": line.at.to_string(), "note": {"deep": "secret value"}});
    search::shared().write(&[("unlike-2026.11.24".to_owned(), record)]);
    let (code, report) = {
        let mut nobody = line.instance.clone();
        nobody.pod = "no-such-pod".to_owned();
        check(
            &recorded().bygone,
            &nobody,
            &["--address", "http://127.0.0.1:9", "--kind", "loki"],
        )
    };
    assert_eq!(code, Some(2), "{report}");
    assert!(
        report.contains("no container instances of these pods"),
        "{report}"
    );
    let bygone = elastic::beside("filebeat", "unlike-*");
    let config = bygone.folder.path().join("bygone.toml");
    let config = ["--config", config.to_str().expect("UTF-8")];
    let (code, report) = check(&bygone, &line.instance, &config);
    assert_eq!(code, Some(1), "{report}");
    assert!(
        report.contains("as it is configured (preset filebeat), from unlike-*: no lines"),
        "{report}"
    );
    assert!(!report.contains("secret value"), "{report}");
}

#[test]
fn a_configured_store_is_good() {
    let line = &recorded().written[0];
    elastic::template("good", Mapping::Keywords, 1, false);
    search::shared().write(&[("good.1".to_owned(), elastic::filebeat(line))]);
    let bygone = elastic::beside("filebeat", "good.*");
    let config = bygone.folder.path().join("bygone.toml");
    let config = ["--config", config.to_str().expect("UTF-8")];
    let (code, report) = check(&bygone, &line.instance, &config);
    assert_eq!(code, Some(0), "{report}");
    assert!(
        report.contains("it finds lines as it is configured:\n[[logs]]"),
        "{report}"
    );
}

#[test]
fn an_address_without_a_store() {
    let line = &recorded().written[0];
    let recorded = &recorded().bygone;
    let nobody = format!("http://{}", support::free_address());
    let args = ["--kind", "opensearch", "--address", &nobody];
    let (code, report) = check(recorded, &line.instance, &args);
    assert_eq!(code, Some(1), "{report}");
    assert!(report.contains("cannot be reached"), "{report}");
    assert_eq!(block_of(&report).trim(), "", "{report}");
    // Another kind of store.
    let address = &*search::shared().server.address;
    let args = ["--kind", "victorialogs", "--address", address];
    let (code, report) = check(recorded, &line.instance, &args);
    assert_eq!(code, Some(1), "{report}");
    let output = run(plain(BYGONE)
        .args(["logs", "check", "--server", &recorded.api, "--data-dir"])
        .arg(recorded.folder.path()));
    assert_eq!(output.status.code(), Some(2));
    let text = stderr(&output);
    assert!(text.contains("no logs store is configured here"), "{text}");
}

#[test]
fn victorialogs_as_vlagent_writes_it() {
    let loaded = &*victorialogs::LOADED;
    let line = &loaded.written[0];
    let record = victorialogs::Loaded::vlagent(line, line.at, "text");
    loaded.write(21, &[record]);
    let store = [
        "--kind",
        "victorialogs",
        "--address",
        &*loaded.server.address,
    ];
    let (code, report) = check(
        &recorded().bygone,
        &line.instance,
        &[&store[..], &["--tenant", "21"]].concat(),
    );
    assert_eq!(code, Some(0), "{report}");
    let block = follows(&server::recorded().bygone, &line.instance, &report);
    assert!(block.contains("preset = \"vlagent\""), "{report}");
    // An account without lines has no fields.
    let (code, report) = check(
        &recorded().bygone,
        &line.instance,
        &[&store[..], &["--tenant", "22"]].concat(),
    );
    assert_eq!(code, Some(1), "{report}");
    assert!(
        report.contains("what it has: fields of that day: none"),
        "{report}"
    );
}

#[test]
fn loki_as_alloy_writes_it() {
    let loaded = &*loki::LOADED;
    let line = &loaded.written[0];
    loaded.push(
        "check",
        [loki::alloy(line, line.at.as_nanosecond(), "text")],
    );
    let store = ["--kind", "loki", "--address", &*loaded.server.address];
    let (code, report) = check(
        &recorded().bygone,
        &line.instance,
        &[&store[..], &["--tenant", "check"]].concat(),
    );
    assert_eq!(code, Some(0), "{report}");
    let block = follows(&server::recorded().bygone, &line.instance, &report);
    assert!(block.contains("tenant = \"check\""), "{report}");
    let (code, report) = check(&recorded().bygone, &line.instance, &store);
    assert_eq!(code, Some(1), "{report}");
    assert!(report.contains("refused our credentials"), "{report}");
}

/// Another table of the same form.
#[test]
fn a_table_of_another_name() {
    let strongest = clickhouse::strongest();
    let place = strongest.instance("statefulset-38e", "web-0");
    let database = &strongest.bygone.database;
    let folder = tempfile::tempdir().expect("a folder");
    let config = folder.path().join("bygone.toml");
    let text = "[[logs]]\nname = \"otel\"\npreset = \"otel-clickhouse\"\nfrom = \"nowhere\"\n";
    std::fs::write(&config, text).expect("written");
    let output = run(plain(BYGONE)
        .envs(environment(database))
        .args(["logs", "check", "statefulset-38e/web-0", "--config"])
        .arg(&config));
    let report = stdout(&output) + &stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{report}");
    assert!(
        report.contains("from nowhere: logs store otel has no table"),
        "{report}"
    );
    let block = follows(&strongest.bygone, &clickhouse_instance(&place), &report);
    assert!(block.contains("otel_logs\""), "{report}");
}

fn clickhouse_instance(place: &clickhouse::Place) -> Instance {
    Instance {
        namespace: "statefulset-38e".to_owned(),
        pod: "web-0".to_owned(),
        uid: place.uid.clone(),
        container: place.container.clone(),
        container_id: place.container_id.clone(),
        restart: 0,
        node: String::new(),
        folder_uid: place.uid.clone(),
        kind: "app".to_owned(),
        end_seen: true,
    }
}
