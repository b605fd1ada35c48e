//! Deliveries are decoded: their events become rows, and what could not be read is handed back.

use tokio::sync::mpsc;
use tracing::warn;

use super::delivery::Delivery;
use super::letters::{Placed, REJECTED_LOGGED_MAX};
use super::pieces::Pieces;
use super::{Details, NotTaken, Receipt, RejectedPart};
use crate::budget::Budget;
use crate::envelope::{self, Limits, Reason, Rejected};
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

/// Rejected parts whose places a person is shown, and clusters that wrappers named, of deliveries that are taken together.
const REJECTED_SHOWN_MAX: usize = 100;
const CLUSTERS_MAX: usize = 8;

/// What came of deliveries that were taken together, besides their rows.
pub(super) struct Ended {
    pub receipts: Vec<Receipt>,
    pub rejected: Vec<Placed>,
    pub details: Details,
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
    details: Option<Details>,
}

impl Decoded {
    pub(super) fn new(
        to: mpsc::Sender<Batch>,
        unwrapping: Unwrapping,
        with_details: bool,
    ) -> Decoded {
        Decoded {
            pieces: Pieces::new(to),
            receipts: Vec::new(),
            rejected: Vec::new(),
            refused: 0,
            unwrapping,
            starved: false,
            details: with_details.then(Details::default),
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
            if let Some(details) = &mut self.details {
                details.name_cluster(found.cluster);
            }
            self.pieces.see(cluster, found.event);
            let outcome = lifecycle::facts(cluster, found.event, &mut |fact| {
                rows += 1;
                if let Some(details) = &mut self.details {
                    details.count_pod(fact.pod_uid);
                }
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
        if let Some(details) = &mut self.details {
            details.reject(&rest.rejected);
        }
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
    pub(super) fn end(mut self) -> Result<Ended, NotTaken> {
        self.pieces.send();
        if self.starved {
            return Err(NotTaken::NoMemory);
        }
        Ok(Ended {
            receipts: self.receipts,
            rejected: self.rejected,
            details: self.details.unwrap_or_default(),
        })
    }
}

impl Details {
    /// Counts a pod by its uid; facts about names have none.
    pub(super) fn count_pod(&mut self, uid: u128) {
        if uid != 0 {
            self.pods.insert((uid >> 64) as u64 ^ uid as u64);
        }
    }

    pub(super) fn name_cluster(&mut self, name: Option<&str>) {
        let Some(name) = name else { return };
        if self.clusters.len() < CLUSTERS_MAX && !self.clusters.contains(name) {
            self.clusters.insert(name.to_owned());
        }
    }

    pub(super) fn reject(&mut self, rejected: &[Rejected]) {
        let room = REJECTED_SHOWN_MAX - self.rejected.len();
        let parts = rejected.iter().take(room).map(|part| RejectedPart {
            at: part.at.clone(),
            reason: part.reason.as_str(),
        });
        self.rejected.extend(parts);
    }
}
