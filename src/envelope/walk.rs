//! The way through wrappers, one after another and inside of each other.

use std::borrow::Cow;
use std::ops::Range;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use super::fields::text_of;
use super::limits::Allowance;
use super::wrapper::{Content, Inside, Wrapper, cluster_name};
use super::{Limits, Reading, Reason, Rejected, cut, push_rejected};
use crate::audit::{Event, Verb};

/// Texts inside of each other. A Firehose list of CloudWatch's messages has the most that are known:
/// list, base64, gzip, message, and an agent's record around it.
const LAYERS_MAX: usize = 6;

/// An event, and what stood around it.
#[derive(Clone, Debug)]
pub struct Found<'f> {
    pub event: &'f Event<'f>,
    /// The cluster, where the event or its wrapper says so: OpenShift's cluster ID, Azure's resource
    /// ID, the log group of CloudWatch, Google's `project/location/cluster`, OpenTelemetry's attribute.
    pub cluster: Option<&'f str>,
}

/// Whoever takes the events of a delivery, in its order. An event may be refused, and is then one of
/// the parts that were rejected.
pub type Tell<'t> = &'t mut dyn FnMut(&Found) -> Result<(), Reason>;

/// What a delivery held besides events.
#[derive(Debug, Default)]
pub struct Rest {
    pub rejected: Vec<Rejected>,
    /// Records of other logs.
    pub ignored: usize,
    /// Memory was refused, and the rest was not looked at: the delivery has to come again.
    pub starved: bool,
}

/// Unwraps a delivery, and tells each event when it is read. Returns what else there was.
pub fn read(body: &[u8], limits: Limits, tell: Tell) -> Rest {
    let mut walk = Walk {
        allowance: Allowance::new(limits),
        tell,
        rest: Rest::default(),
    };
    let around = Around::default();
    let mut reading = Reading::new(&mut walk, &around);
    reading.read(body);
    let (rejected, ignored) = (reading.rejected, reading.ignored);
    walk.leave(rejected, ignored, &around);
    Rest {
        starved: walk.allowance.starved,
        ..walk.rest
    }
}

pub(super) struct Walk<'l, 't> {
    allowance: Allowance<'l>,
    tell: Tell<'t>,
    rest: Rest,
}

/// What is around a text.
#[derive(Clone, Debug, Default)]
pub(super) struct Around {
    layers: usize,
    /// Nothing around the delivery itself.
    at: Option<Range<usize>>,
    cluster: Option<String>,
    time: Option<String>,
}

impl Walk<'_, '_> {
    pub fn found(&mut self, event: &Event, around: &Around) -> Result<(), Reason> {
        let own = cluster_name(event.cluster.to_string());
        (self.tell)(&Found {
            event,
            cluster: own.as_deref().or(around.cluster.as_deref()),
        })
    }

    /// Keeps what a text held besides events and wrappers.
    fn leave(&mut self, rejected: Vec<Rejected>, ignored: usize, around: &Around) {
        self.rest.ignored += ignored;
        for Rejected { at, reason } in rejected {
            self.reject(around.at.clone().unwrap_or(at), reason);
        }
    }

    fn reject(&mut self, at: Range<usize>, reason: Reason) {
        push_rejected(&mut self.rest.rejected, Rejected { at, reason });
    }

    pub fn unwrap(&mut self, wrapper: &Wrapper, body: &[u8], at: &Range<usize>, around: &Around) {
        wrapper.unwrap(&mut |content| {
            if self.allowance.starved {
                return;
            }
            // Only what lies in the delivery itself has a place there.
            let part = content.part.filter(|_| around.at.is_none());
            let at = part
                .and_then(|part| range_in(body, part))
                .unwrap_or_else(|| at.clone());
            let around = Around {
                layers: around.layers + 1,
                at: Some(around.at.clone().unwrap_or(at)),
                cluster: content.cluster.clone().or_else(|| around.cluster.clone()),
                time: content.time.clone().or_else(|| around.time.clone()),
            };
            self.content(content, &around);
        });
    }

    fn content(&mut self, content: Content, around: &Around) {
        let at = around.at.clone().unwrap_or_default();
        if around.layers > LAYERS_MAX {
            return self.reject(at, Reason::WrappedTooDeep);
        }
        match content.inside {
            Inside::OtherLog => self.rest.ignored += 1,
            Inside::Unreadable(reason) => self.reject(at, reason),
            Inside::Text(text) => self.held(text.len(), around, || Ok(text)),
            Inside::Quoted(raw) => self.held(raw.get().len(), around, || {
                let text = text_of(raw).ok_or(Reason::NotJson)?;
                Ok(Cow::Owned(text.into_owned().into_bytes()))
            }),
            Inside::Base64(text) => self.held(text.len(), around, || {
                let unpacked = STANDARD.decode(unquoted(text));
                Ok(Cow::Owned(unpacked.map_err(|_| Reason::BadPacking)?))
            }),
            Inside::Gzip(packed) => {
                let opened = self.allowance.unpack(packed).map(|text| {
                    self.text(&text, around);
                    self.allowance.release(text.len());
                });
                self.reject_if(opened, around);
            }
        }
    }

    fn reject_if(&mut self, opened: Result<(), Reason>, around: &Around) {
        if let Err(reason) = opened {
            self.reject(around.at.clone().unwrap_or_default(), reason);
        }
    }

    /// Makes a text of `bytes` at most, if it may be held, and opens it.
    fn held<'m>(
        &mut self,
        bytes: usize,
        around: &Around,
        make: impl FnOnce() -> Result<Cow<'m, [u8]>, Reason>,
    ) {
        let opened = self.allowance.hold(bytes).and_then(|()| {
            let opened = make().map(|text| self.text(&text, around));
            self.allowance.release(bytes);
            opened
        });
        self.reject_if(opened, around);
    }

    /// Reads what was wrapped; where nothing is readable, it may be an event that was cut.
    fn text(&mut self, text: &[u8], around: &Around) {
        let mut reading = Reading::new(self, around);
        reading.read(text);
        let is_broken = reading.found == 0 && !reading.rejected.is_empty();
        let (rejected, ignored) = (reading.rejected, reading.ignored);
        if !(is_broken && self.cut(text, around)) {
            self.leave(rejected, ignored, around);
        }
    }

    /// Tells the event whose end was cut off, if what is left of it says enough.
    fn cut(&mut self, text: &[u8], around: &Around) -> bool {
        let Some(closed) = cut::close(text, around.time.as_deref()) else {
            return false;
        };
        let event = Event::deserialize(&mut serde_json::Deserializer::from_slice(&closed));
        let Some(event) = event.ok().filter(tells_enough) else {
            return false;
        };
        if let Err(reason) = self.found(&event, around) {
            self.reject(around.at.clone().unwrap_or_default(), reason);
        }
        true
    }
}

/// Whether nothing that was cut off is missed: the event is not about a pod, or changes none, or
/// what came before the cut has what the object is and what became of the request.
fn tells_enough(event: &Event) -> bool {
    let object = event.response_object.as_ref();
    let is_told = object.is_some_and(|object| object.metadata.is_some())
        && event.response_status.is_some()
        && !event.request_uri.is_empty();
    let is_other = !event.object_ref.is_pod() || event.verb == Verb::Other;
    !event.object_ref.resource.is_empty() && (is_told || is_other)
}

/// Base64 stands bare or in quotes.
fn unquoted(text: &[u8]) -> &[u8] {
    let text = text.trim_ascii();
    let text = text.strip_prefix(b"\"").unwrap_or(text);
    text.strip_suffix(b"\"").unwrap_or(text)
}

/// Where `part` stands in `body`, if it is a part of it.
fn range_in(body: &[u8], part: &str) -> Option<Range<usize>> {
    let start = (part.as_ptr() as usize).checked_sub(body.as_ptr() as usize)?;
    let end = start.checked_add(part.len())?;
    (end <= body.len()).then_some(start..end)
}
