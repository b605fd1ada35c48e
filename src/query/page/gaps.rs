//! What is not known, in sentences: what each word of `unknown` means, and what would mend it.

use std::collections::{BTreeMap, BTreeSet};

use super::{Gap, Instance, instance_of};
use crate::audit::words::{CLOCK_OFF, INSTANCES_UNSEEN, NOT_STARTED, Unknown, instances_unseen};
use crate::query::model::{Container, Pod};

/// What a word means, and what would mend it.
type Words = (&'static str, &'static str);

/// Of a node whose clock is off.
const CLOCK: Words = (
    "the times of its start and its end are those of its node's clock, which the API server's times of the same events \
     contradict: it is found at the API server's",
    "set the clock of the node",
);

/// Of a word that a newer build stored.
const WORD_UNKNOWN: Words = ("see schema/README.md", "see schema/README.md");

fn of_pod(unknown: Unknown) -> Words {
    match unknown {
        Unknown::CreatedUnseen => (
            "who created it is not known: the event is missing, or did not name it",
            "record the create of pods at level RequestResponse; what an audit log of that time still \
             has can be posted now",
        ),
        Unknown::RemovalUnseen => (
            "it is gone, and nobody saw it go: its end is the first proof that it was gone",
            "record delete, deletecollection, patch and update of pods at level RequestResponse; what \
             an audit log of that time still has can be posted now",
        ),
        Unknown::EndNotConfirmed => (
            "whether it still lives is not known: only events that came late spoke of it, and none of \
             its end",
            "nothing, if it still lives: its next event confirms that; otherwise post an audit log of the \
             time after",
        ),
        Unknown::MetadataOnly => (
            "its state is not known: all events about it came at level Metadata",
            "record pods and pods/status at level RequestResponse",
        ),
        Unknown::Truncated => (
            "some of its state may be missing, or its end: an event was cut, held what can't be, or did not tell what \
             became of its request",
            "where the API server cuts events, raise its --audit-webhook-truncate-max-event-size; nothing mends the rest",
        ),
        Unknown::RequestUnseen => (
            "somebody asked for its end before whoever is known to have asked, or instead: its deadline tells when, and \
             not who",
            "record delete and deletecollection of pods, and pods/eviction; what an audit log of that time still has can be \
             posted now",
        ),
        Unknown::CameBack => (
            "it was removed, and seen again minutes later: its cluster was restored from a backup",
            "nothing: both are true",
        ),
        Unknown::MirrorRemoved => (
            "the API's image of a static pod was removed, and no end of its container was reported: that may run on, under \
             the next image",
            "look for its container ID: the next pod of that name may have it",
        ),
        Unknown::EndsDiffer => (
            "its kubelet reported its end twice, and differently: the first report counts",
            "nothing: look at the events of that time",
        ),
        Unknown::StartedAgain => (
            "its runtime started it again under its ID: it is told from the first start to the last end",
            "nothing: Docker does so when somebody starts a container by hand",
        ),
        Unknown::WorkloadInferred => (
            "its workload was told from the name of its owner, and the owner itself was not read",
            "nothing needs it: Kubernetes names owners so, and only one that somebody named like this \
             by hand would mislead",
        ),
    }
}

/// Of a container instance, where that differs from its pod's.
fn of_container(unknown: Unknown, container: &Container) -> Words {
    match (unknown, container.ended_at) {
        (Unknown::EndNotConfirmed, Some(_)) => (
            "its end was not reported: how and when it ended is not known, the time told is when its \
             pod was gone or a later instance began",
            "nothing, if its kubelet never reported it (a forced deletion, a lost node, the mirror of a \
             static pod, whose containers go on); otherwise record pods/status at level \
             RequestResponse, or post an audit log of that time",
        ),
        (Unknown::EndNotConfirmed, None) => (
            "whether it still runs is not known: only events that came late spoke of it, and none of \
             its end",
            "nothing, if it still runs: its next event confirms that; otherwise post an audit log of the \
             time after",
        ),
        (other, _) => of_pod(other),
    }
}

pub(super) fn of(
    pod: &Pod,
    containers: &[Container],
    restart_counts: &[(String, u32)],
    seen: &BTreeMap<String, BTreeSet<u32>>,
) -> Vec<Gap> {
    let counted = |word: &&String| !word.ends_with(INSTANCES_UNSEEN);
    let mut gaps: Vec<Gap> = pod
        .unknown
        .iter()
        .filter(|word| counted(word) && !word.contains(NOT_STARTED))
        .map(|word| gap(word, None, of_pod))
        .collect();
    for container in containers {
        let own = container.unknown.iter().filter(counted);
        // What is inferred of the workload is told of the pod.
        let own = own.filter(|word| *word != Unknown::WorkloadInferred.word());
        let words = |unknown| of_container(unknown, container);
        gaps.extend(own.map(|word| gap(word, Some(instance_of(container)), words)));
    }
    gaps.extend(
        restart_counts
            .iter()
            .filter_map(|(name, count)| unseen(name, *count, seen.get(name))),
    );
    gaps
}

fn gap(word: &str, instance: Option<Instance>, words: impl FnOnce(Unknown) -> Words) -> Gap {
    let (means, mend) = match word.starts_with(CLOCK_OFF) {
        true => CLOCK,
        false => Unknown::of_word(word).map_or(WORD_UNKNOWN, words),
    };
    Gap {
        what: word.to_owned(),
        instance,
        means: means.to_owned(),
        mend: mend.to_owned(),
    }
}

/// Instances that the restart count tells of and that no event did.
fn unseen(container: &str, restarts: u32, seen: Option<&BTreeSet<u32>>) -> Option<Gap> {
    let started = u64::from(restarts) + 1;
    let seen = seen.map_or(0, |seen| seen.range(..=restarts).count() as u64);
    let missing = started.checked_sub(seen).filter(|missing| *missing > 0)?;
    Some(Gap {
        what: instances_unseen(missing),
        instance: None,
        means: format!(
            "the restart count of {container} tells of {started} instances, events told of {seen}"
        ),
        mend: "nothing, if they began and ended between two statuses; otherwise record \
               pods/status at level RequestResponse, or post an audit log of that time"
            .to_owned(),
    })
}
