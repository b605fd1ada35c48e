-- The highest block number of each slot: it grows with every insert, and stays when parts merge.
SELECT toDateTime(partition, 'UTC') AS slot, toUInt64(max(max_block_number)) AS block, toUInt64(sum(rows)) AS rows
FROM system.parts
WHERE database = currentDatabase() AND table = 'facts' AND active
GROUP BY slot
ORDER BY slot
