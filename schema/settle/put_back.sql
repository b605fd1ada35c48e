-- A slot that grew after it was read: its rows come again, as late ones, for the next settling to join.
INSERT INTO facts (cluster, namespace, pod_uid, container, container_id, late, timely, first_seen, last_seen, not_after, settled_from, settled_until, instances, gone, means, named,
    pod, node, host_network, service_account, metadata, phase, pod_ips, restarts, created_at, created_by, scheduled_at, pod_started_at,
    terminal_at, delete_asked, asked_event, evict_asked, force_asked, disrupted, status_reason, waiting, truncated, removed_at, kind, runtime, container_id_text, image, image_id, restart, started_at, ended)
SELECT cluster, namespace, pod_uid, container, container_id, 1, 0, first_seen, last_seen, not_after, settled_from, settled_until, instances, gone, means, named,
    pod, node, host_network, service_account, metadata, phase, pod_ips, restarts, created_at, created_by, scheduled_at, pod_started_at,
    terminal_at, delete_asked, asked_event, evict_asked, force_asked, disrupted, status_reason, waiting, truncated, removed_at, kind, runtime, container_id_text, image, image_id, restart, started_at, ended
FROM facts
WHERE slot = {slot:DateTime('UTC')}
-- However many rows it has: in blocks that make compact parts. A large block makes a wide one, and each of its columns, of which there are
-- hundreds, a buffer.
SETTINGS max_threads = 1, max_block_size = 8192, min_insert_block_size_rows = 8192, min_insert_block_size_bytes = 4194304
