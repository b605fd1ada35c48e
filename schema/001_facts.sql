-- Facts from audit events, until they are part of pods and containers for good.
--
-- `facts` is a log: a process that stores a life has read all facts about its name here, so several writers agree. It is
-- temporary: slots of ten minutes, by the clock of the server that stores the row, are dropped when reconcile has checked
-- that everything in them has become part of the lives.
--
-- A row has the facts of one event about one pod, or about one name (then pod_uid is zero). Only bygone reads `body`:
-- src/rows/fact.rs.

CREATE TABLE IF NOT EXISTS facts
(
    slot       DateTime('UTC') DEFAULT toStartOfInterval(now('UTC'), INTERVAL 10 MINUTE)
               COMMENT 'ten minutes of arrival, by the server''s clock' CODEC(ZSTD(1)),
    cluster    LowCardinality(String) COMMENT 'Kubernetes cluster, from the path of the webhook',
    namespace  LowCardinality(String) COMMENT 'of the pod; empty in rows about a node',
    pod        String COMMENT 'name of the pod, or of a node; empty in rows about a namespace',
    pod_uid    UUID COMMENT 'uid of the pod; zero in rows about a name',
    event_at   DateTime64(6, 'UTC') COMMENT 'time of the event, by the API server''s clock',
    late       UInt8 DEFAULT toUnixTimestamp(now('UTC')) - toUnixTimestamp64Second(event_at) > 300
               COMMENT 'stored over 5 minutes after its event, by the server''s clock alone',
    writer     UInt64 COMMENT 'process that stored the row',
    load       UInt64 COMMENT 'load of that process',
    body       String COMMENT 'what the event says'
)
ENGINE = MergeTree
PARTITION BY slot
ORDER BY (cluster, namespace, pod, pod_uid)
-- Reads fetch few rows of many names: small granules, and parts with all columns in one file.
SETTINGS
    index_granularity = 32,
    enable_block_number_column = 1,
    min_bytes_for_wide_part = 10737418240,
    fsync_after_insert = 1,
    fsync_part_directory = 1,
    non_replicated_deduplication_window = 10000
COMMENT 'facts from audit events, until they are part of pods and containers for good';

-- Statements about names: requests with a pod's name but not its uid, emptied namespaces, nodes that were created and
-- deleted. They are joined with pods whenever such a pod is stored, so they are kept for the whole retention.
--
-- Of repeated statements the first and the last per second are kept, whoever made them, so a name takes no more space
-- because many accounts mention it. For frequent ones (status, gone, truncated, unresolved) it is per minute, and for what was
-- not found per kubelet, because each kubelet knows only its own pods.
CREATE TABLE IF NOT EXISTS said
(
    cluster    LowCardinality(String) COMMENT 'Kubernetes cluster',
    namespace  LowCardinality(String) COMMENT 'namespace namespace of the name; empty for nodes',
    name       String COMMENT 'name of a pod or a node; empty for the namespace itself',
    what       Enum8(@name_events@) COMMENT 'kind of event: see NameEvent in src/audit/words.rs',
    by         LowCardinality(String) COMMENT 'the kubelet that did not find it; otherwise empty',
    selector   String COMMENT 'label selector of a deletecollection',
    uid        UUID COMMENT 'uid of the pod, if the event has it; otherwise zero',
    second     DateTime('UTC') COMMENT 'second of the events, or the start of their minute',
    first      SimpleAggregateFunction(min, Tuple(at DateTime64(6, 'UTC'), audit_id String, user String, acting_as String))
               COMMENT 'the first of them: time, audit ID, account, and the account it impersonated',
    last       SimpleAggregateFunction(max, Tuple(at DateTime64(6, 'UTC'), audit_id String, user String, acting_as String))
               COMMENT 'the last of them'
)
ENGINE = AggregatingMergeTree
PARTITION BY toYYYYMM(second)
ORDER BY (cluster, namespace, name, what, by, selector, uid, second)
SETTINGS
    index_granularity = 128,
    fsync_after_insert = 1,
    fsync_part_directory = 1,
    non_replicated_deduplication_window = 10000
COMMENT 'statements of events about names';

-- Loads that are part of the lives, one row each. A load without a row did not finish; reconcile folds what it touched.
CREATE TABLE IF NOT EXISTS loads
(
    writer       UInt64 COMMENT 'process that stored the row',
    load         UInt64 COMMENT 'number of the load',
    finished_at  DateTime('UTC') DEFAULT now('UTC') COMMENT 'when its pods and containers were stored'
)
ENGINE = MergeTree
ORDER BY (writer, load)
TTL finished_at + INTERVAL 2 DAY
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1
COMMENT 'loads that are part of pods and containers';

-- Slots that reconcile has checked.
CREATE TABLE IF NOT EXISTS reconciled
(
    slot   DateTime('UTC') COMMENT 'slot of facts',
    block  UInt64 COMMENT 'identifies the content of the slot as it was read: see reconcile/slots.sql',
    names  UInt64 COMMENT 'names that were folded again',
    wrong  UInt64 COMMENT 'rows that this changed',
    at     DateTime('UTC') DEFAULT now('UTC') COMMENT 'when it was checked'
)
ENGINE = MergeTree
ORDER BY slot
TTL at + INTERVAL 30 DAY
COMMENT 'slots of facts that reconcile has checked'
