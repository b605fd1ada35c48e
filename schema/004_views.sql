-- What people ask: one row a pod, one row a container instance, over what is open and what has ended.
--
--     SELECT * FROM containers_between(since = '2026-11-23 06:00:00', until = '2026-11-23 07:00:00')
--     WHERE cluster = 'prod' AND namespace = 'shop' AND workload = 'cart'
--
-- A life is in the answer when it and [since, until) have an instant in common. Absent is NULL. Times are UTC; whole seconds
-- where Kubernetes itself keeps no more. Give cluster and namespace whenever they are known: they are what keeps a question
-- small. All views that tell of pods have the columns of pods, all that tell of containers those of containers.

CREATE VIEW IF NOT EXISTS pods
(
    cluster          String                        COMMENT 'Kubernetes cluster',
    namespace        String                        COMMENT 'namespace of the pod',
    workload_kind    Nullable(String)              COMMENT 'kind of the top owner that is known: a ReplicaSet''s Deployment, a Job''s CronJob',
    workload         Nullable(String)              COMMENT 'name of the top owner that is known',
    pod              String                        COMMENT 'name of the pod',
    pod_uid          UUID                          COMMENT 'uid of the pod: names are used again, uids are not',
    node             Nullable(String)              COMMENT 'node that it was bound to',
    pod_ips          Array(String)                 COMMENT 'every address it had, in order of first sight',
    labels           Map(String, String)           COMMENT 'the last that are known',
    service_account  Nullable(String)              COMMENT 'its service account',
    created_at       Nullable(DateTime64(6, 'UTC')) COMMENT 'whole seconds',
    created_by       Nullable(String)              COMMENT 'the account that created it; "a as b" where a impersonated b',
    scheduled_at     Nullable(DateTime64(6, 'UTC')) COMMENT 'when the scheduler bound it',
    started_at       Nullable(DateTime64(6, 'UTC')) COMMENT 'when a kubelet took it up; whole seconds',
    delete_asked_at  Nullable(DateTime64(6, 'UTC')) COMMENT 'the first request to delete it',
    delete_asked_by  Nullable(String)              COMMENT 'the account that asked first; "a as b" where a impersonated b',
    removed_at       Nullable(DateTime64(6, 'UTC')) COMMENT 'when the API server let go of it',
    phase            Nullable(String)              COMMENT 'the last that is known',
    ended_by         Nullable(String)              COMMENT 'the account that asked for its end; "a as b" where a impersonated b',
    ended_why        Nullable(String)              COMMENT 'why it ended: one of the words in schema/README.md',
    ended_cause      Nullable(String)              COMMENT 'not told yet',
    containers       UInt64                        COMMENT 'container instances that its restart numbers tell of',
    restarts         UInt64                        COMMENT 'sum over the containers of their highest restart number',
    unknown          Array(String)                 COMMENT 'what is not known for certain',
    host_network     Bool                          COMMENT 'whether it uses the addresses of its node',
    began_at         DateTime64(6, 'UTC')          COMMENT 'its start; where that is not known, the oldest event that spoke of it',
    over_at          Nullable(DateTime64(6, 'UTC')) COMMENT 'when it was over, at the latest: for questions about a time; NULL while it lives',
    pending          Bool                          COMMENT 'known from late events alone and not yet joined with history: over_at is the last of these'
)
AS
@pods@ (@lives_from@
    @pod_rows@
    UNION ALL
    @fact_rows@ WHERE @facts_since@
@lives_end@) AS l
WHERE l.container = '' AND l.life_pod != ''
SETTINGS @fold_settings@;

CREATE VIEW IF NOT EXISTS containers
(
    cluster          String                        COMMENT 'Kubernetes cluster',
    namespace        String                        COMMENT 'namespace of the pod',
    workload_kind    Nullable(String)              COMMENT 'kind of the top owner that is known: a ReplicaSet''s Deployment, a Job''s CronJob',
    workload         Nullable(String)              COMMENT 'name of the top owner that is known',
    pod              String                        COMMENT 'name of the pod',
    pod_uid          UUID                          COMMENT 'uid of the pod: names are used again, uids are not',
    container        String                        COMMENT 'name of the container; every restart is a row of its own',
    kind             String                        COMMENT 'app, init, sidecar (a restartable init container) or ephemeral',
    container_id     String                        COMMENT 'without runtime://',
    runtime          Nullable(String)              COMMENT 'container runtime, like containerd',
    image            Nullable(String)              COMMENT 'as the node resolved it, not as the spec names it',
    image_id         Nullable(String)              COMMENT 'with the digest',
    node             Nullable(String)              COMMENT 'node that it was bound to',
    pod_ips          Array(String)                 COMMENT 'every address the pod had, in order of first sight',
    restart          UInt32                        COMMENT '0 for the first instance of this container in its pod',
    started_at       Nullable(DateTime64(6, 'UTC')) COMMENT 'whole seconds',
    ended_at         Nullable(DateTime64(6, 'UTC')) COMMENT 'whole seconds where end_seen; else when its pod was gone or a later instance began',
    end_seen         Bool                          COMMENT 'whether the end was reported',
    exit_code        Nullable(Int32)               COMMENT 'of the process; NULL while it runs or where no report came',
    signal           Nullable(Int32)               COMMENT 'that ended the process',
    reason           Nullable(String)              COMMENT 'Completed, Error, OOMKilled, ...',
    pod_created_at   Nullable(DateTime64(6, 'UTC')) COMMENT 'creation of its pod; whole seconds',
    pod_removed_at   Nullable(DateTime64(6, 'UTC')) COMMENT 'removal of its pod',
    ended_by         Nullable(String)              COMMENT 'the account that asked for its end; "a as b" where a impersonated b',
    ended_why        Nullable(String)              COMMENT 'why it ended: one of the words in schema/README.md',
    ended_cause      Nullable(String)              COMMENT 'not told yet',
    unknown          Array(String)                 COMMENT 'what is not known for certain',
    labels           Map(String, String)           COMMENT 'of the pod, the last that are known',
    host_network     Bool                          COMMENT 'whether it uses the addresses of its node',
    began_at         DateTime64(6, 'UTC')          COMMENT 'its start; where that is not known, the oldest event that spoke of it',
    over_at          Nullable(DateTime64(6, 'UTC')) COMMENT 'when it was over, at the latest: for questions about a time; NULL while it lives',
    pending          Bool                          COMMENT 'known from late events alone and not yet joined with history: over_at is the last of these'
)
AS
@containers@ (@lives_from@
    @container_rows@
    UNION ALL
    @fact_rows@ WHERE @facts_since@
@lives_end@) AS l
WHERE l.container != ''
SETTINGS @fold_settings@;

-- What lived between two instants.
CREATE VIEW IF NOT EXISTS pods_between AS
@pods@ (@lives_from@
    @pod_rows@ WHERE @history_between@
    UNION ALL
    @fact_rows@ WHERE @facts_since@
@lives_end@) AS l
WHERE l.container = '' AND l.life_pod != '' AND @between@
SETTINGS @fold_settings@;

CREATE VIEW IF NOT EXISTS containers_between AS
@containers@ (@lives_from@
    @container_rows@ WHERE @history_between@
    UNION ALL
    @fact_rows@ WHERE @facts_since@
@lives_end@) AS l
WHERE l.container != '' AND @between@
SETTINGS @fold_settings@;

-- What ran on a node; cluster '' is any.
CREATE VIEW IF NOT EXISTS containers_on_node AS
@containers@ (@lives_from@
    @container_rows@ WHERE @history_between@ AND ({cluster:String} = '' OR cluster = {cluster:String}) AND node = {node:String}
    UNION ALL
    @fact_rows@ WHERE @facts_since@ AND ({cluster:String} = '' OR cluster = {cluster:String})
@lives_end@) AS l
WHERE l.container != '' AND l.life_node = {node:String} AND @between@
SETTINGS min_table_rows_to_use_projection_index = 0, @fold_settings@;

-- Who had an address (cluster '' is any), from its first sight until the pod ended or was done. Pods on the host's network are left out: they don't
-- own the address of their node.
CREATE VIEW IF NOT EXISTS pods_with_ip AS
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
CREATE VIEW IF NOT EXISTS containers_by_id AS
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
CREATE VIEW IF NOT EXISTS containers_of_pod AS
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
CREATE VIEW IF NOT EXISTS pod_by_uid AS
@pods@ (@lives_from@
    @pod_rows@ WHERE uid_head = toUInt32(bitShiftRight(toUInt128({uid:UUID}), 96)) AND pod_uid = {uid:UUID}
    UNION ALL
    @fact_rows@ WHERE @facts_since@ AND (cluster, namespace, pod_uid) IN (
        SELECT cluster, namespace, pod_uid FROM facts WHERE @facts_since@ AND pod != '' AND (cluster, namespace, pod) IN (
            SELECT cluster, namespace, pod FROM facts WHERE @facts_since@ AND pod != '' AND pod_uid = {uid:UUID}))
@lives_end@) AS l
WHERE l.container = '' AND l.life_pod != '' AND l.pod_uid = {uid:UUID}
SETTINGS min_table_rows_to_use_projection_index = 0, @fold_settings@;

-- Lives that are known from late facts alone, without an end, and not yet joined with history: in answers they stand with the
-- time that is certain. The next settling tells more.
CREATE VIEW IF NOT EXISTS pending_lives AS
SELECT cluster, namespace, pod_uid, container, container_id, began_at
FROM
(
    SELECT cluster, namespace, pod_uid, container, container_id, min(f.first_seen) AS began_at, max(f.timely) AS timely,
        max(f.ended).2 AS finished_at, least(min(f.not_after), min(f.gone).1) AS not_after, max(max(f.removed_at)) OVER (PARTITION BY cluster, namespace, pod_uid) AS removed_at
    FROM facts AS f
    WHERE @facts_since@ AND empty(f.named)
    GROUP BY cluster, namespace, pod_uid, container, container_id
)
WHERE NOT timely AND finished_at = toDateTime(0, 'UTC') AND not_after = @never@ AND removed_at = @none@
