-- Events that named a pod: which pod it was is told as a fact, once, and so outlives the row about the name. It counts as late: the pod
-- may be in history already. Pods of history are looked up for late rows about names alone.
INSERT INTO facts (cluster, namespace, pod_uid, heard_at, late, timely, first_seen, last_seen, not_after,
    pod, node, created_by, delete_asked, evict_asked, force_asked, truncated, removed_at)
SELECT cluster, namespace, pod_uid, toDateTime(0, 'UTC'), 1, 0, @never@, @none@, name_gone_at,
    pod, meant_node, if(create_named, (last_create.3, last_create.4), ('', '')),
    name_asked, name_evict_asked, name_force_asked, name_truncated, if(name_removed_at = @never@, @none@, name_removed_at)
FROM
(
SELECT *,
    arrayPushBack(arrayMap(e -> (toDateTime64(e.1, 3, 'UTC'), e.3, e.4), arrayFilter(e -> e.2 IN ('ask', 'force', 'evict'), name_meant)), @unasked@)[1] AS name_asked,
    arrayPushBack(arrayMap(e -> (toDateTime64(e.1, 3, 'UTC'), e.3, e.4), arrayFilter(e -> e.2 = 'evict', name_meant)), @unasked@)[1] AS name_evict_asked,
    arrayPushBack(arrayMap(e -> (toDateTime64(e.1, 3, 'UTC'), e.3, e.4), arrayFilter(e -> e.2 = 'force', name_meant)), @unasked@)[1] AS name_force_asked,
    if(life_node != '', life_node, substring(arrayPushBack(arrayMap(e -> e.3, arrayFilter(e -> e.2 = 'status', name_meant)), '')[1], 13)) AS meant_node,
    arrayExists(e -> e.2 = 'truncated', name_meant) AS name_truncated,
    -- Gone: it was not there any more, or another one was created. A pod that no kubelet has to end goes when it is asked to.
    least(next_create_at, arrayMin(arrayPushBack(arrayMap(e -> e.1, arrayFilter(e -> e.2 = 'gone' AND e.1 > pivot, name_says)), @never@)),
          if(life_terminal_at < name_asked.1 OR meant_node = '' AND life_scheduled_at = @none@, toDateTime64(name_asked.1, 6, 'UTC'), @never@)) AS name_gone_at
FROM
(
SELECT *,
    arrayMin(arrayPushBack(arrayMap(e -> e.1, arrayFilter(e -> e.2 IN ('remove', 'force'), name_said)), @never@)) AS name_removed_at,
    arrayFilter(e -> e.1 <= name_removed_at, name_said) AS name_meant
FROM
(
SELECT *,
    multiIf(create_named, last_create.1, life_created_at != toDateTime(0, 'UTC'), toDateTime64(life_created_at, 6, 'UTC'), life_first_seen) AS meant_from,
    least(if(life_removed_at != @none@, toDateTime64(life_removed_at, 6, 'UTC') + toIntervalMillisecond(1), @never@), next_create_at, replaced_at) AS name_until,
    arraySort(arrayFilter(e -> e.1 >= meant_from AND e.1 <= name_until, name_says)) AS name_said
FROM
(
SELECT *,
    -- What events said of the pod that had this name then. Its time in the name begins with its creation, and ends with its removal
    -- or with the next creation. `pivot` is an instant at which it had surely been created.
    arraySort(e -> -toUnixTimestamp64Micro(e.1), arrayFilter(e -> e.2 = 'create' AND e.1 <= pivot, name_says))[1] AS last_create,
    arrayMax(arrayPushBack(arrayMap(e -> e.1, arrayFilter(e -> e.2 IN ('remove', 'force') AND e.1 <= pivot, name_says)), @none@)) AS last_remove_at,
    last_create.2 != '' AND if(life_created_at != toDateTime(0, 'UTC'), last_create.1 >= toDateTime64(life_created_at, 6, 'UTC') - toIntervalSecond(1), last_create.1 > last_remove_at) AS create_named,
    arrayMin(arrayPushBack(arrayMap(e -> e.1, arrayFilter(e -> e.2 = 'create' AND e.1 > pivot, name_says)), @never@)) AS next_create_at
FROM
(
SELECT *,
    if(life_created_at != toDateTime(0, 'UTC'), name_from + toIntervalMicrosecond(999999), name_from) AS pivot
FROM (@lives_from@
    SELECT * FROM bygone.said_names(until = {until:DateTime('UTC')})
    UNION ALL
    @fact_rows@ WHERE @slots_read@ AND container = '' AND empty(named) AND (cluster, namespace, pod_uid) IN (
        SELECT cluster, namespace, pod_uid FROM facts WHERE @slots_read@ AND container = '' AND empty(named) AND (cluster, namespace, pod) GLOBAL IN (
            SELECT cluster, namespace, pod FROM bygone.said_names(until = {until:DateTime('UTC')})))
    UNION ALL
    @pod_rows@ WHERE (cluster, namespace) GLOBAL IN (SELECT cluster, namespace FROM bygone.said_names(until = {until:DateTime('UTC')}) WHERE late)
        AND pod GLOBAL IN (SELECT pod FROM bygone.said_names(until = {until:DateTime('UTC')}) WHERE late)
@lives_end@)
WHERE notEmpty(name_says) AND pod != ''
)
)
)
)
)
WHERE name_gone_at < least(not_after, if(removed_at != @none@, toDateTime64(removed_at, 6, 'UTC'), @never@)) OR node != meant_node OR create_named AND created_by.1 = ''
    OR name_asked.1 < delete_asked.1 OR name_evict_asked.1 < evict_asked.1 OR name_force_asked.1 < force_asked.1
    OR name_truncated AND NOT truncated OR removed_at = @none@ AND name_removed_at != @never@
