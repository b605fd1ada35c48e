//! Events that say the name of a pod and not its uid.
//!
//! A name is used again, so what they say belongs to whichever pod had the name then. That needs other
//! events: here it only becomes a row about the name.

use super::{Occasion, Tell};
use crate::audit::Object;
use crate::audit::words::Saying;
use crate::rows::{Fact, Said};

/// What is said, and of which pod or pods.
#[derive(Clone, Copy)]
pub(super) struct About<'s> {
    pub what: Saying,
    pub at: i64,
    pub namespace: &'s str,
    /// Without one it is said of the namespace.
    pub name: &'s str,
    /// Which pods of the namespace: empty, where it is not about several.
    pub selector: &'s str,
    /// Where the request names one.
    pub uid: u128,
}

/// Tells `what` about the name, unless the event has none.
pub(super) fn tell(occasion: Occasion, what: Saying, at: i64, tell: Tell) {
    if !occasion.event.object_ref.name.is_empty() {
        say(occasion, about(&occasion, what, at), tell);
    }
}

/// What is said of the pod that the event names.
pub(super) fn about<'s>(occasion: &Occasion<'s>, what: Saying, at: i64) -> About<'s> {
    let named = &occasion.event.object_ref;
    About {
        what,
        at,
        namespace: &named.namespace,
        name: &named.name,
        selector: "",
        uid: 0,
    }
}

/// Tells that the deletion of an item of a list was asked for: at the time of its answer, which tells of the item as well,
/// since what was told after the request may show that the pod lives on.
pub(super) fn tell_item(occasion: Occasion, item: &Object, tell: Tell) {
    let Some(metadata) = &item.metadata else {
        return;
    };
    let asked = about(&occasion, Saying::Ask, occasion.at);
    let asked = About {
        namespace: match &*metadata.namespace {
            "" => asked.namespace,
            own => own,
        },
        name: &metadata.name,
        ..asked
    };
    if !metadata.name.is_empty() {
        say(occasion, asked, tell);
    }
}

/// Tells `what` of a namespace.
pub(super) fn tell_of_namespace(occasion: Occasion, what: Saying, tell: Tell) {
    let said = about(&occasion, what, occasion.at);
    let of_namespace = About {
        namespace: said.name,
        name: "",
        ..said
    };
    say(occasion, of_namespace, tell);
}

/// Tells that the pod `uid` of this name was not found.
pub(super) fn tell_gone(occasion: Occasion, uid: u128, tell: Tell) {
    let gone = about(&occasion, Saying::Gone, occasion.at);
    if !gone.name.is_empty() {
        say(occasion, About { uid, ..gone }, tell);
    }
}

pub(super) fn say(occasion: Occasion, about: About, tell: Tell) {
    let About { what, at, .. } = about;
    let (user, acting_as) = occasion.accounts();
    tell(&Fact {
        namespace: about.namespace,
        pod: about.name,
        said: Some(Said {
            what,
            at,
            user,
            acting_as,
            selector: about.selector,
            uid: about.uid,
            audit_id: match what.asks() || matches!(what, Saying::Collect | Saying::Purge) {
                true => occasion.evidence(),
                false => "",
            },
        }),
        ..occasion.fact(0)
    });
}
