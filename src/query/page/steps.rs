//! The timeline: every step in the columns, in order, with the evidence.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::{Step, What, instance_of};
use crate::audit::words::EndedWhy;
use crate::query::model::{Container, Pod, Session, Time};
use crate::query::pod_life::{Asked, Former, PodLife};

pub(super) fn of(
    pod: &Pod,
    life: &PodLife,
    containers: &[Container],
    sessions: &[Session],
) -> Vec<Step> {
    let mut line = Line::default();
    beginning(pod, life, &mut line);
    changes(pod, life, &mut line);
    line.asked = asked(life);
    let mut in_order: Vec<&Container> = containers.iter().collect();
    in_order.sort_by_key(|container| container.restart);
    for container in in_order {
        instance(container, containers, &mut line);
    }
    for one in sessions {
        session(one, &mut line);
    }
    ending(pod, life, &mut line);
    line.steps.sort_by_key(|(place, step)| (*place, step.what));
    line.steps.into_iter().map(|(_, step)| step).collect()
}

/// Steps, each with its place in the order.
#[derive(Default)]
struct Line {
    steps: Vec<(Timestamp, Step)>,
    /// Since when containers may have started.
    ready: Option<Timestamp>,
    /// Since when the pod was to end.
    asked: [Option<Timestamp>; 2],
    /// Of each container: just after the end of the instance before.
    ended: BTreeMap<String, Timestamp>,
}

impl Line {
    fn push(&mut self, at: Option<Time>, what: What, source: &str) -> Option<&mut Step> {
        self.push_after(&[], at, what, source)
    }

    /// A time in whole seconds is the beginning of a second. If the step can't precede another one in that second, it
    /// is sorted after it.
    fn push_after(
        &mut self,
        before: &[Option<Timestamp>],
        at: Option<Time>,
        what: What,
        source: &str,
    ) -> Option<&mut Step> {
        let at = at?;
        let step = Step {
            at,
            what,
            instance: None,
            by: None,
            detail: None,
            source: source.to_owned(),
            audit_id: None,
            session: None,
        };
        self.steps.push((place(at, before), step));
        self.steps.last_mut().map(|(_, step)| step)
    }
}

/// `before`: steps that it can't have come before.
fn place(at: Time, before: &[Option<Timestamp>]) -> Timestamp {
    let second = SignedDuration::ZERO..SignedDuration::from_secs(1);
    let in_its_second = |before: &&Timestamp| second.contains(&before.duration_since(at.instant));
    let before = before.iter().flatten().filter(in_its_second).max();
    let before = before.filter(|_| at.whole_seconds);
    before.copied().unwrap_or(at.instant)
}

fn beginning(pod: &Pod, life: &PodLife, line: &mut Line) {
    let (created, what, source) = match (pod.created_at, &pod.created_by) {
        (Some(at), Some(_)) => (
            Some(at),
            What::Created,
            "metadata.creationTimestamp; account from the create request",
        ),
        (Some(at), None) => (Some(at), What::Created, "metadata.creationTimestamp"),
        (None, Some(_)) => (
            life.first_seen,
            What::FirstSeen,
            "the first event about it; account from the create request",
        ),
        (None, None) => (life.first_seen, What::FirstSeen, "the first event about it"),
    };
    if let Some(step) = line.push(created, what, source) {
        step.by.clone_from(&pod.created_by);
    }
    let scheduled = line.push(pod.scheduled_at, What::Scheduled, "create of pods/binding");
    if let Some(step) = scheduled {
        step.detail.clone_from(&pod.node);
    }
    let scheduled = pod.scheduled_at.map(|at| at.instant);
    line.push_after(
        &[scheduled],
        pod.started_at,
        What::TakenUp,
        "status.startTime",
    );
    line.ready = pod
        .started_at
        .map(|at| place(at, &[scheduled]))
        .or(scheduled);
    for (ip, seen) in &life.ips {
        let source = "the first event with it in status.podIPs";
        if let Some(step) = line.push(Some(*seen), What::AddressSeen, source) {
            step.detail = Some(ip.clone());
        }
    }
}

/// What was changed of its labels and its workload: what it had before, and what it had then.
fn changes(pod: &Pod, life: &PodLife, line: &mut Line) {
    for (place, former) in life.former.iter().enumerate() {
        let (labels, workload) = match life.former.get(place + 1) {
            Some(next) => (&next.labels, next.workload.clone()),
            None => {
                let workload = pod.workload_kind.clone().zip(pod.workload.clone());
                (&pod.labels, workload)
            }
        };
        let source = "the first event with it in metadata";
        if let Some(step) = line.push(Some(former.until), What::Relabelled, source) {
            step.by.clone_from(&former.by);
            step.detail = Some(change(former, labels, workload.as_ref()));
        }
    }
}

fn change(
    former: &Former,
    labels: &BTreeMap<String, String>,
    workload: Option<&(String, String)>,
) -> String {
    let mut parts = Vec::new();
    if former.workload.as_ref() != workload {
        let name = |workload: Option<&(String, String)>| {
            workload.map_or("no workload".to_owned(), |(kind, name)| {
                format!("{kind}/{name}")
            })
        };
        let (before, after) = (name(former.workload.as_ref()), name(workload));
        parts.push(format!("{before} -> {after}"));
    }
    for (key, value) in &former.labels {
        match labels.get(key) {
            None => parts.push(format!("-{key}={value}")),
            Some(now) if now != value => parts.push(format!("{key}={value} -> {now}")),
            Some(_) => {}
        }
    }
    let added = labels
        .iter()
        .filter(|(key, _)| !former.labels.contains_key(*key));
    parts.extend(added.map(|(key, value)| format!("+{key}={value}")));
    parts.join(", ")
}

/// The first request for the pod's end, and its disruption.
fn asked(life: &PodLife) -> [Option<Timestamp>; 2] {
    let asked = [&life.deletion, &life.eviction, &life.forced];
    let asked = asked.into_iter().flatten().map(|asked| asked.at.instant);
    [
        asked.min(),
        life.disrupted.as_ref().map(|(at, _)| at.instant),
    ]
}

fn instance(container: &Container, all: &[Container], line: &mut Line) {
    let ready = [line.ready, line.ended.get(&container.container).copied()];
    let source = "the container's status: startedAt";
    let started = line.push_after(&ready, container.started_at, What::ContainerStarted, source);
    if let Some(step) = started {
        step.instance = Some(instance_of(container));
    }
    let start = container.started_at.map(|at| place(at, &ready));
    // The reason of its end shows whether that came after the request for the pod's end.
    let by_itself = |why: &str| {
        let why = EndedWhy::of_word(why);
        matches!(why, Some(EndedWhy::Exited | EndedWhy::Unknown))
    };
    let mut before = vec![start];
    if !container.ended_why.as_deref().is_none_or(by_itself) {
        before.extend(line.asked);
    }
    let source = match container.end_seen {
        true => "the container's status: finishedAt",
        false => proof_of_end(container, all),
    };
    if let Some(at) = container.ended_at {
        let behind = place(at, &before) + SignedDuration::from_nanos(1);
        line.ended.insert(container.container.clone(), behind);
    }
    let ended = line.push_after(&before, container.ended_at, What::ContainerEnded, source);
    if let Some(step) = ended {
        step.instance = Some(instance_of(container));
        step.detail = how(container);
    }
}

fn session(session: &Session, line: &mut Line) {
    let source = format!("a request to its pods/{}", session.kind);
    if let Some(step) = line.push(session.began_at, What::Session, &source) {
        step.by.clone_from(&session.asked_by);
        step.audit_id.clone_from(&session.audit_id);
        step.detail.clone_from(&session.container);
        step.session = Some(session.clone());
    }
}

/// `OOMKilled(137)`, where a report has it.
fn how(container: &Container) -> Option<String> {
    let code = container.exit_code.map(|code| format!("({code})"));
    match (&container.reason, code) {
        (None, None) => None,
        (reason, code) => {
            let reason = reason.as_deref().unwrap_or("Terminated");
            Some(format!("{reason}{}", code.unwrap_or_default()))
        }
    }
}

/// The proof of an end without a report.
fn proof_of_end(container: &Container, all: &[Container]) -> &'static str {
    let ended = container.ended_at.map(|at| at.instant);
    if ended == container.pod_removed_at.map(|at| at.instant) {
        return "not reported; the removal of its pod";
    }
    let superseded = all.iter().any(|other| {
        other.container == container.container
            && other.restart > container.restart
            && other.started_at.map(|at| at.instant) == ended
    });
    match superseded {
        true => "not reported; the start of a later instance",
        false => "not reported; the proof that its pod was gone",
    }
}

fn ending(pod: &Pod, life: &PodLife, line: &mut Line) {
    let disrupted = life.disrupted.as_ref();
    let source = "condition DisruptionTarget: lastTransitionTime";
    // An eviction is what sets the condition; all others set it before they delete.
    let evicted = life.eviction.as_ref().map(|asked| asked.at.instant);
    let at = disrupted.map(|(at, _)| *at);
    if let Some(step) = line.push_after(&[evicted], at, What::Disrupted, source) {
        step.detail = disrupted.and_then(|(_, why)| why.clone());
    }
    // The first deletion may be the forced one, or the eviction.
    let is_another = |asked: &&Asked| {
        let others = [&life.forced, &life.eviction].into_iter().flatten();
        let mut others = others.map(|other| (other.at, &other.by));
        !others.any(|other| other == (asked.at, &asked.by))
    };
    let asked = [
        (
            life.eviction.as_ref(),
            What::EvictionAsked,
            "create of pods/eviction",
        ),
        (
            life.deletion.as_ref().filter(is_another),
            What::DeletionAsked,
            "a DELETE, or a deletecollection that listed it",
        ),
        (
            life.forced.as_ref(),
            What::DeletionForced,
            "a DELETE or deletecollection with grace 0",
        ),
        (
            life.hurried.as_ref(),
            What::Hurried,
            "a DELETE with a shorter grace period",
        ),
    ];
    for (asked, what, source) in asked {
        let Some(asked) = asked else { continue };
        if let Some(step) = line.push(Some(asked.at), what, source) {
            step.by.clone_from(&asked.by);
            step.audit_id.clone_from(&asked.event);
            let deadline = life.hurried_deadline.filter(|_| what == What::Hurried);
            step.detail = deadline.map(|at| format!("to be gone by {at}"));
        }
    }
    let source = "the first event with this phase";
    if let Some(step) = line.push(life.terminal_at, What::Finished, source) {
        step.detail.clone_from(&pod.phase);
    }
    let source = "the event with which the API server removed it";
    line.push(pod.removed_at, What::Removed, source);
    if let (None, Some((at, proof))) = (pod.removed_at, life.gone()) {
        line.push(Some(at), What::Gone, proof);
    }
}
