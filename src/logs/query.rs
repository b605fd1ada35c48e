//! What a store is asked.

use super::conditions::Condition;
use super::explain::Sent;
use super::grep::Grep;
use super::span::Span;

/// Which lines are wanted, in the words of every kind.
#[derive(Clone, Debug)]
pub struct Query {
    pub conditions: Vec<Condition>,
    /// What such lines say besides, for stores that look through all lines where nothing narrows them down.
    pub names: Vec<Condition>,
    pub span: Span,
    pub newest_first: bool,
    /// Where the store can filter by it, it may: what comes is filtered once more.
    pub grep: Option<Grep>,
    /// So many lines are enough.
    pub lines_max: Option<u64>,
    /// Where every query is noted.
    pub sent: Sent,
}
