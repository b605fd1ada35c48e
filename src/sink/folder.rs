//! The folder: folds the names that loads have touched, on one shard.
//!
//! One worker for each shard, so within a process one fold at a time touches a name. What comes while it folds
//! is folded together in the next round. Late facts are gathered, so that a backfill in any order makes few
//! parts: to `LATE_ROWS_MAX` rows, or for `LATE_WAIT`.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};
use tracing::error;

use super::facts::{Touched, Writer};
use super::retry::{Backoff, Trouble};
use crate::clickhouse::{Scope as Database, Store};
use crate::lives::{Lives, Name, SCOPE_NAMES_MAX, Scope};
use crate::telemetry;

/// Late facts are gathered to so many rows, or for so long.
const LATE_ROWS_MAX: u64 = 100_000;
const LATE_WAIT: Duration = Duration::from_secs(5);

/// A round begins so long after the one before began, at least: what comes meanwhile is folded together, which
/// costs little more than a part of it.
const ROUND_EVERY: Duration = Duration::from_millis(400);

/// Under load, loads are noted so often. Only reconcile wants to know, minutes later.
const NOTE_EVERY: Duration = Duration::from_secs(5);

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
}

impl Folder {
    /// Starts the worker. It ends when the last [`Folder`] is dropped.
    pub fn start(store: Arc<Store>, writer: u64, trouble: Arc<Trouble>) -> Folder {
        let (to, from) = mpsc::channel(LOADS_MAX);
        let worker = Worker {
            store,
            writer,
            trouble,
            waiting: Vec::new(),
            begun: None,
            unnoted: Vec::new(),
            noted: Instant::now(),
        };
        tokio::spawn(worker.run(from));
        Folder { to }
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
            // The program ends: nobody confirms what was not folded.
            std::future::pending::<()>().await;
        }
    }
}

struct Worker {
    store: Arc<Store>,
    writer: u64,
    trouble: Arc<Trouble>,
    waiting: Vec<Work>,
    /// When the last round began.
    begun: Option<Instant>,
    /// Loads that are part of the lives and not noted yet.
    unnoted: Vec<u64>,
    /// When loads were noted last.
    noted: Instant,
}

impl Worker {
    async fn run(mut self, mut from: mpsc::Receiver<Work>) {
        loop {
            let wait = self.wait();
            let next = tokio::time::timeout(wait, from.recv());
            match next.await {
                Ok(Some(work)) => self.waiting.push(work),
                Ok(None) => return self.note().await,
                Err(_) => {}
            }
            if let Some(begun) = self.begun {
                tokio::time::sleep(ROUND_EVERY.saturating_sub(begun.elapsed())).await;
            }
            while let Ok(work) = from.try_recv() {
                self.waiting.push(work);
            }
            let due = self.due();
            if !due.is_empty() {
                self.begun = Some(Instant::now());
                self.round(due).await;
            }
            if from.is_empty() || self.noted.elapsed() >= NOTE_EVERY {
                self.note().await;
            }
        }
    }

    /// How long what is waiting may wait.
    fn wait(&self) -> Duration {
        let oldest = self.waiting.iter().map(|work| work.since.elapsed()).max();
        oldest.map_or(Duration::from_secs(3_600), |age| {
            LATE_WAIT.saturating_sub(age)
        })
    }

    /// Takes out what is to be folded now: all of it, unless all of it is late and may wait.
    fn due(&mut self) -> Vec<Work> {
        let rows: u64 = self.waiting.iter().map(|work| work.touched.rows).sum();
        let late_is_due = rows >= LATE_ROWS_MAX || self.wait().is_zero();
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
        metrics::histogram!(telemetry::SINK_FOLD_SECONDS).record(begun.elapsed());
        for done in done {
            // Whoever waited may be gone.
            _ = done.send(());
        }
    }

    /// Whether all names could be folded.
    async fn fold_all(&self, touched: Touched) -> bool {
        let mut names = touched.timely;
        names.extend(touched.late);
        let names: Vec<Name> = names.into_iter().collect();
        let mut whole = self.fold(&names, &[]).await;
        for scope in &touched.scopes {
            let names = self.names_of(scope).await;
            for names in names.chunks(SCOPE_NAMES_MAX) {
                whole &= self.fold(names, std::slice::from_ref(&scope.name)).await;
            }
        }
        whole
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
                    self.trouble.over("lives");
                    metrics::counter!(telemetry::SINK_LIVES_ROWS).increment(folded.rows);
                    report(&folded.refused);
                    return folded.refused.is_empty();
                }
                Err(failure) => self.trouble.is("lives", &failure),
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

    async fn names_of(&self, scope: &Scope) -> Vec<Name> {
        let lives = self.lives();
        let mut backoff = Backoff::default();
        loop {
            match lives.names_of(scope).await {
                Ok(names) => return names,
                Err(failure) => self.trouble.is("lives", &failure),
            }
            backoff.wait().await;
        }
    }

    /// Says that loads are part of the lives. If that can't be said, reconcile folds them once more.
    async fn note(&mut self) {
        self.noted = Instant::now();
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
            Ok(()) => self.trouble.over("loads"),
            Err(failure) => self.trouble.is("loads", &failure),
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
    error!(
        "{} pods could not be stored, and are tried again: {why}",
        names.len()
    );
}
