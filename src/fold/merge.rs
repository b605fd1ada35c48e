//! What is merged in any order and any number of times: the first and the last, the greatest, the newest.

use serde::{Deserialize, Serialize};

/// How new a state is: those with a resourceVersion are newer than those without, which go by the time of
/// their event.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct AsOf {
    pub(super) has_version: bool,
    pub(super) at: u64,
}

/// The first and the last time of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Seen {
    pub first: i64,
    pub last: i64,
}

impl Default for Seen {
    fn default() -> Seen {
        Seen {
            first: i64::MAX,
            last: i64::MIN,
        }
    }
}

impl Seen {
    /// Reported once.
    pub(super) fn at(at: i64) -> Seen {
        Seen {
            first: at,
            last: at,
        }
    }

    pub(super) fn merge(&mut self, other: Seen) {
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
    }

    /// The first report without a contrary sign after it.
    pub(super) fn after(self, contrary: Option<i64>) -> Option<i64> {
        let times = [self.first, self.last].into_iter();
        let mut times = times.filter(|at| contrary.is_none_or(|contrary| contrary <= *at));
        times.next()
    }
}

/// Keeps the greater one.
pub(super) fn greatest<T: PartialOrd>(kept: &mut T, other: T) {
    if other > *kept {
        *kept = other;
    }
}

/// Keeps the smaller one of what there is.
pub(super) fn least<T: PartialOrd>(kept: &mut Option<T>, other: Option<T>) {
    if let Some(other) = other
        && kept.as_ref().is_none_or(|kept| other < *kept)
    {
        *kept = Some(other);
    }
}

/// Keeps the first and the last of what there is.
pub(super) fn both(kept: &mut Option<Seen>, other: Option<Seen>) {
    match (kept.as_mut(), other) {
        (Some(kept), Some(other)) => kept.merge(other),
        (None, other) => *kept = other,
        (Some(_), None) => {}
    }
}
