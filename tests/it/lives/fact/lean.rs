//! What an event says that holds no pod: by its verb, by its level, or because it was cut.

use super::{
    About, Fact, InstanceFact, NameFact, PodFact, disrupted, of_current, of_previous, stuck,
};
use crate::lives::Text;
use crate::lives::object::{Event, Kind, Level, Verb};

/// Verbs that are never answered with a pod; of all others nothing.
pub(super) fn without_a_pod(event: &Event) -> Option<Vec<Fact>> {
    let name = &event.object.name;
    Some(match event.verb {
        Verb::Evict => evict(event),
        Verb::CollectItems if event.level == Level::Full => return None,
        Verb::Collect | Verb::CollectItems => vec![collect(event)],
        Verb::Finalize => vec![of_name(event, "", "finalize", event.at)],
        Verb::NodeCame if event.level != Level::Truncated => vec![of_node(event, "node came")],
        Verb::NodeGone if has_request(event) => vec![of_node(event, "node gone")],
        Verb::NodeCame | Verb::NodeGone => Vec::new(),
        Verb::Missed if event.by_collector() && has_request(event) => vec![of_uid(event)],
        Verb::MissedStatus if has_request(event) => vec![of_uid(event)],
        Verb::Missed | Verb::MissedStatus => vec![of_name(event, name, "gone", event.at)],
        _ => return None,
    })
}

fn has_request(event: &Event) -> bool {
    matches!(event.level, Level::Full | Level::Request)
}

/// The eviction API deletes by itself.
fn evict(event: &Event) -> Vec<Fact> {
    let name = &event.object.name;
    let forced = event.forced && has_request(event);
    let mut facts = vec![of_name(event, name, "evict", event.received)];
    if event.names_uid && has_request(event) {
        let asked = (event.received, event.user.clone(), event.acting_as.clone());
        let told = PodFact {
            delete_asked: Some(asked.clone()),
            evict_asked: Some(asked),
            removed_at: if forced { event.at } else { 0 },
            ..PodFact::default()
        };
        facts.push(of_pod(event, told));
    } else if forced {
        facts.push(of_name(event, name, "remove", event.at));
    }
    facts
}

fn collect(event: &Event) -> Fact {
    let what = match event.forced && has_request(event) {
        true => "purge",
        false => "collect",
    };
    let mut fact = of_name(event, "", what, event.received);
    if let About::Name(told) = &mut fact.about {
        told.selector = event.selector.clone();
    }
    fact
}

/// Kubernetes itself did not find this pod.
fn of_uid(event: &Event) -> Fact {
    let mut fact = of_name(event, &event.object.name, "gone", event.at);
    if let About::Name(told) = &mut fact.about {
        told.uid = event.object.uid;
    }
    fact
}

fn of_node(event: &Event, what: &'static str) -> Fact {
    Fact {
        namespace: Text::default(),
        ..of_name(event, &event.object.node, what, event.at)
    }
}

pub(super) fn facts(event: &Event) -> Vec<Fact> {
    let mut told = Vec::new();
    let is_of_pod = !matches!(event.verb, Verb::Finalize | Verb::NodeCame | Verb::NodeGone);
    if event.level == Level::Truncated && is_of_pod {
        told.extend(cut(event));
    }
    match without_a_pod(event) {
        Some(facts) => told.extend(facts),
        None => told.extend(of_write(event)),
    }
    told
}

fn cut(event: &Event) -> Option<Fact> {
    let name = &event.object.name;
    match event.verb {
        Verb::Bind => Some(of_pod(
            event,
            PodFact {
                truncated: true,
                ..PodFact::default()
            },
        )),
        Verb::Collect | Verb::CollectItems => None,
        Verb::Missed | Verb::MissedStatus => None,
        Verb::Create if event.is_unnamed() => None,
        _ => Some(of_name(event, name, "truncated", event.at)),
    }
}

fn of_write(event: &Event) -> Vec<Fact> {
    let name = &event.object.name;
    let with_request = event.level == Level::Request;
    match event.verb {
        Verb::Create if event.is_unnamed() => Vec::new(),
        Verb::Create => vec![of_name(event, name, "create", event.received)],
        Verb::Bind => {
            let bound = PodFact {
                node: if with_request {
                    event.object.node.clone()
                } else {
                    Text::default()
                },
                scheduled_at: event.at,
                ..PodFact::default()
            };
            vec![of_pod(event, bound)]
        }
        Verb::PatchStatus if with_request => status(event),
        Verb::PatchStatus if event.by_node() => vec![of_name(event, name, "status", event.at)],
        Verb::Delete => delete(event, with_request),
        _ => Vec::new(),
    }
}

fn delete(event: &Event, with_request: bool) -> Vec<Fact> {
    let name = &event.object.name;
    let by_node = event.by_node();
    let knows_the_uid = with_request && (by_node || event.by_collector());
    if !knows_the_uid {
        let what = match (by_node, event.forced && with_request) {
            (true, _) => return vec![of_name(event, name, "remove", event.at)],
            (_, true) => "force",
            (_, false) => "ask",
        };
        return vec![of_name(event, name, what, event.received)];
    }
    let asked = (event.received, event.user.clone(), event.acting_as.clone());
    let told = PodFact {
        node: node(event),
        delete_asked: (!by_node).then_some(asked),
        removed_at: if by_node { event.at } else { 0 },
        ..PodFact::default()
    };
    let mut facts = vec![of_pod(event, told)];
    if !by_node {
        // If it had finished, it went at once.
        facts.insert(0, of_name(event, name, "ask", event.received));
    }
    facts
}

/// A patch of a status. It knows neither labels nor spec, so no sidecar from an init container.
fn status(event: &Event) -> Vec<Fact> {
    let object = &event.object;
    let statuses = object.statuses.iter();
    let started = statuses.filter(|status| status.id.is_some());
    let told = PodFact {
        node: node(event),
        phase: object.phase.clone(),
        ips: object.ips.clone(),
        restarts: started
            .map(|status| (status.name.clone(), status.restart))
            .collect(),
        started_at: object.started,
        disrupted: disrupted(event),
        reason: object.reason.clone(),
        waiting: object.statuses.iter().filter_map(stuck).collect(),
        ..PodFact::default()
    };
    let mut facts = vec![of_pod(event, told)];
    for status in in_lists(event) {
        let told = [of_current(status), of_previous(status)];
        facts.extend(told.into_iter().flatten().map(|instance| {
            let kind = match instance.kind {
                Kind::Sidecar => Kind::Init,
                kind => kind,
            };
            let about = InstanceFact { kind, ..instance };
            fact(event, event.object.uid, About::Instance(Box::new(about)))
        }));
    }
    facts
}

/// In the order of the lists that a status has.
fn in_lists(event: &Event) -> impl Iterator<Item = &crate::lives::object::Status> {
    let lists = [
        [Kind::Init, Kind::Sidecar],
        [Kind::App; 2],
        [Kind::Ephemeral; 2],
    ];
    lists.into_iter().flat_map(|kinds| {
        let statuses = event.object.statuses.iter();
        statuses.filter(move |status| kinds.contains(&status.kind))
    })
}

/// Of the kubelet that sent it.
fn node(event: &Event) -> Text {
    let node = event.user.strip_prefix("system:node:");
    node.unwrap_or_default().into()
}

fn of_pod(event: &Event, told: PodFact) -> Fact {
    fact(event, event.object.uid, About::Pod(Box::new(told)))
}

fn of_name(event: &Event, pod: &str, what: &'static str, at: i64) -> Fact {
    let told = NameFact {
        at,
        what,
        user: event.user.clone(),
        acting_as: event.acting_as.clone(),
        selector: Text::default(),
        uid: 0,
    };
    Fact {
        pod: pod.into(),
        ..fact(event, 0, About::Name(Box::new(told)))
    }
}

fn fact(event: &Event, pod_uid: u128, about: About) -> Fact {
    Fact {
        cluster: event.object.cluster.clone(),
        namespace: event.object.namespace.clone(),
        pod: event.object.name.clone(),
        pod_uid,
        event_at: event.at,
        version: 0,
        about,
    }
}
