//! Steps and reasons in words.

use super::{Step, What};
use crate::query::Instance;

/// What the words of `ended_why` mean (schema/README.md has their evidence).
const WHY: [(&str, &str); 15] = [
    ("asked", "its deletion was asked for"),
    ("forced", "it was deleted without time to end"),
    (
        "evicted",
        "the eviction API was asked for its end, as a drain does",
    ),
    ("preempted", "it made room for a pod of higher priority"),
    ("tainted", "its node got a taint that it does not tolerate"),
    (
        "node pressure",
        "its node ran short, and the kubelet ended it",
    ),
    ("node lost", "its node was lost"),
    (
        "owner gone",
        "the garbage collector deleted it, as its owner was",
    ),
    ("namespace deleted", "its namespace was deleted"),
    (
        "scaled",
        "the controller of its workload deleted it: scaled down, rolled out or replaced",
    ),
    (
        "job stopped",
        "the controller of its Job deleted it: suspended, past its deadline, or failed too often",
    ),
    (
        "done",
        "it had finished, or its deadline had passed, before anybody asked",
    ),
    (
        "replaced",
        "all that is known is that another pod of its name was created",
    ),
    ("exited", "its process ended before its pod was to end"),
    ("unknown", "nothing says why"),
];

/// `evicted by alice: the eviction API ...`.
pub fn why(word: &str, by: Option<&str>) -> String {
    let by = by.map(|by| format!(" by {by}")).unwrap_or_default();
    match WHY.iter().find(|(known, _)| *known == word) {
        Some((_, meaning)) => format!("{word}{by}: {meaning}"),
        None => format!("{word}{by}"),
    }
}

/// `main #2`: the instance after two restarts.
pub fn instance(instance: &Instance) -> String {
    format!("{} #{}", instance.container, instance.restart)
}

pub fn step(step: &Step) -> String {
    let of = step.instance.as_ref().map(instance).unwrap_or_default();
    let detail = step.detail.as_deref().unwrap_or_default();
    let what = match step.what {
        What::Created => "created".to_owned(),
        What::FirstSeen => "first seen".to_owned(),
        What::Scheduled => format!("bound to {detail}"),
        What::TakenUp => "taken up by its node".to_owned(),
        What::Relabelled => format!("changed: {detail}"),
        What::Hurried => format!("told to end sooner, {detail}"),
        What::AddressSeen => format!("address {detail}"),
        What::ContainerStarted => format!("{of} started"),
        What::ContainerEnded if detail.is_empty() => format!("{of} over"),
        What::ContainerEnded => format!("{of} ended: {detail}"),
        What::Disrupted => format!("to be disrupted: {detail}"),
        What::EvictionAsked => "eviction asked for".to_owned(),
        What::DeletionAsked => "deletion asked for".to_owned(),
        What::DeletionForced => "deletion without grace asked for".to_owned(),
        What::Finished => format!("phase {detail}"),
        What::Removed => "removed".to_owned(),
        What::Gone => "gone by then".to_owned(),
    };
    match &step.by {
        Some(by) => format!("{what} by {by}"),
        None => what,
    }
}

/// What a step is known from, with the audit ID where there is one.
pub(super) fn source(step: &Step) -> String {
    match &step.audit_id {
        Some(id) => format!("{}; audit ID {id}", step.source),
        None => step.source.clone(),
    }
}
