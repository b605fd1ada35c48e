//! Objects of clusters: what the ways to see them share, the API of the servers (`watch`) and their etcd (`etcd`).
//!
//! In: lists and watches, as a `Way` brings them. Out: their facts in ClickHouse, and only then the version, as a
//! position. A restart goes on at the position: what happened meanwhile comes too, as long as it is still there.
//! Otherwise everything is listed, and what the history has open and the list lacks had ended in between.
//!
//! ```text
//! list -> watch -> batches -> pipeline -> spool ... ClickHouse -> ledger -> positions
//!   ^      | the version is no longer there
//!   +------+        one loop for each resource; a client and an identity for the cluster
//! ```
//!
//! Several processes may see the same cluster, and both ways may at once: the facts are the same, and any position is
//! right.
//!
//! What can go wrong: a server that is away, another one, rejects credentials, has another certificate; one line
//! each, and another try. A resource that may not be read leaves the others alone.
//!
//! Limits: what is stored together 4 MiB, batches that wait for ClickHouse 1,024. When the spool is full nothing more
//! is read.
//!
//! Never here: what objects mean (`lifecycle::watched`), how they come, and an object's content in a log, an error or
//! a metric.

pub(super) mod batch;
pub(super) mod cluster;
pub(super) mod failure;
mod incoming;
pub(super) mod ledger;
mod list;
pub(super) mod observers;
pub(super) mod progress;
pub(super) mod resource;
mod run;
pub(super) mod settings;
mod view;
pub(super) mod way;

use jiff::Timestamp;

pub use cluster::{OpenPod, OpenPods, Parts};
pub use observers::{Observers, Statuses};

/// Our own time, in microseconds.
pub fn ours() -> i64 {
    Timestamp::now().as_microsecond()
}
