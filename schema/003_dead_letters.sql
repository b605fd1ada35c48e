-- Metadata of events that could not be decoded: origin, size and hash. Never the content; the bytes stay for some days on
-- the disk of the bygone that received them (bygone dead-letters show ID).
--
-- The id is derived from the cluster and the bytes. A repeated delivery, also to another replica, is the same row; the
-- newest is kept. Rows merge within a month: count them with count(DISTINCT id), read them with FINAL.

CREATE TABLE IF NOT EXISTS dead_letters
(
    cluster       LowCardinality(String) COMMENT 'Kubernetes cluster it was sent for',
    id            UUID COMMENT 'derived from the cluster and the bytes: the same letter has the same id everywhere',
    origin        String COMMENT 'the source that delivered it: webhook, or a topic, partition and offset',
    reason        LowCardinality(String) COMMENT 'kind of damage, as in the metric bygone_pipeline_rejected_total',
    received_at   DateTime64(6, 'UTC') COMMENT 'when it last arrived, by the receiver''s clock',
    position_from UInt64 COMMENT 'offset in its delivery, in bytes',
    bytes         UInt64 COMMENT 'size in bytes',
    sha256        FixedString(32) COMMENT 'SHA-256 of its bytes',
    raw_kept      UInt8 COMMENT 'whether its bytes were on the receiver''s disk when it arrived'
)
ENGINE = ReplacingMergeTree(received_at)
PARTITION BY toYYYYMM(received_at)
ORDER BY (cluster, id)
TTL toDateTime(received_at, 'UTC') + INTERVAL 400 DAY
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 10000
COMMENT 'what could not be decoded: metadata only';
