//! What a request proves where its answer holds no pod: at level Request and Metadata, and for
//! requests that are answered with a Status.

use super::options::options;
use super::uri::{is_of_pod, query};
use super::{Occasion, Tell, Unreadable, named, parse_uid, pod};
use crate::audit::words::Saying;
use crate::audit::{Event, Lenient, Object, Verb};
use crate::rows::Fact;

/// Emits the facts of a successful request.
pub(super) fn facts(occasion: Occasion, tell: Tell) -> Result<(), Unreadable> {
    let event = occasion.event;
    let created = event.response_status.and_then(|status| status.code) == Some(201);
    let (received, ..) = occasion.asked();
    match (event.verb, &*event.object_ref.subresource) {
        (Verb::Delete, "") => {
            delete(occasion, tell);
            Ok(())
        }
        (Verb::Create, "") => {
            named::tell(occasion, Saying::Create, received, tell);
            Ok(())
        }
        (Verb::Patch, "") if created => {
            named::tell(occasion, Saying::Create, received, tell);
            Ok(())
        }
        (Verb::Patch | Verb::Update, "status") => status(occasion, tell),
        _ => Ok(()),
    }
}

/// A DELETE. A kubelet's is the last one: it is sent when the containers have ended. (Whether a finalizer
/// holds the object still, only the answer would say.)
fn delete(occasion: Occasion, tell: Tell) {
    let options = options(occasion.event);
    let forced = options.leaves_no_time();
    let (received, user, acting_as) = occasion.asked();
    let by_kubelet = occasion.actor().is_node;
    let uid = parse_uid(&options.conditions.uid).ok();
    match (by_kubelet, forced) {
        (true, _) if uid.is_none() => named::tell(occasion, Saying::Remove, occasion.at, tell),
        (false, true) if uid.is_none() => named::tell(occasion, Saying::Force, received, tell),
        (_, true) | (true, _) => {}
        // A pod that has finished goes at once. Whether it had, other events know.
        (false, false) => named::tell(occasion, Saying::Ask, received, tell),
    }
    let Some(uid) = uid else { return };
    let asked = (!by_kubelet).then_some((received, user, acting_as));
    tell(&Fact {
        namespace: &occasion.event.object_ref.namespace,
        pod: &occasion.event.object_ref.name,
        node: occasion.node(),
        delete_asked: asked,
        audit_id: occasion.evidence(),
        force_asked: asked.filter(|_| forced),
        removed_at: if by_kubelet || forced { occasion.at } else { 0 },
        by_kubelet,
        ..occasion.fact(uid)
    });
}

/// A status: as a strategic merge patch of what has changed, or, before Kubernetes 1.11, as the whole pod.
/// Lists of container statuses are always whole.
fn status(occasion: Occasion, tell: Tell) -> Result<(), Unreadable> {
    let sent = sent(occasion.event);
    let uid = sent.as_ref().and_then(|object| object.metadata.as_ref());
    match (uid, &sent) {
        (Some(metadata), Some(object)) if !metadata.uid.is_empty() => {
            pod::facts_of_request(occasion, object, tell)
        }
        _ if occasion.node().is_empty() => Ok(()),
        _ => {
            let named = &occasion.event.object_ref;
            match parse_uid(&named.uid) {
                Ok(uid) => tell(&Fact {
                    namespace: &named.namespace,
                    pod: &named.name,
                    node: occasion.node(),
                    is_alive: true,
                    ..occasion.fact(uid)
                }),
                Err(_) => named::tell(occasion, Saying::Status, occasion.at, tell),
            }
            Ok(())
        }
    }
}

/// The object that was sent.
pub(super) fn sent<'a>(event: &Event<'a>) -> Option<Object<'a>> {
    let raw = event.request_object?;
    serde_json::from_str::<Lenient<Object>>(raw.get()).ok()?.0
}

/// The eviction API deletes by itself; that leaves no DELETE, and if it left no time no other event either.
pub(super) fn eviction(occasion: Occasion, tell: Tell) {
    let asked = occasion.asked();
    let options = options(occasion.event);
    let forced = options.leaves_no_time();
    let uid = parse_uid(&options.conditions.uid).ok();
    // Under its name in any case: if it had finished, it went at once.
    named::tell(occasion, Saying::Evict, asked.0, tell);
    match uid {
        None if forced => named::tell(occasion, Saying::Remove, occasion.at, tell),
        None => {}
        Some(uid) => tell(&Fact {
            namespace: &occasion.event.object_ref.namespace,
            pod: &occasion.event.object_ref.name,
            delete_asked: Some(asked),
            audit_id: occasion.evidence(),
            evict_asked: Some(asked),
            removed_at: if forced { occasion.at } else { 0 },
            ..occasion.fact(uid)
        }),
    }
}

/// A request that found no such pod (404), or one of another uid (409).
pub(super) fn gone(occasion: Occasion, tell: Tell) {
    let event = occasion.event;
    // Others speak of what is in the pod (`proxy`), or of its node (`binding`).
    let subresource = &*event.object_ref.subresource;
    if !matches!(
        (event.verb, subresource),
        (Verb::Delete | Verb::Patch | Verb::Update, "" | "status") | (Verb::Create, "eviction")
    ) || !is_of_pod(event)
    {
        return;
    }
    let status = event.response_status.unwrap_or_default();
    if status.is_of_cache {
        return;
    }
    let is_missing = status.code == Some(404);
    let conditions = options(event).conditions;
    let sent = sent(event).and_then(|object| object.metadata);
    let uid = match event.verb {
        Verb::Delete if !is_missing && !conditions.resource_version.is_empty() => return,
        Verb::Delete => conditions.uid,
        _ if !is_missing => return,
        Verb::Create => conditions.uid,
        _ => sent.unwrap_or_default().uid,
    };
    match parse_uid(&uid) {
        // The uid may be somebody's invention, but for Kubernetes itself.
        Ok(uid) if occasion.is_by_kubernetes() => named::tell_gone(occasion, uid, tell),
        _ if is_missing => named::tell(occasion, Saying::Gone, occasion.at, tell),
        _ => {}
    }
}

/// Whether nothing was to come of the request; `None` where that can't be told.
///
/// A dry-run create answers with an invented uid and no resourceVersion.
pub(super) fn is_dry_run(event: &Event) -> Option<bool> {
    let is_in_query = || query(event).any(|(key, _)| key == "dryRun");
    match (event.verb, &*event.object_ref.subresource) {
        (Verb::Delete | Verb::DeleteCollection, _) => options(event).dry_run,
        (Verb::Create, "eviction") => match options(event).dry_run {
            Some(false) => Some(is_in_query()),
            told => told,
        },
        (Verb::Create, "") => {
            let answer = event.response_object.as_ref();
            let metadata = answer.and_then(|object| object.metadata.as_ref());
            let is_invented = metadata.is_some_and(|metadata| {
                !metadata.uid.is_empty() && metadata.resource_version.is_empty()
            });
            Some(is_in_query() || is_invented)
        }
        _ => Some(is_in_query()),
    }
}
