-- Rows of lives whose newest version was filed before {filed_until}, with those that it has replaced: these go first.
SELECT
    sipHash64(@key@) AS life,
    version,
    version < filed.version AS is_older
FROM @recent@
INNER JOIN
(
    SELECT
        @key@,
        version
    FROM @recent@ FINAL
    WHERE @due_keys@
        AND @due@
        AND (@place@) IN (@filed@)
    LIMIT {lives_max:UInt64}
) AS filed USING (@key@)
WHERE version <= filed.version
