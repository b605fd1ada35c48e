//! Sources: where deliveries come from.

pub mod etcd;
pub mod file;
pub mod kafka;
pub mod objects;
pub mod watch;
pub mod webhook;

use serde::{Deserialize, Serialize};

/// How a source is, or one part of it: a line of `bygone sources status`.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct Status {
    /// `webhook`, `kafka`, `file`, `watch` or `etcd`.
    pub source: String,
    /// Which part of it: a topic and a partition, a path, or a cluster and a resource.
    pub place: Option<String>,
    pub state: String,
    /// The first that ClickHouse has not confirmed.
    pub position: Option<i64>,
    /// Where another member would continue, as acknowledged by the broker.
    pub committed: Option<i64>,
    /// Behind the last that there is.
    pub end: Option<i64>,
    /// From `position` to `end`.
    pub lag: Option<i64>,
    /// Age of the oldest that ClickHouse has not confirmed, in seconds; of a file, for how long it has been seen.
    pub oldest_seconds: Option<f64>,
    /// What it has stored since the start, as far as that is counted.
    pub facts: Option<i64>,
    /// The last error, and when it happened.
    pub last_error: Option<String>,
}

impl Status {
    /// One that has no position.
    pub fn of(source: &str, state: &str) -> Status {
        Status {
            source: source.to_owned(),
            place: None,
            state: state.to_owned(),
            position: None,
            committed: None,
            end: None,
            lag: None,
            oldest_seconds: None,
            facts: None,
            last_error: None,
        }
    }
}

/// The longest name of a cluster.
const CLUSTER_BYTES_MAX: usize = 253;

/// Slashes: wrappers name clusters by a resource ID of Azure, a log group of AWS, a path of Google.
pub fn is_cluster_name(name: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
    !name.is_empty() && name.len() <= CLUSTER_BYTES_MAX && name.chars().all(fits)
}
