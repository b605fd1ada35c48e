//! What stays with a pod of the instances that it has let go of, so that the state of one that restarts for ever
//! stays small: see [`super::prune`].

use serde::{Deserialize, Serialize};

use super::merge::least;
use super::runs::Runs;

/// Start, restart number, and the beginning of the ID: what orders the instances of a container.
pub(super) type ShortKey = (u32, u32, [u8; 4]);

/// The instances of one container that its pod has let go of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Past {
    pub restarts: Runs,
    /// The place of the newest.
    pub(super) newest: ShortKey,
}

/// By when an instance had ended, since an instance that its pod has let go of is a later one.
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

/// Whether the restart number was told, the start (the earlier the greater, 0 where it is not known), and the number: what
/// becomes known makes all of these greater.
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
