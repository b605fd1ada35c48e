-- Requests to running pods: exec, attach and port-forward sessions, added ephemeral containers, resizes.
--
-- A row has the data of one event about one request; a session has two events. Rows of one request merge, and keep what only
-- one of them has. An audit ID alone does not identify a request, because a client may set it. Never here: a command, its
-- arguments, ports, or anything else from the query or the body.
--
-- The partition is the month of arrival, by the server's clock, as in `event_counts`. Rows of one request in several months are one
-- in the view.

CREATE TABLE IF NOT EXISTS session_events
(
    cluster    LowCardinality(String) COMMENT 'Kubernetes cluster',
    namespace  LowCardinality(String) COMMENT 'of the pod',
    pod        String COMMENT 'name of the pod in the request; it may not have existed',
    kind       LowCardinality(String) COMMENT 'the subresource: exec, attach, portforward, ephemeralcontainers or resize',
    began_at   DateTime64(6, 'UTC') COMMENT 'when the request came, by the API server''s clock' CODEC(Delta, ZSTD(3)),
    user       LowCardinality(String) COMMENT 'account that made the request; empty if unauthenticated',
    acting_as  LowCardinality(String) COMMENT 'account it impersonated, or empty',
    audit_id   String COMMENT 'audit ID of its events; empty if a client sent an invalid one',
    month      Date DEFAULT toStartOfMonth(now('UTC')) COMMENT 'month of arrival, by the server''s clock',
    over_at    SimpleAggregateFunction(max, DateTime64(6, 'UTC')) COMMENT 'when it ended; 1970 until the event of its end arrives'
               CODEC(Delta, ZSTD(3)),
    container  SimpleAggregateFunction(max, String) COMMENT 'container in the request; added containers are separated by commas',
    source     SimpleAggregateFunction(max, String) COMMENT 'first source address; a client may forge it',
    via        SimpleAggregateFunction(max, String) COMMENT 'last source address, if there are several: the one that connected',
    code       SimpleAggregateFunction(max, UInt16) COMMENT 'HTTP status; 101 for an opened stream'
)
ENGINE = AggregatingMergeTree
PARTITION BY toYYYYMM(month)
ORDER BY (cluster, namespace, pod, began_at, kind, user, acting_as, audit_id)
SETTINGS index_granularity = 1024, non_replicated_deduplication_window = 10000
COMMENT 'requests to running pods'
