-- The views to query: one row per pod, one row per container instance. They fold, join and judge nothing: each reads the
-- recent rows, and the ended rows without a recent one; a look-up by uid or ID reads the newest row of both.
--
--     SELECT * FROM containers_between(since = '2026-11-23 06:00:00', until = '2026-11-23 07:00:00')
--     WHERE cluster = 'prod' AND namespace = 'shop' AND workload = 'cart'
--
-- A life is in the answer if it overlaps [since, until). Absent values are NULL. Times are UTC. Filter by cluster and namespace
-- whenever they are known: that keeps a query cheap.
--
-- The program asks for what a look-up reads without its view, and chooses the newest rows itself: that costs half as much
-- (src/query/look_up.rs).
--
-- They are recreated whenever this text changes. src/schema/parts.rs replaces what is between two at signs.

CREATE OR REPLACE VIEW pods
@pods_view@
AS
@pods@ FROM recent_pods AS t FINAL
UNION ALL
@pods@ FROM ended_pods AS t FINAL WHERE NOT moved AND @no_recent_pod@;

CREATE OR REPLACE VIEW containers
@containers_view@
AS
@containers@ FROM recent_containers AS t FINAL WHERE NOT void
UNION ALL
@containers@ FROM ended_containers AS t FINAL WHERE NOT moved AND NOT void AND @no_recent_container@;

-- What existed at any time in a range.
CREATE OR REPLACE VIEW pods_between
@pods_view@
AS
@pods@ FROM recent_pods AS t FINAL WHERE @between@
UNION ALL
WITH @since_second@
@pods@ FROM ended_pods AS t FINAL WHERE @filed_between@ AND @between@ AND NOT moved AND @no_recent_pod@;

CREATE OR REPLACE VIEW containers_between
@containers_view@
AS
@containers@ FROM recent_containers AS t FINAL WHERE @between@ AND NOT void
UNION ALL
WITH @since_second@
@containers@ FROM ended_containers AS t FINAL
WHERE @filed_between@ AND @between@ AND NOT moved AND NOT void AND @no_recent_container@;

-- What ran on a node; cluster '' means any.
CREATE OR REPLACE VIEW containers_on_node
@containers_view@
AS
@containers@ FROM recent_containers AS t FINAL
WHERE (cluster, namespace, pod, pod_uid) IN (
        SELECT cluster, namespace, pod, pod_uid FROM recent_containers AS t WHERE @on_node@)
    AND @on_node@ AND @between@ AND NOT void
UNION ALL
WITH @since_second@
@containers@ FROM ended_containers AS t FINAL
WHERE (cluster, namespace, class, filed_from) IN (
        SELECT cluster, namespace, class, filed_from FROM ended_containers AS t WHERE @filed_between@ AND @on_node@)
    AND @on_node@ AND @between@ AND NOT moved AND NOT void AND @no_recent_container@
SETTINGS min_table_rows_to_use_projection_index = 0;

-- Who had an address (cluster '' means any), from its first appearance until the pod had others, ended or had finished. Pods
-- on the host network are left out: they do not own the address of their node.
CREATE OR REPLACE VIEW pods_with_ip
@pods_view@
AS
@pods@ FROM recent_pods AS t FINAL
WHERE (cluster, namespace, pod, pod_uid) IN (
        SELECT cluster, namespace, pod, pod_uid FROM recent_pods WHERE has(pod_ips, {ip:String}))
    AND @with_ip@ AND @between@
UNION ALL
WITH @since_second@
@pods@ FROM ended_pods AS t FINAL
WHERE (cluster, namespace, class, filed_from) IN (
        SELECT cluster, namespace, class, filed_from FROM ended_pods WHERE any_ip = toIPv6({ip:String}) AND @filed_about@
        UNION ALL
        SELECT cluster, namespace, class, filed_from FROM ended_pods
        WHERE @filed_about@ AND has(if(length(pod_ips) > 1, pod_ips, []), {ip:String}))
    AND @with_ip@ AND @between@ AND NOT moved AND @no_recent_pod@
SETTINGS min_table_rows_to_use_projection_index = 0;

-- Container instances by the first hex digits of their ID, at least eight. IDs of another form are only in `containers`.
CREATE OR REPLACE VIEW containers_by_id
@containers_view@
AS
@containers@ FROM
(
    SELECT * FROM
    (
        SELECT *, 0 AS moved
        FROM @recent_containers_by_id@
        UNION ALL
        SELECT * EXCEPT filed_at
        FROM @ended_containers_by_id@
    )
    @newest_container@
) AS t
WHERE NOT moved AND NOT void
SETTINGS min_table_rows_to_use_projection_index = 0;

-- Every container instance of a pod.
CREATE OR REPLACE VIEW containers_of_pod
@containers_view@
AS
@containers@ FROM
(
    SELECT * FROM
    (
        SELECT *, 0 AS moved
        FROM @recent_containers_of_pod@
        UNION ALL
        SELECT * EXCEPT filed_at
        FROM @ended_containers_of_pod@
    )
    @newest_container@
) AS t
WHERE NOT moved AND NOT void
SETTINGS min_table_rows_to_use_projection_index = 0;

-- A pod by its uid.
CREATE OR REPLACE VIEW pod_by_uid
@pods_view@
AS
@pods@ FROM
(
    SELECT * FROM
    (
        SELECT *, 0 AS moved
        FROM @recent_pod_by_uid@
        UNION ALL
        SELECT * EXCEPT filed_at
        FROM @ended_pod_by_uid@
    )
    @newest_pod@
) AS t
WHERE NOT moved
SETTINGS min_table_rows_to_use_projection_index = 0
