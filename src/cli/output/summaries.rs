//! The columns of summaries.

use super::cell::Tone;
use super::cell::{self, NONE};
use super::table::Column;
use super::{Look, Row};
use crate::query::Summary;

impl Row for Summary {
    fn columns(look: &Look, _wide: bool) -> Vec<Column<Summary>> {
        vec![
            Column::new("CLUSTER", |s: &Summary, _| s.cluster.clone()).only_if(look.cluster_column),
            Column::new("NAMESPACE", |s: &Summary, _| {
                cell::text(s.namespace.as_deref(), NONE)
            })
            .only_if(look.namespace_column),
            Column::new("NAME", |s, _| s.name()),
            Column::new("PODS", |s, _| s.pods.to_string()),
            Column::new("INSTANCES", |s, _| s.instances.to_string()),
            Column::new("RESTARTS", |s, _| s.restarts.to_string()),
            Column::new(cell::zoned("FIRST", look), |s, look| {
                cell::time(s.first, NONE, look)
            }),
            Column::new(cell::zoned("LAST", look), |s, look| {
                cell::time(s.last, "now", look)
            }),
            Column::new("WORST-END", |s: &Summary, _| {
                cell::text(s.worst_end.as_deref(), NONE)
            })
            .toned(|s| s.worst_end.is_some().then_some(Tone::Bad)),
        ]
    }

    /// As filters take it: `Deployment/web`, or the name.
    fn name(&self) -> String {
        match &self.kind {
            Some(kind) => format!("{kind}/{}", self.name),
            None => self.name.clone(),
        }
    }
}
