-- The lives that have ended, filed so that "which of them lived between t1 and t2" costs what the answer costs.
--
-- A life is filed under its class, the number of these bounds (seconds, powers of four) that it exceeds, and then by its start:
-- whatever of class c overlaps [t1, t2) begins after t1 - bound(c) and before t2. That is one short range for each
-- class, about half of which is answer, whatever the age of the data and however much of it there is. Lives of 12 days and
-- more (class 8 and up) lie in partitions by year, the rest by month: otherwise a question about an old hour would have to
-- look into every month for the few long lives.
--
-- The rows merge as facts do, and have the same columns: what a later settling knows is added, nothing that was known is
-- replaced. A life that turns out to be longer is filed anew, and so that the new row is found wherever the old one is:
-- it never begins later, and its class never ends sooner (settled_from, settled_until of facts).
--
-- filed_from is a whole second, and so are the starts and ends that Kubernetes keeps; a life that ended in a second has
-- lived until that second was over.

CREATE TABLE IF NOT EXISTS pod_history
(
    cluster           LowCardinality(String) COMMENT 'Kubernetes cluster',
    namespace         LowCardinality(String) COMMENT 'of the pod',
    class             UInt8 COMMENT 'how many of the bounds its length exceeds',
    filed_from        DateTime('UTC') COMMENT 'its start, rounded down; never later than in an older row' CODEC(Delta, ZSTD(9)),
    pod_uid           UUID COMMENT 'uid of the pod',

    first_seen        SimpleAggregateFunction(min, DateTime64(6, 'UTC')) COMMENT 'oldest event that spoke of it, where its creation is not known; else 2200-01-01',
    gone              SimpleAggregateFunction(min, Tuple(at DateTime64(6, 'UTC'), proof UInt8)) COMMENT 'as in facts, where its removal is not known; else 2200-01-01',
    pod               SimpleAggregateFunction(max, String) COMMENT 'name of the pod',
    node              SimpleAggregateFunction(max, LowCardinality(String)) COMMENT 'that the pod was bound to',
    host_network      SimpleAggregateFunction(max, UInt8) COMMENT 'whether the pod uses the addresses of its node',
    service_account   SimpleAggregateFunction(max, LowCardinality(String)) COMMENT 'of the pod',
    metadata          SimpleAggregateFunction(max, Tuple(as_of UInt64, labels Array(Tuple(key String, value String)), workload_kind String, workload String, inferred UInt8)) COMMENT 'as in facts',
    phase             SimpleAggregateFunction(max, Enum8('' = 0, 'Unknown' = 1, 'Pending' = 2, 'Running' = 3, 'Succeeded' = 4, 'Failed' = 5)) COMMENT 'as in facts',
    restarts          SimpleAggregateFunction(maxMap, Map(String, UInt32)) COMMENT 'as in facts',
    instances         SimpleAggregateFunction(groupUniqArrayArray, Array(Tuple(container String, first UInt32, last UInt32))) COMMENT 'as in facts: those that restarts tells of and this does not were not seen',
    created_by        SimpleAggregateFunction(max, Tuple(user String, acting_as String)) COMMENT 'as in facts',

    -- Times by their distance from filed_from, which takes half of the space: seconds, or milliseconds where so named.
    created           SimpleAggregateFunction(max, Int32) COMMENT 'to created_at; -2147483648 where that is not known, here and below',
    started           SimpleAggregateFunction(max, Int32) COMMENT 'to when a kubelet took it up',
    scheduled_ms      SimpleAggregateFunction(max, Int64) COMMENT 'milliseconds to when the scheduler bound it; -9223372036854775808 where that is not known, here and below',
    removed_ms        SimpleAggregateFunction(max, Int64) COMMENT 'milliseconds to when the API server let go of it',
    terminal_ms       SimpleAggregateFunction(min, Int64) COMMENT 'to the first event that told of phase Succeeded or Failed; 9223372036854775807 where none did',
    pod_ips           SimpleAggregateFunction(minMap, Map(IPv6, Int64)) COMMENT 'as in facts, but for the time: 16 times the milliseconds to the first sight, plus the place',
    delete_asked      SimpleAggregateFunction(min, Tuple(ms Int64, user String, acting_as String)) COMMENT 'to the first request to delete it; 9223372036854775807 where there was none',
    asked_event       SimpleAggregateFunction(min, Tuple(ms Int64, audit_id String)) DEFAULT (9223372036854775807, '') COMMENT 'as in facts, by its distance',

    -- What few pods have. Their times are whole.
    evict_asked       SimpleAggregateFunction(min, Tuple(at DateTime64(3, 'UTC'), user String, acting_as String)) COMMENT 'as in facts',
    force_asked       SimpleAggregateFunction(min, Tuple(at DateTime64(3, 'UTC'), user String, acting_as String)) COMMENT 'as in facts',
    disrupted         SimpleAggregateFunction(min, Tuple(at DateTime64(3, 'UTC'), reason String)) COMMENT 'as in facts',
    status_reason     SimpleAggregateFunction(max, String) COMMENT 'as in facts',
    waiting           SimpleAggregateFunction(max, Tuple(as_of UInt64, containers Array(Tuple(container String, reason String)))) COMMENT 'as in facts',
    truncated         SimpleAggregateFunction(max, UInt8) COMMENT 'as in facts',
    means             SimpleAggregateFunction(max, Tuple(as_of UInt32, created_by Tuple(user String, acting_as String), node String, truncated UInt8, asked Tuple(at DateTime64(3, 'UTC'), user String, acting_as String), evict_asked Tuple(at DateTime64(3, 'UTC'), user String, acting_as String), force_asked Tuple(at DateTime64(3, 'UTC'), user String, acting_as String))) COMMENT 'as in facts',

    uid_head          UInt32 MATERIALIZED toUInt32(bitShiftRight(toUInt128(pod_uid), 96)) COMMENT 'the first 8 hex digits of the uid',
    any_ip            SimpleAggregateFunction(max, IPv6) DEFAULT arrayMax(mapKeys(pod_ips)) COMMENT 'one of its addresses, as most pods have one: for the look-up by it',

    INDEX by_more_ips if(length(pod_ips) > 1, mapKeys(pod_ips), []) TYPE bloom_filter(0.001) GRANULARITY 1,
    PROJECTION by_uid (SELECT _part_offset ORDER BY uid_head),
    PROJECTION by_ip  (SELECT _part_offset ORDER BY any_ip, class, filed_from)
)
ENGINE = AggregatingMergeTree
PARTITION BY if(class < 8, toYYYYMM(filed_from), toYear(filed_from))
PRIMARY KEY (cluster, namespace, class, filed_from)
ORDER BY (cluster, namespace, class, filed_from, pod_uid)
SETTINGS
    index_granularity = 256,
    default_compression_codec = 'ZSTD(9)',
    deduplicate_merge_projection_mode = 'rebuild',
    non_replicated_deduplication_window = 10000
COMMENT 'pods that have ended';

CREATE TABLE IF NOT EXISTS container_history
(
    cluster           LowCardinality(String) COMMENT 'Kubernetes cluster',
    namespace         LowCardinality(String) COMMENT 'of the pod',
    class             UInt8 COMMENT 'how many of the bounds its length exceeds',
    filed_from        DateTime('UTC') COMMENT 'its start, rounded down; never later than in an older row' CODEC(Delta, ZSTD(9)),
    pod_uid           UUID COMMENT 'uid of the pod',
    container         LowCardinality(String) COMMENT 'name of the container',
    container_id      FixedString(32) COMMENT 'as in facts' CODEC(NONE),

    first_seen        SimpleAggregateFunction(min, DateTime64(6, 'UTC')) COMMENT 'oldest event that spoke of it, where its start is not known; else 2200-01-01',
    not_after         SimpleAggregateFunction(min, DateTime64(6, 'UTC')) COMMENT 'it had ended by then, as a later instance had begun, where its end was not reported; else 2200-01-01',
    kind              SimpleAggregateFunction(max, Enum8('' = 0, 'app' = 1, 'init' = 2, 'sidecar' = 3, 'ephemeral' = 4)) COMMENT 'what kind of container; a restartable init container is a sidecar',
    runtime           SimpleAggregateFunction(max, LowCardinality(String)) COMMENT 'container runtime, like containerd',
    container_id_text SimpleAggregateFunction(max, String) COMMENT 'the container ID where it is not 64 hex digits',
    image             SimpleAggregateFunction(max, LowCardinality(String)) COMMENT 'as the node resolved it',
    image_id          SimpleAggregateFunction(max, LowCardinality(String)) COMMENT 'with the digest',
    restart           SimpleAggregateFunction(max, UInt32) COMMENT '0 for the first instance of this container in its pod',
    started           SimpleAggregateFunction(max, Int32) COMMENT 'seconds from filed_from to its start; -2147483648 where that is not known, here and below',
    ended             SimpleAggregateFunction(max, Tuple(seen UInt8, finished Int32, exit_code Int32, signal Int32, reason String)) COMMENT 'as in facts, but for the time: seconds from filed_from',

    -- What its pod was when this row was written: no join is needed, and a row that is written when the pod has ended tells it all.
    pod               SimpleAggregateFunction(max, String) COMMENT 'name of the pod',
    node              SimpleAggregateFunction(max, LowCardinality(String)) COMMENT 'that the pod was bound to',
    host_network      SimpleAggregateFunction(max, UInt8) COMMENT 'whether the pod uses the addresses of its node',
    metadata          SimpleAggregateFunction(max, Tuple(as_of UInt64, labels Array(Tuple(key String, value String)), workload_kind String, workload String, inferred UInt8)) COMMENT 'as_of: the settling that wrote it',
    pod_ips           SimpleAggregateFunction(minMap, Map(IPv6, Int64)) COMMENT 'as in pod_history',
    pod_created       SimpleAggregateFunction(max, Int32) COMMENT 'seconds from filed_from',
    pod_removed_ms    SimpleAggregateFunction(max, Int64) COMMENT 'milliseconds from filed_from',
    pod_gone          SimpleAggregateFunction(min, Tuple(at DateTime64(6, 'UTC'), proof UInt8)) COMMENT 'as in pod_history',
    cause             SimpleAggregateFunction(max, Tuple(as_of UInt32, why String, by String)) COMMENT 'why it ended, and who asked for that; as_of: the settling that wrote it',

    id_head           UInt32 MATERIALIZED byteSwap(reinterpretAsUInt32(substring(container_id, 1, 4))) COMMENT 'the first 8 hex digits of the container ID',
    uid_head          UInt32 MATERIALIZED toUInt32(bitShiftRight(toUInt128(pod_uid), 96)) COMMENT 'the first 8 hex digits of the uid',

    INDEX by_image    image_id TYPE bloom_filter(0.001) GRANULARITY 1,
    INDEX by_workload metadata.workload TYPE bloom_filter(0.01) GRANULARITY 1,
    PROJECTION by_id   (SELECT _part_offset ORDER BY id_head),
    PROJECTION by_uid  (SELECT _part_offset ORDER BY uid_head),
    PROJECTION by_node (SELECT _part_offset ORDER BY node, class, filed_from)
)
ENGINE = AggregatingMergeTree
PARTITION BY if(class < 8, toYYYYMM(filed_from), toYear(filed_from))
PRIMARY KEY (cluster, namespace, class, filed_from)
ORDER BY (cluster, namespace, class, filed_from, pod_uid, container, container_id)
SETTINGS
    index_granularity = 256,
    default_compression_codec = 'ZSTD(9)',
    deduplicate_merge_projection_mode = 'rebuild',
    non_replicated_deduplication_window = 10000
COMMENT 'container instances that have ended; every restart is one of its own';

-- One row for each finished settling, and for each process that finished it.
CREATE TABLE IF NOT EXISTS checkpoints
(
    slot        DateTime('UTC') COMMENT 'what was heard before this slot is settled, or carried into it',
    read        Map(DateTime('UTC'), UInt64) COMMENT 'for each slot that was read, the number of its blocks just before (settle/slots.sql)',
    ready_at    DateTime('UTC') DEFAULT now('UTC') COMMENT 'when readers may start from here',
    settled     UInt64 COMMENT 'rows that were moved into history',
    carried     UInt64 COMMENT 'rows that were carried into the slot',
    forgotten   UInt64 COMMENT 'rows of lives that nobody spoke of for the whole retention',
    written_at  DateTime('UTC') DEFAULT now('UTC') COMMENT 'when the settling had finished'
)
ENGINE = MergeTree
ORDER BY slot
SETTINGS non_replicated_deduplication_window = 100
COMMENT 'finished settlings';

-- The slot of facts that readers start from.
CREATE VIEW IF NOT EXISTS checkpoint AS
SELECT max(slot) AS slot FROM checkpoints WHERE ready_at <= now('UTC')
