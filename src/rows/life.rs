//! Rows of lives: `recent_pods` and `ended_pods`, `recent_containers` and `ended_containers`
//! (`schema/002_lives.sql`). Absent is `NULL`.
//!
//! What stands here once is the struct that the fold fills in, the encoder of the sink, and the list of
//! columns that the DDL is made of.

use std::borrow::Cow;

use super::column::{Blob, Micros, Millis, Seconds, Uid, table};

/// Never: 2200-01-01 in microseconds, for `over_at` of what lives.
pub const NEVER: i64 = 7_258_118_400_000_000;

table! {
    /// One pod, from creation to removal of its uid.
    pub struct PodRow<'a> {
        cluster: &'a str = "LowCardinality(String)", "Kubernetes cluster";
        namespace: &'a str = "LowCardinality(String)", "namespace of the pod";
        workload_kind: Option<&'a str> = "LowCardinality(Nullable(String))", "kind of the top owner that is known: a ReplicaSet's Deployment, a Job's CronJob";
        workload: Option<&'a str> = "LowCardinality(Nullable(String))", "name of the top owner that is known";
        pod: &'a str = "String", "name of the pod";
        pod_uid: Uid = "UUID", "uid of the pod: names are used again, uids are not";
        node: &'a str = "LowCardinality(String)", "node that it was bound to; empty where that is not known";
        pod_ips: Vec<String> = "Array(String)", "every address it had, in order of first sight";
        labels: Vec<(&'a str, &'a str)> = "Map(LowCardinality(String), String)", "the last that are known";
        service_account: Option<&'a str> = "LowCardinality(Nullable(String))", "its service account";
        created_at: Option<Seconds> = "Nullable(DateTime('UTC'))" codec "Delta, ZSTD(9)", "whole seconds";
        created_by: Option<String> = "LowCardinality(Nullable(String))", "the account that created it; \"a as b\" where a impersonated b";
        scheduled_at: Option<Millis> = "Nullable(DateTime64(3, 'UTC'))" codec "Delta, ZSTD(9)", "when the scheduler bound it";
        started_at: Option<Seconds> = "Nullable(DateTime('UTC'))" codec "Delta, ZSTD(9)", "when a kubelet accepted it; whole seconds";
        delete_asked_at: Option<Millis> = "Nullable(DateTime64(3, 'UTC'))" codec "Delta, ZSTD(9)", "the first request for its end, of any kind";
        delete_asked_by: Option<String> = "LowCardinality(Nullable(String))", "the account of that request; \"a as b\" where a impersonated b";
        removed_at: Option<Millis> = "Nullable(DateTime64(3, 'UTC'))" codec "Delta, ZSTD(9)", "when the API server removed the object";
        phase: Option<&'a str> = "LowCardinality(Nullable(String))", "the furthest that is known: Unknown, Pending, Running, Succeeded or Failed";
        ended_by: Option<String> = "LowCardinality(Nullable(String))", "the account that asked for its end; \"a as b\" where a impersonated b";
        ended_why: Option<&'a str> = "LowCardinality(Nullable(String))", "why it ended: one of the words in schema/README.md";
        ended_cause: Option<String> = "LowCardinality(Nullable(String))", "who deleted the node, or the namespace, that it went with";
        containers: u64 = "UInt64" codec "T64, ZSTD(3)", "container instances that its restart numbers count";
        restarts: u64 = "UInt64" codec "T64, ZSTD(3)", "sum over the containers of their highest restart number";
        unknown: Vec<String> = "Array(LowCardinality(String))", "what is not known for certain";
        host_network: bool = "UInt8", "whether it uses the addresses of its node";
        began_at: Micros = "DateTime64(6, 'UTC')" codec "GCD, Delta, ZSTD(9)", "its start; where that is not known, the oldest event about it";
        over_at: Micros = "DateTime64(6, 'UTC')" codec "GCD, Delta, ZSTD(9)", "when it was over, at the latest; 2200-01-01 while it lives";
        last_seen: Micros = "DateTime64(6, 'UTC')" codec "Delta, ZSTD(9)", "the newest event about it";
        ip_seen_at: Vec<Millis> = "Array(DateTime64(3, 'UTC'))", "for each address, the first event that had it";
        ip_gaps: Vec<(String, (Millis, Millis))> = "Array(Tuple(String, Tuple(DateTime64(3, 'UTC'), DateTime64(3, 'UTC'))))", "times after that in which it had not that address; to 2200-01-01 where it never had it again";
        former_until: Vec<Millis> = "Array(DateTime64(3, 'UTC'))", "until when it had other labels or another owner";
        former_by: Vec<String> = "Array(LowCardinality(String))", "who changed that, each time; empty where it is not known";
        former_workload_kind: Vec<String> = "Array(LowCardinality(String))", "of which workload it was until then";
        former_workload: Vec<String> = "Array(LowCardinality(String))", "name of that workload";
        former_labels: Vec<Vec<(&'a str, &'a str)>> = "Array(Map(LowCardinality(String), String))", "the labels that it had until then";
        owner_kind: Option<&'a str> = "LowCardinality(Nullable(String))", "kind of the controlling owner";
        owner: Option<&'a str> = "LowCardinality(Nullable(String))", "name of the controlling owner";
        restart_counts: Vec<(&'a str, u32)> = "Map(LowCardinality(String), UInt32)", "for each container that started, its restart count";
        waiting: Vec<(&'a str, &'a str)> = "Map(LowCardinality(String), LowCardinality(String))", "containers that had not started when last reported, and why";
        status_reason: Option<&'a str> = "LowCardinality(Nullable(String))", "reason of the status: Evicted, DeadlineExceeded, ...";
        terminal_at: Option<Millis> = "Nullable(DateTime64(3, 'UTC'))" codec "Delta, ZSTD(9)", "the first event with phase Succeeded or Failed";
        delete_asked_event: Option<&'a str> = "Nullable(String)", "audit ID of the request of delete_asked_at, where it was not Kubernetes itself that asked";
        deletion_at: Option<Millis> = "Nullable(DateTime64(3, 'UTC'))" codec "Delta, ZSTD(9)", "the first DELETE, or deletecollection that listed it, where that is not the request of delete_asked_at";
        deletion_by: Option<String> = "LowCardinality(Nullable(String))", "its account";
        deletion_event: Option<&'a str> = "Nullable(String)", "its audit ID, as above";
        eviction_at: Option<Millis> = "Nullable(DateTime64(3, 'UTC'))", "the first request to the eviction API that was granted";
        eviction_by: Option<String> = "LowCardinality(Nullable(String))", "its account";
        eviction_event: Option<&'a str> = "Nullable(String)", "its audit ID, as above";
        forced_at: Option<Millis> = "Nullable(DateTime64(3, 'UTC'))", "the first request to delete it with a grace period of 0";
        forced_by: Option<String> = "LowCardinality(Nullable(String))", "its account";
        forced_event: Option<&'a str> = "Nullable(String)", "its audit ID, as above";
        hurried_at: Option<Millis> = "Nullable(DateTime64(3, 'UTC'))", "the request that left it the least time, where that is neither the first one nor one with a grace period of 0";
        hurried_by: Option<String> = "LowCardinality(Nullable(String))", "its account";
        hurried_event: Option<&'a str> = "Nullable(String)", "its audit ID, as above";
        hurried_deadline: Option<Seconds> = "Nullable(DateTime('UTC'))", "when it was to be gone by that request; whole seconds";
        disrupted_at: Option<Millis> = "Nullable(DateTime64(3, 'UTC'))", "since when the condition DisruptionTarget holds";
        disrupted_why: Option<&'a str> = "LowCardinality(Nullable(String))", "the reason of that condition";
        gone_at: Option<Micros> = "Nullable(DateTime64(6, 'UTC'))", "where the removal was not seen: it was gone by then";
        gone_proof: Option<&'a str> = "LowCardinality(Nullable(String))", "what proves that: one of the words in schema/README.md";
        version: u64 = "UInt64" codec "T64, ZSTD(3)", "which of several rows of this life counts: the highest";
        read_at: Seconds = "DateTime('UTC')" codec "Delta, ZSTD(3)", "time of the server before what this row was made of was read";
        class: u8 = "UInt8", "filed under: how many of the bounds its length exceeds; 255 while it has no end";
        filed_from: Seconds = "DateTime('UTC')" codec "Delta, ZSTD(9)", "filed under: its start";
        returned: bool = "UInt8", "an older row of this life may be in ended_pods";
        judged: u64 = "UInt64", "hash of the columns above but version, read_at and returned";
        copied: u64 = "UInt64", "hash of what the rows of its containers repeat";
        state: Blob = "String", "what later facts need; for the fold alone";
    }
}

table! {
    /// One container instance; a restart is another one.
    pub struct ContainerRow<'a> {
        cluster: &'a str = "LowCardinality(String)", "Kubernetes cluster";
        namespace: &'a str = "LowCardinality(String)", "namespace of the pod";
        workload_kind: Option<&'a str> = "LowCardinality(Nullable(String))", "kind of the top owner that is known: a ReplicaSet's Deployment, a Job's CronJob";
        workload: Option<&'a str> = "LowCardinality(Nullable(String))", "name of the top owner that is known";
        pod: &'a str = "String", "name of the pod";
        pod_uid: Uid = "UUID", "uid of the pod: names are used again, uids are not";
        container: &'a str = "LowCardinality(String)", "name of the container; every restart is a row of its own";
        kind: &'a str = "LowCardinality(String)", "app, init, sidecar (a restartable init container) or ephemeral";
        container_key: [u8; 32] = "FixedString(32)" codec "NONE", "the 64 hex digits of the container ID as bytes; of an ID of another form the SHA-256 of its text; where several instances share an ID its last 4 bytes tell them apart; where none was told, 28 zeros and the restart number";
        id_text: Cow<'a, str> = "String", "the container ID where container_key is not it; - where none was told";
        runtime: Option<&'a str> = "LowCardinality(Nullable(String))", "container runtime, like containerd";
        image: Option<&'a str> = "LowCardinality(Nullable(String))", "as the node resolved it, not as the spec names it";
        image_id: Option<&'a str> = "LowCardinality(Nullable(String))", "with the digest";
        node: &'a str = "LowCardinality(String)", "node that its pod was bound to; empty where that is not known";
        pod_ips: Vec<String> = "Array(String)", "every address its pod had, in order of first sight";
        restart: u32 = "UInt32" codec "T64, ZSTD(3)", "0 for the first instance of this container in its pod";
        started_at: Option<Seconds> = "Nullable(DateTime('UTC'))" codec "Delta, ZSTD(9)", "whole seconds";
        ended_at: Option<Micros> = "Nullable(DateTime64(6, 'UTC'))" codec "GCD, Delta, ZSTD(9)", "whole seconds where end_seen; else when its pod was gone or a later instance began";
        end_seen: bool = "UInt8", "whether the end was reported";
        exit_code: Option<i32> = "Nullable(Int32)", "of the process; NULL while it runs or where no report came";
        signal: Option<i32> = "Nullable(Int32)", "that ended the process";
        reason: Option<&'a str> = "LowCardinality(Nullable(String))", "Completed, Error, OOMKilled, ...";
        pod_created_at: Option<Seconds> = "Nullable(DateTime('UTC'))" codec "Delta, ZSTD(9)", "creation of its pod; whole seconds";
        pod_removed_at: Option<Millis> = "Nullable(DateTime64(3, 'UTC'))" codec "Delta, ZSTD(9)", "removal of its pod";
        ended_by: Option<String> = "LowCardinality(Nullable(String))", "the account that asked for its end; \"a as b\" where a impersonated b";
        ended_why: Option<&'a str> = "LowCardinality(Nullable(String))", "why it ended: one of the words in schema/README.md";
        ended_cause: Option<String> = "LowCardinality(Nullable(String))", "who deleted the node, or the namespace, that its pod went with";
        unknown: Vec<String> = "Array(LowCardinality(String))", "what is not known for certain";
        former_until: Vec<Millis> = "Array(DateTime64(3, 'UTC'))", "until when its pod was of another workload";
        former_workload_kind: Vec<String> = "Array(LowCardinality(String))", "of which workload its pod was until then";
        former_workload: Vec<String> = "Array(LowCardinality(String))", "name of that workload";
        host_network: bool = "UInt8", "whether its pod uses the addresses of its node";
        began_at: Micros = "DateTime64(6, 'UTC')" codec "GCD, Delta, ZSTD(9)", "its start; where that is not known, the oldest event about it";
        over_at: Micros = "DateTime64(6, 'UTC')" codec "GCD, Delta, ZSTD(9)", "when it was over, at the latest; 2200-01-01 while it runs";
        version: u64 = "UInt64" codec "T64, ZSTD(3)", "which of several rows of this life counts: the highest";
        read_at: Seconds = "DateTime('UTC')" codec "Delta, ZSTD(3)", "time of the server before what this row was made of was read";
        class: u8 = "UInt8", "filed under: how many of the bounds its length exceeds; 255 while it has no end";
        filed_from: Seconds = "DateTime('UTC')" codec "Delta, ZSTD(9)", "filed under: its start";
        returned: bool = "UInt8", "an older row of this life may be in ended_containers";
        complete: bool = "UInt8", "its pod is over too, or has let go of it: it may be filed";
        let_go: bool = "UInt8", "its pod has let go of it: this row says all that is known";
        void: bool = "UInt8", "what it told is told by another row now";
    }
}
