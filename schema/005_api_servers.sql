-- When each API server renewed its own lease, to the second. It does so every ten seconds, so that some that are missing tell
-- that it was away, also where it is the only one of its cluster.

ALTER TABLE received
    ADD COLUMN IF NOT EXISTS seconds SimpleAggregateFunction(groupUniqArrayArray, Array(UInt16))
    COMMENT 'of heartbeats: the seconds of the hour in which there was one' AFTER minutes
