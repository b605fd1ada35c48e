-- What there is to do. Rows that a newer one has replaced are counted too: this only decides what is asked next.
SELECT
    count() AS rows,
    countIf(@over@ AND read_at < {before:DateTime('UTC')} AND filed_from < {ahead:DateTime('UTC')}) AS over,
    countIf(returned AND @due@) AS returned,
    groupUniqArrayIf(toUInt32(@partition@), @due@) AS partitions
FROM @recent@
