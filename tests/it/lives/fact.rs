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
    pub is_mirror: bool,
    pub config_hash: Text,
    pub service_account: Text,
    /// Labels, owner and finalizers are told together.
    pub labels: Option<Arc<[(Text, Text)]>>,
    pub is_held: bool,
    pub owner: Option<Arc<Owner>>,
    /// Who may have changed these with this write.
    pub changed_by: Option<(Text, Text)>,
    pub phase: Text,
    pub ips: Vec<Ipv6Addr>,
    /// Whether it had no others, and otherwise which ones it had no more.
    pub are_all_ips: bool,
    pub lost_ips: Vec<Ipv6Addr>,
    /// For each container that started, how often it was started again.
    pub restarts: Vec<(Text, u32)>,
    pub created_at: u32,
    pub created_by: Option<(Text, Text)>,
    pub scheduled_at: i64,
    pub started_at: u32,
    pub delete_asked: Option<(i64, Text, Text)>,
    pub evict_asked: Option<(i64, Text, Text)>,
    pub force_asked: Option<(i64, Text, Text)>,
    /// What the object says of its end: by when that was asked for (microseconds), and when it is to be gone (seconds).
    pub asked_before: i64,
    pub deadline: u32,
    /// When all containers of what is to end had ended.
    pub emptied_at: i64,
    /// When it had finished.
    pub terminal_at: i64,
    pub removed_at: i64,
    /// Whether it was there after the event.
    pub is_alive: bool,
    /// A kubelet's deletion, which follows from another one.
    pub by_kubelet: bool,
    /// Who sends its statuses, where the name does not tell that.
    pub reporter: Text,
    pub disrupted: Option<(i64, Text)>,
    pub reason: Text,
    /// The containers that can't start, and why.
    pub waiting: Vec<(Text, Text)>,
    pub truncated: bool,
}

#[derive(Clone, Debug)]
pub struct InstanceFact {
    pub container: Text,
    /// Zeros where no ID was told.
    pub key: [u8; 32],
    /// The ID where it is not 64 hex digits.
    pub id_text: Text,
    pub runtime: Text,
    pub kind: Kind,
    pub image: Option<(Text, Text)>,
    pub restart: u32,
    /// Whether the number was not told of this instance itself.
    pub is_guess: bool,
    pub started_at: u32,
    pub is_running: bool,
    pub ended: Option<Ended>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
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
            is_alive: true,
            ..PodFact::default()
        };
        return vec![fact(0, About::Pod(Box::new(bound)))];
    }
    let mut facts = vec![fact(object.version, About::Pod(Box::new(of_pod(event))))];
    for status in &object.statuses {
        let told = [of_current(status, &object.phase), of_previous(status)];
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
    let accounts = || (event.user.clone(), event.acting_as.clone());
    let has_run = ["Running", "Succeeded", "Failed"].contains(&&*object.phase);
    let is_gone = event.removes();
    PodFact {
        node: object.node.clone(),
        host_network: object.host_network,
        is_mirror: object.mirror,
        config_hash: object.config_hash(),
        service_account: object.service_account.clone(),
        labels: Some(object.labels.clone()),
        // The one that they have is that of Jobs.
        is_held: false,
        owner: object.owner.clone(),
        changed_by: (event.verb == Verb::Patch).then(accounts),
        are_all_ips: has_run && object.started != 0,
        created_at: object.created,
        created_by: (event.verb == Verb::Create).then(accounts),
        delete_asked: asked(asks),
        force_asked: asked(asks && event.forced && !event.by_node()),
        asked_before: asked_before(event),
        deadline: object.deletion.map_or(0, |(deadline, _)| deadline),
        emptied_at: match object.deletion {
            Some(_) if is_empty(&object.statuses) => seen_at(event),
            _ => 0,
        },
        removed_at: if is_gone { event.at } else { 0 },
        is_alive: !is_gone,
        by_kubelet: is_gone && event.by_node() && !object.mirror,
        ..of_status(event)
    }
}

/// What any status says.
fn of_status(event: &Event) -> PodFact {
    let object = &event.object;
    let statuses = object.statuses.iter();
    let started = statuses.filter(|status| has_started(status));
    let is_over = ["Succeeded", "Failed"].contains(&&*object.phase);
    PodFact {
        phase: object.phase.clone(),
        ips: object.ips.clone(),
        restarts: started
            .map(|status| (status.name.clone(), status.restart))
            .collect(),
        started_at: object.started,
        terminal_at: if is_over { seen_at(event) } else { 0 },
        reporter: match event.verb {
            Verb::PatchStatus if !is_own(event.account()) => event.account().clone(),
            _ => Text::default(),
        },
        disrupted: disrupted(event),
        reason: object.reason.clone(),
        waiting: object.statuses.iter().filter_map(stuck).collect(),
        ..PodFact::default()
    }
}

/// Whether an account is one of Kubernetes', by its name.
fn is_own(account: &str) -> bool {
    let prefixes = [
        "system:node:",
        "system:kube-",
        "system:serviceaccount:kube-system:",
    ];
    prefixes.iter().any(|prefix| account.starts_with(prefix))
}

/// What somebody's deletion finds was so when he asked.
fn seen_at(event: &Event) -> i64 {
    let deletes = matches!(event.verb, Verb::Delete | Verb::CollectItems);
    match deletes && !event.by_node() {
        true => event.received.min(event.at) - 1_000,
        false => event.at,
    }
}

/// The deadline less the grace; what a kubelet deletes for good has the time of that as its deadline.
fn asked_before(event: &Event) -> i64 {
    match event.object.deletion {
        Some((_, 0)) if event.verb == Verb::Delete && event.by_node() => 0,
        Some((deadline, grace)) => (i64::from(deadline) - i64::from(grace)) * super::SECOND,
        None => 0,
    }
}

/// Whether all its app containers have ended.
fn is_empty(statuses: &[Status]) -> bool {
    let apps = || statuses.iter().filter(|status| status.kind == Kind::App);
    let lives = |status: &Status| !matches!(status.state, State::Terminated(_));
    apps().count() > 0 && !apps().any(lives)
}

/// Whether a container ran, ever.
fn has_started(status: &Status) -> bool {
    let ran_before = status.last.as_ref().is_some_and(|last| last.started != 0);
    status.id.is_some()
        || ran_before
        || match &status.state {
            State::Running { .. } => true,
            State::Terminated(ended) => ended.started != 0,
            State::Waiting | State::Stuck(_) => false,
        }
}

fn disrupted(event: &Event) -> Option<(i64, Text)> {
    let disrupted = event.object.disrupted.clone();
    disrupted.map(|(since, reason)| (i64::from(since) * super::SECOND, reason))
}

fn stuck(status: &Status) -> Option<(Text, Text)> {
    match &status.state {
        State::Stuck(reason) if !has_started(status) => Some((status.name.clone(), reason.clone())),
        _ => None,
    }
}

/// What stands in `state`, of a pod of this phase.
fn of_current(status: &Status, phase: &str) -> Option<InstanceFact> {
    let told = InstanceFact {
        image: Some((status.image.clone(), status.image_id.clone())),
        ..instance(status, status.id.as_ref())
    };
    match &status.state {
        State::Waiting | State::Stuck(_) => status.id.is_some().then_some(told),
        State::Running { started } => Some(InstanceFact {
            started_at: *started,
            is_running: !["Succeeded", "Failed"].contains(&phase),
            ..told
        }),
        State::Terminated(end) => Some(InstanceFact {
            image: told.image,
            started_at: end.started,
            ended: Some(ended(end)),
            ..instance(status, end.id.as_ref().or(status.id.as_ref()))
        }),
    }
}

/// The last state is that of the instance before, unless a restart is still waited for.
fn of_previous(status: &Status) -> Option<InstanceFact> {
    let last = status.last.as_ref()?;
    let waits = matches!(status.state, State::Waiting | State::Stuck(_));
    // While it waits, what has no ID of its own is what the status names.
    let id = match (&last.id, waits) {
        (None, true) => status.id.as_ref(),
        (id, _) => id.as_ref(),
    };
    let is_newest = waits && (status.id.is_none() || id == status.id.as_ref());
    Some(InstanceFact {
        restart: match is_newest {
            true => status.restart,
            false => status.restart.saturating_sub(1),
        },
        is_guess: !is_newest || last.id.is_none(),
        started_at: last.started,
        ended: Some(ended(last)),
        ..instance(status, id)
    })
}

fn instance(status: &Status, id: Option<&Id>) -> InstanceFact {
    let (key, id_text) = match id {
        None => ([0; 32], Text::default()),
        Some(Id::Hex(bytes)) => (*bytes, Text::default()),
        Some(Id::Other(text)) => (Sha256::digest(text.as_bytes()).into(), text.clone()),
    };
    InstanceFact {
        container: status.name.clone(),
        key,
        id_text,
        runtime: id.map_or("", |_| "containerd").into(),
        kind: status.kind,
        image: None,
        restart: status.restart,
        is_guess: false,
        started_at: 0,
        is_running: false,
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
