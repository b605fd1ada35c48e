//! Rows of the views, as ClickHouse sends them.

use ::clickhouse as driver;
use jiff::Timestamp;
use serde::Deserialize;

use super::Cursor;
use super::model::{Container, Pod, Time};
use super::statement::Row;

pub(super) fn time(micros: Option<i64>, whole_seconds: bool) -> Option<Time> {
    let instant = Timestamp::from_microsecond(micros?).ok()?;
    Some(Time {
        instant,
        whole_seconds,
    })
}

/// One row of the view `containers`.
#[derive(Deserialize, driver::Row)]
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
    container_id: String,
    runtime: Option<String>,
    image: Option<String>,
    image_id: Option<String>,
    node: Option<String>,
    pod_ips: Vec<String>,
    restart: u32,
    started_at: Option<i64>,
    ended_at: Option<i64>,
    end_seen: bool,
    exit_code: Option<i32>,
    signal: Option<i32>,
    reason: Option<String>,
    pod_created_at: Option<i64>,
    pod_removed_at: Option<i64>,
    ended_by: Option<String>,
    ended_why: Option<String>,
    ended_cause: Option<String>,
    unknown: Vec<String>,
    began_at: i64,
}

impl Row<Container> for ContainerRow {
    const SELECT: &'static str = "cluster, namespace, workload_kind, workload, pod, pod_uid, \
        container, kind, container_id, runtime, image, image_id, node, pod_ips, restart, \
        started_at, ended_at, end_seen, exit_code, signal, reason, pod_created_at, \
        pod_removed_at, ended_by, ended_why, ended_cause, unknown, began_at";
    const VIEW: &'static str = "containers";
    const BY_UID: &'static str = "containers_of_pod";
    const BY_ID: Option<()> = Some(());
    const BY_IP: Option<&'static str> = None;
    const BY_NODE: Option<&'static str> = Some("containers_on_node");
    const CONTAINER: (&'static str, &'static str) = ("container", "container_id");

    fn cursor(&self) -> Cursor {
        Cursor {
            start: self.began_at,
            pod_uid: self.pod_uid,
            container: self.container.clone(),
            container_id: self.container_id.clone(),
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
            started_at: time(self.started_at, true),
            ended_at: time(self.ended_at, self.end_seen),
            end_seen: self.end_seen,
            exit_code: self.exit_code,
            signal: self.signal,
            reason: self.reason,
            pod_created_at: time(self.pod_created_at, true),
            pod_removed_at: time(self.pod_removed_at, false),
            ended_by: self.ended_by,
            ended_why: self.ended_why,
            ended_cause: self.ended_cause,
            unknown: self.unknown,
        }
    }
}

/// One row of the view `pods`.
#[derive(Deserialize, driver::Row)]
pub struct PodRow {
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
    created_at: Option<i64>,
    created_by: Option<String>,
    scheduled_at: Option<i64>,
    started_at: Option<i64>,
    delete_asked_at: Option<i64>,
    delete_asked_by: Option<String>,
    removed_at: Option<i64>,
    phase: Option<String>,
    ended_by: Option<String>,
    ended_why: Option<String>,
    ended_cause: Option<String>,
    containers: u64,
    restarts: u64,
    unknown: Vec<String>,
    began_at: i64,
}

impl Row<Pod> for PodRow {
    const SELECT: &'static str = "cluster, namespace, workload_kind, workload, pod, pod_uid, node, \
        pod_ips, labels, service_account, created_at, created_by, scheduled_at, started_at, \
        delete_asked_at, delete_asked_by, removed_at, phase, ended_by, ended_why, ended_cause, \
        containers, restarts, unknown, began_at";
    const VIEW: &'static str = "pods";
    const BY_UID: &'static str = "pod_by_uid";
    const BY_ID: Option<()> = None;
    const BY_IP: Option<&'static str> = Some("pods_with_ip");
    const BY_NODE: Option<&'static str> = None;
    const CONTAINER: (&'static str, &'static str) = ("''", "''");

    fn cursor(&self) -> Cursor {
        Cursor {
            start: self.began_at,
            pod_uid: self.pod_uid,
            container: String::new(),
            container_id: String::new(),
        }
    }

    fn life(self) -> Pod {
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
            created_at: time(self.created_at, true),
            created_by: self.created_by,
            scheduled_at: time(self.scheduled_at, false),
            started_at: time(self.started_at, true),
            delete_asked_at: time(self.delete_asked_at, false),
            delete_asked_by: self.delete_asked_by,
            removed_at: time(self.removed_at, false),
            phase: self.phase,
            ended_by: self.ended_by,
            ended_why: self.ended_why,
            ended_cause: self.ended_cause,
            containers: self.containers,
            restarts: self.restarts,
            unknown: self.unknown,
        }
    }
}

/// The row of the view `pod_life`.
#[derive(Deserialize, driver::Row)]
pub struct PodLifeRow {
    pub owner_kind: Option<String>,
    pub owner: Option<String>,
    pub first_seen: i64,
    pub ips: Vec<(String, i64)>,
    pub restart_counts: Vec<(String, u32)>,
    pub waiting: Vec<(String, String)>,
    pub status_reason: Option<String>,
    pub terminal_at: Option<i64>,
    pub delete_asked_at: Option<i64>,
    pub delete_asked_by: Option<String>,
    pub evict_asked_at: Option<i64>,
    pub evict_asked_by: Option<String>,
    pub force_asked_at: Option<i64>,
    pub force_asked_by: Option<String>,
    pub asked_events: Vec<(i64, String)>,
    pub disrupted_at: Option<i64>,
    pub disrupted_why: Option<String>,
    pub replaced_at: Option<i64>,
    pub gone_by: Option<i64>,
    pub pending: bool,
}
