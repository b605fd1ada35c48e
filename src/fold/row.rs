//! The rows with the judgement.

use std::borrow::Cow;
use std::hash::{DefaultHasher, Hasher};

use crate::audit::words::{self, EndedWhy, Unknown};
use crate::rows::{
    ContainerKind, ContainerRow, Micros, Millis, NEVER, Phase, PodRow, Seconds, Uid,
};

use super::bucket;
use super::columns::{account, addresses, sights, text, workload, workload_of};
use super::described::Former;
use super::group::{NO_ID, Run};
use super::instance::Times;
use super::judge::{Judged, Name, came_back};
use super::life::{Asked, Life, first};
use super::names;
use super::why::{self, Report, Requests};

const SECOND: i64 = 1_000_000;

/// Smaller differences between clocks are not reported. Microseconds.
const CLOCK_OFF_MIN: i64 = 60 * SECOND;

/// A life, and all its instances.
#[derive(Clone, Copy)]
pub(super) struct Whole<'w, 'a> {
    pub life: &'w Life<'a>,
    pub runs: &'w [Run<'a>],
}

/// How an instance ended. Microseconds unless noted.
struct InstanceEnd {
    times: Times,
    /// Seconds.
    reported: Option<u32>,
    /// The proof of an end without a report.
    proven: Option<i64>,
    /// When it had ended.
    end: Option<i64>,
    /// When it was over at the latest.
    over_at: i64,
    /// Known from late events alone, and without an end.
    unconfirmed: bool,
    /// The image of its static pod is gone: it may run on.
    mirror_removed: bool,
}

impl InstanceEnd {
    fn report(&self) -> Report {
        match self.reported {
            None => Report::Missing,
            Some(_) if self.times.clock_off != 0 => Report::OtherClock,
            Some(_) => Report::Dated,
        }
    }
}

impl<'a> Judged<'a> {
    /// The row of the pod, without its versions and its state.
    pub fn pod_row(&self, name: &Name<'_, 'a>, life: &Life<'a>) -> PodRow<'a> {
        let (workload_kind, workload, _) = workload(life);
        let (began_at, over_at) = (names::start_of(life), self.over_at(life));
        let bucket = bucket::of(began_at, over_at);
        let restarts: u64 = life.restarts.values().map(|times| u64::from(*times)).sum();
        let has_ended = self.end.is_some() || life.terminal.is_some();
        let created_by = life.created_by.or(self.named.created_by);
        let any = self.requests.any.as_ref();
        let mut row = PodRow {
            cluster: name.cluster,
            namespace: name.namespace,
            pod: name.pod,
            pod_uid: Uid(self.uid),
            version: 0,
            read_at: Seconds(0),
            class: bucket.class,
            filed_from: Seconds(bucket.from),
            returned: false,
            workload_kind,
            workload,
            node: match life.node {
                "" => self.named.node,
                node => node,
            },
            pod_ips: addresses(life),
            ip_seen_at: sights(life).map(|(_, at)| Millis(at)).collect(),
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
            ended_cause: self.cause.clone(),
            containers: restarts + life.restarts.len() as u64,
            restarts,
            unknown: self.unknown(life),
            host_network: life.host_network,
            config_hash: text(life.config_hash),
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
        let newest = life.described.newest();
        let owner = newest.and_then(|it| it.owner.as_ref());
        let former = life.described.former();
        let Requests {
            any,
            eviction,
            hurried,
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
            terminal_at: life.terminal_at().map(Millis),
            ip_gaps: gaps(life),
            former_until: former.iter().map(|it| Millis(it.until)).collect(),
            former_by: former.iter().map(changed_by).collect(),
            former_workload_kind: former_workloads(&former, |(kind, _)| kind),
            former_workload: former_workloads(&former, |(_, name)| name),
            former_labels: former
                .iter()
                .map(|it| it.description.labels.clone())
                .collect(),
            hurried_at: at(hurried),
            hurried_by: by(hurried),
            hurried_event: event(hurried),
            hurried_deadline: hurried
                .as_ref()
                .and(life.hurried.as_ref())
                .and_then(|(deadline, _)| seconds(*deadline)),
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

    fn unknown(&self, life: &Life<'a>) -> Vec<String> {
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
            (Unknown::RequestUnseen, self.request_unseen),
            (Unknown::CameBack, came_back(life)),
            (Unknown::EndNotConfirmed, self.unconfirmed),
        ];
        let held = held.into_iter().filter(|(_, holds)| *holds);
        let mut unknown: Vec<String> = held.map(|(word, _)| word.word().to_owned()).collect();
        if life.clock_off() >= CLOCK_OFF_MIN {
            unknown.push(words::clock_off(life.clock_off()));
        }
        let unseen = unseen(life);
        if unseen > 0 {
            unknown.push(words::instances_unseen(unseen));
        }
        let waiting = life.waiting.iter().flat_map(|it| &it.containers);
        let never = waiting.filter(|(container, _)| !life.restarts.contains_key(container));
        unknown.extend(never.map(|(container, why)| words::not_started(container, why)));
        unknown
    }

    fn instance_end(&self, life: &Life<'a>, run: &Run<'a>, runs: &[Run<'a>]) -> InstanceEnd {
        let instance = &run.instance;
        let times = instance.times(life.clock());
        let reported = instance.reported_end();
        // What is over for its pod is over for it, but for a static pod: that is the node's own.
        let of_pod = self.end.filter(|_| !life.is_mirror);
        let terminal = life.terminal.and_then(|it| {
            let ran_at = instance.ran_at.map(|at| at.div_euclid(1_000));
            it.after(ran_at).map(|at| at * 1_000)
        });
        let proven = match reported {
            Some(_) => None,
            None => {
                let missed = instance.missed().map(|(at, _)| at);
                let proofs = [of_pod, superseded(life, run, runs), terminal, missed];
                proofs.into_iter().flatten().min()
            }
        };
        let end = times.over.or(proven);
        let mirror_removed = end.is_none() && life.is_mirror && self.end.is_some();
        let unconfirmed = end.is_none() && !mirror_removed && !life.timely;
        let over_at = match end {
            Some(end) => end,
            None if mirror_removed => self.end.unwrap_or(NEVER),
            None if unconfirmed => instance.seen.last + 1,
            None => NEVER,
        };
        InstanceEnd {
            times,
            reported,
            proven,
            end,
            over_at,
            unconfirmed,
            mirror_removed,
        }
    }

    /// The row of an instance, without its versions and its state. `pruned`: its pod no longer has it in its
    /// own state.
    pub fn container_row(
        &self,
        name: &Name<'_, 'a>,
        whole: Whole<'_, 'a>,
        run: &Run<'a>,
        pruned: bool,
    ) -> ContainerRow<'a> {
        let (life, instance) = (whole.life, &run.instance);
        let how = self.instance_end(life, run, whole.runs);
        let why = how.end.map(|end| {
            let report = how.report();
            match self.is_of_another_life(life, run) {
                false => why::of_instance(&self.why, end, report, self.end),
                true => (why::by_itself(report), None),
            }
        });
        let (workload_kind, workload, _) = workload(life);
        let began_at = how.times.began;
        let bucket = bucket::of(began_at, how.over_at);
        let missed = instance.missed().map(|(_, report)| report);
        let ended = instance.end().map(|end| end.report).or(missed);
        let former = life.described.former();
        ContainerRow {
            cluster: name.cluster,
            namespace: name.namespace,
            pod: name.pod,
            pod_uid: Uid(self.uid),
            container: run.container,
            container_key: run.key,
            version: 0,
            read_at: Seconds(0),
            class: bucket.class,
            filed_from: Seconds(bucket.from),
            returned: false,
            complete: pruned || self.over_at(life) != NEVER,
            pruned,
            void: false,
            workload_kind,
            workload,
            kind: kind(instance.kind),
            id_text: id_text(run),
            runtime: text(instance.runtime),
            image: text(instance.image),
            image_id: text(instance.image_id),
            node: life.node,
            pod_ips: addresses(life),
            restart: instance.restart,
            started_at: seconds(instance.started_at),
            ended_at: how
                .reported
                .map(|finished| i64::from(finished) * SECOND)
                .or(how.proven)
                .map(Micros),
            end_seen: how.reported.is_some(),
            exit_code: ended.map(|ended| ended.exit_code),
            signal: ended
                .map(|ended| ended.signal)
                .filter(|signal| *signal != 0),
            reason: ended.and_then(|ended| text(ended.reason)),
            pod_created_at: seconds(life.created_at),
            pod_removed_at: self.removed.map(Millis),
            ended_by: why.and_then(|(_, by)| by).and_then(by),
            ended_why: why.map(|(why, _)| why.word()),
            ended_cause: self.cause.clone().filter(|_| {
                let of_pod = self.why.why;
                why.is_some_and(|(why, _)| Some(why) == of_pod)
            }),
            unknown: unknown_of(life, run, &how),
            former_until: former.iter().map(|it| Millis(it.until)).collect(),
            former_workload_kind: former_workloads(&former, |(kind, _)| kind),
            former_workload: former_workloads(&former, |(_, name)| name),
            host_network: life.host_network,
            config_hash: text(life.config_hash),
            began_at: Micros(began_at),
            over_at: Micros(how.over_at),
        }
    }

    /// Whether an instance began after its pod came back, so what had led to the removal before has nothing to do
    /// with it.
    fn is_of_another_life(&self, life: &Life, run: &Run) -> bool {
        let removed = life
            .removed
            .filter(|_| self.removed.is_none() && came_back(life));
        removed.is_some_and(|removed| run.instance.began(life.created_at) > removed.last * 1_000)
    }

    /// The row that takes the place of one that was written when less was known.
    pub fn void_row(
        &self,
        name: &Name<'_, 'a>,
        (container, key): (&'a str, [u8; 32]),
    ) -> ContainerRow<'a> {
        let bucket = bucket::of(0, 0);
        ContainerRow {
            cluster: name.cluster,
            namespace: name.namespace,
            pod: name.pod,
            pod_uid: Uid(self.uid),
            container,
            container_key: key,
            class: bucket.class,
            filed_from: Seconds(bucket.from),
            complete: true,
            void: true,
            ..ContainerRow::default()
        }
    }
}

fn unknown_of(life: &Life, run: &Run, how: &InstanceEnd) -> Vec<String> {
    let instance = &run.instance;
    let (.., inferred) = workload(life);
    let not_confirmed = how.reported.is_none() && (how.proven.is_some() || how.unconfirmed);
    let differs = instance.end().is_some_and(|end| end.differs);
    let held = [
        (Unknown::WorkloadInferred, inferred),
        (Unknown::EndNotConfirmed, not_confirmed),
        (Unknown::EndsDiffer, differs),
        (Unknown::MirrorRemoved, how.mirror_removed),
        (Unknown::StartedAgain, instance.started_again()),
    ];
    let held = held.into_iter().filter(|(_, holds)| *holds);
    let mut unknown: Vec<String> = held.map(|(word, _)| word.word().to_owned()).collect();
    if how.times.clock_off >= CLOCK_OFF_MIN {
        unknown.push(words::clock_off(how.times.clock_off));
    }
    unknown
}

/// The container ID, where the key of the row is not it.
fn id_text<'a>(run: &Run<'a>) -> Cow<'a, str> {
    match run.instance.id_text {
        "" if run.id == [0; 32] => Cow::Borrowed(NO_ID),
        "" if run.is_shared => Cow::Owned(hex::encode(run.id)),
        text => Cow::Borrowed(text),
    }
}

/// The number of instances that are implied by restart numbers and in no event. Every number that was reported counts as
/// seen, also where two turned out to be of one instance: which of them that is may become known after it was pruned.
fn unseen(life: &Life) -> u64 {
    let missing = life.restarts.iter().map(|(container, times)| {
        let past = life.past.get(container);
        let mut seen = past.map(|past| past.restarts.clone()).unwrap_or_default();
        for (_, _, number) in life.instances.keys().filter(|key| key.0 == *container) {
            seen.insert(*number);
        }
        (u64::from(*times) + 1).saturating_sub(seen.count())
    });
    missing.sum()
}

/// A container runs once at a time: the start of a later instance proves that this one had ended.
fn superseded(life: &Life, run: &Run, runs: &[Run]) -> Option<i64> {
    let created_at = life.created_at;
    let others = runs.iter().filter(|other| {
        other.container == run.container
            && run
                .instance
                .is_before(&run.key, &other.instance, &other.key, created_at)
    });
    let later = others.map(|other| other.instance.began(created_at));
    later.chain(run.instance.not_after(created_at)).min()
}

fn by(asked: &Asked) -> Option<String> {
    account(asked.user, asked.acting_as)
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

fn gaps(life: &Life) -> Vec<(String, (Millis, Millis))> {
    let gaps = life.addresses.gaps().into_iter();
    let gaps = gaps.map(|gap| {
        let until = gap.until.unwrap_or(NEVER.div_euclid(1_000));
        let ip = gap.ip.to_canonical().to_string();
        (ip, (Millis(gap.from), Millis(until)))
    });
    gaps.collect()
}

fn labels<'a>(life: &Life<'a>) -> Vec<(&'a str, &'a str)> {
    let newest = life.described.newest();
    newest.map_or_else(Vec::new, |newest| newest.labels.clone())
}

fn changed_by(former: &Former) -> String {
    account(former.by.0, former.by.1).unwrap_or_default()
}

fn former_workloads(
    former: &[Former],
    of: for<'t> fn((&'t str, &'t str)) -> &'t str,
) -> Vec<String> {
    let names = former.iter().map(|it| {
        let (kind, name, _) = workload_of(it.owner);
        of((kind.unwrap_or_default(), name.unwrap_or_default())).to_owned()
    });
    names.collect()
}

fn waiting<'a>(life: &Life<'a>) -> Vec<(&'a str, &'a str)> {
    life.waiting
        .as_ref()
        .map_or_else(Vec::new, |waiting| waiting.containers.clone())
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

/// The kind in a row.
pub(super) fn kind_of(word: &str) -> ContainerKind {
    let known = KINDS.iter().find(|(_, known)| *known == word);
    known.map_or(ContainerKind::None, |(kind, _)| *kind)
}
