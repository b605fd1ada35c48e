//! The rows that say what was judged.

use std::hash::{DefaultHasher, Hasher};

use crate::audit::words::{self, EndedWhy, Unknown};
use crate::rows::{
    ContainerKind, ContainerRow, Micros, Millis, NEVER, Phase, PodRow, Seconds, Uid,
};

use super::judge::{Judged, Name, first};
use super::life::{Asked, Instance, InstanceKey, Life};
use super::names;
use super::place;
use super::why::{self, Requests};

const SECOND: i64 = 1_000_000;

/// How an instance ended. Microseconds, where not said.
struct InstanceEnd {
    /// Seconds.
    reported: Option<u32>,
    /// What proves an end that nobody reported.
    proven: Option<i64>,
    /// When it had ended.
    end: Option<i64>,
    /// When it was over at the latest.
    over_at: i64,
    /// Known from late events alone, and without an end.
    unconfirmed: bool,
}

impl<'a> Judged<'a> {
    /// The row of the pod, without its versions and its state.
    pub fn pod_row(&self, name: &Name<'_, 'a>, life: &Life<'a>) -> PodRow<'a> {
        let (workload_kind, workload, _) = workload(life);
        let (began_at, over_at) = (names::start_of(life), self.over_at(life));
        let place = place::of(began_at, over_at);
        let restarts: u64 = life.restarts.values().map(|times| u64::from(*times)).sum();
        let has_ended = self.end.is_some() || life.terminal_at.is_some();
        let created_by = life.created_by.or(self.named.created_by);
        let any = self.requests.any.as_ref();
        let mut row = PodRow {
            cluster: name.cluster,
            namespace: name.namespace,
            pod: name.pod,
            pod_uid: Uid(self.uid),
            version: 0,
            read_at: Seconds(0),
            class: place.class,
            filed_from: Seconds(place.from),
            returned: false,
            workload_kind,
            workload,
            node: match life.node {
                "" => self.named.node,
                node => node,
            },
            pod_ips: addresses(life),
            ip_seen_at: sights(life).into_iter().map(|(_, at)| Millis(at)).collect(),
            labels: labels(life),
            service_account: text(life.service_account),
            created_at: seconds(life.created_at),
            created_by: created_by.and_then(|(user, acting_as)| account(user, acting_as)),
            scheduled_at: millis(life.scheduled_at),
            started_at: seconds(life.started_at),
            delete_asked_at: any.map(|asked| Millis(asked.at)),
            delete_asked_by: any.and_then(by),
            removed_at: self.removed.map(Millis),
            phase: phase(life.phase),
            ended_by: self.why.by.as_ref().filter(|_| has_ended).and_then(by),
            ended_why: self.why.why.filter(|_| has_ended).map(EndedWhy::word),
            ended_cause: None,
            containers: restarts + life.restarts.len() as u64,
            restarts,
            unknown: self.unknown(life),
            host_network: life.host_network,
            began_at: Micros(began_at),
            over_at: Micros(over_at),
            last_seen: Micros(life.seen.last),
            ..self.page_columns(life)
        };
        let mut bytes = Vec::new();
        row.put(&mut bytes);
        row.judged = hash(&bytes);
        row.copied = self.copied(life);
        row
    }

    /// What only a page about the pod shows.
    fn page_columns(&self, life: &Life<'a>) -> PodRow<'a> {
        let owner = life.metadata.as_ref().and_then(|it| it.owner.as_ref());
        let Requests {
            any,
            eviction,
            forced,
        } = &self.requests;
        let deletion = first([&life.delete_asked, &self.named.deletion]);
        let deletion = deletion.filter(|deletion| any.as_ref() != Some(deletion));
        let event = |asked: &Option<Asked<'a>>| asked.as_ref().and_then(|it| text(it.audit_id));
        let at = |asked: &Option<Asked>| asked.as_ref().map(|it| Millis(it.at));
        let by = |asked: &Option<Asked>| asked.as_ref().and_then(by);
        PodRow {
            owner_kind: owner.and_then(|owner| text(owner.kind)),
            owner: owner.and_then(|owner| text(owner.name)),
            restart_counts: life
                .restarts
                .iter()
                .map(|(name, it)| (*name, *it))
                .collect(),
            waiting: waiting(life),
            status_reason: text(life.status_reason),
            terminal_at: life.terminal_at.map(Millis),
            deletion_at: at(&deletion),
            deletion_by: by(&deletion),
            delete_asked_event: event(any),
            deletion_event: event(&deletion),
            eviction_at: at(eviction),
            eviction_by: by(eviction),
            eviction_event: event(eviction),
            forced_at: at(forced),
            forced_by: by(forced),
            forced_event: event(forced),
            disrupted_at: life.disrupted.map(|(at, _)| Millis(at)),
            disrupted_why: life.disrupted.and_then(|(_, why)| text(why)),
            gone_at: self.proof.map(|(at, _)| Micros(at)),
            gone_proof: self.proof.map(|(_, proof)| proof.word()),
            ..PodRow::default()
        }
    }

    fn unknown(&self, life: &Life) -> Vec<String> {
        let created_unseen = life.created_by.or(self.named.created_by).is_none();
        let metadata_only = life.created_at == 0
            && life.phase == Phase::None
            && life.restarts.is_empty()
            && life.waiting.is_none();
        let (.., inferred) = workload(life);
        let held = [
            (Unknown::WorkloadInferred, inferred),
            (Unknown::CreatedUnseen, created_unseen),
            (Unknown::MetadataOnly, metadata_only),
            (Unknown::Truncated, life.truncated || self.named.truncated),
            (Unknown::RemovalUnseen, self.proof.is_some()),
            (Unknown::EndNotConfirmed, self.unconfirmed),
        ];
        let held = held.into_iter().filter(|(_, holds)| *holds);
        let mut unknown: Vec<String> = held.map(|(word, _)| word.word().to_owned()).collect();
        let unseen = life.unseen();
        if unseen > 0 {
            unknown.push(words::instances_unseen(unseen));
        }
        let waiting = life.waiting.iter().flat_map(|it| &it.containers);
        let never = waiting.filter(|(container, _)| !life.restarts.contains_key(container));
        unknown.extend(never.map(|(container, why)| words::not_started(container, why)));
        unknown
    }

    fn instance_end(&self, life: &Life, key: &InstanceKey, instance: &Instance) -> InstanceEnd {
        let reported = instance.reported_end();
        let proven = match reported {
            Some(_) => None,
            None => [self.end, superseded(life, key, instance)]
                .into_iter()
                .flatten()
                .min(),
        };
        // Kubernetes keeps ends of containers in whole seconds: it may have run until that second was over.
        let end = reported
            .map(|finished| (i64::from(finished) + 1) * SECOND)
            .or(proven);
        let unconfirmed = end.is_none() && !life.timely;
        let over_at = match end {
            Some(end) => end,
            None if unconfirmed => instance.seen.last + 1,
            None => NEVER,
        };
        InstanceEnd {
            reported,
            proven,
            end,
            over_at,
            unconfirmed,
        }
    }

    /// The row of an instance, without its versions and its state. `let_go`: its pod no longer has it in its
    /// own state.
    pub fn container_row(
        &self,
        name: &Name<'_, 'a>,
        life: &Life<'a>,
        (key, instance): (&InstanceKey<'a>, &Instance<'a>),
        let_go: bool,
    ) -> ContainerRow<'a> {
        let InstanceEnd {
            reported,
            proven,
            end,
            over_at,
            unconfirmed,
        } = self.instance_end(life, key, instance);
        let why = end.map(|end| why::of_instance(&self.why, end, reported.is_some()));
        let (workload_kind, workload, inferred) = workload(life);
        let began_at = instance.start();
        let place = place::of(began_at, over_at);
        let ended = instance.ended.as_ref();
        let not_confirmed =
            reported.is_none() && (ended.is_some() || proven.is_some() || unconfirmed);
        let held = [
            (Unknown::WorkloadInferred, inferred),
            (Unknown::EndNotConfirmed, not_confirmed),
        ];
        let held = held.into_iter().filter(|(_, holds)| *holds);
        ContainerRow {
            cluster: name.cluster,
            namespace: name.namespace,
            pod: name.pod,
            pod_uid: Uid(self.uid),
            container: key.0,
            container_key: key.1,
            version: 0,
            read_at: Seconds(0),
            class: place.class,
            filed_from: Seconds(place.from),
            returned: false,
            complete: let_go || self.over_at(life) != NEVER,
            workload_kind,
            workload,
            kind: kind(instance.kind),
            id_text: instance.id_text,
            runtime: text(instance.runtime),
            image: text(instance.image),
            image_id: text(instance.image_id),
            node: life.node,
            pod_ips: addresses(life),
            restart: instance.restart,
            started_at: seconds(instance.started_at),
            ended_at: reported
                .map(|finished| i64::from(finished) * SECOND)
                .or(proven)
                .map(Micros),
            end_seen: reported.is_some(),
            exit_code: ended.map(|ended| ended.exit_code),
            signal: ended
                .map(|ended| ended.signal)
                .filter(|signal| *signal != 0),
            reason: ended.and_then(|ended| text(ended.reason)),
            pod_created_at: seconds(life.created_at),
            pod_removed_at: self.removed.map(Millis),
            ended_by: why.and_then(|(_, by)| by).and_then(by),
            ended_why: why.map(|(why, _)| why.word()),
            ended_cause: None,
            unknown: held.map(|(word, _)| word.word().to_owned()).collect(),
            host_network: life.host_network,
            began_at: Micros(began_at),
            over_at: Micros(over_at),
        }
    }
}

/// A container runs once at a time: the start of a later instance proves that this one had ended.
fn superseded(life: &Life, key: &InstanceKey, instance: &Instance) -> Option<i64> {
    let range = (key.0, [0; 32])..=(key.0, [u8::MAX; 32]);
    let later = life
        .instances
        .range(range)
        .filter(|(other_key, other)| instance.is_before(key, other, other_key))
        .map(|(_, other)| other.start());
    later.chain(instance.not_after()).min()
}

/// As answers show an account: `a as b` where a impersonated b.
fn account(user: &str, acting_as: &str) -> Option<String> {
    match (user, acting_as) {
        ("", _) => None,
        (user, "") => Some(user.to_owned()),
        (user, acting_as) => Some(format!("{user} as {acting_as}")),
    }
}

fn by(asked: &Asked) -> Option<String> {
    account(asked.user, asked.acting_as)
}

fn text(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

fn seconds(at: u32) -> Option<Seconds> {
    (at != 0).then_some(Seconds(at))
}

fn millis(at: i64) -> Option<Millis> {
    (at != 0).then_some(Millis(at))
}

fn hash(bytes: &[u8]) -> u64 {
    let mut hash = DefaultHasher::new();
    hash.write(bytes);
    hash.finish()
}

/// The addresses in order of first sight, with its time.
fn sights(life: &Life) -> Vec<(String, i64)> {
    let mut sights: Vec<_> = life.pod_ips.iter().collect();
    sights.sort_by_key(|(ip, sight)| (**sight, **ip));
    let texts = sights
        .into_iter()
        .map(|(ip, (at, _))| (ip.to_canonical().to_string(), *at));
    texts.collect()
}

pub(super) fn addresses(life: &Life) -> Vec<String> {
    sights(life).into_iter().map(|(ip, _)| ip).collect()
}

fn labels<'a>(life: &Life<'a>) -> Vec<(&'a str, &'a str)> {
    life.metadata
        .as_ref()
        .map_or_else(Vec::new, |metadata| metadata.labels.clone())
}

fn waiting<'a>(life: &Life<'a>) -> Vec<(&'a str, &'a str)> {
    life.waiting
        .as_ref()
        .map_or_else(Vec::new, |waiting| waiting.containers.clone())
}

/// Kind and name of the workload, and whether it was inferred.
pub(super) fn workload<'a>(life: &Life<'a>) -> (Option<&'a str>, Option<&'a str>, bool) {
    match life.metadata.as_ref().and_then(|it| it.owner.as_ref()) {
        Some(owner) => (
            text(owner.workload_kind),
            text(owner.workload),
            owner.inferred,
        ),
        None => (None, None, false),
    }
}

fn phase(phase: Phase) -> Option<&'static str> {
    Some(match phase {
        Phase::None => return None,
        Phase::Unknown => "Unknown",
        Phase::Pending => "Pending",
        Phase::Running => "Running",
        Phase::Succeeded => "Succeeded",
        Phase::Failed => "Failed",
    })
}

const KINDS: [(ContainerKind, &str); 5] = [
    (ContainerKind::None, ""),
    (ContainerKind::App, "app"),
    (ContainerKind::Init, "init"),
    (ContainerKind::Sidecar, "sidecar"),
    (ContainerKind::Ephemeral, "ephemeral"),
];

fn kind(kind: ContainerKind) -> &'static str {
    let known = KINDS.iter().find(|(known, _)| *known == kind);
    known.map_or("", |(_, word)| word)
}

/// The kind that a row says.
pub(super) fn kind_of(word: &str) -> ContainerKind {
    let known = KINDS.iter().find(|(_, known)| *known == word);
    known.map_or(ContainerKind::None, |(kind, _)| *kind)
}
