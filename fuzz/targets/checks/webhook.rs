//! What must hold of the decoder for any bytes.
//!
//! It neither panics nor hangs. Where `serde_json::Value` reads the body as one document, every item
//! of it is either an event or rejected, whether it is depends on the item alone, and an event says
//! what `Value` says.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::path::Path;

use bygone::audit::{Event, Stage, Verb};
use bygone::envelope::{Emit, Limits, Reason, Rest};
use bygone::{envelope, lifecycle, rows};
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

// Whoever uses this file has them.
use crate::forms::{self, Source};

/// Events that the forms of a log are made of.
const FORM_EVENTS: usize = 3;

/// Some of the forms cut them here.
const FORM_EVENT_BYTES_MIN: usize = 1 << 10;

/// Beyond, `envelope` joins neighbours that it rejects.
const ITEMS_MAX: usize = 10_000;

/// Events of a seed; larger ones make fuzzing slow.
const SEED_BYTES_MAX: usize = 8 << 10;

/// Bodies to begin with: each kind of event that the recording has, in each form of a delivery; and a few small ones, in
/// each form in which a log is handed on.
pub fn seeds(repository: &Path) -> Vec<Vec<u8>> {
    let packed = repository.join("fixtures/recording-a/audit.log.zst");
    let packed = std::fs::read(packed).expect("the fixture");
    let log = zstd::decode_all(&packed[..]).expect("zstd");
    let log = String::from_utf8(log).expect("text");
    let mut kinds = BTreeMap::new();
    for line in log.lines().filter(|line| line.len() <= SEED_BYTES_MAX) {
        let event: Value = serde_json::from_str(line).expect("JSON");
        let reference = &event["objectRef"];
        let kind = [
            &event["verb"],
            &event["stage"],
            &reference["resource"],
            &reference["subresource"],
        ];
        kinds.entry(kind.map(Value::to_string)).or_insert(line);
    }
    let events: Vec<&str> = kinds.into_values().collect();
    let mut seeds: Vec<String> = events.iter().map(|event| (*event).to_owned()).collect();
    for group in events.chunks(3) {
        let items = group.join(",");
        seeds.push(format!(
            r#"{{"kind":"EventList","metadata":{{}},"items":[{items}]}}"#
        ));
        seeds.push(format!("[{items},null]"));
        seeds.push(group.join("\n"));
    }
    let mut seeds: Vec<Vec<u8>> = seeds.into_iter().map(String::into_bytes).collect();
    seeds.extend(in_forms(repository, events));
    seeds
}

fn in_forms(repository: &Path, mut events: Vec<&str>) -> Vec<Vec<u8>> {
    let entries = "fixtures/envelopes/gke-log-entries-with-refused-dry-run-and-other-logs.jsonl";
    let entries = std::fs::read_to_string(repository.join(entries)).expect("the fixture");
    events.retain(|event| event.len() >= FORM_EVENT_BYTES_MIN);
    events.sort_by_key(|event| event.len());
    events.truncate(FORM_EVENTS);
    let entries = entries.lines().take(1).collect();
    let forms = forms::forms(&Source { events, entries });
    forms.into_iter().map(|form| form.body).collect()
}

/// What packed and wrapped parts may take.
const UNWRAPPED_BYTES_MAX: usize = 1 << 20;

pub fn check(body: &[u8]) {
    let mut facts = rows::Facts::default();
    let mut sessions = rows::SessionRows::default();
    let rest = read(body, UNWRAPPED_BYTES_MAX, &mut |found| {
        // What it refuses becomes a dead letter.
        _ = lifecycle::facts("fuzz", found.event, &mut |fact| facts.push(fact));
        _ = lifecycle::session("fuzz", found.event, &mut |session| sessions.push(session));
        Ok(())
    });
    for part in &rest.rejected {
        assert!(
            part.at.start <= part.at.end && part.at.end <= body.len(),
            "{part:?} of {} bytes",
            body.len()
        );
    }
    let Some(items) = items(body) else { return };
    if items.len() <= ITEMS_MAX {
        check_items(body, &items);
    }
}

fn read(body: &[u8], bytes_max: usize, tell: Emit) -> Rest {
    let limits = Limits {
        unpacked_bytes_max: bytes_max,
        held_bytes_max: bytes_max,
        reserve: &mut |_| true,
    };
    envelope::read(body, limits, tell)
}

/// Whether an item is an event, or nothing that has parts.
fn is_one(item: &str) -> bool {
    let mut told = 0;
    let rest = read(item.as_bytes(), 0, &mut |_| {
        told += 1;
        Ok(())
    });
    let whole = 0..item.len();
    let is_rejected = matches!(&rest.rejected[..], [part] if part.at == whole);
    serde_json::from_str::<Event>(item).is_ok() || (told == 0 && is_rejected)
}

/// Wrappers are not looked at here: what is in them is no item.
fn check_items(body: &[u8], items: &[&str]) {
    let refused = read(body, 0, &mut |_| Err(Reason::Unreadable));
    if refused.ignored > 0 || !items.iter().all(|item| is_one(item)) {
        return;
    }
    let refused = refused.rejected;
    assert_eq!(
        refused.len(),
        items.len(),
        "each is rejected if all are refused"
    );
    let mut alone = Vec::new();
    for item in items {
        let at = place(body, item);
        let part = refused.iter().find(|part| part.at.start == at.start);
        let part = part.unwrap_or_else(|| panic!("no place of the refused item at {at:?}"));
        if serde_json::from_str::<Event>(item).is_ok() {
            assert_eq!(part.at, at);
            alone.push(*item);
        }
    }
    let mut told = alone.iter();
    let rest = read(body, 0, &mut |found| {
        let item = told.next().expect("an event by itself is one in its list");
        compare(found.event, item);
        Ok(())
    });
    assert!(
        told.next().is_none(),
        "an event by itself is one in its list"
    );
    assert_eq!(
        alone.len() + rest.rejected.len(),
        items.len(),
        "events and rejected items, and items"
    );
    for item in alone {
        let at = place(body, item);
        let is_rejected = rest.rejected.iter().any(|part| overlap(&part.at, &at));
        assert!(!is_rejected, "the item at {at:?} by itself and in its list");
    }
}

/// The items of a body that `Value` reads; `None` where it does not, or where several members are
/// called `items`.
fn items(body: &[u8]) -> Option<Vec<&str>> {
    let value: Value = serde_json::from_slice(body).ok()?;
    let whole = std::str::from_utf8(body).ok()?.trim_ascii();
    if value.is_array() {
        return Some(texts(serde_json::from_str(whole).ok()?));
    }
    if !value.is_object() {
        return Some(vec![whole]);
    }
    // One document over lines of which one begins like another: if it is no list it can't be told from
    // lines of which one was cut, and those are taken one by one.
    let one = || (!whole.contains("\n{")).then(|| vec![whole]);
    let members: Members = serde_json::from_str(whole).ok()?;
    let lists: Vec<_> = members.0.iter().filter(|(key, _)| key == "items").collect();
    match (&lists[..], &value["items"]) {
        ([], _) => one(),
        ([_], Value::Null) => Some(Vec::new()),
        ([(_, list)], Value::Array(_)) => Some(texts(serde_json::from_str(list.get()).ok()?)),
        ([_], _) => one(),
        _ => None,
    }
}

fn texts(items: Vec<&RawValue>) -> Vec<&str> {
    items.into_iter().map(RawValue::get).collect()
}

fn place(body: &[u8], item: &str) -> Range<usize> {
    let start = item.as_ptr() as usize - body.as_ptr() as usize;
    start..start + item.len()
}

fn overlap(a: &Range<usize>, b: &Range<usize>) -> bool {
    a.start < b.end && b.start < a.end
}

/// The members of an object as they are written, repeated keys too.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct All;
        impl<'de> Visitor<'de> for All {
            type Value = Vec<(String, &'de RawValue)>;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(members)
            }
        }
        deserializer.deserialize_map(All).map(Members)
    }
}

/// Of a key that is there twice the last counts for both, but `objectRef` decides when it is read.
fn compare(event: &Event, item: &str) {
    let value: Value = serde_json::from_str(item).expect("the whole body was read");
    let members: Members = serde_json::from_str(item).expect("events are objects");
    if members.0.len() != value.as_object().map_or(0, serde_json::Map::len) {
        return;
    }
    same("requestURI", &event.request_uri, &value["requestURI"]);
    same("username", &event.user.username, &value["user"]["username"]);
    let reference = &value["objectRef"];
    let read = &event.object_ref;
    for (name, text) in [
        ("resource", &read.resource),
        ("namespace", &read.namespace),
        ("name", &read.name),
        ("uid", &read.uid),
        ("apiGroup", &read.api_group),
        ("subresource", &read.subresource),
    ] {
        // The core group has no name, whatever a relay writes.
        if reference[name] != "core" {
            same(name, text, &reference[name]);
        }
    }
    if let Some(verb) = value["verb"].as_str() {
        let expected = match verb {
            "create" => Verb::Create,
            "update" => Verb::Update,
            "patch" => Verb::Patch,
            "delete" => Verb::Delete,
            "deletecollection" => Verb::DeleteCollection,
            _ => Verb::Other,
        };
        assert_eq!(event.verb, expected);
    }
    if let Some(stage) = value["stage"].as_str() {
        assert_eq!(
            stage == "ResponseComplete",
            event.stage == Stage::ResponseComplete
        );
        assert_eq!(
            stage == "RequestReceived",
            event.stage == Stage::RequestReceived
        );
    }
    if let Some(code) = value["responseStatus"]["code"].as_u64() {
        let read = event.response_status.and_then(|status| status.code);
        assert_eq!(read.map(u64::from), Some(code));
    }
    if let Some(time) = value["stageTimestamp"]
        .as_str()
        .and_then(|text| text.parse().ok())
    {
        let time: jiff::Timestamp = time;
        assert!(
            time <= jiff::Timestamp::UNIX_EPOCH || time == event.at,
            "{time}"
        );
    }
    compare_response(event, &value);
}

fn compare_response(event: &Event, value: &Value) {
    let reference = value["objectRef"].is_object();
    let is_pod = reference && event.object_ref.is_pod();
    let response = &value["responseObject"];
    let Some(object) = &event.response_object else {
        assert!(
            !is_pod || !response.is_object(),
            "a pod's response was not read"
        );
        return;
    };
    same("kind", &object.kind, &response["kind"]);
    let metadata = &response["metadata"];
    if let Some(read) = &object.metadata {
        same("uid", &read.uid, &metadata["uid"]);
        same(
            "resourceVersion",
            &read.resource_version,
            &metadata["resourceVersion"],
        );
        if let Some(labels) = metadata["labels"].as_object() {
            for (key, label) in read.labels.iter().flatten() {
                assert!(labels.contains_key(&**key), "a label was made up");
                if read.labels.iter().flatten().count() == labels.len() {
                    same("label", label, &labels[&**key]);
                }
            }
        }
    }
    if let (Some(status), Some(list)) = (
        &object.status.0,
        response["status"]["containerStatuses"].as_array(),
    ) {
        let read = status.container_statuses.as_deref().unwrap_or_default();
        assert_eq!(read.len(), list.len().min(1024));
        for (read, value) in read.iter().zip(list) {
            same("containerID", &read.container_id, &value["containerID"]);
        }
    }
}

/// Absent, null and empty are one. Another type than text is not compared: serde takes a struct's
/// fields in an array, too.
fn same(name: &str, read: &str, value: &Value) {
    if let Some(text) = value.as_str() {
        assert_eq!(read, text, "{name}");
    }
}
