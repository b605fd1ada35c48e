//! Why a pod ended, and who asked for it.

use crate::audit::words::{EndedWhy, Proof};

use super::life::{Asked, Life};

/// All requests for the end of a pod, the first of each kind.
#[derive(Clone, Debug, Default)]
pub(super) struct Requests<'a> {
    pub any: Option<Asked<'a>>,
    pub eviction: Option<Asked<'a>>,
    pub forced: Option<Asked<'a>>,
}

/// Why a pod ends, whether or not it has.
#[derive(Clone, Debug, Default)]
pub(super) struct Why<'a> {
    /// `None` where nothing says so yet.
    pub why: Option<EndedWhy>,
    pub by: Option<Asked<'a>>,
    /// Since when it was ending, in microseconds.
    pub since: Option<i64>,
}

/// Whoever says that a pod is disrupted deletes it at once. Where that failed the condition stays for some
/// minutes, and what ends the pod later has nothing to do with it. Milliseconds.
const DISRUPTION_FRESH: i64 = 600_000;

const CONTROLLERS: &str = "system:serviceaccount:kube-system:";
const CONTROLLER_MANAGER: &str = "system:kube-controller-manager";
const SCHEDULER: &str = "system:kube-scheduler";

/// By the condition of a kubelet that ends a pod itself.
const BY_KUBELET: &str = "TerminationByKubelet";

/// The beginning of the second, of milliseconds.
fn second(at: i64) -> i64 {
    at - at.rem_euclid(1_000)
}

/// `end`: when it was gone, in microseconds; `proof`: what proves that where nobody saw its removal;
/// `has_node`: whether it ever had one.
pub(super) fn of_pod<'a>(
    life: &Life<'a>,
    requests: &Requests<'a>,
    (end, proof): (Option<i64>, Option<Proof>),
    has_node: bool,
) -> Why<'a> {
    let asked_at = requests.any.as_ref().map(|asked| asked.at);
    let asked_or_done = least([asked_at, life.terminal_at]);
    if let Some((since, reason)) = life.disrupted
        && let Some(why) = of_disruption(reason, life.status_reason)
        && asked_or_done.is_none_or(|first| second(since) <= first)
        && (reason == BY_KUBELET
            || least([asked_or_done.map(|at| at * 1_000), end])
                .is_some_and(|at| at <= (since + DISRUPTION_FRESH) * 1_000))
    {
        // What a kubelet does, nobody asked for.
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
    let since = least([asked_at, life.terminal_at.map(second)]).map(|at| at * 1_000);
    let finished_first = life
        .terminal_at
        .is_some_and(|done| asked_at.is_none_or(|asked| done < asked));
    let (why, by) = match &requests.any {
        // Whoever deletes it later cleans up.
        _ if finished_first => (Some(of_reason(life.status_reason)), None),
        None => (end.and_then(|_| of_proof(proof)), None),
        Some(asked) => of_request(life, requests, asked, has_node),
    };
    Why { why, by, since }
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
        let lost = why == EndedWhy::Tainted && life.status_reason == "NodeLost";
        let why = if lost { EndedWhy::NodeLost } else { why };
        return (Some(why), Some(asked.clone()));
    }
    let forced = requests.forced.as_ref().filter(|forced| {
        has_node
            && life.terminal_at.is_none_or(|done| forced.at <= done)
            && !forced.user.starts_with(CONTROLLERS)
            && forced.user != CONTROLLER_MANAGER
    });
    match forced {
        Some(forced) => (Some(EndedWhy::Forced), Some(forced.clone())),
        None => (Some(EndedWhy::Asked), Some(asked.clone())),
    }
}

/// Why a container instance ended, at `end` (microseconds), and who asked for that; `reported`: whether its
/// kubelet reported the end.
pub(super) fn of_instance<'w, 'a>(
    pod: &'w Why<'a>,
    end: i64,
    reported: bool,
) -> (EndedWhy, Option<&'w Asked<'a>>) {
    match pod.why {
        Some(why) if why != EndedWhy::Done && pod.since.is_some_and(|since| end > since) => {
            (why, pod.by.as_ref())
        }
        _ if reported => (EndedWhy::Exited, None),
        _ => (EndedWhy::Unknown, None),
    }
}

fn least<const N: usize>(times: [Option<i64>; N]) -> Option<i64> {
    times.into_iter().flatten().min()
}

/// The reason of the condition DisruptionTarget. A kubelet says the same for three reasons; the pod's status
/// tells them apart.
fn of_disruption(reason: &str, status: &str) -> Option<EndedWhy> {
    Some(match reason {
        BY_KUBELET => match of_reason(status) {
            EndedWhy::Done => EndedWhy::NodePressure,
            why => why,
        },
        "EvictionByEvictionAPI" => EndedWhy::Evicted,
        "PreemptionByScheduler" | "PreemptionByKubeScheduler" => EndedWhy::Preempted,
        "DeletionByTaintManager" => EndedWhy::Tainted,
        "DeletionByPodGC" => EndedWhy::NodeLost,
        _ => return None,
    })
}

/// The reason of the status of a pod that has finished.
fn of_reason(reason: &str) -> EndedWhy {
    match reason {
        "Evicted" => EndedWhy::NodePressure,
        "Preempting" => EndedWhy::Preempted,
        "NodeLost" | "Terminated" | "NodeShutdown" | "Shutdown" => EndedWhy::NodeLost,
        _ => EndedWhy::Done,
    }
}

/// Where nobody asked and nobody saw its removal.
fn of_proof(proof: Option<Proof>) -> Option<EndedWhy> {
    Some(match proof {
        Some(Proof::Replaced) => EndedWhy::Replaced,
        Some(Proof::NodeDeleted) => EndedWhy::NodeLost,
        Some(Proof::NamespaceEmpty) => EndedWhy::NamespaceDeleted,
        Some(Proof::NameRemoved | Proof::NotFound) | None => EndedWhy::Unknown,
    })
}

/// By the account of the first request: a controller of Kubernetes.
fn of_account(user: &str) -> Option<EndedWhy> {
    if user == SCHEDULER {
        return Some(EndedWhy::Preempted);
    }
    Some(match user.strip_prefix(CONTROLLERS)? {
        "generic-garbage-collector" => EndedWhy::OwnerGone,
        "pod-garbage-collector" => EndedWhy::NodeLost,
        "namespace-controller" => EndedWhy::NamespaceDeleted,
        "node-controller" | "taint-eviction-controller" => EndedWhy::Tainted,
        "replicaset-controller"
        | "statefulset-controller"
        | "daemon-set-controller"
        | "job-controller"
        | "replication-controller"
        | "deployment-controller"
        | "cronjob-controller" => EndedWhy::Scaled,
        _ => return None,
    })
}
