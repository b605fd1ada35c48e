//! Lines for the demo's containers, made up, in the table that OpenTelemetry's collector writes to.
//!
//! The recording has no logs: an API server does not see them. So every instance gets a few lines between its start and
//! its end, which say what its last reported state says.

use anyhow::Context;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use crate::clickhouse::{Scope, Store};
use crate::query::Container;

/// The table, as the exporter makes it, with the columns that are filled here.
const TABLE: &str = "
CREATE TABLE IF NOT EXISTS otel_logs
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
ORDER BY (ServiceName, TimestampTime, Timestamp)";

const INSERT: &str =
    "INSERT INTO otel_logs SETTINGS date_time_input_format = 'best_effort' FORMAT JSONEachRow";

/// Writes the lines. Returns how many there are.
///
/// # Errors
///
/// When ClickHouse refuses.
pub async fn load(store: &Store, containers: &[Container]) -> anyhow::Result<usize> {
    store
        .execute(TABLE, Scope::Database)
        .await
        .context("otel_logs")?;
    let rows: Vec<String> = containers.iter().flat_map(of_container).collect();
    let insert = format!("{INSERT}\n{}", rows.join("\n"));
    store
        .execute(&insert, Scope::Database)
        .await
        .context("otel_logs")?;
    Ok(rows.len())
}

fn of_container(container: &Container) -> Vec<String> {
    let Some(began) = container.started_at else {
        return Vec::new();
    };
    let began = began.instant;
    let ended = container
        .ended_at
        .map_or(began + SignedDuration::from_secs(20), |it| it.instant);
    let life = ended.duration_since(began);
    let name = &container.container;
    let mut lines = vec![
        (
            SignedDuration::from_millis(40),
            "stdout",
            format!("{name}: starting"),
        ),
        (
            life / 4 + SignedDuration::from_millis(90),
            "stdout",
            format!("{name}: listening on :8080"),
        ),
        (
            life / 2 + SignedDuration::from_millis(310),
            "stdout",
            "GET /healthz 200 1ms".to_owned(),
        ),
        (
            life * 3 / 4 + SignedDuration::from_millis(450),
            "stdout",
            "GET /items 200 12ms".to_owned(),
        ),
    ];
    let last = last_words(container);
    lines.extend(last.map(|text| (life + SignedDuration::from_millis(600), "stderr", text)));
    let lines = lines
        .into_iter()
        .map(|(after, stream, text)| row(container, began + after, stream, &text));
    lines.collect()
}

/// What a process might write before such an end.
fn last_words(container: &Container) -> Option<String> {
    match (container.reason.as_deref(), container.exit_code) {
        (Some("OOMKilled"), _) => Some("cache: 4096 MiB requested, 512 MiB left".to_owned()),
        (_, Some(143)) => Some("signal: terminated, shutting down".to_owned()),
        (_, Some(code)) if code != 0 => Some(format!("fatal: exiting with code {code}")),
        (_, Some(_)) => Some("done".to_owned()),
        (_, None) => None,
    }
}

fn row(container: &Container, at: Timestamp, stream: &str, text: &str) -> String {
    let row = json!({
        "Timestamp": at.to_string(),
        "ServiceName": container.container,
        "Body": text,
        "ResourceAttributes": {
            "k8s.namespace.name": container.namespace,
            "k8s.pod.name": container.pod,
            "k8s.pod.uid": container.pod_uid.to_string(),
            "k8s.container.name": container.container,
            "k8s.container.restart_count": container.restart.to_string(),
            "k8s.node.name": container.node.clone().unwrap_or_default(),
            "container.id": container.container_id.clone().unwrap_or_default(),
        },
        "LogAttributes": { "log.iostream": stream },
    });
    row.to_string()
}
