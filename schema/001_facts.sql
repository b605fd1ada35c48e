-- What audit events say about pods and container instances.
--
-- Every event becomes one row for each object that it speaks of: the pod (container = '') and each of its container
-- instances. A row carries only what the event said; its other columns keep their defaults. Rows of the same key merge
-- by max, min or union, so neither order nor repetition nor the number of receivers can change what they add up to.
--
-- What may change in the life of a pod merges as a tuple that begins with the resourceVersion of the object it was read
-- from (0 where the object had none) and the time of the event: the newest state wins, whenever it arrives.
--
-- "Never" and "unknown" are the column's default: the epoch, an empty text, zero. Where the smallest value wins it is
-- 2200-01-01, the end of what ClickHouse's calendar holds with room to spare.

CREATE TABLE IF NOT EXISTS facts
(
    slot              DateTime('UTC') DEFAULT toStartOfInterval(now('UTC'), INTERVAL 10 MINUTE)
                      COMMENT 'ten minutes of arrival, by the server''s clock' CODEC(ZSTD(1)),

    cluster           LowCardinality(String) COMMENT 'name of the Kubernetes cluster, from the path of the webhook',
    namespace         LowCardinality(String),
    pod_uid           UUID,
    container         LowCardinality(String) COMMENT 'name of the container; empty in rows about the pod itself',
    container_id      FixedString(32) COMMENT 'the 64 hex digits as bytes; an ID of another form as the SHA-256 of its text; zeros in rows about the pod',

    event_at          DateTime64(6, 'UTC') EPHEMERAL toDateTime64(0, 6, 'UTC') COMMENT 'time of the event, by the API server''s clock',
    first_seen        SimpleAggregateFunction(min, DateTime64(6, 'UTC')) DEFAULT event_at COMMENT 'oldest event that spoke of it',
    last_seen         SimpleAggregateFunction(max, DateTime64(6, 'UTC')) DEFAULT event_at COMMENT 'newest event that spoke of it',

    -- The pod, in rows with container = ''.
    pod               SimpleAggregateFunction(max, String) COMMENT 'name of the pod',
    node              SimpleAggregateFunction(max, LowCardinality(String)),
    host_network      SimpleAggregateFunction(max, UInt8),
    service_account   SimpleAggregateFunction(max, LowCardinality(String)),
    owner             SimpleAggregateFunction(max, Tuple(version UInt64, at DateTime64(6, 'UTC'), kind String, name String, workload_kind String, workload String, inferred UInt8))
                      COMMENT 'the controlling owner, and the workload above it; inferred: the workload was told from the owner''s name',
    labels            SimpleAggregateFunction(max, Tuple(version UInt64, at DateTime64(6, 'UTC'), pairs Array(Tuple(key String, value String)))),
    phase             SimpleAggregateFunction(max, Tuple(version UInt64, at DateTime64(6, 'UTC'), phase String)),
    pod_ips           SimpleAggregateFunction(minMap, Map(IPv6, UInt64))
                      COMMENT 'every address it had, with its first sight: 16 times the resourceVersion, plus the place in status.podIPs',
    created_at        SimpleAggregateFunction(max, DateTime('UTC')),
    created_by        SimpleAggregateFunction(max, Tuple(user String, acting_as String)) COMMENT 'acting_as: the impersonated account',
    scheduled_at      SimpleAggregateFunction(max, DateTime64(6, 'UTC')),
    pod_started_at    SimpleAggregateFunction(max, DateTime('UTC')) COMMENT 'when a kubelet took the pod up',
    delete_asked      SimpleAggregateFunction(min, Tuple(at DateTime64(6, 'UTC'), user String, acting_as String))
                      DEFAULT (toDateTime64('2200-01-01 00:00:00', 6, 'UTC'), '', '') COMMENT 'the first request to delete it',
    removed_at        SimpleAggregateFunction(max, DateTime64(6, 'UTC')) COMMENT 'when the API server let go of the object',

    -- The container instance, in rows with a container.
    kind              SimpleAggregateFunction(max, Enum8('' = 0, 'app' = 1, 'init' = 2, 'sidecar' = 3, 'ephemeral' = 4)),
    runtime           SimpleAggregateFunction(max, LowCardinality(String)),
    container_id_text SimpleAggregateFunction(max, String) COMMENT 'the container ID where it is not 64 hex digits',
    image             SimpleAggregateFunction(max, Tuple(version UInt64, at DateTime64(6, 'UTC'), image String, image_id String)),
    restart           SimpleAggregateFunction(max, UInt32),
    started_at        SimpleAggregateFunction(max, DateTime('UTC')),
    ended             SimpleAggregateFunction(max, Tuple(seen UInt8, finished_at DateTime('UTC'), version UInt64, at DateTime64(6, 'UTC'), exit_code Int32, signal Int32, reason String))
                      COMMENT 'one report of its end, whole: never the exit code of one and the reason of another'
)
ENGINE = AggregatingMergeTree
PARTITION BY slot
ORDER BY (cluster, namespace, pod_uid, container, container_id)
SETTINGS index_granularity = 256, non_replicated_deduplication_window = 10000
COMMENT 'what audit events say about pods and container instances';
