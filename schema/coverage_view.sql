-- Which events arrived, by hour.

CREATE OR REPLACE VIEW coverage
(
    cluster     String          COMMENT 'Kubernetes cluster',
    hour        DateTime('UTC') COMMENT 'of the events, by the API server''s clock',
    about       String          COMMENT 'pods: writes to pods; heartbeat: an API server renewed its own lease; other',
    api_server  String          COMMENT 'lease that identifies the API server, for heartbeats; other events do not have it',
    level       String          COMMENT 'Metadata, Request or RequestResponse; empty if a relay removed it',
    stage       String          COMMENT 'RequestReceived, ResponseStarted, ResponseComplete or Panic',
    events      UInt64          COMMENT 'approximate number of distinct events',
    minutes     UInt64          COMMENT 'bit n is set if there was an event in minute n of the hour',
    seconds     Array(UInt16)   COMMENT 'for heartbeats: the seconds of the hour with one'
)
AS
SELECT r.cluster AS cluster, r.hour AS hour, toString(r.about) AS about, r.api_server AS api_server, toString(r.level) AS level, toString(r.stage) AS stage,
    uniqCombined64Merge(14)(r.events) AS events, groupBitOr(r.minutes) AS minutes,
    arraySort(groupUniqArrayArray(r.seconds)) AS seconds
FROM event_counts AS r
GROUP BY r.cluster, r.hour, r.about, r.api_server, r.level, r.stage
