//! The sink: batches from the spool into ClickHouse.
//!
//! In: sealed batches, oldest first. Out: for each, `confirm` to the spool after ClickHouse has the rows
//! that people read: the facts first, then the lives that they are part of (`folder`). Batches that are there
//! at the same time travel together: a load is closed `flush_wait_ms` after its first batch, or when it has
//! `batch_rows_max` rows. Where storing takes long, it is closed later: one load then has the rows of several, and
//! costs little more than one. One load is one INSERT and one deduplication token for each table. `inserts_max` loads
//! are under way at once.
//!
//! What goes wrong is ClickHouse's or the rows' (see `retry`). ClickHouse's trouble is waited for,
//! however long: the rows stay in the spool. Rows that it refuses are split until the
//! poisoned one is alone; that one is set aside in a file, the others are stored.
//!
//! The log is dropped an hour after it became part of the lives: when `facts` has `facts_rows_max` rows, loads wait in
//! the spool, and so do the sources behind it.
//!
//! Limits: 60 s for an INSERT, then it goes again under a fresh token, since the first may
//! still happen; back-off from 100 ms to 10 s. Never here: what the rows mean.

mod aside;
mod facts;
mod folder;
mod load;
mod retry;
mod room;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde::{Deserialize, Serialize};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::timeout_at;
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

use crate::backoff::Backoff;
use crate::clickhouse::{Store, Stores};
use crate::rows::FACTS;
use crate::spool::{Reader, Spool, SpooledBatch};
use crate::telemetry;
use aside::Aside;
use facts::{Share, Writer};
use folder::Folder;
use load::{Load, Rows};
use retry::{FailureLog, Verdict};
use room::Room;

/// How long loads that are under way may take to finish when we stop. What is not finished stays
/// in the spool.
const STOP_WAIT: Duration = Duration::from_secs(5);

/// A load waits this multiple of the time that storing one takes, and not longer than this.
const PACE: u32 = 4;
const PACED_WAIT_MAX: Duration = Duration::from_secs(2);

/// Loads whose facts are stored and whose lives are not, at most.
const UNFOLDED_MAX: usize = 256;

/// How loads are made.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// How long the first batch of a load waits for others, in milliseconds.
    pub flush_wait_ms: u64,
    /// A load with this many rows is inserted at once.
    pub batch_rows_max: u64,
    /// Concurrent INSERTs of loads.
    pub inserts_max: usize,
    /// When the table `facts` has this many rows, loads wait until reconcile has made room. 0: never.
    pub facts_rows_max: u64,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            flush_wait_ms: 250,
            batch_rows_max: 100_000,
            inserts_max: 2,
            facts_rows_max: 20_000_000,
        }
    }
}

/// What the sink works with.
pub struct Parts {
    pub spool: Spool,
    /// Of that spool.
    pub reader: Reader,
    pub stores: Stores,
    pub config: Config,
    /// The folder for rows that ClickHouse refuses for themselves.
    pub aside: PathBuf,
}

/// Starts the sink. The task ends soon after `stop`; what is not stored by then stays spooled.
pub fn start(parts: Parts, stop: CancellationToken) -> JoinHandle<()> {
    let Parts {
        spool,
        reader,
        stores,
        config,
        aside,
    } = parts;
    let (aside, failures) = (Aside::new(aside), Arc::new(FailureLog::default()));
    let room = Room::new(config.facts_rows_max);
    let writer = uuid::Uuid::new_v4().as_u128() as u64;
    let folders = stores.shards.iter();
    let folders = folders.map(|shard| Folder::start(shard.clone(), writer, failures.clone()));
    let sink = Arc::new(Sink {
        spool,
        folders: folders.collect(),
        stores,
        config,
        aside,
        failures,
        room,
        writer,
        loads: AtomicU64::new(1),
        facts_ms: AtomicU64::new(0),
    });
    tokio::spawn(run(sink, reader, stop))
}

struct Sink {
    spool: Spool,
    stores: Stores,
    /// One for each shard.
    folders: Vec<Folder>,
    config: Config,
    aside: Aside,
    failures: Arc<FailureLog>,
    room: Room,
    /// Distinguishes this process from others, in the log.
    writer: u64,
    /// The number of the next load.
    loads: AtomicU64,
    /// How long the facts of the last load took to be stored, in milliseconds.
    facts_ms: AtomicU64,
}

async fn run(sink: Arc<Sink>, mut reader: Reader, stop: CancellationToken) {
    let under_way = Arc::new(Semaphore::new(sink.config.inserts_max.max(1)));
    let unfolded = Arc::new(Semaphore::new(UNFOLDED_MAX));
    let mut loads = JoinSet::new();
    loop {
        let next = async {
            let place = unfolded.clone().acquire_owned().await.ok()?;
            let permit = under_way.clone().acquire_owned().await.ok()?;
            Some((
                place,
                permit,
                gather(&mut reader, &sink.config, sink.load_wait()).await?,
            ))
        };
        let Some(Some((place, permit, load))) = stop.run_until_cancelled(next).await else {
            break;
        };
        let sink = sink.clone();
        loads.spawn(async move {
            sink.deliver(load, permit).await;
            drop(place);
        });
        while loads.try_join_next().is_some() {}
    }
    let finish = async { while loads.join_next().await.is_some() {} };
    if tokio::time::timeout(STOP_WAIT, finish).await.is_err() {
        info!("loads in flight stay in the spool");
    }
}

/// The next load: waits for its first batch, and `wait` for more. `None` when the spool closed.
async fn gather(reader: &mut Reader, config: &Config, wait: Duration) -> Option<Load> {
    let mut load = Load::new(next(reader).await?);
    let deadline = tokio::time::Instant::now() + wait;
    while load.rows() < config.batch_rows_max {
        match timeout_at(deadline, next(reader)).await {
            Ok(Some(batch)) => load.push(batch),
            Ok(None) | Err(_) => break,
        }
    }
    Some(load)
}

/// The next batch of the spool; a folder that can't be read is tried again until it can.
async fn next(reader: &mut Reader) -> Option<SpooledBatch> {
    let mut backoff = Backoff::default();
    loop {
        match reader.next().await {
            Ok(batch) => return batch,
            Err(failure) => {
                error!("{failure}: {}: retrying", failure.source);
                backoff.wait().await;
            }
        }
    }
}

impl Sink {
    /// How long a load waits for more.
    fn load_wait(&self) -> Duration {
        let folds = self.folders.iter().map(Folder::round_took);
        let fold = folds.max().unwrap_or_default();
        let facts = Duration::from_millis(self.facts_ms.load(Ordering::Relaxed));
        let paced = (facts + fold) * PACE;
        paced
            .min(PACED_WAIT_MAX)
            .max(Duration::from_millis(self.config.flush_wait_ms))
    }

    /// Returns when every row of the load is stored or set aside, and the lives that it touches are. `permit` is
    /// given back as soon as the facts are stored: loads are folded together.
    async fn deliver(&self, load: Load, permit: OwnedSemaphorePermit) {
        self.room.wait(&self.stores).await;
        let by = Writer {
            writer: self.writer,
            load: self.loads.fetch_add(1, Ordering::Relaxed),
            now: jiff::Timestamp::now().as_microsecond(),
        };
        let sequences: Vec<u64> = load.sequences().collect();
        let (facts, others): (Vec<Rows>, Vec<Rows>) = load
            .into_tables()
            .into_iter()
            .partition(|rows| rows.table() == FACTS.name);
        let mut others: Vec<Rows> = others.into_iter().map(Rows::apart).collect();
        let mut shares = Vec::new();
        for rows in facts {
            let (of_shards, unreadable) = facts::share(rows, self.folders.len(), by);
            shares.extend(of_shards.into_iter().enumerate());
            others.extend(unreadable);
        }
        // Concurrently: the load waits for the slowest table, not for the sum.
        let others = others
            .into_iter()
            .map(|rows| self.store(&self.stores.whole, rows));
        let facts = shares
            .iter()
            .map(|(shard, share)| self.store_share(*shard, share));
        let begun = Instant::now();
        tokio::join!(join_all(others), join_all(facts));
        let took = begun.elapsed().as_millis() as u64;
        self.facts_ms.store(took, Ordering::Relaxed);
        drop(permit);
        // Many loads wait for their fold: of these the names are kept, and no rows.
        let touched = shares
            .into_iter()
            .map(|(shard, share)| (shard, share.touched));
        let touched: Vec<_> = touched.filter(|(_, it)| !it.is_empty()).collect();
        let folds = touched
            .into_iter()
            .map(|(shard, touched)| self.folders[shard].fold(touched, by));
        join_all(folds).await;
        for sequence in sequences {
            self.spool.confirm(sequence);
        }
    }

    /// Stores the rows of a load that belong to one shard. Rows of `said` come first: a reader that sees the facts
    /// sees them too.
    async fn store_share(&self, shard: usize, share: &Share) {
        let store = &self.stores.shards[shard];
        for rows in share.said.iter().chain(&share.facts) {
            self.store(store, rows.clone()).await;
        }
    }

    /// Stores the rows, except those that ClickHouse rejects because of their content.
    async fn store(&self, store: &Store, rows: Rows) {
        let mut open = vec![rows];
        let (mut stored, mut aside) = (false, 0);
        while let Some(rows) = open.pop() {
            let Err(refusal) = self.insert(store, &rows).await else {
                stored = true;
                continue;
            };
            if let Some((first, second)) = rows.halves() {
                open.extend([second, first]);
            } else if !stored && aside >= retry::ASIDE_MAX {
                // Not one row is good enough: then it is not the rows.
                error!("clickhouse rejects every row: {refusal}: waiting");
                Backoff::at_its_longest().wait().await;
                open.push(rows);
            } else {
                aside += rows.count();
                self.set_aside(&rows, &refusal).await;
            }
        }
    }

    async fn set_aside(&self, rows: &Rows, refusal: &str) {
        let mut backoff = Backoff::default();
        while let Err(failure) = self.aside.keep(rows, refusal).await {
            error!("cannot set aside a row that clickhouse rejects: {failure}: retrying");
            backoff.wait().await;
        }
        metrics::counter!(telemetry::SINK_ROWS_ASIDE).increment(rows.count());
        error!(
            "clickhouse rejected a row of {}: {refusal}: set aside",
            rows.table()
        );
    }

    /// Inserts until ClickHouse confirms. Fails only where the rows themselves are refused.
    async fn insert(&self, store: &Store, rows: &Rows) -> Result<(), String> {
        let mut backoff = Backoff::default();
        let mut unanswered = 0;
        loop {
            let begun = Instant::now();
            let token = rows.token(unanswered);
            let outcome = store.insert(&rows.statement(), rows.pieces(), &token).await;
            let Err(failure) = outcome else {
                confirmed(rows, begun.elapsed());
                self.failures.over(rows.table());
                return Ok(());
            };
            metrics::counter!(telemetry::SINK_FAILURES).increment(1);
            match retry::verdict(&failure) {
                Verdict::Refused => return Err(failure.to_string()),
                Verdict::Unanswered => unanswered += 1,
                Verdict::Wait => {}
            }
            self.failures.is(rows.table(), &failure);
            backoff.wait().await;
        }
    }
}

fn confirmed(rows: &Rows, took: Duration) {
    let duration_ms = took.as_millis() as u64;
    let count = rows.count();
    metrics::histogram!(telemetry::SINK_INSERT_SECONDS).record(took);
    metrics::counter!(telemetry::SINK_BATCHES).increment(1);
    metrics::counter!(telemetry::SINK_ROWS, "table" => rows.table().to_owned()).increment(count);
    tracing::debug!(batch.rows = count, duration_ms, "inserted {count} rows");
}
