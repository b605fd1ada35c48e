//! What is asked of an API server.

use super::super::objects::resource::Resource;

/// Pods are read whole, of the others only the metadata.
const WHOLE: &str = "application/json";
const METADATA: &str =
    "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json";
const METADATA_LIST: &str =
    "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json";

/// Metadata of one object: what is asked of kube-system.
pub const ONE: &str = METADATA;
/// Metadata of a list of pods.
pub const MANY: &str = METADATA_LIST;

/// A page of a list; `token` is where the page before ended.
pub fn page(resource: Resource, limit: usize, token: &str) -> String {
    let name = resource.name();
    let more = match token {
        "" => String::new(),
        token => format!("&continue={}", encoded(token)),
    };
    format!("/api/v1/{name}?limit={limit}{more}")
}

/// A watch from behind a version on.
pub fn watch(resource: Resource, version: &str, seconds: u64) -> String {
    let name = resource.name();
    let version = encoded(version);
    format!(
        "/api/v1/{name}?watch=true&allowWatchBookmarks=true&timeoutSeconds={seconds}&resourceVersion={version}"
    )
}

pub fn accept_list(resource: Resource) -> &'static str {
    match resource {
        Resource::Pods => WHOLE,
        Resource::Nodes | Resource::Namespaces => METADATA_LIST,
    }
}

pub fn accept_watch(resource: Resource) -> &'static str {
    match resource {
        Resource::Pods => WHOLE,
        Resource::Nodes | Resource::Namespaces => METADATA,
    }
}

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
