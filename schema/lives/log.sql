-- All facts about some names, each with its place in the log. It is read before the lives are: a slot that is dropped in
-- between has become part of them. The room between two places is for the versions of rows that change without a new fact:
-- else one of these could be as high as that of a newer fact, and hide it.
SELECT
    cluster,
    namespace,
    pod,
    pod_uid,
    event_at,
    late,
    bitShiftLeft(toUInt64(intDiv(toUnixTimestamp(slot), 600)), 40) + 256 * _block_number AS place,
    body,
    now('UTC') AS read_at
FROM facts
WHERE (cluster, namespace, pod) IN ?
