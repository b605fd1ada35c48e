//! Facts as rows of the table `facts`: the one place that knows the columns.

use bygone::rows;

use super::fact::{About, Ended, Fact, InstanceFact, NameFact, PodFact};
use super::object::Kind;
use super::{SECOND, Text};

/// The columns that [`row`] encodes: those of the program, and those that the server fills in by
/// its clock where it is not told.
pub fn columns() -> String {
    format!("{}, slot, heard_at", rows::FACTS.columns.join(", "))
}

/// One row in RowBinary, as heard at an instant (microseconds).
pub fn row(fact: &Fact, heard_at: i64, out: &mut Vec<u8>) {
    let mut facts = rows::Facts::default();
    push(fact, "", &mut facts);
    out.extend_from_slice(facts.bytes());
    let heard = u32::try_from(heard_at / SECOND).expect("a DateTime");
    out.extend_from_slice(&(heard - heard % SLOT_SECONDS).to_le_bytes());
    out.extend_from_slice(&heard.to_le_bytes());
}

/// How long a slot of `facts` is.
pub const SLOT_SECONDS: u32 = 600;

/// One row as the program encodes it, with the audit ID of its event where that is kept.
pub fn push(fact: &Fact, audit_id: &str, facts: &mut rows::Facts) {
    let row = rows::Fact {
        cluster: &fact.cluster,
        namespace: &fact.namespace,
        pod_uid: fact.pod_uid,
        event_at: fact.event_at,
        version: fact.version,
        audit_id,
        ..rows::Fact::default()
    };
    match &fact.about {
        About::Pod(pod) => push_pod(pod, row, facts),
        About::Instance(instance) => push_instance(instance, row, facts),
        About::Name(name) => push_name(name, row, facts),
    }
}

fn push_name(name: &NameFact, row: rows::Fact, facts: &mut rows::Facts) {
    facts.push(&rows::Fact {
        pod: &name.pod,
        named: Some(rows::Named {
            at: name.at,
            what: name.what,
            user: &name.user,
            acting_as: &name.acting_as,
            selector: "",
        }),
        ..row
    });
}

fn push_pod(pod: &PodFact, row: rows::Fact, facts: &mut rows::Facts) {
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
    let phase = rows::Phase::parse(&pod.phase);
    let event_at = row.event_at;
    facts.push(&rows::Fact {
        pod: &pod.pod,
        node: &pod.node,
        host_network: pod.host_network,
        service_account: &pod.service_account,
        owner: pod.owner.as_deref().map(|owner| rows::Owner {
            kind: &owner.kind,
            name: &owner.name,
            workload_kind: &owner.workload_kind,
            workload: &owner.workload,
            inferred: owner.inferred,
        }),
        labels: labels.as_deref(),
        phase,
        pod_ips: &pod.ips,
        restarts: &restarts,
        terminal_at: if phase.is_terminal() { event_at } else { 0 },
        created_at: pod.created_at,
        created_by: pair(pod.created_by.as_ref()),
        scheduled_at: pod.scheduled_at,
        pod_started_at: pod.started_at,
        delete_asked: asked(pod.delete_asked.as_ref()),
        force_asked: asked(pod.force_asked.as_ref()),
        disrupted: pod.disrupted.as_ref().map(|(at, reason)| (*at, &**reason)),
        status_reason: &pod.reason,
        waiting: &waiting,
        truncated: pod.truncated,
        not_after: pod.not_after,
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
        started_at: instance.started_at,
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
