//! A pod's life and those of its container instances, and their rows.

use std::net::Ipv6Addr;

use super::Window;
use super::answer;
use super::fold::{Instance, PHASES, Pod};
use crate::lives::object::Kind;
use crate::lives::{SECOND, Text};

/// When something lived. Without an end it lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    pub start: i64,
    pub end: Option<i64>,
}

impl Span {
    pub fn overlaps(self, window: Window) -> bool {
        self.start < window.until && self.end.is_none_or(|end| end > window.since)
    }
}

/// A pod or an instance: its span, whether more may become known of it, and its row.
#[derive(Clone, Debug)]
pub struct Life<R> {
    pub span: Span,
    pub row: R,
}

/// What is known of a pod apart from its own facts.
#[derive(Clone, Copy, Debug, Default)]
pub struct Beyond {
    /// When a pod of the same name proves that this one was gone.
    pub gone_by: Option<i64>,
    /// Whether a settling has joined all of it: then what has no end lives.
    pub joined: bool,
}

/// One pod with all that belongs to it.
#[derive(Clone, Debug)]
pub struct Told {
    pub pod: Life<answer::Pod>,
    pub instances: Vec<Life<answer::Container>>,
    /// From when until when it had an address.
    pub leases: Vec<(Ipv6Addr, Span)>,
}

pub fn start_of(pod: &Pod) -> i64 {
    match pod.created_at {
        0 => pod.seen.first,
        created => i64::from(created) * SECOND,
    }
}

/// Cluster, namespace, uid.
pub type PodKey = (Text, Text, u128);

pub fn tell(key: &PodKey, pod: &Pod, beyond: Beyond) -> Told {
    let gone = told(pod.removed_at).or(beyond.gone_by);
    let mut instances = Vec::new();
    for ((container, id), instance) in &pod.instances {
        let superseded = superseded(pod, container, instance);
        let end = Ending::of(instance, gone, superseded, beyond);
        instances.push(Life {
            span: end.span(instance),
            row: container_row(key, pod, (container, id, instance), &end),
        });
    }
    let believed = beyond.joined || pod.seen.timely;
    let pending = gone.is_none() && !believed;
    let end = if pending {
        Some(pod.seen.last + 1)
    } else {
        gone
    };
    let span = Span {
        start: start_of(pod),
        end,
    };
    Told {
        leases: leases(pod, span),
        pod: Life {
            span,
            row: pod_row(key, pod, gone, pending),
        },
        instances,
    }
}

fn known(time: i64) -> Option<i64> {
    (time != 0).then_some(time)
}

/// A time that an event told, in milliseconds.
fn told(millis: i64) -> Option<i64> {
    known(millis).map(|millis| millis * 1_000)
}

fn leases(pod: &Pod, span: Span) -> Vec<(Ipv6Addr, Span)> {
    if pod.host_network {
        return Vec::new();
    }
    let ends = [span.end, pod.terminal_at.and_then(told)];
    let end = ends.into_iter().flatten().min();
    let sights = pod.sights().into_iter();
    let leases = sights.map(|(ip, first)| {
        let start = first * 1_000;
        (ip, Span { start, end })
    });
    leases.collect()
}

fn instance_start(instance: &Instance) -> i64 {
    match instance.started_at {
        0 => instance.seen.first,
        started => i64::from(started) * SECOND,
    }
}

/// The first start of a later instance of the same container.
fn superseded(pod: &Pod, container: &Text, instance: &Instance) -> Option<i64> {
    let others = pod.instances.iter();
    others
        .filter(|((name, _), other)| name == container && other.restart > instance.restart)
        .map(|(_, other)| instance_start(other))
        .min()
}

/// How an instance ended.
#[derive(Clone, Copy, Debug)]
enum Ending {
    /// Reported, with its second.
    Reported(u32),
    /// Proven by what happened to its pod or its container.
    Proven(i64),
    Lives,
    /// Nobody knows yet.
    Pending,
}

impl Ending {
    fn of(
        instance: &Instance,
        gone: Option<i64>,
        superseded: Option<i64>,
        beyond: Beyond,
    ) -> Ending {
        let reported = instance
            .ended
            .as_ref()
            .map_or(0, |(finished, ..)| *finished);
        let proven = [gone, superseded].into_iter().flatten().min();
        match (reported, proven) {
            (0, Some(at)) => Ending::Proven(at),
            (0, None) if beyond.joined || instance.seen.timely => Ending::Lives,
            (0, None) => Ending::Pending,
            (finished, _) => Ending::Reported(finished),
        }
    }

    fn span(self, instance: &Instance) -> Span {
        Span {
            start: instance_start(instance),
            end: match self {
                // It may have lived until the last instant of that second.
                Ending::Reported(finished) => Some((i64::from(finished) + 1) * SECOND),
                Ending::Proven(at) => Some(at),
                Ending::Lives => None,
                Ending::Pending => Some(instance.seen.last + 1),
            },
        }
    }

    fn ended_at(self) -> Option<i64> {
        match self {
            Ending::Reported(finished) => Some(i64::from(finished) * SECOND),
            Ending::Proven(at) => Some(at),
            Ending::Lives | Ending::Pending => None,
        }
    }
}

fn container_row(
    (cluster, namespace, uid): &PodKey,
    pod: &Pod,
    (container, id, instance): (&Text, &[u8; 32], &Instance),
    end: &Ending,
) -> answer::Container {
    let report = instance.ended.as_ref();
    let (workload_kind, workload, inferred) = workload(pod);
    let unconfirmed = match end {
        Ending::Reported(_) => false,
        Ending::Proven(_) | Ending::Pending => true,
        // It was reported without a time.
        Ending::Lives => report.is_some(),
    };
    answer::Container {
        cluster: cluster.to_string(),
        namespace: namespace.to_string(),
        workload_kind,
        workload,
        pod: pod.name.to_string(),
        pod_uid: uid_text(*uid),
        container: container.to_string(),
        kind: kind(instance.kind).to_owned(),
        container_id: id_text(id, instance),
        runtime: text(&instance.runtime),
        image: text(&instance.image),
        image_id: text(&instance.image_id),
        node: text(&pod.node),
        pod_ips: ips(pod),
        restart: instance.restart,
        started_at: whole(instance.started_at),
        ended_at: end.ended_at(),
        end_seen: matches!(end, Ending::Reported(_)),
        exit_code: report.map(|(_, exit_code, ..)| *exit_code),
        signal: report.and_then(|(_, _, signal, _)| (*signal != 0).then_some(*signal)),
        reason: report.and_then(|(.., reason)| text(reason)),
        pod_created_at: whole(pod.created_at),
        pod_removed_at: told(pod.removed_at),
        unknown: unknown([
            (unconfirmed, "end not confirmed"),
            (inferred, "workload inferred"),
        ]),
        labels: labels(pod),
        host_network: pod.host_network,
    }
}

fn pod_row(
    (cluster, namespace, uid): &PodKey,
    pod: &Pod,
    gone: Option<i64>,
    pending: bool,
) -> answer::Pod {
    let (workload_kind, workload, inferred) = workload(pod);
    let asked = pod.delete_asked.as_ref();
    let restarts = pod.restarts.values().map(|times| u64::from(*times)).sum();
    let removal_unseen = gone.is_some() && pod.removed_at == 0;
    answer::Pod {
        cluster: cluster.to_string(),
        namespace: namespace.to_string(),
        workload_kind,
        workload,
        pod: pod.name.to_string(),
        pod_uid: uid_text(*uid),
        node: text(&pod.node),
        pod_ips: ips(pod),
        labels: labels(pod),
        service_account: text(&pod.service_account),
        created_at: whole(pod.created_at),
        created_by: accounts(&pod.created_by.0, &pod.created_by.1),
        scheduled_at: told(pod.scheduled_at),
        started_at: whole(pod.started_at),
        delete_asked_at: asked.and_then(|(at, ..)| told(*at)),
        delete_asked_by: asked.and_then(|(_, user, acting_as)| accounts(user, acting_as)),
        removed_at: told(pod.removed_at),
        phase: text(&PHASES[pod.phase].into()),
        containers: restarts + pod.restarts.len() as u64,
        restarts,
        unknown: unknown([
            (pod.created_by.0.is_empty(), "created unseen"),
            (pending, "end not confirmed"),
            (pod.created_at == 0 && pod.phase == 0, "metadata only"),
            (removal_unseen, "removal unseen"),
            (inferred, "workload inferred"),
        ]),
        host_network: pod.host_network,
    }
}

fn workload(pod: &Pod) -> (Option<String>, Option<String>, bool) {
    match &pod.metadata {
        Some((_, _, (_, _, kind, name, inferred))) => (text(kind), text(name), *inferred),
        None => (None, None, false),
    }
}

fn unknown<const N: usize>(all: [(bool, &str); N]) -> Vec<String> {
    let held = all.into_iter().filter(|(holds, _)| *holds);
    held.map(|(_, what)| what.to_owned()).collect()
}

fn labels(pod: &Pod) -> std::collections::BTreeMap<String, String> {
    let pairs = pod.metadata.iter().flat_map(|(_, pairs, _)| pairs);
    pairs
        .map(|(key, value)| (key.to_string(), value.to_string()))
        .collect()
}

fn ips(pod: &Pod) -> Vec<String> {
    let sights = pod.sights().into_iter();
    sights
        .map(|(ip, _)| ip.to_canonical().to_string())
        .collect()
}

fn accounts(user: &Text, acting_as: &Text) -> Option<String> {
    if acting_as.is_empty() {
        return text(user);
    }
    Some(format!("{user} as {acting_as}"))
}

pub fn uid_text(uid: u128) -> String {
    uuid::Uuid::from_u128(uid).to_string()
}

fn id_text(id: &[u8; 32], instance: &Instance) -> String {
    if instance.id_text.is_empty() {
        id.iter().map(|byte| format!("{byte:02x}")).collect()
    } else {
        instance.id_text.to_string()
    }
}

fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::App => "app",
        Kind::Init => "init",
        Kind::Sidecar => "sidecar",
        Kind::Ephemeral => "ephemeral",
    }
}

fn text(text: &Text) -> Option<String> {
    (!text.is_empty()).then(|| text.to_string())
}

fn whole(seconds: u32) -> Option<i64> {
    known(i64::from(seconds) * SECOND)
}
