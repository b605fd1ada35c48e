//! Lives of pods, made up from a seed, and what an API server says of them.
//!
//! [`generate`] makes events: services and jobs, restarts and crash loops with lost ends, forced
//! deletions, removals that nobody saw, names that are used again. [`deliver`] lets them arrive:
//! late, twice, in other orders. Each event is told as [`fact`]s, which are encoded as rows, or as
//! the JSON that an API server would post.
//!
//! What an event says of a pod is written here once more, apart from `bygone::lifecycle`.

/// Events as the JSON of an `EventList`.
pub mod audit;
/// When and how often events arrive.
pub mod deliver;
/// Facts as the rows of the table `facts`.
pub mod encode;
/// What an event says of a pod and of its container instances.
pub mod fact;
/// Pods that are created, run, fail and go.
pub mod generate;
/// A pod as the API server holds it, and the writes that change it.
pub mod object;
mod tests;

use std::sync::Arc;

/// Text that many events share.
pub type Text = Arc<str>;

/// Microseconds in a second.
pub const SECOND: i64 = 1_000_000;
pub const MINUTE: i64 = 60 * SECOND;
pub const HOUR: i64 = 60 * MINUTE;
pub const DAY: i64 = 24 * HOUR;

/// Whole seconds since the epoch, as Kubernetes keeps times inside of its objects.
pub fn seconds(micros: i64) -> u32 {
    u32::try_from(micros.div_euclid(SECOND)).expect("a time after 1970")
}
