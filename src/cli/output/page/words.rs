//! Steps and reasons in words.

use super::super::sessions::lasted;
use super::{Step, What};
use crate::audit::words::{EndedWhy, SessionKind};
use crate::query::{Instance, Session};

/// The meaning of a word of `ended_why` (schema/README.md has its evidence).
fn meaning(why: EndedWhy) -> &'static str {
    match why {
        EndedWhy::Deleted => "its deletion was requested",
        EndedWhy::ForceDeleted => "it was deleted with a grace period of 0",
        EndedWhy::Evicted => "evicted through the eviction API, as kubectl drain does",
        EndedWhy::Preempted => "it made room for a pod of higher priority",
        EndedWhy::TaintEvicted => "its node got a taint that it does not tolerate",
        EndedWhy::NodePressure => "its node ran short of resources, and the kubelet evicted it",
        EndedWhy::NodeLost => "its node was lost or shut down",
        EndedWhy::GarbageCollected => "its owner was deleted, so the garbage collector deleted it",
        EndedWhy::NamespaceDeleted => "its namespace was deleted",
        EndedWhy::ScaledOrRolledOut => {
            "the controller of its workload deleted it: scaled down, rolled out or replaced"
        }
        EndedWhy::JobStopped => {
            "the controller of its Job deleted it: suspended, past its deadline, or failed too often"
        }
        EndedWhy::DeadlineExceeded => "its own deadline (activeDeadlineSeconds) had passed",
        EndedWhy::Finished => "it had finished before anyone requested its end",
        EndedWhy::Exited => "its process ended before the end of its pod was requested",
        EndedWhy::Unknown => "no event says why",
    }
}

/// `evicted by alice: evicted through ...`. A word of a newer build has no explanation.
pub fn why(word: &str, by: Option<&str>) -> String {
    let by = by.map(|by| format!(" by {by}")).unwrap_or_default();
    match EndedWhy::of_word(word) {
        Some(why) => format!("{word}{by}: {}", meaning(why)),
        None => format!("{word}{by}"),
    }
}

/// `main #2`: the instance after two restarts.
pub fn instance(instance: &Instance) -> String {
    format!("{} #{}", instance.container, instance.restart)
}

pub fn step(step: &Step) -> String {
    if let Some(told) = &step.session {
        return session(told);
    }
    let of = step.instance.as_ref().map(instance).unwrap_or_default();
    let detail = step.detail.as_deref().unwrap_or_default();
    let what = match step.what {
        What::Created => "created".to_owned(),
        What::FirstSeen => "first seen".to_owned(),
        What::Scheduled => format!("bound to {detail}"),
        What::TakenUp => "accepted by the kubelet".to_owned(),
        What::Relabelled => format!("changed: {detail}"),
        What::Hurried => format!("end moved forward, {detail}"),
        What::AddressSeen => format!("address {detail}"),
        What::Session => "a session".to_owned(),
        What::ContainerStarted => format!("{of} started"),
        What::ContainerEnded if detail.is_empty() => format!("{of} ended (not reported)"),
        What::ContainerEnded => format!("{of} ended: {detail}"),
        What::Disrupted => format!("disruption target: {detail}"),
        What::EvictionAsked => "eviction requested".to_owned(),
        What::DeletionAsked => "deletion requested".to_owned(),
        What::DeletionForced => "forced deletion requested".to_owned(),
        What::Finished => format!("phase {detail}"),
        What::Removed => "removed".to_owned(),
        What::Gone => "gone by now".to_owned(),
    };
    match &step.by {
        Some(by) => format!("{what} by {by}"),
        None => what,
    }
}

/// `exec in main by alice from 10.0.0.7 for 3m`.
fn session(session: &Session) -> String {
    let kind = SessionKind::of_word(&session.kind);
    let container = session.container.as_deref();
    let what = match (kind, container) {
        (Some(SessionKind::Exec), Some(container)) => format!("exec in {container}"),
        (Some(SessionKind::Attach), Some(container)) => format!("attach to {container}"),
        (Some(SessionKind::PortForward), _) => "port-forward".to_owned(),
        (Some(SessionKind::EphemeralContainers), Some(name)) if session.is_refused() => {
            format!("ephemeral container {name}")
        }
        (Some(SessionKind::EphemeralContainers), Some(name)) => {
            format!("ephemeral container {name} added")
        }
        (Some(SessionKind::EphemeralContainers), None) => "ephemeral containers".to_owned(),
        _ => session.kind.clone(),
    };
    let part = |word: &str, text: &Option<String>| {
        let text = text.as_ref().map(|text| format!(" {word} {text}"));
        text.unwrap_or_default()
    };
    let who = [
        part("by", &session.asked_by),
        part("from", &session.source),
        part("via", &session.via),
    ];
    format!("{what}{}{}", who.concat(), became(session, kind))
}

fn became(session: &Session, kind: Option<SessionKind>) -> String {
    let lasts = kind.is_some_and(SessionKind::is_stream);
    match (session.code, session.over_at) {
        (Some(code), _) if session.is_refused() => format!(", rejected: {code}"),
        (_, Some(_)) if lasts => format!(" for {}", lasted(session)),
        (_, None) if lasts => ", no end reported".to_owned(),
        _ => String::new(),
    }
}

/// What a step is known from, with the audit ID where there is one.
pub(super) fn source(step: &Step) -> String {
    match &step.audit_id {
        Some(id) => format!("{}; audit ID {id}", step.source),
        None => step.source.clone(),
    }
}
