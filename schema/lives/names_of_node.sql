-- The pods that the creation or the deletion of their node at {at} may be about: of those that were filed, where it came late, or
-- where the end is not confirmed.
SELECT DISTINCT namespace, pod
FROM
(
    SELECT namespace, pod FROM recent_pods WHERE cluster = {cluster:String} AND node = {scope:String}
    UNION DISTINCT
    SELECT namespace, pod
    FROM ended_pods
    WHERE cluster = {cluster:String}
        AND node = {scope:String}
        AND (
            has(unknown, 'end not confirmed')
            OR {late:Bool}
            AND began_at <= {at:DateTime64(6, 'UTC')}
            AND removed_at IS NULL)
)
