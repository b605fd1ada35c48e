-- The open pods of a cluster behind one of them, in their order: those that a list of its pods lacks have ended. A pod that
-- ended with its node is open again when the node comes back, and one whose end is not confirmed may live.
SELECT namespace, pod, pod_uid
FROM recent_pods FINAL
WHERE cluster = {cluster:String}
    AND (over_at = toDateTime64('2200-01-01 00:00:00', 6, 'UTC')
        OR gone_proof = 'node deleted'
        OR has(unknown, 'end not confirmed'))
    AND (namespace, pod, pod_uid) > ({namespace:String}, {pod:String}, {pod_uid:UUID})
ORDER BY namespace, pod, pod_uid
LIMIT 5000
