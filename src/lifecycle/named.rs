//! Events that say the name of a pod and not its uid.
//!
//! A name is used again, so what they say belongs to whichever pod had the name then. That needs other
//! events: here it only becomes a row about the name.

use super::{Occasion, Tell};
use crate::audit::Object;
use crate::audit::words::Saying;
use crate::rows::{Fact, Said};

/// Tells `what` about the name, unless the event has none.
pub(super) fn tell(occasion: Occasion, what: Saying, at: i64, tell: Tell) {
    let named = &occasion.event.object_ref;
    if !named.name.is_empty() {
        row(occasion, what, at, "", tell);
    }
}

/// Tells `what` of the pod of this name, or, with a selector, of what that selects.
pub(super) fn tell_selected(
    occasion: Occasion,
    (name, selector): (&str, &str),
    (what, at): (Saying, i64),
    tell: Tell,
) {
    let place = (&*occasion.event.object_ref.namespace, name);
    row_of(occasion, place, (what, at, selector), tell);
}

/// Tells that the deletion of an item of a list was asked for: at the time of its answer, which tells of the item as well,
/// since what was told after the request may show that the pod lives on.
pub(super) fn tell_item(occasion: Occasion, item: &Object, tell: Tell) {
    let Some(metadata) = &item.metadata else {
        return;
    };
    let at = occasion.at;
    let namespace = match &*metadata.namespace {
        "" => &*occasion.event.object_ref.namespace,
        own => own,
    };
    if !metadata.name.is_empty() {
        row_of(
            occasion,
            (namespace, &metadata.name),
            (Saying::Ask, at, ""),
            tell,
        );
    }
}

/// Tells `what` of a namespace.
pub(super) fn tell_of_namespace(occasion: Occasion, what: Saying, tell: Tell) {
    let named = &occasion.event.object_ref;
    row_of(occasion, (&named.name, ""), (what, occasion.at, ""), tell);
}

fn row(occasion: Occasion, what: Saying, at: i64, selector: &str, tell: Tell) {
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
    (what, at, selector): (Saying, i64, &str),
    tell: Tell,
) {
    say(occasion, (namespace, name), 0, (what, at, selector), tell);
}

/// Tells that the pod `uid` of this name was not found.
pub(super) fn tell_gone(occasion: Occasion, uid: u128, tell: Tell) {
    let named = &occasion.event.object_ref;
    if !named.name.is_empty() {
        let gone = (Saying::Gone, occasion.at, "");
        say(occasion, (&named.namespace, &named.name), uid, gone, tell);
    }
}

fn say(
    occasion: Occasion,
    (namespace, name): (&str, &str),
    uid: u128,
    (what, at, selector): (Saying, i64, &str),
    tell: Tell,
) {
    let (user, acting_as) = occasion.accounts();
    tell(&Fact {
        namespace,
        pod: name,
        said: Some(Said {
            what,
            at,
            user,
            acting_as,
            selector,
            uid,
            audit_id: match what.asks() || matches!(what, Saying::Collect | Saying::Purge) {
                true => occasion.evidence(),
                false => "",
            },
        }),
        ..occasion.fact(0)
    });
}
