//! A deletecollection.
//!
//! It answers with the pods **as they were before**, without telling which of them were removed at once. That can be
//! derived: those that have no kubelet, and all of them where the request has no grace period.

use super::named::About;
use super::options::{Options, options};
use super::uri::query;
use super::{Emit, EventContext, Unreadable, named, pod};
use crate::audit::words::NameEvent;
use crate::audit::{Items, Object};
use serde::de::DeserializeSeed;

/// Emits for every item that its deletion was requested, and whether it was removed at once.
pub(super) fn facts(context: EventContext, emit: Emit) -> Result<(), Unreadable> {
    let event = context.event;
    let options = options(event);
    let forced = options.leaves_no_time();
    let list = event.response_object.as_ref();
    let whole = list.is_some_and(|list| &*list.kind == "PodList");
    let mut outcome = Ok(());
    let mut each = |item: &Object| {
        let effect = pod::DeleteEffect {
            asked: Some(context.asked()),
            forced,
            removed: !is_held(item) && (forced || whole && is_unattended(item, &options)),
        };
        if !whole && !forced && !is_held(item) {
            // If it had finished, it went at once. Whether it had, other events know.
            named::emit_item(context, item, emit);
        }
        if let Err(unreadable) = pod::facts_of_item(context, item, effect, emit) {
            outcome = Err(unreadable);
        }
    };
    if let Some(rows) = list.and_then(rows) {
        rows.for_each(each);
        return outcome;
    }
    let Some(items) = list.and_then(|list| list.items) else {
        let what = match forced {
            true => [NameEvent::Force, NameEvent::Purge],
            false => [NameEvent::Ask, NameEvent::Collect],
        };
        let (at, ..) = context.asked();
        emit_selected(context, what, at, emit);
        return Ok(());
    };
    let mut each = |item: Object| each(&item);
    let mut reader = serde_json::Deserializer::from_str(items.get());
    Items(&mut each)
        .deserialize(&mut reader)
        .map_err(|_| Unreadable("the items of a list of pods"))?;
    outcome
}

fn is_held(item: &Object) -> bool {
    item.metadata.as_ref().is_some_and(pod::is_held)
}

/// Emits that its result is unknown: for the pod that it selects, or for all that it selects in the namespace.
pub(super) fn unknown(context: EventContext, emit: Emit) {
    let what = [NameEvent::Truncated, NameEvent::Unresolved];
    emit_selected(context, what, context.at, emit);
}

/// Emits the first of these for the pod that it selects by name, or the second for all that it selects.
fn emit_selected(context: EventContext, [of_one, of_all]: [NameEvent; 2], at: i64, emit: Emit) {
    match selected(context) {
        Selected::Name(name) => {
            let of_one = named::about(&context, of_one, at);
            named::say(
                context,
                About {
                    name: &name,
                    ..of_one
                },
                emit,
            );
        }
        Selected::Labels(labels) => {
            let of_all = named::about(&context, of_all, at);
            let selector = &*labels;
            named::say(context, About { selector, ..of_all }, emit);
        }
    }
}

/// Whether no kubelet has to end it: it has no node, or it has finished, or it wants no time, where the
/// request doesn't say another.
fn is_unattended(item: &Object, options: &Options) -> bool {
    let spec = item.spec.0.as_ref();
    let node = spec.map_or("", |spec| &*spec.node_name);
    let phase = item.status.0.as_ref().map_or("", |status| &*status.phase);
    let wants = spec.and_then(|spec| spec.termination_grace_period_seconds);
    node.is_empty() || matches!(phase, "Succeeded" | "Failed") || options.grace.or(wants) == Some(0)
}

/// What a request selects.
enum Selected {
    /// One pod.
    Name(String),
    /// The label selector; "?" where the request selects by other things too.
    Labels(String),
}

fn selected(context: EventContext) -> Selected {
    let (mut labels, mut fields) = (String::new(), String::new());
    for (key, value) in query(context.event) {
        match &*key {
            "labelSelector" => labels = value.into_owned(),
            "fieldSelector" => fields = value.into_owned(),
            _ => {}
        }
    }
    let name = fields.strip_prefix("metadata.name=");
    let name = name.map(|name| name.strip_prefix('=').unwrap_or(name));
    match name.filter(|name| is_plain(name)) {
        _ if fields.is_empty() => Selected::Labels(labels),
        Some(name) if labels.is_empty() => Selected::Name(name.to_owned()),
        _ => Selected::Labels("?".to_owned()),
    }
}

/// Whether it is a name, without a further selector after it.
fn is_plain(name: &str) -> bool {
    let is_of_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
    !name.is_empty() && name.bytes().all(is_of_name)
}

/// The objects of a table, unless it was asked for without them, or has more than are read.
fn rows<'o, 'a>(list: &'o Object<'a>) -> Option<impl Iterator<Item = &'o Object<'a>>> {
    let rows = list
        .rows
        .as_deref()
        .filter(|_| &*list.kind == "Table" && !list.rows.is_cut())?;
    let objects: Option<Vec<&Object>> = rows.iter().map(|row| row.object.0.as_ref()).collect();
    Some(objects?.into_iter())
}
