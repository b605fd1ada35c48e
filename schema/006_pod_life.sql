-- What one page about a pod tells beyond the columns of pods: one row, by its uid. Lists of pods don't pay for it.

CREATE VIEW IF NOT EXISTS pod_life
(
    cluster          String                        COMMENT 'Kubernetes cluster',
    namespace        String                        COMMENT 'namespace of the pod',
    pod_uid          UUID                          COMMENT 'uid of the pod',
    owner_kind       Nullable(String)              COMMENT 'kind of the controlling owner; of settled pods told back from workload and labels',
    owner            Nullable(String)              COMMENT 'its name',
    first_seen       DateTime64(6, 'UTC')          COMMENT 'where the creation is not known: the oldest event that spoke of it; else of no meaning',
    ips              Array(Tuple(ip String, seen_at DateTime64(6, 'UTC'))) COMMENT 'every address it had, with the first event that told of it',
    restart_counts   Map(String, UInt32)           COMMENT 'for each container that started, how often it was started again by what its status counts',
    waiting          Array(Tuple(container String, reason String)) COMMENT 'containers that had not started when this was last said, and why',
    status_reason    Nullable(String)              COMMENT 'reason of the status: Evicted, DeadlineExceeded, ...',
    terminal_at      Nullable(DateTime64(6, 'UTC')) COMMENT 'the first event that told of phase Succeeded or Failed',
    delete_asked_at  Nullable(DateTime64(6, 'UTC')) COMMENT 'the first DELETE, or deletecollection that listed it',
    delete_asked_by  Nullable(String)              COMMENT 'its account; "a as b" where a impersonated b',
    evict_asked_at   Nullable(DateTime64(6, 'UTC')) COMMENT 'the first request to the eviction API that was granted',
    evict_asked_by   Nullable(String)              COMMENT 'its account',
    force_asked_at   Nullable(DateTime64(6, 'UTC')) COMMENT 'the first request to delete it that left it no time',
    force_asked_by   Nullable(String)              COMMENT 'its account',
    asked_events     Array(Tuple(at DateTime64(6, 'UTC'), audit_id String)) COMMENT 'audit IDs of the first requests for its end, where it was not Kubernetes itself that asked',
    disrupted_at     Nullable(DateTime64(6, 'UTC')) COMMENT 'since when the condition DisruptionTarget holds',
    disrupted_why    Nullable(String)              COMMENT 'the reason of that condition',
    replaced_at      Nullable(DateTime64(6, 'UTC')) COMMENT 'a later pod of its name had been created by then; looked for where the removal was not seen',
    gone_by          Nullable(DateTime64(6, 'UTC')) COMMENT 'a request found it gone by then, or facts about others prove it',
    over_at          Nullable(DateTime64(6, 'UTC')) COMMENT 'as in pods',
    pending          Bool                          COMMENT 'as in pods'
)
AS
SELECT
    l.cluster AS cluster, l.namespace AS namespace, l.pod_uid AS pod_uid,
    if(l.owning.2 = '', NULL, l.owning.1) AS owner_kind, nullIf(l.owning.2, '') AS owner,
    l.first_seen AS first_seen,
    arrayMap((ip, sight) -> (if(startsWith(toString(ip), '::ffff:'), substring(toString(ip), 8), toString(ip)), toDateTime64(fromUnixTimestamp64Milli(toInt64(intDiv(sight, 16)), 'UTC'), 6, 'UTC')),
        arraySort((ip, sight) -> sight, mapKeys(l.life_ips), mapValues(l.life_ips)), arraySort(mapValues(l.life_ips))) AS ips,
    l.restarts AS restart_counts, l.waiting.2 AS waiting, nullIf(l.life_status_reason, '') AS status_reason,
    nullIf(toDateTime64(l.life_terminal_at, 6, 'UTC'), @never@) AS terminal_at,
    nullIf(toDateTime64(l.deletion.1, 6, 'UTC'), @never@) AS delete_asked_at,
    nullIf(if(l.deletion.3 = '', l.deletion.2, concat(l.deletion.2, ' as ', l.deletion.3)), '') AS delete_asked_by,
    nullIf(toDateTime64(l.evict_asked_first.1, 6, 'UTC'), @never@) AS evict_asked_at,
    nullIf(if(l.evict_asked_first.3 = '', l.evict_asked_first.2, concat(l.evict_asked_first.2, ' as ', l.evict_asked_first.3)), '') AS evict_asked_by,
    nullIf(toDateTime64(l.force_asked_first.1, 6, 'UTC'), @never@) AS force_asked_at,
    nullIf(if(l.force_asked_first.3 = '', l.force_asked_first.2, concat(l.force_asked_first.2, ' as ', l.force_asked_first.3)), '') AS force_asked_by,
    arrayDistinct(arrayMap(e -> (toDateTime64(e.1, 6, 'UTC'), e.2), arrayFilter(e -> e.2 != '' AND (e.1 = l.deletion.1 OR e.1 = l.evict_asked_first.1 OR e.1 = l.force_asked_first.1), [l.asked_event, l.name_event]))) AS asked_events,
    nullIf(toDateTime64(l.life_disrupted.1, 6, 'UTC'), @never@) AS disrupted_at, nullIf(l.life_disrupted.2, '') AS disrupted_why,
    if(l.life_removed_at = @none@ AND l.pod_gone.2 = 1, nullIf(l.pod_gone.1, @never@), NULL) AS replaced_at,
    if(l.life_removed_at = @none@ AND l.pod_gone.2 > 1, nullIf(l.pod_gone.1, @never@), NULL) AS gone_by,
    nullIf(l.over_at, @never@) AS over_at, toBool(l.pending) AS pending
FROM
(
    SELECT
        *,
        CAST(life_metadata.2, 'Map(String, String)') AS told_labels,
        -- History keeps the workload alone. A ReplicaSet is named after its Deployment and the hash that its pods carry; a Job's pods carry its name.
        multiIf(life_metadata.4 != '', (life_metadata.3, life_metadata.4),
                NOT life_metadata.7, (life_metadata.5, life_metadata.6),
                life_metadata.5 = 'Deployment', ('ReplicaSet', concat(life_metadata.6, '-', told_labels['pod-template-hash'])),
                ('Job', told_labels['job-name'])) AS owning,
        arraySort(arrayPushBack(arrayMap(e -> (toDateTime64(e.1, 3, 'UTC'), e.3, e.4), arrayFilter(e -> e.2 IN ('ask', 'force'), name_asks)), life_delete_asked))[1] AS deletion
    FROM (@lives_from@
    @pod_rows@ WHERE uid_head = toUInt32(bitShiftRight(toUInt128({uid:UUID}), 96)) AND pod_uid = {uid:UUID}
    UNION ALL
    @fact_rows@ WHERE @facts_since@ AND (cluster, namespace, pod_uid) IN (
        SELECT cluster, namespace, pod_uid FROM facts WHERE @facts_since@ AND pod != '' AND (cluster, namespace, pod) IN (
            SELECT cluster, namespace, pod FROM facts WHERE @facts_since@ AND pod != '' AND pod_uid = {uid:UUID}))
@lives_end@)
    WHERE container = '' AND life_pod != '' AND pod_uid = {uid:UUID}
) AS l
SETTINGS min_table_rows_to_use_projection_index = 0, @fold_settings@;
