INSERT INTO reconciled (slot, block, names, wrong)
SELECT
    {slot:DateTime('UTC')},
    {block:UInt64},
    {names:UInt64},
    {wrong:UInt64}
