//! The rows of answers. Their fields and the order of these are the same on every surface.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, SchemaFormat, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use super::statement;

/// A kind of row that can be asked for.
pub trait Life: Serialize + serde::de::DeserializeOwned + Send + 'static {
    /// The name in commands, in paths of the API, and of the view.
    const PLURAL: &'static str;
    /// Whether rows of this kind have links to log lines.
    const HAS_LOGS: bool = false;
    #[doc(hidden)]
    type Row: statement::Row<Self>;

    /// The row itself, where it is a container instance.
    fn container(&mut self) -> Option<&mut Container> {
        None
    }
}

/// How an answer ended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Ending {
    /// Whether more rows exist beyond the limit.
    pub more: bool,
    /// If so: where to continue.
    pub cursor: Option<String>,
    /// If requested.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost: Option<Cost>,
    /// For an empty answer: unknown names in the query, with similar known ones. Human-readable.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hints: Vec<String>,
}

/// What an answer cost ClickHouse.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Cost {
    pub rows_read: u64,
    pub bytes_read: u64,
    /// CPU time, in milliseconds. `null` if bygone's account may not read the query log, or the tables are spread
    /// over several servers.
    pub cpu_ms: Option<u64>,
}

/// One container instance; every restart is a separate one. Absent values are `null`. Fields that were not
/// requested are omitted.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Container {
    pub cluster: String,
    pub namespace: String,
    pub workload_kind: Option<String>,
    /// The topmost known owner: a ReplicaSet's Deployment, a Job's CronJob.
    pub workload: Option<String>,
    pub pod: String,
    pub pod_uid: uuid::Uuid,
    pub container: String,
    /// `app`, `init`, `sidecar` or `ephemeral`.
    pub kind: String,
    /// Without `runtime://`; `null` if its kubelet reported none.
    pub container_id: Option<String>,
    pub runtime: Option<String>,
    /// As the node resolved it.
    pub image: Option<String>,
    pub image_id: Option<String>,
    pub node: Option<String>,
    /// Every address its pod had, in order of first appearance.
    pub pod_ips: Vec<String>,
    pub restart: u32,
    pub started_at: Option<Time>,
    /// Without `end_seen`, when its pod was removed. `null` while it runs.
    pub ended_at: Option<Time>,
    pub end_seen: bool,
    pub exit_code: Option<i32>,
    pub signal: Option<i32>,
    pub reason: Option<String>,
    pub pod_created_at: Option<Time>,
    pub pod_removed_at: Option<Time>,
    pub ended_by: Option<String>,
    pub ended_why: Option<String>,
    pub ended_cause: Option<String>,
    /// Of a static pod: what its node has in place of the UID, as in the names of its log folders.
    pub config_hash: Option<String>,
    pub unknown: Vec<String>,
    /// Links to its lines, as `[[logs.links]]` configures them.
    pub logs: Vec<LogsLink>,
}

/// Where a person sees the lines of a container instance.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LogsLink {
    /// The name of the `[[logs]]` block.
    pub store: String,
    /// The name of the link.
    pub name: String,
    pub url: String,
}

/// One pod, identified by its uid. Absent values are `null`. Fields that were not requested are omitted.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Pod {
    pub cluster: String,
    pub namespace: String,
    pub workload_kind: Option<String>,
    /// The topmost known owner: a ReplicaSet's Deployment, a Job's CronJob.
    pub workload: Option<String>,
    pub pod: String,
    pub pod_uid: uuid::Uuid,
    pub node: Option<String>,
    /// Every address it had, in order of first appearance.
    pub pod_ips: Vec<String>,
    pub labels: BTreeMap<String, String>,
    pub service_account: Option<String>,
    pub created_at: Option<Time>,
    pub created_by: Option<String>,
    pub scheduled_at: Option<Time>,
    pub started_at: Option<Time>,
    pub delete_asked_at: Option<Time>,
    pub delete_asked_by: Option<String>,
    /// `null` while it exists.
    pub removed_at: Option<Time>,
    /// Latest possible end: its removal, or the proof of it if the removal was not seen. `null` while it exists.
    pub over_at: Option<Time>,
    /// What proves that: one of the words in `schema/README.md`.
    pub gone_proof: Option<String>,
    pub phase: Option<String>,
    /// The reason of its status: `Evicted`, `DeadlineExceeded`, ...
    pub status_reason: Option<String>,
    pub ended_by: Option<String>,
    pub ended_why: Option<String>,
    pub ended_cause: Option<String>,
    /// Number of container instances.
    pub containers: u64,
    /// Sum of the highest restart counts of its containers.
    pub restarts: u64,
    pub unknown: Vec<String>,
}

/// One request to a running pod: a session in a container, an added ephemeral container, or a resize. Absent values are `null`. Fields that were not requested are omitted.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Session {
    pub cluster: String,
    pub namespace: String,
    /// As named in the request. The pod may not have existed.
    pub pod: String,
    /// The subresource of the pod: `exec`, `attach`, `portforward`, `ephemeralcontainers` or `resize`.
    pub kind: String,
    /// The container in the request; added containers are separated by commas.
    pub container: Option<String>,
    pub began_at: Option<Time>,
    /// `null` while it is open, or if no event reported its end.
    pub over_at: Option<Time>,
    /// The account; `a as b` if a impersonated b.
    pub asked_by: Option<String>,
    /// First source address; a client may forge it.
    pub source: Option<String>,
    /// Last source address, if there are several: the one that connected.
    pub via: Option<String>,
    /// The HTTP status; 101 for an opened stream.
    pub code: Option<u16>,
    pub audit_id: Option<String>,
    /// Derived from the values that identify the request.
    pub id: uuid::Uuid,
}

impl Session {
    /// Whether it was not carried out.
    pub fn is_refused(&self) -> bool {
        self.code.is_some_and(|code| code >= 400)
    }
}

/// An instant with the precision that is known: whole seconds from inside of Kubernetes objects,
/// milliseconds from audit events. Its text is RFC 3339 in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time {
    pub instant: Timestamp,
    pub whole_seconds: bool,
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        if self.whole_seconds {
            write!(f, "{:.0}", self.instant)
        } else {
            write!(f, "{:.3}", self.instant)
        }
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl PartialSchema for Time {
    fn schema() -> RefOr<Schema> {
        let date_time = SchemaFormat::KnownFormat(KnownFormat::DateTime);
        let schema = ObjectBuilder::new()
            .schema_type(Type::String)
            .format(Some(date_time))
            .description(Some(
                "RFC 3339 in UTC: whole seconds from Kubernetes objects, milliseconds from audit events.",
            ));
        schema.into()
    }
}

impl ToSchema for Time {}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Time, D::Error> {
        let text = String::deserialize(deserializer)?;
        let instant = text.parse().map_err(de::Error::custom)?;
        Ok(Time {
            instant,
            whole_seconds: !text.contains('.'),
        })
    }
}
