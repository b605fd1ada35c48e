INSERT INTO checkpoints (slot, read, ready_at, settled, carried, forgotten)
SELECT {until:DateTime('UTC')}, mapFromArrays(arrayMap(slot -> toDateTime(slot, 'UTC'), {slots:Array(UInt32)}), {blocks:Array(UInt64)}), now('UTC') + {delay:UInt32},
    {settled:UInt64}, {carried:UInt64}, {forgotten:UInt64}
