//! The unknowns as sentences: the meaning of each word of `unknown`, and how to fix it.

use std::collections::{BTreeMap, BTreeSet};

use super::{Gap, Instance, instance_of};
use crate::audit::words::{CLOCK_OFF, INSTANCES_UNSEEN, NOT_STARTED, Unknown, instances_unseen};
use crate::query::model::{Container, Pod};

/// The meaning of a word, and how to fix it.
type Words = (&'static str, &'static str);

/// Of a node whose clock is off.
const CLOCK: Words = (
    "its start and end are by its node's clock, which disagrees with the API server's: filters use the API \
     server's times",
    "synchronize the node's clock",
);

/// Of a word that a newer build stored.
const WORD_UNKNOWN: Words = ("see schema/README.md", "see schema/README.md");

fn of_pod(unknown: Unknown) -> Words {
    match unknown {
        Unknown::CreatedUnseen => (
            "its creator is unknown: the event is missing, or did not name the pod",
            "record create of pods at level RequestResponse; an audit log of that time can still be posted",
        ),
        Unknown::RemovalUnseen => (
            "its removal was not seen: its end is the first proof that it was gone",
            "record delete, deletecollection, patch and update of pods at level RequestResponse; an audit \
             log of that time can still be posted",
        ),
        Unknown::EndNotConfirmed => (
            "whether it still exists is unknown: all events about it arrived late, and none reports its end",
            "none needed if it still exists: its next event confirms that; otherwise post an audit log of \
             the time after",
        ),
        Unknown::MetadataOnly => (
            "its state is unknown: all events about it were recorded at level Metadata",
            "record pods and pods/status at level RequestResponse",
        ),
        Unknown::Truncated => (
            "some of its state, or its end, may be missing: an event was truncated, had invalid values, or \
             did not report the outcome of its request",
            "if the API server truncates events, raise its --audit-webhook-truncate-max-event-size; there is \
             no fix for the rest",
        ),
        Unknown::RequestUnseen => (
            "the first request for its end is missing: its deadline shows when it was made, but not by whom",
            "record delete and deletecollection of pods, and pods/eviction; an audit log of that time can \
             still be posted",
        ),
        Unknown::CameBack => (
            "it was removed, and seen again minutes later: its cluster was restored from a backup",
            "none needed: both are true",
        ),
        Unknown::MirrorRemoved => (
            "the mirror pod of a static pod was removed, and no end of its container was reported: it may \
             still run, under the next mirror pod",
            "look for its container ID: the next pod of that name may have it",
        ),
        Unknown::EndsDiffer => (
            "its kubelet reported two different ends: the first one counts",
            "none: check the events of that time",
        ),
        Unknown::StartedAgain => (
            "its runtime restarted it with the same ID: it is shown from the first start to the last end",
            "none: Docker does this when a container is started by hand",
        ),
        Unknown::WorkloadInferred => (
            "its workload was inferred from its owner's name; the owner itself was not read",
            "none needed: Kubernetes names owners this way; only one named like this by hand would mislead",
        ),
    }
}

/// Of a container instance, where that differs from its pod's.
fn of_container(unknown: Unknown, container: &Container) -> Words {
    match (unknown, container.ended_at) {
        (Unknown::EndNotConfirmed, Some(_)) => (
            "its end was not reported: how and when it ended is unknown; the time shown is when its pod was \
             gone or a later instance started",
            "none if its kubelet never reported it (a forced deletion, a lost node, the mirror of a static pod, whose containers keep running); otherwise record pods/status at level \
             RequestResponse, or post an audit log of that time",
        ),
        (Unknown::EndNotConfirmed, None) => (
            "whether it still runs is unknown: all events about it arrived late, and none reports its end",
            "none needed if it still runs: its next event confirms that; otherwise post an audit log of the \
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
        // An inferred workload is reported for the pod.
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
    let (meaning, fix) = match word.starts_with(CLOCK_OFF) {
        true => CLOCK,
        false => Unknown::of_word(word).map_or(WORD_UNKNOWN, words),
    };
    Gap {
        what: word.to_owned(),
        instance,
        meaning: meaning.to_owned(),
        fix: fix.to_owned(),
    }
}

/// Instances that are in the restart count and in no event.
fn unseen(container: &str, restarts: u32, seen: Option<&BTreeSet<u32>>) -> Option<Gap> {
    let started = u64::from(restarts) + 1;
    let seen = seen.map_or(0, |seen| seen.range(..=restarts).count() as u64);
    let missing = started.checked_sub(seen).filter(|missing| *missing > 0)?;
    Some(Gap {
        what: instances_unseen(missing),
        instance: None,
        meaning: format!(
            "the restart count of {container} implies {started} instances, events reported {seen}"
        ),
        fix: "none if they started and ended between two statuses; otherwise record \
               pods/status at level RequestResponse, or post an audit log of that time"
            .to_owned(),
    })
}
