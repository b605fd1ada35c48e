//! What a source hands over.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;

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
    /// Where `body` begins in what was delivered, if it is a portion of that: see [`crate::envelope::Portion`].
    pub from: i64,
}

impl Delivery {
    /// The position in the delivery of a part of the body.
    pub(super) fn place(&self, part: &Range<usize>) -> Range<usize> {
        let place = |at: usize| self.from.saturating_add_unsigned(at as u64).max(0) as usize;
        place(part.start)..place(part.end)
    }

    /// Whether a wrapper may name this cluster.
    pub(super) fn may_be_of(&self, cluster: &str) -> bool {
        match &self.clusters_of_wrappers {
            Some(clusters) => clusters.contains(cluster),
            None => self.cluster_else.is_none(),
        }
    }

    /// The cluster of what can't be read, as far as that is known without reading it; empty if not.
    pub(super) fn cluster_of_all(&self) -> &str {
        let told = self.cluster.as_deref().or(self.cluster_else.as_deref());
        told.unwrap_or_default()
    }
}
