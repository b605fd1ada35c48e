//! Half-open spans of time.

use jiff::{SignedDuration, Timestamp};

/// `[from, until)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    pub from: Timestamp,
    pub until: Timestamp,
}

impl Span {
    pub fn is_empty(&self) -> bool {
        self.from >= self.until
    }

    /// What both have.
    #[must_use]
    pub fn within(self, from: Option<Timestamp>, until: Option<Timestamp>) -> Span {
        Span {
            from: from.map_or(self.from, |from| from.max(self.from)),
            until: until.map_or(self.until, |until| until.min(self.until)),
        }
    }
}

/// A time so much later, or as late as there is.
pub fn later(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.checked_add(by).unwrap_or(Timestamp::MAX)
}

/// A time so much earlier, or as early as there is.
pub fn earlier(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.checked_sub(by).unwrap_or(Timestamp::MIN)
}
