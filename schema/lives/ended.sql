-- The same of those that were filed.
SELECT
    cluster,
    namespace,
    pod,
    pod_uid,
    version,
    read_at,
    over_at,
    last_seen,
    toUInt8(1) AS returned,
    judged,
    copied,
    state,
    now('UTC') AS asked_at
FROM ended_pods
WHERE name_hash IN (SELECT toUInt32(sipHash64(name.1, name.2, name.3)) FROM (SELECT arrayJoin(?) AS name))
    AND (cluster, namespace, pod) IN ?
    AND NOT moved
SETTINGS min_table_rows_to_use_projection_index = 0
