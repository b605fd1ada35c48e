-- Requests to pods that are there, one row each. FINAL merges what the events of one request say.

CREATE OR REPLACE VIEW sessions
@sessions_view@
AS
@sessions@ FROM session_events AS t FINAL;

-- What was open at some instant between two.
CREATE OR REPLACE VIEW sessions_between
@sessions_view@
AS
@sessions@ FROM session_events AS t FINAL
WHERE t.began_at < @until@
    AND (t.over_at = toDateTime64(0, 6, 'UTC') OR t.over_at > @since@)
