-- Pods and container instances: plain rows, as answers show them.
--
-- recent_*: rows that are open, ended in the last minutes, or were corrected after filing. A row is replaced as a whole by
-- one with a higher version.
--
-- ended_*: rows that ended, filed so that "which existed between t1 and t2" costs about as much as its answer. A life is filed
-- under its class, the number of these bounds (seconds) that its length exceeds, and then by its start:
--
--     64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864
--
-- A life of class c that overlaps [t1, t2) began after t1 - bound(c) and before t2. Lives of 12 days and more (class 8 and up)
-- are in partitions by year, the rest by month: otherwise a query about an old hour would have to search every month for
-- the few long lives. A corrected life that is filed elsewhere leaves a row with `moved` at its old place.
--
-- A life in both is read from recent_*. The columns are in src/rows/life.rs.

CREATE TABLE IF NOT EXISTS recent_pods
(
@recent_pod_columns@,
    INDEX by_uid pod_uid TYPE bloom_filter(0.005) GRANULARITY 64,
    INDEX by_ip pod_ips TYPE bloom_filter(0.005) GRANULARITY 64,
    CONSTRAINT fresh CHECK read_at >= now('UTC') - 120
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (cluster, namespace, pod, pod_uid)
SETTINGS
    index_granularity = 32,
    min_bytes_for_wide_part = 1073741824,
    fsync_after_insert = 1,
    fsync_part_directory = 1
COMMENT 'pods that are open, or ended in the last minutes';

CREATE TABLE IF NOT EXISTS recent_containers
(
@recent_container_columns@,
    INDEX by_uid pod_uid TYPE bloom_filter(0.005) GRANULARITY 64,
    INDEX by_id substring(container_key, 1, 4) TYPE bloom_filter(0.005) GRANULARITY 64,
    CONSTRAINT fresh CHECK read_at >= now('UTC') - 120
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (cluster, namespace, pod, pod_uid, container, container_key)
SETTINGS
    index_granularity = 32,
    min_bytes_for_wide_part = 1073741824,
    fsync_after_insert = 1,
    fsync_part_directory = 1
COMMENT 'container instances that run, or ended in the last minutes';

CREATE TABLE IF NOT EXISTS ended_pods
(
@pod_columns@,
    moved         UInt8 COMMENT 'the row is filed elsewhere now',
    filed_at      DateTime('UTC') DEFAULT now('UTC') COMMENT 'when this row was written here' CODEC(Delta, ZSTD(3)),
    uid_head      UInt32 MATERIALIZED toUInt32(bitShiftRight(toUInt128(pod_uid), 96)) COMMENT 'the first 8 hex digits of the uid',
    name_hash     UInt32 MATERIALIZED toUInt32(sipHash64(cluster, namespace, pod)) COMMENT 'of the name',
    any_ip        IPv6 MATERIALIZED toIPv6OrDefault(pod_ips[1]) COMMENT 'one of its addresses, as most pods have one',

    INDEX by_more_ips if(length(pod_ips) > 1, pod_ips, []) TYPE bloom_filter(0.001) GRANULARITY 1,
    PROJECTION by_uid (SELECT _part_offset ORDER BY uid_head),
    PROJECTION by_name (SELECT _part_offset ORDER BY name_hash),
    PROJECTION by_ip (SELECT _part_offset ORDER BY any_ip, class, filed_from)
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY if(class < 8, toYYYYMM(filed_from), toYear(filed_from))
PRIMARY KEY (cluster, namespace, class, filed_from)
ORDER BY (cluster, namespace, class, filed_from, pod_uid)
SETTINGS
    index_granularity = 256,
    default_compression_codec = 'ZSTD(9)',
    deduplicate_merge_projection_mode = 'rebuild',
    fsync_after_insert = 1,
    fsync_part_directory = 1
COMMENT 'pods that ended';

CREATE TABLE IF NOT EXISTS ended_containers
(
@container_columns@,
    moved         UInt8 COMMENT 'the row is filed elsewhere now',
    filed_at      DateTime('UTC') DEFAULT now('UTC') COMMENT 'when this row was written here' CODEC(Delta, ZSTD(3)),
    id_head       UInt32 MATERIALIZED byteSwap(reinterpretAsUInt32(substring(container_key, 1, 4))) COMMENT 'the first 8 hex digits of the container ID',
    uid_head      UInt32 MATERIALIZED toUInt32(bitShiftRight(toUInt128(pod_uid), 96)) COMMENT 'the first 8 hex digits of the uid',

    INDEX by_image    image_id TYPE bloom_filter(0.001) GRANULARITY 1,
    INDEX by_workload workload TYPE bloom_filter(0.01) GRANULARITY 1,
    PROJECTION by_id (SELECT _part_offset ORDER BY id_head),
    PROJECTION by_uid (SELECT _part_offset ORDER BY uid_head),
    PROJECTION by_node (SELECT _part_offset ORDER BY node, class, filed_from)
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY if(class < 8, toYYYYMM(filed_from), toYear(filed_from))
PRIMARY KEY (cluster, namespace, class, filed_from)
ORDER BY (cluster, namespace, class, filed_from, pod_uid, container, container_key)
SETTINGS
    index_granularity = 256,
    default_compression_codec = 'ZSTD(9)',
    deduplicate_merge_projection_mode = 'rebuild',
    fsync_after_insert = 1,
    fsync_part_directory = 1
COMMENT 'container instances that ended; every restart is a separate one'
