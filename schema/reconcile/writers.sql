-- Whether anything in the slot can be wrong: one process folds one load after the other, so nothing races where all facts are of
-- one, and all its loads in the slot are part of the lives.
SELECT
    uniqExact(writer) AS writers,
    countIf(slot = {slot:DateTime('UTC')} AND (writer, load) NOT IN (SELECT writer, load FROM loads)) AS unfinished
FROM facts
