//! The pipeline: a delivery's way through envelope and lifecycle into the spool.
//!
//! In: a [`Delivery`] of any source. Out: a [`Receipt`], after its facts are on disk, synced. What
//! could not be read is counted and logged by kind and place, never by content, and does not hold
//! up the rest.
//!
//! Never here: which source it is.

use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use tracing::{error, warn};

use crate::envelope::{self, Rejected};
use crate::lifecycle;
use crate::rows::{FACTS, Fact, Facts};
use crate::spool::{AppendError, Batch, Format, Part, Shape, Spool};
use crate::telemetry;

/// The most lines that one delivery may write to the log about its unreadable parts.
const REJECTED_LOGGED_MAX: usize = 3;

/// A delivery's rows go to the spool in pieces of about so many bytes, well below its largest frame.
const PIECE_BYTES: usize = 8 << 20;

/// Bytes that arrived, already decompressed.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// The cluster that its events are of.
    pub cluster: String,
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
    /// Told in the log where it happened.
    #[error("the spool could not write")]
    Failed,
}

/// Takes deliveries; clones share the spool.
#[derive(Clone)]
pub struct Pipeline {
    spool: Spool,
}

impl Pipeline {
    pub fn new(spool: Spool) -> Pipeline {
        Pipeline { spool }
    }

    /// Whether a delivery has a chance now: asked before its body is read.
    pub fn has_room(&self) -> bool {
        self.spool.has_room(0)
    }

    /// Returns when everything readable in the delivery is on disk.
    ///
    /// # Errors
    ///
    /// When it is not; a part of it may be. The delivery may be sent again.
    pub async fn accept(&self, delivery: Delivery) -> Result<Receipt, NotTaken> {
        // Decoding a large body takes milliseconds of CPU: not on a thread that serves sockets.
        let decoded = tokio::task::spawn_blocking(move || decode(&delivery)).await;
        let (pieces, receipt) = decoded.map_err(|_| NotTaken::Failed)?;
        for piece in pieces {
            self.spool.append(batch(piece)).await.map_err(not_taken)?;
        }
        Ok(receipt)
    }
}

fn batch(facts: Facts) -> Batch {
    static SHAPE: LazyLock<Arc<Shape>> = LazyLock::new(|| {
        Arc::new(Shape {
            table: FACTS.name.to_owned(),
            columns: FACTS
                .columns
                .iter()
                .map(|name| (*name).to_owned())
                .collect(),
            columns_version: FACTS.columns_version,
            format: Format::RowBinary,
        })
    });
    let rows = facts.rows() as u32;
    Batch {
        parts: vec![Part {
            shape: SHAPE.clone(),
            rows,
            bytes: facts.into_bytes().into(),
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

fn decode(delivery: &Delivery) -> (Vec<Facts>, Receipt) {
    let Delivery { cluster, body } = delivery;
    let opened = envelope::open(body);
    let mut pieces = vec![Facts::default()];
    let mut unreadable = 0;
    for event in &opened.events {
        let outcome = lifecycle::facts(cluster, event, &mut |fact| push(&mut pieces, fact));
        if let Err(reason) = outcome {
            unreadable += 1;
            count_rejected(cluster, "unreadable object");
            if unreadable <= REJECTED_LOGGED_MAX {
                warn!(cluster, "event rejected: {}", reason.0);
            }
        }
    }
    log_rejected(cluster, body.len(), &opened.rejected);
    metrics::counter!(telemetry::PIPELINE_EVENTS, "cluster" => cluster.clone())
        .increment(opened.events.len() as u64);
    pieces.retain(|piece| !piece.is_empty());
    let receipt = Receipt {
        events: opened.events.len(),
        rejected: opened.rejected.len() + unreadable,
        rows: pieces.iter().map(Facts::rows).sum(),
    };
    (pieces, receipt)
}

fn push(pieces: &mut Vec<Facts>, fact: &Fact) {
    if pieces
        .last()
        .is_none_or(|piece| piece.bytes().len() >= PIECE_BYTES)
    {
        pieces.push(Facts::default());
    }
    pieces
        .last_mut()
        .expect("there is one, or one was pushed")
        .push(fact);
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
        count_rejected(cluster, reason.as_str());
    }
}

fn count_rejected(cluster: &str, reason: &'static str) {
    metrics::counter!(
        telemetry::PIPELINE_REJECTED,
        "cluster" => cluster.to_owned(),
        "reason" => reason
    )
    .increment(1);
}
