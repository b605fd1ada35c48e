//! The columns of contexts.

use super::table::Column;
use super::{Look, Row, cell};
use crate::cli::context::Listed;

impl Row for Listed {
    fn columns(_: &Look, _: bool) -> Vec<Column<Listed>> {
        vec![
            Column::new("IN USE", |c: &Listed, _| match c.in_use {
                true => "yes".to_owned(),
                false => "no".to_owned(),
            }),
            Column::new("NAME", |c: &Listed, _| c.name.clone()),
            Column::new("SERVER", |c, _| text(&c.context.server)),
            Column::new("CLUSTER", |c, _| text(&c.context.cluster)),
            Column::new("NAMESPACE", |c, _| text(&c.context.namespace)),
            Column::new("ZONE", |c, _| text(&c.context.zone)),
            Column::new("KUBE CONTEXTS", |c, _| cell::list(&c.context.kube_contexts)),
        ]
    }

    fn name(&self) -> String {
        self.name.clone()
    }
}

fn text(text: &Option<String>) -> String {
    cell::text(text.as_deref(), cell::NONE)
}
