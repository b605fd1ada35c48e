-- The one fold that settlings and all views share. `schema.rs` puts these parts in where a migration names them between
-- two @: a view is always
--
--     SELECT .. FROM (@lives_from@
--         <rows of facts and history, each by one of the @.._rows@ below, with its own WHERE>
--     @lives_end@)
--
-- Rows of one key merge by the same max, min and union as in the tables: it never matters which rows of a life are read in
-- which version, as long as all that could be newest are.

-- @fold_settings
-- The rewriting of chains of comparisons walks through every level as often as it is used: without it a question is ready in a third of the time.
optimize_and_compare_chain = 0

-- @never
toDateTime64('2200-01-01 00:00:00', 6, 'UTC')

-- @none
toDateTime64(0, 6, 'UTC')

-- @unasked
(toDateTime64('2200-01-01 00:00:00', 3, 'UTC'), '', '')

-- @not_gone
(@never@, toUInt8(0))

-- @no_means
CAST((0, ('', ''), '', 0, @unasked@, @unasked@, @unasked@), 'Tuple(UInt32, Tuple(String, String), String, UInt8, Tuple(DateTime64(3, \'UTC\'), String, String), Tuple(DateTime64(3, \'UTC\'), String, String), Tuple(DateTime64(3, \'UTC\'), String, String))')

-- @no_cause
CAST((0, '', ''), 'Tuple(UInt32, String, String)')

-- @no_named
CAST([], 'Array(Tuple(DateTime64(6, \'UTC\'), String, String, String, String))')

-- @no_event
(toDateTime64('2200-01-01 00:00:00', 3, 'UTC'), '')

-- @no_instances
CAST([], 'Array(Tuple(String, UInt32, UInt32))')

-- @bounds
[64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864]

-- @sights
CAST(mapApply((ip, sight) -> (ip, toUInt64(greatest(0, sight + toInt64(toUnixTimestamp(filed_from)) * 16000))), pod_ips), 'Map(IPv6, UInt64)') AS pod_ips

-- @fact_rows
SELECT cluster, namespace, pod_uid, toString(container) AS container, container_id,
    heard_at, timely, late, first_seen, last_seen, not_after, settled_from, settled_until, named,
    pod, toString(node) AS node, host_network, toString(service_account) AS service_account, metadata, toInt8(phase) AS phase, pod_ips, restarts,
    created_at, created_by, scheduled_at, pod_started_at, terminal_at, delete_asked, asked_event, removed_at,
    evict_asked, force_asked, disrupted, status_reason, waiting, truncated, @no_cause@ AS cause,
    if(container != '', @not_gone@, if((not_after, toUInt8(4)) < gone, (not_after, toUInt8(4)), gone)) AS gone, means,
    toInt8(kind) AS kind, toString(runtime) AS runtime, container_id_text, toString(image) AS image, toString(image_id) AS image_id, restart, started_at, ended, instances
FROM facts

-- @pod_rows
SELECT cluster, namespace, pod_uid, '' AS container, toFixedString('', 32) AS container_id,
    toDateTime(0, 'UTC') AS heard_at, 2 AS timely, 0 AS late, first_seen, @none@ AS last_seen, @never@ AS not_after,
    filed_from AS settled_from, if(class = 11, toDateTime('2106-02-07 06:28:15', 'UTC'), filed_from + @bounds@[class + 1]) AS settled_until, @no_named@ AS named,
    pod, toString(node) AS node, host_network, toString(service_account) AS service_account,
    (metadata.1, metadata.2, '', '', metadata.3, metadata.4, metadata.5) AS metadata, toInt8(phase) AS phase,
    @sights@, restarts,
    if(created = -2147483648, toDateTime(0, 'UTC'), filed_from + created) AS created_at, created_by, if(scheduled_ms = -9223372036854775808, toDateTime64(0, 3, 'UTC'), toDateTime64(filed_from, 3, 'UTC') + toIntervalMillisecond(scheduled_ms)) AS scheduled_at,
    if(started = -2147483648, toDateTime(0, 'UTC'), filed_from + started) AS pod_started_at, if(terminal_ms = 9223372036854775807, toDateTime64('2200-01-01 00:00:00', 3, 'UTC'), toDateTime64(filed_from, 3, 'UTC') + toIntervalMillisecond(terminal_ms)) AS terminal_at,
    (if(delete_asked.1 = 9223372036854775807, toDateTime64('2200-01-01 00:00:00', 3, 'UTC'), toDateTime64(filed_from, 3, 'UTC') + toIntervalMillisecond(delete_asked.1)), delete_asked.2, delete_asked.3) AS delete_asked,
    (if(asked_event.1 = 9223372036854775807, toDateTime64('2200-01-01 00:00:00', 3, 'UTC'), toDateTime64(filed_from, 3, 'UTC') + toIntervalMillisecond(asked_event.1)), asked_event.2) AS asked_event, if(removed_ms = -9223372036854775808, toDateTime64(0, 3, 'UTC'), toDateTime64(filed_from, 3, 'UTC') + toIntervalMillisecond(removed_ms)) AS removed_at,
    evict_asked, force_asked, disrupted, status_reason, waiting, truncated, @no_cause@ AS cause, gone, means,
    toInt8(0) AS kind, '' AS runtime, '' AS container_id_text, '' AS image, '' AS image_id, 0 AS restart, toDateTime(0, 'UTC') AS started_at,
    (0, toDateTime(0, 'UTC'), toInt32(0), toInt32(0), '') AS ended, instances
FROM pod_history AS h

-- @container_rows
SELECT cluster, namespace, pod_uid, toString(container) AS container, container_id,
    toDateTime(0, 'UTC') AS heard_at, 2 AS timely, 0 AS late, first_seen, @none@ AS last_seen, not_after,
    filed_from AS settled_from, if(class = 11, toDateTime('2106-02-07 06:28:15', 'UTC'), filed_from + @bounds@[class + 1]) AS settled_until, @no_named@ AS named,
    pod, toString(node) AS node, host_network, '' AS service_account,
    (metadata.1, metadata.2, '', '', metadata.3, metadata.4, metadata.5) AS metadata, toInt8(0) AS phase,
    @sights@, CAST(map(), 'Map(String, UInt32)') AS restarts,
    if(pod_created = -2147483648, toDateTime(0, 'UTC'), filed_from + pod_created) AS created_at, ('', '') AS created_by, toDateTime64(0, 3, 'UTC') AS scheduled_at, toDateTime(0, 'UTC') AS pod_started_at,
    toDateTime64('2200-01-01 00:00:00', 3, 'UTC') AS terminal_at, (toDateTime64('2200-01-01 00:00:00', 3, 'UTC'), '', '') AS delete_asked, @no_event@ AS asked_event, if(pod_removed_ms = -9223372036854775808, toDateTime64(0, 3, 'UTC'), toDateTime64(filed_from, 3, 'UTC') + toIntervalMillisecond(pod_removed_ms)) AS removed_at,
    @unasked@ AS evict_asked, @unasked@ AS force_asked, (toDateTime64('2200-01-01 00:00:00', 3, 'UTC'), '') AS disrupted, '' AS status_reason,
    CAST((0, []), 'Tuple(UInt64, Array(Tuple(String, String)))') AS waiting, 0 AS truncated, cause, pod_gone AS gone, @no_means@ AS means,
    toInt8(kind) AS kind, toString(runtime) AS runtime, container_id_text, toString(image) AS image, toString(image_id) AS image_id, restart,
    if(started = -2147483648, toDateTime(0, 'UTC'), filed_from + started) AS started_at, (ended.1, if(ended.2 = -2147483648, toDateTime(0, 'UTC'), filed_from + ended.2), ended.3, ended.4, ended.5) AS ended, @no_instances@ AS instances
FROM container_history

-- @instances_seen
-- Of the pod: its instances, consecutive restart numbers as one.
    arrayMap((first, last) -> (first.1, first.2, last.2),
        arrayFilter((one, before) -> before != (one.1, toUInt32(one.2 - 1)), s.life_instances, arrayShiftRight(s.life_instances, 1, ('', toUInt32(0)))),
        arrayFilter((one, after) -> after != (one.1, toUInt32(one.2 + 1)), s.life_instances, arrayShiftLeft(s.life_instances, 1, ('', toUInt32(0)))))

-- @lives_from
-- Each level names what the next ones use: a name that is used within its own level is written out anew for every use, and what uses
-- that again, again. Some such uses on top of each other make a question take seconds before it reads anything.
SELECT *, @why@
FROM
(
SELECT *, @pod_account@
FROM
(
SELECT *, @pod_why@
FROM
(
SELECT *, @judged@
FROM
(
SELECT *, @asked@
FROM
(
SELECT *, @pod_end@, @known_end@
FROM
(
SELECT *, @proven@, @gone@, @removed@
FROM
(
    SELECT
        *,
        -- A name belongs to one pod at a time: the creation of another one proves that this one was gone.
        min(if(container = '' AND life_pod != '' AND created_at != toDateTime(0, 'UTC'), toDateTime64(created_at, 6, 'UTC') + toIntervalSecond(1), @never@))
            OVER (PARTITION BY cluster, namespace, life_pod ORDER BY life_second ASC RANGE BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING) AS replaced_at_,
        groupArrayArray(named) OVER (PARTITION BY cluster, namespace, life_pod) AS name_says,
        min(if(empty(named), @no_event@, asked_event)) OVER (PARTITION BY cluster, namespace, life_pod) AS name_event
    FROM
    (
        SELECT
            *,
            if(life_created_at != toDateTime(0, 'UTC'), toDateTime64(life_created_at, 6, 'UTC'), life_first_seen) AS name_from,
            toUnixTimestamp(if(life_created_at != toDateTime(0, 'UTC'), life_created_at, toDateTime(life_first_seen))) AS life_second,
            if(started_at = toDateTime(0, 'UTC'), [superseded_by_count], [superseded_by_start, if(superseded_by_unstarted < toDateTime64(started_at, 6, 'UTC'), @never@, superseded_by_unstarted)]) AS supersedings,
            arrayMin(arrayMap(at -> if(at = @none@, @never@, at), supersedings)) AS superseded_at,
            arraySort(arrayDistinct(arrayFlatten(arrayMap(i -> arrayMap(number -> (i.1, toUInt32(number)), range(i.2, i.3 + 1)), arrayConcat(instances, instances_here))))) AS life_instances
        FROM
        (
        SELECT
            *,
            if(if(container = '', created_at, started_at) != toDateTime(0, 'UTC'), toDateTime64(if(container = '', created_at, started_at), 6, 'UTC'), first_seen) AS began_at,
            max(pod) OVER life AS life_pod,
            -- Whether all that is known of the pod is here: not only its container instances, or late facts about it.
            max(container = '' AND pod != '' AND timely) OVER life AS has_pod,
            max(timely >= 2) OVER life AS life_settled,
            max(node) OVER life AS life_node,
            max(host_network) OVER life AS life_host_network,
            -- Late facts alone, not yet joined with history, give way to what history says.
            max(if(timely, metadata, (toUInt64(0), metadata.2, metadata.3, metadata.4, metadata.5, metadata.6, metadata.7))) OVER life AS life_metadata,
            minMap(pod_ips) OVER life AS life_ips,
            -- Of the pod alone: the window of an instance is empty, since each row keeps what its window holds.
            groupUniqArray((container, restart, restart)) OVER (PARTITION BY cluster, namespace, pod_uid ORDER BY toInt8(container = '') ASC RANGE BETWEEN 1 PRECEDING AND 1 PRECEDING) AS instances_here,
            max(created_at) OVER life AS life_created_at,
            max(removed_at) OVER life AS life_removed,
            min(gone) OVER life AS life_gone,
            max(means) OVER life AS life_means,
            max(heard_at) OVER life AS life_heard_at,
            max(last_seen) OVER life AS life_last_seen,
            min(first_seen) OVER life AS life_first_seen,
            max(scheduled_at) OVER life AS life_scheduled_at,
            min(terminal_at) OVER life AS life_terminal_at,
            min(delete_asked) OVER life AS life_delete_asked,
            min(evict_asked) OVER life AS life_evict_asked,
            min(force_asked) OVER life AS life_force_asked,
            min(disrupted) OVER life AS life_disrupted,
            max(status_reason) OVER life AS life_status_reason,
            -- A container runs once at a time: the start of a later instance proves that this one had ended. Later is what started later,
            -- and in the same second what has the higher restart count: counts may begin anew. Where a start is not known the count says it.
            min(if(started_at = toDateTime(0, 'UTC'), @never@, toDateTime64(started_at, 6, 'UTC')))
                OVER (PARTITION BY cluster, namespace, pod_uid, container ORDER BY started_at DESC, restart DESC, container_id DESC
                    ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS superseded_by_start,
            min(if(container = '', @never@, if(started_at != toDateTime(0, 'UTC'), toDateTime64(started_at, 6, 'UTC'), first_seen)))
                OVER (PARTITION BY cluster, namespace, pod_uid, container ORDER BY restart ASC RANGE BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING) AS superseded_by_count,
            min(if(started_at = toDateTime(0, 'UTC'), first_seen, @never@))
                OVER (PARTITION BY cluster, namespace, pod_uid, container ORDER BY restart ASC RANGE BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING) AS superseded_by_unstarted
        FROM
        (
            SELECT
                r.cluster AS cluster, r.namespace AS namespace, r.pod_uid AS pod_uid, r.container AS container, r.container_id AS container_id,
                max(r.heard_at) AS heard_at, max(r.timely) AS timely, max(r.late) AS late, min(r.first_seen) AS first_seen, max(r.last_seen) AS last_seen,
                min(r.not_after) AS not_after, min(r.settled_from) AS settled_from, max(r.settled_until) AS settled_until,
                max(r.pod) AS pod, max(r.node) AS node, max(r.host_network) AS host_network, max(r.service_account) AS service_account,
                max(r.metadata) AS metadata, max(r.phase) AS phase, minMap(r.pod_ips) AS pod_ips, maxMap(r.restarts) AS restarts,
                max(r.created_at) AS created_at, max(r.created_by) AS created_by, max(r.scheduled_at) AS scheduled_at,
                max(r.pod_started_at) AS pod_started_at, min(r.terminal_at) AS terminal_at, min(r.delete_asked) AS delete_asked, min(r.asked_event) AS asked_event, max(r.removed_at) AS removed_at,
                min(r.evict_asked) AS evict_asked, min(r.force_asked) AS force_asked, min(r.disrupted) AS disrupted, max(r.status_reason) AS status_reason,
                max(r.waiting) AS waiting, max(r.truncated) AS truncated, max(r.cause) AS cause, min(r.gone) AS gone, max(r.means) AS means, groupUniqArrayArray(r.named) AS named,
                max(r.kind) AS kind, max(r.runtime) AS runtime, max(r.container_id_text) AS container_id_text, max(r.image) AS image, max(r.image_id) AS image_id, max(r.restart) AS restart,
                max(r.started_at) AS started_at, max(r.ended) AS ended, groupUniqArrayArray(r.instances) AS instances
            FROM
            (

-- @lives_end
            ) AS r
            GROUP BY r.cluster, r.namespace, r.pod_uid, r.container, r.container_id
        )
        WINDOW life AS (PARTITION BY cluster, namespace, pod_uid)
        )
    )
)
WHERE empty(named)
)
)
)
)
)
)

-- @proven
    if(replaced_at_ = @none@, @never@, replaced_at_) AS replaced_at,
    -- Whose node is gone, is gone, unless it was heard of later.
    if(life_gone.2 = 2 AND life_last_seen > life_gone.1, @not_gone@, life_gone) AS proven_gone,
    if(life_node != '', life_node, life_means.3) AS known_node,
    if(created_by.1 = '', life_means.2, created_by) AS creator

-- @gone
    -- Of the pod: what its removal says; where that is not known, what others prove. A request that removed whatever had its name is
    -- taken for its removal, unless something proves an earlier end.
    if((replaced_at, toUInt8(1)) < proven_gone, (replaced_at, toUInt8(1)), proven_gone) AS pod_gone

-- @removed
    multiIf(life_removed != @none@, toDateTime64(life_removed, 6, 'UTC'), pod_gone.2 = 0 AND pod_gone.1 != @never@, toDateTime64(toDateTime64(pod_gone.1, 3, 'UTC'), 6, 'UTC'), @none@) AS life_removed_at,
    -- Until when what was said of its name was said of this pod.
    least(if(life_removed != @none@, toDateTime64(life_removed, 6, 'UTC') + toIntervalMillisecond(1), @never@), pod_gone.1) AS name_until

-- @pod_end
    if(life_removed_at != @none@, life_removed_at, pod_gone.1) AS pod_end,
    arrayFilter(e -> e.2 IN ('ask', 'force', 'evict') AND e.1 >= name_from AND e.1 <= name_until, name_says) AS name_asks

-- @known_end
    -- Kubernetes keeps ends of containers in whole seconds: it may have lived until that second was over.
    multiIf(container = '', pod_end,
            ended.2 != toDateTime(0, 'UTC'), toDateTime64(ended.2, 6, 'UTC') + toIntervalSecond(1),
            least(pod_end, not_after, superseded_at)) AS known_end,
    -- Who asked first for its end. Requests that named the pod are joined with it here, all else that did by the next settling.
    arraySort(arrayConcat(arrayMap(e -> (toDateTime64(e.1, 3, 'UTC'), e.3, e.4), arrayFilter(e -> e.2 = 'evict', name_asks)), [life_evict_asked, life_means.6]))[1] AS evict_asked_first,
    arraySort(arrayConcat(arrayMap(e -> (toDateTime64(e.1, 3, 'UTC'), e.3, e.4), arrayFilter(e -> e.2 = 'force', name_asks)), [life_force_asked, life_means.7]))[1] AS force_asked_first,
    arraySort(arrayConcat(arrayMap(e -> (toDateTime64(e.1, 3, 'UTC'), e.3, e.4), name_asks), [life_delete_asked, life_evict_asked, life_means.5]))[1] AS asked_first

-- @asked
    -- From late facts alone, not yet joined with history: that may know an earlier end than what is proven here, where it knows the pod,
    -- or others of its name.
    NOT timely AND if(container = '', life_removed = @none@, ended.2 = toDateTime(0, 'UTC'))
        AND (known_end = @never@ OR life_settled OR life_removed = @none@ AND pod_gone.2 = 1) AS pending,
    if(startsWith(asked_first.2, 'system:serviceaccount:kube-system:'), substring(asked_first.2, 35), '') AS controller,
    -- A kubelet says the same for three reasons; its status tells them apart.
    if(life_disrupted.2 = 'TerminationByKubelet', transform(life_status_reason, ['Preempting', 'NodeLost', 'Terminated', 'NodeShutdown', 'Shutdown'], ['preempted', 'node lost', 'node lost', 'node lost', 'node lost'], 'node pressure'),
        transform(life_disrupted.2, ['EvictionByEvictionAPI', 'PreemptionByScheduler', 'PreemptionByKubeScheduler', 'DeletionByTaintManager', 'DeletionByPodGC'],
            ['evicted', 'preempted', 'preempted', 'tainted', 'node lost'], '')) AS disruption

-- @judged
    if(pending, last_seen + toIntervalMicrosecond(1), known_end) AS over_at,
    -- Of the pod: how many instances its restart numbers tell of, and no event.
    -- (A lambda that used the map of restarts would hold it once for each instance.)
    arraySum(arrayMap(missing -> greatest(missing, 0), mapValues(mapSubtract(mapApply((name, times) -> (name, toInt64(times) + 1), restarts),
        arrayReduce('sumMap', arrayMap(i -> map(i.1, toInt64(1)), life_instances)))))) AS unseen,
    transform(controller, ['generic-garbage-collector', 'pod-garbage-collector', 'namespace-controller', 'node-controller', 'taint-eviction-controller',
        'replicaset-controller', 'statefulset-controller', 'daemon-set-controller', 'job-controller', 'replication-controller', 'deployment-controller', 'cronjob-controller'],
        ['owner gone', 'node lost', 'namespace deleted', 'tainted', 'tainted', 'scaled', 'scaled', 'scaled', 'scaled', 'scaled', 'scaled', 'scaled'], '') AS controlled,
    -- Who says that a pod is disrupted deletes it at once. Where that failed the condition stays for some minutes, and what ends the pod
    -- later has nothing to do with it.
    disruption != '' AND toStartOfSecond(life_disrupted.1) <= least(asked_first.1, life_terminal_at)
        AND (life_disrupted.2 = 'TerminationByKubelet' OR least(asked_first.1, life_terminal_at, pod_end) <= life_disrupted.1 + toIntervalMinute(10)) AS disrupted_first

-- @pod_why
    -- Why the pod ends: what came first of a request, a disruption and its own end (schema/README.md tells the words).
    multiIf(
        disrupted_first, disruption,
        life_terminal_at < asked_first.1, transform(life_status_reason, ['Evicted', 'Preempting', 'NodeLost', 'Terminated', 'NodeShutdown', 'Shutdown'], ['node pressure', 'preempted', 'node lost', 'node lost', 'node lost', 'node lost'], 'done'),
        asked_first.1 = @never@, if(life_removed_at = @none@, ['replaced', 'node lost', 'namespace deleted', 'unknown'][pod_gone.2], 'unknown'),
        evict_asked_first.1 <= asked_first.1, 'evicted',
        controlled = 'tainted' AND life_status_reason = 'NodeLost', 'node lost',
        controlled != '', controlled,
        asked_first.2 = 'system:kube-scheduler', 'preempted',
        force_asked_first.1 != @never@ AND force_asked_first.1 <= life_terminal_at AND known_node != ''
            AND NOT startsWith(force_asked_first.2, 'system:serviceaccount:kube-system:') AND force_asked_first.2 != 'system:kube-controller-manager', 'forced',
        'asked') AS pod_why

-- @pod_account
    multiIf(pod_why = 'evicted' AND evict_asked_first.1 != @never@, evict_asked_first, pod_why = 'forced', force_asked_first,
            pod_why IN ('', 'done', 'node pressure', 'replaced', 'unknown'), @unasked@,
            -- What a kubelet did, nobody asked for: whoever deletes the pod later cleans up.
            if(disrupted_first, life_disrupted.2 = 'TerminationByKubelet', life_terminal_at < asked_first.1), @unasked@, asked_first) AS pod_account,
    -- Since when it was ending.
    if(disrupted_first, least(life_disrupted.1, asked_first.1), least(asked_first.1, toStartOfSecond(life_terminal_at))) AS pod_ending_at

-- @why
    if(pod_account.3 = '', pod_account.2, concat(pod_account.2, ' as ', pod_account.3)) AS pod_by,
    -- Of the container instance.
    multiIf(
        container = '', ('', ''),
        known_end = @never@, ('', ''),
        -- Its pod is not here; history knew it.
        cause.2 != '' AND NOT has_pod, (cause.2, cause.3),
        ended.2 != toDateTime(0, 'UTC') AND (pod_why IN ('', 'done') OR known_end <= pod_ending_at), ('exited', ''),
        pod_why IN ('', 'done') OR known_end <= pod_ending_at, ('unknown', ''),
        (pod_why, pod_by)) AS why

-- @life_columns
cluster          String                        COMMENT 'Kubernetes cluster',
    namespace        String                        COMMENT 'namespace of the pod',
    workload_kind    Nullable(String)              COMMENT 'kind of the top owner that is known: a ReplicaSet''s Deployment, a Job''s CronJob',
    workload         Nullable(String)              COMMENT 'name of the top owner that is known',
    pod              String                        COMMENT 'name of the pod',
    pod_uid          UUID                          COMMENT 'uid of the pod: names are used again, uids are not',

-- @container_columns
(
    @life_columns@
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

-- @containers
SELECT
    l.cluster AS cluster, l.namespace AS namespace, nullIf(l.life_metadata.5, '') AS workload_kind, nullIf(l.life_metadata.6, '') AS workload,
    l.life_pod AS pod, l.pod_uid AS pod_uid, l.container AS container, ['', 'app', 'init', 'sidecar', 'ephemeral'][l.kind + 1] AS kind,
    if(l.container_id_text = '', lower(hex(l.container_id)), l.container_id_text) AS container_id, nullIf(l.runtime, '') AS runtime,
    nullIf(l.image, '') AS image, nullIf(l.image_id, '') AS image_id, nullIf(l.life_node, '') AS node,
    arrayMap(ip -> if(startsWith(toString(ip), '::ffff:'), substring(toString(ip), 8), toString(ip)), arraySort((ip, sight) -> sight, mapKeys(l.life_ips), mapValues(l.life_ips))) AS pod_ips,
    l.restart AS restart,
    nullIf(toDateTime64(l.started_at, 6, 'UTC'), @none@) AS started_at,
    multiIf(l.ended.2 != toDateTime(0, 'UTC'), toDateTime64(l.ended.2, 6, 'UTC'), l.known_end != @never@ AND NOT l.pending, l.known_end, NULL) AS ended_at,
    toBool(l.ended.2 != toDateTime(0, 'UTC')) AS end_seen,
    if(l.ended.1, l.ended.3, NULL) AS exit_code, if(l.ended.4 != 0, l.ended.4, NULL) AS signal, nullIf(l.ended.5, '') AS reason,
    nullIf(toDateTime64(l.life_created_at, 6, 'UTC'), @none@) AS pod_created_at, nullIf(toDateTime64(l.life_removed_at, 6, 'UTC'), @none@) AS pod_removed_at,
    if(l.pending, NULL, nullIf(l.why.2, '')) AS ended_by, if(l.pending, NULL, nullIf(l.why.1, '')) AS ended_why, CAST(NULL, 'Nullable(String)') AS ended_cause,
    arrayConcat(
        if(l.life_metadata.7, ['workload inferred'], []),
        if(l.ended.2 = toDateTime(0, 'UTC') AND (l.ended.1 OR l.known_end != @never@ OR l.pending), ['end not confirmed'], [])) AS unknown,
    CAST(l.life_metadata.2, 'Map(String, String)') AS labels, toBool(l.life_host_network) AS host_network,
    l.began_at AS began_at, nullIf(l.over_at, @never@) AS over_at, toBool(l.pending) AS pending
FROM

-- @pod_columns
(
    @life_columns@
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
    phase            Nullable(String)              COMMENT 'the furthest that is known: Unknown, Pending, Running, Succeeded or Failed',
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

-- @pods
SELECT
    l.cluster AS cluster, l.namespace AS namespace, nullIf(l.life_metadata.5, '') AS workload_kind, nullIf(l.life_metadata.6, '') AS workload,
    l.pod AS pod, l.pod_uid AS pod_uid, nullIf(l.known_node, '') AS node,
    arrayMap(ip -> if(startsWith(toString(ip), '::ffff:'), substring(toString(ip), 8), toString(ip)), arraySort((ip, sight) -> sight, mapKeys(l.life_ips), mapValues(l.life_ips))) AS pod_ips,
    CAST(l.life_metadata.2, 'Map(String, String)') AS labels, nullIf(l.service_account, '') AS service_account,
    nullIf(toDateTime64(l.created_at, 6, 'UTC'), @none@) AS created_at,
    nullIf(if(l.creator.2 = '', l.creator.1, concat(l.creator.1, ' as ', l.creator.2)), '') AS created_by,
    nullIf(toDateTime64(l.scheduled_at, 6, 'UTC'), @none@) AS scheduled_at, nullIf(toDateTime64(l.pod_started_at, 6, 'UTC'), @none@) AS started_at,
    nullIf(toDateTime64(l.asked_first.1, 6, 'UTC'), @never@) AS delete_asked_at,
    nullIf(if(l.asked_first.3 = '', l.asked_first.2, concat(l.asked_first.2, ' as ', l.asked_first.3)), '') AS delete_asked_by,
    nullIf(toDateTime64(l.life_removed_at, 6, 'UTC'), @none@) AS removed_at, nullIf(['', 'Unknown', 'Pending', 'Running', 'Succeeded', 'Failed'][l.phase + 1], '') AS phase,
    -- Before it has ended, or finished, there is none.
    if((l.pod_end = @never@ OR l.pending) AND l.life_terminal_at = @never@, NULL, nullIf(l.pod_by, '')) AS ended_by,
    if((l.pod_end = @never@ OR l.pending) AND l.life_terminal_at = @never@, NULL, nullIf(l.pod_why, '')) AS ended_why, CAST(NULL, 'Nullable(String)') AS ended_cause,
    toUInt64(arraySum(mapValues(l.restarts)) + length(l.restarts)) AS containers, toUInt64(arraySum(mapValues(l.restarts))) AS restarts,
    arrayConcat(
        if(l.life_metadata.7, ['workload inferred'], []),
        if(l.creator.1 = '', ['created unseen'], []),
        if(l.created_at = toDateTime(0, 'UTC') AND l.phase = 0 AND empty(l.restarts) AND empty(l.waiting.2), ['metadata only'], []),
        if(l.truncated OR l.life_means.4, ['truncated'], []),
        if(l.life_removed_at = @none@ AND l.known_end != @never@ AND NOT l.pending, ['removal unseen'], []),
        if(l.pending, ['end not confirmed'], []),
        if(l.unseen > 0, [concat(toString(l.unseen), ' instances unseen')], []),
        arrayMap(w -> concat(w.1, ' not started: ', w.2), arrayFilter(w -> NOT mapContains(l.restarts, w.1), l.waiting.2))) AS unknown,
    toBool(l.host_network) AS host_network,
    l.began_at AS began_at, nullIf(l.over_at, @never@) AS over_at, toBool(l.pending) AS pending
FROM

-- @history_between
filed_from < {until:DateTime64(6, 'UTC')} AND (
    class = 0 AND filed_from >= toDateTime(greatest({since:DateTime64(6, 'UTC')}, toDateTime64(64, 6, 'UTC')), 'UTC') - 64 OR
    class = 1 AND filed_from >= toDateTime(greatest({since:DateTime64(6, 'UTC')}, toDateTime64(256, 6, 'UTC')), 'UTC') - 256 OR
    class = 2 AND filed_from >= toDateTime(greatest({since:DateTime64(6, 'UTC')}, toDateTime64(1024, 6, 'UTC')), 'UTC') - 1024 OR
    class = 3 AND filed_from >= toDateTime(greatest({since:DateTime64(6, 'UTC')}, toDateTime64(4096, 6, 'UTC')), 'UTC') - 4096 OR
    class = 4 AND filed_from >= toDateTime(greatest({since:DateTime64(6, 'UTC')}, toDateTime64(16384, 6, 'UTC')), 'UTC') - 16384 OR
    class = 5 AND filed_from >= toDateTime(greatest({since:DateTime64(6, 'UTC')}, toDateTime64(65536, 6, 'UTC')), 'UTC') - 65536 OR
    class = 6 AND filed_from >= toDateTime(greatest({since:DateTime64(6, 'UTC')}, toDateTime64(262144, 6, 'UTC')), 'UTC') - 262144 OR
    class = 7 AND filed_from >= toDateTime(greatest({since:DateTime64(6, 'UTC')}, toDateTime64(1048576, 6, 'UTC')), 'UTC') - 1048576 OR
    class = 8 AND filed_from >= toDateTime(greatest({since:DateTime64(6, 'UTC')}, toDateTime64(4194304, 6, 'UTC')), 'UTC') - 4194304 OR
    class = 9 AND filed_from >= toDateTime(greatest({since:DateTime64(6, 'UTC')}, toDateTime64(16777216, 6, 'UTC')), 'UTC') - 16777216 OR
    class = 10 AND filed_from >= toDateTime(greatest({since:DateTime64(6, 'UTC')}, toDateTime64(67108864, 6, 'UTC')), 'UTC') - 67108864 OR
    class = 11)

-- @facts_since
slot >= (SELECT slot FROM checkpoint)

-- @between
l.began_at < {until:DateTime64(6, 'UTC')} AND l.over_at > {since:DateTime64(6, 'UTC')}

-- @slots_read
slot >= (SELECT max(slot) FROM checkpoints WHERE slot < {until:DateTime('UTC')}) AND slot < {until:DateTime('UTC')}

-- @joined_pods
-- Pods that history has something of, which is to be joined: of which something came late, or which have ended and of which instances
-- were settled before.
FROM facts
        WHERE @slots_read@ AND pod_uid >= {first:UUID} AND (pod_uid < {next:UUID} OR {next:UUID} = toUUID('ffffffff-ffff-ffff-ffff-ffffffffffff'))
        GROUP BY pod_uid
        HAVING max(late) OR max(timely) = 3 AND (max(removed_at) != @none@ OR min(gone).1 != @never@ OR min(if(container = '', not_after, @never@)) != @never@)

-- @of_joined_pods
uid_head IN (SELECT toUInt32(bitShiftRight(toUInt128(pod_uid), 96)) @joined_pods@)
        AND pod_uid IN (SELECT pod_uid @joined_pods@)

-- @names_piece
(cluster > {first_cluster:String} OR cluster = {first_cluster:String} AND namespace >= {first_namespace:String})
            AND ({is_last:Bool} OR cluster < {next_cluster:String} OR cluster = {next_cluster:String} AND namespace < {next_namespace:String})

-- @said_here
(SELECT * FROM bygone.said_names(until = {until:DateTime('UTC')}) WHERE @names_piece@)
