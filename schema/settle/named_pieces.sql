-- Ranges of namespaces of which something was said by name, that hold about {rows} rows about names and pods each: what such a name
-- meant is found for one range at a time.
SELECT first.1 AS cluster, first.2 AS namespace
FROM
(
    SELECT min(place) AS first
    FROM
    (
    SELECT (cluster, namespace) AS place, intDiv(sum(rows_) OVER (ORDER BY cluster ASC, namespace ASC) - rows_, {rows:UInt64}) AS piece
    FROM
    (
        SELECT cluster, namespace, count() AS rows_
        FROM
        (
            SELECT toString(cluster) AS cluster, toString(namespace) AS namespace, 1 AS said FROM bygone.said_names(until = {until:DateTime('UTC')})
            UNION ALL
            SELECT toString(cluster), toString(namespace), 0 FROM facts WHERE @slots_read@ AND container = '' AND empty(named)
        )
        GROUP BY cluster, namespace
        HAVING max(said)
    )
    )
    GROUP BY piece
)
ORDER BY first
