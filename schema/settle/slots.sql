-- How many blocks of each slot were inserted: it grows with every insert, and stays when parts merge. A replicated table numbers the blocks
-- of each slot before they are there, and a lower one may come later: there the numbers are counted that parts span. Another
-- MergeTree numbers them when they are there, and through all slots: there it is the highest number.
SELECT toDateTime(partition, 'UTC') AS slot,
    toUInt64(if(engine LIKE 'Replicated%', sum(max_block_number - min_block_number + 1), max(max_block_number))) AS block, toUInt64(sum(rows)) AS rows
FROM system.parts
WHERE database = currentDatabase() AND table = 'facts' AND active
GROUP BY slot, engine
ORDER BY slot
