-- The instances that their pods have pruned: all of these are complete, and their plain columns have everything.
SELECT
    cluster,
    pod_uid,
    container,
    container_key,
    version,
    kind,
    id_text,
    runtime,
    image,
    image_id,
    restart,
    started_at,
    ended_at,
    exit_code,
    signal,
    reason,
    began_at,
    over_at
FROM recent_containers
WHERE (cluster, namespace, pod) IN ?
    AND (cluster, pod_uid) IN ?
    AND pruned
    AND end_seen
    AND started_at IS NOT NULL
    AND NOT void
UNION ALL
SELECT
    cluster,
    pod_uid,
    container,
    container_key,
    version,
    kind,
    id_text,
    runtime,
    image,
    image_id,
    restart,
    started_at,
    ended_at,
    exit_code,
    signal,
    reason,
    began_at,
    over_at
FROM ended_containers
WHERE uid_head IN (SELECT toUInt32(bitShiftRight(toUInt128(toUUID(pod.2)), 96)) FROM (SELECT arrayJoin(?) AS pod))
    AND (cluster, pod_uid) IN ?
    AND pruned
    AND end_seen
    AND started_at IS NOT NULL
    AND NOT void
    AND NOT moved
SETTINGS min_table_rows_to_use_projection_index = 0
