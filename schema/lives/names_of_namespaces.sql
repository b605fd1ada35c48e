-- The names that something said of their namespaces may be about: of all pods that are open or ended just now, of those that are
-- in the log, of those of which the end is not confirmed, and, where it came late, of those that were there then or whose removal
-- was not seen.
SELECT DISTINCT cluster, namespace, pod
FROM
(
    SELECT cluster, namespace, pod FROM recent_pods WHERE (cluster, namespace) IN ?
    UNION DISTINCT
    SELECT cluster, namespace, pod FROM facts WHERE (cluster, namespace) IN ? AND pod != ''
    UNION DISTINCT
    SELECT cluster, namespace, pod
    FROM ended_pods
    WHERE (cluster, namespace) IN ?
        AND (
            has(unknown, 'end not confirmed')
            OR arrayExists(
                late -> late.1 = cluster
                    AND late.2 = namespace
                    AND toUnixTimestamp64Micro(began_at) <= late.3
                    AND (removed_at IS NULL OR toUnixTimestamp64Micro(over_at) >= late.3),
                CAST(?, 'Array(Tuple(String, String, Int64))')))
)
