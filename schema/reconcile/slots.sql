-- Slots of facts, oldest first, and whether each was checked as it is now.
--
-- `block` is a number that every insert changes, and no merge. MergeTree numbers blocks when they are there: it is the highest. A
-- replicated table numbers them before, and a lower one may come later: there it is the highest, and how many numbers the parts
-- span. (A merge across a number that was given up changes it too: the slot is then checked once more, which does no harm.)
SELECT
    toDateTime(partition, 'UTC') AS slot,
    toUInt64(max(max_block_number) + if(engine LIKE 'Replicated%', sum(max_block_number - min_block_number + 1), 0)) AS block,
    toUInt64(sum(rows)) AS rows,
    toBool((slot, block) IN (SELECT slot, block FROM reconciled)) AS checked
FROM system.parts
WHERE database = currentDatabase()
    AND table = 'facts'
    AND active
GROUP BY slot, engine
ORDER BY slot
