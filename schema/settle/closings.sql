-- Pods that are open, and whose name a later pod has: they were gone when that one was created. It is told as a fact, and so
-- reaches every answer and the next settling; as a late one, so that instances of the pod in history are joined with its end. Pods
-- that were settled are looked up for late facts alone: an open pod that was heard of in time has been here together with its successor.
--
-- In a cluster the database bygone spans the shards, and each of them tells this of the pods that it has.
INSERT INTO facts (cluster, namespace, pod_uid, gone, heard_at, late, timely, first_seen, last_seen)
SELECT cluster, namespace, pod_uid, (replaced_at, 1), toDateTime(0, 'UTC'), 1, 0, @never@, @none@
FROM
(
    SELECT cluster, namespace, pod_uid, open, gone,
        min(if(created_at = toDateTime(0, 'UTC'), @never@, toDateTime64(created_at, 6, 'UTC') + toIntervalSecond(1)))
            OVER (PARTITION BY cluster, namespace, pod ORDER BY second ASC RANGE BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING) AS replaced_at
    FROM
    (
        SELECT cluster, namespace, pod_uid, pod, created_at, open, gone, second
        FROM bygone.heard_names(until = {until:DateTime('UTC')})
        UNION ALL
        SELECT cluster, namespace, pod_uid, pod, created_at, open, gone, second
        FROM bygone.settled_names
        WHERE (cluster, namespace) GLOBAL IN (SELECT cluster, namespace FROM facts WHERE @slots_read@ AND container = '' AND late)
            AND pod GLOBAL IN (SELECT pod FROM facts WHERE @slots_read@ AND container = '' AND late GROUP BY pod_uid, pod HAVING max(removed_at) = @none@)
    )
)
WHERE open AND replaced_at NOT IN (@none@, @never@) AND (replaced_at, toUInt8(1)) < gone
    AND pod_uid IN (SELECT pod_uid FROM facts WHERE @slots_read@ AND container = '')
