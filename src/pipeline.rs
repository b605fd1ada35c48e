//! The pipeline: a delivery's way through envelope and lifecycle into the spool.
//!
//! In: a [`Delivery`] of any source. Out: a [`Receipt`], after its facts are on disk, synced. What
//! could not be read becomes a dead letter, is counted, and logged by kind and place, never by
//! content; it does not hold up the rest.
//!
//! Never here: which source it is.

use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use jiff::Timestamp;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tracing::{error, warn};

use crate::dead_letters::{DeadLetters, Letter};
use crate::envelope::{self, Limits, Reason, Rejected};
use crate::lifecycle;
use crate::rows::{DEAD_LETTERS, DeadLetterRow, DeadLetterRows, FACTS, Fact, Facts, Table};
use crate::spool::{AppendError, Batch, Format, Part, Shape, Spool};
use crate::telemetry;

/// The most lines that one delivery may write to the log about its unreadable parts, and about what
/// could not be read in them.
const REJECTED_LOGGED_MAX: usize = 3;

/// A delivery's rows go to the spool in pieces of about so many bytes. One is made while one waits and
/// one is written: no delivery holds more, whatever it makes of its bytes.
const PIECE_BYTES: usize = 1 << 20;

/// Deliveries that are decoded or wait for the spool at a time.
const DELIVERIES_MAX: usize = 32;

/// Bytes that arrived, already decompressed.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// The cluster that its events are of.
    pub cluster: String,
    /// The source, and its position there.
    pub origin: String,
    pub received_at: Timestamp,
    pub body: Bytes,
}

/// What was in a delivery.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Receipt {
    pub events: usize,
    pub rejected: usize,
    pub rows: usize,
}

/// Why a delivery was not taken; it may be sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotTaken {
    #[error("the spool is full")]
    Full,
    #[error("the memory for unwrapping is used up")]
    NoMemory,
    /// Told in the log where it happened.
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
}

/// What unwrapping may take: one delivery unpacks to as much at most, and all deliveries hold as much
/// at the same time.
#[derive(Clone)]
struct Unwrapping {
    bytes_max: usize,
    /// One permit for each unit.
    budget: Arc<Semaphore>,
}

/// The unit in which memory for unwrapping is reserved.
const UNIT_BYTES: usize = 64 << 10;

/// As a body's maximum by default.
const UNWRAPPED_BYTES_MAX: usize = 256 << 20;

impl Unwrapping {
    fn new(bytes_max: usize) -> Unwrapping {
        let units = bytes_max.div_ceil(UNIT_BYTES).min(Semaphore::MAX_PERMITS);
        Unwrapping {
            bytes_max,
            budget: Arc::new(Semaphore::new(units)),
        }
    }

    fn reserve(&self, bytes: usize) -> Option<OwnedSemaphorePermit> {
        let units = u32::try_from(bytes.div_ceil(UNIT_BYTES)).ok()?;
        self.budget.clone().try_acquire_many_owned(units).ok()
    }
}

impl Pipeline {
    pub fn new(spool: Spool, dead_letters: Arc<DeadLetters>) -> Pipeline {
        Pipeline {
            spool,
            dead_letters,
            places: Arc::new(Semaphore::new(DELIVERIES_MAX)),
            unwrapping: Unwrapping::new(UNWRAPPED_BYTES_MAX),
        }
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

    /// Returns when everything readable in the delivery is on disk. `memory` is what the body was
    /// charged for; it is given back when the body is decoded, also if nobody waits any more.
    ///
    /// # Errors
    ///
    /// When it is not; a part of it may be. The delivery may be sent again.
    pub async fn accept(
        &self,
        delivery: Delivery,
        memory: impl Send + 'static,
    ) -> Result<Receipt, NotTaken> {
        let place = self.places.acquire().await;
        let _place = place.map_err(|_| NotTaken::Failed)?;
        let (sender, mut pieces) = mpsc::channel(1);
        // Decoding a large body takes milliseconds of CPU: not on a thread that serves sockets.
        let dead_letters = self.dead_letters.clone();
        let unwrapping = self.unwrapping.clone();
        let decode = move || {
            let decoded = decode(&delivery, &unwrapping, &dead_letters, Pieces::new(sender));
            drop((delivery, memory));
            decoded
        };
        let decoding = tokio::task::spawn_blocking(decode);
        while let Some(piece) = pieces.recv().await {
            self.spool.append(batch(piece)).await.map_err(not_taken)?;
        }
        let (letters, receipt) = decoding.await.map_err(|_| NotTaken::Failed)??;
        if !letters.is_empty() {
            let letters = batch_of_letters(letters);
            self.spool.append(letters).await.map_err(not_taken)?;
        }
        Ok(receipt)
    }
}

fn shape(table: &Table) -> Arc<Shape> {
    Arc::new(Shape {
        table: table.name.to_owned(),
        columns: table
            .columns
            .iter()
            .map(|name| (*name).to_owned())
            .collect(),
        columns_version: table.columns_version,
        format: Format::RowBinary,
    })
}

fn batch(facts: Facts) -> Batch {
    static SHAPE: LazyLock<Arc<Shape>> = LazyLock::new(|| shape(&FACTS));
    let rows = facts.rows() as u32;
    Batch {
        parts: vec![Part {
            shape: SHAPE.clone(),
            rows,
            bytes: facts.into_bytes().into(),
        }],
    }
}

fn batch_of_letters(letters: DeadLetterRows) -> Batch {
    static SHAPE: LazyLock<Arc<Shape>> = LazyLock::new(|| shape(&DEAD_LETTERS));
    let rows = letters.rows() as u32;
    Batch {
        parts: vec![Part {
            shape: SHAPE.clone(),
            rows,
            bytes: letters.into_bytes().into(),
        }],
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

fn decode(
    delivery: &Delivery,
    unwrapping: &Unwrapping,
    dead_letters: &DeadLetters,
    mut pieces: Pieces,
) -> Result<(DeadLetterRows, Receipt), NotTaken> {
    let Delivery { cluster, body, .. } = delivery;
    let (mut events, mut refused) = (0, 0);
    let mut reserved = Vec::new();
    let limits = Limits {
        unpacked_bytes_max: unwrapping.bytes_max.saturating_sub(body.len()),
        held_bytes_max: unwrapping.bytes_max,
        reserve: &mut |bytes| {
            let permit = unwrapping.reserve(bytes);
            let is_there = permit.is_some();
            reserved.extend(permit);
            is_there
        },
    };
    let rest = envelope::read(body, limits, &mut |found| {
        events += 1;
        let outcome = lifecycle::facts(cluster, found.event, &mut |fact| pieces.push(fact));
        outcome.map_err(|reason| {
            refused += 1;
            if refused <= REJECTED_LOGGED_MAX {
                warn!(cluster, "event rejected: {}", reason.0);
            }
            Reason::Unreadable
        })
    });
    if rest.starved {
        return Err(NotTaken::NoMemory);
    }
    log_rejected(cluster, body.len(), &rest.rejected);
    metrics::counter!(telemetry::PIPELINE_EVENTS).increment(events as u64);
    metrics::counter!(telemetry::PIPELINE_IGNORED).increment(rest.ignored as u64);
    let receipt = Receipt {
        events,
        rejected: rest.rejected.len(),
        rows: pieces.finish(),
    };
    Ok((bury(delivery, &rest.rejected, dead_letters), receipt))
}

/// A delivery's rows on their way to whoever appends them.
struct Pieces {
    piece: Facts,
    rows: usize,
    to: mpsc::Sender<Facts>,
}

impl Pieces {
    fn new(to: mpsc::Sender<Facts>) -> Pieces {
        Pieces {
            piece: Facts::default(),
            rows: 0,
            to,
        }
    }

    fn push(&mut self, fact: &Fact) {
        self.piece.push(fact);
        if self.piece.bytes().len() >= PIECE_BYTES {
            self.send();
        }
    }

    fn send(&mut self) {
        let piece = std::mem::take(&mut self.piece);
        self.rows += piece.rows();
        // Nobody takes it when the spool refused a piece before, or the sender is gone: the delivery
        // is not acknowledged then.
        _ = self.to.blocking_send(piece);
    }

    /// Sends the rest, and says how many rows there were.
    fn finish(mut self) -> usize {
        if !self.piece.is_empty() {
            self.send();
        }
        self.rows
    }
}

/// Keeps what could not be read, and makes the rows that tell of it.
fn bury(delivery: &Delivery, rejected: &[Rejected], dead_letters: &DeadLetters) -> DeadLetterRows {
    let Delivery {
        cluster,
        origin,
        received_at,
        body,
    } = delivery;
    let letter = |Rejected { at, reason }: &Rejected| Letter {
        cluster,
        origin,
        position: at.clone(),
        reason: reason.as_str(),
        received_at: *received_at,
        bytes: &body[at.clone()],
    };
    let letters: Vec<Letter> = rejected.iter().map(letter).collect();
    let mut rows = DeadLetterRows::default();
    if letters.is_empty() {
        return rows;
    }
    for kept in dead_letters.put(&letters) {
        rows.push(&DeadLetterRow {
            cluster,
            id: kept.id.as_u128(),
            origin,
            reason: kept.reason,
            received_at: received_at.as_microsecond(),
            position_from: kept.position.start,
            bytes: kept.bytes,
            sha256: kept.sha256.0,
            raw_kept: kept.raw,
        });
    }
    rows
}

fn log_rejected(cluster: &str, body_bytes: usize, rejected: &[Rejected]) {
    for Rejected { at, reason } in rejected.iter().take(REJECTED_LOGGED_MAX) {
        let (from, bytes) = (at.start, at.len());
        warn!(
            cluster,
            body_bytes, "rejected {bytes} bytes at {from}: {reason}"
        );
    }
    let silent = rejected.len().saturating_sub(REJECTED_LOGGED_MAX);
    if silent > 0 {
        warn!(
            cluster,
            body_bytes, "rejected {silent} more parts of this delivery"
        );
    }
    for Rejected { reason, .. } in rejected {
        count_rejected(reason.as_str());
    }
}

fn count_rejected(reason: &'static str) {
    metrics::counter!(telemetry::PIPELINE_REJECTED, "reason" => reason).increment(1);
}
