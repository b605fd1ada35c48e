//! The way through wrappers, one after another and inside of each other.

use std::borrow::Cow;
use std::ops::Range;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::context::{Context, Origin, range_in};
use super::encodings::Utf16;
use super::fields::text_of;
use super::inside::Inside;
use super::limits::{Allowance, Packing};
use super::split_lines::{CriLine, Line, Lines, Record, first_line, is_tail};
use super::wrapper::{Wrapper, cluster_name};
use super::{Limits, Reason, Rejected, cut, other_logs, push_rejected};
use crate::audit::{Event, Verb};

/// Texts, and members that hold events, inside of each other. A Firehose list of CloudWatch's messages has the most
/// that are known: list, record, base64, gzip, message, an agent's record, and a line of a container in it.
pub(super) const LAYERS_MAX: usize = 8;

/// An event, and what stood around it.
#[derive(Clone, Debug)]
pub struct Found<'f> {
    pub event: &'f Event<'f>,
    /// The cluster, if the event or its wrapper has it: OpenShift's cluster ID, Azure's resource ID, the log group of
    /// CloudWatch, Google's `project/location/cluster`, OpenTelemetry's attribute.
    pub cluster: Option<&'f str>,
}

/// Receives the events of a delivery, in its order. It may refuse an event, which is then one of the rejected parts.
pub type Emit<'t> = &'t mut dyn FnMut(&Found) -> Result<(), Reason>;

/// What a delivery held besides events.
#[derive(Debug, Default)]
pub struct Rest {
    pub rejected: Vec<Rejected>,
    /// Records of other logs.
    pub ignored: usize,
    /// Memory was refused, and the rest was not read: the delivery has to be sent again.
    pub starved: bool,
}

pub(super) struct Walk<'l, 't> {
    allowance: Allowance<'l>,
    emit: Emit<'t>,
    rest: Rest,
    /// Lines that were split and go on. Their texts are held.
    lines: Lines,
}

impl<'l, 't> Walk<'l, 't> {
    pub fn new(limits: Limits<'l>, emit: Emit<'t>) -> Walk<'l, 't> {
        Walk {
            allowance: Allowance::new(limits),
            emit,
            rest: Rest::default(),
            lines: Lines::default(),
        }
    }

    /// Everything was read: what waits for the rest of its line waits in vain.
    pub fn end(mut self) -> Rest {
        for line in self.lines.take_all() {
            self.give_up(&line);
        }
        Rest {
            starved: self.allowance.starved,
            ..self.rest
        }
    }

    pub fn found(&mut self, event: &Event, context: &Context) -> Result<(), Reason> {
        let own = cluster_name(event.cluster.to_string());
        (self.emit)(&Found {
            event,
            cluster: own.as_deref().or(context.cluster.as_deref()),
        })
    }

    /// Keeps what a text held besides events and wrappers.
    pub fn leave(&mut self, rejected: Vec<Rejected>, ignored: usize, context: &Context) {
        self.rest.ignored += ignored;
        for Rejected { at, reason } in rejected {
            let at = context.origin.of(at);
            self.reject(Rejected { at, reason });
        }
    }

    fn reject(&mut self, part: Rejected) {
        push_rejected(&mut self.rest.rejected, part);
    }

    pub fn unwrap(&mut self, wrapper: &Wrapper, body: &[u8], at: &Range<usize>, context: &Context) {
        wrapper.unwrap(&mut |content| {
            if self.allowance.starved {
                return;
            }
            let part = content
                .part
                .and_then(|part| range_in(body, part.as_bytes()));
            let whole = context.whole(part.unwrap_or_else(|| at.clone()));
            // The items of a list are documents of their own, and so is a value without a wrapper that adds
            // information.
            let says_more = content.cluster.is_some() || content.time.is_some();
            let inner = match &content.inside {
                Inside::Text(Cow::Borrowed(text)) if text.starts_with(b"[") || !says_more => {
                    context.part(body, text)
                }
                _ => None,
            };
            let inner = inner.unwrap_or_else(|| whole.clone());
            let context = Context {
                cluster: content.cluster.or_else(|| context.cluster.clone()),
                time: content.time.or_else(|| context.time.clone()),
                ..inner
            };
            if context.layers > LAYERS_MAX {
                return self.reject(whole.rejected(Reason::WrappedTooDeep));
            }
            let opened = self.open(content.inside, &context);
            if let Err(reason) = opened {
                self.reject(whole.rejected(reason));
            }
        });
    }

    fn open(&mut self, inside: Inside, context: &Context) -> Result<(), Reason> {
        match inside {
            Inside::OtherLog => self.rest.ignored += 1,
            Inside::Unreadable(reason) => return Err(reason),
            // A part of what is held already.
            Inside::Text(Cow::Borrowed(text)) => self.text(text, context),
            Inside::Text(Cow::Owned(text)) => {
                return self.held(text.len(), context, || Ok(Cow::Owned(text)));
            }
            Inside::Quoted(raw) => return self.quoted(raw, context),
            Inside::Base64(text) => {
                return self.held(text.len(), context, || {
                    let unpacked = STANDARD.decode(&*unquoted(text));
                    Ok(Cow::Owned(unpacked.map_err(|_| Reason::BadPacking)?))
                });
            }
            Inside::Bytes(list) => {
                return self.held(list.get().len(), context, || {
                    let bytes = serde_json::from_str::<Vec<u8>>(list.get());
                    Ok(Cow::Owned(bytes.map_err(|_| Reason::NotJson)?))
                });
            }
            Inside::Utf16(order, text) => {
                return self.held(
                    Utf16::utf8_bytes_max(text),
                    context,
                    || Ok(order.text(text)),
                );
            }
            Inside::Packed(packing, packed) => return self.packed(packing, packed, context),
        }
        Ok(())
    }

    fn quoted(&mut self, raw: &RawValue, context: &Context) -> Result<(), Reason> {
        self.held(raw.get().len(), context, || {
            let text = text_of(raw).ok_or(Reason::NotJson)?;
            let text = text.into_owned().into_bytes();
            match is_tail(first_line(&text)) {
                true => Err(Reason::HalfLine),
                false => Ok(Cow::Owned(text)),
            }
        })
    }

    /// Of what broke off the lines that are whole are read.
    fn packed(&mut self, packing: Packing, packed: &[u8], context: &Context) -> Result<(), Reason> {
        let unpacked = self.allowance.unpack(packing, packed)?;
        let text = &unpacked.text[..];
        if unpacked.is_cut {
            let lines = memchr::memrchr(b'\n', text).map_or(text, |end| &text[..=end]);
            self.text(lines, context);
            let cut = context.rejected(Reason::CutOff);
            // If it is one document, reading it has found that.
            if self.rest.rejected.last() != Some(&cut) {
                self.reject(cut);
            }
        } else {
            self.text(text, context);
        }
        self.allowance.release(text.len());
        Ok(())
    }

    /// Makes a text of `bytes` at most, if it may be held, and reads it.
    fn held<'m>(
        &mut self,
        bytes: usize,
        context: &Context,
        make: impl FnOnce() -> Result<Cow<'m, [u8]>, Reason>,
    ) -> Result<(), Reason> {
        self.allowance.hold(bytes)?;
        let made = make().map(|text| self.text(&text, context));
        self.allowance.release(bytes);
        made
    }

    /// Handles a line of a container's log at `at`.
    pub fn cri_line(&mut self, line: &CriLine, at: Range<usize>, context: &Context) {
        let context = context.whole(at);
        let Origin::Of(at) = context.origin.clone() else {
            return;
        };
        if context.layers > LAYERS_MAX {
            return self.reject(context.rejected(Reason::WrappedTooDeep));
        }
        let stream = String::from_utf8_lossy(line.stream);
        if line.is_last && !self.lines.has(&stream) {
            return self.line(line.text, &context);
        }
        if let Err(reason) = self.allowance.hold(line.text.len()) {
            return self.reject(context.rejected(reason));
        }
        self.add(&stream, at, line.text);
        if line.is_last {
            self.end_line(&stream, &context);
        }
    }

    /// Handles a record at `at` that is a piece of a line; returns whether it is one.
    pub fn record(&mut self, record: &Record, at: Range<usize>, context: &Context) -> bool {
        let stream = &*record.stream;
        if record.is_last() && !self.lines.has(stream) {
            return false;
        }
        let context = context.whole(at);
        let Origin::Of(at) = context.origin.clone() else {
            return false;
        };
        if context.layers > LAYERS_MAX || self.allowance.hold(record.text.get().len()).is_err() {
            return false;
        }
        let unread = record.text.get().len();
        let text = text_of(record.text).unwrap_or_default();
        let is_torn = |line: &Line| line.is_torn_by(text.as_bytes());
        if self.lines.get(stream).is_some_and(is_torn)
            && let Some(line) = self.lines.take(stream)
        {
            self.give_up(&line);
        }
        if !self.lines.has(stream) && !record.begins_a_line(&text) {
            self.allowance.release(unread);
            return false;
        }
        self.allowance.release(unread - text.len());
        self.add(stream, at, text.as_bytes());
        if record.is_last() || self.lines.get(stream).is_some_and(Line::is_closed) {
            self.end_line(stream, &context);
        }
        true
    }

    /// Adds a piece, whose text is held.
    fn add(&mut self, stream: &str, at: Range<usize>, text: &[u8]) {
        if let Some(given_up) = self.lines.add(stream, at, text) {
            self.give_up(&given_up);
        }
    }

    /// The last piece of a line came.
    fn end_line(&mut self, stream: &str, context: &Context) {
        if let Some(line) = self.lines.take(stream) {
            let context = Context {
                origin: Origin::Of(line.at.clone()),
                ..context.clone()
            };
            self.line(&line.text, &context);
            self.allowance.release(line.text.len());
        }
    }

    fn give_up(&mut self, line: &Line) {
        self.allowance.release(line.text.len());
        let at = line.at.clone();
        let reason = Reason::HalfLine;
        self.reject(Rejected { at, reason });
    }

    /// Reads what a container has written on a line.
    fn line(&mut self, text: &[u8], context: &Context) {
        if is_tail(text) {
            self.reject(context.rejected(Reason::HalfLine));
        } else if other_logs::is_text(text) {
            self.rest.ignored += 1;
        } else {
            self.text(text, context);
        }
    }

    /// Emits the event whose end was cut off, if the rest is sufficient.
    pub fn cut(&mut self, text: &[u8], context: &Context) -> bool {
        let Some(closed) = cut::close(text, context.time.as_deref()) else {
            return false;
        };
        let event = Event::deserialize(&mut serde_json::Deserializer::from_slice(&closed));
        let Some(event) = event.ok().filter(is_sufficient) else {
            return false;
        };
        if let Err(reason) = self.found(&event, context) {
            self.reject(context.rejected(reason));
        }
        true
    }
}

/// Whether nothing that was cut off is missed: the event is not about a pod, or changes none, or
/// what came before the cut has what the object is and what became of the request.
fn is_sufficient(event: &Event) -> bool {
    let object = event.response_object.as_ref();
    let is_known = object.is_some_and(|object| object.metadata.is_some())
        && event.response_status.is_some()
        && !event.request_uri.is_empty();
    let is_other = !event.object_ref.is_pod() || event.verb == Verb::Other;
    !event.object_ref.resource.is_empty() && (is_known || is_other)
}

/// Base64 is bare or a JSON string, in which a slash may be escaped.
fn unquoted(text: &[u8]) -> Cow<'_, [u8]> {
    let text = text.trim_ascii();
    let text = text.strip_prefix(b"\"").unwrap_or(text);
    let text = text.strip_suffix(b"\"").unwrap_or(text);
    match memchr::memchr(b'\\', text) {
        None => Cow::Borrowed(text),
        Some(_) => text.iter().copied().filter(|byte| *byte != b'\\').collect(),
    }
}
