-- Lives that are over and were quiet since, into some partitions; not those that are there already.
INSERT INTO @ended@ (@columns@)
SELECT
    @filed_columns@
FROM @recent@ FINAL
WHERE @due_keys@
    AND @due@
    AND @partition@ IN {partitions:Array(UInt32)}
    AND (@place@) NOT IN (@filed@)
