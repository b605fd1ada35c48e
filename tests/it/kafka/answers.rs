//! The answers equal the truth, with two members; and reading everything again changes none.

use std::path::Path;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::broker::{Record, shared};
use super::members::{Group, partitions, statuses};
use crate::support::{self, BYGONE, Bygone, plain, run, stderr, stdout, wait_for};
use crate::truth;

const PARTITIONS: i32 = 12;

/// How a forwarder puts a line of `audit.log` into a record.
#[derive(Clone, Copy, Debug)]
enum Form {
    Plain,
    /// Fluent Bit's tail without a parser: the line as text, beside a time in seconds.
    FluentBit,
    /// OpenShift's forwarder: its fields beside the event's, the level overwritten.
    Viaq,
}

impl Form {
    fn of(self, line: &str, sequence: usize) -> String {
        if let Form::Plain = self {
            return line.to_owned();
        }
        let mut event: Value = serde_json::from_str(line).expect("an event");
        let time = event["stageTimestamp"].clone();
        if let Form::FluentBit = self {
            let time: Timestamp = time
                .as_str()
                .and_then(|at| at.parse().ok())
                .expect("a time");
            let time = time.as_microsecond() as f64 / 1e6;
            return json!({ "@timestamp": time, "log": line }).to_string();
        }
        let level = std::mem::replace(&mut event["level"], json!("default"));
        for (key, value) in [
            ("@timestamp", time.clone()),
            ("timestamp", time),
            ("hostname", json!("master-0")),
            ("log_type", json!("audit")),
            ("log_source", json!("kubeAPI")),
            ("tag", json!(".k8s-audit.log")),
            (
                "openshift",
                json!({ "cluster_id": "a-uuid", "sequence": sequence }),
            ),
            ("k8s_audit_level", level),
        ] {
            event[key] = value;
        }
        event.to_string()
    }
}

/// Each event as a record, spread over the partitions: only their own time orders them.
fn records(folder: &Path, form: Form) -> Vec<Record> {
    let log = support::read(folder, "audit.log");
    let lines = log.lines().enumerate();
    lines
        .map(|(number, line)| {
            let partition = number as i32 % PARTITIONS;
            Record::new(partition, form.of(line, number))
        })
        .collect()
}

fn assigned(bygone: &Bygone) -> usize {
    partitions(bygone).len()
}

/// A topic, and a group of two members that share its partitions.
fn two_members(topic: &str) -> (Group, [Bygone; 2]) {
    let group = Group::new(shared(), topic, PARTITIONS, "");
    let members = [group.join(), group.join()];
    wait_for("partitions for both", || {
        let all = PARTITIONS as usize;
        let counts = [assigned(&members[0]), assigned(&members[1])];
        (counts == [all / 2, all / 2]).then_some(())
    });
    (group, members)
}

/// Two members tell the truth of a recording that is produced in this form.
fn tells(folder: &Path, form: Form, removals_missed_max: usize) {
    let recording = folder.file_name().expect("a name").to_string_lossy();
    let name = format!("{recording}-{form:?}");
    let (group, members) = two_members(&name);
    shared().produce(&group.topic, records(folder, form));
    group.drained(shared());
    truth::answers_equal(folder, &members[1], &name, removals_missed_max);
}

#[test]
fn in_the_forms_of_forwarders() {
    for form in [Form::FluentBit, Form::Viaq] {
        let missed = truth::RECORDING_A_REMOVALS_MISSED;
        tells(&support::recording_a(), form, missed);
    }
}

#[test]
fn recording_load_in_every_form() {
    let Some(folder) = support::corpus("recording-load") else {
        return;
    };
    for form in [Form::Plain, Form::FluentBit, Form::Viaq] {
        tells(&folder, form, 0);
    }
}

#[test]
fn two_members_tell_the_truth_and_reading_again_changes_nothing() {
    let broker = shared();
    let (group, mut members) = two_members("recording-a");
    let records = records(&support::recording_a(), Form::Plain);
    let count = records.len() as i64;
    broker.produce(&group.topic, records);
    group.drained(broker);
    let equal = |bygone: &Bygone, how: &str| {
        let missed = truth::RECORDING_A_REMOVALS_MISSED;
        truth::answers_equal(&support::recording_a(), bygone, how, missed);
    };
    equal(&members[0], "through Kafka");

    // Quiet: what is reported is exact.
    let mut positions = 0;
    for member in &members {
        for status in partitions(member) {
            assert_eq!(status["state"], "running", "{status}");
            assert_eq!(status["lag"], 0, "{status}");
            assert_eq!(status["position"], status["end"], "{status}");
            assert_eq!(status["position"], status["committed"], "{status}");
            assert!(status["oldest_seconds"].is_null(), "{status}");
            positions += status["position"].as_i64().expect("a position");
        }
    }
    assert_eq!(positions, count);
    let before = answers(&members[0]);

    // The operator's way to read again: stop, reset, start.
    for member in &mut members {
        assert!(member.stop().success(), "{}", member.log());
    }
    broker.reset(&group.topic, &group.topic, PARTITIONS, 0);
    let again = group.join();
    group.drained(broker);
    equal(&again, "through Kafka again");
    assert_eq!(answers(&again), before);
    let taken = again.metrics();
    let taken = taken
        .lines()
        .find_map(|line| line.strip_prefix("bygone_kafka_records_total "));
    assert_eq!(taken, Some(&*count.to_string()), "it read everything again");
}

/// Everything that people can see of pods and containers.
fn answers(bygone: &Bygone) -> [String; 2] {
    ["pods", "containers"].map(|what| stdout(&bygone.get(&[what, "-A", "-o", "json"])))
}

#[test]
fn the_cluster_is_told_by_topic_header_or_key() {
    let broker = shared();
    let more = "cluster_from = [\"header\", \"topic\", \"key\"]\n\
                cluster_by_topic = { other = \"by-topic\" }";
    let group = Group::new(broker, "clusters", 2, more);
    let member = group.join();
    let body = |pod: u64| crate::load::body(pod).into_bytes();
    broker.produce(
        &group.topic,
        [
            Record {
                key: Some("by-key".to_owned()),
                ..Record::new(0, body(0))
            },
            Record {
                key: Some("by-key".to_owned()),
                headers: vec![("cluster".to_owned(), "by-header".to_owned())],
                ..Record::new(1, body(1))
            },
            Record::new(0, body(2)),
        ],
    );
    group.drained(broker);
    let mut clusters: Vec<String> = member
        .rows(&["pods", "-A"])
        .iter()
        .map(|row| row["cluster"].as_str().expect("a name").to_owned())
        .collect();
    clusters.dedup();
    clusters.sort();
    clusters.dedup();
    assert_eq!(clusters, ["by-header", "by-key", "demo"]);
}

#[test]
fn status_shows_every_source() {
    let broker = shared();
    let group = Group::new(broker, "status", 2, "");
    let member = group.join();
    wait_for("partitions", || (assigned(&member) == 2).then_some(()));
    broker.produce(&group.topic, [Record::new(0, crate::load::body(0))]);
    group.drained(broker);
    let sources: Vec<String> = statuses(&member)
        .iter()
        .map(|status| status["source"].as_str().expect("a name").to_owned())
        .collect();
    assert_eq!(sources, ["webhook", "kafka", "kafka"]);
    let table = run(plain(BYGONE).args(["sources", "status", "--server", &member.api]));
    assert!(table.status.success(), "{}", stderr(&table));
    expect_test::expect![[r#"
        SOURCE    PLACE      STATE     POSITION   END      LAG      OLDEST   FACTS    LAST ERROR
        webhook   <none>     running   <none>     <none>   <none>   <none>   <none>   <none>
        kafka     status/0   running   1          1        0        <none>   <none>   <none>
        kafka     status/1   running   0          0        0        <none>   <none>   <none>
    "#]]
    .assert_eq(&stdout(&table));
    let metrics = member.metrics();
    for line in [
        "bygone_kafka_lag_records{topic=\"status\",partition=\"0\"} 0",
        "bygone_kafka_oldest_unstored_seconds{topic=\"status\",partition=\"0\"} 0",
        "bygone_kafka_paused 0",
    ] {
        assert!(metrics.contains(line), "{line}: {metrics}");
    }
}
