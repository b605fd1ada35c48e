-- Rows about names go on until {horizon} has passed: what they speak of may arrive later.
INSERT INTO facts (slot, cluster, namespace, pod_uid, heard_at, late, timely, first_seen, last_seen, pod, asked_event, named)
SELECT {until:DateTime('UTC')}, cluster, namespace, pod_uid, max(f.heard_at), max(f.late), 0, @never@, @none@, max(f.pod), min(if(f.asked_event.1 > {horizon:DateTime64(6, 'UTC')}, f.asked_event, @no_event@)),
    groupUniqArrayArray(arrayFilter(e -> e.1 > {horizon:DateTime64(6, 'UTC')} OR f.late AND f.heard_at > {horizon:DateTime64(6, 'UTC')}, f.named)) AS goes_on
FROM facts AS f
WHERE @slots_read@ AND notEmpty(f.named)
GROUP BY cluster, namespace, pod_uid
HAVING notEmpty(goes_on)
