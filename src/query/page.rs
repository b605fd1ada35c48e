//! One page about one pod: its row, its instances, its life line, what is not known.
//!
//! In: the rows of `pod_by_uid` and `containers_of_pod` for one uid, and of `sessions` for its name and time. Out: a [`Page`]. Whatever a step
//! tells stands in a column; its source says of which evidence that column is made.

mod gaps;
mod sessions;
mod steps;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::model::{Container, Pod, Session, Time};
use super::pod_life::{AddressGap, PodLife};
use super::rows::PageRow;
use super::{Error, Order, Question, answer, sql};
use crate::audit::words::{Proof, Unknown};
use crate::clickhouse::Store;
use sessions::Sessions;

/// The most container instances on a page: the newest.
pub const INSTANCES_MAX: usize = 500;

/// Everything about one pod. Absent values are `null`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Page {
    pub pod: Pod,
    pub state: State,
    /// The reason of its status: Evicted, DeadlineExceeded, ...
    pub status_reason: Option<String>,
    /// Its controlling owner, below the workload.
    pub owner_kind: Option<String>,
    pub owner: Option<String>,
    pub addresses: Vec<Address>,
    /// Oldest first. A time in whole seconds may be up to a second late.
    pub steps: Vec<Step>,
    /// Whether older sessions exist that are not among the steps.
    pub more_sessions: bool,
    /// By start, oldest first.
    pub containers: Vec<Container>,
    /// How many older instances were omitted.
    pub containers_left_out: u64,
    /// Containers that had not started when last reported, and why.
    pub waiting: Vec<Waiting>,
    pub unknown: Vec<Gap>,
}

/// Whether the pod exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    Lives,
    /// Its removal was seen.
    Removed,
    /// Others prove that it is gone.
    Gone,
    /// Known from late events alone, none of which reports its end: whether it still lives is not known.
    NotConfirmed,
}

/// An address, and when it belonged to the pod.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Address {
    pub ip: String,
    pub from: Time,
    /// When the pod had finished or was gone; `null` before.
    pub to: Option<Time>,
}

/// A waiting container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Waiting {
    pub container: String,
    pub reason: String,
}

/// One step of the timeline.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Step {
    pub at: Time,
    pub what: What,
    /// The container instance concerned; `null` for the pod.
    pub instance: Option<Instance>,
    /// The account; `a as b` if a impersonated b.
    pub by: Option<String>,
    /// The node, the address, the phase, the reason.
    pub detail: Option<String>,
    /// The evidence.
    pub source: String,
    /// The audit ID of that event, for sessions and for requests for the pod's end that Kubernetes itself did not
    /// make.
    pub audit_id: Option<String>,
    /// For a session: all of it.
    pub session: Option<Session>,
}

/// Kinds of steps, in the order in which they appear for the same instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum What {
    Created,
    /// In place of `Created` where its time is not known.
    FirstSeen,
    Scheduled,
    /// A kubelet took it up.
    TakenUp,
    AddressSeen,
    /// Its labels were changed, or it came to another workload, or to none.
    Relabelled,
    ContainerStarted,
    /// A request to the pod while it was there: an exec, an added container, a resize, ..., also a refused one.
    Session,
    EvictionAsked,
    DeletionAsked,
    DeletionForced,
    /// A later request left it less time.
    Hurried,
    Disrupted,
    ContainerEnded,
    /// The pod is Succeeded or Failed.
    Finished,
    Removed,
    /// In place of `Removed` where nobody saw it.
    Gone,
}

/// A container instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Instance {
    pub container: String,
    pub restart: u32,
    pub container_id: Option<String>,
}

/// Something that is unknown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Gap {
    /// As in `unknown` of pods and containers.
    pub what: String,
    /// The container instance concerned; `null` for the pod.
    pub instance: Option<Instance>,
    pub meaning: String,
    /// How to fix it.
    pub fix: String,
}

impl Page {
    /// The page about one container instance: other instances, and what happened to them, left out.
    #[must_use]
    pub fn of_instance(mut self, of: &Instance) -> Page {
        let is_it = |instance: &Instance| instance == of;
        let container = &of.container;
        self.containers.retain(|other| is_it(&instance_of(other)));
        let row = self.containers.first();
        self.steps.retain(|step| match (&step.session, row) {
            (Some(session), Some(row)) => sessions::may_be_in(session, row),
            _ => step.instance.as_ref().is_none_or(is_it),
        });
        self.unknown
            .retain(|gap| gap.instance.as_ref().is_none_or(is_it));
        self.waiting
            .retain(|waiting| waiting.container == *container);
        self.containers_left_out = 0;
        self
    }
}

/// The page about a pod, as far as the clusters and namespaces of `scope` let it be seen.
///
/// # Errors
///
/// When several clusters have a pod of this uid, or ClickHouse can't be reached or refuses.
pub async fn page(
    store: &Arc<Store>,
    uid: uuid::Uuid,
    scope: &Question,
) -> Result<Option<Page>, Error> {
    let question = Question {
        clusters: scope.clusters.clone(),
        namespaces: scope.namespaces.clone(),
        uid: Some(uid),
        ..Question::default()
    };
    let rows = sql::page_rows(store, &question).await?;
    let mut pods: Vec<(Pod, PodLife)> = rows.into_iter().map(PageRow::split).collect();
    if pods.len() > 1 {
        let mut clusters: Vec<&str> = pods.iter().map(|(pod, _)| &*pod.cluster).collect();
        clusters.sort_unstable();
        return Err(Error::Clusters(clusters.join(", ")));
    }
    let Some((pod, life)) = pods.pop() else {
        return Ok(None);
    };
    // A cluster that was restored from another one's backup has pods of the same uids.
    let question = Question {
        clusters: vec![pod.cluster.clone()],
        namespaces: vec![pod.namespace.clone()],
        // The last ones are kept.
        order: Order::Oldest,
        ..question
    };
    let mut answered = answer::<Container>(store, &question)?;
    let mut instances = Instances::default();
    while let Some(container) = answered.next().await? {
        instances.push(container);
    }
    let sessions = sessions::newest(store, &pod, &life).await?;
    Ok(Some(write(pod, life, instances, sessions)))
}

/// The newest instances, and which restart numbers there are of each container.
#[derive(Default)]
struct Instances {
    newest: VecDeque<Container>,
    left_out: u64,
    seen: BTreeMap<String, BTreeSet<u32>>,
}

impl Instances {
    fn push(&mut self, container: Container) {
        let seen = self.seen.entry(container.container.clone()).or_default();
        seen.insert(container.restart);
        self.newest.push_back(container);
        if self.newest.len() > INSTANCES_MAX {
            self.newest.pop_front();
            self.left_out += 1;
        }
    }
}

fn write(pod: Pod, life: PodLife, instances: Instances, sessions: Sessions) -> Page {
    let not_confirmed = |word: &String| word == Unknown::EndNotConfirmed.word();
    let state = match (pod.removed_at, life.gone()) {
        (Some(_), _) => State::Removed,
        (None, Some(_)) => State::Gone,
        (None, None) if pod.unknown.iter().any(not_confirmed) => State::NotConfirmed,
        (None, None) => State::Lives,
    };
    let over = pod.removed_at.or_else(|| life.gone().map(|(at, _)| at));
    let to = [life.terminal_at, over].into_iter().flatten().min();
    let addresses = life.ips.iter();
    let addresses = addresses.flat_map(|(ip, from)| held(ip, *from, to, &life.gaps));
    let addresses = addresses.collect();
    let containers: Vec<Container> = instances.newest.into();
    let waiting = life.waiting.iter().map(|(container, reason)| Waiting {
        container: container.clone(),
        reason: reason.clone(),
    });
    Page {
        state,
        addresses,
        steps: steps::of(&pod, &life, &containers, &sessions.newest),
        more_sessions: sessions.more,
        waiting: waiting.collect(),
        unknown: gaps::of(&pod, &containers, &life.restart_counts, &instances.seen),
        status_reason: life.status_reason,
        owner_kind: life.owner_kind,
        owner: life.owner,
        containers_left_out: instances.left_out,
        containers,
        pod,
    }
}

/// The times in which it had an address: from its first sight until `to`, but for the gaps.
fn held(ip: &str, from: Time, to: Option<Time>, gaps: &[AddressGap]) -> Vec<Address> {
    let mut held = Vec::new();
    let mut begin = Some(from);
    for gap in gaps.iter().filter(|gap| gap.ip == ip) {
        if let Some(from) = begin {
            held.push(Address {
                ip: ip.to_owned(),
                from,
                to: Some(gap.from),
            });
        }
        begin = gap.until;
    }
    if let Some(from) = begin.filter(|from| to.is_none_or(|to| *from < to)) {
        held.push(Address {
            ip: ip.to_owned(),
            from,
            to,
        });
    }
    held
}

impl PodLife {
    /// Where nobody saw the removal: by when it was gone, and what proves it.
    fn gone(&self) -> Option<(Time, &'static str)> {
        let (at, word) = self.gone.as_ref()?;
        Some((*at, Proof::of_word(word).map_or(PROOF_UNKNOWN, proof)))
    }
}

/// Of a proof that a newer build stored.
const PROOF_UNKNOWN: &str = "see schema/README.md";

fn proof(proof: Proof) -> &'static str {
    match proof {
        Proof::NameRemoved => "a request removed the pod of this name",
        Proof::Replaced => "a later pod of its name was created",
        Proof::NodeDeleted => "its node was deleted, and the pod was not seen since",
        Proof::NamespaceEmpty => "its namespace was empty",
        Proof::NotFound => "a request did not find it",
        Proof::GraceOver => {
            "its containers had ended, and its grace period had expired ten minutes before"
        }
    }
}

/// Which one it is.
pub fn instance_of(container: &Container) -> Instance {
    Instance {
        container: container.container.clone(),
        restart: container.restart,
        container_id: container.container_id.clone(),
    }
}

#[cfg(test)]
mod tests;
