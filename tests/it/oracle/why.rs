//! Why a life ended, and who asked for it.

use super::fold::{Asked, Pod, earlier};
use super::names::{Meant, Proof};
use crate::lives::{SECOND, Text};

/// Of a pod, whether or not it has ended.
#[derive(Clone, Debug, Default)]
pub struct Why {
    pub word: &'static str,
    pub by: Asked,
    /// Since when it was ending, in microseconds.
    pub since: Option<i64>,
    /// Who asked first, for whatever reason.
    pub asked: Asked,
    /// Who asked first for its eviction, and for an end without delay.
    pub evict_asked: Asked,
    pub force_asked: Asked,
}

/// The condition stays for some minutes where the deletion failed.
const STALE_MILLIS: i64 = 600_000;

const CONTROLLERS: &str = "system:serviceaccount:kube-system:";

impl Why {
    /// `gone` is the proof where nobody saw it go, `end` when it went, in microseconds.
    pub fn of(pod: &Pod, meant: &Meant, gone: Option<Proof>, end: Option<i64>) -> Why {
        let told = earlier(pod.delete_asked.clone(), pod.evict_asked.clone());
        let asked = earlier(told, meant.asked.clone());
        let evict_asked = earlier(pod.evict_asked.clone(), meant.evict_asked.clone());
        let force_asked = earlier(pod.force_asked.clone(), meant.force_asked.clone());
        let asked_at = asked.as_ref().map(|(at, ..)| *at);
        let finished_at = pod.terminal_at;
        let disruption = pod
            .disrupted
            .as_ref()
            .and_then(|(since, reason)| Some((*since, of_disruption(reason, &pod.reason)?)));
        let by_kubelet = is_by_kubelet(pod);
        // A condition knows whole seconds.
        let before = |since: i64, other: Option<i64>| {
            other.is_none_or(|other| since - since.rem_euclid(1_000) <= other)
        };
        let finished_first = finished_at.is_some() && earlier(finished_at, asked_at) != asked_at;
        let first = earlier(asked_at, finished_at.map(|at| at - at.rem_euclid(1_000)));
        if let Some((since, word)) = disruption
            && before(since, asked_at)
            && before(since, finished_at)
            && (by_kubelet
                || earlier(earlier(asked_at, finished_at).map(micros), end)
                    .is_some_and(|at| at <= micros(since + STALE_MILLIS)))
        {
            let by = match word {
                _ if by_kubelet => None,
                "evicted" => evict_asked.clone().or_else(|| asked.clone()),
                _ => asked.clone(),
            };
            let since = earlier(Some(since), asked_at);
            return Why {
                word,
                by,
                since: since.map(micros),
                asked,
                evict_asked,
                force_asked,
            };
        }
        let (word, by) = match &asked {
            _ if finished_first => (of_reason(&pod.reason), None),
            None => (of_proof(gone), None),
            Some((at, user, _)) => {
                let evicted = evict_asked.as_ref().filter(|(evicted, ..)| evicted <= at);
                let forced = force_asked.clone().filter(|(at, user, _)| {
                    !user.starts_with(CONTROLLERS)
                        && &**user != "system:kube-controller-manager"
                        && finished_at.is_none_or(|finished| *at <= finished)
                });
                let has_node = !pod.node.is_empty() || !meant.node.is_empty();
                match (evicted, of_account(user), forced) {
                    (Some(_), ..) => ("evicted", evict_asked.clone()),
                    (None, Some("tainted"), _) if &*pod.reason == "NodeLost" => {
                        ("node lost", asked.clone())
                    }
                    (None, Some(word), _) => (word, asked.clone()),
                    (None, None, Some(forced)) if has_node => ("forced", Some(forced)),
                    _ => ("asked", asked.clone()),
                }
            }
        };
        Why {
            word,
            by,
            since: first.map(micros),
            asked,
            evict_asked,
            force_asked,
        }
    }

    /// Of a container instance that ended; `reported` says whether somebody told of it.
    pub fn of_instance(&self, end: i64, reported: bool) -> (&'static str, Asked) {
        let by_itself =
            matches!(self.word, "" | "done") || self.since.is_none_or(|since| end <= since);
        match (by_itself, reported) {
            (true, true) => ("exited", None),
            (true, false) => ("unknown", None),
            (false, _) => (self.word, self.by.clone()),
        }
    }
}

fn is_by_kubelet(pod: &Pod) -> bool {
    let disrupted = pod.disrupted.as_ref();
    disrupted.is_some_and(|(_, reason)| &**reason == "TerminationByKubelet")
}

fn micros(millis: i64) -> i64 {
    millis * SECOND / 1_000
}

fn of_disruption(reason: &Text, status: &Text) -> Option<&'static str> {
    Some(match &**reason {
        "TerminationByKubelet" if of_reason(status) != "done" => of_reason(status),
        "EvictionByEvictionAPI" => "evicted",
        "PreemptionByScheduler" | "PreemptionByKubeScheduler" => "preempted",
        "DeletionByTaintManager" => "tainted",
        "DeletionByPodGC" => "node lost",
        "TerminationByKubelet" => "node pressure",
        _ => return None,
    })
}

fn of_reason(reason: &Text) -> &'static str {
    match &**reason {
        "Evicted" => "node pressure",
        "Preempting" => "preempted",
        "NodeLost" | "Terminated" | "NodeShutdown" | "Shutdown" => "node lost",
        _ => "done",
    }
}

fn of_proof(proof: Option<Proof>) -> &'static str {
    match proof {
        Some(Proof::Replaced) => "replaced",
        Some(Proof::NamespaceGone) => "namespace deleted",
        Some(Proof::NodeGone) => "node lost",
        _ => "unknown",
    }
}

fn of_account(user: &Text) -> Option<&'static str> {
    if &**user == "system:kube-scheduler" {
        return Some("preempted");
    }
    Some(match user.strip_prefix(CONTROLLERS)? {
        "generic-garbage-collector" => "owner gone",
        "pod-garbage-collector" => "node lost",
        "namespace-controller" => "namespace deleted",
        "node-controller" | "taint-eviction-controller" => "tainted",
        "replicaset-controller"
        | "statefulset-controller"
        | "job-controller"
        | "replication-controller"
        | "deployment-controller"
        | "cronjob-controller"
        | "daemon-set-controller" => "scaled",
        _ => return None,
    })
}
