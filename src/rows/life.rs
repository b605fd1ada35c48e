//! Rows of lives: `recent_pods` and `ended_pods`, `recent_containers` and `ended_containers`
//! (`schema/002_lives.sql`). Absent is `NULL`.
//!
//! Each list here defines the struct that the fold fills in, the encoder of the sink, and the columns of the DDL.

use std::borrow::Cow;

use super::column::{Blob, Micros, Millis, Seconds, Uid, table};

/// Never: 2200-01-01 in microseconds, for `over_at` of what lives.
pub const NEVER: i64 = 7_258_118_400_000_000;

table! {
    /// One pod, from creation to removal of its uid.
    pub struct PodRow<'a> {
        cluster: &'a str = "LowCardinality(String)", "Kubernetes cluster";
        namespace: &'a str = "LowCardinality(String)", "namespace of the pod";
        workload_kind: Option<&'a str> = "LowCardinality(Nullable(String))", "kind of the topmost known owner: a ReplicaSet's Deployment, a Job's CronJob";
        workload: Option<&'a str> = "LowCardinality(Nullable(String))", "name of the topmost known owner";
        pod: &'a str = "String", "name of the pod";
        pod_uid: Uid = "UUID", "uid of the pod; names are reused, uids are not";
        node: &'a str = "LowCardinality(String)", "node it was bound to; empty if unknown";
        pod_ips: Vec<String> = "Array(String)", "every address it had, in order of first appearance";
        labels: Vec<(&'a str, &'a str)> = "Map(LowCardinality(String), String)", "last known labels";
        service_account: Option<&'a str> = "LowCardinality(Nullable(String))", "its service account";
        created_at: Option<Seconds> = "Nullable(DateTime('UTC'))" codec "Delta, ZSTD(9)", "whole seconds";
        created_by: Option<String> = "LowCardinality(Nullable(String))", "the account that created it; \"a as b\" if a impersonated b";
        scheduled_at: Option<Millis> = "Nullable(DateTime64(3, 'UTC'))" codec "Delta, ZSTD(9)", "when the scheduler bound it";
        started_at: Option<Seconds> = "Nullable(DateTime('UTC'))" codec "Delta, ZSTD(9)", "when a kubelet accepted it; whole seconds";
        delete_asked_at: Option<Millis> = "Nullable(DateTime64(3, 'UTC'))" codec "Delta, ZSTD(9)", "the first request for its end, of any kind";
        delete_asked_by: Option<String> = "LowCardinality(Nullable(String))", "the account of that request; \"a as b\" if a impersonated b";
        removed_at: Option<Millis> = "Nullable(DateTime64(3, 'UTC'))" codec "Delta, ZSTD(9)", "when the API server removed the object";
        phase: Option<&'a str> = "LowCardinality(Nullable(String))", "the most advanced known phase: Unknown, Pending, Running, Succeeded or Failed";
        ended_by: Option<String> = "LowCardinality(Nullable(String))", "the account that requested its end; \"a as b\" if a impersonated b";
        ended_why: Option<&'a str> = "LowCardinality(Nullable(String))", "why it ended: one of the words in schema/README.md";
        ended_cause: Option<String> = "LowCardinality(Nullable(String))", "who deleted the node or namespace, if that ended it";
        containers: u64 = "UInt64" codec "T64, ZSTD(3)", "number of container instances, by their restart counts";
        restarts: u64 = "UInt64" codec "T64, ZSTD(3)", "sum of the highest restart counts of its containers";
        unknown: Vec<String> = "Array(LowCardinality(String))", "what is unknown or uncertain";
        host_network: bool = "UInt8", "whether it uses the host network";
        config_hash: Option<&'a str> = "LowCardinality(Nullable(String))", "of a static pod: what its node has in place of the uid, as in the names of its log folders";
        began_at: Micros = "DateTime64(6, 'UTC')" codec "GCD, Delta, ZSTD(9)", "its start; if unknown, the oldest event about it";
        over_at: Micros = "DateTime64(6, 'UTC')" codec "GCD, Delta, ZSTD(9)", "latest possible end; 2200-01-01 while it exists";
        last_seen: Micros = "DateTime64(6, 'UTC')" codec "Delta, ZSTD(9)", "the newest event about it";
        ip_seen_at: Vec<Millis> = "Array(DateTime64(3, 'UTC'))", "for each address, the first event that had it";
        ip_gaps: Vec<(String, (Millis, Millis))> = "Array(Tuple(String, Tuple(DateTime64(3, 'UTC'), DateTime64(3, 'UTC'))))", "periods after that without the address; until 2200-01-01 if it never had it again";
        former_until: Vec<Millis> = "Array(DateTime64(3, 'UTC'))", "until when it had other labels or another owner";
        former_by: Vec<String> = "Array(LowCardinality(String))", "who made each change; empty if unknown";
        former_workload_kind: Vec<String> = "Array(LowCardinality(String))", "kind of its workload until then";
        former_workload: Vec<String> = "Array(LowCardinality(String))", "name of that workload";
        former_labels: Vec<Vec<(&'a str, &'a str)>> = "Array(Map(LowCardinality(String), String))", "its labels until then";
        owner_kind: Option<&'a str> = "LowCardinality(Nullable(String))", "kind of the controlling owner";
        owner: Option<&'a str> = "LowCardinality(Nullable(String))", "name of the controlling owner";
        restart_counts: Vec<(&'a str, u32)> = "Map(LowCardinality(String), UInt32)", "for each container that started, its restart count";
        waiting: Vec<(&'a str, &'a str)> = "Map(LowCardinality(String), LowCardinality(String))", "containers that had not started when last reported, and why";
        status_reason: Option<&'a str> = "LowCardinality(Nullable(String))", "reason of the status: Evicted, DeadlineExceeded, ...";
        terminal_at: Option<Millis> = "Nullable(DateTime64(3, 'UTC'))" codec "Delta, ZSTD(9)", "the first report of phase Succeeded or Failed; of a list, when the pod was written";
        delete_asked_event: Option<&'a str> = "Nullable(String)", "audit ID of the request at delete_asked_at, unless Kubernetes itself made it";
        deletion_at: Option<Millis> = "Nullable(DateTime64(3, 'UTC'))" codec "Delta, ZSTD(9)", "the first DELETE, or deletecollection that listed it, if that is not the request at delete_asked_at";
        deletion_by: Option<String> = "LowCardinality(Nullable(String))", "its account";
        deletion_event: Option<&'a str> = "Nullable(String)", "its audit ID, as above";
        eviction_at: Option<Millis> = "Nullable(DateTime64(3, 'UTC'))", "the first request to the eviction API that was granted";
        eviction_by: Option<String> = "LowCardinality(Nullable(String))", "its account";
        eviction_event: Option<&'a str> = "Nullable(String)", "its audit ID, as above";
        forced_at: Option<Millis> = "Nullable(DateTime64(3, 'UTC'))", "the first request to delete it with a grace period of 0";
        forced_by: Option<String> = "LowCardinality(Nullable(String))", "its account";
        forced_event: Option<&'a str> = "Nullable(String)", "its audit ID, as above";
        hurried_at: Option<Millis> = "Nullable(DateTime64(3, 'UTC'))", "the request that left it the least time, if that is neither the first nor one with a grace period of 0";
        hurried_by: Option<String> = "LowCardinality(Nullable(String))", "its account";
        hurried_event: Option<&'a str> = "Nullable(String)", "its audit ID, as above";
        hurried_deadline: Option<Seconds> = "Nullable(DateTime('UTC'))", "deadline set by that request; whole seconds";
        disrupted_at: Option<Millis> = "Nullable(DateTime64(3, 'UTC'))", "since when the condition DisruptionTarget is true";
        disrupted_why: Option<&'a str> = "LowCardinality(Nullable(String))", "the reason of that condition";
        gone_at: Option<Micros> = "Nullable(DateTime64(6, 'UTC'))", "if the removal was not seen: when it was gone at the latest";
        gone_proof: Option<&'a str> = "LowCardinality(Nullable(String))", "what proves that: one of the words in schema/README.md";
        version: u64 = "UInt64" codec "T64, ZSTD(3)", "version of this row; the highest counts";
        read_at: Seconds = "DateTime('UTC')" codec "Delta, ZSTD(3)", "server time just before the inputs of this row were read";
        class: u8 = "UInt8", "filing class: how many length bounds it exceeds; 255 while it has no end";
        filed_from: Seconds = "DateTime('UTC')" codec "Delta, ZSTD(9)", "start that it is filed under";
        returned: bool = "UInt8", "an older version of this row may be in ended_pods";
        judged: u64 = "UInt64", "hash of the columns above except version, read_at and returned";
        copied: u64 = "UInt64", "hash of the values repeated in the rows of its containers";
        state: Blob = "String", "internal state for merging later facts";
    }
}

table! {
    /// One container instance; a restart is another one.
    pub struct ContainerRow<'a> {
        cluster: &'a str = "LowCardinality(String)", "Kubernetes cluster";
        namespace: &'a str = "LowCardinality(String)", "namespace of the pod";
        workload_kind: Option<&'a str> = "LowCardinality(Nullable(String))", "kind of the topmost known owner: a ReplicaSet's Deployment, a Job's CronJob";
        workload: Option<&'a str> = "LowCardinality(Nullable(String))", "name of the topmost known owner";
        pod: &'a str = "String", "name of the pod";
        pod_uid: Uid = "UUID", "uid of the pod; names are reused, uids are not";
        container: &'a str = "LowCardinality(String)", "name of the container; every restart has its own row";
        kind: &'a str = "LowCardinality(String)", "app, init, sidecar (a restartable init container) or ephemeral";
        container_key: [u8; 32] = "FixedString(32)" codec "NONE", "the 64 hex digits of the container ID as bytes; for other forms of ID the SHA-256 of the text; if several instances share an ID, the last 4 bytes distinguish them; without an ID, 28 zeros and the restart number";
        id_text: Cow<'a, str> = "String", "the container ID if container_key is not its bytes; - if none was reported";
        runtime: Option<&'a str> = "LowCardinality(Nullable(String))", "container runtime, like containerd";
        image: Option<&'a str> = "LowCardinality(Nullable(String))", "as the node resolved it, not as the spec names it";
        image_id: Option<&'a str> = "LowCardinality(Nullable(String))", "with the digest";
        node: &'a str = "LowCardinality(String)", "node its pod was bound to; empty if unknown";
        pod_ips: Vec<String> = "Array(String)", "every address its pod had, in order of first appearance";
        restart: u32 = "UInt32" codec "T64, ZSTD(3)", "0 for the first instance of this container in its pod";
        started_at: Option<Seconds> = "Nullable(DateTime('UTC'))" codec "Delta, ZSTD(9)", "whole seconds";
        ended_at: Option<Micros> = "Nullable(DateTime64(6, 'UTC'))" codec "GCD, Delta, ZSTD(9)", "whole seconds if end_seen; otherwise when its pod was gone or a later instance started";
        end_seen: bool = "UInt8", "whether the end was reported";
        exit_code: Option<i32> = "Nullable(Int32)", "of the process; NULL while it runs or if not reported";
        signal: Option<i32> = "Nullable(Int32)", "that ended the process";
        reason: Option<&'a str> = "LowCardinality(Nullable(String))", "Completed, Error, OOMKilled, ...";
        pod_created_at: Option<Seconds> = "Nullable(DateTime('UTC'))" codec "Delta, ZSTD(9)", "creation of its pod; whole seconds";
        pod_removed_at: Option<Millis> = "Nullable(DateTime64(3, 'UTC'))" codec "Delta, ZSTD(9)", "removal of its pod";
        ended_by: Option<String> = "LowCardinality(Nullable(String))", "the account that requested its end; \"a as b\" if a impersonated b";
        ended_why: Option<&'a str> = "LowCardinality(Nullable(String))", "why it ended: one of the words in schema/README.md";
        ended_cause: Option<String> = "LowCardinality(Nullable(String))", "who deleted the node or namespace, if that ended its pod";
        unknown: Vec<String> = "Array(LowCardinality(String))", "what is unknown or uncertain";
        former_until: Vec<Millis> = "Array(DateTime64(3, 'UTC'))", "until when its pod belonged to another workload";
        former_workload_kind: Vec<String> = "Array(LowCardinality(String))", "kind of its pod's workload until then";
        former_workload: Vec<String> = "Array(LowCardinality(String))", "name of that workload";
        host_network: bool = "UInt8", "whether its pod uses the host network";
        config_hash: Option<&'a str> = "LowCardinality(Nullable(String))", "of a static pod: what its node has in place of the uid, as in the names of its log folders";
        began_at: Micros = "DateTime64(6, 'UTC')" codec "GCD, Delta, ZSTD(9)", "its start; if unknown, the oldest event about it";
        over_at: Micros = "DateTime64(6, 'UTC')" codec "GCD, Delta, ZSTD(9)", "latest possible end; 2200-01-01 while it runs";
        version: u64 = "UInt64" codec "T64, ZSTD(3)", "version of this row; the highest counts";
        read_at: Seconds = "DateTime('UTC')" codec "Delta, ZSTD(3)", "server time just before the inputs of this row were read";
        class: u8 = "UInt8", "filing class: how many length bounds it exceeds; 255 while it has no end";
        filed_from: Seconds = "DateTime('UTC')" codec "Delta, ZSTD(9)", "start that it is filed under";
        returned: bool = "UInt8", "an older version of this row may be in ended_containers";
        complete: bool = "UInt8", "its pod is over too, or dropped it from its state: it may be filed";
        pruned: bool = "UInt8", "its pod dropped it from its state: this row has everything that is known";
        void: bool = "UInt8", "superseded by another row";
    }
}
