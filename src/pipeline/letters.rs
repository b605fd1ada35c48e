//! What could not be read, or is missing: it is logged, counted, and becomes dead letters.

use std::ops::Range;

use jiff::Timestamp;
use tracing::warn;

use super::delivery::Delivery;
use crate::dead_letters::{self, DeadLetters, Letter};
use crate::envelope::{Reason, Rejected};
use crate::rows::{DeadLetterRow, DeadLetterRows};
use crate::telemetry;

/// The most lines that deliveries that were taken together may write to the log about their
/// unreadable parts.
pub(super) const REJECTED_LOGGED_MAX: usize = 3;

/// Unreadable parts that become dead letters together.
const LETTERS_MAX: usize = 10_000;

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
    pub(super) fn reason(&self) -> &'static str {
        match self {
            Why::TooLong { .. } => Reason::TooLong.as_str(),
            Why::Refused { reason, .. } => reason,
        }
    }
}

impl Missing<'_> {
    /// The row for a letter. A part that is sent and rejected again within the hour is the same letter.
    pub(super) fn letter(&self) -> DeadLetterRow<'_> {
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

/// What could not be read, and in which of the deliveries that were taken together.
pub(super) type Placed = (usize, Rejected);

/// Keeps the rejected parts, and makes their rows.
pub(super) fn keep_rejected(
    deliveries: &[Delivery],
    rejected: &[Placed],
    dead_letters: &DeadLetters,
) -> Vec<DeadLetterRows> {
    log_rejected(deliveries, rejected);
    let pieces = rejected.chunks(LETTERS_MAX);
    pieces
        .map(|piece| keep_piece(deliveries, piece, dead_letters))
        .collect()
}

fn keep_piece(
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
        warn!("rejected {silent} more parts of the same deliveries");
    }
    for (_, Rejected { reason, .. }) in rejected {
        metrics::counter!(telemetry::PIPELINE_REJECTED, "reason" => reason.as_str()).increment(1);
    }
}
