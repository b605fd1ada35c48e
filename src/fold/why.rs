//! Why a pod ended, and which account requested it.

use crate::audit::words::{EndedWhy, Proof};

use super::life::{Asked, Life, first};
use super::names::Named;

/// All requests for the end of a pod, the first of each kind.
#[derive(Clone, Debug, Default)]
pub(super) struct Requests<'a> {
    pub any: Option<Asked<'a>>,
    pub eviction: Option<Asked<'a>>,
    /// Which left it the least time, where that is another one.
    pub hurried: Option<Asked<'a>>,
    pub forced: Option<Asked<'a>>,
}

/// Why a pod ends, whether or not it has.
#[derive(Clone, Debug, Default)]
pub(super) struct Why<'a> {
    /// `None` where nothing is known yet.
    pub why: Option<EndedWhy>,
    pub by: Option<Asked<'a>>,
    /// Since when it was ending, in microseconds.
    pub since: Option<i64>,
}

/// A component that sets the condition of disruption deletes the pod at once. If that failed, the condition stays for
/// some minutes, and a later end of the pod is unrelated. Milliseconds.
const DISRUPTION_FRESH: i64 = 600_000;

const CONTROLLERS: &str = "system:serviceaccount:kube-system:";
const CONTROLLER_MANAGER: &str = "system:kube-controller-manager";
const SCHEDULER: &str = "system:kube-scheduler";

/// By the condition of a kubelet that ends a pod itself.
const BY_KUBELET: &str = "TerminationByKubelet";

/// A request is known to the second where only the deadline shows it; and times from several API servers may differ
/// by a second. Milliseconds.
const SECONDS_APART: i64 = 2_000;

/// The default grace period of a pod: this long before its last event its containers may have been told to stop.
/// Milliseconds.
const GRACE: i64 = 30_000;

/// All requests for its end, and whether the first is known by its deadline, or its kubelet's deletion, alone.
pub(super) fn requests<'a>(life: &Life<'a>, named: &Named<'a>) -> (Requests<'a>, bool) {
    // A kubelet deletes what has ended, whatever its account is called: it is the one that reports.
    let is_kubelet = |asked: &Asked| {
        let account = if asked.acting_as.is_empty() {
            asked.user
        } else {
            asked.acting_as
        };
        !life.reporter.is_empty() && account == life.reporter
    };
    let forced = first([&life.force_asked, &named.forced]);
    let any = first([&life.delete_asked, &life.evict_asked, &named.asked]);
    let carries_out = |asked: &Asked<'a>| is_kubelet(asked) && forced.as_ref() == Some(asked);
    let by_kubelet = life.by_kubelet || any.as_ref().is_some_and(carries_out);
    let any = any.filter(|asked| !carries_out(asked));
    let before = life.asked_before.filter(|before| {
        let known = any.as_ref().map(|any| any.at);
        known.is_none_or(|at| *before + SECONDS_APART < at)
    });
    let removed = life.removed.map(|removed| removed.first);
    let ended = least([life.terminal_at(), life.emptied_at, removed]);
    let unseen = match (before, &any) {
        (Some(before), _) => Some(before),
        (None, None) if by_kubelet => ended,
        _ => None,
    };
    let nobody = unseen.map(|at| Asked {
        at,
        user: "",
        acting_as: "",
        audit_id: "",
    });
    let is_by_node = |asked: &Asked| asked.user.starts_with("system:node:");
    let hurried = life.hurried.as_ref().map(|(_, asked)| asked.clone());
    let requests = Requests {
        hurried: hurried.filter(|asked| {
            let is_another = any.as_ref() != Some(asked) && forced.as_ref() != Some(asked);
            is_another && !is_kubelet(asked) && !is_by_node(asked)
        }),
        any: nobody.or(any),
        eviction: first([&life.evict_asked, &named.eviction]),
        forced: forced.filter(|asked| !is_kubelet(asked)),
    };
    (requests, unseen.is_some())
}

/// The beginning of the second, of milliseconds.
fn second(at: i64) -> i64 {
    at - at.rem_euclid(1_000)
}

/// `end`: when it was gone, in microseconds; `proof`: what proves that if its removal was not observed;
/// `has_node`: whether it ever had one.
pub(super) fn of_pod<'a>(
    life: &Life<'a>,
    requests: &Requests<'a>,
    end: Option<i64>,
    proof: Option<Proof>,
    has_node: bool,
) -> Why<'a> {
    let asked_at = requests.any.as_ref().map(|asked| asked.at);
    let asked_or_done = least([asked_at, life.terminal_at()]);
    if let Some((since, reason)) = life.disrupted
        && let Some(why) = of_disruption(reason, life.status_reason)
        && (reason == BY_KUBELET || !is_of_another(why, requests))
        && asked_or_done.is_none_or(|first| second(since) <= first)
        && (reason == BY_KUBELET
            || least([asked_or_done.map(|at| at * 1_000), end])
                .is_some_and(|at| at <= (since + DISRUPTION_FRESH) * 1_000))
    {
        // A kubelet's own deletion has no requester.
        let by = match why {
            _ if reason == BY_KUBELET => None,
            EndedWhy::Evicted => requests.eviction.as_ref().or(requests.any.as_ref()),
            EndedWhy::NodePressure => None,
            _ => requests.any.as_ref(),
        };
        return Why {
            why: Some(why),
            by: by.cloned(),
            since: least([Some(since), asked_at]).map(|at| at * 1_000),
        };
    }
    let asked_since = match (&requests.any, life.asked_before) {
        // It was some time before.
        (Some(asked), None) if asked.user.is_empty() => Some(asked.at - GRACE),
        _ => asked_at,
    };
    let of_itself = of_reason(life.status_reason);
    let finished_since = life.terminal_at().map(|done| match of_itself {
        // Its kubelet stops the containers first, and reports the phase when they have ended.
        EndedWhy::DeadlineExceeded => second(done) - GRACE,
        _ => second(done),
    });
    let since = least([asked_since, finished_since]).map(|at| at * 1_000);
    let finished_first = life
        .terminal_at()
        .is_some_and(|done| asked_at.is_none_or(|asked| done < asked));
    let (why, by) = match &requests.any {
        // A later deletion only cleans up.
        _ if finished_first => (Some(of_itself), None),
        None => (end.and_then(|_| of_proof(proof)), None),
        Some(asked) => of_request(life, requests, asked, has_node),
    };
    Why { why, by, since }
}

/// Whether another controller requested the end first. A component that disrupts a pod deletes it at once; but the
/// condition has only seconds, and others may send requests in that second as well.
fn is_of_another(why: EndedWhy, requests: &Requests) -> bool {
    let asked = requests.any.as_ref();
    let of_account = asked.and_then(|asked| of_account(asked.user));
    of_account.is_some_and(|other| other != why)
}

fn of_request<'a>(
    life: &Life<'a>,
    requests: &Requests<'a>,
    asked: &Asked<'a>,
    has_node: bool,
) -> (Option<EndedWhy>, Option<Asked<'a>>) {
    if let Some(eviction) = requests.eviction.as_ref().filter(|it| it.at <= asked.at) {
        return (Some(EndedWhy::Evicted), Some(eviction.clone()));
    }
    if let Some(why) = of_account(asked.user) {
        let lost = why == EndedWhy::TaintEvicted && life.status_reason == "NodeLost";
        let why = if lost { EndedWhy::NodeLost } else { why };
        return (Some(why), Some(asked.clone()));
    }
    let forced = requests.forced.as_ref().filter(|forced| {
        // Once its containers had ended after a request, a later force deletion changed nothing.
        let has_ended =
            asked.at < forced.at && life.emptied_at.is_some_and(|ended| ended < forced.at);
        has_node
            && !has_ended
            && life.terminal_at().is_none_or(|done| forced.at <= done)
            && !forced.user.starts_with(CONTROLLERS)
            && forced.user != CONTROLLER_MANAGER
    });
    match forced {
        Some(forced) => (Some(EndedWhy::ForceDeleted), Some(forced.clone())),
        // Whoever asked may have been a controller.
        None if asked.user.is_empty() => (Some(EndedWhy::Unknown), Some(asked.clone())),
        None => (Some(EndedWhy::Deleted), Some(asked.clone())),
    }
}

/// How the end of a container instance is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Report {
    Missing,
    /// Its kubelet reported it, with the time.
    Dated,
    /// The same, by a clock that is off: the time is that of the report.
    OtherClock,
}

/// Why a container instance ended, at `end` (microseconds), and which account requested that; `pod_end`: when its pod
/// was gone.
pub(super) fn of_instance<'w, 'a>(
    pod: &'w Why<'a>,
    end: i64,
    report: Report,
    pod_end: Option<i64>,
) -> (EndedWhy, Option<&'w Asked<'a>>) {
    // Of what happened while nobody watched, a report is as old as the newest time in the object: that may be the very
    // request.
    let is_of_pod = pod.since.is_some_and(|since| match report {
        Report::OtherClock => end >= since,
        Report::Dated | Report::Missing => end > since,
    });
    // What ended with its pod ended for the same reason.
    let is_with_pod = report == Report::Missing && pod_end == Some(end);
    match pod.why {
        Some(why) if why != EndedWhy::Finished && (is_of_pod || is_with_pod) => {
            (why, pod.by.as_ref())
        }
        _ => (by_itself(report), None),
    }
}

/// Why an instance ended with which its pod's end has nothing to do.
pub(super) fn by_itself(report: Report) -> EndedWhy {
    match report {
        Report::Missing => EndedWhy::Unknown,
        Report::Dated | Report::OtherClock => EndedWhy::Exited,
    }
}

fn least<const N: usize>(times: [Option<i64>; N]) -> Option<i64> {
    times.into_iter().flatten().min()
}

/// The reason of the condition DisruptionTarget. A kubelet uses the same one for three reasons; the pod's status
/// distinguishes them.
fn of_disruption(reason: &str, status: &str) -> Option<EndedWhy> {
    Some(match reason {
        BY_KUBELET => match of_reason(status) {
            EndedWhy::Finished => EndedWhy::NodePressure,
            why => why,
        },
        "EvictionByEvictionAPI" => EndedWhy::Evicted,
        "PreemptionByScheduler" | "PreemptionByKubeScheduler" => EndedWhy::Preempted,
        "DeletionByTaintManager" => EndedWhy::TaintEvicted,
        "DeletionByPodGC" => EndedWhy::NodeLost,
        _ => return None,
    })
}

/// The reason of the status of a pod that has finished.
fn of_reason(reason: &str) -> EndedWhy {
    match reason {
        "Evicted" => EndedWhy::NodePressure,
        "DeadlineExceeded" => EndedWhy::DeadlineExceeded,
        "Preempting" => EndedWhy::Preempted,
        "NodeLost" | "Terminated" | "NodeShutdown" | "Shutdown" => EndedWhy::NodeLost,
        _ => EndedWhy::Finished,
    }
}

/// If there was no request and the removal was not observed.
fn of_proof(proof: Option<Proof>) -> Option<EndedWhy> {
    Some(match proof {
        Some(Proof::NodeDeleted) => EndedWhy::NodeLost,
        // Its name was free for another one: whoever deleted it, and how, is not known.
        Some(Proof::Replaced) => EndedWhy::Unknown,
        // Where the namespace's deletion took it, the namespace controller asked for that: this request would be known.
        Some(Proof::NamespaceEmpty | Proof::NameRemoved | Proof::NotFound | Proof::GraceOver)
        | None => EndedWhy::Unknown,
    })
}

/// By the account of the first request: a controller of Kubernetes.
fn of_account(user: &str) -> Option<EndedWhy> {
    if user == SCHEDULER {
        return Some(EndedWhy::Preempted);
    }
    Some(match user.strip_prefix(CONTROLLERS)? {
        "generic-garbage-collector" => EndedWhy::GarbageCollected,
        "pod-garbage-collector" => EndedWhy::NodeLost,
        "namespace-controller" => EndedWhy::NamespaceDeleted,
        "node-controller" | "taint-eviction-controller" => EndedWhy::TaintEvicted,
        "replicaset-controller"
        | "statefulset-controller"
        | "daemon-set-controller"
        | "replication-controller"
        | "deployment-controller"
        | "cronjob-controller" => EndedWhy::ScaledOrRolledOut,
        "job-controller" => EndedWhy::JobStopped,
        _ => return None,
    })
}
