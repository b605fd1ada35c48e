-- The pods that the creation or the deletion of their nodes may be about: of those that were filed, where it came late, or where
-- the end is not confirmed.
SELECT DISTINCT cluster, namespace, pod
FROM
(
    SELECT cluster, namespace, pod FROM recent_pods WHERE (cluster, node) IN ?
    UNION DISTINCT
    SELECT cluster, namespace, pod
    FROM ended_pods
    WHERE (cluster, node) IN ?
        AND (
            has(unknown, 'end not confirmed')
            OR removed_at IS NULL
            AND arrayExists(
                late -> late.1 = cluster AND late.2 = node AND toUnixTimestamp64Micro(began_at) <= late.3,
                CAST(?, 'Array(Tuple(String, String, Int64))')))
)
