-- What the statements about lives share. `-- @name` begins a part; @name@ is replaced by it. @recent@, @ended@, @key@ (the columns
-- that make up a life), @over@ and @columns@ are put in by src/reconcile/filing.rs: once for pods, once for containers.

-- @due
@over@
    AND read_at >= {since:DateTime('UTC')}
    AND read_at < {before:DateTime('UTC')}
    AND filed_from < {ahead:DateTime('UTC')}

-- @due_keys
(cluster, namespace, pod, pod_uid) IN (SELECT cluster, namespace, pod, pod_uid FROM @recent@ WHERE @due@)

-- @place
@key@, class, filed_from, version, read_at

-- @partition
if(class < 8, toYYYYMM(filed_from), toYear(filed_from))

-- @filed
SELECT @place@
FROM @ended@
WHERE NOT moved
    AND filed_at <= {filed_until:DateTime('UTC')}
    AND (cluster, namespace, class, filed_from) IN (SELECT cluster, namespace, class, filed_from FROM @recent@ WHERE @due@)
