-- What people ask: one row a pod, one row a container instance. Everything is answered from facts; a life without a known
-- end lives. Absent is NULL. Times are UTC; whole seconds where Kubernetes itself keeps no more.
--
-- first_seen and last_seen stand in for a start that nobody told. The filters on cluster and namespace reach the table.

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
    ended_by         Nullable(String)              COMMENT 'not told yet',
    ended_why        Nullable(String)              COMMENT 'not told yet',
    ended_cause      Nullable(String)              COMMENT 'not told yet',
    containers       UInt64                        COMMENT 'container instances that are known',
    restarts         UInt64                        COMMENT 'sum over the containers of their highest restart number',
    unknown          Array(String)                 COMMENT 'what is not known for certain',
    host_network     Bool                          COMMENT 'whether it uses the addresses of its node',
    first_seen       DateTime64(6, 'UTC')          COMMENT 'oldest event that spoke of it',
    last_seen        DateTime64(6, 'UTC')          COMMENT 'newest event that spoke of it'
)
AS
SELECT
    cluster, namespace,
    nullIf(owner_.workload_kind, '') AS workload_kind, nullIf(owner_.workload, '') AS workload,
    pod_ AS pod, pod_uid, nullIf(node_, '') AS node,
    arrayMap(ip -> if(startsWith(toString(ip), '::ffff:'), substring(toString(ip), 8), toString(ip)), arraySort((ip, sight) -> sight, mapKeys(ips_), mapValues(ips_))) AS pod_ips,
    CAST(labels_.pairs, 'Map(String, String)') AS labels,
    nullIf(service_account_, '') AS service_account,
    nullIf(toDateTime64(created_at_, 6, 'UTC'), toDateTime64(0, 6, 'UTC')) AS created_at,
    nullIf(if(created_by_.acting_as = '', created_by_.user, concat(created_by_.user, ' as ', created_by_.acting_as)), '') AS created_by,
    nullIf(scheduled_at_, toDateTime64(0, 6, 'UTC')) AS scheduled_at,
    nullIf(toDateTime64(pod_started_at_, 6, 'UTC'), toDateTime64(0, 6, 'UTC')) AS started_at,
    nullIf(asked_.at, toDateTime64('2200-01-01 00:00:00', 6, 'UTC')) AS delete_asked_at,
    nullIf(if(asked_.acting_as = '', asked_.user, concat(asked_.user, ' as ', asked_.acting_as)), '') AS delete_asked_by,
    nullIf(removed_at_, toDateTime64(0, 6, 'UTC')) AS removed_at,
    nullIf(phase_.phase, '') AS phase,
    NULL AS ended_by, NULL AS ended_why, NULL AS ended_cause,
    containers_ AS containers, arraySum(mapValues(restarts_)) AS restarts,
    if(owner_.inferred, ['workload inferred'], []) AS unknown,
    host_network_ AS host_network, first_seen_ AS first_seen, last_seen_ AS last_seen
FROM
(
    SELECT
        cluster, namespace, pod_uid,
        max(pod) AS pod_, max(node) AS node_, max(host_network) AS host_network_, max(service_account) AS service_account_,
        max(owner) AS owner_, max(labels) AS labels_, max(phase) AS phase_, minMap(pod_ips) AS ips_,
        max(created_at) AS created_at_, max(created_by) AS created_by_, max(scheduled_at) AS scheduled_at_, max(pod_started_at) AS pod_started_at_,
        min(delete_asked) AS asked_, max(removed_at) AS removed_at_,
        uniqExactIf((container, container_id), container != '') AS containers_,
        maxMap(if(container = '', map(), map(toString(container), toUInt64(restart)))) AS restarts_,
        min(first_seen) AS first_seen_, max(last_seen) AS last_seen_
    FROM facts
    GROUP BY cluster, namespace, pod_uid
);

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
    ended_at         Nullable(DateTime64(6, 'UTC')) COMMENT 'whole seconds where end_seen, else the removal of its pod',
    end_seen         Bool                          COMMENT 'whether the end was reported; if not, ended_at is the removal of its pod',
    exit_code        Nullable(Int32)               COMMENT 'of the process; NULL while it runs or where no report came',
    signal           Nullable(Int32)               COMMENT 'that ended the process',
    reason           Nullable(String)              COMMENT 'Completed, Error, OOMKilled, ...',
    pod_created_at   Nullable(DateTime64(6, 'UTC')) COMMENT 'creation of its pod; whole seconds',
    pod_removed_at   Nullable(DateTime64(6, 'UTC')) COMMENT 'removal of its pod',
    ended_by         Nullable(String)              COMMENT 'not told yet',
    ended_why        Nullable(String)              COMMENT 'not told yet',
    ended_cause      Nullable(String)              COMMENT 'not told yet',
    unknown          Array(String)                 COMMENT 'what is not known for certain',
    labels           Map(String, String)           COMMENT 'of the pod, the last that are known',
    host_network     Bool                          COMMENT 'whether it uses the addresses of its node',
    first_seen       DateTime64(6, 'UTC')          COMMENT 'oldest event that spoke of it',
    last_seen        DateTime64(6, 'UTC')          COMMENT 'newest event that spoke of it'
)
AS
SELECT
    cluster, namespace,
    nullIf(owner_.workload_kind, '') AS workload_kind, nullIf(owner_.workload, '') AS workload,
    pod_ AS pod, pod_uid, container, toString(kind_) AS kind,
    if(id_text_ = '', lower(hex(container_id)), id_text_) AS container_id, nullIf(runtime_, '') AS runtime,
    nullIf(image_.image, '') AS image, nullIf(image_.image_id, '') AS image_id, nullIf(node_, '') AS node,
    arrayMap(sight -> if(startsWith(toString(sight.2), '::ffff:'), substring(toString(sight.2), 8), toString(sight.2)), ips_) AS pod_ips,
    restart_ AS restart,
    nullIf(toDateTime64(started_at_, 6, 'UTC'), toDateTime64(0, 6, 'UTC')) AS started_at,
    multiIf(end_seen, toDateTime64(ended_.finished_at, 6, 'UTC'), removed_at_ != toDateTime64(0, 6, 'UTC'), removed_at_, NULL) AS ended_at,
    ended_.finished_at != toDateTime(0, 'UTC') AS end_seen,
    if(ended_.seen, ended_.exit_code, NULL) AS exit_code, if(ended_.signal != 0, ended_.signal, NULL) AS signal, nullIf(ended_.reason, '') AS reason,
    nullIf(toDateTime64(created_at_, 6, 'UTC'), toDateTime64(0, 6, 'UTC')) AS pod_created_at,
    nullIf(removed_at_, toDateTime64(0, 6, 'UTC')) AS pod_removed_at,
    NULL AS ended_by, NULL AS ended_why, NULL AS ended_cause,
    arrayConcat(if(owner_.inferred, ['workload inferred'], []), if(NOT end_seen AND (ended_.seen OR removed_at_ != toDateTime64(0, 6, 'UTC')), ['end not confirmed'], [])) AS unknown,
    CAST(labels_.pairs, 'Map(String, String)') AS labels, host_network_ AS host_network,
    first_seen_ AS first_seen, last_seen_ AS last_seen
FROM
(
    SELECT
        cluster, namespace, pod_uid, container, container_id,
        -- The pod's own row has the smallest container of its partition, the empty one: it gives its columns to the rest.
        max(pod__) OVER life AS pod_, max(node__) OVER life AS node_, max(host_network__) OVER life AS host_network_,
        max(owner__) OVER life AS owner_, max(labels__) OVER life AS labels_, max(ips__) OVER life AS ips_,
        max(created_at__) OVER life AS created_at_, max(removed_at__) OVER life AS removed_at_,
        kind_, runtime_, id_text_, image_, restart_, started_at_, ended_, first_seen_, last_seen_
    FROM
    (
        SELECT
            cluster, namespace, pod_uid, container, container_id,
            max(pod) AS pod__, max(node) AS node__, max(host_network) AS host_network__, max(owner) AS owner__, max(labels) AS labels__,
            minMap(pod_ips) AS sights, arraySort(arrayZip(mapValues(sights), mapKeys(sights))) AS ips__,
            max(created_at) AS created_at__, max(removed_at) AS removed_at__,
            max(kind) AS kind_, max(runtime) AS runtime_, max(container_id_text) AS id_text_, max(image) AS image_, max(restart) AS restart_,
            max(started_at) AS started_at_, max(ended) AS ended_, min(first_seen) AS first_seen_, max(last_seen) AS last_seen_
        FROM facts
        GROUP BY cluster, namespace, pod_uid, container, container_id
    )
    WINDOW life AS (PARTITION BY cluster, namespace, pod_uid)
)
WHERE container != '';
