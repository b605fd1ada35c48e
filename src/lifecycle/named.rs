//! Events that say the name of a pod and not its uid.
//!
//! A name is used again, so what they say belongs to whichever pod had the name then. That needs other
//! events: here it only becomes a row about the name, under a uid that is made from it.

use sha2::{Digest, Sha256};

use super::{Occasion, Tell};
use crate::audit::Object;
use crate::rows::{Fact, Named};

/// Tells `what` about the name, unless the event has none.
pub(super) fn tell(occasion: Occasion, what: &'static str, at: i64, tell: Tell) {
    let named = &occasion.event.object_ref;
    if !named.name.is_empty() {
        row(occasion, what, at, "", tell);
    }
}

/// Tells that all pods of a namespace that `selector` selects are to be deleted; `forced` where the
/// request leaves them no time.
pub(super) fn tell_collection(occasion: Occasion, forced: bool, selector: &str, tell: Tell) {
    let (at, ..) = occasion.asked();
    let what = if forced { "purge" } else { "collect" };
    row(occasion, what, at, selector, tell);
}

/// Tells that the deletion of an item of a list was asked for.
pub(super) fn tell_item(occasion: Occasion, item: &Object, tell: Tell) {
    let Some(metadata) = &item.metadata else {
        return;
    };
    let (at, ..) = occasion.asked();
    let namespace = match &*metadata.namespace {
        "" => &*occasion.event.object_ref.namespace,
        own => own,
    };
    if !metadata.name.is_empty() {
        row_of(occasion, (namespace, &metadata.name), ("ask", at, ""), tell);
    }
}

/// Tells that nothing is left in a namespace.
pub(super) fn tell_emptied(occasion: Occasion, tell: Tell) {
    let named = &occasion.event.object_ref;
    row_of(
        occasion,
        (&named.name, ""),
        ("finalize", occasion.at, ""),
        tell,
    );
}

fn row(occasion: Occasion, what: &'static str, at: i64, selector: &str, tell: Tell) {
    let named = &occasion.event.object_ref;
    row_of(
        occasion,
        (&named.namespace, &named.name),
        (what, at, selector),
        tell,
    );
}

fn row_of(
    occasion: Occasion,
    (namespace, name): (&str, &str),
    (what, at, selector): (&'static str, i64, &str),
    tell: Tell,
) {
    let (user, acting_as) = occasion.accounts();
    tell(&Fact {
        namespace,
        pod: name,
        audit_id: occasion.evidence(),
        named: Some(Named {
            at,
            what,
            user,
            acting_as,
            selector,
        }),
        ..occasion.fact(uid(namespace, name))
    });
}

/// A UUID of version 8, which is for private use: Kubernetes makes those of version 4.
fn uid(namespace: &str, name: &str) -> u128 {
    let mut hash = Sha256::new();
    hash.update(namespace);
    hash.update([0]);
    hash.update(name);
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash.finalize()[..16]);
    uuid::Builder::from_custom_bytes(bytes)
        .into_uuid()
        .as_u128()
}
