//! What was read so far, for people who watch: shared by all files that are read together.

use std::collections::{BTreeSet, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::way::Taken;

/// Pods that are told apart; beyond, they are not counted.
const PODS_MAX: usize = 4_000_000;

/// Clusters that are named.
const CLUSTERS_MAX: usize = 8;

/// Counts of many files.
#[derive(Debug, Default)]
pub struct Tally {
    /// Bytes as they lie on the disk.
    pub packed_read: Arc<AtomicU64>,
    pub events: AtomicU64,
    pub rejected: AtomicU64,
    pub ignored: AtomicU64,
    sets: Mutex<Sets>,
}

#[derive(Debug, Default)]
struct Sets {
    pods: HashSet<u64>,
    clusters: BTreeSet<String>,
}

impl Tally {
    pub fn add(&self, taken: &Taken) {
        self.events.fetch_add(taken.events, Ordering::Relaxed);
        self.rejected.fetch_add(taken.rejected, Ordering::Relaxed);
        self.ignored.fetch_add(taken.ignored, Ordering::Relaxed);
        let mut sets = self.sets();
        if sets.pods.len() < PODS_MAX {
            sets.pods.extend(&taken.pods);
        }
        for cluster in &taken.clusters {
            if sets.clusters.len() < CLUSTERS_MAX && !sets.clusters.contains(cluster) {
                sets.clusters.insert(cluster.clone());
            }
        }
    }

    pub fn pods(&self) -> usize {
        self.sets().pods.len()
    }

    /// The clusters that wrappers named.
    pub fn clusters(&self) -> Vec<String> {
        self.sets().clusters.iter().cloned().collect()
    }

    fn sets(&self) -> MutexGuard<'_, Sets> {
        self.sets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
