//! What an event says of a pod and of its container instances.

use std::net::Ipv6Addr;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::Text;
use super::object::{Event, Id, Kind, Level, Owner, State, Status, Terminated, Verb};

/// What one event says of one pod, or of one of its container instances.
#[derive(Clone, Debug)]
pub struct Fact {
    pub cluster: Text,
    /// Empty where it is about a node.
    pub namespace: Text,
    /// Empty where it is about a namespace; of a node its own.
    pub pod: Text,
    /// 0 where the event does not say it.
    pub pod_uid: u128,
    /// Microseconds.
    pub event_at: i64,
    /// The resourceVersion of the object, 0 where the event had none.
    pub version: u64,
    pub about: About,
}

#[derive(Clone, Debug)]
pub enum About {
    Pod(Box<PodFact>),
    Instance(Box<InstanceFact>),
    /// About whatever has the name; or about all of a namespace, or a node.
    Name(Box<NameFact>),
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NameFact {
    pub at: i64,
    pub what: &'static str,
    pub user: Text,
    pub acting_as: Text,
    /// The label selector of a deletecollection.
    pub selector: Text,
    /// The only pod that it can be about; 0 where the event does not say that.
    pub uid: u128,
}

/// Empty texts, zeros and `None` say nothing.
#[derive(Clone, Debug, Default)]
pub struct PodFact {
    pub node: Text,
    pub host_network: bool,
    pub service_account: Text,
    /// Labels, owner and finalizers are told together.
    pub labels: Option<Arc<[(Text, Text)]>>,
    pub is_held: bool,
    pub owner: Option<Arc<Owner>>,
    pub phase: Text,
    pub ips: Vec<Ipv6Addr>,
    /// For each container that started, how often it was started again.
    pub restarts: Vec<(Text, u32)>,
    pub created_at: u32,
    pub created_by: Option<(Text, Text)>,
    pub scheduled_at: i64,
    pub started_at: u32,
    pub delete_asked: Option<(i64, Text, Text)>,
    pub evict_asked: Option<(i64, Text, Text)>,
    pub force_asked: Option<(i64, Text, Text)>,
    pub removed_at: i64,
    pub disrupted: Option<(i64, Text)>,
    pub reason: Text,
    /// The containers that can't start, and why.
    pub waiting: Vec<(Text, Text)>,
    pub truncated: bool,
}

#[derive(Clone, Debug)]
pub struct InstanceFact {
    pub container: Text,
    pub key: [u8; 32],
    /// The ID where it is not 64 hex digits.
    pub id_text: Text,
    pub runtime: Text,
    pub kind: Kind,
    pub image: Option<(Text, Text)>,
    pub restart: u32,
    pub started_at: u32,
    pub ended: Option<Ended>,
}

#[derive(Clone, Debug)]
pub struct Ended {
    pub finished_at: u32,
    pub exit_code: i32,
    pub signal: i32,
    pub reason: Text,
}

mod lean;

/// What `event` says, the pod first.
pub fn facts(event: &Event) -> Vec<Fact> {
    match event.level {
        Level::Full => of_answer(event),
        _ => lean::facts(event),
    }
}

fn of_answer(event: &Event) -> Vec<Fact> {
    if let Some(told) = lean::without_a_pod(event) {
        return told;
    }
    let object = &event.object;
    let fact = |version, about| Fact {
        cluster: object.cluster.clone(),
        namespace: object.namespace.clone(),
        pod: object.name.clone(),
        pod_uid: object.uid,
        event_at: event.at,
        version,
        about,
    };
    if event.verb == Verb::Bind {
        let bound = PodFact {
            node: object.node.clone(),
            scheduled_at: event.at,
            ..PodFact::default()
        };
        return vec![fact(0, About::Pod(Box::new(bound)))];
    }
    let mut facts = vec![fact(object.version, About::Pod(Box::new(of_pod(event))))];
    for status in &object.statuses {
        let told = [of_current(status), of_previous(status)];
        facts.extend(
            told.into_iter()
                .flatten()
                .map(|instance| fact(object.version, About::Instance(Box::new(instance)))),
        );
    }
    facts
}

fn of_pod(event: &Event) -> PodFact {
    let object = &event.object;
    let listed = event.verb == Verb::CollectItems;
    let asks = listed || event.verb == Verb::Delete && (!event.by_node() || object.mirror);
    let asked = |asks: bool| {
        let (user, acting_as) = (event.user.clone(), event.acting_as.clone());
        asks.then_some((event.received, user, acting_as))
    };
    let statuses = object.statuses.iter();
    let started = statuses.filter(|status| status.id.is_some());
    let accounts = || (event.user.clone(), event.acting_as.clone());
    PodFact {
        node: object.node.clone(),
        host_network: object.host_network,
        service_account: object.service_account.clone(),
        labels: Some(object.labels.clone()),
        // The one that they have is that of Jobs.
        is_held: false,
        owner: object.owner.clone(),
        phase: object.phase.clone(),
        ips: object.ips.clone(),
        restarts: started
            .map(|status| (status.name.clone(), status.restart))
            .collect(),
        created_at: object.created,
        created_by: (event.verb == Verb::Create).then(accounts),
        scheduled_at: 0,
        started_at: object.started,
        delete_asked: asked(asks),
        evict_asked: None,
        force_asked: asked(event.forced),
        removed_at: if event.removes() { event.at } else { 0 },
        disrupted: disrupted(event),
        reason: object.reason.clone(),
        waiting: object.statuses.iter().filter_map(stuck).collect(),
        truncated: false,
    }
}

fn disrupted(event: &Event) -> Option<(i64, Text)> {
    let disrupted = event.object.disrupted.clone();
    disrupted.map(|(since, reason)| (i64::from(since) * super::SECOND, reason))
}

fn stuck(status: &Status) -> Option<(Text, Text)> {
    match &status.state {
        State::Stuck(reason) if status.id.is_none() => Some((status.name.clone(), reason.clone())),
        _ => None,
    }
}

fn of_current(status: &Status) -> Option<InstanceFact> {
    let (started_at, ended) = match &status.state {
        State::Waiting | State::Stuck(_) => (0, None),
        State::Running { started } => (*started, None),
        State::Terminated(terminated) => (terminated.started, Some(ended(terminated))),
    };
    Some(InstanceFact {
        image: Some((status.image.clone(), status.image_id.clone())),
        started_at,
        ended,
        ..instance(status, status.id.as_ref()?)
    })
}

/// The last state is that of the instance before, unless a restart is still waited for.
fn of_previous(status: &Status) -> Option<InstanceFact> {
    let last = status.last.as_ref()?;
    let same = status.id.as_ref().is_none_or(|id| *id == last.id);
    Some(InstanceFact {
        restart: status.restart.saturating_sub(u32::from(!same)),
        started_at: last.started,
        ended: Some(ended(last)),
        ..instance(status, &last.id)
    })
}

fn instance(status: &Status, id: &Id) -> InstanceFact {
    let (key, id_text) = match id {
        Id::Hex(bytes) => (*bytes, Text::default()),
        Id::Other(text) => (Sha256::digest(text.as_bytes()).into(), text.clone()),
    };
    InstanceFact {
        container: status.name.clone(),
        key,
        id_text,
        runtime: "containerd".into(),
        kind: status.kind,
        image: None,
        restart: status.restart,
        started_at: 0,
        ended: None,
    }
}

fn ended(terminated: &Terminated) -> Ended {
    Ended {
        finished_at: terminated.finished,
        exit_code: terminated.exit_code,
        signal: terminated.signal,
        reason: terminated.reason.clone(),
    }
}
