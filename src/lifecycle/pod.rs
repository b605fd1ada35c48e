//! Facts from a response that holds a Pod.

use std::net::{IpAddr, Ipv6Addr};

use super::limits::{is_possible, seconds_at};
use super::options::options;
use super::{Emit, EventContext, Unreadable, container, first_of, parse_uid, workload};
use crate::audit::{Metadata, Object, PodStatus, Verb};
use crate::rows::{Fact, Phase, microseconds, seconds};

const SECOND: i64 = 1_000_000;
const MILLISECOND: i64 = 1_000;

/// A namespace is a DNS label, of 63 bytes at most; it is in the row of each container.
const NAMESPACE_BYTES_MAX: usize = 253;

/// The effect of a request on the end of a pod.
#[derive(Clone, Copy, Default)]
pub(super) struct DeleteEffect<'a> {
    pub asked: Option<(i64, &'a str, &'a str)>,
    pub forced: bool,
    pub removed: bool,
}

/// Where a pod's state was read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum StateSource {
    /// The answer: the state at that version, complete.
    Response,
    /// What was sent: of a patch only what it changes.
    Request,
}

/// Emits the facts about the pod of a response, and its container instances.
pub(super) fn facts(context: EventContext, object: &Object, emit: Emit) -> Result<(), Unreadable> {
    let Some(metadata) = &object.metadata else {
        return Ok(());
    };
    let options = options(context.event);
    let asked = asked(context, metadata);
    let effect = DeleteEffect {
        asked,
        // What a kubelet deletes has ended.
        forced: asked.is_some() && !context.actor().is_node && options.leaves_no_time(),
        removed: removed(context, metadata),
    };
    state_facts(context, object, StateSource::Response, effect, emit)
}

/// Emits the facts about an item of a list.
pub(super) fn facts_of_item<'a>(
    context: EventContext<'a>,
    object: &Object,
    effect: DeleteEffect<'a>,
    emit: Emit,
) -> Result<(), Unreadable> {
    state_facts(context, object, StateSource::Response, effect, emit)
}

/// Emits the facts about a pod whose status was sent, and its container instances.
pub(super) fn facts_of_request(
    context: EventContext,
    object: &Object,
    emit: Emit,
) -> Result<(), Unreadable> {
    state_facts(
        context,
        object,
        StateSource::Request,
        DeleteEffect::default(),
        emit,
    )
}

fn state_facts<'a>(
    context: EventContext<'a>,
    object: &Object,
    source: StateSource,
    effect: DeleteEffect<'a>,
    emit: Emit,
) -> Result<(), Unreadable> {
    let Some(metadata) = &object.metadata else {
        return Ok(());
    };
    let identity = identity(context, metadata, source)?;
    // A patch of a status has no labels; a whole pod does, in a request or a response.
    let is_whole = source == StateSource::Response || &*object.kind == "Pod";
    let labels = sorted(metadata);
    let spec = object.spec.0.as_ref();
    let status = object.status.0.as_ref();
    let (ips, lost_ips) = status.map(pod_ips).unwrap_or_default();
    let restarts = status.map(container::restarts).unwrap_or_default();
    let waiting = status.map(container::waiting).unwrap_or_default();
    let created = source == StateSource::Response && created(context);
    let told_node = spec.map_or("", |spec| &*spec.node_name);
    let by_kubelet = &*context.event.object_ref.subresource == "status";
    let ending = ending(context, status, identity.clone());
    let ending = with_effect(context, metadata, effect, ending);
    let ending = match source {
        StateSource::Response => deletion(context, metadata, status, ending),
        // Anybody may send what he likes.
        StateSource::Request => ending,
    };
    let phase = ending.phase;
    emit(&Fact {
        node: if told_node.is_empty() && by_kubelet {
            context.node()
        } else {
            told_node
        },
        host_network: spec.and_then(|spec| spec.host_network).unwrap_or(false),
        service_account: spec.map_or("", |spec| &spec.service_account_name),
        owner: workload::of(metadata),
        labels: is_whole.then_some(&labels),
        is_held: is_whole && finalizers(metadata).any(|name| name != JOB_TRACKING),
        pod_ips: &ips,
        are_all_ips: source == StateSource::Response && status.is_some_and(has_addresses),
        lost_ips: &lost_ips,
        restarts: &restarts,
        created_at: seconds(metadata.creation_timestamp),
        created_by: created.then(|| context.accounts()),
        pod_started_at: seconds_at(status.and_then(|status| status.start_time), context.at),
        waiting: &waiting,
        truncated: is_odd(metadata, object, context.at),
        is_mirror: metadata.mirror.is_some(),
        config_hash: config_hash(metadata),
        changed_by: (source == StateSource::Response && changes(context))
            .then(|| context.accounts()),
        reporter: match by_kubelet {
            true => context.reporter(),
            false => "",
        },
        ..ending
    });
    if let Some(status) = status {
        let of_phase = Fact { phase, ..identity };
        container::facts(&of_phase, spec, status, emit);
    }
    Ok(())
}

/// Of a mirror pod the UID of its static pod.
fn config_hash<'a>(metadata: &'a Metadata) -> &'a str {
    let mirror = metadata.mirror.as_ref();
    mirror.map_or("", |mirror| &*mirror.config_hash)
}

/// The identity of the pod, and the version of its state.
fn identity<'a>(
    context: EventContext<'a>,
    metadata: &'a Metadata,
    source: StateSource,
) -> Result<Fact<'a>, Unreadable> {
    if metadata.uid.is_empty() {
        return Err(Unreadable("a pod without a uid"));
    }
    let named = &context.event.object_ref;
    let namespace = first_of(&metadata.namespace, &named.namespace);
    if namespace.len() > NAMESPACE_BYTES_MAX {
        return Err(Unreadable("the namespace of a pod is too long"));
    }
    let pod = first_of(&metadata.name, &named.name);
    if pod.is_empty() {
        return Err(Unreadable("a pod without a name"));
    }
    Ok(Fact {
        namespace,
        pod,
        version: match source {
            StateSource::Response => metadata.resource_version.parse().unwrap_or(0),
            StateSource::Request => 0,
        },
        ..context.fact(parse_uid(&metadata.uid)?)
    })
}

/// The effect of the request on its end.
fn with_effect<'a>(
    context: EventContext<'a>,
    metadata: &Metadata,
    effect: DeleteEffect<'a>,
    fact: Fact<'a>,
) -> Fact<'a> {
    Fact {
        delete_asked: effect.asked,
        audit_id: effect.asked.map_or("", |_| context.evidence()),
        force_asked: effect.asked.filter(|_| effect.forced),
        removed_at: if effect.removed { context.at } else { 0 },
        is_alive: !effect.removed,
        by_kubelet: effect.removed && context.actor().is_node && metadata.mirror.is_none(),
        ..fact
    }
}

/// What an object reports about its own deletion.
fn deletion<'a>(
    context: EventContext,
    metadata: &Metadata,
    status: Option<&PodStatus>,
    fact: Fact<'a>,
) -> Fact<'a> {
    let is_over = status.is_some_and(container::have_ended);
    Fact {
        asked_before: asked_before(context, metadata),
        deadline: seconds(metadata.deletion_timestamp),
        emptied_at: match metadata.deletion_timestamp {
            Some(_) if is_over => was_so_at(context),
            _ => 0,
        },
        ..fact
    }
}

/// What a status reports about the pod's end.
fn ending<'a>(
    context: EventContext,
    status: Option<&'a PodStatus>,
    identity: Fact<'a>,
) -> Fact<'a> {
    let Some(status) = status else {
        return identity;
    };
    let phase = Phase::parse(&status.phase);
    let was_so_at = was_so_at(context);
    Fact {
        phase,
        terminal_at: if phase.is_terminal() { was_so_at } else { 0 },
        status_reason: &status.reason,
        disrupted: disrupted(context, status),
        ..identity
    }
}

/// When its end had been requested at the latest, by the object itself: its deadline less its grace period. (To the
/// second, and of the last request.) A pod deleted by a kubelet has no grace period left, and the time of that
/// deletion.
fn asked_before(context: EventContext, metadata: &Metadata) -> i64 {
    let deadline = microseconds(metadata.deletion_timestamp);
    let grace = metadata.deletion_grace_period_seconds.unwrap_or_default();
    let is_last = context.event.verb == Verb::Delete && context.actor().is_node;
    match (deadline, grace) {
        (0, _) | (_, ..0) => 0,
        (_, 0) if is_last => 0,
        (deadline, grace) => (deadline - grace.saturating_mul(SECOND)).max(0),
    }
}

/// Whether it is a write to the pod itself, which may change its labels and its owner.
fn changes(context: EventContext) -> bool {
    let event = context.event;
    matches!(event.verb, Verb::Patch | Verb::Update) && event.object_ref.subresource.is_empty()
}

/// Whether a status has all addresses of the pod. Before anything runs it has none yet.
fn has_addresses(status: &PodStatus) -> bool {
    let phase = Phase::parse(&status.phase);
    phase > Phase::Pending && status.start_time.is_some()
}

/// When the pod was in the state that the event shows: the response to a deletion has the state before it.
fn was_so_at(context: EventContext) -> i64 {
    let (received, ..) = context.asked();
    let deletes = matches!(context.event.verb, Verb::Delete | Verb::DeleteCollection);
    match deletes && !context.actor().is_node {
        true => received.min(context.at) - MILLISECOND,
        false => context.at,
    }
}

/// The condition DisruptionTarget: a component ends the pod, with the reason.
fn disrupted<'a>(context: EventContext, status: &'a PodStatus) -> Option<(i64, &'a str)> {
    let mut conditions = status.conditions.iter().flatten();
    let condition = conditions.find(|condition| {
        &*condition.kind == "DisruptionTarget"
            && &*condition.status == "True"
            && !condition.reason.is_empty()
    })?;
    let since = condition.last_transition_time;
    let since = microseconds(since.filter(|since| is_possible(*since, context.at)));
    let at = if since == 0 { context.at } else { since };
    Some((at, &condition.reason))
}

/// Whether the object has a value that is not kept.
fn is_odd(metadata: &Metadata, object: &Object, at: i64) -> bool {
    let spec = object.spec.0.as_ref();
    let status = object.status.0.as_ref();
    let is_odd_status = |status: &PodStatus| {
        status.conditions.is_cut()
            || status.pod_ips.is_cut()
            || status.start_time.is_some_and(|time| !is_possible(time, at))
            || container::is_odd(status, at)
    };
    metadata.labels.is_cut()
        || metadata.owner_references.is_cut()
        || spec.is_some_and(|spec| spec.init_containers.is_cut())
        || status.is_some_and(is_odd_status)
}

/// Server-side apply creates by a patch that answers 201.
fn created(context: EventContext) -> bool {
    let event = context.event;
    let code = event.response_status.and_then(|status| status.code);
    event.object_ref.subresource.is_empty()
        && match event.verb {
            Verb::Create => true,
            Verb::Patch | Verb::Update => code == Some(201),
            _ => false,
        }
}

/// Who requested the deletion, and when.
fn asked<'a>(context: EventContext<'a>, metadata: &Metadata) -> Option<(i64, &'a str, &'a str)> {
    let event = context.event;
    let asks = event.verb == Verb::Delete
        && event.object_ref.subresource.is_empty()
        && (!context.actor().is_node || metadata.mirror.is_some());
    asks.then(|| context.asked())
}

/// Whether the API server removed the object with this request.
fn removed(context: EventContext, metadata: &Metadata) -> bool {
    matches!(
        context.event.verb,
        Verb::Delete | Verb::Patch | Verb::Update
    ) && metadata.deletion_timestamp.is_some()
        && metadata.deletion_grace_period_seconds == Some(0)
        && !is_held(metadata)
}

/// The finalizer of each pod of a Job. Its controller removes it as soon as it has counted the pod, regardless of who
/// deletes it, and not every policy records that.
const JOB_TRACKING: &str = "batch.kubernetes.io/job-tracking";

fn finalizers<'m>(metadata: &'m Metadata) -> impl Iterator<Item = &'m str> {
    metadata.finalizers.iter().flatten().map(|name| &**name)
}

/// Whether finalizers keep it now.
pub(super) fn is_held(metadata: &Metadata) -> bool {
    finalizers(metadata).next().is_some()
}

fn sorted<'a>(metadata: &'a Metadata) -> Vec<(&'a str, &'a str)> {
    let mut labels: Vec<(&str, &str)> = metadata
        .labels
        .iter()
        .flatten()
        .map(|(key, value)| (&**key, &**value))
        .collect();
    labels.sort_unstable();
    labels
}

/// `podIPs`, or `podIP` where an old server has only that, and those that a patch takes away. What is not an address is
/// left out.
fn pod_ips(status: &PodStatus) -> (Vec<Ipv6Addr>, Vec<Ipv6Addr>) {
    let entries = || status.pod_ips.iter().flatten();
    let of = |is_lost: bool| {
        let entries = entries().filter(move |entry| (&*entry.patch == "delete") == is_lost);
        entries.filter_map(|entry| address(&entry.ip)).collect()
    };
    let mut ips: Vec<Ipv6Addr> = of(false);
    if ips.is_empty() {
        ips.extend(address(&status.pod_ip));
    }
    (ips, of(true))
}

fn address(text: &str) -> Option<Ipv6Addr> {
    Some(match text.parse().ok()? {
        IpAddr::V4(ip) => ip.to_ipv6_mapped(),
        IpAddr::V6(ip) => ip,
    })
}
