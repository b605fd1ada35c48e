//! Pages of lists and changes of watches become facts. Nothing here waits or asks.

use bytes::Bytes;

use super::super::objects::failure::{Failure, Next};
use super::super::objects::progress::{Found, Progress, Seen};
use super::super::objects::resource::{Emit, Resource, uid};
use super::messages::KeyValue;
use crate::audit::{self, Metadata, NotStored, Stored, StoredKind, Text};
use crate::lifecycle::watched::{self, Moment, Sight};

/// A change of a key, or how far the watch is.
#[derive(Clone, Debug)]
pub enum Item {
    Change(Change),
    /// Everything up to this revision has come.
    Mark(i64),
}

/// A change of a key.
#[derive(Clone, Debug)]
pub struct Change {
    pub revision: i64,
    pub key: Bytes,
    pub is_deleted: bool,
    /// What is there, or was there before it was deleted; none where etcd no longer knows.
    pub value: Option<Bytes>,
    /// Whether all changes of its revision have come with it.
    pub is_whole: bool,
}

/// A key of a resource: `PREFIX/pods/NAMESPACE/NAME`, or without a namespace.
fn name(resource: Resource, key: &[u8]) -> Option<(&str, &str)> {
    let key = std::str::from_utf8(key).ok()?;
    let (rest, name) = key.rsplit_once('/')?;
    match resource {
        Resource::Pods => Some((rest.rsplit_once('/')?.1, name)),
        Resource::Nodes | Resource::Namespaces => Some(("", name)),
    }
}

/// The object of a value, with the version that etcd has beside it.
fn object<'v>(
    resource: Resource,
    value: &'v [u8],
    revision: &'v str,
) -> Result<Stored<'v>, NotStored> {
    let mut stored = audit::stored(value)?;
    let kind = match resource {
        Resource::Pods => StoredKind::Pod,
        Resource::Nodes => StoredKind::Node,
        Resource::Namespaces => StoredKind::Namespace,
    };
    if stored.kind != kind {
        return Err(NotStored::Unreadable(
            "an object of another kind than its key",
        ));
    }
    if let Some(metadata) = &mut stored.object.metadata {
        metadata.resource_version = Text(revision.into());
    }
    Ok(stored)
}

fn refuse(found: &mut Found, why: NotStored) {
    match why {
        NotStored::Unreadable(reason) => found.refuse(reason),
        NotStored::Encrypted(how) => {
            found.encrypted.get_or_insert(how);
        }
    }
}

/// The uid of one object, as it is written; none where it is encrypted.
pub fn uid_of(resource: Resource, value: &[u8]) -> Result<Option<String>, &'static str> {
    match object(resource, value, "") {
        Ok(stored) => Ok(stored.object.metadata.map(|it| it.uid.to_string())),
        Err(NotStored::Encrypted(_)) => Ok(None),
        Err(NotStored::Unreadable(reason)) => Err(reason),
    }
}

/// Reads keys of a list that was made at `at`.
pub fn page((cluster, resource): (&str, Resource), kvs: &[KeyValue], at: i64, emit: Emit) -> Found {
    let (found, ()) = Found::counting(emit, |found, emit| {
        for kv in kvs {
            found.objects += 1;
            let revision = kv.mod_revision.to_string();
            let read = object(resource, &kv.value, &revision).and_then(|stored| {
                let moment = watched::listed(&stored.object, at, || stored.written);
                let of_list = (Sight::Listed, moment);
                let facts = resource.facts(cluster, &stored.object, of_list, emit);
                facts.map_err(|reason| NotStored::Unreadable(reason.0))?;
                Ok(uid(&stored.object))
            });
            match read {
                Ok(uid) => found.uids.extend(uid),
                Err(why) => {
                    let name = name(resource, &kv.key);
                    let name =
                        name.map(|(namespace, name)| (namespace.to_owned(), name.to_owned()));
                    found.unread.extend(name);
                    refuse(found, why);
                }
            }
        }
    });
    found
}

/// Reads keys of a list in the order in which they were written, as they were when they were written. `until` is when
/// the list was made.
pub fn past(
    of: (&str, Resource),
    kvs: &[KeyValue],
    until: i64,
    progress: &mut Progress,
    emit: Emit,
) -> Found {
    let of_key = |kv: &KeyValue| {
        let change = Change {
            revision: kv.mod_revision,
            key: kv.key.clone(),
            is_deleted: false,
            value: Some(kv.value.clone()),
            is_whole: true,
        };
        (Item::Change(change), Moment { since: 0, until })
    };
    let changes: Vec<(Item, Moment)> = kvs.iter().map(of_key).collect();
    items(of, &changes, progress, emit)
}

/// Reads what came, in its order.
pub fn items(
    of: (&str, Resource),
    items: &[(Item, Moment)],
    progress: &mut Progress,
    emit: Emit,
) -> Found {
    let (found, ()) = Found::counting(emit, |found, emit| {
        for (item, moment) in items {
            let revision = match item {
                Item::Mark(revision) => {
                    progress.bookmark(of.0, moment.until, emit);
                    *revision
                }
                Item::Change(it) => {
                    change(of, (it, *moment), (progress, found), emit);
                    // After a restart the whole revision comes again.
                    it.revision - i64::from(!it.is_whole)
                }
            };
            found.version = Some(revision.to_string());
        }
    });
    found
}

fn change(
    of: (&str, Resource),
    (change, moment): (&Change, Moment),
    (progress, found): (&mut Progress, &mut Found),
    emit: Emit,
) {
    let revision = change.revision.to_string();
    let read = change
        .value
        .as_ref()
        .map(|value| object(of.1, value, &revision));
    match read {
        Some(Ok(stored)) => {
            let seen = Seen {
                object: &stored.object,
                sight: match change.is_deleted {
                    true => Sight::Deleted,
                    false => Sight::There,
                },
                moment,
                written: &|| stored.written,
            };
            progress.object(of, &seen, found, emit);
        }
        Some(Err(why)) => {
            found.objects += 1;
            refuse(found, why);
            if change.is_deleted {
                nameless(of, (change, moment), (progress, found), emit);
            }
        }
        None => {
            found.objects += 1;
            nameless(of, (change, moment), (progress, found), emit);
        }
    }
}

/// A deletion of which only the key is known. Who had the name of a pod at a moment that is known was gone then; else
/// only a list tells.
fn nameless(
    (cluster, resource): (&str, Resource),
    (change, moment): (&Change, Moment),
    (progress, found): (&mut Progress, &mut Found),
    emit: Emit,
) {
    let Some((namespace, name)) = name(resource, &change.key) else {
        found.refuse("a key without a name");
        return;
    };
    let moment = progress.moment(cluster, (moment, &|| None), emit);
    let metadata = Metadata {
        name: Text(name.into()),
        ..Metadata::default()
    };
    let said = match resource {
        Resource::Pods if moment.is_exact() => {
            watched::absent(cluster, (namespace, name, 0), moment.until, emit)
        }
        Resource::Pods => {
            progress.forget(namespace, name);
            found.ended = Some(Failure::new(
                Next::List,
                "a pod is deleted, and which one is not known",
            ));
            Ok(())
        }
        Resource::Nodes => watched::node(cluster, &metadata, Sight::Deleted, moment, emit),
        Resource::Namespaces => {
            watched::namespace(cluster, &metadata, Sight::Deleted, moment, emit)
        }
    };
    if let Err(reason) = said {
        found.refuse(reason.0);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const SECOND: i64 = 1_000_000;
    const UID: &str = "00000000-0000-0000-0000-000000000001";

    fn pod(written: &str) -> Bytes {
        let pod = json!({"kind": "Pod", "apiVersion": "v1", "metadata": {"name": "web", "namespace": "n", "uid": UID,
            "managedFields": [{"time": written}]}});
        pod.to_string().into()
    }

    fn change(key: &str, revision: i64, value: Option<Bytes>, is_deleted: bool) -> Item {
        Item::Change(Change {
            revision,
            key: key.to_owned().into(),
            is_deleted,
            value,
            is_whole: true,
        })
    }

    fn at(item: Item, since: i64, until: i64) -> (Item, Moment) {
        let moment = Moment {
            since: since * SECOND,
            until: until * SECOND,
        };
        (item, moment)
    }

    /// When each fact was so, in seconds, and what it is.
    fn read(
        resource: Resource,
        progress: &mut Progress,
        came: &[(Item, Moment)],
    ) -> (Vec<String>, Found) {
        let mut facts = Vec::new();
        let found = items(("c", resource), came, progress, &mut |fact| {
            let what = match (&fact.said, fact.removed_at, fact.labels.is_some()) {
                (Some(said), ..) => format!("{} {:x}", said.what.word(), said.uid),
                (None, 0, true) => format!("there {}", fact.version),
                (None, 0, false) => "still there".to_owned(),
                (None, ..) => format!("removed {}", fact.version),
            };
            facts.push(format!(
                "{} {}/{} {what}",
                fact.event_at / SECOND,
                fact.namespace,
                fact.pod
            ));
        });
        (facts, found)
    }

    #[test]
    fn changes_have_the_revision_as_version() {
        let mut progress = Progress::from(1_000 * SECOND);
        let key = "/registry/pods/n/web";
        let came = [
            at(
                change(key, 7, Some(pod("1970-01-01T00:20:00Z")), false),
                1_000,
                2_000,
            ),
            at(Item::Mark(9), 1_000, 2_000),
            at(
                change(key, 10, Some(pod("1970-01-01T00:20:00Z")), true),
                2_000,
                2_001,
            ),
        ];
        let (facts, found) = read(Resource::Pods, &mut progress, &came);
        assert_eq!(
            facts,
            [
                "1200 n/web there 7",
                "2000 n/web still there",
                "2001 n/web removed 10"
            ]
        );
        assert_eq!(found.version.as_deref(), Some("10"));
        let part = Change {
            revision: 12,
            key: key.into(),
            is_deleted: false,
            value: Some(pod("1970-01-01T00:20:00Z")),
            is_whole: false,
        };
        let (_, found) = read(
            Resource::Pods,
            &mut progress,
            &[at(Item::Change(part), 2_001, 2_002)],
        );
        assert_eq!(found.version.as_deref(), Some("11"), "the rest comes again");
    }

    #[test]
    fn a_deletion_without_a_value_says_what_its_key_says() {
        let encrypted = Bytes::from("k8s:enc:aescbc:v1:key:canary");
        for value in [None, Some(encrypted), Some(Bytes::from("k8s\0broken"))] {
            // When it keeps up, whoever had the name is gone.
            let mut progress = Progress::from(1_000 * SECOND);
            progress.keeps_up = true;
            let gone = change("/registry/pods/n/web", 7, value.clone(), true);
            let (facts, found) = read(
                Resource::Pods,
                &mut progress,
                &[at(gone.clone(), 2_000, 2_001)],
            );
            assert_eq!(facts, ["2001 n/web gone 0"]);
            assert_eq!(found.ended, None);
            // Later the name may be another pod's.
            let mut progress = Progress::from(1_000 * SECOND);
            let came = [
                at(
                    change(
                        "/registry/pods/n/web",
                        6,
                        Some(pod("1970-01-01T00:20:00Z")),
                        false,
                    ),
                    1_000,
                    2_000,
                ),
                at(gone, 1_000, 2_000),
                at(Item::Mark(9), 1_000, 2_000),
            ];
            let (facts, found) = read(Resource::Pods, &mut progress, &came);
            assert_eq!(facts, ["1200 n/web there 6"], "and not that it is alive");
            assert_eq!(found.ended.map(|failure| failure.next), Some(Next::List));
        }
        let mut progress = Progress::from(1_000 * SECOND);
        progress.keeps_up = true;
        let gone = change("/registry/minions/node-1", 7, None, true);
        let (facts, _) = read(Resource::Nodes, &mut progress, &[at(gone, 2_000, 2_001)]);
        assert_eq!(facts, ["2000 /node-1 node gone 0"]);
        let gone = change("/registry/namespaces/n", 7, None, true);
        let (facts, _) = read(
            Resource::Namespaces,
            &mut progress,
            &[at(gone, 2_000, 2_001)],
        );
        assert_eq!(facts, ["2001 n/ finalize 0"]);
    }

    fn kv(key: &str, revision: i64, value: impl Into<Bytes>) -> KeyValue {
        KeyValue {
            key: key.to_owned().into(),
            mod_revision: revision,
            value: value.into(),
        }
    }

    #[test]
    fn what_a_page_has_and_cannot_be_read_is_there_all_the_same() {
        let node: Value =
            json!({"kind": "Node", "apiVersion": "v1", "metadata": {"name": "a", "uid": UID}});
        let kvs = [
            kv("/registry/pods/n/web", 3, pod("1970-01-01T00:20:00Z")),
            kv("/registry/pods/n/secret", 4, "k8s:enc:kms:v2:name:canary"),
            kv("/registry/pods/n/broken", 5, "\x00canary"),
            kv("/registry/pods/n/node", 6, node.to_string()),
        ];
        let found = page(("c", Resource::Pods), &kvs, SECOND, &mut |_| {});
        assert_eq!(found.uids.into_iter().collect::<Vec<_>>(), [1]);
        let unread: Vec<String> = found.unread.into_iter().map(|(_, name)| name).collect();
        assert_eq!(unread, ["broken", "node", "secret"]);
        assert_eq!((found.objects, found.unreadable), (4, 2));
        assert_eq!(found.encrypted.as_deref(), Some("kms:v2"));
    }

    #[test]
    fn what_is_listed_as_finished_finished_when_it_was_written() {
        let text = String::from_utf8(pod("1970-01-01T00:20:00Z").to_vec()).expect("JSON");
        let mut failed: Value = serde_json::from_str(&text).expect("a pod");
        failed["status"] = json!({"phase": "Failed"});
        let kvs = [kv("/registry/pods/n/web", 3, failed.to_string())];
        let mut facts = Vec::new();
        page(("c", Resource::Pods), &kvs, 2_000 * SECOND, &mut |fact| {
            facts.push((fact.event_at / SECOND, fact.terminal_at / SECOND));
        });
        assert_eq!(facts, [(2_000, 1_200)]);
    }

    #[test]
    fn the_past_is_as_it_was_when_it_was_written() {
        let mut facts = Vec::new();
        let mut progress = Progress::from(0);
        let kvs = [
            kv("/registry/pods/n/web", 3, pod("1970-01-01T00:20:00Z")),
            kv("/registry/pods/n/web", 4, pod("1970-01-01T00:30:00Z")),
        ];
        let of = ("c", Resource::Pods);
        let found = past(of, &kvs, 9_000 * SECOND, &mut progress, &mut |fact| {
            facts.push(fact.event_at / SECOND);
        });
        assert_eq!((facts, found.facts), (vec![1_200, 1_800], 2));
        assert_eq!(progress.since(), 1_800 * SECOND);
    }
}
