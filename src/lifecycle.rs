//! The lifecycle: what an event proves about pods and their container instances.
//!
//! In: one [`Event`] and the name of its cluster. Out: rows of `facts`, one for each object in the event, and the row
//! of `session_events` for a request to an existing pod. Facts contain only what the event itself proves; facts of
//! several events are joined in ClickHouse. So events may arrive in any order, twice, and at several receivers.
//!
//! What counts (checked against recordings of a real API server):
//!
//! - Only stage `ResponseComplete` of a successful write to a core pod. Dry runs don't count, nor do requests whose
//!   client disconnected before the response.
//! - A 2xx response to a create, update, patch or delete that holds a Pod has its whole state.
//! - Without a response (level Request) the request is used for what it proves (`request`).
//! - An event with only the name of a pod becomes a row about the name (`named`): the fold finds which pod had it.
//! - `pods/binding` answers with a Status: the node is in its request.
//! - A DELETE requests the deletion, unless a kubelet sends it: then it completes an earlier request. A mirror pod
//!   belongs to the kubelet, so there its DELETE is the request.
//! - The object is gone when the response to a DELETE, PATCH or PUT has a deletionTimestamp,
//!   deletionGracePeriodSeconds 0 and no finalizers, regardless of the sender.
//! - A deletecollection requests the deletion of every item of its response (`collection`).
//! - A 404 proves that no pod of its name existed, if the path is that of the pod or of one of its subresources
//!   (`uri`): other paths do not exist. An admission plugin's 404 proves nothing, because it reads a cache. The
//!   finalization of a namespace proves that it had no pods. Where a 404 names a uid, and at a 409 that does, only
//!   Kubernetes' own requests prove that the pod of this name and uid was gone. Other clients may have made the uid
//!   up: nothing compares it with the name where there is no pod.
//! - Options are in the body of a deletion, or, without a body, in the query. Where neither is known, the request
//!   only proves that something about the pod is unknown.
//! - A field that is too large, too long or impossible is dropped without losing the event (`limits`).
//! - A session in a container leaves no trace in its pod: it is a row of its own (`session`).
//! - The deletion of a node is recorded under the node's name: the fold finds the pods that ended with it.
//!
//! What a watch or a list shows of an object gives the same facts, without an account (`watched`).
//!
//! Never here: I/O, a clock, state between events, values of environment variables.

mod collection;
mod container;
mod limits;
mod named;
mod options;
mod pod;
mod request;
mod session;
mod uri;
pub mod watched;
mod workload;

use crate::audit::words::NameEvent;
use crate::audit::{Actor, Binding, Event, Level, Object, Stage, Verb};
use crate::rows::{Fact, microseconds};

pub use session::session;

/// What is the same in all facts of one event.
#[derive(Clone, Copy)]
struct EventContext<'a> {
    cluster: &'a str,
    event: &'a Event<'a>,
    /// Microseconds since the epoch.
    at: i64,
}

/// Longer audit IDs are not kept. The API server makes UUIDs.
const AUDIT_ID_BYTES_MAX: usize = 64;

/// A relevant event with an unreadable field; it produces no facts. The reason names the field and never its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unreadable(pub &'static str);

/// Receives the facts, one by one.
type Emit<'t> = &'t mut dyn FnMut(&Fact);

/// Emits the facts of `event`. Events that are not about pods have none.
///
/// # Errors
///
/// [`Unreadable`] when the event changed a pod and does not say which.
pub fn facts(cluster: &str, event: &Event, emit: Emit) -> Result<(), Unreadable> {
    if !counts(event) {
        return Ok(());
    }
    let emit: Emit = &mut |fact| limits::emit(fact, emit);
    let context = EventContext {
        cluster,
        event,
        at: microseconds(Some(event.at)),
    };
    let Some(outcome) = outcome(context) else {
        return Ok(());
    };
    // Kubernetes itself tries nothing.
    let by_kubernetes = context.is_by_kubernetes().then_some(false);
    let is_dry_run = request::is_dry_run(event).or(by_kubernetes);
    if is_dry_run == Some(true) {
        return Ok(());
    }
    if context.at == 0 {
        return Err(Unreadable("stageTimestamp is not between 1970 and 2200"));
    }
    if let Some(what) = of_namespace(event) {
        if outcome == Outcome::Done {
            named::emit_for_namespace(context, what, emit);
        }
        return Ok(());
    }
    if let Some(what) = of_node(event) {
        if outcome == Outcome::Done && is_dry_run.is_some() {
            named::emit(context, what, context.at, emit);
        }
        return Ok(());
    }
    match outcome {
        Outcome::Done => {}
        Outcome::NotFound => {
            request::gone(context, emit);
            return Ok(());
        }
        Outcome::Unknown => {
            truncated(context, emit);
            return Ok(());
        }
    }
    if event.is_truncated || is_dry_run.is_none() || lacks_answer(event) {
        truncated(context, emit);
    }
    match is_dry_run {
        Some(_) => carried_out(context, emit),
        None => Ok(()),
    }
}

/// Whether the result of the request is unknown although its response was to be recorded: a table requested without
/// objects.
fn lacks_answer(event: &Event) -> bool {
    let answer = event.response_object.as_ref();
    matches!(event.verb, Verb::Patch | Verb::Update)
        && event.object_ref.subresource.is_empty()
        && answer.is_some_and(|answer| &*answer.kind == "Table" && pod_of(answer).is_none())
}

/// The content of the event is unknown, only that there was something.
fn truncated(context: EventContext, emit: Emit) {
    let event = context.event;
    if event.verb == Verb::DeleteCollection {
        collection::unknown(context, emit);
        return;
    }
    let named = &event.object_ref;
    let answered = event.response_object.as_ref().and_then(pod_of);
    let answered = answered.and_then(|object| object.metadata.as_ref());
    let uid = match (&*named.uid, answered) {
        ("", Some(metadata)) => &metadata.uid,
        _ => &named.uid,
    };
    match parse_uid(uid) {
        Ok(uid) => emit(&Fact {
            namespace: &named.namespace,
            pod: &named.name,
            truncated: true,
            ..context.fact(uid)
        }),
        Err(_) => named::emit(context, NameEvent::Truncated, context.at, emit),
    }
}

fn carried_out(context: EventContext, emit: Emit) -> Result<(), Unreadable> {
    let event = context.event;
    match (event.verb, &*event.object_ref.subresource) {
        (Verb::Create, "binding") => binding(context, emit),
        (Verb::Create, _) if &*event.object_ref.resource == "bindings" => binding(context, emit),
        (Verb::Create, "eviction") => {
            request::eviction(context, emit);
            Ok(())
        }
        (Verb::DeleteCollection, "") => collection::facts(context, emit),
        (Verb::Create | Verb::Update | Verb::Patch | Verb::Delete, _) => {
            match event.response_object.as_ref().and_then(pod_of) {
                Some(object) => pod::facts(context, object, emit),
                None => request::facts(context, emit),
            }
        }
        (Verb::DeleteCollection | Verb::Other, _) => Ok(()),
    }
}

/// Whether the event reports what became of a write to a core pod.
fn counts(event: &Event) -> bool {
    event.stage == Stage::ResponseComplete
        && event.verb != Verb::Other
        && (event.object_ref.is_pod() || of_namespace(event).is_some() || of_node(event).is_some())
}

/// What became of a request.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Done,
    /// Nothing was changed, because there was no such pod (404), or one of another uid (409).
    NotFound,
    /// It was carried out, in part, or not at all, and may have ended pods.
    Unknown,
}

/// What became of it, by its code; nothing where nothing was changed. Some codes come before it is tried and after it
/// was done: where the answer could not be
/// given in the form that was asked for (406, 400), in time (504), or at all; and a deletecollection that fails at one
/// pod has deleted others. A failure that comes before has a Status with its reason.
///
/// Kubernetes itself asks for no odd answers: where a relay lost the reason, its conflicts are what they seem.
fn outcome(context: EventContext) -> Option<Outcome> {
    let event = context.event;
    let status = event.response_status.unwrap_or_default();
    let unknown = may_end(event).then_some(Outcome::Unknown);
    if status.is_closed_early {
        return unknown;
    }
    let is_collection = event.verb == Verb::DeleteCollection;
    match status.code {
        None | Some(200..300) => (!status.is_failure).then_some(Outcome::Done),
        Some(404 | 409) if is_collection && status.has_reason => unknown,
        Some(404) => Some(Outcome::NotFound),
        Some(409) if status.has_reason || context.is_by_kubernetes() => Some(Outcome::NotFound),
        // A failing admission webhook rejects writes with this code, and says so.
        Some(500) if status.has_reason && matches!(event.verb, Verb::Patch | Verb::Update) => None,
        Some(500 | 504) => unknown,
        Some(400 | 406 | 409 | 422) if !status.has_reason => unknown,
        Some(_) => None,
    }
}

/// Whether a request may end pods: it deletes, evicts, or takes finalizers away.
fn may_end(event: &Event) -> bool {
    let subresource = &*event.object_ref.subresource;
    match event.verb {
        Verb::Delete | Verb::DeleteCollection | Verb::Patch | Verb::Update => {
            subresource.is_empty()
        }
        Verb::Create => subresource == "eviction",
        Verb::Other => false,
    }
}

/// Whether the deletion of a namespace was asked for, or nothing is left in it: then the namespace controller finalizes
/// it. (Others may do so before: that proves nothing.)
fn of_namespace(event: &Event) -> Option<NameEvent> {
    let named = &event.object_ref;
    if &*named.resource != "namespaces" || !named.api_group.is_empty() {
        return None;
    }
    let is_by_controller = matches!(
        &*event.user.username,
        "system:serviceaccount:kube-system:namespace-controller" | "system:kube-controller-manager"
    );
    match (event.verb, &*named.subresource) {
        (Verb::Delete, "") => Some(NameEvent::Close),
        (Verb::Update, "finalize") if is_by_controller => Some(NameEvent::Finalize),
        _ => None,
    }
}

/// Whether a node was created or deleted. At level Metadata a dry run of its deletion looks like a deletion, and the
/// pods would live on: such an event is ignored. A response with the node shows that it still exists: finalizers keep
/// it while it is drained.
fn of_node(event: &Event) -> Option<NameEvent> {
    match event.verb {
        _ if !event.object_ref.is_node() => None,
        // Whether it was a dry run, and whether it is still there, was cut off.
        _ if event.is_truncated => None,
        Verb::Create => Some(NameEvent::NodeCame),
        Verb::Delete if event.response_object.as_ref().is_some_and(is_node) => None,
        Verb::Delete if matches!(event.level, Level::Request | Level::RequestResponse) => {
            Some(NameEvent::NodeGone)
        }
        _ => None,
    }
}

/// Whether an answer holds a node, whole or its metadata.
fn is_node(object: &Object) -> bool {
    matches!(&*object.kind, "Node" | "PartialObjectMetadata" | "Table")
}

/// Pods come whole, or as their metadata alone where a metadata client asked (the garbage
/// collector's), or as the row of a table. Everything else (Status, lists) is not an object of ours.
fn pod_of<'o, 'a>(object: &'o Object<'a>) -> Option<&'o Object<'a>> {
    match &*object.kind {
        "Pod" | "PartialObjectMetadata" => Some(object),
        "Table" => match object.rows.as_deref() {
            Some([row]) => row
                .object
                .0
                .as_ref()
                .filter(|object| pod_of(object).is_some()),
            _ => None,
        },
        _ => None,
    }
}

/// The scheduler's choice of a node.
fn binding(context: EventContext, emit: Emit) -> Result<(), Unreadable> {
    let EventContext { event, at, .. } = context;
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
        // At level Metadata an old server does not say which pod.
        return Ok(());
    }
    emit(&Fact {
        namespace: &named.namespace,
        pod: if named.name.is_empty() {
            &binding.metadata.name
        } else {
            &named.name
        },
        node: &binding.target.name,
        scheduled_at: at,
        is_alive: true,
        ..context.fact(parse_uid(uid)?)
    });
    Ok(())
}

fn first_of<'a>(one: &'a str, other: &'a str) -> &'a str {
    if one.is_empty() { other } else { one }
}

/// Kubernetes never assigns the nil UUID, which marks facts about a name.
fn parse_uid(text: &str) -> Result<u128, Unreadable> {
    let uid = uuid::Uuid::try_parse(text).ok();
    uid.filter(|uid| !uid.is_nil())
        .map(|uid| uid.as_u128())
        .ok_or(Unreadable("the uid of a pod is not a UUID"))
}

/// Whether it is the account of a kubelet, a controller, or the scheduler, by its name.
fn is_of_kubernetes(user: &str) -> bool {
    let itself = [
        "system:serviceaccount:kube-system:",
        "system:node:",
        "system:kube-",
    ];
    itself.iter().any(|prefix| user.starts_with(prefix))
}

impl<'a> EventContext<'a> {
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

    /// Whether Kubernetes itself sent the request: a kubelet, a controller, the scheduler.
    fn is_by_kubernetes(self) -> bool {
        let (user, acting_as) = self.accounts();
        acting_as.is_empty() && is_of_kubernetes(user)
    }

    /// The audit ID, unless Kubernetes itself sent the request: its own deletions are the majority, and each ID takes
    /// as much space as everything else that is kept of a deletion.
    fn evidence(self) -> &'a str {
        match self.is_by_kubernetes() {
            true => "",
            false => self.audit_id(),
        }
    }

    /// The audit ID, if it looks like one: a client may name it, as it likes.
    fn audit_id(self) -> &'a str {
        let id = &*self.event.audit_id;
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        match id.len() <= AUDIT_ID_BYTES_MAX && id.bytes().all(is_plain) {
            true => id,
            false => "",
        }
    }

    /// When the request arrived, and from whom.
    fn asked(self) -> (i64, &'a str, &'a str) {
        let received = microseconds(self.event.request_received);
        let at = if received == 0 { self.at } else { received };
        let (user, acting_as) = self.accounts();
        (at, user, acting_as)
    }

    /// The node of the kubelet that sent the request. A kubelet only acts on its own pods.
    fn node(self) -> &'a str {
        let actor = self.actor();
        let node = actor.username.strip_prefix("system:node:");
        node.filter(|_| actor.is_node).unwrap_or_default()
    }

    /// The account whose rights were used, unless its name says that it belongs to Kubernetes.
    fn reporter(self) -> &'a str {
        let actor = self.actor();
        match actor.is_node || is_of_kubernetes(&actor.username) {
            true => "",
            false => &actor.username,
        }
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
