//! The answers by brute force: every fact that was ever inserted, folded one by one.
//!
//! In: facts, and which of them were stored late. Out: what the documented views must answer.
//!
//! Nothing here is shared with `bygone::fold`, which it is to be held against: no code, no types. What may be
//! slow is written as plainly as it can be.

/// Rows of answers.
pub mod answer;
/// Expected answers against those that came.
pub mod compare;
/// Labels, owner and addresses, as they were and as they are.
pub mod described;
/// Facts of one pod.
pub mod fold;
/// Which reports are about the same container instance, and when it ran.
pub mod instance;
/// A pod's lives and their rows.
pub mod life;
/// What was said of names.
pub mod names;
/// All facts, and the answers.
pub mod state;
/// Hand-made cases.
mod tests;
/// The views, asked.
pub mod views;
/// Why a life ended.
pub mod why;

/// From `since`, up to but without `until`; microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    pub since: i64,
    pub until: i64,
}
