//! The envelope: what a source delivered, unwrapped into audit events.
//!
//! In: the bytes of one delivery. Out: the events in it, one by one, and a [`Rejected`] for every part
//! that could not be read. There is no failure: a body that holds nothing readable yields no event and
//! one `Rejected`. Known forms: an `EventList` (with or without `kind`), an Event, an array of
//! Events, and documents of these kinds after one another (JSON Lines).
//!
//! No more than one event is in memory at a time: small ones take many times their bytes. So is no
//! more than one wrapped text of each layer.
//!
//! The fast path parses a whole document at once. Where that fails, the slow path finds the
//! borders of its items by brackets alone and parses each by itself, so that one bad item does not
//! take the good ones with it.
//!
//! Anything that is not an event may be a wrapper. Two rules cover most of them: a member of any name that holds an
//! event is opened, and a list of such records is a list of events (`members`); text before an event on its line is a
//! head (`prefix`). Cloud wrappers whose members need translation, or that name the cluster, have their own code:
//! AKS, EKS, GKE, Alibaba, OpenTelemetry. Each wrapper is turned back into the text that it was made from, and that
//! text is opened in turn, so everything passes the one parser that reads only what `audit` names. [`read`]
//! does it, wrapper by wrapper, within [`Limits`], and joins lines that were split on their way (`split_lines`).
//!
//! Nothing that names an event (`auditID`) is lost silently: it is an event, or rejected. Records of other logs that
//! share a topic with audit events are ignored and counted where that is certain. Nothing is opened inside an event,
//! whether read or rejected: its content was written by the author of the pod.
//!
//! Never here: I/O, a clock, or the content of what was rejected: a reason names the kind and the position.

mod context;
mod cut;
mod encodings;
mod fields;
mod flat;
mod gke;
mod holds;
mod inside;
mod known;
mod limits;
mod members;
mod other_logs;
mod otlp;
mod portions;
mod prefix;
mod reading;
mod split;
mod split_lines;
mod table;
mod walk;
mod wrapper;

use std::fmt;
use std::ops::Range;

pub use limits::Limits;
pub use portions::{Portion, Portions};
pub use reading::read;
pub use walk::{Emit, Found, Rest};

use crate::audit::{NO_TIME, NOT_AN_EVENT};

/// Whether a body with this beginning has no borders at which it can be cut: it is compressed, or not UTF-8.
pub fn is_one_piece(beginning: &[u8]) -> bool {
    known::encoded(beginning).is_some()
}

/// A part of a delivery that could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejected {
    /// Its position in the delivery, in bytes.
    pub at: Range<usize>,
    pub reason: Reason,
}

/// Why. Never contains the rejected text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// The JSON grammar is violated, a number is out of range, a string is not Unicode, or
    /// values that matter are nested over 128 deep.
    NotJson,
    /// The input ends inside a value.
    CutOff,
    /// JSON, but not an audit event.
    NotAnEvent,
    /// An audit event with neither the time of the request nor the time of the response.
    NoTime,
    /// An audit event with a field of another type than Kubernetes gives it.
    Mistyped,
    /// An audit event that changed a pod and does not name it (found by `lifecycle`).
    Unreadable,
    /// Its cluster is not known (found by `pipeline`).
    NoCluster,
    /// Base64, gzip or zstd that can't be unpacked.
    BadPacking,
    /// A piece of a line that was split, without its other half.
    HalfLine,
    /// A record that was made with a schema registry, and not as JSON.
    Schema,
    /// Unpacks to more than the limit.
    TooLarge,
    /// Longer than an event may be (found by [`Portions`]).
    TooLong,
    /// Wrapped over and over.
    WrappedTooDeep,
    /// An audit event without the metadata of its objects, which a relay (Elastic Agent) removed.
    Stripped,
}

impl Reason {
    /// The name in metrics and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Reason::NotJson => "not json",
            Reason::CutOff => "cut off",
            Reason::NotAnEvent => "not an audit event",
            Reason::NoTime => "without a time",
            Reason::Mistyped => "mistyped field",
            Reason::Unreadable => "unreadable object",
            Reason::NoCluster => "without a cluster",
            Reason::BadPacking => "broken base64, gzip or zstd",
            Reason::HalfLine => "half of a split line",
            Reason::Schema => "avro or protobuf, not json",
            Reason::TooLarge => "unpacks to too much",
            Reason::TooLong => "too long",
            Reason::WrappedTooDeep => "wrapped too deep",
            Reason::Stripped => "stripped of metadata",
        }
    }

    /// Messages of category Data print values that they met; only our own are looked at.
    fn of(error: &serde_json::Error) -> Reason {
        match error.classify() {
            serde_json::error::Category::Eof => Reason::CutOff,
            serde_json::error::Category::Data => {
                let text = error.to_string();
                if text.starts_with(NOT_AN_EVENT) {
                    Reason::NotAnEvent
                } else if text.starts_with(NO_TIME) {
                    Reason::NoTime
                } else {
                    Reason::Mistyped
                }
            }
            _ => Reason::NotJson,
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Parts of one delivery that are reported separately; beyond this, neighbours are merged into one.
const REJECTED_MAX: usize = 10_000;

fn push_rejected(rejected: &mut Vec<Rejected>, part: Rejected) {
    if rejected.len() < REJECTED_MAX {
        rejected.push(part);
    } else if let Some(last) = rejected.last_mut() {
        last.at.end = last.at.end.max(part.at.end);
    }
}

#[cfg(test)]
mod tests;
