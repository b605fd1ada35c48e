-- Partitions of history of which every life ended before {before}.
SELECT history, partition
FROM
(
    SELECT 'pod_history' AS history, _partition_id AS partition, max(greatest(removed_at, if(not_after = @never@, @none@, not_after))) AS ended_at
    FROM pod_history
    WHERE (class < 8 AND toYYYYMM(filed_from) < toYYYYMM({before:DateTime64(6, 'UTC')}) OR class >= 8 AND toYear(filed_from) < toYear({before:DateTime64(6, 'UTC')}))
    GROUP BY partition
    UNION ALL
    SELECT 'container_history', _partition_id AS partition, max(greatest(pod_removed_at, toDateTime64(ended.2, 6, 'UTC'), if(not_after = @never@, @none@, not_after)))
    FROM container_history
    WHERE (class < 8 AND toYYYYMM(filed_from) < toYYYYMM({before:DateTime64(6, 'UTC')}) OR class >= 8 AND toYear(filed_from) < toYear({before:DateTime64(6, 'UTC')}))
    GROUP BY partition
)
WHERE ended_at < {before:DateTime64(6, 'UTC')}
