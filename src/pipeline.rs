//! The pipeline: a delivery's way through envelope and lifecycle into the spool.
//!
//! In: a [`Delivery`] of any source, or several together. Out: a [`Receipt`] for each, after their
//! facts are on disk, synced, and [`Stored`] for who must know when ClickHouse has them. What could
//! not be read becomes a dead letter, is counted, and logged by kind and place, never by content; it
//! does not hold up the rest.
//!
//! Never here: which source it is.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use jiff::Timestamp;
use tokio::sync::{Semaphore, mpsc};
use tracing::{error, warn};

use crate::audit::Event;
use crate::budget::Budget;
use crate::coverage::Seen;
use crate::dead_letters::{self, DeadLetters, Letter};
use crate::envelope::{self, Limits, Reason, Rejected};
use crate::lifecycle;
use crate::rows::{
    DEAD_LETTERS, DeadLetterRow, DeadLetterRows, Encoded, FACTS, Fact, Facts, RECEIVED,
    ReceivedRows, SESSION_EVENTS, Session, SessionRows, Table,
};
use crate::spool::{self, AppendError, Batch, Part, Shape, Spool};
use crate::telemetry;

/// The most lines that deliveries that were taken together may write to the log about their
/// unreadable parts.
const REJECTED_LOGGED_MAX: usize = 3;

/// A delivery's rows go to the spool in pieces of about so many bytes. One is made while one waits and
/// one is written: no delivery holds more, whatever it makes of its bytes.
const PIECE_BYTES: usize = 1 << 20;

/// Deliveries that are decoded or wait for the spool at a time.
const DELIVERIES_MAX: usize = 32;

/// Unreadable parts that become dead letters together.
const LETTERS_MAX: usize = 10_000;

/// Bytes that arrived, already decompressed.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// The cluster that its events are of. Where the source knows none, their wrapper may name it.
    pub cluster: Option<String>,
    /// Which clusters it may name; without it any, unless there is a `cluster_else`.
    pub clusters_of_wrappers: Option<Arc<BTreeSet<String>>>,
    /// The cluster where neither names one. Where this is missing too, an event can't be taken.
    pub cluster_else: Option<String>,
    /// The source, and its position there.
    pub origin: String,
    pub received_at: Timestamp,
    pub body: Bytes,
    /// Where `body` begins in what was delivered, if it is a portion of that: see [`envelope::Portion`].
    pub from: i64,
}

/// A part of what came that is not there to be decoded.
#[derive(Clone, Debug)]
pub struct Missing<'m> {
    pub cluster: &'m str,
    pub origin: &'m str,
    pub received_at: Timestamp,
    pub why: Why,
}

/// Why it is not.
#[derive(Clone, Debug)]
pub enum Why {
    /// One value was longer than an event may be. With the SHA-256 of its bytes.
    TooLong { at: Range<u64>, sha256: [u8; 32] },
    /// A whole delivery was refused, for a reason that does not go away when it is sent again. `bytes` is what was
    /// announced, 0 where nothing was.
    Refused { reason: &'static str, bytes: u64 },
}

impl Why {
    fn reason(&self) -> &'static str {
        match self {
            Why::TooLong { .. } => Reason::TooLong.as_str(),
            Why::Refused { reason, .. } => reason,
        }
    }
}

impl Missing<'_> {
    /// The row that tells of it. What is sent again and refused again within the hour is the same letter.
    fn letter(&self) -> DeadLetterRow<'_> {
        let reason = self.why.reason();
        let (position_from, bytes, sha256, hour) = match &self.why {
            Why::TooLong { at, sha256 } => (at.start, at.end - at.start, *sha256, 0),
            Why::Refused { bytes, .. } => (0, *bytes, [0; 32], self.received_at.as_second() / 3600),
        };
        let id = dead_letters::id(
            self.cluster,
            &[&sha256, reason.as_bytes(), &hour.to_le_bytes()],
        );
        DeadLetterRow {
            cluster: self.cluster,
            id: id.as_u128(),
            origin: self.origin,
            reason,
            received_at: self.received_at.as_microsecond(),
            position_from,
            bytes,
            sha256,
            raw_kept: false,
        }
    }
}

impl Delivery {
    /// Where a part of the body stands in what was delivered.
    fn place(&self, part: &Range<usize>) -> Range<usize> {
        let place = |at: usize| self.from.saturating_add_unsigned(at as u64).max(0) as usize;
        place(part.start)..place(part.end)
    }

    /// Whether a wrapper may name this cluster.
    fn may_be_of(&self, cluster: &str) -> bool {
        match &self.clusters_of_wrappers {
            Some(clusters) => clusters.contains(cluster),
            None => self.cluster_else.is_none(),
        }
    }

    /// The cluster of what can't be read, as far as that is known without reading it; empty if not.
    fn cluster_of_all(&self) -> &str {
        let told = self.cluster.as_deref().or(self.cluster_else.as_deref());
        told.unwrap_or_default()
    }
}

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
}

/// Waits for ClickHouse's confirm of what was taken together.
#[derive(Debug)]
pub struct Stored(Vec<spool::Stored>);

impl Stored {
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
    budget: Budget,
}

/// As a body's maximum by default.
const UNWRAPPED_BYTES_MAX: usize = 256 << 20;

impl Unwrapping {
    fn new(bytes_max: usize) -> Unwrapping {
        Unwrapping {
            bytes_max,
            budget: Budget::new(bytes_max),
        }
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
        let decode = move || {
            let mut decoded = Decoded::new(sender, unwrapping);
            for delivery in &*deliveries {
                decoded.add(delivery);
            }
            let ended = decoded.end();
            let told = ended.map(|(receipts, rejected)| {
                let letters = bury(&deliveries, &rejected, &dead_letters);
                (receipts, letters)
            });
            drop((deliveries, memory));
            told
        };
        let decoding = tokio::task::spawn_blocking(decode);
        let mut stored = Vec::new();
        while let Some(piece) = pieces.recv().await {
            let receipt = self.spool.append(piece).await.map_err(not_taken)?;
            stored.push(receipt.stored);
        }
        let (receipts, letters) = decoding.await.map_err(|_| NotTaken::Failed)??;
        for piece in letters {
            let letters = batch_of_letters(piece);
            let receipt = self.spool.append(letters).await.map_err(not_taken)?;
            stored.push(receipt.stored);
        }
        Ok(Taken {
            receipts,
            stored: Stored(stored),
        })
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
    })
}

fn part_of_facts(facts: Facts) -> Part {
    static SHAPE: LazyLock<Arc<Shape>> = LazyLock::new(|| shape(&FACTS));
    part(&SHAPE, facts.finish())
}

fn part_of_received(received: ReceivedRows) -> Part {
    static SHAPE: LazyLock<Arc<Shape>> = LazyLock::new(|| shape(&RECEIVED));
    part(&SHAPE, received)
}

fn part_of_sessions(sessions: SessionRows) -> Part {
    static SHAPE: LazyLock<Arc<Shape>> = LazyLock::new(|| shape(&SESSION_EVENTS));
    part(&SHAPE, sessions)
}

fn batch_of_letters(letters: DeadLetterRows) -> Batch {
    static SHAPE: LazyLock<Arc<Shape>> = LazyLock::new(|| shape(&DEAD_LETTERS));
    let parts = vec![part(&SHAPE, letters)];
    Batch { parts }
}

fn part<R>(shape: &Arc<Shape>, rows: Encoded<R>) -> Part {
    Part {
        shape: shape.clone(),
        rows: rows.rows() as u32,
        bytes: rows.into_bytes().into(),
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

/// Rows on their way to whoever appends them.
struct Pieces {
    piece: Facts,
    sessions: SessionRows,
    seen: Seen,
    to: mpsc::Sender<Batch>,
}

impl Pieces {
    fn new(to: mpsc::Sender<Batch>) -> Pieces {
        Pieces {
            piece: Facts::default(),
            sessions: SessionRows::default(),
            seen: Seen::default(),
            to,
        }
    }

    fn push(&mut self, fact: &Fact) {
        self.piece.push(fact);
        if self.piece.bytes_len() >= PIECE_BYTES {
            self.send();
        }
    }

    fn push_session(&mut self, session: &Session) {
        self.sessions.push(session);
        if self.sessions.bytes().len() >= PIECE_BYTES {
            self.send();
        }
    }

    fn see(&mut self, cluster: &str, event: &Event) {
        self.seen.add(cluster, event);
        if self.seen.is_full() {
            self.send();
        }
    }

    /// Sends what there is, together.
    fn send(&mut self) {
        let facts = std::mem::take(&mut self.piece);
        let sessions = std::mem::take(&mut self.sessions);
        let received = self.seen.take();
        let facts = (!facts.is_empty()).then(|| part_of_facts(facts));
        let sessions = (!sessions.is_empty()).then(|| part_of_sessions(sessions));
        let received = (!received.is_empty()).then(|| part_of_received(received));
        let parts = facts.into_iter().chain(sessions).chain(received);
        let parts: Vec<Part> = parts.collect();
        if parts.is_empty() {
            return;
        }
        // Nobody takes it when the spool refused a piece before, or the sender is gone: the delivery
        // is not acknowledged then.
        _ = self.to.blocking_send(Batch { parts });
    }
}

/// What could not be read, and in which of the deliveries that were taken together.
type Placed = (usize, Rejected);

/// What is in deliveries that are taken together.
struct Decoded {
    pieces: Pieces,
    receipts: Vec<Receipt>,
    rejected: Vec<Placed>,
    /// Events that could be read and not understood.
    refused: usize,
    unwrapping: Unwrapping,
    /// Memory for what was unwrapped was refused: nothing of this can be taken now.
    starved: bool,
}

impl Decoded {
    fn new(to: mpsc::Sender<Batch>, unwrapping: Unwrapping) -> Decoded {
        Decoded {
            pieces: Pieces::new(to),
            receipts: Vec::new(),
            rejected: Vec::new(),
            refused: 0,
            unwrapping,
            starved: false,
        }
    }

    fn add(&mut self, delivery: &Delivery) {
        let body = &delivery.body;
        let (mut read, mut events, mut rows) = (0, 0, 0);
        let mut reserved = Vec::new();
        let unwrapping = self.unwrapping.clone();
        let limits = Limits {
            unpacked_bytes_max: unwrapping.bytes_max.saturating_sub(body.len()),
            held_bytes_max: unwrapping.bytes_max,
            reserve: &mut |bytes| {
                let room = unwrapping.budget.reserve(bytes);
                let is_there = room.is_some();
                reserved.extend(room);
                is_there
            },
        };
        let rest = envelope::read(body, limits, &mut |found| {
            read += 1;
            let wrapper = found.cluster.filter(|name| delivery.may_be_of(name));
            let told = delivery.cluster.as_deref().or(wrapper);
            let Some(cluster) = told.or(delivery.cluster_else.as_deref()) else {
                return Err(Reason::NoCluster);
            };
            self.pieces.see(cluster, found.event);
            let outcome = lifecycle::facts(cluster, found.event, &mut |fact| {
                rows += 1;
                self.pieces.push(fact);
            });
            let outcome = outcome.and_then(|()| {
                lifecycle::session(cluster, found.event, &mut |session| {
                    self.pieces.push_session(session);
                })
            });
            outcome.map(|()| events += 1).map_err(|reason| {
                self.refused += 1;
                if self.refused <= REJECTED_LOGGED_MAX {
                    warn!(cluster, "event rejected: {}", reason.0);
                }
                Reason::Unreadable
            })
        });
        self.starved |= rest.starved;
        metrics::counter!(telemetry::PIPELINE_EVENTS).increment(read as u64);
        metrics::counter!(telemetry::PIPELINE_IGNORED).increment(rest.ignored as u64);
        let place = self.receipts.len();
        self.receipts.push(Receipt {
            events,
            rejected: rest.rejected.len(),
            ignored: rest.ignored,
            rows,
            reason: rest.rejected.first().map(|part| part.reason.as_str()),
        });
        let rejected = rest.rejected.into_iter();
        self.rejected.extend(rejected.map(|part| (place, part)));
    }

    /// Sends the rest of the rows.
    fn end(mut self) -> Result<(Vec<Receipt>, Vec<Placed>), NotTaken> {
        self.pieces.send();
        if self.starved {
            return Err(NotTaken::NoMemory);
        }
        Ok((self.receipts, self.rejected))
    }
}

/// Keeps what could not be read, and makes the rows that tell of it.
fn bury(
    deliveries: &[Delivery],
    rejected: &[Placed],
    dead_letters: &DeadLetters,
) -> Vec<DeadLetterRows> {
    log_rejected(deliveries, rejected);
    let pieces = rejected.chunks(LETTERS_MAX);
    pieces
        .map(|piece| bury_piece(deliveries, piece, dead_letters))
        .collect()
}

fn bury_piece(
    deliveries: &[Delivery],
    rejected: &[Placed],
    dead_letters: &DeadLetters,
) -> DeadLetterRows {
    let of = |place: usize| {
        let delivery = &deliveries[place];
        (delivery, delivery.cluster_of_all())
    };
    let letter = |(place, part): &(usize, Rejected)| {
        let (delivery, cluster) = of(*place);
        Letter {
            cluster,
            origin: &delivery.origin,
            position: delivery.place(&part.at),
            reason: part.reason.as_str(),
            received_at: delivery.received_at,
            bytes: &delivery.body[part.at.clone()],
        }
    };
    let letters: Vec<Letter> = rejected.iter().map(letter).collect();
    let mut rows = DeadLetterRows::default();
    for ((place, _), kept) in rejected.iter().zip(dead_letters.put(&letters)) {
        let (delivery, cluster) = of(*place);
        rows.push(&DeadLetterRow {
            cluster,
            id: kept.id.as_u128(),
            origin: &delivery.origin,
            reason: kept.reason,
            received_at: delivery.received_at.as_microsecond(),
            position_from: kept.position.start,
            bytes: kept.bytes,
            sha256: kept.sha256.0,
            raw_kept: kept.raw,
        });
    }
    rows
}

fn log_rejected(deliveries: &[Delivery], rejected: &[Placed]) {
    for (place, Rejected { at, reason }) in rejected.iter().take(REJECTED_LOGGED_MAX) {
        let delivery = &deliveries[*place];
        let cluster = delivery.cluster_of_all();
        let (origin, body_bytes) = (&*delivery.origin, delivery.body.len());
        let (from, bytes) = (delivery.place(at).start, at.len());
        warn!(
            cluster,
            origin, body_bytes, "rejected {bytes} bytes at {from}: {reason}"
        );
    }
    let silent = rejected.len().saturating_sub(REJECTED_LOGGED_MAX);
    if silent > 0 {
        warn!("rejected {silent} more parts of what came with them");
    }
    for (_, Rejected { reason, .. }) in rejected {
        metrics::counter!(telemetry::PIPELINE_REJECTED, "reason" => reason.as_str()).increment(1);
    }
}
