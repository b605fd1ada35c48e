//! The table that OpenTelemetry's ClickHouse exporter makes.

use std::fmt::Write;
use std::sync::LazyLock;

use serde_json::json;

use super::server::{Recorded, record};
use super::written::{Line, Told};
use super::{ask, check_all, links};
use crate::support::{BYGONE, Bygone, plain, run, shared, sql, stderr, stdout};

/// The columns that count, as the exporter of version 0.149 makes them.
pub const TABLE: &str = "
CREATE TABLE {table}
(
    Timestamp DateTime64(9) CODEC(Delta(8), ZSTD(1)),
    TimestampTime DateTime DEFAULT toDateTime(Timestamp),
    ServiceName LowCardinality(String) CODEC(ZSTD(1)),
    Body String CODEC(ZSTD(1)),
    ResourceAttributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    LogAttributes Map(LowCardinality(String), String) CODEC(ZSTD(1))
)
ENGINE = MergeTree
PARTITION BY toDate(TimestampTime)
PRIMARY KEY (ServiceName, TimestampTime)
ORDER BY (ServiceName, TimestampTime, Timestamp)";

const CONFIG: &str = r#"
[[logs]]
name = "otel"
preset = "otel-clickhouse"

# Asked about no cluster of this test.
[[logs]]
name = "elsewhere"
preset = "otel-clickhouse"
from = "nowhere"
clusters = ["none"]
"#;

pub struct Loaded {
    pub bygone: Bygone,
    written: Vec<Line>,
}

/// An instance that lines were written of.
pub struct Place {
    pub uid: String,
    pub container: String,
    pub container_id: String,
    /// Nanoseconds since 1970 of its first line.
    pub began: i128,
}

impl Loaded {
    /// The first instance of a pod.
    pub fn instance(&self, namespace: &str, pod: &str) -> Place {
        let of_pod =
            |line: &&Line| line.instance.namespace == namespace && line.instance.pod == pod;
        let line = self
            .written
            .iter()
            .find(of_pod)
            .expect("a line of that pod");
        Place {
            uid: line.instance.uid.clone(),
            container: line.instance.container.clone(),
            container_id: line.instance.container_id.clone(),
            began: line.at.as_nanosecond(),
        }
    }
}

/// The one whose store says most.
pub fn strongest() -> &'static Loaded {
    &LOADED[0].1
}

/// A bygone with the recording, whose store has the lines in one table for each thing that is told.
static LOADED: LazyLock<Vec<(Told, Loaded)>> =
    LazyLock::new(|| Told::ALL.map(|told| (told, load(told))).into());

fn load(told: Told) -> Loaded {
    let Recorded { bygone, written } = record(CONFIG);
    let database = &bygone.database;
    sql(database, &TABLE.replace("{table}", "otel_logs"));
    let mut rows = String::new();
    for line in &written {
        writeln!(rows, "{}", row(line, told)).expect("a string");
    }
    // Backwards: the store sorts, and not the order of arrival.
    let rows: Vec<&str> = rows.lines().rev().collect();
    sql(
        database,
        &format!(
            "INSERT INTO otel_logs SETTINGS date_time_input_format = 'best_effort' FORMAT JSONEachRow\n{}",
            rows.join("\n")
        ),
    );
    Loaded { bygone, written }
}

fn row(line: &Line, told: Told) -> serde_json::Value {
    let it = &line.instance;
    let mut resource = json!({
        "k8s.namespace.name": it.namespace,
        "k8s.pod.name": it.pod,
        "k8s.container.name": it.container,
        "k8s.node.name": it.node,
    });
    if told != Told::Names {
        resource["k8s.pod.uid"] = json!(it.folder_uid);
    }
    if matches!(told, Told::ContainerId | Told::Restart) {
        resource["k8s.container.restart_count"] = json!(it.restart.to_string());
    }
    if told == Told::ContainerId {
        resource["container.id"] = json!(it.container_id);
    }
    json!({
        "Timestamp": line.at.to_string(),
        "ServiceName": it.container,
        "Body": line.text,
        "ResourceAttributes": resource,
        "LogAttributes": { "log.iostream": line.stream },
    })
}

#[test]
fn every_instance_by_every_identity() {
    for (told, Loaded { bygone, written }) in LOADED.iter() {
        let counts = check_all(bygone, written, *told);
        println!("{told:?}: {counts:?}");
        assert!(counts.instances > 150, "{counts:?}");
        assert!(
            !told.is_strong() || counts.blurred == 0,
            "{told:?}: {counts:?}"
        );
    }
}

/// The command line asks the same, and says on stderr how it found what it shows.
#[test]
fn lines_on_the_command_line() {
    let (_, Loaded { bygone, written }) = &LOADED[0];
    let line = written
        .iter()
        .find(|line| line.instance.restart == 1)
        .expect("a restart");
    let it = &line.instance;
    let shown = |args: &[&str]| {
        let base = ["logs", &it.pod, "-n", &it.namespace, "-c", &it.container];
        let output = run(plain(BYGONE)
            .args(base)
            .args(args)
            .args(["--server", &bygone.api]));
        (output.status.code(), stdout(&output), stderr(&output))
    };
    let (code, text, told) = shown(&["--instance", "1"]);
    let expected: Vec<&str> = written
        .iter()
        .filter(|line| line.instance == *it)
        .map(|line| &*line.text)
        .collect();
    let mut given: Vec<&str> = text.lines().collect();
    // Lines of one instant have no order.
    given.sort_unstable();
    assert_eq!((code, given), (Some(0), expected.clone()), "{told}");
    let name = format!("{}/{}/{}", it.namespace, it.pod, it.container);
    assert_eq!(
        told.trim(),
        format!("6 lines of {name} (instance 1) in otel, by container ID")
    );
    let (_, text, told) = shown(&["--instance", "1", "--tail", "2"]);
    assert_eq!(text.lines().collect::<Vec<_>>(), &expected[4..], "{told}");
    assert!(told.contains("there are more lines"), "{told}");
    let (_, text, _) = shown(&["--instance", "1", "--head", "1"]);
    assert_eq!(text.lines().collect::<Vec<_>>(), &expected[..1]);
    let (_, text, _) = shown(&["--instance", "1", "--grep", "line [13]$"]);
    let mut given: Vec<&str> = text.lines().collect();
    given.sort_unstable();
    assert_eq!(given, [expected[1], expected[3]]);
    let (code, text, told) = shown(&["--instance", "1", "--grep", "no such"]);
    assert_eq!((code, &*text), (Some(1), ""), "{told}");
    let (_, text, _) = shown(&["--instance", "1", "--head", "1", "--prefix", "-o", "text"]);
    assert_eq!(
        text.trim(),
        format!("[pod/{}/{}] {}", it.pod, it.container, expected[0])
    );
    let (_, text, _) = shown(&["--instance", "0", "-o", "ndjson", "--head", "1"]);
    assert!(text.contains("\"restart\":0"), "{text}");
    let (code, _, told) = shown(&["--instance", "77"]);
    assert_eq!(code, Some(1));
    let searched = "no container instances found: searched all clusters, namespace ";
    assert!(told.starts_with(searched), "{told}");
}

#[test]
fn a_table_that_is_not_there_is_named() {
    let (_, Loaded { bygone, .. }) = &LOADED[0];
    let folder = tempfile::tempdir().expect("a folder");
    let other = Bygone::start_beside(
        bygone.database.clone(),
        "[[logs]]\nname = \"otel\"\npreset = \"otel-clickhouse\"\nfrom = \"elsewhere.lines\"\n",
        folder,
        &[],
    );
    let answer = ask(&other, &[("name", "web-0")]);
    assert_eq!(answer.status, 502, "{}", answer.end);
    // What the store said is for the log; readers see what is missing, as it is configured.
    assert_eq!(answer.end["title"], "A store did not answer");
    let missing = "logs store otel has no table elsewhere.lines";
    let detail = answer.end["detail"].as_str().expect("a detail");
    assert!(detail.starts_with(missing), "{detail}");
    let log = other.log();
    assert!(log.contains(missing), "{log}");
}

/// Such an account may not choose how its statements are planned either.
#[test]
fn an_account_that_may_change_no_setting_reads_lines() {
    let (_, Loaded { bygone, .. }) = &LOADED[0];
    let config = format!(
        "[[logs]]\nname = \"otel\"\npreset = \"otel-clickhouse\"\naddress = \"{}\"\nuser = \"frozen\"\n\
         from = \"{}.otel_logs\"\n",
        shared().url,
        bygone.database
    );
    let folder = tempfile::tempdir().expect("a folder");
    let other = Bygone::start_beside(bygone.database.clone(), &config, folder, &[]);
    for name in ["web-0", "web-1"] {
        let expected = ask(bygone, &[("name", name)]).lines;
        assert!(!expected.is_empty());
        assert_eq!(ask(&other, &[("name", name)]).lines, expected);
    }
}

/// What the store was asked, on stderr, with nothing in it that commands a terminal.
#[test]
fn what_was_asked_is_explained() {
    let (_, Loaded { bygone, .. }) = &LOADED[1];
    let args = [
        "logs",
        "web-0",
        "-n",
        "statefulset-38e",
        "-c",
        "db",
        "--explain",
        "--grep",
        "line\u{1b}?",
    ];
    let output = run(plain(BYGONE).args(args).args(["--server", &bygone.api]));
    let said = stderr(&output);
    let attempts: Vec<&str> = said
        .lines()
        .filter(|line| line.contains(" was asked for "))
        .collect();
    // By the container ID, which this store does not have, and by the restart number.
    assert_eq!(attempts.len(), 2, "{said}");
    assert!(
        attempts[0].contains(" by container ID: 1 query, 0 pages, 0 lines, 0 bytes, "),
        "{said}"
    );
    let found = " by pod UID, container and restart number: 1 query, 1 page, 6 lines, ";
    assert!(attempts[1].contains(found), "{said}");
    assert!(said.contains("  SELECT toUnixTimestamp64Nano"), "{said}");
    assert!(said.contains("line\\u{1b}?"), "{said}");
    assert!(!said.contains('\u{1b}'), "{said}");
    let told = said.lines().last().expect("a summary");
    assert!(
        told.starts_with("6 lines of statefulset-38e/web-0/"),
        "{said}"
    );
}

/// Grafana's macros are filled in as its data source does.
#[test]
fn links_find_the_same() {
    let (_, Loaded { bygone, written }) = &LOADED[1];
    let config = r#"
[[logs]]
name = "otel"
preset = "otel-clickhouse"

[[logs.links]]
kind = "grafana"
address = "https://grafana.example"
data_source = "P1"
"#;
    let folder = tempfile::tempdir().expect("a folder");
    let linked = Bygone::start_beside(bygone.database.clone(), config, folder, &[]);
    links::check(&linked, written, "grafana", |url| {
        let page = links::Page::grafana(url, "grafana-clickhouse-datasource");
        let (from, to) = (page.from, page.to);
        let statement = page
            .query
            .replace(
                "$__fromTime_ms",
                &format!("fromUnixTimestamp64Milli({from})"),
            )
            .replace("$__toTime_ms", &format!("fromUnixTimestamp64Milli({to})"))
            .replace("$__fromTime", &format!("toDateTime({})", from / 1000))
            .replace("$__toTime", &format!("toDateTime({})", to / 1000));
        let found = sql(&bygone.database, &format!("SELECT body FROM ({statement})"));
        found.lines().map(str::to_owned).collect()
    });
}
