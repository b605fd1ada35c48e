-- The server's clock, for how long it runs, and whether the tables have replicas.
SELECT
    now('UTC') AS now,
    toUInt64(uptime()) AS uptime,
    toBool(countIf(engine LIKE 'Replicated%') > 0) AS replicated
FROM system.tables
WHERE database = currentDatabase()
    AND name = 'facts'
