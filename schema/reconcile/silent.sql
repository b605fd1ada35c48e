-- Rows of pods that are open, or begin in the future by their own account, and that nobody spoke of since {retained}; for
-- containers, those of such pods. Rows that were replaced go first.
SELECT
    sipHash64(@key@) AS life,
    version,
    version < max(version) OVER (PARTITION BY @key@) AS is_older
FROM @recent@
INNER JOIN
(
    SELECT
        cluster,
        namespace,
        pod,
        pod_uid,
        version
    FROM recent_pods FINAL
    WHERE (over_at >= toDateTime64('2200-01-01 00:00:00', 6, 'UTC') OR filed_from >= {ahead:DateTime('UTC')})
        AND (last_seen < {retained:DateTime('UTC')} OR read_at < {retained:DateTime('UTC')})
) AS silent USING (cluster, namespace, pod, pod_uid)
WHERE version <= silent.version
