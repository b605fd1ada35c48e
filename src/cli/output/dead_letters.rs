//! The columns of dead letters.

use super::table::Column;
use super::{Look, Row, cell};
use crate::dead_letters::Summary;

impl Row for Summary {
    fn columns(look: &Look, wide: bool) -> Vec<Column<Summary>> {
        vec![
            Column::new("ID", |s: &Summary, _| s.id.to_string()),
            Column::new(cell::zoned("RECEIVED", look), |s, look| {
                look.zone
                    .to_datetime(s.received_at)
                    .strftime("%Y-%m-%d %H:%M:%S")
                    .to_string()
            }),
            Column::new("CLUSTER", |s: &Summary, _| s.cluster.clone()),
            Column::new("ORIGIN", |s: &Summary, _| s.origin.clone()),
            Column::new("REASON", |s: &Summary, _| s.reason.clone()),
            Column::new("FROM", |s, _| s.position_from.to_string()),
            Column::new("BYTES", |s, _| s.bytes.to_string()),
            Column::new("SHA256", |s: &Summary, _| s.sha256.to_string()).only_if(wide),
        ]
    }

    fn name(&self) -> String {
        self.id.to_string()
    }
}
