//! The answers by brute force: every fact that was ever inserted, folded one by one.
//!
//! In: facts, each with the server's time of receipt, and the settlings that were made. Out: what
//! the documented views must answer. Nothing here knows the SQL.
//!
//! Late facts (heard more than five minutes after their event) may be told only in part until a
//! settling has joined them with history. Their pods are held to a weaker rule until then: see
//! [`state`].

/// Rows of answers.
pub mod answer;
/// Expected answers against those that came.
pub mod compare;
/// Facts of one pod, merged.
pub mod fold;
/// A pod's lives and their rows.
pub mod life;
/// What was said of names.
pub mod names;
/// What has been heard and joined, and so how strictly a pod is compared.
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
