//! The columns of sessions.

use super::cell::{self, NONE, UNKNOWN};
use super::table::Column;
use super::{Look, Row, span};
use crate::query::Session;

impl Row for Session {
    const NAME_FIELDS: &'static [&'static str] = &["namespace", "pod"];
    const TABLE_FIELDS: &'static [&'static str] = &[
        "cluster",
        "namespace",
        "pod",
        "kind",
        "container",
        "began_at",
        "over_at",
        "asked_by",
        "source",
        "code",
    ];
    const WIDE_FIELDS: &'static [&'static str] = &["via", "audit_id"];

    fn columns(look: &Look, wide: bool) -> Vec<Column<Session>> {
        vec![
            Column::new("CLUSTER", |s: &Session, _| s.cluster.clone()).only_if(look.cluster_column),
            Column::new("NAMESPACE", |s: &Session, _| s.namespace.clone())
                .only_if(look.namespace_column),
            Column::new("POD", |s, _| s.pod.clone()),
            Column::new("KIND", |s, _| s.kind.clone()),
            Column::new("CONTAINER", |s, _| cell::text(s.container.as_deref(), NONE)),
            Column::new(cell::zoned("BEGAN", look), |s, look| {
                cell::time(s.began_at, UNKNOWN, look)
            }),
            Column::new("LASTED", |s, _| lasted(s)),
            Column::new("BY", |s, _| cell::text(s.asked_by.as_deref(), UNKNOWN)),
            Column::new("FROM", |s, _| cell::text(s.source.as_deref(), UNKNOWN)),
            Column::new("VIA", |s: &Session, _| cell::text(s.via.as_deref(), NONE)).only_if(wide),
            Column::new("CODE", |s, _| {
                s.code.map_or(UNKNOWN.to_owned(), |code| code.to_string())
            }),
            Column::new("AUDIT-ID", |s: &Session, _| {
                cell::text(s.audit_id.as_deref(), NONE)
            })
            .only_if(wide),
        ]
    }

    fn name(&self) -> String {
        format!("{}/{}", self.namespace, self.pod)
    }
}

/// The duration; unknown for a session that is open, or whose end no event reported.
pub fn lasted(session: &Session) -> String {
    match (session.began_at, session.over_at) {
        (Some(began), Some(over)) => span::human(over.instant.duration_since(began.instant)),
        _ => UNKNOWN.to_owned(),
    }
}
