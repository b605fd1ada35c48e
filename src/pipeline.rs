//! The pipeline: a delivery's way through envelope and lifecycle into the spool.
//!
//! In: a [`Delivery`] of any source, or several together. Out: a [`Receipt`] for each, after their
//! facts are on disk, synced, and [`Stored`] for callers that need to know when ClickHouse has them. What could
//! not be read becomes a dead letter, is counted, and logged by kind and place, never by content; it
//! does not hold up the rest.
//!
//! Never here: which source it is.

mod decode;
mod delivery;
mod letters;
mod pieces;
mod preview;

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use tokio::sync::{Semaphore, mpsc};
use tracing::{error, warn};

use crate::dead_letters::DeadLetters;
use crate::rows::{DeadLetterRows, Fact};
use crate::spool::{self, AppendError, Spool};
use crate::telemetry;
use decode::{Decoded, Ended, Unwrapping};
use letters::keep_rejected;
use pieces::{Pieces, batch_of_letters};

pub use delivery::Delivery;
pub use letters::{Missing, Why};
pub use preview::{Levels, Preview};

/// Deliveries that are decoded or wait for the spool at a time.
const DELIVERIES_MAX: usize = 32;

/// As a body's maximum by default.
const UNWRAPPED_BYTES_MAX: usize = 256 << 20;

/// What was in a delivery.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Receipt {
    /// Without those that were rejected.
    pub events: usize,
    pub rejected: usize,
    /// Records of other logs.
    pub ignored: usize,
    pub rows: usize,
    /// Why the first of the rejected parts was.
    pub reason: Option<&'static str>,
}

/// Deliveries that are on disk, synced.
#[derive(Debug)]
pub struct Taken {
    /// One for each delivery.
    pub receipts: Vec<Receipt>,
    pub stored: Stored,
    /// For a person who waits for them; empty unless [`Pipeline::with_details`].
    pub details: Details,
}

/// What else was in deliveries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Details {
    /// The first of the parts that were rejected.
    pub rejected: Vec<RejectedPart>,
    /// A number for each pod that facts are about.
    pub pods: BTreeSet<u64>,
    /// The clusters that wrappers named.
    pub clusters: BTreeSet<String>,
}

/// A part of a delivery that was rejected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RejectedPart {
    /// Its place in the body.
    pub at: Range<usize>,
    pub reason: &'static str,
}

/// Waits for ClickHouse's confirm of what was taken together.
#[derive(Debug)]
pub struct Stored(Vec<spool::Stored>);

impl Stored {
    /// The first and the last of the spool's frames that it waits for.
    pub fn sequences(&self) -> Option<(u64, u64)> {
        let all = self.0.iter().map(spool::Stored::sequences);
        all.reduce(|(first, last), (from, to)| (first.min(from), last.max(to)))
    }

    /// Returns whether ClickHouse has all of it. If not, some of it was damaged in the spool, or the
    /// spool was closed before.
    pub async fn wait(self) -> bool {
        for stored in self.0 {
            if stored.wait().await.is_err() {
                return false;
            }
        }
        true
    }
}

/// Why a delivery was not taken; it may be sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotTaken {
    #[error("the spool is full")]
    Full,
    #[error("the memory budget for unwrapping is exhausted")]
    NoMemory,
    /// Logged where it happened.
    #[error("the spool could not write")]
    Failed,
}

/// Takes deliveries; clones share the spool and the memory for unwrapping.
#[derive(Clone)]
pub struct Pipeline {
    spool: Spool,
    dead_letters: Arc<DeadLetters>,
    places: Arc<Semaphore>,
    unwrapping: Unwrapping,
    with_details: bool,
}

impl Pipeline {
    pub fn new(spool: Spool, dead_letters: Arc<DeadLetters>) -> Pipeline {
        Pipeline {
            spool,
            dead_letters,
            places: Arc::new(Semaphore::new(DELIVERIES_MAX)),
            unwrapping: Unwrapping::new(UNWRAPPED_BYTES_MAX),
            with_details: false,
        }
    }

    /// The same, which collects [`Details`].
    #[must_use]
    pub fn with_details(&self) -> Pipeline {
        Pipeline {
            with_details: true,
            ..self.clone()
        }
    }

    /// Waits for these frames of the spool: see [`Stored::sequences`].
    pub fn stored(&self, sequences: (u64, u64)) -> Stored {
        Stored(vec![self.spool.stored(sequences)])
    }

    /// Sets the most bytes that a delivery may have when everything packed inside of it is unpacked.
    #[must_use]
    pub fn with_unwrapped_bytes_max(self, bytes_max: usize) -> Pipeline {
        Pipeline {
            unwrapping: Unwrapping::new(bytes_max),
            ..self
        }
    }

    /// Whether a delivery has a chance now: asked before its body is read.
    pub fn has_room(&self) -> bool {
        self.spool.has_room(0)
    }

    /// Returns when everything readable in the delivery is on disk. `memory` is the reservation for the body; it is
    /// released when the body is decoded, even if the caller no longer waits.
    ///
    /// # Errors
    ///
    /// When it is not; a part of it may be. The delivery may be sent again.
    pub async fn accept(
        &self,
        delivery: Delivery,
        memory: impl Send + 'static,
    ) -> Result<Receipt, NotTaken> {
        let taken = self.take(Arc::new([delivery]), memory).await?;
        Ok(taken.receipts[0])
    }

    /// Remembers what is missing: a dead letter that has no bytes, which `coverage` counts. Returns when that is on
    /// disk.
    ///
    /// # Errors
    ///
    /// When it is not.
    pub async fn miss(&self, missing: &Missing<'_>) -> Result<(), NotTaken> {
        let mut rows = DeadLetterRows::default();
        let letter = missing.letter();
        let Missing {
            cluster, origin, ..
        } = missing;
        let reason = missing.why.reason();
        warn!(
            cluster,
            origin, "{} bytes are missing: {reason}", letter.bytes
        );
        metrics::counter!(telemetry::PIPELINE_REJECTED, "reason" => reason).increment(1);
        rows.push(&letter);
        let appended = self.spool.append(batch_of_letters(rows)).await;
        appended.map(|_| ()).map_err(not_taken)
    }

    /// Stores facts of a source that has no events. `observe` emits them, on a thread where it may take its time.
    /// Returns what it returns when they are on disk.
    ///
    /// # Errors
    ///
    /// When not all are on disk; some may be. All of them may be stored again.
    pub async fn observe<T: Send + 'static>(
        &self,
        observe: impl FnOnce(&mut dyn FnMut(&Fact)) -> T + Send + 'static,
    ) -> Result<(T, Stored), NotTaken> {
        let place = self.places.acquire().await;
        let _place = place.map_err(|_| NotTaken::Failed)?;
        let (sender, mut pieces) = mpsc::channel(1);
        let observing = tokio::task::spawn_blocking(move || {
            let mut pieces = Pieces::new(sender);
            let outcome = observe(&mut |fact| pieces.push(fact));
            pieces.send();
            outcome
        });
        let mut stored = Vec::new();
        while let Some(piece) = pieces.recv().await {
            let receipt = self.spool.append(piece).await.map_err(not_taken)?;
            stored.push(receipt.stored);
        }
        let outcome = observing.await.map_err(|_| NotTaken::Failed)?;
        Ok((outcome, Stored(stored)))
    }

    /// As [`Pipeline::accept`], for several at once, which then share the way to the disk.
    ///
    /// # Errors
    ///
    /// When not all are on disk; some may be. All of them may be sent again.
    pub async fn take(
        &self,
        deliveries: Arc<[Delivery]>,
        memory: impl Send + 'static,
    ) -> Result<Taken, NotTaken> {
        let place = self.places.acquire().await;
        let _place = place.map_err(|_| NotTaken::Failed)?;
        let (sender, mut pieces) = mpsc::channel(1);
        // Decoding a large body takes milliseconds of CPU: not on a thread that serves sockets.
        let dead_letters = self.dead_letters.clone();
        let unwrapping = self.unwrapping.clone();
        let with_details = self.with_details;
        let decode = move || {
            let mut decoded = Decoded::new(sender, unwrapping, with_details);
            for delivery in &*deliveries {
                decoded.add(delivery);
            }
            let ended = decoded.end().map(|ended| {
                let letters = keep_rejected(&deliveries, &ended.rejected, &dead_letters);
                (ended, letters)
            });
            drop((deliveries, memory));
            ended
        };
        let decoding = tokio::task::spawn_blocking(decode);
        let mut stored = Vec::new();
        while let Some(piece) = pieces.recv().await {
            let receipt = self.spool.append(piece).await.map_err(not_taken)?;
            stored.push(receipt.stored);
        }
        let (ended, letters) = decoding.await.map_err(|_| NotTaken::Failed)??;
        let Ended {
            receipts, details, ..
        } = ended;
        for piece in letters {
            let letters = batch_of_letters(piece);
            let receipt = self.spool.append(letters).await.map_err(not_taken)?;
            stored.push(receipt.stored);
        }
        Ok(Taken {
            receipts,
            stored: Stored(stored),
            details,
        })
    }
}

fn not_taken(failure: AppendError) -> NotTaken {
    match failure {
        AppendError::Full | AppendError::Closed => NotTaken::Full,
        failure => {
            error!("{failure}");
            NotTaken::Failed
        }
    }
}
