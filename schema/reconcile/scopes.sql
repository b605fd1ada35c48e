-- Namespaces and nodes of which something was said in a slot, or in the whole log. Only where it came late does it matter when.
SELECT DISTINCT
    cluster,
    namespace,
    pod,
    late,
    if(late, event_at, toDateTime64(0, 6, 'UTC')) AS at
FROM facts
WHERE ({whole:Bool} OR slot = {slot:DateTime('UTC')})
    AND pod_uid = toUUID('00000000-0000-0000-0000-000000000000')
    AND (namespace = '' OR pod = '')
