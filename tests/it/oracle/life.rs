//! A pod's life and those of its container instances, and their rows.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv6Addr;

use super::Window;
use super::answer;
use super::described::{Former, Gap, best, former, gaps, newest, sights};
use super::fold::{Asked, Owner, PHASES, Pod, earlier};
use super::instance::{Instance, Times, first_not_before, instances};
use super::names::{Meant, Proof, cause, holds, node_gone};
use super::why::{Requests, Why, by_itself};
use crate::lives::fact::NameFact;
use crate::lives::object::{Basis, Kind};
use crate::lives::{MINUTE, SECOND, Text};

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
    /// And of its namespace alone, and its node.
    pub of_namespace: Vec<&'s NameFact>,
    pub of_node: Vec<&'s NameFact>,
}

/// Until when it had other labels or another owner (milliseconds), who changed that, kind and name of the workload,
/// and the labels.
pub type Was = (i64, String, [String; 2], BTreeMap<String, String>);

/// One pod with all that belongs to it.
#[derive(Clone, Debug)]
pub struct Told {
    pub pod: Life<answer::Pod>,
    /// With the keys of their rows.
    pub instances: Vec<([u8; 32], Life<answer::Container>)>,
    /// From when until when it had an address, if it had it all the time, and when it had it not.
    pub leases: Vec<(Ipv6Addr, Span)>,
    pub gaps: Vec<Gap>,
    pub former: Vec<Was>,
    /// Where nobody saw its removal: what proves it, and when it was gone.
    pub gone: Option<(i64, Proof)>,
    /// The first request for its eviction, for an end without delay, and one that left it less time, with its deadline.
    pub evict_asked: Asked,
    pub force_asked: Asked,
    pub hurried: Option<(u32, (i64, Text, Text))>,
}

pub fn start_of(pod: &Pod) -> i64 {
    match pod.created_at {
        0 => pod.seen.first,
        created => i64::from(created) * SECOND,
    }
}

/// Cluster, namespace, name, uid.
pub type PodKey = (Text, Text, Text, u128);

/// Who is seen so long after a removal came back, in milliseconds.
const BACK_AFTER: i64 = 300_000;

/// How a pod ended.
struct Gone {
    /// As an event told, or as the removal of its name did; microseconds.
    removed: Option<i64>,
    /// What proves it where nobody saw that.
    proof: Option<(i64, Proof)>,
    at: Option<i64>,
    /// Late facts alone, and no end: nobody knows whether it lives.
    unconfirmed: bool,
    requests: Requests,
    why: Why,
    cause: Option<String>,
}

impl Gone {
    fn of(pod: &Pod, meant: &Meant, (others, removal): Without, beyond: &Beyond) -> Gone {
        let requests = Requests::of(pod, meant);
        let proof = earlier(others, meant.gone);
        let by_name = proof.filter(|(_, proof)| *proof == Proof::Removed);
        let by_name = by_name.map(|(at, _)| at - at.rem_euclid(1_000));
        let removed = removal.and_then(told).or(by_name);
        let over = requests.grace_over(pod).map(|at| (at, Proof::GraceOver));
        let over = over.filter(|proof| holds(pod, *proof));
        let proof = earlier(proof, over).filter(|_| removed.is_none());
        let end = removed.or(proof.map(|(at, _)| at));
        let has_node = !pod.node.is_empty() || !meant.node.is_empty();
        let evidence = (proof.map(|(_, proof)| proof), end);
        let why = Why::of(pod, &requests, has_node, evidence);
        Gone {
            removed,
            proof,
            at: end,
            unconfirmed: end.is_none() && !pod.timely,
            cause: cause_of(pod, &why, end, beyond),
            requests,
            why,
        }
    }
}

/// Who deleted the node or the namespace that it went with.
fn cause_of(pod: &Pod, why: &Why, end: Option<i64>, beyond: &Beyond) -> Option<String> {
    let (says, what, of) = match why.word {
        "node-lost" => (&beyond.of_node, "node gone", "node"),
        "namespace-deleted" => (&beyond.of_namespace, "close", "namespace"),
        _ => return None,
    };
    let (user, acting_as) = cause(pod, says, (what, end?))?;
    Some(format!("{of} deleted by {}", accounts(&user, &acting_as)?))
}

/// What proves a pod's end without its name, and the last removal that an event told, in milliseconds.
type Without = (Option<(i64, Proof)>, Option<i64>);

pub fn tell(key: &PodKey, pod: &Pod, beyond: &Beyond) -> Told {
    let replaced = beyond.replaced.map(|at| (at, Proof::Replaced));
    let replaced = replaced.filter(|proof| holds(pod, *proof));
    // Unless it was seen again long after that.
    let removal = pod.removed.map(|(_, last)| last);
    let removal = removal.filter(|last| pod.alive_at.is_none_or(|at| at <= last + BACK_AFTER));
    let without = (earlier(replaced, node_gone(pod, &beyond.of_node)), removal);
    let meant = Meant::of(pod, &beyond.says, without);
    let ending = Gone::of(pod, &meant, without, beyond);
    let all = instances(pod);
    let lives = all.iter().map(|instance| {
        let end = Ending::of(pod, &ending, instance, &all);
        let span = Span {
            start: end.times.began,
            end: end.over,
        };
        let row = container_row(key, (pod, &ending), instance, &end);
        (instance.key, Life { span, row })
    });
    let last = ending.unconfirmed.then_some(pod.seen.last + 1);
    let span = Span {
        start: start_of(pod),
        end: ending.at.or(last),
    };
    Told {
        instances: lives.collect(),
        leases: leases(pod, span),
        gaps: gaps(pod),
        former: former(pod).iter().map(told_former).collect(),
        gone: ending.proof,
        evict_asked: ending.requests.evict_asked.clone(),
        force_asked: ending.requests.force_asked.clone(),
        hurried: ending.requests.hurried.clone(),
        pod: Life {
            span,
            row: pod_row(key, (pod, &ending), &meant),
        },
    }
}

fn told_former(former: &Former) -> (i64, String, [String; 2], BTreeMap<String, String>) {
    let (labels, ..) = former.what;
    let (_, _, kind, name, _) = former.owner;
    let by = accounts(&former.by.0, &former.by.1).unwrap_or_default();
    (
        former.until,
        by,
        [kind.to_string(), name.to_string()],
        in_map(labels),
    )
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
    let ends = [span.end, pod.terminal_at().and_then(told)];
    let end = ends.into_iter().flatten().min();
    let sights = sights(pod).into_iter();
    let leases = sights.map(|(ip, first)| {
        let start = first * 1_000;
        (ip, Span { start, end })
    });
    leases.collect()
}

/// How an instance ended.
struct Ending {
    times: Times,
    /// A report said when: seconds.
    reported: Option<u32>,
    /// What happened to its pod or its container proves it.
    proven: Option<i64>,
    /// When it was over at the latest, as far as is known.
    over: Option<i64>,
    /// Nobody knows whether it runs.
    unconfirmed: bool,
    /// The API's image of its pod is gone, and it may run on.
    mirror_removed: bool,
}

impl Ending {
    fn of(pod: &Pod, ending: &Gone, instance: &Instance, all: &[Instance]) -> Ending {
        let times = instance.times(pod);
        let reported = instance.end().map(|end| end.report.finished_at);
        // A static pod is its node's own.
        let of_pod = ending.at.filter(|_| !pod.is_mirror);
        // It ran no more when its pod was done.
        let ran_at = instance.ran_at().map(|at| at.div_euclid(1_000));
        let done = pod.terminal.and_then(|done| first_not_before(done, ran_at));
        // A container runs once at a time.
        let later = all.iter().filter(|other| instance.is_before(other, pod));
        let superseded = later.map(|other| other.began(pod)).min();
        let proofs = [
            of_pod,
            superseded,
            done.and_then(told),
            instance.missed().map(|(at, _)| at),
        ];
        let proven = proofs.into_iter().flatten().min();
        let proven = proven.filter(|_| reported.is_none());
        let end = times.over.or(proven);
        let mirror_removed = end.is_none() && pod.is_mirror && ending.at.is_some();
        let unconfirmed = end.is_none() && !mirror_removed && !pod.timely;
        let last = unconfirmed.then(|| instance.last_heard() + 1);
        Ending {
            times,
            reported,
            proven,
            over: end.or(ending.at.filter(|_| mirror_removed)).or(last),
            unconfirmed,
            mirror_removed,
        }
    }

    /// Whether it is known to have ended, and when.
    fn ended(&self) -> Option<i64> {
        self.times.over.or(self.proven)
    }
}

/// Why it ended, and by whom.
fn why_of(
    pod: &Pod,
    ending: &Gone,
    instance: &Instance,
    end: &Ending,
) -> Option<(&'static str, Asked)> {
    let over = end.ended()?;
    let reported = end.reported.is_some();
    let of_former_life = pod.removed.filter(|_| ending.removed.is_none());
    match of_former_life {
        // It began after its pod had come back, so the requests before have nothing to do with it.
        Some((_, last)) if came_back(pod) && instance.began(pod) > last * 1_000 => {
            Some((by_itself(reported), None))
        }
        _ => Some(
            ending
                .why
                .of_instance((over, reported, end.times.clock_off), ending.at),
        ),
    }
}

/// Whether it was seen long after it was removed.
fn came_back(pod: &Pod) -> bool {
    let gone = pod.removed_first().map(|first| first + BACK_AFTER);
    gone.is_some_and(|gone| pod.alive_at.is_some_and(|alive| alive > gone))
}

fn container_row(
    (cluster, namespace, name, uid): &PodKey,
    (pod, ending): (&Pod, &Gone),
    instance: &Instance,
    end: &Ending,
) -> answer::Container {
    let why = why_of(pod, ending, instance, end);
    let of_pod = why
        .as_ref()
        .is_some_and(|(word, _)| *word == ending.why.word);
    let missed = instance.missed().map(|(_, report)| report);
    let report = instance.end().map(|end| end.report).or(missed);
    let (workload_kind, workload, inferred) = workload(pod);
    answer::Container {
        cluster: cluster.to_string(),
        namespace: namespace.to_string(),
        workload_kind,
        workload,
        pod: name.to_string(),
        pod_uid: uid_text(*uid),
        container: instance.container.to_string(),
        kind: kind(instance.kind()).to_owned(),
        container_id: id_text(instance),
        runtime: text(instance.runtime()),
        image: text(instance.image()),
        image_id: text(instance.image_id()),
        node: text(&pod.node),
        pod_ips: ips(pod),
        restart: instance.number(),
        started_at: whole(instance.start()),
        ended_at: end.reported.and_then(whole).or(end.proven),
        end_seen: end.reported.is_some(),
        exit_code: report.map(|report| report.exit_code),
        signal: report.and_then(|report| (report.signal != 0).then_some(report.signal)),
        reason: report.and_then(|report| text(&report.reason)),
        pod_created_at: whole(pod.created_at),
        pod_removed_at: ending.removed,
        ended_by: why.as_ref().and_then(|(_, by)| asked_by(by)),
        ended_why: why.map(|(word, _)| word.to_owned()),
        ended_cause: ending.cause.clone().filter(|_| of_pod),
        unknown: unknown_of(instance, end, inferred),
        host_network: pod.host_network,
        config_hash: text(&pod.config_hash),
    }
}

fn unknown_of(instance: &Instance, end: &Ending, inferred: bool) -> Vec<String> {
    let unconfirmed = end.proven.is_some() || end.unconfirmed;
    let mut unknown = unknown([
        (unconfirmed, "end not confirmed"),
        (instance.end().is_some_and(|end| end.differs), "ends differ"),
        (end.mirror_removed, "mirror removed"),
        (instance.started_again(), "started again"),
        (inferred, "workload inferred"),
    ]);
    unknown.extend(clock_off(end.times.clock_off));
    unknown.sort();
    unknown
}

/// Told from a minute on.
fn clock_off(micros: i64) -> Option<String> {
    if micros < MINUTE {
        return None;
    }
    let minutes = (micros + MINUTE / 2) / MINUTE;
    let off = match (minutes / 60, minutes % 60) {
        (0, minutes) => format!("{minutes}m"),
        (hours, 0) => format!("{hours}h"),
        (hours, minutes) => format!("{hours}h{minutes}m"),
    };
    Some(format!("node clock off by {off}"))
}

/// By how much the clock of its node is off, as far as the start of the pod shows it.
fn node_clock_off(pod: &Pod) -> i64 {
    let (start, created) = (pod.started_at, pod.created_at);
    let told = pod.started_told.map(|told| told * 1_000);
    let start = i64::from(start) * SECOND;
    let ahead = told.map_or(0, |told| start - told);
    let behind = match start == 0 || pod.is_mirror {
        true => 0,
        false => i64::from(created) * SECOND - start,
    };
    ahead.max(behind)
}

fn pod_row(
    (cluster, namespace, name, uid): &PodKey,
    (pod, ending): (&Pod, &Gone),
    meant: &Meant,
) -> answer::Pod {
    let (workload_kind, workload, inferred) = workload(pod);
    let asked = &ending.requests.asked;
    let has_ended = ending.at.is_some() || pod.terminal.is_some();
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
        phase: text(PHASES[pod.phase]),
        ended_by: asked_by(&ending.why.by).filter(|_| has_ended),
        ended_why: text(ending.why.word).filter(|_| has_ended),
        ended_cause: ending.cause.clone(),
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
                (ending.requests.unseen, "request unseen"),
                (came_back(pod), "came back"),
                (inferred, "workload inferred"),
            ]),
        ),
        host_network: pod.host_network,
        config_hash: text(&pod.config_hash),
    }
}

fn workload(pod: &Pod) -> (Option<String>, Option<String>, bool) {
    let owner: Option<&Owner> = newest(pod).map(|(_, owner, _)| best(pod, owner));
    match owner {
        Some((_, _, kind, name, basis)) => (text(kind), text(name), *basis == Basis::Name),
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
    let mut missing = 0;
    for (name, times) in &pod.restarts {
        // A number that any report has was there, whichever instance it is of.
        let of_container = pod.reports.iter().filter(|it| it.container == *name);
        let numbers: BTreeSet<u32> = of_container.map(|report| report.restart).collect();
        missing += (u64::from(*times) + 1).saturating_sub(numbers.len() as u64);
    }
    if missing > 0 {
        unknown.push(format!("{missing} instances unseen"));
    }
    unknown.extend(clock_off(node_clock_off(pod)));
    let waiting = pod.waiting.iter().flat_map(|(_, waiting)| waiting);
    let never = waiting.filter(|(name, _)| !pod.restarts.contains_key(name));
    unknown.extend(never.map(|(name, why)| format!("{name} not started: {why}")));
    unknown.sort();
    unknown
}

fn labels(pod: &Pod) -> BTreeMap<String, String> {
    newest(pod).map_or_else(BTreeMap::new, |(labels, ..)| in_map(labels))
}

fn in_map(labels: &[(Text, Text)]) -> BTreeMap<String, String> {
    let pairs = labels.iter();
    pairs
        .map(|(key, value)| (key.to_string(), value.to_string()))
        .collect()
}

fn ips(pod: &Pod) -> Vec<String> {
    let sights = sights(pod).into_iter();
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

fn id_text(instance: &Instance) -> Option<String> {
    match instance.id_text() {
        "" if instance.id == [0; 32] => None,
        "" => Some(hex::encode(instance.id)),
        text => Some(text.to_owned()),
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

fn text(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

fn whole(seconds: u32) -> Option<i64> {
    known(i64::from(seconds) * SECOND)
}
