//! What an event says that holds no pod: by its verb, by its level, or because it was cut.

use super::{
    About, Fact, InstanceFact, NameFact, PodFact, is_own, of_current, of_previous, of_status,
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
        Verb::Close => vec![of_name(event, "", "close", event.at)],
        Verb::Finalize => vec![of_name(event, "", "finalize", event.at)],
        Verb::NodeCame if event.level != Level::Truncated => vec![of_node(event, "node came")],
        Verb::NodeGone if has_request(event) => vec![of_node(event, "node gone")],
        Verb::NodeCame | Verb::NodeGone => Vec::new(),
        Verb::Missed if event.by_collector() && has_request(event) => vec![of_uid(event)],
        Verb::MissedStatus if has_request(event) && by_itself(event) => vec![of_uid(event)],
        Verb::MissedByCache => Vec::new(),
        Verb::Missed | Verb::MissedStatus => vec![of_name(event, name, "gone", event.at)],
        _ => return None,
    })
}

fn has_request(event: &Event) -> bool {
    matches!(event.level, Level::Full | Level::Request)
}

/// Whether Kubernetes itself asked, which invents no uid.
fn by_itself(event: &Event) -> bool {
    event.acting_as.is_empty() && is_own(&event.user)
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
    let is_of_pod = !matches!(
        event.verb,
        Verb::Close | Verb::Finalize | Verb::NodeCame | Verb::NodeGone
    );
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
        Verb::Missed | Verb::MissedStatus | Verb::MissedByCache => None,
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
                is_alive: true,
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

/// A kubelet's is the last one. One that leaves no time names the uid that is gone, or is about whatever has the name.
fn delete(event: &Event, with_request: bool) -> Vec<Fact> {
    let name = &event.object.name;
    let by_node = event.by_node();
    let forced = with_request && event.forced;
    let has_uid = with_request && event.has_uid();
    let mut facts = Vec::new();
    match (by_node, has_uid) {
        (true, true) => {}
        (true, false) => facts.push(of_name(event, name, "remove", event.at)),
        (false, true) if forced => {}
        (false, false) if forced => facts.push(of_name(event, name, "force", event.received)),
        // If it had finished, it went at once.
        (false, _) => facts.push(of_name(event, name, "ask", event.received)),
    }
    if has_uid {
        let asked = (event.received, event.user.clone(), event.acting_as.clone());
        let told = PodFact {
            node: node(event),
            force_asked: (!by_node && forced).then(|| asked.clone()),
            delete_asked: (!by_node).then_some(asked),
            removed_at: if by_node || forced { event.at } else { 0 },
            by_kubelet: by_node,
            ..PodFact::default()
        };
        facts.push(of_pod(event, told));
    }
    facts
}

/// A patch of a status. It knows neither labels nor spec, so no sidecar from an init container.
fn status(event: &Event) -> Vec<Fact> {
    let object = &event.object;
    let told = PodFact {
        node: node(event),
        lost_ips: event.lost_ips.clone(),
        is_alive: true,
        ..of_status(event)
    };
    let mut facts = vec![of_pod(event, told)];
    for status in in_lists(event) {
        let told = [of_current(status, &object.phase), of_previous(status)];
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
