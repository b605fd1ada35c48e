INSERT INTO pod_history (cluster, namespace, class, filed_from, pod_uid, first_seen, gone, pod, node, host_network, service_account, metadata,
    phase, pod_ips, restarts, instances, created_by, created, started, scheduled_ms, removed_ms, terminal_ms, delete_asked, asked_event, evict_asked, force_asked, disrupted, status_reason, waiting, truncated, means)
SELECT s.cluster, s.namespace, s.class, s.filed_from, s.pod_uid,
    if(s.created_at = toDateTime(0, 'UTC'), s.first_seen, @never@), if(s.removed_at = @none@, s.pod_gone, @not_gone@),
    s.pod, s.node, s.host_network, s.service_account, (s.metadata.1, s.metadata.2, s.metadata.5, s.metadata.6, s.metadata.7),
    s.phase, mapApply((ip, sight) -> (ip, toInt64(sight) - toInt64(toUnixTimestamp(s.filed_from)) * 16000), s.pod_ips), s.restarts, @instances_seen@, s.created_by,
    toInt32(if(s.created_at = toDateTime(0, 'UTC'), -2147483648, toInt64(toUnixTimestamp(s.created_at)) - toUnixTimestamp(s.filed_from))),
    toInt32(if(s.pod_started_at = toDateTime(0, 'UTC'), -2147483648, toInt64(toUnixTimestamp(s.pod_started_at)) - toUnixTimestamp(s.filed_from))),
    if(s.scheduled_at = @none@, toInt64(-9223372036854775808), toUnixTimestamp64Milli(s.scheduled_at) - toInt64(toUnixTimestamp(s.filed_from)) * 1000),
    if(s.removed_at = @none@, toInt64(-9223372036854775808), toUnixTimestamp64Milli(s.removed_at) - toInt64(toUnixTimestamp(s.filed_from)) * 1000),
    if(s.terminal_at = @never@, toInt64(9223372036854775807), toUnixTimestamp64Milli(s.terminal_at) - toInt64(toUnixTimestamp(s.filed_from)) * 1000),
    (if(s.delete_asked.1 = @never@, toInt64(9223372036854775807), toUnixTimestamp64Milli(s.delete_asked.1) - toInt64(toUnixTimestamp(s.filed_from)) * 1000), s.delete_asked.2, s.delete_asked.3),
    (if(s.asked_event.1 = @never@, toInt64(9223372036854775807), toUnixTimestamp64Milli(s.asked_event.1) - toInt64(toUnixTimestamp(s.filed_from)) * 1000), s.asked_event.2),
    s.evict_asked, s.force_asked, s.disrupted, s.status_reason, s.waiting, s.truncated, s.means
FROM {scratch:Identifier} AS s
WHERE s.verdict = 'settle' AND s.container = ''
