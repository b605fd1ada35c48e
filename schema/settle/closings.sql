-- Pods that are open, and whose name a later pod has: they were gone when that one was created. It is told as a fact, and so
-- reaches every answer and the next settling. Pods that were settled are looked up for late facts alone: an open pod that was
-- heard of in time has been here together with its successor.
INSERT INTO facts (cluster, namespace, pod_uid, not_after, heard_at, late, timely, first_seen, last_seen)
SELECT cluster, namespace, pod_uid, replaced_at, toDateTime(0, 'UTC'), 0, 0, @never@, @none@
FROM
(
    SELECT cluster, namespace, pod_uid, open,
        min(if(created_at = toDateTime(0, 'UTC'), @never@, toDateTime64(created_at, 6, 'UTC') + toIntervalSecond(1)))
            OVER (PARTITION BY cluster, namespace, pod ORDER BY second ASC RANGE BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING) AS replaced_at
    FROM
    (
        SELECT cluster, namespace, pod_uid, max(f.pod) AS pod, max(f.created_at) AS created_at,
            max(f.removed_at) = @none@ AND min(f.not_after) = @never@ AS open,
            toUnixTimestamp(if(created_at != toDateTime(0, 'UTC'), created_at, toDateTime(min(f.first_seen)))) AS second
        FROM facts AS f
        WHERE @slots_read@ AND container = '' AND empty(f.named)
        GROUP BY cluster, namespace, pod_uid
        HAVING pod != ''
        UNION ALL
        SELECT cluster, namespace, pod_uid, pod, filed_from + created AS created_at, 0, toUnixTimestamp(created_at)
        FROM pod_history
        WHERE created != -2147483648
            AND (cluster, namespace) IN (SELECT cluster, namespace FROM facts WHERE @slots_read@ AND container = '' AND late)
            AND pod IN (SELECT pod FROM facts WHERE @slots_read@ AND container = '' AND late GROUP BY pod_uid, pod HAVING max(removed_at) = @none@)
    )
)
WHERE open AND replaced_at NOT IN (@none@, @never@)
