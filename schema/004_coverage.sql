-- Which audit events arrived: how many per hour, at which levels, and which API servers were seen.
--
-- A delivery adds one row for all of its events with the same key. It has a number for each event, derived from its audit ID,
-- stage and time; a sketch that counts distinct numbers is stored. So events that arrive twice, late, or through several
-- receivers count once. The sketch is exact for small counts and mostly within 2 % for large ones.
--
-- hour is the event's; the partition is the month of arrival, by the server's clock, so that old events can be sent at any
-- time and no sender can create more than one partition. Rows of one key in several months are added in the view.

CREATE TABLE IF NOT EXISTS event_counts
(
    cluster     LowCardinality(String) COMMENT 'name of the Kubernetes cluster',
    hour        DateTime('UTC') COMMENT 'of the events, by the API server''s clock',
    about       Enum8('other' = 0, 'pods' = 1, 'heartbeat' = 2) COMMENT 'pods: writes to pods; heartbeat: an API server renewed its own lease',
    api_server  LowCardinality(String) COMMENT 'lease that identifies the API server; empty for other events',
    level       Enum8('' = 0, 'Metadata' = 1, 'Request' = 2, 'RequestResponse' = 3) COMMENT 'empty if a relay removed it',
    stage       Enum8('' = 0, 'RequestReceived' = 1, 'ResponseStarted' = 2, 'ResponseComplete' = 3, 'Panic' = 4) COMMENT 'stage of the request',
    month       Date DEFAULT toStartOfMonth(now('UTC')) COMMENT 'month of arrival, by the server''s clock',
    minutes     SimpleAggregateFunction(groupBitOr, UInt64) COMMENT 'bit n is set if there was an event in minute n',
    ids         Array(UInt64) EPHEMERAL [] COMMENT 'a number for each event',
    events      AggregateFunction(uniqCombined64(14), UInt64) DEFAULT arrayReduce('uniqCombined64State(14)', ids)
                COMMENT 'sketch of these numbers, to count distinct ones'
)
ENGINE = AggregatingMergeTree
PARTITION BY toYYYYMM(month)
ORDER BY (cluster, hour, about, api_server, level, stage)
SETTINGS non_replicated_deduplication_window = 10000
COMMENT 'which audit events arrived'
