//! Pages of lists and changes of watches become facts. Nothing here waits or asks.

use super::super::objects::failure::{Failure, Next};
use super::super::objects::progress::{Found, Progress, Seen};
use super::super::objects::resource::{Emit, Resource, uid};
use super::feed::{Change, Item};
use super::messages::KeyValue;
use crate::audit::{self, Metadata, NotStored, Stored, StoredKind, Text};
use crate::lifecycle::watched::{self, Moment, Sight};

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
    let mut found = Found::default();
    let mut facts = 0;
    for kv in kvs {
        found.objects += 1;
        let revision = kv.mod_revision.to_string();
        let read = object(resource, &kv.value, &revision).and_then(|stored| {
            let of_list = (Sight::There, Moment::at(at));
            resource
                .facts(cluster, &stored.object, of_list, &mut |fact| {
                    facts += 1;
                    emit(fact);
                })
                .map_err(|reason| NotStored::Unreadable(reason.0))?;
            Ok(uid(&stored.object))
        });
        match read {
            Ok(uid) => found.uids.extend(uid),
            Err(why) => {
                let name = name(resource, &kv.key);
                found
                    .unread
                    .extend(name.map(|(namespace, name)| (namespace.to_owned(), name.to_owned())));
                refuse(&mut found, why);
            }
        }
    }
    found.facts = facts;
    found
}

/// Reads what came, in its order.
pub fn items(
    of: (&str, Resource),
    items: &[(Item, Moment)],
    progress: &mut Progress,
    emit: Emit,
) -> Found {
    let mut found = Found::default();
    let mut facts = 0;
    let emit: Emit = &mut |fact| {
        facts += 1;
        emit(fact);
    };
    for (item, moment) in items {
        let revision = match item {
            Item::Mark(revision) => {
                progress.bookmark(of.0, moment.until, emit);
                *revision
            }
            Item::Change(it) => {
                change(of, (it, *moment), (progress, &mut found), emit);
                // After a restart the whole revision comes again.
                it.revision - i64::from(!it.is_whole)
            }
        };
        found.version = Some(revision.to_string());
    }
    found.facts = facts;
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
