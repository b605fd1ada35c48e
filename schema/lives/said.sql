-- What was said of names, of their namespaces (with an empty name), and of their nodes (with an empty namespace).
SELECT
    cluster,
    namespace,
    name,
    toUInt8(what) AS number,
    user,
    acting_as,
    selector,
    uid,
    min(s.first).1 AS first_at,
    min(s.first).2 AS first_id,
    max(s.last).1 AS last_at,
    max(s.last).2 AS last_id
FROM said AS s
WHERE (cluster, namespace, name) IN ?
GROUP BY cluster, namespace, name, what, user, acting_as, selector, uid, second
