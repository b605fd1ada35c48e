-- When each API server renewed its own lease, to the second. It does so every ten seconds, so missing ones show that it was
-- down, even if it is the only one of its cluster.

ALTER TABLE event_counts
    ADD COLUMN IF NOT EXISTS seconds SimpleAggregateFunction(groupUniqArrayArray, Array(UInt16))
    COMMENT 'for heartbeats: the seconds of the hour with one' AFTER minutes
