//! The folder: folds the names that loads have touched, on one shard.
//!
//! One worker for each shard, so within a process one fold at a time touches a name. What comes while it folds
//! is folded together in the next round. A round costs mostly the same for few names as for many, so the sink makes
//! its loads so large that rounds take a part of the time only ([`Folder::round_took`]). Late facts are gathered, so
//! that a backfill in any order makes few
//! parts: to `LATE_ROWS_MAX` rows, or for `LATE_WAIT`.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};
use tracing::error;

use super::facts::{Touched, Writer};
use super::retry::FailureLog;
use crate::backoff::Backoff;
use crate::clickhouse::{Scope as Database, Store};
use crate::lives::{Lives, Name, Scope};
use crate::telemetry;

/// Late facts are gathered to this many rows, or for this long.
const LATE_ROWS_MAX: u64 = 100_000;
const LATE_WAIT: Duration = Duration::from_secs(5);

/// Loads are noted so often, at most. Only reconcile wants to know, minutes later.
const NOTE_EVERY: Duration = Duration::from_secs(2);

/// Loads that wait to be folded, at most. They are small: names, not rows.
const LOADS_MAX: usize = 1_024;

/// A load whose facts are in the log.
struct Work {
    touched: Touched,
    load: u64,
    since: Instant,
    done: oneshot::Sender<()>,
}

/// Gives work to the worker of a shard.
#[derive(Clone)]
pub struct Folder {
    to: mpsc::Sender<Work>,
    /// How long the last round took, in milliseconds.
    round_ms: Arc<AtomicU64>,
}

impl Folder {
    /// Starts the worker. It ends when the last [`Folder`] is dropped.
    pub fn start(store: Arc<Store>, writer: u64, failures: Arc<FailureLog>) -> Folder {
        let (to, from) = mpsc::channel(LOADS_MAX);
        let round_ms = Arc::new(AtomicU64::new(0));
        let worker = Worker {
            store,
            writer,
            failures,
            waiting: Vec::new(),
            round_ms: round_ms.clone(),
            unnoted: Vec::new(),
            noted: None,
        };
        tokio::spawn(worker.run(from));
        Folder { to, round_ms }
    }

    /// How long the last round took.
    pub fn round_took(&self) -> Duration {
        Duration::from_millis(self.round_ms.load(Ordering::Relaxed))
    }

    /// Returns when the lives of what a load touched are stored.
    pub async fn fold(&self, touched: Touched, by: Writer) {
        let (done, is_done) = oneshot::channel();
        let work = Work {
            touched,
            load: by.load,
            since: Instant::now(),
            done,
        };
        if self.to.send(work).await.is_err() || is_done.await.is_err() {
            // The program ends: loads that were not folded stay unconfirmed.
            std::future::pending::<()>().await;
        }
    }
}

struct Worker {
    store: Arc<Store>,
    writer: u64,
    failures: Arc<FailureLog>,
    waiting: Vec<Work>,
    round_ms: Arc<AtomicU64>,
    /// Loads that are part of the lives and not noted yet.
    unnoted: Vec<u64>,
    /// When loads were noted last.
    noted: Option<Instant>,
}

impl Worker {
    async fn run(mut self, mut from: mpsc::Receiver<Work>) {
        loop {
            let wait = self.late_in().min(self.note_in());
            let next = tokio::time::timeout(wait, from.recv());
            match next.await {
                Ok(Some(work)) => self.waiting.push(work),
                Ok(None) => return self.note().await,
                Err(_) => {}
            }
            while let Ok(work) = from.try_recv() {
                self.waiting.push(work);
            }
            let due = self.due();
            if !due.is_empty() {
                self.round(due).await;
            }
            if self.note_in().is_zero() {
                self.note().await;
            }
        }
    }

    /// How long what is waiting may wait.
    fn late_in(&self) -> Duration {
        let oldest = self.waiting.iter().map(|work| work.since.elapsed()).max();
        oldest.map_or(Duration::MAX, |age| LATE_WAIT.saturating_sub(age))
    }

    /// How long until loads are noted.
    fn note_in(&self) -> Duration {
        match (self.unnoted.is_empty(), self.noted) {
            (true, _) => Duration::MAX,
            (false, None) => Duration::ZERO,
            (false, Some(noted)) => NOTE_EVERY.saturating_sub(noted.elapsed()),
        }
    }

    /// Takes out what is to be folded now: all of it, unless all of it is late and may wait.
    fn due(&mut self) -> Vec<Work> {
        let rows: u64 = self.waiting.iter().map(|work| work.touched.rows).sum();
        let late_is_due = rows >= LATE_ROWS_MAX || self.late_in().is_zero();
        let (late, due) = std::mem::take(&mut self.waiting)
            .into_iter()
            .partition(|work| work.touched.is_late() && !late_is_due);
        self.waiting = late;
        due
    }

    async fn round(&mut self, works: Vec<Work>) {
        let begun = Instant::now();
        let mut touched = Touched::default();
        let mut loads = Vec::new();
        let mut done = Vec::new();
        for work in works {
            touched.merge(work.touched);
            loads.push(work.load);
            done.push(work.done);
        }
        let whole = self.fold_all(touched).await;
        // A load of which a name could not be folded is not noted: reconcile looks at it again.
        if whole {
            self.unnoted.append(&mut loads);
        }
        let took = begun.elapsed();
        self.round_ms
            .store(took.as_millis() as u64, Ordering::Relaxed);
        metrics::histogram!(telemetry::SINK_FOLD_SECONDS).record(took);
        for done in done {
            // The caller may no longer wait.
            _ = done.send(());
        }
    }

    /// Whether all names could be folded.
    async fn fold_all(&self, touched: Touched) -> bool {
        let mut names = touched.timely;
        names.extend(touched.late);
        let scopes: Vec<Scope> = touched.scopes.into_iter().collect();
        if !scopes.is_empty() {
            names.extend(self.names_of(&scopes).await);
        }
        let names: Vec<Name> = names.into_iter().collect();
        let scopes: BTreeSet<Name> = scopes.into_iter().map(|scope| scope.name).collect();
        let scopes: Vec<Name> = scopes.into_iter().collect();
        self.fold(&names, &scopes).await
    }

    /// Folds until ClickHouse has it.
    async fn fold(&self, names: &[Name], scopes: &[Name]) -> bool {
        if names.is_empty() {
            return true;
        }
        let mut lives = self.lives();
        let mut backoff = Backoff::default();
        loop {
            match lives.fold(names, scopes).await {
                Ok(folded) => {
                    self.failures.over("lives");
                    metrics::counter!(telemetry::SINK_LIVES_ROWS).increment(folded.rows);
                    report(&folded.refused);
                    return folded.refused.is_empty();
                }
                Err(failure) => self.failures.is("lives", &failure),
            }
            // Some of the rows may have been written, or be written yet.
            lives.raced = true;
            backoff.wait().await;
        }
    }

    fn lives(&self) -> Lives<'_> {
        Lives {
            store: &self.store,
            raced: false,
        }
    }

    async fn names_of(&self, scopes: &[Scope]) -> BTreeSet<Name> {
        let lives = self.lives();
        let mut backoff = Backoff::default();
        loop {
            match lives.names_of(scopes).await {
                Ok(names) => return names,
                Err(failure) => self.failures.is("lives", &failure),
            }
            backoff.wait().await;
        }
    }

    /// Records that loads are part of the lives. If that fails, reconcile folds them again.
    async fn note(&mut self) {
        self.noted = Some(Instant::now());
        let loads = std::mem::take(&mut self.unnoted);
        if loads.is_empty() {
            return;
        }
        let rows = loads
            .iter()
            .map(|load| format!("({}, {load})", self.writer));
        let rows: Vec<String> = rows.collect();
        let sql = format!(
            "INSERT INTO loads (writer, load) VALUES {}",
            rows.join(", ")
        );
        match self.store.execute(&sql, Database::Database).await {
            Ok(()) => self.failures.over("loads"),
            Err(failure) => self.failures.is("loads", &failure),
        }
    }
}

/// Names that can't be folded stay in the log, and reconcile tries them again.
fn report(refused: &[(Name, String)]) {
    let Some((_, why)) = refused.first() else {
        return;
    };
    let names: BTreeSet<&Name> = refused.iter().map(|(name, _)| name).collect();
    metrics::counter!(telemetry::SINK_NAMES_REFUSED).increment(names.len() as u64);
    error!("{} pods could not be stored, retrying: {why}", names.len());
}
