//! By what an instance is found in a store.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The strongest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Identity {
    /// No other instance has these lines.
    ContainerId,
    /// Pod UID, container and restart number, also out of the file's path. A kubelet that lost its count may give one
    /// number twice.
    Restart,
    /// Pod UID and container: instances of one container differ by time alone.
    Uid,
    /// Namespace, pod and container: so are pods of one name.
    Names,
}

impl Identity {
    pub const ALL: [Identity; 4] = [
        Identity::ContainerId,
        Identity::Restart,
        Identity::Uid,
        Identity::Names,
    ];

    /// Whether other instances have such lines too, so that only time tells them apart.
    pub fn shares_lines(self) -> bool {
        matches!(self, Identity::Uid | Identity::Names)
    }

    /// For people.
    pub fn words(self) -> &'static str {
        match self {
            Identity::ContainerId => "container ID",
            Identity::Restart => "pod UID, container and restart number",
            Identity::Uid => "pod UID and container, separated by time",
            Identity::Names => "names, separated by time",
        }
    }
}
