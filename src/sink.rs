//! The sink: batches of rows into ClickHouse.
//!
//! In: encoded rows of one delivery after another. Out: for each, whether ClickHouse confirmed them.
//! Deliveries that wait at the same time share one INSERT: a batch is sealed `flush_wait_ms` after
//! its first delivery, or when it has `batch_rows_max` rows. One INSERT is under way at a time;
//! meanwhile the next batch gathers.
//!
//! What goes wrong goes back to everyone who waits for the batch; nothing is retried here, the
//! sender does that.
//!
//! Never here: what the rows mean.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::timeout_at;
use tracing::{debug, warn};

use crate::clickhouse::{Error as StoreError, Store};
use crate::rows::{FACTS, Facts};
use crate::telemetry;

/// Deliveries that may wait for the next batch. The memory that they hold is bounded before, by
/// the sources.
const WAITING_MAX: usize = 1024;

/// How batches are sealed.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// How long the first delivery of a batch waits for others, in milliseconds.
    pub flush_wait_ms: u64,
    /// A batch with so many rows is sealed at once.
    pub batch_rows_max: usize,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            flush_wait_ms: 250,
            batch_rows_max: 100_000,
        }
    }
}

/// Rows that are not in ClickHouse, as far as is known. The cause was logged where the batch failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("clickhouse did not confirm the rows")]
pub struct NotStored;

struct Waiting {
    rows: Facts,
    stored: oneshot::Sender<Result<(), NotStored>>,
}

/// The way into the sink; clones share it.
#[derive(Clone)]
pub struct Sink {
    queue: mpsc::Sender<Waiting>,
}

impl Sink {
    /// Starts the sink. The task ends when the last `Sink` is dropped and its rows are inserted.
    pub fn start(store: Arc<Store>, config: Config) -> (Sink, JoinHandle<()>) {
        let (queue, waiting) = mpsc::channel(WAITING_MAX);
        let task = tokio::spawn(run(store, config, waiting));
        (Sink { queue }, task)
    }

    /// Returns when ClickHouse has confirmed the rows.
    ///
    /// # Errors
    ///
    /// When it has not. The rows may be sent again.
    pub async fn insert(&self, rows: Facts) -> Result<(), NotStored> {
        if rows.is_empty() {
            return Ok(());
        }
        let (stored, answer) = oneshot::channel();
        self.queue
            .send(Waiting { rows, stored })
            .await
            .map_err(|_| NotStored)?;
        answer.await.map_err(|_| NotStored)?
    }
}

async fn run(store: Arc<Store>, config: Config, mut waiting: mpsc::Receiver<Waiting>) {
    let insert = format!(
        "INSERT INTO {} ({}) FORMAT RowBinary",
        FACTS.name,
        FACTS.columns.join(", ")
    );
    while let Some(first) = waiting.recv().await {
        let (rows, answers) = gather(&config, first, &mut waiting).await;
        let outcome = store_batch(&store, &insert, rows).await;
        for answer in answers {
            // A sender that no longer waits has given up; it will send again.
            _ = answer.send(outcome);
        }
    }
}

/// Takes what comes until the batch is full or its first delivery has waited long enough.
async fn gather(
    config: &Config,
    first: Waiting,
    waiting: &mut mpsc::Receiver<Waiting>,
) -> (Facts, Vec<oneshot::Sender<Result<(), NotStored>>>) {
    let deadline = tokio::time::Instant::now() + Duration::from_millis(config.flush_wait_ms);
    let mut rows = first.rows;
    let mut answers = vec![first.stored];
    while rows.rows() < config.batch_rows_max {
        let Ok(Some(next)) = timeout_at(deadline, waiting.recv()).await else {
            break;
        };
        rows.append(next.rows);
        answers.push(next.stored);
    }
    (rows, answers)
}

async fn store_batch(store: &Store, insert: &str, batch: Facts) -> Result<(), NotStored> {
    let rows = batch.rows();
    let begun = Instant::now();
    let outcome = store.insert(insert, batch.into_bytes().into()).await;
    let duration_ms = begun.elapsed().as_millis() as u64;
    match outcome {
        Ok(()) => {
            metrics::histogram!(telemetry::SINK_INSERT_SECONDS).record(begun.elapsed());
            metrics::counter!(telemetry::SINK_BATCHES).increment(1);
            metrics::counter!(telemetry::SINK_ROWS, "table" => FACTS.name).increment(rows as u64);
            debug!(batch.rows = rows, duration_ms, "inserted {rows} rows");
            Ok(())
        }
        Err(error) => {
            metrics::counter!(telemetry::SINK_FAILURES).increment(1);
            log_failure(rows, duration_ms, &error);
            Err(NotStored)
        }
    }
}

fn log_failure(rows: usize, duration_ms: u64, error: &StoreError) {
    warn!(
        batch.rows = rows,
        duration_ms, "insert of {rows} rows failed: {error}"
    );
}
