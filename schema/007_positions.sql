-- Where pull sources continue: files, watches, etcd. Kafka keeps its offsets itself.
--
-- A row is written after ClickHouse has everything before the position, with the lives that people read. A row that is lost or
-- outdated costs reading again, which changes no answer. The newest row of a key counts. In a cluster only the first shard has
-- rows.

CREATE TABLE IF NOT EXISTS positions
(
    source      LowCardinality(String) COMMENT 'kind of source: file, watch or etcd',
    cluster     LowCardinality(String) COMMENT 'Kubernetes cluster',
    key         String COMMENT 'what is read: the fingerprint of a file, or a resource',
    position    UInt64 COMMENT 'everything before it is stored; 0 for a source that does not count',
    state       String COMMENT 'what else the source needs to continue, in a form of its own, like a resourceVersion',
    place       String COMMENT 'where it was last, for people: a path or an address',
    written_at  DateTime64(6, 'UTC') DEFAULT now64(6, 'UTC') COMMENT 'by the server''s clock'
)
ENGINE = ReplacingMergeTree(written_at)
ORDER BY (source, cluster, key)
COMMENT 'where pull sources continue'
