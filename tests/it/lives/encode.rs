//! Facts as rows of the table `facts`: the one place that knows the columns.

use bygone::audit::words::NameEvent;
use bygone::rows;

use super::Text;
use super::fact::{About, Ended, Fact, InstanceFact, NameFact, PodFact};
use super::object::{Basis, Kind};

/// One fact as the program encodes it, with the audit ID of its event where that is kept.
pub fn push(fact: &Fact, audit_id: &str, facts: &mut rows::Facts) {
    let row = rows::Fact {
        cluster: &fact.cluster,
        namespace: &fact.namespace,
        pod: &fact.pod,
        pod_uid: fact.pod_uid,
        event_at: fact.event_at,
        version: fact.version,
        ..rows::Fact::default()
    };
    match &fact.about {
        About::Pod(pod) => push_pod(pod, audit_id, row, facts),
        About::Instance(instance) => push_instance(instance, row, facts),
        About::Name(name) => facts.push(&rows::Fact {
            said: Some(said(name, audit_id)),
            ..row
        }),
    }
}

/// What was said of a name, a namespace or a node.
pub fn said<'a>(name: &'a NameFact, audit_id: &'a str) -> rows::Said<'a> {
    let what = NameEvent::ALL
        .iter()
        .find(|saying| saying.word() == name.what);
    let asks = matches!(name.what, "ask" | "force" | "evict" | "collect" | "purge");
    rows::Said {
        what: *what.expect("a saying"),
        at: name.at,
        user: &name.user,
        acting_as: &name.acting_as,
        selector: &name.selector,
        uid: name.uid,
        audit_id: if asks { audit_id } else { "" },
    }
}

fn push_pod(pod: &PodFact, audit_id: &str, row: rows::Fact, facts: &mut rows::Facts) {
    let labels: Option<Vec<(&str, &str)>> = pod.labels.as_ref().map(|labels| {
        labels
            .iter()
            .map(|(key, value)| (&**key, &**value))
            .collect()
    });
    let restarts = pod.restarts.iter();
    let restarts: Vec<(&str, u32)> = restarts.map(|(name, times)| (&**name, *times)).collect();
    let waiting = pod.waiting.iter();
    let waiting: Vec<(&str, &str)> = waiting.map(|(name, why)| (&**name, &**why)).collect();
    facts.push(&rows::Fact {
        audit_id: match pod.delete_asked {
            Some(_) => audit_id,
            None => "",
        },
        node: &pod.node,
        host_network: pod.host_network,
        service_account: &pod.service_account,
        owner: pod.owner.as_deref().map(|owner| rows::Owner {
            kind: &owner.kind,
            name: &owner.name,
            workload_kind: &owner.workload_kind,
            workload: &owner.workload,
            basis: match owner.basis {
                Basis::Owner => rows::Basis::Owner,
                Basis::Name => rows::Basis::Name,
                Basis::Read => rows::Basis::Read,
            },
        }),
        labels: labels.as_deref(),
        is_held: pod.is_held,
        changed_by: pair(pod.changed_by.as_ref()),
        is_mirror: pod.is_mirror,
        config_hash: &pod.config_hash,
        phase: rows::Phase::parse(&pod.phase),
        pod_ips: &pod.ips,
        are_all_ips: pod.are_all_ips,
        lost_ips: &pod.lost_ips,
        restarts: &restarts,
        terminal_at: pod.terminal_at,
        asked_before: pod.asked_before,
        deadline: pod.deadline,
        emptied_at: pod.emptied_at,
        is_alive: pod.is_alive,
        by_kubelet: pod.by_kubelet,
        reporter: &pod.reporter,
        created_at: pod.created_at,
        created_by: pair(pod.created_by.as_ref()),
        scheduled_at: pod.scheduled_at,
        pod_started_at: pod.started_at,
        delete_asked: asked(pod.delete_asked.as_ref()),
        evict_asked: asked(pod.evict_asked.as_ref()),
        force_asked: asked(pod.force_asked.as_ref()),
        disrupted: pod.disrupted.as_ref().map(|(at, reason)| (*at, &**reason)),
        status_reason: &pod.reason,
        waiting: &waiting,
        truncated: pod.truncated,
        removed_at: pod.removed_at,
        ..row
    });
}

fn push_instance(instance: &InstanceFact, row: rows::Fact, facts: &mut rows::Facts) {
    facts.push(&rows::Fact {
        container: &instance.container,
        container_id: instance.key,
        container_id_text: &instance.id_text,
        runtime: &instance.runtime,
        kind: match instance.kind {
            Kind::App => rows::ContainerKind::App,
            Kind::Init => rows::ContainerKind::Init,
            Kind::Sidecar => rows::ContainerKind::Sidecar,
            Kind::Ephemeral => rows::ContainerKind::Ephemeral,
        },
        image: instance
            .image
            .as_ref()
            .map(|(image, image_id)| rows::Image { image, image_id }),
        restart: instance.restart,
        is_guess: instance.is_guess,
        started_at: instance.started_at,
        is_running: instance.is_running,
        ended: instance.ended.as_ref().map(ended),
        ..row
    });
}

fn ended(ended: &Ended) -> rows::Ended<'_> {
    rows::Ended {
        finished_at: ended.finished_at,
        exit_code: ended.exit_code,
        signal: ended.signal,
        reason: &ended.reason,
    }
}

fn asked(asked: Option<&(i64, Text, Text)>) -> Option<(i64, &str, &str)> {
    asked.map(|(at, user, acting_as)| (*at, &**user, &**acting_as))
}

fn pair(pair: Option<&(Text, Text)>) -> Option<(&str, &str)> {
    pair.map(|(one, other)| (&**one, &**other))
}
