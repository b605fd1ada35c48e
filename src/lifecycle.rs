//! The lifecycle: what an event says about pods and their container instances.
//!
//! In: one [`Event`] and the name of its cluster. Out: rows of `facts`, one for each object that it
//! speaks of. Facts say only what the event itself proves; what several events prove together is
//! joined in ClickHouse. So events may come in any order, twice, and to several receivers.
//!
//! What counts (checked against recordings of a real API server):
//!
//! - Only stage `ResponseComplete` of a successful write to a core pod. Dry runs don't count.
//! - A 2xx response to a create, update, patch or delete that holds a Pod tells its whole state.
//! - `pods/binding` answers with a Status: the node stands in its request.
//! - A DELETE asks for the deletion, unless a kubelet sends it: that carries out what was asked
//!   before. A mirror pod is the kubelet's own, there it asks.
//! - The object is gone when the response to a DELETE, PATCH or PUT has a deletionTimestamp,
//!   deletionGracePeriodSeconds 0 and no finalizers, whoever sent it.
//!
//! Never here: I/O, a clock, state between events, values of environment variables.

mod container;
mod pod;
mod workload;

use crate::audit::{Actor, Binding, DeleteOptions, Event, Object, Stage, Verb};
use crate::rows::{Fact, microseconds};

/// What is the same in all facts of one event.
#[derive(Clone, Copy)]
struct Occasion<'a> {
    cluster: &'a str,
    event: &'a Event<'a>,
    /// Microseconds since the epoch.
    at: i64,
}

/// An event of which something that counts could not be read; it tells nothing. The reason
/// names the field and never its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unreadable(pub &'static str);

/// Whoever takes the facts, one by one.
type Tell<'t> = &'t mut dyn FnMut(&Fact);

/// Tells what `event` says. Of events that say nothing about pods nothing is told.
///
/// # Errors
///
/// [`Unreadable`] when the event changed a pod and does not say which.
pub fn facts(cluster: &str, event: &Event, tell: Tell) -> Result<(), Unreadable> {
    if !counts(event) {
        return Ok(());
    }
    let occasion = Occasion {
        cluster,
        event,
        at: microseconds(Some(event.at)),
    };
    if occasion.at == 0 {
        return Err(Unreadable("stageTimestamp is not between 1970 and 2200"));
    }
    let named = &event.object_ref;
    match (event.verb, &*named.subresource) {
        (Verb::Create, "binding") => binding(occasion, tell),
        (Verb::Create, _) if &*named.resource == "bindings" => binding(occasion, tell),
        (Verb::Create | Verb::Update | Verb::Patch | Verb::Delete, _) => {
            match &event.response_object {
                Some(object) if is_pod(object) => pod::facts(occasion, object, tell),
                _ => Ok(()),
            }
        }
        (Verb::DeleteCollection | Verb::Other, _) => Ok(()),
    }
}

/// Whether the event reports a successful write to a core pod.
fn counts(event: &Event) -> bool {
    let code = event.response_status.and_then(|status| status.code);
    event.stage == Stage::ResponseComplete
        && event.verb != Verb::Other
        && event.object_ref.is_pod()
        && code.is_none_or(|code| (200..300).contains(&code))
        && !is_dry_run(event)
}

/// Pods come whole, or as their metadata alone where a metadata client asked (the garbage
/// collector's). Everything else (Status, Table, lists) is not an object of ours.
fn is_pod(object: &Object) -> bool {
    matches!(&*object.kind, "Pod" | "PartialObjectMetadata")
}

/// A dry run stands in the query; a DELETE's stands in its body. A dry-run create answers with an
/// invented uid and no resourceVersion.
fn is_dry_run(event: &Event) -> bool {
    let query = event
        .request_uri
        .split_once('?')
        .map_or("", |(_, query)| query);
    let in_query = form_urlencoded::parse(query.as_bytes())
        .any(|(key, value)| key == "dryRun" && !value.is_empty());
    in_query
        || match event.verb {
            Verb::Delete => event.request_object.is_some_and(|raw| {
                serde_json::from_str::<DeleteOptions>(raw.get())
                    .is_ok_and(|options| options.dry_run.iter().flatten().next().is_some())
            }),
            Verb::Create if event.object_ref.subresource.is_empty() => event
                .response_object
                .as_ref()
                .and_then(|object| object.metadata.as_ref())
                .is_some_and(|metadata| metadata.resource_version.is_empty()),
            _ => false,
        }
}

/// The scheduler's choice of a node.
fn binding(occasion: Occasion, tell: Tell) -> Result<(), Unreadable> {
    let Occasion { event, at, .. } = occasion;
    let binding: Binding = match event.request_object {
        Some(raw) => {
            serde_json::from_str(raw.get()).map_err(|_| Unreadable("requestObject of a binding"))?
        }
        None => Binding::default(),
    };
    let named = &event.object_ref;
    let uid = if named.uid.is_empty() {
        &binding.metadata.uid
    } else {
        &named.uid
    };
    if uid.is_empty() {
        // At level Metadata an old server does not say which pod; there is nothing to tell.
        return Ok(());
    }
    tell(&Fact {
        namespace: &named.namespace,
        pod: if named.name.is_empty() {
            &binding.metadata.name
        } else {
            &named.name
        },
        node: &binding.target.name,
        scheduled_at: at,
        ..occasion.fact(parse_uid(uid)?)
    });
    Ok(())
}

fn parse_uid(text: &str) -> Result<u128, Unreadable> {
    uuid::Uuid::try_parse(text)
        .map(|uid| uid.as_u128())
        .map_err(|_| Unreadable("the uid of a pod is not a UUID"))
}

impl<'a> Occasion<'a> {
    /// An empty fact about a pod.
    fn fact(self, pod_uid: u128) -> Fact<'a> {
        Fact {
            cluster: self.cluster,
            pod_uid,
            event_at: self.at,
            ..Fact::default()
        }
    }

    /// The account that sent the request, and the one that it impersonated.
    fn accounts(self) -> (&'a str, &'a str) {
        let acting_as = self.event.impersonated_user.as_ref();
        (
            &self.event.user.username,
            acting_as.map_or("", |actor| &actor.username),
        )
    }

    /// The one whose rights were used.
    fn actor(self) -> &'a Actor<'a> {
        self.event
            .impersonated_user
            .as_ref()
            .unwrap_or(&self.event.user)
    }
}

#[cfg(test)]
mod tests;
