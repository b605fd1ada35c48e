-- What is still open, or was heard of just now, goes on in the slot that begins where this settling ends. It has been joined with history:
-- without an end it lives.
INSERT INTO facts (slot, cluster, namespace, pod_uid, container, container_id, heard_at, late, timely, first_seen, last_seen, not_after, settled_from, settled_until, instances, gone, means,
    pod, node, host_network, service_account, metadata, phase, pod_ips, restarts, created_at, created_by, scheduled_at, pod_started_at,
    terminal_at, delete_asked, asked_event, evict_asked, force_asked, disrupted, status_reason, waiting, truncated, removed_at, kind, runtime, container_id_text, image, image_id, restart, started_at, ended)
SELECT {until:DateTime('UTC')}, s.cluster, s.namespace, s.pod_uid, s.container, s.container_id, s.heard_at, 0,
    -- 3: an instance of this pod is in history, and is to be joined with its end.
    if(s.container = '' AND (s.timely = 3 OR s.pod_uid IN (SELECT pod_uid FROM {scratch:Identifier} WHERE verdict = 'settle' AND container != '')), 3, 2), s.first_seen, s.last_seen,
    if(s.container = '', s.not_after, least(s.not_after, s.superseded_at)), s.settled_from, s.settled_until, @instances_seen@, if(s.container = '', s.pod_gone, s.gone), s.means,
    s.pod, s.node, s.host_network, s.service_account, s.metadata, s.phase, s.pod_ips, s.restarts, s.created_at, s.created_by, s.scheduled_at, s.pod_started_at,
    s.terminal_at, s.delete_asked, s.asked_event, s.evict_asked, s.force_asked, s.disrupted, s.status_reason, s.waiting, s.truncated, s.removed_at, s.kind, s.runtime, s.container_id_text, s.image, s.image_id, s.restart, s.started_at, s.ended
FROM {scratch:Identifier} AS s
WHERE s.verdict = 'carry'
