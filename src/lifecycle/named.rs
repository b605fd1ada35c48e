//! Events that say the name of a pod and not its uid.
//!
//! A name is used again, so what they say belongs to whichever pod had the name then. That needs other
//! events: here it only becomes a row about the name.

use super::{Emit, EventContext};
use crate::audit::Object;
use crate::audit::words::NameEvent;
use crate::rows::{Fact, Said};

/// The kind of event, and which pod or pods it is about.
#[derive(Clone, Copy)]
pub(super) struct About<'s> {
    pub what: NameEvent,
    pub at: i64,
    pub namespace: &'s str,
    /// Without one it is about the namespace.
    pub name: &'s str,
    /// Which pods of the namespace: empty, where it is not about several.
    pub selector: &'s str,
    /// Where the request names one.
    pub uid: u128,
}

/// Emits `what` about the name, unless the event has no name.
pub(super) fn emit(context: EventContext, what: NameEvent, at: i64, emit: Emit) {
    if !context.event.object_ref.name.is_empty() {
        say(context, about(&context, what, at), emit);
    }
}

/// The event about the pod that it names.
pub(super) fn about<'s>(context: &EventContext<'s>, what: NameEvent, at: i64) -> About<'s> {
    let named = &context.event.object_ref;
    About {
        what,
        at,
        namespace: &named.namespace,
        name: &named.name,
        selector: "",
        uid: 0,
    }
}

/// Emits that the deletion of a list's item was requested: at the time of the response, which also proves the item,
/// because facts after the request may show that the pod lives on.
pub(super) fn emit_item(context: EventContext, item: &Object, emit: Emit) {
    let Some(metadata) = &item.metadata else {
        return;
    };
    let asked = about(&context, NameEvent::Ask, context.at);
    let asked = About {
        namespace: match &*metadata.namespace {
            "" => asked.namespace,
            own => own,
        },
        name: &metadata.name,
        ..asked
    };
    if !metadata.name.is_empty() {
        say(context, asked, emit);
    }
}

/// Emits `what` about a namespace.
pub(super) fn emit_for_namespace(context: EventContext, what: NameEvent, emit: Emit) {
    let said = about(&context, what, context.at);
    let of_namespace = About {
        namespace: said.name,
        name: "",
        ..said
    };
    say(context, of_namespace, emit);
}

/// Emits that the pod `uid` of this name was not found.
pub(super) fn emit_gone(context: EventContext, uid: u128, emit: Emit) {
    let gone = about(&context, NameEvent::Gone, context.at);
    if !gone.name.is_empty() {
        say(context, About { uid, ..gone }, emit);
    }
}

pub(super) fn say(context: EventContext, about: About, emit: Emit) {
    let About { what, at, .. } = about;
    let (user, acting_as) = context.accounts();
    emit(&Fact {
        namespace: about.namespace,
        pod: about.name,
        said: Some(Said {
            what,
            at,
            user,
            acting_as,
            selector: about.selector,
            uid: about.uid,
            audit_id: match what.asks() || matches!(what, NameEvent::Collect | NameEvent::Purge) {
                true => context.evidence(),
                false => "",
            },
        }),
        ..context.fact(0)
    });
}
