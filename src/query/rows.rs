//! Rows of the views, as ClickHouse sends them.

mod page_row;

use ::clickhouse as driver;
use jiff::Timestamp;
use serde::Deserialize;

use super::model::{Container, Life, Pod, Session, Time};
use super::newest::{Identity, Stored};
use super::statement::Row;
use super::{Cursor, LifeState, Question};

impl Life for Container {
    const PLURAL: &'static str = "containers";
    const HAS_LOGS: bool = true;
    type Row = ContainerRow;

    fn container(&mut self) -> Option<&mut Container> {
        Some(self)
    }
}

impl Life for Pod {
    const PLURAL: &'static str = "pods";
    type Row = PodRow;
}

impl Life for Session {
    const PLURAL: &'static str = "sessions";
    type Row = SessionRow;
}

/// Whole seconds: `DateTime`.
fn seconds(seconds: Option<u32>) -> Option<Time> {
    let instant = Timestamp::from_second(seconds?.into()).ok()?;
    Some(Time {
        instant,
        whole_seconds: true,
    })
}

/// `DateTime64(3)`.
fn millis(millis: Option<i64>) -> Option<Time> {
    let instant = Timestamp::from_millisecond(millis?).ok()?;
    Some(Time {
        instant,
        whole_seconds: false,
    })
}

/// `DateTime64(6)`.
pub(super) fn micros(micros: Option<i64>) -> Option<Time> {
    let instant = Timestamp::from_microsecond(micros?).ok()?;
    Some(Time {
        instant,
        whole_seconds: false,
    })
}

/// What a column holds in place of what was not asked for.
trait Absent {
    const SQL: &'static str;
}

macro_rules! absent {
    ($($kind:ty = $sql:literal,)*) => {
        $(impl Absent for $kind {
            const SQL: &'static str = $sql;
        })*
    };
}
absent! {
    String = "''",
    Option<String> = "CAST(NULL, 'Nullable(String)')",
    Vec<String> = "CAST([], 'Array(String)')",
    Vec<(String, String)> = "CAST(map(), 'Map(String, String)')",
    Vec<(String, u32)> = "CAST(map(), 'Map(String, UInt32)')",
    Vec<i64> = "CAST([], 'Array(DateTime64(3))')",
    Vec<(String, (i64, i64))> = "CAST([], 'Array(Tuple(String, Tuple(DateTime64(3), DateTime64(3))))')",
    Vec<Vec<(String, String)>> = "CAST([], 'Array(Map(String, String))')",
    bool = "false",
    u32 = "toUInt32(0)",
    u64 = "toUInt64(0)",
    i64 = "toDateTime64(0, 6)",
    Option<u32> = "CAST(NULL, 'Nullable(DateTime)')",
    Option<u16> = "CAST(NULL, 'Nullable(UInt16)')",
    Option<i32> = "CAST(NULL, 'Nullable(Int32)')",
    Option<i64> = "CAST(NULL, 'Nullable(DateTime64(3))')",
    uuid::Uuid = "toUUID('00000000-0000-0000-0000-000000000000')",
    [u8; 32] = "toFixedString('', 32)",
}

/// A row of which each field is a column; the last ones only of a look-up.
macro_rules! row {
    (
        $(#[$about:meta])*
        pub struct $name:ident { $($(#[$how:meta])* $field:ident: $kind:ty,)* }
        $(of a look-up { $($own:ident: $own_kind:ty,)* })?
    ) => {
        $(#[$about])*
        #[derive(Deserialize, driver::Row)]
        pub struct $name {
            $($(#[$how])* $field: $kind,)*
            $($($own: $own_kind,)*)?
        }

        impl $name {
            /// Each with what stands in its place where it was not asked for.
            pub(super) const COLUMNS: &'static [(&'static str, &'static str)] =
                &[$((stringify!($field), <$kind as Absent>::SQL),)*];

            /// The same of those by which a look-up chooses among the rows of a life.
            pub(super) const OF_LOOK_UP: &'static [(&'static str, &'static str)] =
                &[$($((stringify!($own), <$own_kind as Absent>::SQL),)*)?];
        }
    };
}

/// The first filter that is given.
fn first(filters: &[(&'static str, bool)]) -> Option<&'static str> {
    let given = filters.iter().find(|(_, is_given)| *is_given);
    given.map(|(filter, _)| *filter)
}

row! {
    /// One row of the view `containers`.
    pub struct ContainerRow {
        cluster: String,
        namespace: String,
        workload_kind: Option<String>,
        workload: Option<String>,
        pod: String,
        #[serde(with = "driver::serde::uuid")]
        pod_uid: uuid::Uuid,
        container: String,
        kind: String,
        container_id: Option<String>,
        runtime: Option<String>,
        image: Option<String>,
        image_id: Option<String>,
        node: Option<String>,
        pod_ips: Vec<String>,
        restart: u32,
        started_at: Option<u32>,
        ended_at: Option<i64>,
        end_seen: bool,
        exit_code: Option<i32>,
        signal: Option<i32>,
        reason: Option<String>,
        pod_created_at: Option<u32>,
        pod_removed_at: Option<i64>,
        ended_by: Option<String>,
        ended_why: Option<String>,
        ended_cause: Option<String>,
        config_hash: Option<String>,
        unknown: Vec<String>,
        began_at: i64,
    }
    of a look-up {
        container_key: [u8; 32],
        version: u64,
        hidden: bool,
    }
}

impl Stored for ContainerRow {
    fn identity(&self) -> Identity<'_> {
        (
            &self.cluster,
            self.pod_uid,
            &self.container,
            &self.container_key,
        )
    }

    fn version(&self) -> u64 {
        self.version
    }

    fn is_hidden(&self) -> bool {
        self.hidden
    }
}

impl Row<Container> for ContainerRow {
    const COLUMNS: &'static [(&'static str, &'static str)] = ContainerRow::COLUMNS;
    const OF_LOOK_UP: &'static [(&'static str, &'static str)] = ContainerRow::OF_LOOK_UP;
    const VIEW: &'static str = "containers";
    const BY_UID: Option<&'static str> = Some("containers_of_pod");
    const BY_ID: Option<()> = Some(());
    const BY_IP: Option<&'static str> = None;
    const BY_NODE: Option<&'static str> = Some("containers_on_node");
    const ORDER: &'static str = "began_at, pod_uid, container, container_id";
    const ID: &'static str = "pod_uid";
    const CONTAINER: (&'static str, &'static str) = ("container", "coalesce(container_id, '')");
    const CONTAINER_NAME: Option<&'static str> = Some("container");

    fn unfit(question: &Question) -> Option<&'static str> {
        let is_pending = question.state == Some(LifeState::Pending);
        let given = [
            ("user", question.user.is_some()),
            ("state pending", is_pending),
        ];
        first(&given)
    }

    fn cursor(&self) -> Cursor {
        Cursor {
            start: self.began_at,
            pod_uid: self.pod_uid,
            container: self.container.clone(),
            container_id: self.container_id.clone().unwrap_or_default(),
        }
    }

    fn life(self) -> Container {
        Container {
            cluster: self.cluster,
            namespace: self.namespace,
            workload_kind: self.workload_kind,
            workload: self.workload,
            pod: self.pod,
            pod_uid: self.pod_uid,
            container: self.container,
            kind: self.kind,
            container_id: self.container_id,
            runtime: self.runtime,
            image: self.image,
            image_id: self.image_id,
            node: self.node,
            pod_ips: self.pod_ips,
            restart: self.restart,
            started_at: seconds(self.started_at),
            ended_at: micros(self.ended_at).map(|at| Time {
                whole_seconds: self.end_seen,
                ..at
            }),
            end_seen: self.end_seen,
            exit_code: self.exit_code,
            signal: self.signal,
            reason: self.reason,
            pod_created_at: seconds(self.pod_created_at),
            pod_removed_at: millis(self.pod_removed_at),
            ended_by: self.ended_by,
            ended_why: self.ended_why,
            ended_cause: self.ended_cause,
            config_hash: self.config_hash,
            unknown: self.unknown,
            // They are made of the row, and of the configuration.
            logs: Vec::new(),
        }
    }
}

/// A row of a view of pods: the columns of answers, and what else is needed.
macro_rules! pod_row {
    ($(#[$about:meta])* pub struct $name:ident { $($more:ident: $kind:ty,)* }) => {
        row! {
            $(#[$about])*
            pub struct $name {
            cluster: String,
            namespace: String,
            workload_kind: Option<String>,
            workload: Option<String>,
            pod: String,
            #[serde(with = "driver::serde::uuid")]
            pod_uid: uuid::Uuid,
            node: Option<String>,
            pod_ips: Vec<String>,
            labels: Vec<(String, String)>,
            service_account: Option<String>,
            created_at: Option<u32>,
            created_by: Option<String>,
            scheduled_at: Option<i64>,
            started_at: Option<u32>,
            delete_asked_at: Option<i64>,
            delete_asked_by: Option<String>,
            removed_at: Option<i64>,
            over_at: Option<i64>,
            gone_proof: Option<String>,
            phase: Option<String>,
            status_reason: Option<String>,
            ended_by: Option<String>,
            ended_why: Option<String>,
            ended_cause: Option<String>,
            containers: u64,
            restarts: u64,
            unknown: Vec<String>,
            began_at: i64,
            $($more: $kind,)*
            }
            of a look-up {
                version: u64,
                hidden: bool,
            }
        }

        impl Stored for $name {
            fn identity(&self) -> Identity<'_> {
                (&self.cluster, self.pod_uid, "", &[])
            }

            fn version(&self) -> u64 {
                self.version
            }

            fn is_hidden(&self) -> bool {
                self.hidden
            }
        }

        impl $name {
            fn pod(self) -> Pod {
                Pod {
                    cluster: self.cluster,
                    namespace: self.namespace,
                    workload_kind: self.workload_kind,
                    workload: self.workload,
                    pod: self.pod,
                    pod_uid: self.pod_uid,
                    node: self.node,
                    pod_ips: self.pod_ips,
                    labels: self.labels.into_iter().collect(),
                    service_account: self.service_account,
                    created_at: seconds(self.created_at),
                    created_by: self.created_by,
                    scheduled_at: millis(self.scheduled_at),
                    started_at: seconds(self.started_at),
                    delete_asked_at: millis(self.delete_asked_at),
                    delete_asked_by: self.delete_asked_by,
                    removed_at: millis(self.removed_at),
                    over_at: micros(self.over_at),
                    gone_proof: self.gone_proof,
                    phase: self.phase,
                    status_reason: self.status_reason,
                    ended_by: self.ended_by,
                    ended_why: self.ended_why,
                    ended_cause: self.ended_cause,
                    containers: self.containers,
                    restarts: self.restarts,
                    unknown: self.unknown,
                }
            }
        }
    };
}

pod_row! {
    /// One row of the view `pods`.
    pub struct PodRow {}
}

pod_row! {
    /// One row of the view `pod_by_uid`, with all that a page says.
    pub struct PageRow {
        ip_seen_at: Vec<i64>,
        owner_kind: Option<String>,
        owner: Option<String>,
        restart_counts: Vec<(String, u32)>,
        waiting: Vec<(String, String)>,
        terminal_at: Option<i64>,
        delete_asked_event: Option<String>,
        deletion_at: Option<i64>,
        deletion_by: Option<String>,
        deletion_event: Option<String>,
        eviction_at: Option<i64>,
        eviction_by: Option<String>,
        eviction_event: Option<String>,
        forced_at: Option<i64>,
        forced_by: Option<String>,
        forced_event: Option<String>,
        disrupted_at: Option<i64>,
        disrupted_why: Option<String>,
        gone_at: Option<i64>,
        ip_gaps: Vec<(String, (i64, i64))>,
        former_until: Vec<i64>,
        former_by: Vec<String>,
        former_workload_kind: Vec<String>,
        former_workload: Vec<String>,
        former_labels: Vec<Vec<(String, String)>>,
        hurried_at: Option<i64>,
        hurried_by: Option<String>,
        hurried_event: Option<String>,
        hurried_deadline: Option<u32>,
    }
}

impl Row<Pod> for PodRow {
    const COLUMNS: &'static [(&'static str, &'static str)] = PodRow::COLUMNS;
    const OF_LOOK_UP: &'static [(&'static str, &'static str)] = PodRow::OF_LOOK_UP;
    const VIEW: &'static str = "pods";
    const BY_UID: Option<&'static str> = Some("pod_by_uid");
    const BY_ID: Option<()> = None;
    const BY_IP: Option<&'static str> = Some("pods_with_ip");
    const BY_NODE: Option<&'static str> = None;
    const ORDER: &'static str = "began_at, pod_uid";
    const ID: &'static str = "pod_uid";
    const CONTAINER: (&'static str, &'static str) = ("''", "''");
    const CONTAINER_NAME: Option<&'static str> = None;

    fn unfit(question: &Question) -> Option<&'static str> {
        let names_container = question.names.iter().any(|name| name.container.is_some());
        let given = [
            ("user", question.user.is_some()),
            ("the name of a container", names_container),
        ];
        first(&given)
    }

    fn cursor(&self) -> Cursor {
        Cursor {
            start: self.began_at,
            pod_uid: self.pod_uid,
            container: String::new(),
            container_id: String::new(),
        }
    }

    fn life(self) -> Pod {
        self.pod()
    }
}

row! {
    /// One row of the view `sessions`.
    pub struct SessionRow {
        cluster: String,
        namespace: String,
        pod: String,
        kind: String,
        container: Option<String>,
        began_at: i64,
        over_at: Option<i64>,
        asked_by: Option<String>,
        source: Option<String>,
        via: Option<String>,
        code: Option<u16>,
        audit_id: Option<String>,
        #[serde(with = "driver::serde::uuid")]
        id: uuid::Uuid,
    }
}

/// No look-up finds sessions.
impl Stored for SessionRow {
    fn identity(&self) -> Identity<'_> {
        (&self.cluster, self.id, "", &[])
    }

    fn version(&self) -> u64 {
        0
    }

    fn is_hidden(&self) -> bool {
        false
    }
}

impl Row<Session> for SessionRow {
    const COLUMNS: &'static [(&'static str, &'static str)] = SessionRow::COLUMNS;
    const OF_LOOK_UP: &'static [(&'static str, &'static str)] = SessionRow::OF_LOOK_UP;
    const VIEW: &'static str = "sessions";
    const BY_UID: Option<&'static str> = None;
    const BY_ID: Option<()> = None;
    const BY_IP: Option<&'static str> = None;
    const BY_NODE: Option<&'static str> = None;
    const ORDER: &'static str = "began_at, id";
    const ID: &'static str = "id";
    const CONTAINER: (&'static str, &'static str) = ("''", "''");
    const CONTAINER_NAME: Option<&'static str> = Some("container");

    /// A request names a pod, and nothing else of it.
    fn unfit(question: &Question) -> Option<&'static str> {
        let given = [
            ("labels", !question.labels.0.is_empty()),
            ("workload", question.workload.is_some()),
            ("node", question.node.is_some()),
            ("image", question.image.is_some()),
            ("ip", question.ip.is_some()),
            ("container_id", question.container_id.is_some()),
            ("uid", question.uid.is_some()),
            ("reason", !question.reasons.is_empty()),
            ("exit_code", question.exit_codes.is_some()),
            ("why", !question.why.is_empty()),
            ("who requested an end: use user", !question.by.is_empty()),
            ("restarts", question.restarts.is_some()),
            ("state", question.state.is_some()),
            ("created_by", !question.created_by.is_empty()),
            ("service_account", !question.service_accounts.is_empty()),
        ];
        first(&given)
    }

    fn cursor(&self) -> Cursor {
        Cursor {
            start: self.began_at,
            pod_uid: self.id,
            container: String::new(),
            container_id: String::new(),
        }
    }

    fn life(self) -> Session {
        Session {
            cluster: self.cluster,
            namespace: self.namespace,
            pod: self.pod,
            kind: self.kind,
            container: self.container,
            began_at: micros(Some(self.began_at)),
            over_at: micros(self.over_at),
            asked_by: self.asked_by,
            source: self.source,
            via: self.via,
            code: self.code,
            audit_id: self.audit_id,
            id: self.id,
        }
    }
}
