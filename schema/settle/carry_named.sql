-- Rows about names go on for an hour: what they speak of may arrive later.
INSERT INTO facts (slot, cluster, namespace, pod_uid, heard_at, late, timely, first_seen, last_seen, pod, named)
SELECT {until:DateTime('UTC')}, cluster, namespace, pod_uid, max(f.heard_at) AS heard, max(f.late), 0, @never@, @none@, max(f.pod), groupUniqArrayArray(f.named)
FROM facts AS f
WHERE @slots_read@ AND notEmpty(f.named) AND f.heard_at > {until:DateTime('UTC')} - 3600
GROUP BY cluster, namespace, pod_uid
