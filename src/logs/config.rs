//! One store, as it is configured.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::preset::{Kind, TimeIs};
use crate::tls;

/// A store of log lines: one `[[logs]]` block.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// How answers call it.
    pub name: String,
    /// What wrote into it, and in which form: a name of `bygone logs presets`. Everything below overrides it.
    pub preset: Option<String>,
    pub kind: Option<Kind>,
    /// `http://host:port`. A ClickHouse without one is the one that keeps the history.
    pub address: Option<String>,
    /// The clusters whose lines it holds; none named: all.
    pub clusters: Vec<String>,
    /// The table (`table` or `database.table`), the index pattern, or a stream selector that narrows every query.
    pub from: Option<String>,
    pub user: Option<String>,
    /// A file with that user's password.
    pub password_file: Option<PathBuf>,
    /// A file with a bearer token.
    pub token_file: Option<PathBuf>,
    /// A file with an API key of Elasticsearch, as it is sent.
    pub api_key_file: Option<PathBuf>,
    /// Loki's `X-Scope-OrgID`; of VictoriaLogs `ACCOUNT` or `ACCOUNT:PROJECT`.
    pub tenant: Option<String>,
    pub tls: tls::ClientFiles,
    /// Where the parts of a record are. Those that are not named are the preset's.
    pub fields: Fields,
    /// Whose clock the time of a line is.
    pub time_is: Option<TimeIs>,
    /// How far before and after its life an instance's lines may lie, where its identity allows it.
    pub slack_seconds: u32,
    /// How long the store may take to send the next page.
    pub timeout_seconds: u64,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            name: String::new(),
            preset: None,
            kind: None,
            address: None,
            clusters: Vec::new(),
            from: None,
            user: None,
            password_file: None,
            token_file: None,
            api_key_file: None,
            tenant: None,
            tls: tls::ClientFiles::default(),
            fields: Fields::default(),
            time_is: None,
            // More than clocks of nodes that are watched at all are off.
            slack_seconds: 300,
            timeout_seconds: 30,
        }
    }
}

/// Where the parts of a record are, in the words of the store's kind: a column or `Map['key']` of ClickHouse, a field of
/// Elasticsearch or VictoriaLogs; of Loki `stream:LABEL`, `label:NAME` (structured metadata), `json:PATH` in the line.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Fields {
    pub cluster: Option<String>,
    pub namespace: Option<String>,
    pub pod: Option<String>,
    pub uid: Option<String>,
    pub container: Option<String>,
    /// With or without `runtime://`.
    pub container_id: Option<String>,
    /// The restart number.
    pub restart: Option<String>,
    /// The path of the file: `/var/log/pods/NAMESPACE_POD_UID/CONTAINER/RESTART.log`.
    pub file: Option<String>,
    pub node: Option<String>,
    /// `stdout` or `stderr`.
    pub stream: Option<String>,
    /// The line; the first of them that a record has.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub line: Vec<String>,
    pub time: Option<String>,
    /// A column of whole seconds that the time is indexed by, where it is not `time` itself.
    pub time_index: Option<String>,
    /// What orders lines of one time: an offset in the file.
    pub tie_break: Option<String>,
}

impl Fields {
    /// These, and what they leave out from `others`.
    pub(super) fn or(self, others: &Fields) -> Fields {
        let or = |one: Option<String>, other: &Option<String>| one.or_else(|| other.clone());
        Fields {
            cluster: or(self.cluster, &others.cluster),
            namespace: or(self.namespace, &others.namespace),
            pod: or(self.pod, &others.pod),
            uid: or(self.uid, &others.uid),
            container: or(self.container, &others.container),
            container_id: or(self.container_id, &others.container_id),
            restart: or(self.restart, &others.restart),
            file: or(self.file, &others.file),
            node: or(self.node, &others.node),
            stream: or(self.stream, &others.stream),
            line: if self.line.is_empty() {
                others.line.clone()
            } else {
                self.line
            },
            time: or(self.time, &others.time),
            time_index: or(self.time_index, &others.time_index),
            tie_break: or(self.tie_break, &others.tie_break),
        }
    }
}
