//! What a real OpenTelemetry Collector writes: it reads a node's files as kubelets lay them out, by the filelog receiver
//! with the container operator, and sends their lines to every store.

use std::fmt::Write;
use std::fs::{File, create_dir_all};
use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use jiff::SignedDuration;
use reqwest::Method;
use serde_json::Value;

use super::search::{Mapping, Template};
use super::server::{self, beside, recorded};
use super::written::{self, Instance, Line, Told};
use super::{check_all, loki, relay, search, victorialogs};
use crate::support::{self, shared, sql, wait_longer_for};

/// How much longer than other things all lines may take to be in the stores.
const SENT_WAIT: Duration = Duration::from_secs(60);

const LOKI_TENANT: &str = "collector";
const VICTORIALOGS_ACCOUNT: u32 = 40;
/// The data stream that the exporter writes to by default.
const DATA_STREAM: &str = "logs-generic.otel-default";

#[test]
fn every_instance_as_a_collector_writes_it() {
    let written = &recorded().written;
    let folder = tempfile::tempdir().expect("a folder");
    write_files(folder.path(), written);
    // As Elasticsearch has one of its own.
    search::shared().template(&Template {
        name: "logs-otel",
        pattern: "logs-*.otel-*",
        mapping: Mapping::Keywords,
        shards: 1,
        is_stream: true,
    });
    let config = folder.path().join("config.yaml");
    std::fs::write(&config, configuration(folder.path())).expect("written");
    let config = config.display().to_string();
    server::start("otelcol.sh", folder.path(), &[&config]);
    wait_for_all(folder.path(), written.len());

    let (loki, victorialogs) = (&loki::LOADED.server, &victorialogs::LOADED.server);
    for (preset, more) in [
        ("otel-clickhouse", "from = \"collected\"".to_owned()),
        (
            "otel-clickhouse-json",
            "from = \"collected_json\"".to_owned(),
        ),
        (
            "otel-loki",
            format!("address = {:?}\ntenant = {LOKI_TENANT:?}", loki.address),
        ),
        (
            "otel-victorialogs",
            format!(
                "address = {:?}\ntenant = \"{VICTORIALOGS_ACCOUNT}\"",
                victorialogs.address
            ),
        ),
        (
            "otel-elasticsearch",
            format!(
                "kind = \"opensearch\"\naddress = {:?}",
                search::shared().server.address
            ),
        ),
    ] {
        let store = format!("[[logs]]\nname = \"collected\"\npreset = {preset:?}\n{more}\n");
        let bygone = beside(&store);
        let counts = check_all(&bygone, written, Told::Restart);
        println!("{preset}: {counts:?}");
        assert!(counts.instances > 150, "{preset}: {counts:?}");
        assert_eq!(counts.blurred, 0, "{preset}: {counts:?}");
    }
}

/// The files of all instances: some rotated, some lines in parts.
fn write_files(node: &Path, written: &[Line]) {
    for (number, instance) in written::instances(written).into_iter().enumerate() {
        let Instance {
            namespace,
            pod,
            folder_uid,
            container,
            restart,
            ..
        } = &instance;
        let folder = format!("var/log/pods/{namespace}_{pod}_{folder_uid}/{container}");
        let folder = node.join(folder);
        create_dir_all(&folder).expect("a folder");
        let lines = written.iter().filter(|line| line.instance == instance);
        let lines: Vec<&Line> = lines.collect();
        let (old, new) = lines.split_at(number % 3 * 2);
        if !old.is_empty() {
            let rotated = folder.join(format!("{restart}.log.20261123-061504"));
            write_file(&rotated, old);
            // The kubelet compresses the oldest ones, which were read before.
            File::create(folder.join(format!("{restart}.log.20261123-061400.gz"))).expect("a file");
        }
        write_file(&folder.join(format!("{restart}.log")), new);
    }
}

/// Lines as containerd writes them: those over 16 KiB, here those of standard error, in parts.
fn write_file(path: &Path, lines: &[&Line]) {
    let mut text = String::new();
    for Line {
        at,
        stream,
        text: line,
        ..
    } in lines.iter().copied()
    {
        let mut rest = &**line;
        while *stream == "stderr" && rest.len() > 20 {
            // The receiver drops blanks at the end, unless it is told to keep them.
            let (part, behind) = rest.split_at(rest[..20].trim_end().len());
            writeln!(text, "{at:.9} {stream} P {part}").expect("a string");
            rest = behind;
        }
        // Each part has a time of its own.
        let at = *at + SignedDuration::from_nanos(50);
        writeln!(text, "{at:.9} {stream} F {rest}").expect("a string");
    }
    let mut file = File::create(path).expect("a file");
    file.write_all(text.as_bytes()).expect("written");
}

/// As its documentation shows, but for the folder in front of `/var/log/pods`.
fn configuration(node: &Path) -> String {
    let pods = node.join("var/log/pods");
    let password = std::fs::read_to_string(&shared().password_file).expect("a password");
    let clickhouse = |table: &str, json: bool| {
        format!(
            "
    endpoint: {}
    username: {}
    password: {}
    database: {}
    logs_table_name: {table}
    create_schema: true
    json: {json}
    async_insert: false",
            shared().url,
            shared().user,
            password.trim(),
            recorded().bygone.database,
        )
    };
    format!(
        "
receivers:
  file_log:
    include: [{pods}/*/*/*.log, {pods}/*/*/*.log.*]
    exclude: [{pods}/*/*/*.gz]
    start_at: beginning
    include_file_path: true
    operators:
    - type: container
exporters:
  clickhouse: {clickhouse}
  clickhouse/json: {clickhouse_json}
  otlp_http/loki:
    endpoint: {loki}/otlp
    headers: {{ X-Scope-OrgID: {LOKI_TENANT} }}
  otlp_http/victorialogs:
    logs_endpoint: {victorialogs}/insert/opentelemetry/v1/logs
    headers: {{ AccountID: \"{VICTORIALOGS_ACCOUNT}\" }}
  elasticsearch:
    endpoints: [{elasticsearch}]
    compression: none
    mapping: {{ mode: otel }}
service:
  telemetry: {{ metrics: {{ level: none }}, logs: {{ level: warn }} }}
  pipelines:
    logs:
      receivers: [file_log]
      exporters: [clickhouse, clickhouse/json, otlp_http/loki, otlp_http/victorialogs, elasticsearch]
",
        pods = pods.display(),
        clickhouse = clickhouse("collected", false),
        clickhouse_json = clickhouse("collected_json", true),
        loki = loki::LOADED.server.address,
        victorialogs = victorialogs::LOADED.server.address,
        elasticsearch = relay::start(search::shared()),
    )
}

/// Returns when every store has all lines.
fn wait_for_all(folder: &Path, lines: usize) {
    let wait_for = |store: &str, count: &dyn Fn() -> Option<usize>| {
        wait_longer_for(&format!("all lines in {store}"), SENT_WAIT, || {
            let said = std::fs::read_to_string(folder.join("log")).unwrap_or_default();
            assert!(said.lines().all(|line| line.contains("\twarn\t")), "{said}");
            (count()? == lines).then_some(())
        });
    };
    let database = &recorded().bygone.database;
    for table in ["collected", "collected_json"] {
        let count = format!(
            "SELECT sum(total_rows) FROM system.tables WHERE database = currentDatabase() AND name = '{table}'"
        );
        wait_for(table, &|| sql(database, &count).trim().parse().ok());
    }
    let node = search::shared();
    wait_for(DATA_STREAM, &|| {
        node.call(Method::POST, "/_refresh", String::new());
        let path = format!("/{DATA_STREAM}/_count?ignore_unavailable=true");
        let answer = node.call(Method::GET, &path, String::new());
        answer["count"].as_u64()?.try_into().ok()
    });
    let victorialogs = &victorialogs::LOADED;
    wait_for("VictoriaLogs", &|| {
        victorialogs.flush();
        let request = victorialogs
            .server
            .request(Method::POST, "/select/logsql/query")
            .header("AccountID", VICTORIALOGS_ACCOUNT)
            .query(&[("query", "* | stats count() lines")]);
        let answer = support::block_on(async {
            let response = request.send().await.ok()?;
            Some(support::text_of(response).await)
        });
        let answer: Value = serde_json::from_str(&answer?).ok()?;
        answer["lines"].as_str()?.parse().ok()
    });
    loki::LOADED.flushed(LOKI_TENANT, lines);
}
