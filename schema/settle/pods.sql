INSERT INTO pod_history (cluster, namespace, class, filed_from, pod_uid, first_seen, not_after, pod, node, host_network, service_account, owner, labels,
    phase, pod_ips, restarts, created_at, created_by, create_seen_at, scheduled_at, pod_started_at, terminal_at, delete_asked, removed_at)
SELECT s.cluster, s.namespace, s.class, s.filed_from, s.pod_uid,
    if(s.created_at = toDateTime(0, 'UTC'), s.first_seen, @never@), if(s.removed_at = @none@, s.known_end, @never@),
    s.pod, s.node, s.host_network, s.service_account, s.owner, s.labels,
    s.phase, s.pod_ips, s.restarts, s.created_at, s.created_by, s.create_seen_at, s.scheduled_at, s.pod_started_at, s.terminal_at, s.delete_asked, s.removed_at
FROM {scratch:Identifier} AS s
WHERE s.verdict = 'settle' AND s.container = ''
