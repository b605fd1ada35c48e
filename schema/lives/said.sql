-- What was said of names, of their namespaces (with an empty name), and of their nodes (with an empty namespace).
SELECT
    cluster,
    namespace,
    name,
    toUInt8(what) AS number,
    selector,
    uid,
    min(s.first).1 AS first_at,
    min(s.first).2 AS first_id,
    min(s.first).3 AS first_user,
    min(s.first).4 AS first_acting_as,
    max(s.last).1 AS last_at,
    max(s.last).2 AS last_id,
    max(s.last).3 AS last_user,
    max(s.last).4 AS last_acting_as
FROM said AS s
WHERE (cluster, namespace, name) IN ?
GROUP BY cluster, namespace, name, what, by, selector, uid, second
