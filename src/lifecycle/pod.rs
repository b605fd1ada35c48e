//! What a response that holds a Pod says about it.

use std::net::{IpAddr, Ipv6Addr};

use super::{Occasion, Tell, Unreadable, container, parse_uid, workload};
use crate::audit::{Metadata, Object, PodStatus, Verb};
use crate::rows::{Fact, Phase, microseconds, seconds};

/// A namespace is a DNS label, of 63 bytes at most; it stands in the row of each container.
const NAMESPACE_BYTES_MAX: usize = 253;

/// Tells the facts about the pod and its container instances.
pub(super) fn facts(occasion: Occasion, object: &Object, tell: Tell) -> Result<(), Unreadable> {
    let Some(metadata) = &object.metadata else {
        return Ok(());
    };
    if metadata.uid.is_empty() {
        return Err(Unreadable("a pod without a uid"));
    }
    let event = occasion.event;
    let namespace = first_of(&metadata.namespace, &event.object_ref.namespace);
    if namespace.len() > NAMESPACE_BYTES_MAX {
        return Err(Unreadable("the namespace of a pod is too long"));
    }
    let labels = sorted(metadata);
    let ips = object.status.0.as_ref().map(pod_ips).unwrap_or_default();
    let spec = object.spec.0.as_ref();
    let status = object.status.0.as_ref();
    let phase = status.map_or(Phase::None, |status| Phase::parse(&status.phase));
    let restarts = status.map(container::restarts).unwrap_or_default();
    let identity = Fact {
        namespace,
        version: metadata.resource_version.parse().unwrap_or(0),
        ..occasion.fact(parse_uid(&metadata.uid)?)
    };
    tell(&Fact {
        pod: first_of(&metadata.name, &event.object_ref.name),
        node: spec.map_or("", |spec| &spec.node_name),
        host_network: spec.and_then(|spec| spec.host_network).unwrap_or(false),
        service_account: spec.map_or("", |spec| &spec.service_account_name),
        owner: workload::of(metadata),
        labels: Some(&labels),
        phase,
        pod_ips: &ips,
        restarts: &restarts,
        created_at: seconds(metadata.creation_timestamp),
        created_by: created(occasion).then(|| occasion.accounts()),
        pod_started_at: seconds(status.and_then(|status| status.start_time)),
        terminal_at: if phase.is_terminal() { occasion.at } else { 0 },
        delete_asked: asked(occasion, metadata),
        removed_at: if removed(occasion, metadata) {
            occasion.at
        } else {
            0
        },
        ..identity.clone()
    });
    if let Some(status) = status {
        container::facts(&identity, spec, status, tell);
    }
    Ok(())
}

fn first_of<'a>(one: &'a str, other: &'a str) -> &'a str {
    if one.is_empty() { other } else { one }
}

/// Server-side apply creates by a patch that answers 201.
fn created(occasion: Occasion) -> bool {
    let event = occasion.event;
    let code = event.response_status.and_then(|status| status.code);
    event.object_ref.subresource.is_empty()
        && match event.verb {
            Verb::Create => true,
            Verb::Patch | Verb::Update => code == Some(201),
            _ => false,
        }
}

/// Who asked for the deletion, and when.
fn asked<'a>(occasion: Occasion<'a>, metadata: &Metadata) -> Option<(i64, &'a str, &'a str)> {
    let event = occasion.event;
    let asks = event.verb == Verb::Delete
        && event.object_ref.subresource.is_empty()
        && (!occasion.actor().is_node || metadata.is_mirror);
    let received = microseconds(event.request_received);
    let at = if received == 0 { occasion.at } else { received };
    let (user, acting_as) = occasion.accounts();
    asks.then_some((at, user, acting_as))
}

/// Whether the server let go of the object with this request.
fn removed(occasion: Occasion, metadata: &Metadata) -> bool {
    matches!(
        occasion.event.verb,
        Verb::Delete | Verb::Patch | Verb::Update
    ) && metadata.deletion_timestamp.is_some()
        && metadata.deletion_grace_period_seconds == Some(0)
        && metadata.finalizers.as_ref().is_none_or(Vec::is_empty)
}

fn sorted<'a>(metadata: &'a Metadata) -> Vec<(&'a str, &'a str)> {
    let mut labels: Vec<(&str, &str)> = metadata
        .labels
        .iter()
        .map(|(key, value)| (&**key, &**value))
        .collect();
    labels.sort_unstable();
    labels
}

/// `podIPs`, or `podIP` where an old server has only that. What is not an address is left out.
fn pod_ips(status: &PodStatus) -> Vec<Ipv6Addr> {
    let all = status.pod_ips.iter().flatten().map(|entry| &*entry.ip);
    let mut ips: Vec<Ipv6Addr> = all.filter_map(address).collect();
    if ips.is_empty() {
        ips.extend(address(&status.pod_ip));
    }
    ips
}

fn address(text: &str) -> Option<Ipv6Addr> {
    Some(match text.parse().ok()? {
        IpAddr::V4(ip) => ip.to_ipv6_mapped(),
        IpAddr::V6(ip) => ip,
    })
}
