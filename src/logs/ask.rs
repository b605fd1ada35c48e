//! How lines are wanted.

use jiff::Timestamp;

use super::grep::Grep;

/// How the lines are wanted.
#[derive(Clone, Debug)]
pub struct Ask {
    /// Only lines from here, and before there.
    pub from: Option<Timestamp>,
    pub until: Option<Timestamp>,
    /// The last `lines_max` lines, which are read newest first. They are given in the order of time all the same.
    pub newest_first: bool,
    pub grep: Option<Grep>,
    /// At most so many lines in all.
    pub lines_max: Option<u64>,
    /// Whether to go on with what comes later ([`super::Follow`]).
    pub follow: bool,
    /// Whether to say what the stores were asked.
    pub explain: bool,
    /// What runs ends here.
    pub now: Timestamp,
}
