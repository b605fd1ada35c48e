-- Facts of names that can't be folded, into the slot that is open now. Writer 0 has no loads, so they are tried again in every
-- slot. Each is carried once: two processes that do this at once make it two, and the next time one again.
INSERT INTO facts (cluster, namespace, pod, pod_uid, event_at, late, writer, load, body)
SELECT DISTINCT
    cluster,
    namespace,
    pod,
    pod_uid,
    event_at,
    late,
    toUInt64(0),
    toUInt64(0),
    body
FROM facts
WHERE slot = {slot:DateTime('UTC')}
    AND (cluster, namespace, pod) IN ?
    AND (cluster, namespace, pod, pod_uid, event_at, body) NOT IN (
        SELECT
            cluster,
            namespace,
            pod,
            pod_uid,
            event_at,
            body
        FROM facts
        WHERE slot > {slot:DateTime('UTC')}
            AND (cluster, namespace, pod) IN ?)
