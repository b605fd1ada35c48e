INSERT INTO container_history (cluster, namespace, class, filed_from, pod_uid, container, container_id, first_seen, not_after, kind, runtime,
    container_id_text, image, restart, started_at, ended, pod, node, host_network, owner, labels, pod_ips, pod_created_at, pod_removed_at)
SELECT s.cluster, s.namespace, s.class, s.filed_from, s.pod_uid, s.container, s.container_id,
    if(s.started_at = toDateTime(0, 'UTC'), s.first_seen, @never@), if(s.ended.2 = toDateTime(0, 'UTC'), s.known_end, @never@),
    s.kind, s.runtime, s.container_id_text, s.image, s.restart, s.started_at, s.ended,
    s.life_pod, s.life_node, s.life_host_network,
    -- as_of is the settling: a later one knows better.
    (toUInt64(toUnixTimestamp({until:DateTime('UTC')})), s.life_owner.4, s.life_owner.5, s.life_owner.6),
    (toUInt64(toUnixTimestamp({until:DateTime('UTC')})), s.life_labels.2),
    -- The order of sight is what is left of it here.
    mapFromArrays(arraySort((ip, sight) -> sight, mapKeys(s.life_ips), mapValues(s.life_ips)), arrayMap(place -> toUInt64(place), range(length(s.life_ips)))),
    s.life_created_at, s.life_removed_at
FROM {scratch:Identifier} AS s
WHERE s.verdict = 'settle' AND s.container != ''
