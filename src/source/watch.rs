//! The watch source: pods, nodes and namespaces of clusters, by their API servers.
//!
//! In: lists and watches of the API. Out: what `source::objects` makes of them.
//!
//! Pods name the ReplicaSet or the Job that owns them; what controls that is read when the first pod names it.
//!
//! What can go wrong: an API server that is away, another one, rejects credentials, has another certificate; one line
//! each, and another try. A resource that may not be read leaves the others alone.
//!
//! Limits: a page has 64 MiB, a line 8 MiB.
//!
//! Never here: what objects mean (`lifecycle::watched`), and an object's content in a log, an error or a metric.

mod address;
mod client;
mod clock;
mod config;
mod failure;
mod feed;
mod lines;
mod owners;
mod paths;
mod proxy;
mod read;
#[cfg(test)]
mod tests;
mod way;

use std::collections::BTreeSet;

use tracing::warn;

use super::objects::cluster::Parts;
use super::objects::observers::Observers;
use address::Address;
pub use config::Config;
use way::Api;

/// Why a watch could not start: one line.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Error(String);

/// Checks the configuration and the files that it names, without a connection. Says aloud which certificates are not
/// verified.
///
/// # Errors
///
/// One line: which watch, what is wrong, and what to do.
pub async fn check(configs: &[Config], insecure: bool) -> Result<(), Error> {
    let mut named = BTreeSet::new();
    for config in configs {
        let cluster = &config.cluster;
        if !named.insert(cluster) {
            return Err(Error(format!(
                "watch {cluster}: is there twice: keep one [[watch]] of it"
            )));
        }
        let variable = |name: &str| std::env::var(name).ok();
        let address = Address::find(config, insecure, &variable).await;
        let address = address.map_err(|cause| Error(format!("watch {cluster}: {cause}")))?;
        if let Some(danger) = address.danger() {
            warn!(
                "watch {cluster}: {}: {danger}: anybody on the way can read and forge everything",
                address.url()
            );
        }
    }
    Ok(())
}

/// Begins to watch.
pub fn start(configs: &[Config], parts: &Parts) -> Observers {
    let ways = configs
        .iter()
        .map(|config| Api::new(config, parts.insecure));
    Observers::start(ways, parts)
}
