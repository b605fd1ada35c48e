-- Ranges of uids that hold about {rows} rows of facts each, so that no step needs more memory than that takes.
SELECT min(pod_uid) AS first
FROM
(
    SELECT pod_uid, intDiv((sum(facts_) OVER (ORDER BY pod_uid ASC) - facts_) * {sample:UInt64}, {rows:UInt64}) AS piece
    FROM (SELECT pod_uid, count() AS facts_ FROM facts WHERE @slots_read@ AND cityHash64(pod_uid) % {sample:UInt64} = 0 GROUP BY pod_uid)
)
GROUP BY piece
ORDER BY first
