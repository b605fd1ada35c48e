//! The way through wrappers, one after another and inside of each other.

use std::borrow::Cow;
use std::ops::Range;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use super::fields::text_of;
use super::limits::{Allowance, event_bytes};
use super::wrapper::{Content, Inside, Known, Wrapper, cluster_name, recognise};
use super::{Limits, Opened, Reason, Rejected, cut, item_of, open, push_rejected};
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
    /// Where its wrapper stands in the delivery: the smallest part that stands by itself.
    wrapper: Option<Range<usize>>,
}

impl Found<'_> {
    /// Where the event stands in the delivery, or what it was wrapped in.
    pub fn at(&self, body: &[u8]) -> Range<usize> {
        self.wrapper
            .clone()
            .unwrap_or_else(|| item_of(body, self.event))
    }
}

/// What a delivery held besides events.
#[derive(Debug, Default)]
pub struct Rest {
    pub rejected: Vec<Rejected>,
    /// Records of other logs.
    pub ignored: usize,
    /// Memory was refused, and the rest was not looked at: the delivery has to come again.
    pub starved: bool,
}

impl Opened<'_> {
    /// Hands every event to `take`, also those in wrappers, and returns what else there was.
    pub fn each(self, limits: Limits, take: &mut dyn FnMut(&Found)) -> Rest {
        let mut walk = Walk {
            allowance: Allowance::new(limits),
            take,
            rest: Rest::default(),
        };
        walk.opened(self, &Around::default());
        Rest {
            starved: walk.allowance.starved,
            ..walk.rest
        }
    }
}

struct Walk<'l, 't> {
    allowance: Allowance<'l>,
    take: &'t mut dyn FnMut(&Found),
    rest: Rest,
}

/// What is around a text.
#[derive(Clone, Debug, Default)]
struct Around {
    layers: usize,
    /// Nothing around the delivery itself.
    at: Option<Range<usize>>,
    cluster: Option<String>,
    time: Option<String>,
}

impl Walk<'_, '_> {
    fn opened(&mut self, opened: Opened, around: &Around) {
        for event in &opened.events {
            self.found(event, around);
        }
        self.rest.ignored += opened.ignored;
        for Rejected { at, reason } in opened.rejected {
            self.reject(around.at.clone().unwrap_or(at), reason);
        }
        for at in &opened.wrapped {
            if let Some(Known::Wrapper(wrapper)) = recognise(&opened.body[at.clone()]) {
                self.unwrap(&wrapper, opened.body, at, around);
            }
        }
    }

    fn found(&mut self, event: &Event, around: &Around) {
        let own = cluster_name(event.cluster.to_string());
        (self.take)(&Found {
            event,
            cluster: own.as_deref().or(around.cluster.as_deref()),
            wrapper: around.at.clone(),
        });
    }

    fn reject(&mut self, at: Range<usize>, reason: Reason) {
        push_rejected(&mut self.rest.rejected, Rejected { at, reason });
    }

    fn unwrap(&mut self, wrapper: &Wrapper, body: &[u8], at: &Range<usize>, around: &Around) {
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
                let opened = self.allowance.unpack(packed).and_then(|text| {
                    let opened = self.text(&text, around);
                    self.allowance.release(text.len());
                    opened
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
            let opened = make().and_then(|text| self.text(&text, around));
            self.allowance.release(bytes);
            opened
        });
        self.reject_if(opened, around);
    }

    fn text(&mut self, text: &[u8], around: &Around) -> Result<(), Reason> {
        let events = event_bytes(text);
        self.allowance.hold(events)?;
        self.open(text, around);
        self.allowance.release(events);
        Ok(())
    }

    fn open(&mut self, text: &[u8], around: &Around) {
        let opened = open(text);
        let is_broken =
            opened.events.is_empty() && opened.wrapped.is_empty() && !opened.rejected.is_empty();
        let closed = is_broken
            .then(|| cut::close(text, around.time.as_deref()))
            .flatten();
        let event = closed.as_deref().and_then(|closed| {
            let event =
                Event::deserialize(&mut serde_json::Deserializer::from_slice(closed)).ok()?;
            tells_enough(&event).then_some(event)
        });
        match event {
            Some(event) => self.found(&event, around),
            None => self.opened(opened, around),
        }
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
