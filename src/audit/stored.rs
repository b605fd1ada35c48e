//! Objects as an API server stores them in etcd.
//!
//! In: the value of a key. Out: the same [`Object`] that a watch of the API brings. A value is
//!
//! - protobuf, in an envelope (`k8s.io/apimachinery/pkg/runtime/serializer/protobuf`), since Kubernetes 1.6,
//! - JSON, before that or with `--storage-media-type=application/json`,
//! - or encrypted, where `--encryption-provider-config` names pods, nodes or namespaces, which few do.
//!
//! CBOR is only for custom resources. An object does not contain its `resourceVersion`: that is the key's `mod_revision`.

mod envelope;
mod json;
mod messages;
mod wire;

use jiff::Timestamp;

use super::pod::Object;

/// Maximum size of a value. etcd accepts 1.5 MiB, unless `--max-request-bytes` says otherwise.
const VALUE_BYTES_MAX: usize = 16 << 20;

/// Begins an encrypted value; behind it are the provider, its version and the name of the key.
const ENCRYPTED: &[u8] = b"k8s:enc:";

/// Begins CBOR (RFC 8949, 3.4.6).
const CBOR: &[u8] = &[0xd9, 0xd9, 0xf7];

/// An object and what its value says beside it.
#[derive(Clone, Debug)]
pub struct Stored<'a> {
    pub kind: StoredKind,
    /// Its metadata is there, without the `resourceVersion`. Of nodes and namespaces nothing else is read.
    pub object: Object<'a>,
    /// The last write that its metadata knows of, to the second, by the clock of the API server: see
    /// [`Written`](super::Written).
    pub written: Option<Timestamp>,
}

/// Of which objects values are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoredKind {
    Pod,
    Node,
    Namespace,
}

/// Why a value is no object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotStored {
    /// By which provider it is encrypted: `aescbc`, `aesgcm`, `secretbox`, `kms:v1` or `kms:v2`, without the key's name.
    Encrypted(String),
    /// What it is instead. Nothing of the value is in it.
    Unreadable(&'static str),
}

impl From<&'static str> for NotStored {
    fn from(reason: &'static str) -> NotStored {
        NotStored::Unreadable(reason)
    }
}

impl StoredKind {
    fn of(api_version: &str, kind: &str) -> Result<StoredKind, NotStored> {
        match (api_version, kind) {
            ("v1", "Pod") => Ok(StoredKind::Pod),
            ("v1", "Node") => Ok(StoredKind::Node),
            ("v1", "Namespace") => Ok(StoredKind::Namespace),
            _ => Err("an object that is not a pod, node or namespace".into()),
        }
    }
}

/// Reads the value of a key.
///
/// # Errors
///
/// [`NotStored`] when it is encrypted, damaged, or something else.
pub fn stored(value: &[u8]) -> Result<Stored<'_>, NotStored> {
    if let Some(behind) = value.strip_prefix(ENCRYPTED) {
        return Err(NotStored::Encrypted(provider(behind)));
    }
    if value.len() > VALUE_BYTES_MAX {
        return Err("a value over 16 MiB".into());
    }
    let stored = match value.strip_prefix(envelope::MAGIC) {
        Some(message) => envelope::open(message),
        None => without_envelope(value),
    }?;
    match stored.object.metadata {
        Some(_) => Ok(stored),
        None => Err("an object without metadata".into()),
    }
}

fn without_envelope(value: &[u8]) -> Result<Stored<'_>, NotStored> {
    match value {
        [] => Err("an empty value".into()),
        [b'{', ..] => json::read(value),
        _ if value.starts_with(CBOR) => Err("CBOR, in which no pod is stored".into()),
        _ => Err("neither protobuf nor JSON".into()),
    }
}

/// The provider, with its version where there are several that differ. What is no name of one is not shown.
fn provider(behind: &[u8]) -> String {
    let mut words = behind.split(|byte| *byte == b':').map(word);
    let name = words.next().flatten();
    match (name, words.next().flatten()) {
        (Some("kms"), Some(version)) => format!("kms:{version}"),
        (name, _) => name.unwrap_or("unknown").to_owned(),
    }
}

fn word(bytes: &[u8]) -> Option<&str> {
    let is_word = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = (1..=16).contains(&bytes.len()).then_some(bytes)?;
    let bytes = bytes.iter().all(is_word).then_some(bytes)?;
    std::str::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests;
