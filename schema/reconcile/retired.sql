-- Partitions of which everything had ended before {retained}: by the longest end of their classes, or by their month. What was
-- filed in the last hour stays until its lives are deleted from the recent ones: else these would be filed again and again.
SELECT
    table,
    partition
FROM
(
    SELECT
        'ended_pods' AS table,
        _partition_id AS partition,
        max(if(class = 11, toDateTime('2106-02-07 06:28:15', 'UTC'), filed_from + @bounds@[class + 1])) AS ended_at,
        max(filed_at) AS filled_at
    FROM ended_pods
    WHERE class < 8 AND toYYYYMM(filed_from) < toYYYYMM({retained:DateTime('UTC')})
        OR class >= 8 AND toYear(filed_from) < toYear({retained:DateTime('UTC')})
    GROUP BY partition
    UNION ALL
    SELECT
        'ended_containers' AS table,
        _partition_id AS partition,
        max(if(class = 11, toDateTime('2106-02-07 06:28:15', 'UTC'), filed_from + @bounds@[class + 1])) AS ended_at,
        max(filed_at) AS filled_at
    FROM ended_containers
    WHERE class < 8 AND toYYYYMM(filed_from) < toYYYYMM({retained:DateTime('UTC')})
        OR class >= 8 AND toYear(filed_from) < toYear({retained:DateTime('UTC')})
    GROUP BY partition
    UNION ALL
    SELECT
        'said' AS table,
        _partition_id AS partition,
        toDateTime(addMonths(toStartOfMonth(max(second)), 1), 'UTC') AS ended_at,
        toDateTime(0, 'UTC') AS filled_at
    FROM said
    GROUP BY partition
    UNION ALL
    SELECT
        'event_counts' AS table,
        _partition_id AS partition,
        toDateTime(addMonths(max(month), 1), 'UTC') AS ended_at,
        toDateTime(0, 'UTC') AS filled_at
    FROM event_counts
    GROUP BY partition
    UNION ALL
    SELECT
        'session_events' AS table,
        _partition_id AS partition,
        toDateTime(addMonths(max(month), 1), 'UTC') AS ended_at,
        toDateTime(0, 'UTC') AS filled_at
    FROM session_events
    GROUP BY partition
)
WHERE ended_at < {retained:DateTime('UTC')}
    AND filled_at < {filed_until:DateTime('UTC')}
