-- The names that something said of their namespace at {at} may be about: of all pods that are open or ended just now, of
-- those that are in the log, of those of which the end is not confirmed, and, where it came late, of those that were there then or
-- whose removal was not seen.
SELECT DISTINCT pod
FROM
(
    SELECT pod FROM recent_pods WHERE cluster = {cluster:String} AND namespace = {scope:String}
    UNION DISTINCT
    SELECT pod FROM facts WHERE cluster = {cluster:String} AND namespace = {scope:String} AND pod != ''
    UNION DISTINCT
    SELECT pod
    FROM ended_pods
    WHERE cluster = {cluster:String}
        AND namespace = {scope:String}
        AND (
            has(unknown, 'end not confirmed')
            OR {late:Bool}
            AND began_at <= {at:DateTime64(6, 'UTC')}
            AND (removed_at IS NULL OR over_at >= {at:DateTime64(6, 'UTC')}))
)
