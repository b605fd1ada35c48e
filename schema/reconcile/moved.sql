-- Lives that were corrected and are filed at another place now: their former places get a row that says so. Its version is above
-- every former one and below the new one, so a life that comes back to a former place counts there again.
INSERT INTO @ended@ (@columns@, moved)
SELECT
    @moved_columns@,
    1
FROM
(
    SELECT *
    FROM @ended@ FINAL
    WHERE NOT moved
        AND (cluster, namespace, class, filed_from) IN (
            SELECT cluster, namespace, class, filed_from
            FROM @ended@
            WHERE uid_head IN (
                SELECT toUInt32(bitShiftRight(toUInt128(pod_uid), 96)) FROM @recent@ WHERE returned AND @due@))
) AS former
INNER JOIN
(
    SELECT
        @key@,
        class,
        filed_from,
        version
    FROM @recent@ FINAL
    WHERE @due_keys@
        AND returned
        AND @due@
) AS newest USING (@key@)
WHERE (former.class, former.filed_from) != (newest.class, newest.filed_from)
