-- What people ask: one row a pod, one row a container instance, over what is open and what has ended.
--
--     SELECT * FROM containers_between(since = '2026-11-23 06:00:00', until = '2026-11-23 07:00:00')
--     WHERE cluster = 'prod' AND namespace = 'shop' AND workload = 'cart'
--
-- A life is in the answer when it and [since, until) have an instant in common. Absent is NULL. Times are UTC; whole seconds
-- where Kubernetes itself keeps no more. Give cluster and namespace whenever they are known: they are what keeps a question
-- small. All views that tell of pods have the columns of pods, all that tell of containers those of containers.

CREATE VIEW IF NOT EXISTS pods
@pod_columns@
AS
@pods@ (@lives_from@
    @pod_rows@
    UNION ALL
    @fact_rows@ WHERE @facts_since@
@lives_end@) AS l
WHERE l.container = '' AND l.life_pod != ''
SETTINGS @fold_settings@;

CREATE VIEW IF NOT EXISTS containers
@container_columns@
AS
@containers@ (@lives_from@
    @container_rows@
    UNION ALL
    @fact_rows@ WHERE @facts_since@
@lives_end@) AS l
WHERE l.container != ''
SETTINGS @fold_settings@;

-- What lived between two instants.
CREATE VIEW IF NOT EXISTS pods_between
@pod_columns@
AS
@pods@ (@lives_from@
    @pod_rows@ WHERE @history_between@
    UNION ALL
    @fact_rows@ WHERE @facts_since@
@lives_end@) AS l
WHERE l.container = '' AND l.life_pod != '' AND @between@
SETTINGS @fold_settings@;

CREATE VIEW IF NOT EXISTS containers_between
@container_columns@
AS
@containers@ (@lives_from@
    @container_rows@ WHERE @history_between@
    UNION ALL
    @fact_rows@ WHERE @facts_since@
@lives_end@) AS l
WHERE l.container != '' AND @between@
SETTINGS @fold_settings@;

-- What ran on a node; cluster '' is any.
CREATE VIEW IF NOT EXISTS containers_on_node
@container_columns@
AS
@containers@ (@lives_from@
    @container_rows@ WHERE @history_between@ AND ({cluster:String} = '' OR cluster = {cluster:String}) AND node = {node:String}
    UNION ALL
    @fact_rows@ WHERE @facts_since@ AND ({cluster:String} = '' OR cluster = {cluster:String})
@lives_end@) AS l
WHERE l.container != '' AND l.life_node = {node:String} AND @between@
SETTINGS min_table_rows_to_use_projection_index = 0, @fold_settings@;

-- Who had an address (cluster '' is any), from its first sight until the pod ended or was done. Pods on the host's network are left out: they don't
-- own the address of their node.
CREATE VIEW IF NOT EXISTS pods_with_ip
@pod_columns@
AS
@pods@ (@lives_from@
    @pod_rows@ WHERE @history_between@ AND ({cluster:String} = '' OR cluster = {cluster:String}) AND any_ip = toIPv6({ip:String})
    UNION ALL
    @pod_rows@ WHERE @history_between@ AND ({cluster:String} = '' OR cluster = {cluster:String}) AND has(if(length(h.pod_ips) > 1, mapKeys(h.pod_ips), []), toIPv6({ip:String}))
    UNION ALL
    @fact_rows@ WHERE @facts_since@ AND (cluster, namespace, pod_uid) IN (
        SELECT cluster, namespace, pod_uid FROM facts WHERE @facts_since@ AND pod != '' AND (cluster, namespace, pod) IN (
            SELECT cluster, namespace, pod FROM facts WHERE @facts_since@ AND pod != '' AND (cluster, namespace, pod_uid) IN (
                SELECT cluster, namespace, pod_uid FROM facts WHERE @facts_since@ AND ({cluster:String} = '' OR cluster = {cluster:String}) AND has(mapKeys(pod_ips), toIPv6({ip:String})))))
@lives_end@) AS l
WHERE l.container = '' AND l.life_pod != '' AND l.host_network = 0
    AND fromUnixTimestamp64Milli(toInt64(intDiv(l.pod_ips[toIPv6({ip:String})], 16)), 'UTC') < {until:DateTime64(6, 'UTC')}
    AND mapContains(l.pod_ips, toIPv6({ip:String}))
    AND least(l.over_at, l.terminal_at) > {since:DateTime64(6, 'UTC')}
SETTINGS min_table_rows_to_use_projection_index = 0, @fold_settings@;

-- Container instances by the first hex digits of their ID, eight at least. An ID of another form stands in `containers` alone.
CREATE VIEW IF NOT EXISTS containers_by_id
@container_columns@
AS
@containers@ (@lives_from@
    @container_rows@ WHERE id_head = reinterpretAsUInt32(reverse(unhex(substring({prefix:String}, 1, 8)))) AND startsWith(lower(hex(container_id)), lower({prefix:String}))
    UNION ALL
    @fact_rows@ WHERE @facts_since@ AND (cluster, namespace, pod_uid) IN (
        SELECT cluster, namespace, pod_uid FROM facts WHERE @facts_since@ AND pod != '' AND (cluster, namespace, pod) IN (
            SELECT cluster, namespace, pod FROM facts WHERE @facts_since@ AND pod != '' AND (cluster, namespace, pod_uid) IN (
                SELECT cluster, namespace, pod_uid FROM facts WHERE @facts_since@ AND substring(container_id, 1, 4) = unhex(substring({prefix:String}, 1, 8)))))
@lives_end@) AS l
WHERE l.container != '' AND startsWith(lower(hex(l.container_id)), lower({prefix:String}))
SETTINGS min_table_rows_to_use_projection_index = 0, @fold_settings@;

-- Every container instance of a pod.
CREATE VIEW IF NOT EXISTS containers_of_pod
@container_columns@
AS
@containers@ (@lives_from@
    @container_rows@ WHERE uid_head = toUInt32(bitShiftRight(toUInt128({uid:UUID}), 96)) AND pod_uid = {uid:UUID}
    UNION ALL
    @fact_rows@ WHERE @facts_since@ AND (cluster, namespace, pod_uid) IN (
        SELECT cluster, namespace, pod_uid FROM facts WHERE @facts_since@ AND pod != '' AND (cluster, namespace, pod) IN (
            SELECT cluster, namespace, pod FROM facts WHERE @facts_since@ AND pod != '' AND pod_uid = {uid:UUID}))
@lives_end@) AS l
WHERE l.container != '' AND l.pod_uid = {uid:UUID}
SETTINGS min_table_rows_to_use_projection_index = 0, @fold_settings@;

-- A pod by its uid.
CREATE VIEW IF NOT EXISTS pod_by_uid
@pod_columns@
AS
@pods@ (@lives_from@
    @pod_rows@ WHERE uid_head = toUInt32(bitShiftRight(toUInt128({uid:UUID}), 96)) AND pod_uid = {uid:UUID}
    UNION ALL
    @fact_rows@ WHERE @facts_since@ AND (cluster, namespace, pod_uid) IN (
        SELECT cluster, namespace, pod_uid FROM facts WHERE @facts_since@ AND pod != '' AND (cluster, namespace, pod) IN (
            SELECT cluster, namespace, pod FROM facts WHERE @facts_since@ AND pod != '' AND pod_uid = {uid:UUID}))
@lives_end@) AS l
WHERE l.container = '' AND l.life_pod != '' AND l.pod_uid = {uid:UUID}
SETTINGS min_table_rows_to_use_projection_index = 0, @fold_settings@;

-- Lives that are known from late facts alone, without a reported end, and not yet joined with history, which may know more: of all that
-- are `pending` in an answer, and of those of which late facts prove the end already. The next settling tells.
CREATE VIEW IF NOT EXISTS pending_lives
(
    cluster          String                        COMMENT 'Kubernetes cluster',
    namespace        String                        COMMENT 'namespace of the pod',
    pod_uid          UUID                          COMMENT 'uid of the pod',
    container        String                        COMMENT 'name of the container; of a pod empty',
    container_id     FixedString(32)               COMMENT 'as in facts',
    began_at         DateTime64(6, 'UTC')          COMMENT 'the oldest event that spoke of it'
)
AS
SELECT cluster, namespace, pod_uid, container, container_id, min(f.first_seen) AS began_at
FROM facts AS f
WHERE @facts_since@ AND empty(f.named)
GROUP BY cluster, namespace, pod_uid, container, container_id
HAVING NOT max(f.timely) AND began_at != @never@ AND if(container = '', max(f.removed_at) = @none@, max(f.ended).2 = toDateTime(0, 'UTC'))
