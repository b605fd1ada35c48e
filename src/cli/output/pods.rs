//! The columns of pods.

use super::cell::{self, NONE, UNKNOWN};
use super::table::Column;
use super::{Look, Row};
use crate::query::Pod;

impl Row for Pod {
    const NAME_FIELDS: &'static [&'static str] = &["namespace", "pod"];
    const TABLE_FIELDS: &'static [&'static str] = &[
        "cluster",
        "namespace",
        "pod",
        "phase",
        "restarts",
        "created_at",
        "removed_at",
        "node",
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
        vec![
            Column::new("CLUSTER", |p: &Pod, _| p.cluster.clone()).only_if(look.cluster_column),
            Column::new("NAMESPACE", |p: &Pod, _| p.namespace.clone())
                .only_if(look.namespace_column),
            Column::new("POD", |p, _| p.pod.clone()),
            Column::new("PHASE", |p, _| cell::text(p.phase.as_deref(), UNKNOWN)),
            Column::new("RESTARTS", |p, _| p.restarts.to_string()),
            Column::new(cell::zoned("CREATED", look), |p, look| {
                cell::time(p.created_at, UNKNOWN, look)
            }),
            Column::new(cell::zoned("REMOVED", look), |p, look| {
                cell::time(p.removed_at, NONE, look)
            }),
            Column::new("LIFETIME", |p, look| {
                cell::span(
                    p.created_at,
                    p.removed_at.map_or(look.now, |end| end.instant),
                )
            }),
            Column::new("AGE", |p, look| cell::span(p.created_at, look.now)),
            Column::new("NODE", |p, _| cell::text(p.node.as_deref(), NONE)),
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
        ]
    }

    fn name(&self) -> String {
        format!("{}/{}", self.namespace, self.pod)
    }
}
