//! Logs and metrics: where they go and what they are called.
//!
//! A leaf. Names of metrics are `bygone_<room>_<thing>_<unit>[_total]`, here and nowhere else. Those of the process
//! itself (`process_cpu_seconds_total`, `process_resident_memory_bytes`, ...) are named as Prometheus' clients do.
//! Never a request's body, a secret, or anything a pod's author wrote.

use metrics_exporter_prometheus::{BuildError, PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::EnvFilter;

/// Requests to the webhook by `cluster` and `code`.
pub const INGEST_REQUESTS: &str = "bygone_ingest_requests_total";
/// Bytes of bodies that were read, before decompression.
pub const INGEST_BODY_BYTES: &str = "bygone_ingest_body_bytes_total";
/// Audit events that were decoded.
pub const PIPELINE_EVENTS: &str = "bygone_pipeline_events_total";
/// Parts of deliveries that could not be read, by `reason`.
pub const PIPELINE_REJECTED: &str = "bygone_pipeline_rejected_total";
/// Records of other logs among audit events.
pub const PIPELINE_IGNORED: &str = "bygone_pipeline_ignored_total";
/// Parts of deliveries that could not be read, by what became of their bytes: `raw`.
pub const DEAD_LETTERS: &str = "bygone_dead_letters_letters_total";
/// Dead letters that were removed to make room for others.
pub const DEAD_LETTERS_EVICTED: &str = "bygone_dead_letters_evicted_letters_total";
/// Rows that ClickHouse confirmed, by `table`.
pub const SINK_ROWS: &str = "bygone_sink_rows_total";
/// Batches that ClickHouse confirmed.
pub const SINK_BATCHES: &str = "bygone_sink_batches_total";
/// Batches that it did not.
pub const SINK_FAILURES: &str = "bygone_sink_failures_total";
/// How long an INSERT took.
pub const SINK_INSERT_SECONDS: &str = "bygone_sink_insert_seconds";
/// Rows of pods and containers that were written.
pub const SINK_LIVES_ROWS: &str = "bygone_sink_lives_rows_total";
/// How long a round of folding took.
pub const SINK_FOLD_SECONDS: &str = "bygone_sink_fold_seconds";
/// Pods that could not be stored: a newer build wrote their state, or ClickHouse refuses their rows.
pub const SINK_NAMES_REFUSED: &str = "bygone_sink_names_refused_total";
/// Rows that ClickHouse rejected because of their content.
pub const SINK_ROWS_ASIDE: &str = "bygone_sink_rows_aside_total";
/// Bytes of the spool's segments, with what is kept after its confirm.
pub const SPOOL_BYTES: &str = "bygone_spool_bytes";
/// Bytes that ClickHouse has not confirmed.
pub const SPOOL_WAITING_BYTES: &str = "bygone_spool_waiting_bytes";
/// Frames that ClickHouse has not confirmed.
pub const SPOOL_WAITING_FRAMES: &str = "bygone_spool_waiting_frames";
/// How long the oldest of them has waited.
pub const SPOOL_WAITING_SECONDS: &str = "bygone_spool_oldest_waiting_seconds";
/// Files of the spool.
pub const SPOOL_SEGMENTS: &str = "bygone_spool_segments";
/// Places where the spool was damaged.
pub const SPOOL_DAMAGED: &str = "bygone_spool_damaged";
/// How long a sync took.
pub const SPOOL_SYNC_SECONDS: &str = "bygone_spool_sync_seconds";
/// Records of Kafka that were taken.
pub const KAFKA_RECORDS: &str = "bygone_kafka_records_total";
/// Bytes of their bodies.
pub const KAFKA_BYTES: &str = "bygone_kafka_record_bytes_total";
/// From the first record that ClickHouse has not confirmed to the end, by `topic` and `partition`.
pub const KAFKA_LAG: &str = "bygone_kafka_lag_records";
/// Age of that record, by `topic` and `partition`.
pub const KAFKA_OLDEST_SECONDS: &str = "bygone_kafka_oldest_unstored_seconds";
/// Bytes that are taken and not confirmed by ClickHouse.
pub const KAFKA_UNSTORED_BYTES: &str = "bygone_kafka_unstored_bytes";
/// 1 while partitions are paused for want of room.
pub const KAFKA_PAUSED: &str = "bygone_kafka_paused";
/// 1 while no broker is reachable.
pub const KAFKA_DOWN: &str = "bygone_kafka_down";
/// Commits of offsets by `outcome`.
pub const KAFKA_COMMITS: &str = "bygone_kafka_commits_total";
/// Times that partitions were `assigned`, `revoked` or `lost`, by `kind`.
pub const KAFKA_REBALANCES: &str = "bygone_kafka_rebalances_total";
/// Records that retention removed before they were read.
pub const KAFKA_RECORDS_GONE: &str = "bygone_kafka_gone_records_total";
/// Copies to the dead-letter topic by `outcome`.
pub const KAFKA_DEAD_LETTERS: &str = "bygone_kafka_dead_letters_total";
/// Bytes of followed files that ClickHouse does not have, by `cluster`; compressed files are not in it.
pub const FILE_LAG: &str = "bygone_file_lag_bytes";
/// For how long the oldest bytes that it does not have, also of compressed files, have been seen, by `cluster`.
pub const FILE_OLDEST_SECONDS: &str = "bygone_file_oldest_unstored_seconds";
/// Objects that lists and watches of API servers brought, by `cluster` and `resource`.
pub const WATCH_OBJECTS: &str = "bygone_watch_objects_total";
/// Age of the oldest of them that ClickHouse has not confirmed, by `cluster` and `resource`.
pub const WATCH_OLDEST_SECONDS: &str = "bygone_watch_oldest_unstored_seconds";
/// Objects that lists and watches of etcd brought, by `cluster` and `resource`.
pub const ETCD_OBJECTS: &str = "bygone_etcd_objects_total";
/// Age of the oldest of them that ClickHouse has not confirmed, by `cluster` and `resource`.
pub const ETCD_OLDEST_SECONDS: &str = "bygone_etcd_oldest_unstored_seconds";
/// From the first byte of a request to its 200.
pub const INGEST_ACK_SECONDS: &str = "bygone_ingest_ack_seconds";
/// Connections and requests that were refused, by `listener` (`ingest`, `api`) and `why`.
pub const LISTENER_REFUSED: &str = "bygone_listener_refused_total";
/// Questions by `what` and `outcome`.
pub const API_QUESTIONS: &str = "bygone_api_questions_total";
/// How long the API took to an answer's head, which waits for the first row, by `route` and `code`.
pub const API_ANSWER_SECONDS: &str = "bygone_api_answer_seconds";
/// 1, with `version` and `commit` of this build.
pub const BUILD_INFO: &str = "bygone_build_info";

/// How long a round of reconcile took.
pub const RECONCILE_SECONDS: &str = "bygone_reconcile_seconds";
/// Rows that were filed after their end.
pub const RECONCILE_FILED: &str = "bygone_reconcile_filed_rows_total";
/// Rows of lives that were wrong until reconcile folded them once more: a race that a process lost, or a crash.
pub const RECONCILE_CORRECTED: &str = "bygone_reconcile_corrected_rows_total";
/// Names whose facts were carried into a newer slot, since they could not be folded.
pub const RECONCILE_CARRIED: &str = "bygone_reconcile_carried_names_total";
/// Rows of `facts`.
pub const RECONCILE_FACTS_ROWS: &str = "bygone_reconcile_facts_rows";
/// Rounds that failed. They are tried again.
pub const RECONCILE_FAILURES: &str = "bygone_reconcile_failures_total";
/// For how long the oldest slot that is due has not been reconciled.
pub const RECONCILE_LAG_SECONDS: &str = "bygone_reconcile_lag_seconds";

/// Upper bounds of the buckets of everything that takes time, in seconds.
const SECONDS_BUCKETS: [f64; 16] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0, 300.0,
    1_200.0,
];

/// Sends logs to stderr, filtered by `filter` (`info`, `debug`, `bygone=debug,warn`, ...).
///
/// # Errors
///
/// When `filter` is invalid: one line that says so.
pub fn log_to_stderr(filter: &str) -> Result<(), String> {
    let parsed = EnvFilter::try_new(filter).map_err(|error| {
        format!("log filter {filter:?}: {error}: use one like info or bygone=debug")
    })?;
    tracing_subscriber::fmt()
        .with_env_filter(parsed)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
        .with_target(false)
        .try_init()
        .map_err(|error| error.to_string())
}

/// Collects metrics in this process; the handle renders them for Prometheus.
///
/// # Errors
///
/// When this process collects metrics already.
pub fn collect_metrics() -> Result<PrometheusHandle, BuildError> {
    let seconds = metrics_exporter_prometheus::Matcher::Suffix("_seconds".to_owned());
    let handle = PrometheusBuilder::new()
        .set_buckets_for_metric(seconds, &SECONDS_BUCKETS)?
        .install_recorder()?;
    metrics::describe_counter!(INGEST_REQUESTS, "Requests to the webhook");
    metrics::describe_counter!(INGEST_BODY_BYTES, "Bytes of bodies read, as sent");
    metrics::describe_counter!(PIPELINE_EVENTS, "Audit events decoded");
    metrics::describe_counter!(
        PIPELINE_REJECTED,
        "Parts of deliveries that could not be read"
    );
    metrics::describe_counter!(PIPELINE_IGNORED, "Records of other logs among audit events");
    metrics::describe_counter!(
        DEAD_LETTERS,
        "Unreadable parts, by whether they are kept raw"
    );
    metrics::describe_counter!(DEAD_LETTERS_EVICTED, "Dead letters removed to make room");
    metrics::describe_counter!(SINK_ROWS, "Rows that ClickHouse confirmed");
    metrics::describe_counter!(SINK_BATCHES, "Batches that ClickHouse confirmed");
    metrics::describe_counter!(SINK_FAILURES, "Batches that ClickHouse did not accept");
    metrics::describe_counter!(
        SINK_ROWS_ASIDE,
        "Rows that ClickHouse rejected because of their content"
    );
    metrics::describe_gauge!(SPOOL_BYTES, "Bytes of the spool's segments");
    metrics::describe_gauge!(
        SPOOL_WAITING_BYTES,
        "Bytes that ClickHouse has not confirmed"
    );
    metrics::describe_gauge!(
        SPOOL_WAITING_FRAMES,
        "Frames that ClickHouse has not confirmed"
    );
    metrics::describe_gauge!(
        SPOOL_WAITING_SECONDS,
        "Age of the oldest frame not confirmed"
    );
    metrics::describe_gauge!(SPOOL_SEGMENTS, "Files of the spool");
    metrics::describe_gauge!(SPOOL_DAMAGED, "Places where the spool was damaged");
    metrics::describe_histogram!(SPOOL_SYNC_SECONDS, "Seconds that a sync of the spool took");
    metrics::describe_histogram!(
        INGEST_ACK_SECONDS,
        "Seconds from a request's head to its 200"
    );
    metrics::describe_histogram!(SINK_INSERT_SECONDS, "Seconds that an INSERT took");
    metrics::describe_counter!(LISTENER_REFUSED, "Connections and requests rejected");
    metrics::describe_counter!(API_QUESTIONS, "Queries through the API");
    metrics::describe_histogram!(
        API_ANSWER_SECONDS,
        "Seconds until the header of an API response"
    );
    tell_build();
    metrics::describe_histogram!(RECONCILE_SECONDS, "Seconds that a round of reconcile took");
    metrics::describe_counter!(RECONCILE_FILED, "Rows that were filed after their end");
    metrics::describe_counter!(
        RECONCILE_CORRECTED,
        "Rows that were wrong until reconcile folded them once more"
    );
    metrics::describe_counter!(RECONCILE_CARRIED, "Names that could not be folded yet");
    metrics::describe_gauge!(RECONCILE_FACTS_ROWS, "Rows of facts");
    metrics::describe_counter!(RECONCILE_FAILURES, "Rounds of reconcile that failed");
    metrics::describe_gauge!(RECONCILE_LAG_SECONDS, "Seconds that reconcile is overdue");
    metrics::describe_counter!(
        SINK_LIVES_ROWS,
        "Rows of pods and containers that were written"
    );
    metrics::describe_histogram!(SINK_FOLD_SECONDS, "Seconds that a round of folding took");
    metrics::describe_counter!(SINK_NAMES_REFUSED, "Pods that could not be stored");
    describe_pulled();
    Ok(handle)
}

/// The commit of this build, if the build set it.
const COMMIT: Option<&str> = option_env!("BYGONE_COMMIT");

fn tell_build() {
    metrics::describe_gauge!(BUILD_INFO, "The build that runs");
    // A build argument that is not set is passed as an empty one.
    let commit = COMMIT
        .filter(|commit| !commit.is_empty())
        .unwrap_or("unknown");
    let version = env!("CARGO_PKG_VERSION");
    metrics::gauge!(BUILD_INFO, "version" => version, "commit" => commit).set(1.0);
}

fn describe_pulled() {
    describe_kafka();
    describe_files();
    describe_watch();
    describe_etcd();
}

fn describe_kafka() {
    metrics::describe_counter!(KAFKA_RECORDS, "Records read");
    metrics::describe_counter!(KAFKA_BYTES, "Bytes of records read");
    metrics::describe_gauge!(KAFKA_LAG, "Records that are not in ClickHouse yet");
    metrics::describe_gauge!(KAFKA_OLDEST_SECONDS, "Age of the oldest of them");
    metrics::describe_gauge!(KAFKA_UNSTORED_BYTES, "Bytes read and not in ClickHouse yet");
    metrics::describe_gauge!(KAFKA_PAUSED, "1 while partitions are paused");
    metrics::describe_gauge!(KAFKA_DOWN, "1 while no broker is reachable");
    metrics::describe_counter!(KAFKA_COMMITS, "Commits of offsets");
    metrics::describe_counter!(
        KAFKA_REBALANCES,
        "Times that partitions were assigned or revoked"
    );
    metrics::describe_counter!(KAFKA_RECORDS_GONE, "Records removed by retention unread");
    metrics::describe_counter!(KAFKA_DEAD_LETTERS, "Copies to the dead-letter topic");
}

fn describe_files() {
    metrics::describe_gauge!(
        FILE_LAG,
        "Bytes of followed files that are not in ClickHouse yet, without compressed files"
    );
    metrics::describe_gauge!(
        FILE_OLDEST_SECONDS,
        "For how long the oldest of them have been seen, compressed files included"
    );
}

fn describe_watch() {
    metrics::describe_counter!(WATCH_OBJECTS, "Objects that API servers sent");
    metrics::describe_gauge!(
        WATCH_OLDEST_SECONDS,
        "Age of the oldest object that is not in ClickHouse yet"
    );
}

fn describe_etcd() {
    metrics::describe_counter!(ETCD_OBJECTS, "Objects that etcd sent");
    metrics::describe_gauge!(
        ETCD_OLDEST_SECONDS,
        "Age of the oldest object of etcd that is not in ClickHouse yet"
    );
}
