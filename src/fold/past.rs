//! What a pod keeps of its pruned instances, so that the state of a pod that restarts forever stays small: see
//! [`super::prune`].

use serde::{Deserialize, Serialize};

use super::merge::least;
use super::runs::Runs;

/// Start, restart number, and the beginning of the ID: what orders the instances of a container.
pub(super) type ShortKey = (u32, u32, [u8; 4]);

/// The pruned instances of one container.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Past {
    pub restarts: Runs,
    /// The place of the newest.
    pub(super) newest: ShortKey,
}

/// When an instance had ended at the latest, because a pruned instance is a later one.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct NotAfter {
    /// Start and restart number as they were known when this was found out: they decide which instances are later. What
    /// was found out with less knowledge does not count.
    pub(super) known: Option<Known>,
    /// Microseconds.
    pub(super) at: Option<i64>,
}

/// Whether the restart number was reported, the start (the earlier the greater, 0 where unknown), and the number: new
/// information makes all of these greater.
pub(super) type Known = (bool, u32, u32);

impl NotAfter {
    pub(super) fn merge(&mut self, other: NotAfter) {
        if other.known > self.known {
            *self = other;
        } else if other.known == self.known {
            least(&mut self.at, other.at);
        }
    }
}

impl Past {
    pub(super) fn merge(&mut self, other: &Past) {
        self.restarts.merge(&other.restarts);
        self.newest = self.newest.max(other.newest);
    }
}
