-- Partitions of history of which every life had ended before {before}, by how it is filed; and those of what came before it.
SELECT history, partition
FROM
(
    SELECT 'pod_history' AS history, _partition_id AS partition, max(if(class = 11, toDateTime('2106-02-07 06:28:15', 'UTC'), filed_from + @bounds@[class + 1])) AS ended_at
    FROM pod_history
    WHERE (class < 8 AND toYYYYMM(filed_from) < toYYYYMM({before:DateTime64(6, 'UTC')}) OR class >= 8 AND toYear(filed_from) < toYear({before:DateTime64(6, 'UTC')}))
    GROUP BY partition
    UNION ALL
    SELECT 'container_history', _partition_id AS partition, max(if(class = 11, toDateTime('2106-02-07 06:28:15', 'UTC'), filed_from + @bounds@[class + 1]))
    FROM container_history
    WHERE (class < 8 AND toYYYYMM(filed_from) < toYYYYMM({before:DateTime64(6, 'UTC')}) OR class >= 8 AND toYear(filed_from) < toYear({before:DateTime64(6, 'UTC')}))
    GROUP BY partition
    UNION ALL
    SELECT 'received', _partition_id AS partition, toDateTime(addMonths(max(month), 1), 'UTC')
    FROM received
    GROUP BY partition
)
WHERE ended_at < {before:DateTime64(6, 'UTC')}
