//! A deletecollection.
//!
//! It answers with the pods **as they were before**, without a word about which of them went at once. That
//! can be told: those that no kubelet has to end, and all of them where the request leaves no time.

use super::{Occasion, Tell, Unreadable, named, pod, query, request};
use crate::audit::{DeleteOptions, Items, Object};
use serde::de::DeserializeSeed;

/// Tells of every item that its deletion was asked for, and whether it was gone at once.
pub(super) fn facts(occasion: Occasion, tell: Tell) -> Result<(), Unreadable> {
    let event = occasion.event;
    let options = request::options(event);
    let forced = request::is_forced(event, &options);
    let list = event.response_object.as_ref();
    let Some((list, items)) = list.and_then(|list| Some((list, list.items?))) else {
        named::tell_collection(occasion, forced, &selector(occasion), tell);
        return Ok(());
    };
    let whole = &*list.kind == "PodList";
    let mut outcome = Ok(());
    let mut each = |item: Object| {
        let fate = pod::Fate {
            asked: Some(occasion.asked()),
            forced,
            removed: is_unheld(&item) && (forced || whole && is_unattended(&item, &options)),
        };
        if !whole && !forced && is_unheld(&item) {
            // If it had finished, it went at once. Whether it had, other events know.
            named::tell_item(occasion, &item, tell);
        }
        if let Err(unreadable) = pod::facts_of_item(occasion, &item, fate, tell) {
            outcome = Err(unreadable);
        }
    };
    let mut reader = serde_json::Deserializer::from_str(items.get());
    Items(&mut each)
        .deserialize(&mut reader)
        .map_err(|_| Unreadable("the items of a list of pods"))?;
    outcome
}

/// Whether no finalizer keeps it.
fn is_unheld(item: &Object) -> bool {
    let metadata = item.metadata.as_ref();
    metadata.is_none_or(|metadata| metadata.finalizers.iter().flatten().next().is_none())
}

/// Whether no kubelet has to end it: it has no node, or it has finished, or it wants no time, where the
/// request doesn't say another.
fn is_unattended(item: &Object, options: &DeleteOptions) -> bool {
    let spec = item.spec.0.as_ref();
    let node = spec.map_or("", |spec| &*spec.node_name);
    let phase = item.status.0.as_ref().map_or("", |status| &*status.phase);
    let wants = spec.and_then(|spec| spec.termination_grace_period_seconds);
    node.is_empty()
        || matches!(phase, "Succeeded" | "Failed")
        || options.grace_period_seconds.or(wants) == Some(0)
}

/// The label selector; "?" where the request selects by other things too.
fn selector(occasion: Occasion) -> String {
    let mut labels = String::new();
    for (key, value) in query(occasion.event) {
        match &*key {
            "labelSelector" => labels = value.into_owned(),
            "fieldSelector" if !value.is_empty() => return "?".to_owned(),
            _ => {}
        }
    }
    labels
}
