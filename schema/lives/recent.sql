-- Every version of the pods that had some names, of those that are open or ended just now.
SELECT
    cluster,
    namespace,
    pod,
    pod_uid,
    version,
    read_at,
    over_at,
    last_seen,
    returned,
    judged,
    copied,
    state,
    now('UTC') AS asked_at
FROM recent_pods
WHERE (cluster, namespace, pod) IN ?
