-- What audit events say about pods and container instances, as long as it may still change.
--
-- Every event becomes one row for each object that it speaks of: the pod (container = '') and each of its container
-- instances. A row carries only what the event said; its other columns keep their defaults. Rows of the same key merge
-- by max, min or union, so neither order nor repetition nor the number of receivers can change what they add up to.
--
-- The table is a log in slots of ten minutes, by the clock of the server that stores the row: never by the event's or the
-- receiver's. A settling (see 002_history.sql) moves what has ended out of the slots that have passed, and carries the
-- rest into the next slot. So the table holds what is open, and the facts of the last minutes.
--
-- What may change in the life of a pod merges as one tuple that begins with as_of: the newest state wins, whenever it
-- arrives. as_of is the resourceVersion of the object it was read from plus 2^63; where the object had none, the time of
-- the event in microseconds, which is less than any of these.
--
-- "Unknown" is the column's default: the epoch, an empty text, zero. Where the smallest value wins, "never" is 2200-01-01, the
-- end of what ClickHouse's calendar holds with room to spare.

CREATE TABLE IF NOT EXISTS facts
(
    slot              DateTime('UTC') DEFAULT toStartOfInterval(now('UTC'), INTERVAL 10 MINUTE)
                      COMMENT 'ten minutes of arrival, by the server''s clock' CODEC(ZSTD(1)),

    cluster           LowCardinality(String) COMMENT 'name of the Kubernetes cluster, from the path of the webhook',
    namespace         LowCardinality(String) COMMENT 'of the pod',
    pod_uid           UUID COMMENT 'uid of the pod',
    container         LowCardinality(String) COMMENT 'name of the container; empty in rows about the pod itself',
    container_id      FixedString(32) COMMENT 'the 64 hex digits as bytes; an ID of another form as the SHA-256 of its text; zeros in rows about the pod',

    -- How far the row may be believed by itself. Lateness is judged by the server alone: a receiver's clock, or a spool that
    -- drained hours later, cannot make an old fact look like news.
    event_at          DateTime64(6, 'UTC') EPHEMERAL toDateTime64(0, 6, 'UTC') COMMENT 'time of the event, by the API server''s clock',
    heard_at          SimpleAggregateFunction(max, DateTime('UTC')) DEFAULT now('UTC') COMMENT 'newest arrival, by the server''s clock',
    late              SimpleAggregateFunction(max, UInt8) DEFAULT toUnixTimestamp(heard_at) - toUnixTimestamp64Second(event_at) > 300
                      COMMENT 'some fact arrived over 5 minutes after its event; the next settling joins the life with history',
    timely            SimpleAggregateFunction(max, UInt8) DEFAULT NOT late
                      COMMENT '1: some fact arrived in time; 2: a settling has joined the life with history; 3: and has moved instances of the pod there. Without an end it lives',
    first_seen        SimpleAggregateFunction(min, DateTime64(6, 'UTC')) DEFAULT event_at COMMENT 'oldest event that spoke of it',
    last_seen         SimpleAggregateFunction(max, DateTime64(6, 'UTC')) DEFAULT event_at COMMENT 'newest event that spoke of it',

    not_after         SimpleAggregateFunction(min, DateTime64(6, 'UTC')) DEFAULT toDateTime64('2200-01-01 00:00:00', 6, 'UTC')
                      COMMENT 'it had ended by then: a request found it gone, or of a container instance that a later one began',

    -- What settlings write.
    gone              SimpleAggregateFunction(min, Tuple(at DateTime64(6, 'UTC'), proof UInt8)) DEFAULT (toDateTime64('2200-01-01 00:00:00', 6, 'UTC'), 0)
                      COMMENT 'the pod was gone by then; proof: 0 a request that removed what had its name, 1 another pod of its name was created, 2 its node was deleted, 3 its namespace was, 4 it was not found',
    means             SimpleAggregateFunction(max, Tuple(as_of UInt32, created_by Tuple(user String, acting_as String), node String, truncated UInt8, asked Tuple(at DateTime64(3, 'UTC'), user String, acting_as String), evict_asked Tuple(at DateTime64(3, 'UTC'), user String, acting_as String), force_asked Tuple(at DateTime64(3, 'UTC'), user String, acting_as String)))
                      DEFAULT (0, ('', ''), '', 0, (toDateTime64('2200-01-01 00:00:00', 3, 'UTC'), '', ''), (toDateTime64('2200-01-01 00:00:00', 3, 'UTC'), '', ''), (toDateTime64('2200-01-01 00:00:00', 3, 'UTC'), '', ''))
                      COMMENT 'what rows about names said of this pod, as the newest settling that could tell has joined them',
    settled_from      SimpleAggregateFunction(min, DateTime('UTC')) DEFAULT toDateTime('2106-02-07 06:28:15', 'UTC') COMMENT 'from where history has filed it',
    settled_until     SimpleAggregateFunction(max, DateTime('UTC')) COMMENT 'until where history has filed it',
    instances         SimpleAggregateFunction(groupUniqArrayArray, Array(Tuple(container String, first UInt32, last UInt32))) COMMENT 'container instances of the pod that events told of, settled ones as well: from which restart number to which',

    -- A row about a name: what events said that named a pod and not its uid. Its pod_uid is made from the name (version 8, where
    -- Kubernetes' are of version 4). Which pod had the name then is found out where lives are folded.
    named             SimpleAggregateFunction(groupUniqArrayArray, Array(Tuple(at DateTime64(6, 'UTC'), what String, user String, acting_as String, selector String)))
                      COMMENT 'what: create, ask, force, evict, collect (asked to delete), purge (the same, at once), remove (a kubelet''s last delete), gone (was not there), status (a kubelet''s), truncated; without a pod''s name: collect, purge, finalize (the namespace was empty, and went); of the name of a node, without a namespace: node came, node gone',

    -- The pod, in rows with container = ''.
    pod               SimpleAggregateFunction(max, String) COMMENT 'name of the pod',
    node              SimpleAggregateFunction(max, LowCardinality(String)) COMMENT 'that the pod was bound to',
    host_network      SimpleAggregateFunction(max, UInt8) COMMENT 'whether the pod uses the addresses of its node',
    service_account   SimpleAggregateFunction(max, LowCardinality(String)) COMMENT 'of the pod',
    metadata          SimpleAggregateFunction(max, Tuple(as_of UInt64, labels Array(Tuple(key String, value String)), owner_kind String, owner String, workload_kind String, workload String, inferred UInt8))
                      COMMENT 'labels, the controlling owner, and the workload above it; inferred: the workload was told from the owner''s name',
    phase             SimpleAggregateFunction(max, Enum8('' = 0, 'Unknown' = 1, 'Pending' = 2, 'Running' = 3, 'Succeeded' = 4, 'Failed' = 5)) COMMENT 'the furthest that it came',
    pod_ips           SimpleAggregateFunction(minMap, Map(IPv6, UInt64))
                      COMMENT 'every address it had, with its first sight: 16 times the milliseconds of the event, plus the place in status.podIPs',
    restarts          SimpleAggregateFunction(maxMap, Map(String, UInt32)) COMMENT 'for each container that started, how often it was started again',
    created_at        SimpleAggregateFunction(max, DateTime('UTC')) COMMENT 'metadata.creationTimestamp',
    created_by        SimpleAggregateFunction(max, Tuple(user String, acting_as String)) COMMENT 'acting_as: the impersonated account',
    scheduled_at      SimpleAggregateFunction(max, DateTime64(3, 'UTC')) COMMENT 'when the scheduler bound it',
    pod_started_at    SimpleAggregateFunction(max, DateTime('UTC')) COMMENT 'when a kubelet took the pod up',
    terminal_at       SimpleAggregateFunction(min, DateTime64(3, 'UTC')) DEFAULT toDateTime64('2200-01-01 00:00:00', 3, 'UTC')
                      COMMENT 'the first event that told of phase Succeeded or Failed',
    delete_asked      SimpleAggregateFunction(min, Tuple(at DateTime64(3, 'UTC'), user String, acting_as String))
                      DEFAULT (toDateTime64('2200-01-01 00:00:00', 3, 'UTC'), '', '') COMMENT 'the first request to delete it',
    evict_asked       SimpleAggregateFunction(min, Tuple(at DateTime64(3, 'UTC'), user String, acting_as String))
                      DEFAULT (toDateTime64('2200-01-01 00:00:00', 3, 'UTC'), '', '') COMMENT 'the first request to the eviction API that was granted',
    force_asked       SimpleAggregateFunction(min, Tuple(at DateTime64(3, 'UTC'), user String, acting_as String))
                      DEFAULT (toDateTime64('2200-01-01 00:00:00', 3, 'UTC'), '', '') COMMENT 'the first request to delete it that left it no time',
    disrupted         SimpleAggregateFunction(min, Tuple(at DateTime64(3, 'UTC'), reason String))
                      DEFAULT (toDateTime64('2200-01-01 00:00:00', 3, 'UTC'), '') COMMENT 'since when the condition DisruptionTarget holds, and why',
    status_reason     SimpleAggregateFunction(max, String) COMMENT 'reason of the status: Evicted, DeadlineExceeded, ...',
    waiting           SimpleAggregateFunction(max, Tuple(as_of UInt64, containers Array(Tuple(container String, reason String))))
                      COMMENT 'containers that had not started when this was last said, and why: ImagePullBackOff, ...',
    asked_event       SimpleAggregateFunction(min, Tuple(at DateTime64(3, 'UTC'), audit_id String)) DEFAULT (toDateTime64('2200-01-01 00:00:00', 3, 'UTC'), '')
                      COMMENT 'audit ID of the first request for its end, where it was not Kubernetes itself that asked; in rows about a name as well',
    truncated         SimpleAggregateFunction(max, UInt8) COMMENT 'the API server cut off what an event about it held',
    removed_at        SimpleAggregateFunction(max, DateTime64(3, 'UTC')) COMMENT 'when the API server let go of the object',

    -- The container instance, in rows with a container.
    kind              SimpleAggregateFunction(max, Enum8('' = 0, 'app' = 1, 'init' = 2, 'sidecar' = 3, 'ephemeral' = 4)) COMMENT 'what kind of container; a restartable init container is a sidecar',
    runtime           SimpleAggregateFunction(max, LowCardinality(String)) COMMENT 'container runtime, like containerd',
    container_id_text SimpleAggregateFunction(max, String) COMMENT 'the container ID where it is not 64 hex digits',
    image             SimpleAggregateFunction(max, LowCardinality(String)) COMMENT 'as the node resolved it',
    image_id          SimpleAggregateFunction(max, LowCardinality(String)) COMMENT 'with the digest',
    restart           SimpleAggregateFunction(max, UInt32) COMMENT '0 for the first instance of this container in its pod',
    started_at        SimpleAggregateFunction(max, DateTime('UTC')) COMMENT 'of the instance, as its status says',
    ended             SimpleAggregateFunction(max, Tuple(seen UInt8, finished_at DateTime('UTC'), exit_code Int32, signal Int32, reason String))
                      COMMENT 'one report of its end, whole: never the exit code of one and the reason of another',

    INDEX by_uid pod_uid                        TYPE bloom_filter(0.001) GRANULARITY 1,
    INDEX by_pod pod                            TYPE bloom_filter(0.001) GRANULARITY 1,
    INDEX by_ip  mapKeys(pod_ips)               TYPE bloom_filter(0.001) GRANULARITY 1,
    INDEX by_id  substring(container_id, 1, 4)  TYPE bloom_filter(0.001) GRANULARITY 1
)
ENGINE = AggregatingMergeTree
PARTITION BY slot
ORDER BY (cluster, namespace, pod_uid, container, container_id)
-- Small buffers: whoever writes a wide part, an INSERT or a merge, holds two for each column, and tuples and maps are many.
SETTINGS index_granularity = 256, non_replicated_deduplication_window = 10000, min_compress_block_size = 16384, max_compress_block_size = 65536
COMMENT 'what audit events say about pods and container instances that may still change';
