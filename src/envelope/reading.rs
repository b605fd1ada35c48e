//! The way through one text: the delivery, or what was in a wrapper.

use std::ops::Range;

use memchr::memmem;
use serde::Deserialize;
use serde::de::{DeserializeSeed, IgnoredAny};

use super::context::Context;
use super::fields::Fields;
use super::holds::may_hold;
use super::known::{self, Known};
use super::split_lines::{CriLine, Record, is_tail};
use super::walk::{Emit, Rest, Walk};
use super::{Limits, Reason, Rejected, encodings, other_logs, prefix, push_rejected, split};
use crate::audit::{Document, Event, Events};

/// How many times a body may be read in vain before the rest of it is given up.
const SEARCHES_MAX: usize = 8;

/// The way through one text: the delivery, or what was in a wrapper.
pub(super) struct Reading<'r, 'l, 't> {
    walk: &'r mut Walk<'l, 't>,
    context: &'r Context,
    /// Events and wrappers.
    pub found: usize,
    pub rejected: Vec<Rejected>,
    /// Records of other logs.
    pub ignored: usize,
    /// Bytes that searches for the end of a value have read in vain.
    searched: usize,
    /// Behind the line that was looked at last: a long line may hold many values.
    line_end: usize,
}

/// Where something begins in a text.
#[derive(Clone, Copy)]
struct Start<'b> {
    body: &'b [u8],
    /// The body, where it is UTF-8 as a whole.
    text: Option<&'b str>,
    start: usize,
}

/// The record of a container's log that a value is, if it is one.
fn record_of(value: &[u8]) -> Option<Record<'_>> {
    let has_stream = value.starts_with(b"{") && memmem::find(value, b"\"stream\"").is_some();
    let text = has_stream.then(|| std::str::from_utf8(value).ok());
    Record::of(&Fields::of(text.flatten()?)?)
}

/// Reads a document or an array, and emits its events. Returns how many bytes it had.
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
    /// Events that were emitted.
    emitted: usize,
    /// Those of them that were refused, by their number.
    refused: Vec<(usize, Reason)>,
}

/// Unwraps a delivery, and emits each event when it is read. Returns the rest.
pub fn read(body: &[u8], limits: Limits, emit: Emit) -> Rest {
    let mut walk = Walk::new(limits, emit);
    let context = Context::default();
    let mut reading = Reading::new(&mut walk, &context);
    reading.read(body);
    let (rejected, ignored) = (reading.rejected, reading.ignored);
    walk.leave(rejected, ignored, &context);
    walk.end()
}

impl Walk<'_, '_> {
    /// Reads what was wrapped; where nothing is readable, it may be an event that was cut.
    pub(super) fn text(&mut self, text: &[u8], context: &Context) {
        let mut reading = Reading::new(self, context);
        reading.read(text);
        let is_broken = reading.found == 0 && !reading.rejected.is_empty();
        let (rejected, ignored) = (reading.rejected, reading.ignored);
        if !(is_broken && self.cut(text, context)) {
            self.leave(rejected, ignored, context);
        }
    }
}

impl<'r, 'l, 't> Reading<'r, 'l, 't> {
    pub fn new(walk: &'r mut Walk<'l, 't>, context: &'r Context) -> Reading<'r, 'l, 't> {
        Reading {
            walk,
            context,
            found: 0,
            rejected: Vec::new(),
            ignored: 0,
            searched: 0,
            line_end: 0,
        }
    }

    pub fn read(&mut self, body: &[u8]) {
        if known::encoded(body).is_some() {
            return self.put(body, 0..body.len(), Reason::BadPacking);
        }
        if encodings::is_avro_or_protobuf(body) {
            let (at, reason) = (0..body.len(), Reason::Schema);
            return self.reject(Rejected { at, reason });
        }
        let mut at = 0;
        // Known once for the whole, it need not be asked for each string.
        let text = simdutf8::basic::from_utf8(body).ok();
        while let Some(start) = encodings::next_document(body, at) {
            if self.is_hopeless(body) {
                let (at, reason) = (start..body.len(), Reason::NotJson);
                return self.reject(Rejected { at, reason });
            }
            let from = Start { body, text, start };
            at = match body[start] {
                b'{' => self.read_document(from),
                b'[' => self.read_array(from),
                b'"' => self.read_text(body, start),
                _ => self.read_line(from),
            };
        }
    }

    fn reject(&mut self, part: Rejected) {
        push_rejected(&mut self.rejected, part);
    }

    fn emit(&mut self, event: &Event) -> Result<(), Reason> {
        self.found += 1;
        self.walk.found(event, self.context)
    }

    /// Handles a value that is not an audit event, for `reason`: a wrapper, a piece of a line, a record of another
    /// log, or a reject.
    fn put(&mut self, body: &[u8], at: Range<usize>, reason: Reason) {
        let value = &body[at.clone()];
        let record = record_of(value);
        if let Some(record) = &record
            && self.walk.record(record, at.clone(), self.context)
        {
            self.found += 1;
            return;
        }
        match known::recognise(value) {
            Some(Known::Wrapper(wrapper)) => {
                self.found += 1;
                self.walk.unwrap(&wrapper, body, &at, self.context);
            }
            Some(Known::OtherLog) => self.ignored += 1,
            None => {
                let is_half = record.is_some_and(|record| record.is_half());
                let reason = if is_half { Reason::HalfLine } else { reason };
                self.reject(Rejected { at, reason });
            }
        }
    }

    /// The end of the line at `at`. Positions are requested in ascending order.
    fn line_end(&mut self, body: &[u8], at: usize) -> usize {
        if self.line_end <= at {
            self.line_end = split::next_line(body, at).unwrap_or(body.len());
        }
        self.line_end.min(body.len())
    }

    /// A text that holds a delivery, as it seems.
    fn read_text(&mut self, body: &[u8], start: usize) -> usize {
        // No string goes on behind its line.
        let line = self.line_end(body, start);
        let Some(end) = self.end_of(&body[..line], start) else {
            return self.reject_line(body, start);
        };
        self.put(body, start..end, Reason::NotJson);
        end
    }

    /// Whether so much was searched in vain that salvaging stops.
    fn is_hopeless(&self, body: &[u8]) -> bool {
        self.searched > SEARCHES_MAX.saturating_mul(body.len())
    }

    /// Reads a document or an array at once.
    fn read_at_once(&mut self, from: Start) -> Outcome {
        let mut emitted = 0;
        let mut refused = Vec::new();
        let mut each = |event: Event| {
            if let Err(reason) = self.emit(&event) {
                refused.push((emitted, reason));
            }
            emitted += 1;
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
            emitted,
            refused,
        }
    }

    /// Finds the places of events that were refused: items from `first` on, which all close.
    fn locate(&mut self, body: &[u8], first: usize, refused: &[(usize, Reason)]) {
        let (mut at, mut number) = (first, 0);
        for (wanted, reason) in refused {
            let locate = loop {
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
                at: locate,
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
            self.locate(body, items.unwrap_or(start), &outcome.refused);
        }
        match outcome.result {
            Ok(true) => outcome.end,
            Ok(false) if split::goes_on(body, outcome.end) => {
                let (at, reason) = (start..outcome.end, Reason::HalfLine);
                self.reject(Rejected { at, reason });
                outcome.end
            }
            Ok(false) => {
                self.put(body, start..outcome.end, Reason::NotAnEvent);
                outcome.end
            }
            Err(error) => {
                let next = self.salvage_document(body, start, outcome.emitted, &error);
                // What lies behind is read again.
                self.searched += outcome.end.saturating_sub(next);
                next
            }
        }
    }

    /// Takes what is readable of the document at `start`, which failed with `error` behind its first
    /// `emitted` items.
    ///
    /// Where lines are documents, nothing of this one is looked for behind its line: a text that was
    /// cut turns inside and outside of quotes round.
    fn salvage_document(
        &mut self,
        body: &[u8],
        start: usize,
        emitted: usize,
        error: &serde_json::Error,
    ) -> usize {
        if let Some(other) = self.torn(body, start).filter(|_| emitted == 0) {
            let (at, reason) = (start..other, Reason::CutOff);
            self.reject(Rejected { at, reason });
            return other;
        }
        let line = self.own_line(body, start);
        // Unless a list begins in it that closes further below.
        let line = line.filter(|line| {
            split::items_of(&body[..*line], start).is_none()
                || self.end_of(body, start).is_none_or(|end| end <= *line)
        });
        let whole = line.unwrap_or(body.len());
        if let Some(items) = split::items_of(&body[..whole], start) {
            return self.salvage_items(&body[..whole], items, emitted);
        }
        let end = self.end_of(&body[..whole], start).unwrap_or(whole);
        self.put(body, start..end, Reason::of(error));
        end
    }

    /// The end of the line at `start`, if the next one begins with a document: then this one has its line for itself.
    fn own_line(&mut self, body: &[u8], start: usize) -> Option<usize> {
        let end = self.line_end(body, start);
        (body.get(end) == Some(&b'{')).then_some(end)
    }

    /// Where another document begins on the line of the one at `start`, which was torn: it has to run to the end of the
    /// line, or to a third one, unless it is torn itself.
    fn torn(&mut self, body: &[u8], start: usize) -> Option<usize> {
        let line = self.line_end(body, start);
        let other = start + split::torn(&body[start..line])?;
        let Some(end) = self.end_of(&body[..line], other) else {
            return Some(other);
        };
        let behind = encodings::next_document(&body[..line], end);
        behind
            .is_none_or(|behind| body[behind] == b'{')
            .then_some(other)
    }

    /// The end of a value. A search that finds none has read to the end of the body; when such searches have read
    /// many times the body, salvaging stops.
    fn end_of(&mut self, body: &[u8], start: usize) -> Option<usize> {
        if self.is_hopeless(body) {
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
        self.locate(body, start + 1, &outcome.refused);
        if outcome.result.is_ok() {
            return outcome.end;
        }
        // A head may begin with a bracket.
        if let Some(end) = self.read_behind_head(from).filter(|_| outcome.emitted == 0) {
            return end;
        }
        // What failed on its own line ends there, unless it closes further below.
        let line = self.own_line(body, start);
        let line = line.filter(|line| {
            outcome.end <= *line && self.end_of(body, start).is_none_or(|end| end <= *line)
        });
        let whole = &body[..line.unwrap_or(body.len())];
        let next = self.salvage_items(whole, start + 1, outcome.emitted);
        self.searched += outcome.end.saturating_sub(next);
        next
    }

    /// Reads the items of an array one by one from `at`, which is after its `[`, except the first ones, which were
    /// emitted. Returns where the document ends by its brackets.
    fn salvage_items(&mut self, body: &[u8], mut at: usize, mut emitted: usize) -> usize {
        let first = split::next_value(body, at);
        while let Some(start) = split::next_value(body, at) {
            if body[start] == b']' {
                return split::behind_document(body, start + 1);
            }
            let Some(end) = self.end_of(body, start) else {
                // Its brackets don't close. The next item is found by the bytes that the first one began with:
                // outside of strings they cannot occur elsewhere.
                let first = first.filter(|_| !self.is_hopeless(body));
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
            if emitted > 0 {
                emitted -= 1;
                continue;
            }
            let mut json = serde_json::Deserializer::from_slice(&body[start..end]);
            match Event::deserialize(&mut json) {
                Ok(event) => {
                    if let Err(reason) = self.emit(&event) {
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

    /// A line that does not begin as JSON does.
    fn read_line(&mut self, from: Start) -> usize {
        let Start { body, start, .. } = from;
        let end = self.line_end(body, start);
        let line = body[start..end].strip_suffix(b"\n");
        if let Some(line) = CriLine::of(line.unwrap_or(&body[start..end])) {
            self.found += 1;
            self.walk.cri_line(&line, start..end, self.context);
            return end;
        }
        self.read_behind_head(from)
            .unwrap_or_else(|| self.reject_line(body, start))
    }

    /// Reads the object behind the head of a line, if it has one. Returns where to go on.
    fn read_behind_head(&mut self, from: Start) -> Option<usize> {
        let end = self.line_end(from.body, from.start);
        let line = &from.body[..end];
        let start = from.start + prefix::end_of_head(&line[from.start..])?;
        let behind = self.end_of(line, start);
        if behind.is_some_and(|behind| encodings::next_document(line, behind).is_some()) {
            return None;
        }
        if !may_hold(&line[start..]) {
            return None;
        }
        Some(self.read_document(Start {
            body: line,
            text: from.text.and_then(|text| text.get(..end)),
            start,
        }))
    }

    /// A line that is not JSON: of another log, compressed, or unreadable.
    fn reject_line(&mut self, body: &[u8], start: usize) -> usize {
        let end = self.line_end(body, start);
        let line = &body[start..end];
        if other_logs::is_other_line(line) {
            self.ignored += 1;
        } else {
            let is_half = is_tail(line) && !may_hold(line);
            let reason = if is_half {
                Reason::HalfLine
            } else {
                Reason::NotJson
            };
            self.put(body, start..end, reason);
        }
        end
    }
}
