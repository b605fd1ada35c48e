-- What a settling works on: the facts before {until}, of the pods whose uid is in [first, next), folded to one row for each pod and
-- container instance, joined with history where a late fact came or an earlier instance is there, and judged:
--
--     settle   it has ended, and nothing was heard of it, or of its pod if that has ended too, for ten minutes: into history
--     forget   it has no known end and nobody spoke of its pod since {forget}
--     carry    all else: into the next slot
--
-- Every step of a settling may be repeated, by several processes at once: what it reads was fixed when the slot had passed, and
-- equal rows merge. Its statements stand in settle/.

CREATE VIEW IF NOT EXISTS settling AS
SELECT l.*,
    multiIf(l.pod_end != @never@, if(l.life_heard_at < {until:DateTime('UTC')} - 600, 'settle', 'carry'),
            l.known_end != @never@, if(l.heard_at < {until:DateTime('UTC')} - 600, 'settle', 'carry'),
            l.life_last_seen < {forget:DateTime64(6, 'UTC')}, 'forget', 'carry') AS verdict,
    least(toDateTime(least(l.began_at, l.known_end), 'UTC'), l.settled_from) AS filed_from,
    greatest(toDateTime(l.known_end + toIntervalMicrosecond(999999), 'UTC'), l.settled_until) AS filed_until,
    arrayCount(bound -> toInt64(toUnixTimestamp(filed_until)) - toUnixTimestamp(filed_from) > bound, @bounds@) AS class
FROM (@lives_from@
    @fact_rows@ WHERE @slots_read@ AND pod_uid >= {first:UUID} AND (pod_uid < {next:UUID} OR {next:UUID} = toUUID('ffffffff-ffff-ffff-ffff-ffffffffffff'))
    UNION ALL
    @pod_rows@ WHERE @of_joined_pods@
    UNION ALL
    @container_rows@ WHERE @of_joined_pods@
@lives_end@) AS l
SETTINGS min_table_rows_to_use_projection_index = 0, @fold_settings@;

-- Whose names a settling reads: the pods with facts before {until}, and those that have ended. A name is used again by a pod that
-- in a cluster may lie on another shard, so there these two are read over all shards.
CREATE VIEW IF NOT EXISTS heard_names AS
SELECT cluster, namespace, pod_uid, max(f.pod) AS pod, max(f.created_at) AS created_at,
    max(f.removed_at) = @none@ AS open, min(f.gone) AS gone,
    toUnixTimestamp(if(created_at != toDateTime(0, 'UTC'), created_at, toDateTime(min(f.first_seen)))) AS second
FROM facts AS f
WHERE @slots_read@ AND container = '' AND empty(f.named)
GROUP BY cluster, namespace, pod_uid
HAVING pod != '';

-- What events said of names, before {until}. In a cluster a row about a name may lie on another shard than the pods that had it.
CREATE VIEW IF NOT EXISTS said_names AS
@fact_rows@ WHERE @slots_read@ AND notEmpty(named);

CREATE VIEW IF NOT EXISTS settled_names AS
SELECT cluster, namespace, pod_uid, pod, filed_from + created AS created_at, 0 AS open, @not_gone@ AS gone, toUnixTimestamp(created_at) AS second
FROM pod_history
WHERE created != -2147483648
