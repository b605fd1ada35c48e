//! Rows of answers, with the columns of the views. Times are microseconds.

use std::collections::BTreeMap;
use std::fmt::Debug;

use serde::Deserialize;

/// A row of a view.
pub trait Row: PartialEq + Debug + for<'de> Deserialize<'de> {
    /// What the view is asked for, so that it fits the fields.
    const SELECT: &'static str;

    /// What tells this row from all others.
    fn key(&self) -> Key;

    /// Names and values of all columns.
    fn columns(&self) -> Vec<(&'static str, String)>;
}

/// Cluster, uid, container, and what tells its instances apart; the last two are empty for a pod.
pub type Key = (String, String, String, String);

macro_rules! row {
    (
        $(#[$meta:meta])*
        $name:ident ($first:ident: $first_kind:ty = $first_select:literal)
        { $($field:ident: $kind:ty = $select:literal,)* }
        key $key:expr
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Deserialize)]
        pub struct $name { pub $first: $first_kind, $(pub $field: $kind,)* }

        impl Row for $name {
            const SELECT: &'static str = concat!($first_select $(, ", ", $select)*);

            fn key(&self) -> Key {
                let key: fn(&$name) -> Key = $key;
                key(self)
            }

            fn columns(&self) -> Vec<(&'static str, String)> {
                vec![
                    (stringify!($first), format!("{:?}", self.$first)),
                    $((stringify!($field), format!("{:?}", self.$field)),)*
                ]
            }
        }
    };
}

row! {
    /// A container instance.
    Container(cluster: String = "cluster") {
        namespace: String = "namespace",
        workload_kind: Option<String> = "workload_kind",
        workload: Option<String> = "workload",
        pod: String = "pod",
        pod_uid: String = "toString(pod_uid)",
        container: String = "container",
        kind: String = "kind",
        container_id: Option<String> = "container_id",
        runtime: Option<String> = "runtime",
        image: Option<String> = "image",
        image_id: Option<String> = "image_id",
        node: Option<String> = "node",
        pod_ips: Vec<String> = "pod_ips",
        restart: u32 = "restart",
        started_at: Option<i64> = "toUnixTimestamp64Micro(toDateTime64(started_at, 6))",
        ended_at: Option<i64> = "toUnixTimestamp64Micro(toDateTime64(ended_at, 6))",
        end_seen: bool = "toBool(end_seen)",
        exit_code: Option<i32> = "exit_code",
        signal: Option<i32> = "signal",
        reason: Option<String> = "reason",
        pod_created_at: Option<i64> = "toUnixTimestamp64Micro(toDateTime64(pod_created_at, 6))",
        pod_removed_at: Option<i64> = "toUnixTimestamp64Micro(toDateTime64(pod_removed_at, 6))",
        ended_by: Option<String> = "ended_by",
        ended_why: Option<String> = "ended_why",
        ended_cause: Option<String> = "ended_cause",
        unknown: Vec<String> = "arraySort(unknown)",
        host_network: bool = "host_network",
        config_hash: Option<String> = "config_hash",
    }
    key |row| {
        let id = row.container_id.as_deref().unwrap_or("-");
        // Several instances may have one ID, or none.
        let instance = format!("{id} #{} {:?}", row.restart, row.started_at);
        (row.cluster.clone(), row.pod_uid.clone(), row.container.clone(), instance)
    }
}

row! {
    /// A pod.
    Pod(cluster: String = "cluster") {
        namespace: String = "namespace",
        workload_kind: Option<String> = "workload_kind",
        workload: Option<String> = "workload",
        pod: String = "pod",
        pod_uid: String = "toString(pod_uid)",
        node: Option<String> = "node",
        pod_ips: Vec<String> = "pod_ips",
        labels: BTreeMap<String, String> = "labels",
        service_account: Option<String> = "service_account",
        created_at: Option<i64> = "toUnixTimestamp64Micro(toDateTime64(created_at, 6))",
        created_by: Option<String> = "created_by",
        scheduled_at: Option<i64> = "toUnixTimestamp64Micro(toDateTime64(scheduled_at, 6))",
        started_at: Option<i64> = "toUnixTimestamp64Micro(toDateTime64(started_at, 6))",
        delete_asked_at: Option<i64> = "toUnixTimestamp64Micro(toDateTime64(delete_asked_at, 6))",
        delete_asked_by: Option<String> = "delete_asked_by",
        removed_at: Option<i64> = "toUnixTimestamp64Micro(toDateTime64(removed_at, 6))",
        phase: Option<String> = "phase",
        ended_by: Option<String> = "ended_by",
        ended_why: Option<String> = "ended_why",
        ended_cause: Option<String> = "ended_cause",
        containers: u64 = "containers",
        restarts: u64 = "restarts",
        unknown: Vec<String> = "arraySort(unknown)",
        host_network: bool = "host_network",
        config_hash: Option<String> = "config_hash",
    }
    key |row| {
        let none = String::new;
        (row.cluster.clone(), row.pod_uid.clone(), none(), none())
    }
}
