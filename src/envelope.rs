//! The envelope: what a source delivered, unwrapped into audit events.
//!
//! In: the bytes of one delivery. Out: the events in it, and a [`Rejected`] for every part that
//! could not be read. There is no failure: a body that holds nothing readable yields no event and
//! one `Rejected`. Known forms: an `EventList` (with or without `kind`), an Event, an array of
//! Events, and documents of these kinds after one another (JSON Lines).
//!
//! The fast path parses a whole document at once. Where that fails, the slow path finds the
//! borders of its items by brackets alone and parses each by itself, so that one bad item does not
//! take the good ones with it.
//!
//! What is no event may be a wrapper, known by its members: those of log agents (Fluent Bit,
//! Fluentd, Filebeat, Vector, Logstash, OpenShift's forwarder), of clouds (AKS, EKS, GKE, Alibaba)
//! and of OpenTelemetry. Each is turned into the text that it was made of, and that is opened in its
//! turn: so all of them pass the one parser that reads only what `audit` names. [`Opened::each`]
//! does it, wrapper by wrapper, within [`Limits`]. Records of other logs that share a topic with
//! audit events are ignored and counted, where they are plainly such.
//!
//! Never here: I/O, a clock, and the content of what was rejected: a reason names kind and place.

mod cut;
mod fields;
mod flat;
mod gke;
mod limits;
mod other_logs;
mod otlp;
mod split;
mod walk;
mod wrapper;

use std::fmt;
use std::ops::Range;

pub use limits::Limits;
pub use walk::{Found, Rest};

use crate::audit::{Document, Event, NO_TIME, NOT_AN_EVENT};
use serde::Deserialize;
use wrapper::Known;

/// What one delivery held, in its order.
#[derive(Debug, Default)]
pub struct Opened<'a> {
    /// Those that are in no wrapper; [`Opened::each`] finds all.
    pub events: Vec<Event<'a>>,
    pub rejected: Vec<Rejected>,
    /// Records of other logs.
    pub ignored: usize,
    body: &'a [u8],
    /// Where wrappers stand, or what is packed. They are recognised again when they are unwrapped:
    /// places take less memory than the shortest of them.
    wrapped: Vec<Range<usize>>,
    /// Bytes that searches for the end of a value have read in vain.
    searched: usize,
}

/// A part of a delivery that could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejected {
    /// Where it stands in the delivery, in bytes.
    pub at: Range<usize>,
    pub reason: Reason,
}

/// Why. Never says what was there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// The JSON grammar is violated, a number is out of range, a string is no Unicode, or
    /// values that matter are nested over 128 deep.
    NotJson,
    /// The input ends inside a value.
    CutOff,
    /// JSON, but not an audit event.
    NotAnEvent,
    /// An audit event that says neither when it was received nor when it was answered.
    NoTime,
    /// An audit event with a field of another type than Kubernetes gives it.
    Mistyped,
    /// An audit event that changed a pod and does not say which (found by `lifecycle`).
    Unreadable,
    /// Base64 or gzip that can't be unpacked.
    BadPacking,
    /// Unpacks to more than the limit.
    TooLarge,
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
            Reason::BadPacking => "broken base64 or gzip",
            Reason::TooLarge => "unpacks to too much",
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

/// Where an event that was read from `body` stands in it: its item, or everything where that
/// can't be told any more.
pub fn item_of(body: &[u8], event: &Event) -> Range<usize> {
    // The texts of an event lie in the body that it was read from.
    let text = &*event.object_ref.resource;
    let place = (text.as_ptr() as usize).checked_sub(body.as_ptr() as usize);
    let inside = place.filter(|place| *place < body.len());
    inside
        .and_then(|place| split::item_around(body, place))
        .unwrap_or(0..body.len())
}

/// Unwraps a delivery.
pub fn open(body: &[u8]) -> Opened<'_> {
    let mut opened = Opened {
        body,
        ..Opened::default()
    };
    if body.starts_with(wrapper::GZIP) {
        opened.wrapped.push(0..body.len());
        return opened;
    }
    let mut at = if body.starts_with(b"\xef\xbb\xbf") {
        3
    } else {
        0
    };
    while let Some(start) = split::next_value(body, at) {
        at = match body[start] {
            b'{' => opened.read_documents(body, start),
            b'[' => opened.read_array(body, start),
            b'"' => opened.read_text(body, start),
            _ => opened.reject_line(body, start),
        };
    }
    opened
}

/// How many times a body may be read in vain before the rest of it is given up.
const SEARCHES_MAX: usize = 8;

/// Parts of one delivery that are told apart; beyond, neighbours become one.
const REJECTED_MAX: usize = 10_000;

fn push_rejected(rejected: &mut Vec<Rejected>, part: Rejected) {
    if rejected.len() < REJECTED_MAX {
        rejected.push(part);
    } else if let Some(last) = rejected.last_mut() {
        last.at.end = last.at.end.max(part.at.end);
    }
}

impl<'a> Opened<'a> {
    fn reject(&mut self, part: Rejected) {
        push_rejected(&mut self.rejected, part);
    }

    /// Reads documents until the end or the first that fails, which is salvaged.
    /// Returns where to go on.
    fn read_documents(&mut self, body: &'a [u8], start: usize) -> usize {
        let mut documents = serde_json::Deserializer::from_slice(&body[start..]).into_iter();
        loop {
            let at = start + documents.byte_offset();
            match documents.next() {
                Some(Ok(Document::Event(event))) => self.events.push(*event),
                Some(Ok(Document::List(events))) => self.events.extend(events),
                Some(Ok(Document::Other)) => {
                    let at = split::next_value(body, at).unwrap_or(at);
                    let end = start + documents.byte_offset();
                    self.put(body, at..end, Reason::NotAnEvent);
                }
                Some(Err(error)) => return self.salvage_document(body, at, &error),
                None => return body.len(),
            }
        }
    }

    /// Takes what is readable of the document at `start`, which failed with `error`.
    ///
    /// Where lines are documents, nothing of this one is looked for behind its line: a text that was
    /// cut turns inside and outside of quotes round.
    fn salvage_document(
        &mut self,
        body: &'a [u8],
        start: usize,
        error: &serde_json::Error,
    ) -> usize {
        let Some(start) = split::next_value(body, start) else {
            return body.len();
        };
        if body[start] != b'{' {
            // Another kind of value follows in a stream of documents.
            return start;
        }
        let line = split::next_line(body, start).filter(|next| body.get(*next) == Some(&b'{'));
        let whole = line.unwrap_or(body.len());
        if let Some(items) = split::items_of(&body[..whole], start) {
            return self.salvage_items(&body[..whole], items);
        }
        let end = self.end_of(&body[..whole], start).unwrap_or(whole);
        self.put(body, start..end, Reason::of(error));
        end
    }

    /// Takes a value that is no audit event, for `reason`: a wrapper, a record of another log, or
    /// a reject.
    fn put(&mut self, body: &'a [u8], at: Range<usize>, reason: Reason) {
        match wrapper::recognise(&body[at.clone()]) {
            Some(Known::Wrapper(_)) => self.wrapped.push(at),
            Some(Known::OtherLog) => self.ignored += 1,
            None => self.reject(Rejected { at, reason }),
        }
    }

    /// A text that holds a delivery, as it seems.
    fn read_text(&mut self, body: &'a [u8], start: usize) -> usize {
        let Some(end) = self.end_of(body, start) else {
            return self.reject_line(body, start);
        };
        self.put(body, start..end, Reason::NotJson);
        end
    }

    /// The end of a value. A search that finds none has read to the end of the body; when such
    /// searches have read many times the body, there is no more salvaging.
    fn end_of(&mut self, body: &[u8], start: usize) -> Option<usize> {
        if self.searched > SEARCHES_MAX.saturating_mul(body.len()) {
            return None;
        }
        let end = split::end_of(body, start);
        if end.is_none() {
            self.searched = self.searched.saturating_add(body.len() - start);
        }
        end
    }

    fn read_array(&mut self, body: &'a [u8], start: usize) -> usize {
        let mut values = serde_json::Deserializer::from_slice(&body[start..]).into_iter();
        match values.next() {
            Some(Ok(events)) => {
                let mut events: Vec<Event> = events;
                self.events.append(&mut events);
                start + values.byte_offset()
            }
            _ => self.salvage_items(body, start + 1),
        }
    }

    /// Reads the items of an array one by one from `at`, which is behind its `[`. Returns where
    /// the document ends as far as brackets tell.
    fn salvage_items(&mut self, body: &'a [u8], mut at: usize) -> usize {
        let first = split::next_value(body, at);
        while let Some(start) = split::next_value(body, at) {
            if body[start] == b']' {
                return split::behind_document(body, start + 1);
            }
            let Some(end) = self.end_of(body, start) else {
                // Its brackets don't close. The next item is looked for by the bytes that the
                // first one began with: outside of strings they can only stand there.
                let hopeless = self.searched > SEARCHES_MAX.saturating_mul(body.len());
                let first = first.filter(|_| !hopeless);
                let next = first.and_then(|first| split::next_like(body, first, start));
                let end = next.unwrap_or(body.len());
                self.reject(Rejected {
                    at: start..end,
                    reason: Reason::CutOff,
                });
                at = end;
                continue;
            };
            match Event::deserialize(&mut serde_json::Deserializer::from_slice(&body[start..end])) {
                Ok(event) => self.events.push(event),
                Err(error) => self.put(body, start..end, Reason::of(&error)),
            }
            at = end;
        }
        // The list has no end. What may have followed its last item is not known.
        if self
            .rejected
            .last()
            .is_none_or(|last| last.at.end < body.len())
        {
            self.reject(Rejected {
                at: body.len()..body.len(),
                reason: Reason::CutOff,
            });
        }
        body.len()
    }

    /// A line that is no JSON: of another log, or packed, or not to be read.
    fn reject_line(&mut self, body: &'a [u8], start: usize) -> usize {
        let end = split::next_line(body, start).unwrap_or(body.len());
        if other_logs::is_other_line(&body[start..end]) {
            self.ignored += 1;
        } else {
            self.put(body, start..end, Reason::NotJson);
        }
        end
    }
}

#[cfg(test)]
mod tests;
