//! The configuration: `[[files]]`.

use serde::{Deserialize, Serialize};

/// Files that `bygone serve` follows.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The cluster of their events.
    pub cluster: String,
    /// Files, folders with everything below them, or patterns like `/var/log/kubernetes/audit*.log*`. The rotations
    /// that lie beside a file are read too.
    pub paths: Vec<String>,
}

/// Why the configuration makes no sense.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(
        "files.cluster {0:?} is not a cluster name: use letters, digits, '-', '_', '.' and '/'"
    )]
    Cluster(String),
    #[error("files of cluster {0:?} have no paths: set paths")]
    NoPaths(String),
}

impl Config {
    /// Whether it makes sense.
    ///
    /// # Errors
    ///
    /// When the name of the cluster is invalid, or there is no path.
    pub fn check(&self) -> Result<(), Error> {
        if !crate::source::is_cluster_name(&self.cluster) {
            return Err(Error::Cluster(self.cluster.clone()));
        }
        match self.paths.is_empty() {
            true => Err(Error::NoPaths(self.cluster.clone())),
            false => Ok(()),
        }
    }
}
