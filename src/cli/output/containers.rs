//! The columns of container instances.

use super::cell::{self, NONE, UNKNOWN};
use super::table::Column;
use super::{Look, Row};
use crate::audit::words::Unknown;
use crate::query::Container;

/// As many characters of a container's ID as `docker ps` shows.
pub const ID_CHARS: usize = 12;

impl Row for Container {
    const NAME_FIELDS: &'static [&'static str] = &["namespace", "pod", "container"];
    const TABLE_FIELDS: &'static [&'static str] = &[
        "cluster",
        "namespace",
        "pod",
        "container",
        "restart",
        "started_at",
        "ended_at",
        "end_seen",
        "exit_code",
        "reason",
        "node",
        "unknown",
    ];
    const WIDE_FIELDS: &'static [&'static str] = &[
        "kind",
        "workload_kind",
        "workload",
        "pod_ips",
        "image",
        "container_id",
    ];

    fn columns(look: &Look, wide: bool) -> Vec<Column<Container>> {
        vec![
            Column::new("CLUSTER", |c: &Container, _| c.cluster.clone())
                .only_if(look.cluster_column),
            Column::new("NAMESPACE", |c: &Container, _| c.namespace.clone())
                .only_if(look.namespace_column),
            Column::new("POD", |c, _| c.pod.clone()),
            Column::new("CONTAINER", |c, _| c.container.clone()),
            Column::new("RESTART", |c, _| c.restart.to_string()),
            Column::new("STATE", |c, _| state(c)),
            Column::new(cell::zoned("STARTED", look), |c, look| {
                cell::time(c.started_at, UNKNOWN, look)
            }),
            Column::new("LIFETIME", lifetime),
            Column::new("AGE", |c, look| cell::span(c.started_at, look.now)),
            Column::new("NODE", |c, _| cell::text(c.node.as_deref(), NONE)),
            Column::new("KIND", |c: &Container, _| c.kind.clone()).only_if(wide),
            Column::new("WORKLOAD", |c: &Container, _| {
                cell::workload(c.workload_kind.as_deref(), c.workload.as_deref())
            })
            .only_if(wide),
            Column::new(cell::zoned("ENDED", look), |c: &Container, look| {
                cell::time(c.ended_at, NONE, look)
            })
            .only_if(wide),
            Column::new("POD-IP", |c: &Container, _| cell::list(&c.pod_ips)).only_if(wide),
            Column::new("IMAGE", |c: &Container, _| {
                cell::text(c.image.as_deref(), NONE)
            })
            .only_if(wide),
            Column::new("CONTAINER-ID", |c: &Container, _| {
                cell::text(c.container_id.as_deref(), NONE)
                    .chars()
                    .take(ID_CHARS)
                    .collect()
            })
            .only_if(wide),
        ]
    }

    fn name(&self) -> String {
        format!("{}/{}/{}", self.namespace, self.pod, self.container)
    }
}

/// Kubernetes' states of a container, with the reason for the last one: `Running`, `Error(137)`.
/// An end that nobody saw is `Unknown`, as it has neither; so is whether something runs of which only late events spoke.
pub fn state(container: &Container) -> String {
    match (container.ended_at, container.end_seen) {
        (None, false) if !is_confirmed(container) => "Unknown".to_owned(),
        (None, false) => "Running".to_owned(),
        (Some(_), false) if container.reason.is_none() => "Unknown".to_owned(),
        _ => {
            let reason = container.reason.as_deref().unwrap_or("Terminated");
            let code = container.exit_code.map(|code| format!("({code})"));
            format!("{reason}{}", code.unwrap_or_default())
        }
    }
}

fn is_confirmed(container: &Container) -> bool {
    let unconfirmed = [Unknown::EndNotConfirmed, Unknown::MirrorRemoved].map(Unknown::word);
    let mut unknown = container.unknown.iter();
    !unknown.any(|word| unconfirmed.contains(&&**word))
}

pub fn lifetime(container: &Container, look: &Look) -> String {
    match (container.ended_at, container.end_seen) {
        (Some(end), _) => cell::span(container.started_at, end.instant),
        (None, false) if !is_confirmed(container) => UNKNOWN.to_owned(),
        (None, false) => cell::span(container.started_at, look.now),
        (None, true) => UNKNOWN.to_owned(),
    }
}
