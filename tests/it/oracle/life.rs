//! A pod's life and those of its container instances, and their rows.

use std::collections::BTreeSet;
use std::net::Ipv6Addr;

use super::Window;
use super::answer;
use super::fold::{Asked, Instance, PHASES, Pod, earlier};
use super::names::{Meant, Proof, node_gone};
use super::why::Why;
use crate::lives::fact::NameFact;
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

/// A pod or an instance: its span and its row.
#[derive(Clone, Debug)]
pub struct Life<R> {
    pub span: Span,
    pub row: R,
}

/// What is known of a pod apart from its own facts.
#[derive(Clone, Debug, Default)]
pub struct Beyond<'s> {
    /// When a pod of the same name proves that this one was gone.
    pub replaced: Option<i64>,
    /// What was said of its name and namespace, by time.
    pub says: Vec<&'s NameFact>,
    /// And of its node.
    pub of_node: Vec<&'s NameFact>,
}

/// One pod with all that belongs to it.
#[derive(Clone, Debug)]
pub struct Told {
    pub pod: Life<answer::Pod>,
    pub instances: Vec<Life<answer::Container>>,
    /// From when until when it had an address.
    pub leases: Vec<(Ipv6Addr, Span)>,
    /// Where nobody saw its removal: what proves it, and when it was gone.
    pub gone: Option<(i64, Proof)>,
    /// The first request for its end, for its eviction, and for an end without delay.
    pub asked: [Asked; 3],
}

pub fn start_of(pod: &Pod) -> i64 {
    match pod.created_at {
        0 => pod.seen.first,
        created => i64::from(created) * SECOND,
    }
}

/// Cluster, namespace, name, uid.
pub type PodKey = (Text, Text, Text, u128);

/// How a pod ended.
struct Gone {
    /// As an event told, or as the removal of its name did.
    removed: Option<i64>,
    /// What proves it where nobody saw that.
    proof: Option<(i64, Proof)>,
    at: Option<i64>,
    /// Late facts alone, and no end: nobody knows whether it lives.
    unconfirmed: bool,
    why: Why,
}

impl Gone {
    fn of(pod: &Pod, meant: &Meant, without_name: Option<(i64, Proof)>) -> Gone {
        let proof = earlier(without_name, meant.gone);
        let by_name = proof.filter(|(_, proof)| *proof == Proof::Removed);
        let by_name = by_name.map(|(at, _)| at - at.rem_euclid(1_000));
        let removed = told(pod.removed_at).or(by_name);
        let proof = proof.filter(|_| removed.is_none());
        let end = removed.or(proof.map(|(at, _)| at));
        Gone {
            removed,
            proof,
            at: end,
            unconfirmed: end.is_none() && !pod.timely,
            why: Why::of(pod, meant, proof.map(|(_, proof)| proof), end),
        }
    }
}

pub fn tell(key: &PodKey, pod: &Pod, beyond: &Beyond) -> Told {
    let replaced = beyond.replaced.map(|at| (at, Proof::Replaced));
    let without_name = earlier(replaced, node_gone(pod, &beyond.of_node));
    let meant = Meant::of(pod, &beyond.says, without_name);
    let ending = Gone::of(pod, &meant, without_name);
    let mut instances = Vec::new();
    for ((container, id), instance) in &pod.instances {
        let superseded = superseded(pod, (container, id), instance);
        let end = Ending::of(instance, [ending.at, superseded], pod.timely);
        instances.push(Life {
            span: end.span(instance),
            row: container_row(key, (pod, &ending), (container, id, instance), &end),
        });
    }
    let last = ending.unconfirmed.then_some(pod.seen.last + 1);
    let span = Span {
        start: start_of(pod),
        end: ending.at.or(last),
    };
    let why = &ending.why;
    Told {
        leases: leases(pod, span),
        gone: ending.proof,
        asked: [
            why.asked.clone(),
            why.evict_asked.clone(),
            why.force_asked.clone(),
        ],
        pod: Life {
            span,
            row: pod_row(key, (pod, &ending), &meant),
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

/// The first start of a later instance of the same container: of one that started later, or in the same second
/// with a higher restart count. Where one of both starts is not known, of one with a higher restart count.
fn superseded(pod: &Pod, (container, id): (&Text, &[u8; 32]), instance: &Instance) -> Option<i64> {
    let place = |one: &Instance, id: &[u8; 32]| (one.started_at, one.restart, *id);
    let later =
        |other: &Instance, other_id: &[u8; 32]| match (instance.started_at, other.started_at) {
            (0, _) => other.restart > instance.restart,
            (_, 0) => {
                other.restart > instance.restart
                    && instance_start(other) >= instance_start(instance)
            }
            _ => place(other, other_id) > place(instance, id),
        };
    let others = pod.instances.iter();
    others
        .filter(|((name, id), other)| name == container && later(other, id))
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
    /// Nobody knows whether it runs.
    Unconfirmed,
}

impl Ending {
    fn of(instance: &Instance, proven: [Option<i64>; 2], believed: bool) -> Ending {
        let reported = instance
            .ended
            .as_ref()
            .map_or(0, |(finished, ..)| *finished);
        let proven = proven.into_iter().flatten().min();
        match (reported, proven) {
            (0, Some(at)) => Ending::Proven(at),
            (0, None) if believed => Ending::Lives,
            (0, None) => Ending::Unconfirmed,
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
                Ending::Unconfirmed => Some(instance.seen.last + 1),
            },
        }
    }

    fn ended_at(self) -> Option<i64> {
        match self {
            Ending::Reported(finished) => Some(i64::from(finished) * SECOND),
            Ending::Proven(at) => Some(at),
            Ending::Lives | Ending::Unconfirmed => None,
        }
    }
}

fn container_row(
    (cluster, namespace, name, uid): &PodKey,
    (pod, ending): (&Pod, &Gone),
    (container, id, instance): (&Text, &[u8; 32], &Instance),
    end: &Ending,
) -> answer::Container {
    let over = match end {
        Ending::Lives | Ending::Unconfirmed => None,
        Ending::Reported(_) | Ending::Proven(_) => end.span(instance).end,
    };
    let why = over.map(|over| {
        let reported = matches!(end, Ending::Reported(_));
        ending.why.of_instance(over, reported)
    });
    let report = instance.ended.as_ref();
    let (workload_kind, workload, inferred) = workload(pod);
    let unconfirmed = match end {
        Ending::Reported(_) => false,
        Ending::Proven(_) | Ending::Unconfirmed => true,
        // It was reported without a time.
        Ending::Lives => report.is_some(),
    };
    answer::Container {
        cluster: cluster.to_string(),
        namespace: namespace.to_string(),
        workload_kind,
        workload,
        pod: name.to_string(),
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
        pod_removed_at: ending.removed,
        ended_by: why.as_ref().and_then(|(_, by)| asked_by(by)),
        ended_why: why.map(|(word, _)| word.to_owned()),
        unknown: unknown([
            (unconfirmed, "end not confirmed"),
            (inferred, "workload inferred"),
        ]),
        host_network: pod.host_network,
    }
}

fn pod_row(
    (cluster, namespace, name, uid): &PodKey,
    (pod, ending): (&Pod, &Gone),
    meant: &Meant,
) -> answer::Pod {
    let (workload_kind, workload, inferred) = workload(pod);
    let asked = &ending.why.asked;
    let has_ended = ending.at.is_some() || pod.terminal_at.is_some();
    let created_by = match pod.created_by.0.is_empty() {
        true => &meant.created_by,
        false => &pod.created_by,
    };
    let restarts = pod.restarts.values().map(|times| u64::from(*times)).sum();
    answer::Pod {
        cluster: cluster.to_string(),
        namespace: namespace.to_string(),
        workload_kind,
        workload,
        pod: name.to_string(),
        pod_uid: uid_text(*uid),
        node: text(&pod.node).or(text(&meant.node)),
        pod_ips: ips(pod),
        labels: labels(pod),
        service_account: text(&pod.service_account),
        created_at: whole(pod.created_at),
        created_by: accounts(&created_by.0, &created_by.1),
        scheduled_at: told(pod.scheduled_at),
        started_at: whole(pod.started_at),
        delete_asked_at: asked.as_ref().and_then(|(at, ..)| told(*at)),
        delete_asked_by: asked_by(asked),
        removed_at: ending.removed,
        phase: text(&PHASES[pod.phase].into()),
        ended_by: asked_by(&ending.why.by).filter(|_| has_ended),
        ended_why: text(&ending.why.word.into()).filter(|_| has_ended),
        containers: restarts + pod.restarts.len() as u64,
        restarts,
        unknown: counted(
            pod,
            unknown([
                (created_by.0.is_empty(), "created unseen"),
                (pod.truncated || meant.truncated, "truncated"),
                (ending.unconfirmed, "end not confirmed"),
                (
                    pod.created_at == 0
                        && pod.phase == 0
                        && pod.restarts.is_empty()
                        && pod.waiting.is_none(),
                    "metadata only",
                ),
                (ending.proof.is_some(), "removal unseen"),
                (inferred, "workload inferred"),
            ]),
        ),
        host_network: pod.host_network,
    }
}

fn workload(pod: &Pod) -> (Option<String>, Option<String>, bool) {
    match &pod.metadata {
        Some((_, _, (_, _, kind, name, inferred), _)) => (text(kind), text(name), *inferred),
        None => (None, None, false),
    }
}

fn unknown<const N: usize>(all: [(bool, &str); N]) -> Vec<String> {
    let held = all.into_iter().filter(|(holds, _)| *holds);
    let mut held: Vec<String> = held.map(|(_, what)| what.to_owned()).collect();
    held.sort();
    held
}

/// And the containers that never were, and the instances that restart numbers alone tell of.
fn counted(pod: &Pod, mut unknown: Vec<String>) -> Vec<String> {
    let mut missing: BTreeSet<(&Text, u32)> = pod
        .restarts
        .iter()
        .flat_map(|(name, times)| (0..=*times).map(move |restart| (name, restart)))
        .collect();
    for ((name, _), instance) in &pod.instances {
        missing.remove(&(name, instance.restart));
    }
    if !missing.is_empty() {
        unknown.push(format!("{} instances unseen", missing.len()));
    }
    let waiting = pod.waiting.iter().flat_map(|(_, waiting)| waiting);
    let never = waiting.filter(|(name, _)| !pod.restarts.contains_key(name));
    unknown.extend(never.map(|(name, why)| format!("{name} not started: {why}")));
    unknown.sort();
    unknown
}

fn labels(pod: &Pod) -> std::collections::BTreeMap<String, String> {
    let pairs = pod.metadata.iter().flat_map(|(_, pairs, ..)| pairs);
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

fn asked_by(asked: &Asked) -> Option<String> {
    let (_, user, acting_as) = asked.as_ref()?;
    accounts(user, acting_as)
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
