//! The columns of pods.

use super::cell::Tone;
use super::cell::{self, NONE, UNKNOWN};
use super::table::Column;
use super::{Look, Row};
use crate::audit::words::{EndedWhy, NOT_STARTED, Unknown};
use crate::query::{Pod, Time};

impl Row for Pod {
    const NAME_FIELDS: &'static [&'static str] = &["namespace", "pod"];
    const TABLE_FIELDS: &'static [&'static str] = &[
        "cluster",
        "namespace",
        "pod",
        "phase",
        "status_reason",
        "restarts",
        "created_at",
        "delete_asked_at",
        "removed_at",
        "over_at",
        "gone_proof",
        "node",
        "ended_why",
        "ended_by",
        "unknown",
    ];
    const WIDE_FIELDS: &'static [&'static str] = &[
        "pod_ips",
        "workload_kind",
        "workload",
        "service_account",
        "created_by",
        "delete_asked_by",
        "containers",
        "pod_uid",
    ];

    fn columns(look: &Look, wide: bool) -> Vec<Column<Pod>> {
        let mut columns = vec![
            Column::new("CLUSTER", |p: &Pod, _| p.cluster.clone()).only_if(look.cluster_column),
            Column::new("NAMESPACE", |p: &Pod, _| p.namespace.clone())
                .only_if(look.namespace_column),
            Column::new("POD", |p, _| p.pod.clone()),
            Column::new("STATE", |p, _| state(p)).toned(tone),
            Column::new("RESTARTS", |p, _| p.restarts.to_string()),
            Column::new(cell::zoned("CREATED", look), |p, look| {
                cell::time(p.created_at, UNKNOWN, look)
            }),
            Column::new(cell::zoned("REMOVED", look), |p, look| {
                let absent = if p.gone_proof.is_some() {
                    UNKNOWN
                } else {
                    NONE
                };
                cell::time(p.removed_at, absent, look)
            }),
            Column::new("LIFETIME", lifetime),
            Column::new("AGE", |p: &Pod, look| cell::span(p.created_at, look.now)).only_if(wide),
            Column::new("NODE", |p, _| cell::text(p.node.as_deref(), NONE)),
            Column::new("WHY", |p: &Pod, _| cell::text(p.ended_why.as_deref(), NONE))
                .toned(|p| cell::why_tone(p.ended_why.as_deref())),
            Column::new("BY", |p, _| cell::text(p.ended_by.as_deref(), NONE)),
            Column::new("POD-IP", |p: &Pod, _| cell::list(&p.pod_ips)).only_if(wide),
            Column::new("WORKLOAD", |p: &Pod, _| {
                cell::workload(p.workload_kind.as_deref(), p.workload.as_deref())
            })
            .only_if(wide),
            Column::new("SERVICE-ACCOUNT", |p: &Pod, _| {
                cell::text(p.service_account.as_deref(), NONE)
            })
            .only_if(wide),
            Column::new("CREATED-BY", |p: &Pod, _| {
                cell::text(p.created_by.as_deref(), UNKNOWN)
            })
            .only_if(wide),
            Column::new("DELETE-ASKED-BY", |p: &Pod, _| {
                cell::text(p.delete_asked_by.as_deref(), NONE)
            })
            .only_if(wide),
            Column::new("CONTAINERS", |p: &Pod, _| p.containers.to_string()).only_if(wide),
            Column::new("UID", |p: &Pod, _| p.pod_uid.to_string()).only_if(wide),
        ];
        columns.extend(look.label_columns.iter().map(|key| label(key)));
        columns.push(Column::new("LABELS", |p: &Pod, _| labels(p)).only_if(look.labels_column));
        columns
    }

    fn name(&self) -> String {
        format!("{}/{}", self.namespace, self.pod)
    }
}

/// The STATUS of `kubectl get pods`, as far as the pod alone determines it, and `Deleted` for pods that no longer
/// exist.
///
/// The phase of a pod that was asked to stop depends on how its processes reacted, so it is only shown for a pod that
/// finished before any request.
fn state(pod: &Pod) -> String {
    let has = |word: Unknown| pod.unknown.iter().any(|it| it == word.word());
    let waits = pod
        .unknown
        .iter()
        .find_map(|word| word.split_once(NOT_STARTED));
    let finished = pod.ended_why.as_deref() == Some(EndedWhy::Finished.word());
    let state = match (&pod.status_reason, pod.phase.as_deref()) {
        (Some(reason), _) => reason,
        (None, Some("Succeeded")) if finished => "Completed",
        (None, Some("Failed")) if finished => "Error",
        _ if pod.removed_at.is_some() || pod.gone_proof.is_some() => "Deleted",
        _ if has(Unknown::EndNotConfirmed) => "Unknown",
        _ if pod.delete_asked_at.is_some() => "Terminating",
        (None, Some("Pending") | None) if waits.is_some() => waits.unwrap_or_default().1,
        (None, phase) => phase.unwrap_or(UNKNOWN),
    };
    state.to_owned()
}

/// Every unusual state is a reason to look.
fn tone(pod: &Pod) -> Option<Tone> {
    match &*state(pod) {
        "Running" | "Pending" | "Completed" | "Deleted" | "Terminating" => None,
        "ContainerCreating" | "PodInitializing" => None,
        "Unknown" | UNKNOWN => Some(Tone::Odd),
        _ => Some(Tone::Bad),
    }
}

/// Until it was removed, or gone at the latest.
fn lifetime(pod: &Pod, look: &Look) -> String {
    let gone = pod.over_at.filter(|_| pod.gone_proof.is_some());
    let is_unconfirmed = |word: &String| word == Unknown::EndNotConfirmed.word();
    match pod.removed_at.or(gone).map(|end: Time| end.instant) {
        Some(end) => cell::span(pod.created_at, end),
        None if pod.unknown.iter().any(is_unconfirmed) => UNKNOWN.to_owned(),
        None => cell::span(pod.created_at, look.now),
    }
}

/// Under the last part of its key, as `kubectl get -L` has it.
fn label(key: &str) -> Column<Pod> {
    let head = key.rsplit('/').next().unwrap_or(key).to_uppercase();
    let key = key.to_owned();
    Column::with(head, move |p: &Pod, _: &Look| {
        cell::text(p.labels.get(&key).map(|it| &**it), NONE)
    })
}

fn labels(pod: &Pod) -> String {
    let labels = pod
        .labels
        .iter()
        .map(|(key, value)| format!("{key}={value}"));
    cell::list(&labels.collect::<Vec<_>>())
}
