INSERT INTO container_history (cluster, namespace, class, filed_from, pod_uid, container, container_id, first_seen, not_after, kind, runtime,
    container_id_text, image, image_id, restart, started, ended, pod, node, host_network, metadata, pod_ips, pod_created, pod_removed_ms, pod_gone, cause)
SELECT s.cluster, s.namespace, s.class, s.filed_from, s.pod_uid, s.container, s.container_id,
    if(s.started_at = toDateTime(0, 'UTC'), s.first_seen, @never@), if(s.ended.2 = toDateTime(0, 'UTC'), least(s.not_after, s.superseded_at), @never@),
    s.kind, s.runtime, s.container_id_text, s.image, s.image_id, s.restart,
    toInt32(if(s.started_at = toDateTime(0, 'UTC'), -2147483648, toInt64(toUnixTimestamp(s.started_at)) - toUnixTimestamp(s.filed_from))),
    (s.ended.1, toInt32(if(s.ended.2 = toDateTime(0, 'UTC'), -2147483648, toInt64(toUnixTimestamp(s.ended.2)) - toUnixTimestamp(s.filed_from))), s.ended.3, s.ended.4, s.ended.5),
    s.life_pod, s.life_node, s.life_host_network,
    -- as_of is the settling: a later one knows better.
    (toUInt64(toUnixTimestamp({until:DateTime('UTC')})), s.life_metadata.2, s.life_metadata.5, s.life_metadata.6, s.life_metadata.7),
    mapApply((ip, sight) -> (ip, toInt64(sight) - toInt64(toUnixTimestamp(s.filed_from)) * 16000), s.life_ips),
    toInt32(if(s.life_created_at = toDateTime(0, 'UTC'), -2147483648, toInt64(toUnixTimestamp(s.life_created_at)) - toUnixTimestamp(s.filed_from))),
    if(s.life_removed = @none@, toInt64(-9223372036854775808), toUnixTimestamp64Milli(s.life_removed) - toInt64(toUnixTimestamp(s.filed_from)) * 1000),
    if(s.life_removed = @none@, s.pod_gone, @not_gone@),
    (toUnixTimestamp({until:DateTime('UTC')}), s.why.1, s.why.2)
FROM {scratch:Identifier} AS s
WHERE s.verdict = 'settle' AND s.container != ''
