-- Parts shared by several views; `t` is the table. A column is qualified with it where the view shows it in another form.
-- `-- @name` begins a part; @name@ in a view, or in another part, is replaced by it.

-- @no_recent_pod
(cluster, pod_uid) NOT IN (
        SELECT cluster, pod_uid FROM recent_pods
        WHERE returned OR over_at < @never@ AND read_at < now('UTC') - 540)

-- @no_recent_container
(cluster, pod_uid, container, container_key) NOT IN (
        SELECT cluster, pod_uid, container, container_key FROM recent_containers
        WHERE returned OR complete AND over_at < @never@ AND read_at < now('UTC') - 540)

-- @newest_pod
-- By uid and by ID every row of a life is found, wherever it is, and the newest counts. So no recent rows have to be excluded,
-- and FINAL, which would use no projection, is not needed.
ORDER BY version DESC
    LIMIT 1 BY cluster, pod_uid

-- @newest_container
ORDER BY version DESC
    LIMIT 1 BY cluster, pod_uid, container, container_key

-- @recent_pod_by_uid
recent_pods
        WHERE (cluster, namespace, pod, pod_uid) IN (
                SELECT cluster, namespace, pod, pod_uid FROM recent_pods WHERE pod_uid = {uid:UUID})

-- @ended_pod_by_uid
ended_pods
        WHERE uid_head = toUInt32(bitShiftRight(toUInt128({uid:UUID}), 96)) AND pod_uid = {uid:UUID}

-- @recent_containers_of_pod
recent_containers
        WHERE (cluster, namespace, pod, pod_uid) IN (
                SELECT cluster, namespace, pod, pod_uid FROM recent_containers WHERE pod_uid = {uid:UUID})

-- @ended_containers_of_pod
ended_containers
        WHERE uid_head = toUInt32(bitShiftRight(toUInt128({uid:UUID}), 96)) AND pod_uid = {uid:UUID}

-- @recent_containers_by_id
recent_containers
        WHERE (cluster, namespace, pod, pod_uid) IN (
                SELECT cluster, namespace, pod, pod_uid FROM recent_containers
                WHERE substring(container_key, 1, 4) = unhex(substring({prefix:String}, 1, 8)))
            AND @has_prefix@

-- @ended_containers_by_id
ended_containers
        WHERE id_head = reinterpretAsUInt32(reverse(unhex(substring({prefix:String}, 1, 8))))
            AND @has_prefix@

-- @since
-- Any usual form: RFC 3339, "2026-11-23 06:00:00" in UTC, seconds since 1970.
parseDateTime64BestEffort({since:String}, 6, 'UTC')

-- @until
parseDateTime64BestEffort({until:String}, 6, 'UTC')

-- @between
t.began_at < @until@ AND t.over_at > @since@

-- @on_node
({cluster:String} = '' OR t.cluster = {cluster:String}) AND t.node = {node:String}

-- @with_ip
({cluster:String} = '' OR t.cluster = {cluster:String}) AND has(t.pod_ips, {ip:String}) AND NOT t.host_network
    AND t.ip_seen_at[indexOf(t.pod_ips, {ip:String})] < @until@
    AND (t.terminal_at IS NULL OR t.terminal_at > @since@)
    AND NOT arrayExists(
        gap -> gap.1 = {ip:String} AND gap.2.1 <= @since@ AND gap.2.2 >= @until@,
        t.ip_gaps)

-- @has_prefix
-- The last bytes of the key are not from the ID if several instances have the same one.
startsWith(lower(hex(container_key)), lower(substring({prefix:String}, 1, 56)))
            AND startsWith(if(id_text = '', lower(hex(container_key)), id_text), lower({prefix:String}))

-- @since_second
-- Not before the longest bound, as no time is before 1970. It has a name because planning costs grow with the expression.
toDateTime(greatest(@since@, toDateTime64(67108864, 6, 'UTC')), 'UTC') AS since_second

-- @filed_between
(filed_from < @until@ AND (@classes@ OR class = 11))

-- @class
class = @number@ AND filed_from >= since_second - @bound@

-- @filed_about
-- A coarser form: few lives have one address, so fewer conditions cost less than fewer rows.
(filed_from < @until@ AND (class >= 8 OR filed_from >= since_second - 1048576))

-- @sessions_view
(
    cluster    String                           COMMENT 'Kubernetes cluster',
    namespace  String                           COMMENT 'of the pod',
    pod        String                           COMMENT 'name of the pod in the request; it may not have existed',
    kind       String                           COMMENT 'the subresource: exec, attach, portforward, ephemeralcontainers or resize',
    container  Nullable(String)                 COMMENT 'container in the request; added containers are separated by commas',
    began_at   DateTime64(6, 'UTC')             COMMENT 'when the request came',
    over_at    Nullable(DateTime64(6, 'UTC'))   COMMENT 'when it ended; NULL while it is open, or if no event reported the end',
    asked_by   Nullable(String)                 COMMENT 'account; "a as b" if a impersonated b; NULL if unauthenticated',
    source     Nullable(String)                 COMMENT 'first source address; a client may forge it',
    via        Nullable(String)                 COMMENT 'last source address, if there are several: the one that connected',
    code       Nullable(UInt16)                 COMMENT 'HTTP status: 101 for an opened stream, 403 and others for rejected requests',
    audit_id   Nullable(String)                 COMMENT 'audit ID of its events',
    id         UUID                             COMMENT 'derived from the values that identify the request: the same everywhere'
)

-- @sessions
SELECT
    t.cluster AS cluster,
    t.namespace AS namespace,
    t.pod AS pod,
    t.kind AS kind,
    nullIf(t.container, '') AS container,
    t.began_at AS began_at,
    nullIf(t.over_at, toDateTime64(0, 6, 'UTC')) AS over_at,
    nullIf(if(t.user = '' OR t.acting_as = '', t.user, concat(t.user, ' as ', t.acting_as)), '') AS asked_by,
    nullIf(t.source, '') AS source,
    nullIf(t.via, '') AS via,
    nullIf(t.code, 0) AS code,
    nullIf(t.audit_id, '') AS audit_id,
    reinterpretAsUUID(sipHash128(t.cluster, t.namespace, t.pod, t.began_at, t.kind, t.user, t.acting_as, t.audit_id)) AS id

-- @never
toDateTime64('2200-01-01 00:00:00', 6, 'UTC')
