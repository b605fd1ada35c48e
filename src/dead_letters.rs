//! Dead letters: what could not be decoded, kept raw on local disk until a person has looked.
//!
//! In: the unreadable parts of one delivery. Out: for each its id, its size, its hash, and whether
//! its bytes are on disk, synced. Nothing here fails because of what a letter holds or because the
//! disk is full: then only the letter's metadata is known, and the log says so.
//!
//! The id is made of the cluster and the bytes, so a delivery that is sent again adds nothing.
//!
//! Limits: all files together `size_bytes_max`, each counted in whole blocks of 4 KiB, and 100,000
//! letters; the oldest files make room. One delivery: 20,000 letters. Age: `kept_days`.
//! With `keep = false` nothing is written.
//!
//! One process writes (the owner of the data folder). [`list()`], [`show`] and [`remove`] take no
//! lock and work beside it.
//!
//! Never here: what a letter means, and its content in a log, an error or a metric.
//!
//! # The files
//!
//! One file holds the letters of one delivery: `{received_at}-{id}.letters`, the time in
//! microseconds since the epoch with 20 digits, the id that of its first letter. It is written under
//! a name that ends in `.tmp`, synced, renamed, and the folder synced. The folder is 0700, a file
//! 0600.
//!
//! ```text
//! =HEAD CHECK\n    format, version 1, and how much follows: letters, table_bytes, raw_bytes
//! +LINE CHECK\n    the table, one line a letter: its `Summary`, and `at`, where its bytes begin
//! -LINE CHECK\n
//! raw bytes        of all letters; `at` counts from the end of the table
//! ```
//!
//! HEAD and LINE are JSON without line breaks, CHECK is the first 16 hex digits of its SHA-256. The
//! raw bytes are checked by the `sha256` of their line. The first byte of a line is its mark, which
//! the check does not cover: `+` is a letter, `-` one that was removed. Removing writes the mark,
//! then zeros over the bytes, in place; a file is deleted with its last letter. So a reader needs no lock, and a
//! concurrent deletion of the file wins.
//!
//! A damaged line costs its letter, a damaged head costs the file; [`list()`] reports both. It also reports files of
//! another version.

mod draft;
mod files;
mod format;
mod index;
mod letter;
mod list;
mod table;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tracing::{error, info, warn};
use uuid::Uuid;

use crate::disk::private_folder;
use crate::telemetry;
use crate::throttle::Throttle;
use draft::{Draft, Outcome};
use index::Index;
pub use letter::{Digest, Kept, Letter, Summary, id};
pub use list::{List, list, remove, show};

/// How often letters that are too old are looked for while letters come in.
const PRUNE_EVERY: Duration = Duration::from_secs(60 * 60);

/// What is kept of what could not be read.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Whether raw bytes are kept. They may contain secrets.
    pub keep: bool,
    /// Maximum size on disk, in bytes; the oldest are removed first.
    pub size_bytes_max: u64,
    /// How many days they are kept.
    pub kept_days: u32,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            keep: true,
            size_bytes_max: 1 << 30,
            kept_days: 7,
        }
    }
}

/// Why dead letters can't be opened or read. Names files and ids, never content.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("dead letters in {}: {cause}", path.display())]
    Disk { path: PathBuf, cause: io::Error },
    #[error("dead letters file {} is damaged: {what}", path.display())]
    Damaged { path: PathBuf, what: String },
    #[error("there is no dead letter {0}")]
    Absent(Uuid),
}

/// The folder of the dead letters in a data folder.
pub fn folder(data_dir: &Path) -> PathBuf {
    data_dir.join("dead-letters")
}

/// The writer of a folder. Its calls wait for the disk.
pub struct DeadLetters {
    folder: PathBuf,
    config: Config,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// What is on disk; read when it is first needed, and again after each pruning.
    index: Option<Index>,
    pruned: Option<Instant>,
    failures: Throttle,
    evictions: Throttle,
}

impl DeadLetters {
    /// Opens the folder, which is made where it is missing, and removes what is too old.
    ///
    /// # Errors
    ///
    /// When the folder can't be made or read.
    pub fn open(folder: &Path, config: Config) -> Result<DeadLetters, Error> {
        let disk = |cause| Error::Disk {
            path: folder.to_owned(),
            cause,
        };
        if config.keep || folder.exists() {
            private_folder(folder).map_err(disk)?;
            files::remove_unfinished(folder).map_err(disk)?;
        }
        let letters = DeadLetters {
            folder: folder.to_owned(),
            config,
            state: Mutex::default(),
        };
        letters.prune(Timestamp::now());
        Ok(letters)
    }

    /// Keeps the letters of one delivery. Returns one result per letter, in their order; where `raw` is set, the
    /// bytes are on disk, synced.
    pub fn put(&self, letters: &[Letter]) -> Vec<Kept> {
        if letters.is_empty() {
            return Vec::new();
        }
        let mut kept: Vec<Kept> = letters.iter().map(Kept::of).collect();
        let mut state = self.state();
        if state.pruned.is_none_or(|at| at.elapsed() >= PRUNE_EVERY) {
            self.prune_now(&mut state, Timestamp::now());
        }
        let outcomes = if self.config.keep {
            self.keep(&mut state, letters, &kept)
        } else {
            vec![Outcome::Off; letters.len()]
        };
        drop(state);
        for (kept, outcome) in kept.iter_mut().zip(&outcomes) {
            kept.raw = outcome.is_on_disk();
        }
        count(&outcomes);
        kept
    }

    /// Removes what is older than `kept_days`. Returns how many files that were.
    ///
    /// `open` and, once an hour, `put` do this; without new letters it must be called by a timer.
    pub fn prune(&self, now: Timestamp) -> usize {
        self.prune_now(&mut self.state(), now)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic may have left the index behind the disk; it is read again with the next pruning.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keep(&self, state: &mut State, letters: &[Letter], kept: &[Kept]) -> Vec<Outcome> {
        let index = match index(&mut state.index, &self.folder) {
            Ok(index) => index,
            Err(cause) => {
                self.log_failed(&mut state.failures, letters.len(), &cause);
                return vec![Outcome::Failed; letters.len()];
            }
        };
        let mut draft = Draft::new(self.config.size_bytes_max);
        let outcomes = letters.iter().zip(kept).map(|(letter, kept)| {
            if index.holds(&self.folder, kept.id) {
                Outcome::Again
            } else {
                draft.add(letter, kept)
            }
        });
        let mut outcomes: Vec<Outcome> = outcomes.collect();
        match index.write(&self.folder, self.config.size_bytes_max, draft) {
            Ok(evicted) => self.log_evicted(&mut state.evictions, evicted),
            Err(cause) => {
                let mut failed = 0;
                for outcome in outcomes
                    .iter_mut()
                    .filter(|outcome| **outcome == Outcome::Kept)
                {
                    *outcome = Outcome::Failed;
                    failed += 1;
                }
                self.log_failed(&mut state.failures, failed, &cause);
            }
        }
        outcomes
    }

    /// The usual cause is a full disk. That is no reason to reject the good events of the delivery.
    fn log_failed(&self, failures: &mut Throttle, letters: usize, cause: &io::Error) {
        if let Some(letters) = failures.due(letters as u64, Instant::now().into()) {
            let folder = self.folder.display();
            error!(
                letters,
                "kept only the metadata of {letters} dead letters: {folder}: {cause}"
            );
        }
    }

    fn log_evicted(&self, evictions: &mut Throttle, letters: u64) {
        if letters == 0 {
            return;
        }
        metrics::counter!(telemetry::DEAD_LETTERS_EVICTED).increment(letters);
        if let Some(letters) = evictions.due(letters, Instant::now().into()) {
            let bytes = self.config.size_bytes_max;
            warn!(
                letters,
                "removed the {letters} oldest dead letters: at most {bytes} bytes and 100,000 letters \
                 are kept"
            );
        }
    }

    fn prune_now(&self, state: &mut State, now: Timestamp) -> usize {
        state.pruned = Some(Instant::now());
        // Others may have removed letters since.
        state.index = None;
        match files::remove_older(&self.folder, oldest(now, self.config.kept_days)) {
            Ok(0) => 0,
            Ok(files) => {
                let days = self.config.kept_days;
                info!(
                    files,
                    "removed dead letters of {files} deliveries: older than {days} days"
                );
                files
            }
            Err(cause) => {
                let folder = self.folder.display();
                error!("cannot remove expired dead letters: {folder}: {cause}");
                0
            }
        }
    }
}

fn index<'i>(index: &'i mut Option<Index>, folder: &Path) -> io::Result<&'i mut Index> {
    match index {
        Some(index) => Ok(index),
        None => Ok(index.insert(Index::load(folder)?)),
    }
}

/// The first microsecond that is young enough.
fn oldest(now: Timestamp, kept_days: u32) -> u64 {
    let kept = i64::from(kept_days).saturating_mul(24 * 60 * 60 * 1_000_000);
    let oldest = now.as_microsecond().saturating_sub(kept);
    u64::try_from(oldest).unwrap_or(0)
}

fn count(outcomes: &[Outcome]) {
    for outcome in Outcome::ALL {
        let letters = outcomes.iter().filter(|other| **other == outcome).count();
        if letters > 0 {
            metrics::counter!(telemetry::DEAD_LETTERS, "raw" => outcome.as_str())
                .increment(letters as u64);
        }
    }
}

#[cfg(test)]
mod tests;
