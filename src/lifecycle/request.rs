//! What a request proves where its answer holds no pod: at level Request and Metadata, and for
//! requests that are answered with a Status.

use super::options::options;
use super::uri::{is_of_pod, query};
use super::{Emit, EventContext, Unreadable, named, parse_uid, pod};
use crate::audit::words::NameEvent;
use crate::audit::{Event, Lenient, Object, Verb};
use crate::rows::Fact;

/// Emits the facts of a successful request.
pub(super) fn facts(context: EventContext, emit: Emit) -> Result<(), Unreadable> {
    let event = context.event;
    let created = event.response_status.and_then(|status| status.code) == Some(201);
    let (received, ..) = context.asked();
    match (event.verb, &*event.object_ref.subresource) {
        (Verb::Delete, "") => {
            delete(context, emit);
            Ok(())
        }
        (Verb::Create, "") => {
            named::emit(context, NameEvent::Create, received, emit);
            Ok(())
        }
        (Verb::Patch, "") if created => {
            named::emit(context, NameEvent::Create, received, emit);
            Ok(())
        }
        (Verb::Patch | Verb::Update, "status") => status(context, emit),
        _ => Ok(()),
    }
}

/// A DELETE. A kubelet's is the last one: it is sent when the containers have ended. (Whether a finalizer
/// holds the object still, only the answer would say.)
fn delete(context: EventContext, emit: Emit) {
    let options = options(context.event);
    let forced = options.leaves_no_time();
    let (received, user, acting_as) = context.asked();
    let by_kubelet = context.actor().is_node;
    let uid = parse_uid(&options.conditions.uid).ok();
    match (by_kubelet, forced) {
        (true, _) if uid.is_none() => named::emit(context, NameEvent::Remove, context.at, emit),
        (false, true) if uid.is_none() => named::emit(context, NameEvent::Force, received, emit),
        (_, true) | (true, _) => {}
        // A pod that has finished goes at once. Whether it had, other events know.
        (false, false) => named::emit(context, NameEvent::Ask, received, emit),
    }
    let Some(uid) = uid else { return };
    let asked = (!by_kubelet).then_some((received, user, acting_as));
    emit(&Fact {
        namespace: &context.event.object_ref.namespace,
        pod: &context.event.object_ref.name,
        node: context.node(),
        delete_asked: asked,
        audit_id: context.evidence(),
        force_asked: asked.filter(|_| forced),
        removed_at: if by_kubelet || forced { context.at } else { 0 },
        by_kubelet,
        ..context.fact(uid)
    });
}

/// A status: as a strategic merge patch of what has changed, or, before Kubernetes 1.11, as the whole pod.
/// Lists of container statuses are always whole.
fn status(context: EventContext, emit: Emit) -> Result<(), Unreadable> {
    let sent = sent(context.event);
    let uid = sent.as_ref().and_then(|object| object.metadata.as_ref());
    match (uid, &sent) {
        (Some(metadata), Some(object)) if !metadata.uid.is_empty() => {
            pod::facts_of_request(context, object, emit)
        }
        _ if context.node().is_empty() => Ok(()),
        _ => {
            let named = &context.event.object_ref;
            match parse_uid(&named.uid) {
                Ok(uid) => emit(&Fact {
                    namespace: &named.namespace,
                    pod: &named.name,
                    node: context.node(),
                    is_alive: true,
                    ..context.fact(uid)
                }),
                Err(_) => named::emit(context, NameEvent::Status, context.at, emit),
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
pub(super) fn eviction(context: EventContext, emit: Emit) {
    let asked = context.asked();
    let options = options(context.event);
    let forced = options.leaves_no_time();
    let uid = parse_uid(&options.conditions.uid).ok();
    // Under its name in any case: if it had finished, it went at once.
    named::emit(context, NameEvent::Evict, asked.0, emit);
    match uid {
        None if forced => named::emit(context, NameEvent::Remove, context.at, emit),
        None => {}
        Some(uid) => emit(&Fact {
            namespace: &context.event.object_ref.namespace,
            pod: &context.event.object_ref.name,
            delete_asked: Some(asked),
            audit_id: context.evidence(),
            evict_asked: Some(asked),
            removed_at: if forced { context.at } else { 0 },
            ..context.fact(uid)
        }),
    }
}

/// A request that found no such pod (404), or one of another uid (409).
pub(super) fn gone(context: EventContext, emit: Emit) {
    let event = context.event;
    // Other paths are about what is in the pod (`proxy`), or about its node (`binding`).
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
        // The uid may be made up, unless Kubernetes itself sent it.
        Ok(uid) if context.is_by_kubernetes() => named::emit_gone(context, uid, emit),
        _ if is_missing => named::emit(context, NameEvent::Gone, context.at, emit),
        _ => {}
    }
}

/// Whether the request was a dry run; `None` where that is unknown.
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
