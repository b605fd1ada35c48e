//! The pipeline: a delivery's way through envelope and lifecycle to the sink.
//!
//! In: a [`Delivery`] of any source. Out: after ClickHouse confirmed its facts, how much was in it.
//! What could not be read is counted and logged by kind and place, never by content, and does not
//! hold up the rest.
//!
//! Never here: which source it is.

use bytes::Bytes;
use tracing::warn;

use crate::envelope::{self, Rejected};
use crate::lifecycle;
use crate::rows::Facts;
use crate::sink::{NotStored, Sink};
use crate::telemetry;

/// The most lines that one delivery may write to the log about its unreadable parts.
const REJECTED_LOGGED_MAX: usize = 3;

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

/// Takes deliveries; clones share the sink.
#[derive(Clone)]
pub struct Pipeline {
    sink: Sink,
}

impl Pipeline {
    pub fn new(sink: Sink) -> Pipeline {
        Pipeline { sink }
    }

    /// Returns when everything readable in the delivery is stored.
    ///
    /// # Errors
    ///
    /// When ClickHouse did not confirm it; the delivery may be sent again.
    pub async fn accept(&self, delivery: Delivery) -> Result<Receipt, NotStored> {
        // Decoding a large body takes milliseconds of CPU: not on a thread that serves sockets.
        let decoded = tokio::task::spawn_blocking(move || decode(&delivery)).await;
        let (rows, receipt) = decoded.map_err(|_| NotStored)?;
        self.sink.insert(rows).await?;
        Ok(receipt)
    }
}

fn decode(delivery: &Delivery) -> (Facts, Receipt) {
    let Delivery { cluster, body } = delivery;
    let opened = envelope::open(body);
    let mut rows = Facts::default();
    let mut unreadable = 0;
    for event in &opened.events {
        if let Err(reason) = lifecycle::facts(cluster, event, &mut |fact| rows.push(fact)) {
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
    let receipt = Receipt {
        events: opened.events.len(),
        rejected: opened.rejected.len() + unreadable,
        rows: rows.rows(),
    };
    (rows, receipt)
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
