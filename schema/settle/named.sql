-- Events that named a pod, or all pods of a namespace: which pods they meant is told as facts, and so outlives the rows about names.
-- These count as late: the pod may be in history already. Of history only the pods are read whose name, or whose namespace, something
-- late was said of.
--
-- One piece at a time: a range of namespaces.
--
-- What proves an end (gone) stays true whatever else becomes known. All else (means) may turn out to have been said of another pod of
-- the name, so the newest settling's judgement replaces the one before. Only what was said before {horizon} is kept from it: those rows
-- are no longer here.
INSERT INTO facts (cluster, namespace, pod_uid, heard_at, late, timely, first_seen, last_seen, gone, pod, asked_event, means)
SELECT cluster, namespace, pod_uid, toDateTime(0, 'UTC'), 1, 0, @never@, @none@, name_gone, pod, if(meant_asked.1 = name_event.1, name_event, @no_event@),
    (toUnixTimestamp({until:DateTime('UTC')}), judged.1, judged.2, judged.3, judged.4, judged.5, judged.6)
FROM
(
SELECT *,
    (if(meant_by.1 = '' AND is_old, life_means.2, meant_by), if(meant_node = '' AND is_old, life_means.3, meant_node),
        toUInt8(meant_truncated OR is_old AND life_means.4), meant_asked, meant_evict, meant_force) AS judged
FROM
(
SELECT *,
    arraySort(arrayFilter(e -> e.1 >= meant_from AND e.1 <= meant_until, says)) AS said,
    if(create_named, (last_create.3, last_create.4), ('', '')) AS meant_by,
    substring(arrayPushBack(arrayMap(e -> if(e.4 = '', e.3, e.4), arrayFilter(e -> e.2 = 'status', said)), '')[1], length('system:node:') + 1) AS meant_node,
    arrayExists(e -> e.2 = 'truncated', said) AS meant_truncated,
    arrayMap(e -> (e.2, (toDateTime64(e.1, 3, 'UTC'), e.3, e.4)), arrayFilter(e -> e.2 IN ('ask', 'force', 'evict', 'collect', 'purge'), said)) AS asks,
    arraySort(arrayPushBack(arrayMap(a -> a.2, asks), if(life_means.5.1 < {horizon:DateTime64(6, 'UTC')}, life_means.5, @unasked@)))[1] AS meant_asked,
    arraySort(arrayPushBack(arrayMap(a -> a.2, arrayFilter(a -> a.1 = 'evict', asks)), if(life_means.6.1 < {horizon:DateTime64(6, 'UTC')}, life_means.6, @unasked@)))[1] AS meant_evict,
    arraySort(arrayPushBack(arrayMap(a -> a.2, arrayFilter(a -> a.1 IN ('force', 'purge'), asks)), if(life_means.7.1 < {horizon:DateTime64(6, 'UTC')}, life_means.7, @unasked@)))[1] AS meant_force
FROM
(
SELECT *,
    multiIf(life_created_at != toDateTime(0, 'UTC'), name_from, create_named, last_create.1, name_from) AS meant_from,
    meant_from < {horizon:DateTime64(6, 'UTC')} AS is_old,
    -- It was gone when another one of its name was created, when it was not found, when whatever had its name was removed, when its namespace was
    -- empty; and a pod that has finished goes when it is asked to.
    arraySort(arrayPushBack(
        arrayMap(e -> (e.1, transform(e.2, ['remove', 'force', 'purge', 'create', 'finalize'], [toUInt8(0), toUInt8(0), toUInt8(0), toUInt8(1), toUInt8(3)], toUInt8(4))),
            arrayFilter(e -> e.1 > pivot AND (e.2 IN ('create', 'gone', 'remove', 'force', 'purge', 'finalize')
                OR e.2 IN ('ask', 'evict', 'collect') AND e.1 > life_terminal_at), says)), @not_gone@))[1] AS proven,
    if(life_removed = @none@, proven, @not_gone@) AS name_gone,
    least(name_until, proven.1) AS meant_until
FROM
(
SELECT *,
    -- An instant at which it had surely been created, and what created it.
    if(life_created_at != toDateTime(0, 'UTC'), name_from + toIntervalMicrosecond(999999), name_from) AS pivot,
    -- A deletecollection of what a selector selects: joined where that is a list of key=value and the labels are known. Other selectors are not.
    CAST(life_metadata.2, 'Map(String, String)') AS labels,
    arrayConcat(name_says, arrayFilter(e -> e.2 NOT IN ('collect', 'purge') OR e.5 = '' OR arrayAll(
        pair -> match(pair, '^[^=!()\\s]+(=|==)[^=!()\\s]*$') AND mapContains(labels, splitByChar('=', pair)[1]) AND labels[splitByChar('=', pair)[1]] = splitByChar('=', pair)[-1],
        splitByChar(',', e.5)), space_says)) AS says,
    arraySort(e -> -toUnixTimestamp64Micro(e.1), arrayFilter(e -> e.2 = 'create' AND e.1 <= pivot, says))[1] AS last_create,
    arrayMax(arrayPushBack(arrayMap(e -> e.1, arrayFilter(e -> e.2 IN ('remove', 'force', 'purge') AND e.1 <= pivot, says)), @none@)) AS last_remove_at,
    last_create.2 != '' AND if(life_created_at != toDateTime(0, 'UTC'), last_create.1 >= name_from - toIntervalSecond(1), last_create.1 > last_remove_at) AS create_named
FROM (@lives_from@
    SELECT * FROM @said_here@ WHERE pod != ''
    UNION ALL
    @fact_rows@ WHERE @slots_read@ AND @names_piece@ AND container = '' AND empty(named) AND (cluster, namespace, pod_uid) IN (
        SELECT cluster, namespace, pod_uid FROM facts WHERE @slots_read@ AND @names_piece@ AND container = '' AND empty(named) AND (
            (cluster, namespace, pod) GLOBAL IN (SELECT cluster, namespace, pod FROM @said_here@ WHERE pod != '')
            OR (cluster, namespace) GLOBAL IN (SELECT cluster, namespace FROM @said_here@ WHERE pod = '')))
    UNION ALL
    @pod_rows@ WHERE @names_piece@ AND (cluster, namespace) GLOBAL IN (SELECT cluster, namespace FROM @said_here@) AND (
        (cluster, namespace) GLOBAL IN (SELECT cluster, namespace FROM @said_here@ WHERE pod = '' AND late)
            -- What is said of a namespace is said of the pods that lived then, and of those whose end is not known.
            AND filed_from <= (SELECT max(arrayMax(arrayMap(e -> e.1, s.named))) FROM @said_here@ AS s WHERE pod = '' AND late)
            AND (class = 11 OR removed_ms = -9223372036854775808
                OR filed_from + @bounds@[class + 1] >= (SELECT min(arrayMin(arrayMap(e -> e.1, s.named))) FROM @said_here@ AS s WHERE pod = '' AND late))
        OR (cluster, namespace, pod) GLOBAL IN (SELECT cluster, namespace, pod FROM @said_here@ WHERE pod != '' AND late)
        OR (cluster, namespace, pod) IN (SELECT cluster, namespace, pod FROM facts WHERE @slots_read@ AND @names_piece@ AND container = '' AND late AND pod != ''))
@lives_end@) AS l
LEFT JOIN
(
    SELECT cluster, namespace, groupUniqArrayArray(named) AS space_says
    FROM @said_here@
    WHERE pod = ''
    GROUP BY cluster, namespace
) AS space ON space.cluster = l.cluster AND space.namespace = l.namespace
WHERE pod != '' AND notEmpty(says)
)
)
)
)
WHERE name_gone < pod_gone OR judged != (life_means.2, life_means.3, life_means.4, life_means.5, life_means.6, life_means.7)
SETTINGS @fold_settings@
