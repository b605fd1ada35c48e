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
//! What is no event may be a wrapper, known by its members: those of log agents (Fluent Bit,
//! Fluentd, Filebeat, Vector, Logstash, OpenShift's forwarder), of clouds (AKS, EKS, GKE, Alibaba)
//! and of OpenTelemetry. Each is turned into the text that it was made of, and that is opened in its
//! turn: so all of them pass the one parser that reads only what `audit` names. [`read`]
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
mod portions;
mod split;
mod walk;
mod wrapper;

use std::fmt;
use std::ops::Range;

pub use limits::Limits;
pub use portions::{Portion, Portions};
pub use walk::{Found, Rest, Tell, read};
pub use wrapper::GZIP;

use crate::audit::{Document, Event, Events, NO_TIME, NOT_AN_EVENT};
use serde::Deserialize;
use serde::de::{DeserializeSeed, IgnoredAny};
use walk::{Around, Walk};
use wrapper::Known;

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
    /// Nobody says which cluster it is of (found by `pipeline`).
    NoCluster,
    /// Base64 or gzip that can't be unpacked.
    BadPacking,
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
            Reason::BadPacking => "broken base64 or gzip",
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

/// The way through one text: the delivery, or what was in a wrapper.
struct Reading<'r, 'l, 't> {
    walk: &'r mut Walk<'l, 't>,
    around: &'r Around,
    /// Events and wrappers.
    found: usize,
    rejected: Vec<Rejected>,
    /// Records of other logs.
    ignored: usize,
    /// Bytes that searches for the end of a value have read in vain.
    searched: usize,
}

/// Where something begins in a text.
#[derive(Clone, Copy)]
struct Start<'b> {
    body: &'b [u8],
    /// The body, where it is UTF-8 as a whole.
    text: Option<&'b str>,
    start: usize,
}

/// Reads a document or an array, and tells its events. Returns how many bytes it had.
fn parse<'de, R: serde_json::de::Read<'de>>(
    mut json: serde_json::Deserializer<R>,
    from: Start,
    each: &mut dyn FnMut(Event<'de>),
) -> (serde_json::Result<bool>, usize) {
    let result = match from.body[from.start] {
        b'[' => Events(each).deserialize(&mut json).map(|()| true),
        _ => Document(each).deserialize(&mut json),
    };
    (result, json.into_iter::<IgnoredAny>().byte_offset())
}

/// How far a document was read at once.
struct Outcome {
    /// Whether it was a list or an event; an object may be neither.
    result: serde_json::Result<bool>,
    /// Behind what was read.
    end: usize,
    /// Events that were told.
    told: usize,
    /// Those of them that were refused, by their number.
    refused: Vec<(usize, Reason)>,
}

impl<'r, 'l, 't> Reading<'r, 'l, 't> {
    fn new(walk: &'r mut Walk<'l, 't>, around: &'r Around) -> Reading<'r, 'l, 't> {
        Reading {
            walk,
            around,
            found: 0,
            rejected: Vec::new(),
            ignored: 0,
            searched: 0,
        }
    }

    fn read(&mut self, body: &[u8]) {
        if body.starts_with(wrapper::GZIP) {
            return self.put(body, 0..body.len(), Reason::BadPacking);
        }
        let mut at = if body.starts_with(b"\xef\xbb\xbf") {
            3
        } else {
            0
        };
        // Known once for the whole, it need not be asked for each string.
        let text = simdutf8::basic::from_utf8(body).ok();
        while let Some(start) = split::next_value(body, at) {
            let from = Start { body, text, start };
            at = match body[start] {
                b'{' => self.read_document(from),
                b'[' => self.read_array(from),
                b'"' => self.read_text(body, start),
                _ => self.reject_line(body, start),
            };
        }
    }

    fn reject(&mut self, part: Rejected) {
        push_rejected(&mut self.rejected, part);
    }

    fn tell(&mut self, event: &Event) -> Result<(), Reason> {
        self.found += 1;
        self.walk.found(event, self.around)
    }

    /// Takes a value that is no audit event, for `reason`: a wrapper, a record of another log, or
    /// a reject.
    fn put(&mut self, body: &[u8], at: Range<usize>, reason: Reason) {
        match wrapper::recognise(&body[at.clone()]) {
            Some(Known::Wrapper(wrapper)) => {
                self.found += 1;
                self.walk.unwrap(&wrapper, body, &at, self.around);
            }
            Some(Known::OtherLog) => self.ignored += 1,
            None => self.reject(Rejected { at, reason }),
        }
    }

    /// A text that holds a delivery, as it seems.
    fn read_text(&mut self, body: &[u8], start: usize) -> usize {
        let Some(end) = self.end_of(body, start) else {
            return self.reject_line(body, start);
        };
        self.put(body, start..end, Reason::NotJson);
        end
    }

    /// Reads a document or an array at once.
    fn read_at_once(&mut self, from: Start) -> Outcome {
        let mut told = 0;
        let mut refused = Vec::new();
        let mut each = |event: Event| {
            if let Err(reason) = self.tell(&event) {
                refused.push((told, reason));
            }
            told += 1;
        };
        let (result, bytes) = match from.text.and_then(|text| text.get(from.start..)) {
            Some(text) => parse(serde_json::Deserializer::from_str(text), from, &mut each),
            None => {
                let rest = &from.body[from.start..];
                parse(serde_json::Deserializer::from_slice(rest), from, &mut each)
            }
        };
        Outcome {
            result,
            end: from.start + bytes,
            told,
            refused,
        }
    }

    /// Finds the places of events that were refused: items from `first` on, which all close.
    fn place(&mut self, body: &[u8], first: usize, refused: &[(usize, Reason)]) {
        let (mut at, mut number) = (first, 0);
        for (wanted, reason) in refused {
            let place = loop {
                let Some(start) = split::next_value(body, at) else {
                    break body.len()..body.len();
                };
                at = split::end_of(body, start).unwrap_or(body.len());
                number += 1;
                if number > *wanted {
                    break start..at;
                }
            };
            self.reject(Rejected {
                at: place,
                reason: *reason,
            });
        }
    }

    /// Reads a document; if that fails it is salvaged. Returns where to go on.
    fn read_document(&mut self, from: Start) -> usize {
        let outcome = self.read_at_once(from);
        let Start { body, start, .. } = from;
        if !outcome.refused.is_empty() {
            let items = split::items_of(body, start);
            self.place(body, items.unwrap_or(start), &outcome.refused);
        }
        match outcome.result {
            Ok(true) => outcome.end,
            Ok(false) => {
                self.put(body, start..outcome.end, Reason::NotAnEvent);
                outcome.end
            }
            Err(error) => self.salvage_document(body, start, outcome.told, &error),
        }
    }

    /// Takes what is readable of the document at `start`, which failed with `error` behind its first
    /// `told` items.
    ///
    /// Where lines are documents, nothing of this one is looked for behind its line: a text that was
    /// cut turns inside and outside of quotes round.
    fn salvage_document(
        &mut self,
        body: &[u8],
        start: usize,
        told: usize,
        error: &serde_json::Error,
    ) -> usize {
        let line = split::next_line(body, start).filter(|next| body.get(*next) == Some(&b'{'));
        // Unless a list begins in it that closes further below.
        let line = line.filter(|line| {
            split::items_of(&body[..*line], start).is_none()
                || self.end_of(body, start).is_none_or(|end| end <= *line)
        });
        let whole = line.unwrap_or(body.len());
        if let Some(items) = split::items_of(&body[..whole], start) {
            return self.salvage_items(&body[..whole], items, told);
        }
        let end = self.end_of(&body[..whole], start).unwrap_or(whole);
        self.put(body, start..end, Reason::of(error));
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

    fn read_array(&mut self, from: Start) -> usize {
        let outcome = self.read_at_once(from);
        let Start { body, start, .. } = from;
        self.place(body, start + 1, &outcome.refused);
        match outcome.result {
            Ok(_) => outcome.end,
            Err(_) => self.salvage_items(body, start + 1, outcome.told),
        }
    }

    /// Reads the items of an array one by one from `at`, which is behind its `[`, but for the first
    /// ones that were told. Returns where the document ends as far as brackets tell.
    fn salvage_items(&mut self, body: &[u8], mut at: usize, mut told: usize) -> usize {
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
            at = end;
            if told > 0 {
                told -= 1;
                continue;
            }
            let mut json = serde_json::Deserializer::from_slice(&body[start..end]);
            match Event::deserialize(&mut json) {
                Ok(event) => {
                    if let Err(reason) = self.tell(&event) {
                        let at = start..end;
                        self.reject(Rejected { at, reason });
                    }
                }
                Err(error) => self.put(body, start..end, Reason::of(&error)),
            }
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
    fn reject_line(&mut self, body: &[u8], start: usize) -> usize {
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
