//! How a store keeps lines: its kind, whose time it has, and where the parts of a record are.

use serde::{Deserialize, Serialize};

/// The kinds of stores.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    ClickHouse,
    Elasticsearch,
    OpenSearch,
    Loki,
    VictoriaLogs,
}

impl Kind {
    pub const ALL: [Kind; 5] = [
        Kind::ClickHouse,
        Kind::Elasticsearch,
        Kind::OpenSearch,
        Kind::Loki,
        Kind::VictoriaLogs,
    ];

    /// As the configuration names it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Kind::ClickHouse => "clickhouse",
            Kind::Elasticsearch => "elasticsearch",
            Kind::OpenSearch => "opensearch",
            Kind::Loki => "loki",
            Kind::VictoriaLogs => "victorialogs",
        }
    }

    /// Whether agents write the same into both.
    pub(super) fn is_like(self, other: Kind) -> bool {
        let same = |kind| match kind {
            Kind::OpenSearch => Kind::Elasticsearch,
            kind => kind,
        };
        same(self) == same(other)
    }
}

/// Whose clock the time of a line is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum TimeIs {
    /// The container runtime's, which is the node's.
    #[default]
    Runtime,
    /// The application's, where the line has one: it may be off by any amount.
    Application,
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
    /// Those by which instances are found, as far as they are named.
    pub(super) fn found_by(&self) -> impl Iterator<Item = &String> {
        let fields = [
            &self.cluster,
            &self.namespace,
            &self.pod,
            &self.uid,
            &self.container,
            &self.container_id,
            &self.restart,
            &self.file,
        ];
        fields.into_iter().flatten()
    }

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
