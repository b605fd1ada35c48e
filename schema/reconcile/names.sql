-- Names in a slot, or in the whole log, whose lives may be wrong: several processes wrote facts about them, or a load of theirs
-- did not finish. A fold that was held up may be of a load of long ago, so writers are counted over the whole log.
SELECT
    cluster,
    namespace,
    pod
FROM facts
WHERE namespace != ''
    AND pod != ''
    AND ({whole:Bool} OR (cluster, namespace, pod) IN (SELECT cluster, namespace, pod FROM facts WHERE slot = {slot:DateTime('UTC')}))
GROUP BY
    cluster,
    namespace,
    pod
HAVING {whole:Bool}
    OR uniqExact(writer) > 1
    OR countIf(slot = {slot:DateTime('UTC')} AND (writer, load) NOT IN (SELECT writer, load FROM loads)) > 0
