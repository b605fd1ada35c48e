-- The newest settlings, and for each slot the lowest number of its blocks that one of them saw.
SELECT slot, min(ready_at) AS ready_at, minMap(read) AS read
FROM checkpoints
GROUP BY slot
ORDER BY slot DESC
LIMIT 1000
