//! What is watched, and what its objects prove.

use crate::audit::{Metadata, Object};
use crate::lifecycle::Unreadable;
use crate::lifecycle::watched::{self, Moment, Sight};
use crate::rows::Fact;

/// Pods are read whole, of the others only the metadata.
const WHOLE: &str = "application/json";
const METADATA: &str =
    "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json";
const METADATA_LIST: &str =
    "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json";

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Resource {
    Pods,
    Nodes,
    Namespaces,
}

/// Receives facts.
pub type Emit<'e> = &'e mut dyn FnMut(&Fact);

impl Resource {
    pub const ALL: [Resource; 3] = [Resource::Pods, Resource::Nodes, Resource::Namespaces];

    pub fn name(self) -> &'static str {
        match self {
            Resource::Pods => "pods",
            Resource::Nodes => "nodes",
            Resource::Namespaces => "namespaces",
        }
    }

    /// A page of a list; `token` is where the page before ended.
    pub fn page(self, limit: usize, token: &str) -> String {
        let name = self.name();
        let more = match token {
            "" => String::new(),
            token => format!("&continue={}", encoded(token)),
        };
        format!("/api/v1/{name}?limit={limit}{more}")
    }

    /// A watch from behind a version on.
    pub fn watch(self, version: &str, seconds: u64) -> String {
        let name = self.name();
        let version = encoded(version);
        format!(
            "/api/v1/{name}?watch=true&allowWatchBookmarks=true&timeoutSeconds={seconds}&resourceVersion={version}"
        )
    }

    pub fn accept_list(self) -> &'static str {
        match self {
            Resource::Pods => WHOLE,
            Resource::Nodes | Resource::Namespaces => METADATA_LIST,
        }
    }

    pub fn accept_watch(self) -> &'static str {
        match self {
            Resource::Pods => WHOLE,
            Resource::Nodes | Resource::Namespaces => METADATA,
        }
    }

    /// Emits what an object proves.
    ///
    /// # Errors
    ///
    /// When it does not say what it is.
    pub fn facts(
        self,
        cluster: &str,
        object: &Object,
        (sight, moment): (Sight, Moment),
        emit: Emit,
    ) -> Result<(), Unreadable> {
        let nothing = Metadata::default();
        let metadata = object.metadata.as_ref().unwrap_or(&nothing);
        match self {
            Resource::Pods => watched::pod(cluster, object, sight, moment, emit),
            Resource::Nodes => watched::node(cluster, metadata, sight, moment, emit),
            Resource::Namespaces => watched::namespace(cluster, metadata, sight, moment, emit),
        }
    }
}

/// Metadata of one object: what is asked of kube-system.
pub const ONE: &str = METADATA;
/// Metadata of a list of pods.
pub const MANY: &str = METADATA_LIST;

/// Percent-encodes what a server gave us for a query.
fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                encoded.push(byte as char);
            }
            _ => encoded += &format!("%{byte:02X}"),
        }
    }
    encoded
}
