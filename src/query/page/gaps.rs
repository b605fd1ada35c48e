//! What is not known, in sentences: what each word of `unknown` means, and what would mend it.

use std::collections::{BTreeMap, BTreeSet};

use super::{Gap, Instance, instance_of};
use crate::query::model::{Container, Pod};

/// How the count of instances that no event told of ends, in `unknown`. The page tells it of each container.
const UNSEEN: &str = "instances unseen";

/// What stands between a container that never started and why. The page tells it where it lists the containers.
const NOT_STARTED: &str = " not started: ";

/// Word, meaning, mend: of pods.
const OF_PODS: [(&str, &str, &str); 6] = [
    (
        "created unseen",
        "who created it is not known: the event is missing, or did not name it",
        "record the create of pods at level RequestResponse; what an audit log of that time still \
         has can be posted now",
    ),
    (
        "removal unseen",
        "it is gone, and nobody saw it go: its end is the first proof that it was gone",
        "record delete, deletecollection, patch and update of pods at level RequestResponse; what \
         an audit log of that time still has can be posted now",
    ),
    (
        "end not confirmed",
        "whether it still lives is not known: only events that came late spoke of it",
        "ask again in half an hour, when it has been joined with history",
    ),
    (
        "metadata only",
        "its state is not known: all events about it came at level Metadata",
        "record pods and pods/status at level RequestResponse",
    ),
    (
        "truncated",
        "some of its state may be missing: the API server cut an event that was too large",
        "raise --audit-webhook-truncate-max-event-size of the API server",
    ),
    (
        "workload inferred",
        "its workload was told from the name of its owner, and the owner itself was not read",
        "nothing needs it: Kubernetes names owners so, and only one that somebody named like this \
         by hand would mislead",
    ),
];

/// The same of container instances. What is inferred of the workload is told of the pod.
const OF_CONTAINERS: [(&str, &str, &str); 1] = [(
    "end not confirmed",
    "its end was not reported: how and when it ended is not known, the time told is when its pod \
     was gone or a later instance began",
    "nothing, if its kubelet never reported it (a forced deletion, a lost node, the mirror of a \
     static pod, whose containers go on); otherwise record pods/status at level RequestResponse, \
     or post an audit log of that time",
)];

pub(super) fn of(
    pod: &Pod,
    containers: &[Container],
    restart_counts: &[(String, u32)],
    seen: &BTreeMap<String, BTreeSet<u32>>,
) -> Vec<Gap> {
    let counted = |word: &&String| !word.ends_with(UNSEEN);
    let mut gaps: Vec<Gap> = pod
        .unknown
        .iter()
        .filter(|word| counted(word) && !word.contains(NOT_STARTED))
        .map(|word| gap(&OF_PODS, word, None))
        .collect();
    for container in containers {
        let own = container.unknown.iter().filter(counted);
        let own = own.filter(|word| *word != "workload inferred");
        gaps.extend(own.map(|word| gap(&OF_CONTAINERS, word, Some(instance_of(container)))));
    }
    gaps.extend(
        restart_counts
            .iter()
            .filter_map(|(name, count)| unseen(name, *count, seen.get(name))),
    );
    gaps
}

fn gap(table: &[(&str, &str, &str)], word: &str, instance: Option<Instance>) -> Gap {
    let (_, means, mend) = table.iter().find(|(known, ..)| *known == word).unwrap_or(&(
        "",
        "see schema/README.md",
        "see schema/README.md",
    ));
    Gap {
        what: word.to_owned(),
        instance,
        means: (*means).to_owned(),
        mend: (*mend).to_owned(),
    }
}

/// Instances that the restart count tells of and that no event did.
fn unseen(container: &str, restarts: u32, seen: Option<&BTreeSet<u32>>) -> Option<Gap> {
    let started = u64::from(restarts) + 1;
    let seen = seen.map_or(0, |seen| seen.range(..=restarts).count() as u64);
    let missing = started.checked_sub(seen).filter(|missing| *missing > 0)?;
    Some(Gap {
        what: format!("{missing} {UNSEEN}"),
        instance: None,
        means: format!(
            "the restart count of {container} tells of {started} instances, events told of {seen}"
        ),
        mend: "nothing, if they began and ended between two statuses; otherwise record \
               pods/status at level RequestResponse, or post an audit log of that time"
            .to_owned(),
    })
}
