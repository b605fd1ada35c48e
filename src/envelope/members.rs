//! The rule for unknown wrappers: a member whose value holds an event is opened, whatever its name.
//! So Splunk, Loki, Elasticsearch, CloudEvents, journald, Kafka Connect, Datadog, GELF, Pub/Sub and what comes after
//! them need no code of their own.
//!
//! It is for wrappers only. The author of a pod writes its labels and annotations, so nothing is opened inside an
//! event or another object of Kubernetes ([`is_kubernetes`]), nor in members in which agents repeat these
//! ([`NOT_OPENED`]). Other members of a wrapper are trusted as much as a bare event from the same sender.

use std::fmt;

use serde::Deserializer;
use serde::de::{MapAccess, Visitor};
use serde_json::value::RawValue;

use super::fields::{Fields, items};
use super::holds::{holds_packed, is_base64, is_bytes, may_hold};
use super::inside::Inside;
use crate::audit::Text;

/// Members that describe where a record is from or how it is made up, in words that others have chosen.
const NOT_OPENED: [&str; 6] = [
    "kubernetes",
    "labels",
    "annotations",
    "metadata",
    "schema",
    "stream",
];

/// Members that hold what the second one has, decoded, or more of it.
const BETTER: [(&str, &str); 3] = [
    ("full_message", "short_message"),
    ("json", "message"),
    ("log_processed", "log"),
];

/// Members of an event that no wrapper has, in Kubernetes' words and Azure's.
#[rustfmt::skip]
const OF_EVENTS: [&str; 16] = [
    "stage", "verb", "requestURI", "objectRef", "responseStatus", "requestObject", "responseObject",
    "requestReceivedTimestamp", "stageTimestamp", "Stage", "Verb", "RequestUri", "ObjectRef",
    "ResponseStatus", "RequestObject", "ResponseObject",
];

/// Whether an object is an event, or what is left of one, or another object of Kubernetes.
pub fn is_kubernetes(fields: &Fields) -> bool {
    let is_object = fields.has("kind") && fields.has("apiVersion");
    let of_events = OF_EVENTS.iter().filter(|name| fields.has(name)).count();
    is_object || of_events >= 2 || fields.has("auditID") || fields.has("AuditId")
}

/// How something is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// It can be seen.
    Open,
    /// As base64 or bytes. Looked for where nothing can be seen.
    Packed,
}

impl How {
    pub fn of(json: &str) -> Option<How> {
        if may_hold(json.as_bytes()) {
            Some(How::Open)
        } else {
            holds_packed(json).then_some(How::Packed)
        }
    }

    fn is_in(self, json: &str) -> bool {
        match self {
            How::Open => may_hold(json.as_bytes()),
            How::Packed => holds_packed(json),
        }
    }

    fn inside(self, value: &RawValue) -> Inside<'_> {
        let json = value.get();
        match self {
            How::Packed if is_base64(json) => Inside::Base64(json.as_bytes()),
            How::Packed if is_bytes(json) => Inside::Bytes(value),
            _ if json.starts_with('"') => Inside::Quoted(value),
            _ => Inside::Text(json.as_bytes().into()),
        }
    }
}

/// Hands out the members of an object that hold something. Returns how many these are.
pub fn open_members(object: &str, how: How, take: &mut dyn FnMut(Inside)) -> usize {
    let mut has_better = [false; BETTER.len()];
    each_member(object, &mut |name, value| {
        let pair = BETTER.iter().position(|(better, _)| *better == name);
        if let Some(pair) = pair.filter(|_| how.is_in(value.get())) {
            has_better[pair] = true;
        }
    });
    let mut opened = 0;
    each_member(object, &mut |name, value| {
        let pair = BETTER.iter().position(|(_, worse)| *worse == name);
        let is_worse = pair.is_some_and(|pair| has_better[pair]);
        if !is_worse && !NOT_OPENED.contains(&name) && how.is_in(value.get()) {
            opened += 1;
            take(how.inside(value));
        }
    });
    opened
}

/// Hands out the cells of a row, a list in a list, that hold something. The others say when, or where from.
pub fn open_cells(row: &str, how: How, take: &mut dyn FnMut(Inside)) {
    for cell in items(row).filter(|cell| how.is_in(cell)) {
        if let Ok(cell) = serde_json::from_str::<&RawValue>(cell) {
            take(how.inside(cell));
        }
    }
}

/// Calls `each` for the members of an object, up to its first invalid byte.
fn each_member<'a>(object: &'a str, each: &mut dyn FnMut(&str, &'a RawValue)) {
    struct Members<'e, 'a>(&'e mut dyn FnMut(&str, &'a RawValue));
    impl<'de> Visitor<'de> for Members<'_, 'de> {
        type Value = ();

        fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
            while let Some(key) = map.next_key::<Text>()? {
                (self.0)(&key, map.next_value()?);
            }
            Ok(())
        }
    }
    let mut json = serde_json::Deserializer::from_str(object);
    _ = json.deserialize_map(Members(each));
}
