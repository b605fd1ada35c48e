-- Pods that are open, and whose node was deleted ten minutes ago or longer: the pod garbage collector removes such pods within a
-- minute, so they were gone a minute later, also where nobody saw it. Not if the node came back within the ten minutes, or if
-- something was heard of the pod after that minute. It is told as a fact, as in closings.sql; a later sign of life outdoes it.
INSERT INTO facts (cluster, namespace, pod_uid, gone, heard_at, late, timely, first_seen, last_seen)
SELECT cluster, namespace, pod_uid, (lost_at + toIntervalMinute(1), 2), toDateTime(0, 'UTC'), 0, 0, @never@, @none@
FROM
(
    SELECT p.cluster AS cluster, p.namespace AS namespace, p.pod_uid AS pod_uid, p.gone AS gone,
        arraySort(arrayMap(e -> e.1, arrayFilter(e -> e.2 = 'node gone' AND e.1 < {until:DateTime('UTC')} - toIntervalMinute(10)
            AND e.1 > p.began_at AND e.1 + toIntervalMinute(1) >= p.last_seen
            AND NOT arrayExists(came -> came.2 = 'node came' AND came.1 > e.1 AND came.1 <= e.1 + toIntervalMinute(10), n.says), n.says))) AS losses,
        losses[1] AS lost_at
    FROM
    (
        SELECT cluster, namespace, pod_uid, max(f.node) AS node, max(f.last_seen) AS last_seen, min(f.gone) AS gone,
            if(max(f.created_at) != toDateTime(0, 'UTC'), toDateTime64(max(f.created_at), 6, 'UTC'), min(f.first_seen)) AS began_at
        FROM facts AS f
        WHERE @slots_read@ AND container = '' AND empty(named)
        GROUP BY cluster, namespace, pod_uid
        HAVING node != '' AND max(f.removed_at) = @none@
    ) AS p
    INNER JOIN
    (
        SELECT cluster, pod AS node, groupUniqArrayArray(named) AS says
        FROM bygone.said_names(until = {until:DateTime('UTC')})
        WHERE namespace = '' AND pod != ''
        GROUP BY cluster, node
    ) AS n ON n.cluster = p.cluster AND n.node = p.node
    WHERE notEmpty(losses)
)
WHERE (lost_at + toIntervalMinute(1), toUInt8(2)) < gone
