//! The etcd source: pods, nodes and namespaces of clusters, by their etcd.
//!
//! In: ranges and watches of three prefixes, and of no other key. Out: what `source::objects` makes of them.
//!
//! A range is read at one revision, then a watch goes on behind it. The last state of what is deleted comes with the
//! deletion (`prev_kv`); where it doesn't, the key still has the name. Requests for progress say how far the watch is,
//! and bound its silence.
//!
//! What can go wrong: members that are away, reject a user or a certificate, have no leader; one line each, and
//! another try with the next endpoint. A compacted revision, and an etcd that was restored: everything is listed.
//! Values that are encrypted at rest are counted as there, and said once.
//!
//! Limits: a message has 64 MiB.
//!
//! Never here: what objects mean (`lifecycle::watched`), how values are encoded (`audit::stored`), and a value's
//! content in a log, an error or a metric.

mod address;
mod client;
mod config;
mod failure;
mod feed;
mod messages;
mod read;
mod way;

use std::collections::BTreeSet;

use tracing::warn;

use super::objects::{Observers, Parts};
use address::Address;
pub use config::Config;
use way::Etcd;

/// Why an etcd could not be read: one line.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Error(String);

/// Checks the configuration and the files that it names, without a connection. Says aloud where there is no TLS.
///
/// # Errors
///
/// One line: which cluster, what is wrong, and what to do.
pub fn check(configs: &[Config], insecure: bool) -> Result<(), Error> {
    let mut named = BTreeSet::new();
    for config in configs {
        let cluster = &config.cluster;
        if !named.insert((cluster, config.once)) {
            return Err(Error(format!(
                "etcd {cluster}: is there twice: keep one [[etcd]] of it"
            )));
        }
        let address = Address::find(config, insecure);
        let address = address.map_err(|cause| Error(format!("etcd {cluster}: {cause}")))?;
        for member in address.members.iter().filter(|it| address::is_open(it)) {
            warn!(
                "etcd {cluster}: {}: no TLS: anybody on the way can read and forge everything",
                address::url(member)
            );
        }
    }
    Ok(())
}

/// Begins to read.
pub fn start(configs: &[Config], parts: &Parts) -> Observers {
    let ways = configs
        .iter()
        .map(|config| Etcd::new(config, parts.insecure));
    Observers::start(ways, parts)
}
