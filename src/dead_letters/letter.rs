//! Letters, and their metadata.

use std::fmt;
use std::ops::Range;
use std::path::PathBuf;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

/// The longest cluster or origin that is written; what is over is cut off.
const NAME_BYTES_MAX: usize = 512;

/// A part of a delivery that could not be read.
#[derive(Clone, Debug)]
pub struct Letter<'a> {
    pub cluster: &'a str,
    /// Where the delivery came from: `webhook`, or a topic, partition and offset.
    pub origin: &'a str,
    /// The position of the part in the delivery, in bytes.
    pub position: Range<usize>,
    /// One of the names that our code gives to kinds of damage: it can't hold what was met.
    pub reason: &'static str,
    pub received_at: Timestamp,
    pub bytes: &'a [u8],
}

/// What became of a letter, in the words of its metadata.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    pub id: Uuid,
    pub sha256: Digest,
    pub bytes: u64,
    pub position: Range<u64>,
    pub reason: &'static str,
    /// Whether its bytes are on disk.
    pub raw: bool,
}

/// A letter on disk, without its bytes.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Summary {
    pub id: Uuid,
    pub cluster: String,
    pub origin: String,
    pub reason: String,
    /// In microseconds.
    pub received_at: Timestamp,
    /// Where it stood in its delivery.
    pub position_from: u64,
    pub bytes: u64,
    pub sha256: Digest,
    #[serde(skip)]
    pub(super) location: Location,
}

/// Where a letter is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Location {
    pub path: PathBuf,
    pub mark_at: u64,
    pub raw_at: u64,
}

impl Kept {
    pub(super) fn of(letter: &Letter) -> Kept {
        let sha256 = Digest(Sha256::digest(letter.bytes).into());
        Kept {
            id: id_of(letter, sha256),
            sha256,
            bytes: letter.bytes.len() as u64,
            position: letter.position.start as u64..letter.position.end as u64,
            reason: letter.reason,
            raw: false,
        }
    }
}

impl Summary {
    pub(super) fn of(letter: &Letter, kept: &Kept) -> Summary {
        let at = letter.received_at;
        Summary {
            id: kept.id,
            cluster: cut(letter.cluster),
            origin: cut(letter.origin),
            reason: letter.reason.to_owned(),
            received_at: Timestamp::from_microsecond(at.as_microsecond()).unwrap_or(at),
            position_from: kept.position.start,
            bytes: kept.bytes,
            sha256: kept.sha256,
            location: Location::default(),
        }
    }
}

/// The same for the same bytes of the same cluster, on every machine. An empty letter, the missing end of a list, is
/// identified by its position.
fn id_of(letter: &Letter, sha256: Digest) -> Uuid {
    let location = (letter.position.start as u64).to_le_bytes();
    let location = letter.bytes.is_empty().then_some(&location[..]);
    id(letter.cluster, &[&sha256.0, location.unwrap_or_default()])
}

/// A UUID of version 8 from the SHA-256 of the cluster and of the letter's identity.
pub fn id(cluster: &str, marks: &[&[u8]]) -> Uuid {
    let mut hash = Sha256::new();
    hash.update((cluster.len() as u64).to_le_bytes());
    hash.update(cluster);
    for mark in marks {
        hash.update(mark);
    }
    let hash: [u8; 32] = hash.finalize().into();
    let mut first = [0; 16];
    first.copy_from_slice(&hash[..16]);
    uuid::Builder::from_custom_bytes(first).into_uuid()
}

fn cut(name: &str) -> String {
    name[..name.floor_char_boundary(NAME_BYTES_MAX)].to_owned()
}

/// A SHA-256; 64 hex digits as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Digest(pub [u8; 32]);

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

/// The text is not a SHA-256.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not 64 hex digits")]
pub struct NoDigest;

impl FromStr for Digest {
    type Err = NoDigest;

    fn from_str(text: &str) -> Result<Digest, NoDigest> {
        let mut digest = [0; 32];
        hex::decode_to_slice(text, &mut digest).map_err(|_| NoDigest)?;
        Ok(Digest(digest))
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Digest, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}
