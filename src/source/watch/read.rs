//! Pages of lists and lines of watches become facts. Nothing here waits or asks.

use std::collections::BTreeSet;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::super::objects::failure::{Failure, Next};
use super::super::objects::progress::{Found, Progress, Seen};
use super::super::objects::resource::{Emit, Resource, uid};
use super::failure::expired;
use super::owners::Controllers;
use crate::audit::{Lenient, Object, Text, Written};
use crate::lifecycle::watched::{self, Moment, Sight};

#[derive(Deserialize)]
struct Page<'a> {
    #[serde(borrow, default)]
    kind: Text<'a>,
    #[serde(borrow, default)]
    metadata: ListMeta<'a>,
    #[serde(borrow, default)]
    items: Option<&'a RawValue>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ListMeta<'a> {
    #[serde(borrow)]
    resource_version: Text<'a>,
    #[serde(borrow, rename = "continue")]
    token: Text<'a>,
}

impl Page<'_> {
    /// Reads each object, with its text; nothing where they are none.
    fn each(&self, mut each: impl FnMut(Object, &str)) -> Option<()> {
        let Some(items) = self.items else {
            return Some(());
        };
        let items: Vec<&RawValue> = serde_json::from_str(items.get()).ok()?;
        for item in items {
            let Lenient(object) = serde_json::from_str(item.get()).ok()?;
            if let Some(object) = object {
                each(object, item.get());
            }
        }
        Some(())
    }
}

#[derive(Deserialize)]
struct Event<'a> {
    #[serde(borrow, rename = "type")]
    kind: Text<'a>,
    #[serde(borrow)]
    object: Object<'a>,
}

/// The object of an event: when it was written, or the code of an error.
#[derive(Deserialize)]
struct Beside {
    object: ObjectBeside,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ObjectBeside {
    code: Option<u16>,
    metadata: Option<Written>,
}

/// Reads a page of a list that was made at `at`; nothing where it is none. Also returns where the next one begins: empty
/// behind the last.
pub fn page(
    (cluster, resource, controllers): (&str, Resource, &Controllers),
    body: &[u8],
    at: i64,
    emit: Emit,
) -> Option<(Found, String)> {
    let page: Page = serde_json::from_slice(body).ok()?;
    if !page.kind.ends_with("List") || page.metadata.resource_version.is_empty() {
        return None;
    }
    let (mut found, read) = Found::counting(emit, |found, emit| {
        page.each(|object, text| {
            found.objects += 1;
            let moment = watched::listed(&object, at, || {
                let beside: ObjectBeside = serde_json::from_str(text).ok()?;
                beside.metadata?.at()
            });
            let of_list = (Sight::Listed, moment);
            let facts = |emit: Emit| resource.facts(cluster, &object, of_list, emit);
            match controllers.with(&object, emit, facts) {
                Ok(()) => found.uids.extend(uid(&object)),
                Err(reason) => found.refuse(reason.0),
            }
        })
    });
    read?;
    found.version = Some(page.metadata.resource_version.to_string());
    Some((found, page.metadata.token.to_string()))
}

/// The uids of a page of metadata, and where the next one begins.
pub fn uids(body: &[u8]) -> Option<(BTreeSet<u128>, String)> {
    let page: Page = serde_json::from_slice(body).ok()?;
    let mut uids = BTreeSet::new();
    page.each(|object, _| uids.extend(uid(&object)))?;
    Some((uids, page.metadata.token.to_string()))
}

/// The uid of one object, as it is written.
pub fn uid_of(body: &[u8]) -> Option<String> {
    let object: Object = serde_json::from_slice(body).ok()?;
    let uid = object.metadata?.uid.to_string();
    (!uid.is_empty()).then_some(uid)
}

/// Reads lines, in their order, until one ends the watch, or is about a pod whose owner has to be asked for.
pub fn lines(
    of: (&str, Resource, &Controllers),
    lines: &[(Bytes, Moment)],
    progress: &mut Progress,
    emit: Emit,
) -> Found {
    let (found, ()) = Found::counting(emit, |found, emit| {
        for (index, (bytes, moment)) in lines.iter().enumerate() {
            let Ok(event) = serde_json::from_slice::<Event>(bytes) else {
                found.refuse("a line of a watch");
                continue;
            };
            if of.1 == Resource::Pods && of.2.lack(&event.object) {
                found.left = lines.len() - index;
                break;
            }
            line(of, (bytes, &event, *moment), (progress, found), emit);
            if found.ended.is_some() {
                break;
            }
        }
    });
    found
}

fn line(
    (cluster, resource, controllers): (&str, Resource, &Controllers),
    (bytes, event, moment): (&Bytes, &Event, Moment),
    (progress, found): (&mut Progress, &mut Found),
    emit: Emit,
) {
    let metadata = event.object.metadata.as_ref();
    let version = metadata.map_or("", |metadata| &metadata.resource_version);
    let sight = match &*event.kind {
        "ADDED" | "MODIFIED" => Sight::There,
        "DELETED" => Sight::Deleted,
        "BOOKMARK" => {
            progress.bookmark(cluster, moment.until, emit);
            found.version = Some(version.to_owned()).filter(|it| !it.is_empty());
            return;
        }
        "ERROR" => {
            let code = beside(bytes).and_then(|it| it.code).unwrap_or_default();
            found.ended = Some(ended(resource, code));
            return;
        }
        _ => {
            found.refuse("an event of a watch of an unknown type");
            return;
        }
    };
    let seen = Seen {
        object: &event.object,
        sight,
        moment,
        written: &|| beside(bytes)?.metadata?.at(),
    };
    controllers.with(&event.object, emit, |emit| {
        progress.object((cluster, resource), &seen, found, emit);
    });
    if !version.is_empty() {
        found.version = Some(version.to_owned());
    }
}

/// A watch that the API server ended with this code.
fn ended(resource: Resource, code: u16) -> Failure {
    match code {
        410 => expired(),
        code => Failure::new(
            Next::Retry,
            format!(
                "the API server ended the watch of {} ({code})",
                resource.name()
            ),
        ),
    }
}

fn beside(line: &[u8]) -> Option<ObjectBeside> {
    let beside: Beside = serde_json::from_slice(line).ok()?;
    Some(beside.object)
}

#[cfg(test)]
mod tests {
    use super::super::owners::Owners;
    use super::*;
    use crate::rows::Fact;
    use serde_json::{Value, json};

    const SECOND: i64 = 1_000_000;

    const UID: &str = "00000000-0000-0000-0000-000000000001";

    fn line(kind: &str, object: &Value, since: i64, until: i64) -> (Bytes, Moment) {
        let bytes = json!({"type": kind, "object": object}).to_string().into();
        (bytes, Moment { since, until })
    }

    fn pod(written: &str) -> Value {
        json!({"metadata": {"name": "web", "namespace": "n", "uid": UID, "resourceVersion": "7",
            "managedFields": [{"time": written}]}})
    }

    /// When each fact was so, in seconds, and what it is.
    fn read(progress: &mut Progress, items: &[(Bytes, Moment)]) -> (Vec<String>, Found) {
        let mut facts = Vec::new();
        let known = Controllers::default();
        let found = lines(
            ("c", Resource::Pods, &known),
            items,
            progress,
            &mut |fact| {
                let what = match (&fact.said, fact.removed_at, fact.labels.is_some()) {
                    (Some(said), ..) => said.what.word(),
                    (None, 0, true) => "there",
                    (None, 0, false) => "still there",
                    (None, ..) => "removed",
                };
                facts.push(format!("{} {what}", fact.event_at / SECOND));
            },
        );
        (facts, found)
    }

    #[test]
    fn a_watch_that_catches_up_knows_less_until_it_keeps_up() {
        let (before, now) = (1_000 * SECOND, 2_000 * SECOND);
        let mut progress = Progress::from(before);
        let old = pod("1970-01-01T00:20:00Z");
        let lines = [
            line("ADDED", &old, before, now),
            line("MODIFIED", &old, before, now),
        ];
        let (facts, found) = read(&mut progress, &lines);
        assert_eq!(facts, ["1200 there", "1200 there"]);
        assert_eq!(found.version.as_deref(), Some("7"));
        assert!(!progress.keeps_up && progress.since() == 1_200 * SECOND);
        // A bookmark comes behind all of it.
        let mark = json!({"metadata": {"resourceVersion": "9"}});
        let (facts, found) = read(&mut progress, &[line("BOOKMARK", &mark, before, now)]);
        assert_eq!(facts, ["2000 still there"]);
        assert_eq!(found.version.as_deref(), Some("9"));
        let (facts, _) = read(&mut progress, &[line("DELETED", &old, now, now + SECOND)]);
        assert_eq!(facts, ["2001 removed"]);
        // It waited for long before it was read.
        let late = line("DELETED", &old, now, now + 60 * SECOND);
        assert_eq!(read(&mut progress, &[late]).0, ["2000 there", "2060 gone"]);
    }

    #[test]
    fn what_was_written_just_now_shows_that_it_keeps_up() {
        let (before, now) = (1_000 * SECOND, 2_000 * SECOND);
        let mut progress = Progress::from(before);
        let lines = [
            line("DELETED", &pod("1970-01-01T00:20:00Z"), before, now),
            line("MODIFIED", &pod("1970-01-01T00:33:19Z"), before, now),
            line("DELETED", &pod("1970-01-01T00:33:19Z"), before, now),
        ];
        let (facts, _) = read(&mut progress, &lines);
        assert!(progress.keeps_up);
        assert_eq!(facts[..2], ["1200 there", "2000 gone"]);
        assert_eq!(facts[2], "2000 there");
    }

    #[test]
    fn what_ends_a_watch_and_what_is_unreadable_is_counted() {
        let mut progress = Progress::from(SECOND);
        let status = json!({"kind": "Status", "code": 410, "status": "Failure", "message": "m"});
        let mut broken = line("ADDED", &json!({}), 1, 2);
        broken.0 = "{\"type\":".into();
        let lines = [
            broken,
            line("ADDED", &json!({"metadata": {"name": "x"}}), 1, 2),
            line("NEW", &json!({}), 1, 2),
            line("ERROR", &status, 1, 2),
            line("ADDED", &pod("1970-01-01T00:20:00Z"), 1, 2),
        ];
        let (facts, found) = read(&mut progress, &lines);
        assert_eq!(facts, Vec::<String>::new());
        assert_eq!((found.unreadable, found.ended), (3, Some(expired())));
        assert_eq!(found.reason, Some("a line of a watch"));
    }

    #[test]
    fn a_pod_waits_for_its_owner_and_what_came_later_for_the_pod() {
        let mut owned = pod("1970-01-01T00:20:00Z");
        owned["metadata"]["ownerReferences"] =
            json!([{"kind": "ReplicaSet", "name": "web", "uid": UID, "controller": true}]);
        let alone = pod("1970-01-01T00:20:00Z");
        let items = [&alone, &owned, &alone].map(|pod| line("ADDED", pod, SECOND, SECOND));
        for (asks, left) in [(true, 2), (false, 0)] {
            let mut facts = 0;
            let of = ("c", Resource::Pods, &Owners::default().known(asks));
            let mut progress = Progress::from(SECOND);
            let found = lines(of, &items, &mut progress, &mut |_| facts += 1);
            assert_eq!((found.left, facts), (left, 3 - left));
            assert_eq!(found.objects, (3 - left) as u64);
        }
    }

    #[test]
    fn what_is_listed_as_finished_finished_when_it_was_written() {
        let mut failed = pod("1970-01-01T00:20:00Z");
        failed["status"] = json!({"phase": "Failed"});
        let list = json!({"kind": "PodList", "metadata": {"resourceVersion": "5"},
            "items": [failed, "nothing", pod("1970-01-01T00:20:00Z")]});
        let mut facts = Vec::new();
        let body = list.to_string();
        let of = |fact: &Fact| (fact.event_at / SECOND, fact.terminal_at / SECOND);
        page(
            ("c", Resource::Pods, &Controllers::default()),
            body.as_bytes(),
            2_000 * SECOND,
            &mut |fact| {
                facts.push(of(fact));
            },
        );
        assert_eq!(facts, [(2_000, 1_200), (2_000, 0)]);
    }

    #[test]
    fn a_page_is_a_list_or_nothing() {
        let list = json!({"kind": "PodList", "metadata": {"resourceVersion": "5", "continue": "t"},
            "items": [pod("1970-01-01T00:20:00Z"), {"metadata": {}}]});
        let mut facts = 0;
        let of = ("c", Resource::Pods, &Controllers::default());
        let found = page(of, list.to_string().as_bytes(), SECOND, &mut |_| facts += 1);
        let (found, token) = found.unwrap();
        assert_eq!((found.version.as_deref(), &*token), (Some("5"), "t"));
        assert_eq!((found.objects, found.unreadable, facts), (2, 1, 1));
        assert_eq!(found.uids.into_iter().collect::<Vec<_>>(), [1]);
        for other in [
            "{}",
            "[]",
            "<html>",
            "{\"kind\":\"PodList\",\"metadata\":{}}",
        ] {
            assert!(page(of, other.as_bytes(), SECOND, &mut |_| {}).is_none());
        }
    }
}
