//! Where the events of files go: the pipeline of this process, or another process that has it.

use std::ops::Range;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use memchr::memchr_iter;
use serde::{Deserialize, Serialize};

use super::buffers::Buffers;
use crate::envelope::Portion;
use crate::pipeline::{Details, Receipt};
use crate::positions::Position;

/// A part of a file on its way. It can be sent again.
pub struct Part {
    pub cluster: String,
    /// What dead letters name.
    pub origin: String,
    pub content: Content,
}

/// As [`Portion`].
pub enum Content {
    Text { from: i64, body: Bytes },
    TooLong { at: Range<u64>, sha256: [u8; 32] },
}

impl Part {
    /// Line breaks in the first `bytes` of it.
    pub fn line_breaks_before(&self, bytes: u64) -> u64 {
        match &self.content {
            Content::Text { body, .. } => {
                let before = &body[..body.len().min(bytes as usize)];
                memchr_iter(b'\n', before).count() as u64
            }
            Content::TooLong { .. } => 0,
        }
    }
}

impl Content {
    /// The bytes go back to `buffers`.
    pub fn of(portion: Portion, buffers: &Buffers) -> Content {
        match portion {
            Portion::Text { from, bytes } => Content::Text {
                from,
                body: buffers.lend(bytes),
            },
            Portion::TooLong { at, sha256 } => Content::TooLong { at, sha256 },
        }
    }
}

/// What became of a part: its events are on disk, synced.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct Taken {
    pub events: u64,
    pub rejected: u64,
    pub ignored: u64,
    /// The first and the last of the spool's frames that hold its rows.
    pub spooled: Option<(u64, u64)>,
    /// The first of its rejected parts: where each begins in the part, its length, and why.
    pub rejects: Vec<(u64, u64, String)>,
    /// A number for each pod.
    pub pods: Vec<u64>,
    /// The clusters that wrappers named.
    pub clusters: Vec<String>,
}

impl Taken {
    /// Adds what became of another portion.
    pub fn add(&mut self, receipt: Receipt, details: Details, spooled: Option<(u64, u64)>) {
        self.events += receipt.events as u64;
        self.rejected += receipt.rejected as u64;
        self.ignored += receipt.ignored as u64;
        self.spooled = joined(self.spooled, spooled);
        let rejects = details.rejected.into_iter().map(|part| {
            let (from, bytes) = (part.at.start as u64, part.at.len() as u64);
            (from, bytes, part.reason.to_owned())
        });
        self.rejects.extend(rejects);
        self.pods.extend(details.pods);
        self.clusters.extend(details.clusters);
    }
}

/// Frames from the first to the last of both.
pub fn joined(one: Option<(u64, u64)>, other: Option<(u64, u64)>) -> Option<(u64, u64)> {
    match (one, other) {
        (Some((first, last)), Some((from, to))) => Some((first.min(from), last.max(to))),
        (one, other) => one.or(other),
    }
}

/// Why something was not done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotDone {
    /// No room now, or nobody there: to be tried again.
    #[error("{0}")]
    Later(String),
    /// Rows were lost after they were taken: the file must be read again from its last position.
    #[error("the rows were lost on the disk of the spool")]
    Lost,
    /// It makes no sense to try again.
    #[error("{0}")]
    Refused(String),
}

/// Where parts of files go, and their positions.
pub trait Way: Send + Sync + 'static {
    /// Returns when everything readable in the part is on disk.
    fn take<'a>(&'a self, part: &'a Part) -> BoxFuture<'a, Result<Taken, NotDone>>;

    /// The positions of these fingerprints, as far as there are any.
    fn find<'a>(
        &'a self,
        cluster: &'a str,
        fingerprints: Vec<String>,
    ) -> BoxFuture<'a, Result<Vec<Position>, NotDone>>;

    /// Writes positions, after ClickHouse has what these frames of the spool hold.
    fn commit<'a>(
        &'a self,
        cluster: &'a str,
        spooled: Option<(u64, u64)>,
        positions: Vec<Position>,
    ) -> BoxFuture<'a, Result<(), NotDone>>;
}
