//! Why a life ended, and who asked for it.

use super::described::newest;
use super::fold::{Asked, Pod, earlier};
use super::names::{Meant, Proof};
use crate::lives::{DAY, MINUTE, SECOND, Text};

/// All requests for the end of a pod, the first of each kind.
#[derive(Clone, Debug, Default)]
pub struct Requests {
    /// For whatever reason. Where nobody is known to have asked, but somebody had, without a name.
    pub asked: Asked,
    /// Whether it is known by what came of it alone.
    pub unseen: bool,
    /// For its eviction, and for an end without delay.
    pub evict_asked: Asked,
    pub force_asked: Asked,
    /// Another one that left it less time than the others did, and until when.
    pub hurried: Option<(u32, (i64, Text, Text))>,
}

/// Of a pod, whether or not it has ended.
#[derive(Clone, Debug, Default)]
pub struct Why {
    pub word: &'static str,
    pub by: Asked,
    /// Since when it was ending, in microseconds.
    pub since: Option<i64>,
}

/// Times that API servers tell, or that deadlines tell in seconds, may differ by so much.
const APART_MILLIS: i64 = 2_000;

/// How long pods have to end if nobody says it.
const GRACE_MILLIS: i64 = 30_000;

impl Requests {
    pub fn of(pod: &Pod, meant: &Meant) -> Requests {
        // Whoever reports what a pod does is its kubelet. That deletes what has ended.
        let is_kubelet = |(_, user, acting_as): &(i64, Text, Text)| {
            let account = if acting_as.is_empty() {
                user
            } else {
                acting_as
            };
            !pod.reporter.is_empty() && *account == pod.reporter
        };
        let told = earlier(pod.delete_asked.clone(), pod.evict_asked.clone());
        let first = earlier(told, meant.asked.clone());
        let forced = earlier(pod.force_asked.clone(), meant.force_asked.clone());
        let is_last = first.as_ref().is_some_and(is_kubelet) && first == forced;
        let known = first.clone().filter(|_| !is_last);
        let unseen = match (pod.asked_before, &known) {
            (Some(before), Some((at, ..))) => (before + APART_MILLIS < *at).then_some(before),
            (Some(before), None) => Some(before),
            // A kubelet deletes what somebody wanted to end.
            (None, None) if pod.by_kubelet || is_last => {
                let ended = earlier(pod.terminal_at(), pod.emptied_at);
                earlier(ended, pod.removed_first())
            }
            (None, _) => None,
        };
        let hurried = pod.hurried.clone().filter(|(_, asked)| {
            let is_other = known.as_ref() != Some(asked) && forced.as_ref() != Some(asked);
            is_other && !is_kubelet(asked) && !asked.1.starts_with("system:node:")
        });
        Requests {
            asked: unseen
                .map(|at| (at, Text::default(), Text::default()))
                .or(known),
            unseen: unseen.is_some(),
            evict_asked: earlier(pod.evict_asked.clone(), meant.evict_asked.clone()),
            force_asked: forced.filter(|asked| !is_kubelet(asked)),
            hurried,
        }
    }

    /// When it was gone at the latest, since it was to end and its containers had ended, in microseconds.
    pub fn grace_over(&self, pod: &Pod) -> Option<i64> {
        let has_ended = pod.emptied_at.is_some() || pod.terminal.is_some();
        let deadline = i64::from(pod.deadline) * SECOND;
        let over = deadline + 10 * MINUTE;
        let is_held = matches!(newest(pod), Some((.., true)));
        let seen = pod.seen.last - pod.seen.last.rem_euclid(1_000);
        let holds = self.asked.is_some()
            && pod.deadline != 0
            && has_ended
            && !is_held
            // A deadline that is far away is no deadline.
            && deadline <= seen + DAY
            && pod.seen.last <= over;
        holds.then_some(over)
    }
}

/// The condition stays for some minutes where the deletion failed.
const STALE_MILLIS: i64 = 600_000;

const CONTROLLERS: &str = "system:serviceaccount:kube-system:";

impl Why {
    /// `gone` is the proof where nobody saw it go, `end` when it went, in microseconds.
    pub fn of(
        pod: &Pod,
        requests: &Requests,
        has_node: bool,
        (gone, end): (Option<Proof>, Option<i64>),
    ) -> Why {
        let Requests {
            asked,
            evict_asked,
            force_asked,
            ..
        } = requests;
        let asked_at = asked.as_ref().map(|(at, ..)| *at);
        let finished_at = pod.terminal_at();
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
        let asked_since = match asked {
            // Some time before it had ended.
            Some((at, user, _)) if user.is_empty() && pod.asked_before.is_none() => {
                Some(at - GRACE_MILLIS)
            }
            _ => asked_at,
        };
        let first = earlier(asked_since, finished_at.map(|at| stopped_at(pod, at)));
        let by_controller = asked.as_ref().and_then(|(_, user, _)| of_account(user));
        if let Some((since, word)) = disruption
            && (by_kubelet || by_controller.is_none_or(|controller| controller == word))
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
            };
        }
        let (word, by) = match asked {
            _ if finished_first => (of_reason(&pod.reason), None),
            None => (of_proof(gone), None),
            Some((asked_at, user, _)) => {
                let evicted = evict_asked.as_ref();
                let evicted = evicted.filter(|(evicted, ..)| evicted <= asked_at);
                let forced = force_asked.clone();
                let forced = forced.filter(|forced| forces(pod, forced, *asked_at));
                match (evicted, of_account(user), forced) {
                    (Some(_), ..) => ("evicted", evict_asked.clone()),
                    (None, Some("taint-evicted"), _) if &*pod.reason == "NodeLost" => {
                        ("node-lost", asked.clone())
                    }
                    (None, Some(word), _) => (word, asked.clone()),
                    (None, None, Some(forced)) if has_node => ("force-deleted", Some(forced)),
                    _ if user.is_empty() => ("unknown", asked.clone()),
                    _ => ("deleted", asked.clone()),
                }
            }
        };
        Why {
            word,
            by,
            since: first.map(micros),
        }
    }

    /// Of a container instance that ended; `reported` says whether somebody told of it, `pod_end` when its pod was gone.
    pub fn of_instance(
        &self,
        (end, reported, clock_off): (i64, bool, i64),
        pod_end: Option<i64>,
    ) -> (&'static str, Asked) {
        // By another clock, a report has the time.
        let first = end + i64::from(reported && clock_off != 0);
        let is_within = self.since.is_some_and(|since| since < first);
        let is_with_pod = !reported && Some(end) == pod_end;
        match !matches!(self.word, "" | "finished") && (is_within || is_with_pod) {
            true => (self.word, self.by.clone()),
            false => (by_itself(reported), None),
        }
    }
}

/// With which its pod had nothing to do.
pub fn by_itself(reported: bool) -> &'static str {
    if reported { "exited" } else { "unknown" }
}

/// Whether this request, which leaves no time, is what ended the pod.
fn forces(pod: &Pod, (at, user, _): &(i64, Text, Text), asked_at: i64) -> bool {
    // What has ended when it was asked to, nobody forces.
    let had_ended = asked_at < *at && pod.emptied_at.is_some_and(|ended| ended < *at);
    let is_controller =
        user.starts_with(CONTROLLERS) || &**user == "system:kube-controller-manager";
    let is_first = pod.terminal_at().is_none_or(|finished| *at <= finished);
    !had_ended && !is_controller && is_first
}

/// Since when the containers may have been stopped of a pod whose end is reported at this time.
fn stopped_at(pod: &Pod, reported: i64) -> i64 {
    let stops_them = of_reason(&pod.reason) == "deadline-exceeded";
    reported - reported.rem_euclid(1_000) - if stops_them { GRACE_MILLIS } else { 0 }
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
        "TerminationByKubelet" if of_reason(status) != "finished" => of_reason(status),
        "EvictionByEvictionAPI" => "evicted",
        "PreemptionByScheduler" | "PreemptionByKubeScheduler" => "preempted",
        "DeletionByTaintManager" => "taint-evicted",
        "DeletionByPodGC" => "node-lost",
        "TerminationByKubelet" => "node-pressure",
        _ => return None,
    })
}

fn of_reason(reason: &Text) -> &'static str {
    match &**reason {
        "Evicted" => "node-pressure",
        "DeadlineExceeded" => "deadline-exceeded",
        "Preempting" => "preempted",
        "NodeLost" | "Terminated" | "NodeShutdown" | "Shutdown" => "node-lost",
        _ => "finished",
    }
}

fn of_proof(proof: Option<Proof>) -> &'static str {
    match proof {
        Some(Proof::NodeGone) => "node-lost",
        _ => "unknown",
    }
}

fn of_account(user: &Text) -> Option<&'static str> {
    if &**user == "system:kube-scheduler" {
        return Some("preempted");
    }
    Some(match user.strip_prefix(CONTROLLERS)? {
        "generic-garbage-collector" => "garbage-collected",
        "pod-garbage-collector" => "node-lost",
        "namespace-controller" => "namespace-deleted",
        "node-controller" | "taint-eviction-controller" => "taint-evicted",
        "job-controller" => "job-stopped",
        "replicaset-controller"
        | "statefulset-controller"
        | "replication-controller"
        | "deployment-controller"
        | "cronjob-controller"
        | "daemon-set-controller" => "scaled-or-rolled-out",
        _ => return None,
    })
}
