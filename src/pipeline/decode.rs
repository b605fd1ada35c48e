//! Deliveries are decoded: their events become rows, and what could not be read is handed back.

use tokio::sync::mpsc;
use tracing::warn;

use super::delivery::Delivery;
use super::letters::{Placed, REJECTED_LOGGED_MAX};
use super::pieces::Pieces;
use super::{NotTaken, Receipt};
use crate::budget::Budget;
use crate::envelope::{self, Limits, Reason};
use crate::lifecycle;
use crate::spool::Batch;
use crate::telemetry;

/// What unwrapping may take: one delivery unpacks to as much at most, and all deliveries hold as much
/// at the same time.
#[derive(Clone)]
pub(super) struct Unwrapping {
    bytes_max: usize,
    budget: Budget,
}

impl Unwrapping {
    pub(super) fn new(bytes_max: usize) -> Unwrapping {
        Unwrapping {
            bytes_max,
            budget: Budget::new(bytes_max),
        }
    }
}

/// What is in deliveries that are taken together.
pub(super) struct Decoded {
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
    pub(super) fn new(to: mpsc::Sender<Batch>, unwrapping: Unwrapping) -> Decoded {
        Decoded {
            pieces: Pieces::new(to),
            receipts: Vec::new(),
            rejected: Vec::new(),
            refused: 0,
            unwrapping,
            starved: false,
        }
    }

    pub(super) fn add(&mut self, delivery: &Delivery) {
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
    pub(super) fn end(mut self) -> Result<(Vec<Receipt>, Vec<Placed>), NotTaken> {
        self.pieces.send();
        if self.starved {
            return Err(NotTaken::NoMemory);
        }
        Ok((self.receipts, self.rejected))
    }
}
