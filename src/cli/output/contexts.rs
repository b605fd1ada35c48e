//! The columns of contexts.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::table::Column;
use super::{Look, Row, cell};

/// A context as it is listed. Of a token there is only the name of its file.
#[derive(Serialize, Deserialize)]
pub struct Listed {
    pub name: String,
    pub in_use: bool,
    pub server: Option<String>,
    pub token_file: Option<PathBuf>,
    pub ca_file: Option<PathBuf>,
    pub cluster: Option<String>,
    pub namespace: Option<String>,
    pub zone: Option<String>,
    pub kube_contexts: Vec<String>,
}

impl Row for Listed {
    fn columns(_: &Look, _: bool) -> Vec<Column<Listed>> {
        vec![
            Column::new("IN USE", |c: &Listed, _| match c.in_use {
                true => "yes".to_owned(),
                false => "no".to_owned(),
            }),
            Column::new("NAME", |c: &Listed, _| c.name.clone()),
            Column::new("SERVER", |c, _| text(&c.server)),
            Column::new("CLUSTER", |c, _| text(&c.cluster)),
            Column::new("NAMESPACE", |c, _| text(&c.namespace)),
            Column::new("ZONE", |c, _| text(&c.zone)),
            Column::new("KUBE CONTEXTS", |c, _| cell::list(&c.kube_contexts)),
        ]
    }

    fn name(&self) -> String {
        self.name.clone()
    }
}

fn text(text: &Option<String>) -> String {
    cell::text(text.as_deref(), cell::NONE)
}
