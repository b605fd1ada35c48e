-- Requests to running pods, one row each. FINAL merges the events of one request.

CREATE OR REPLACE VIEW sessions
@sessions_view@
AS
@sessions@ FROM session_events AS t FINAL;

-- What was open at any time in a range.
CREATE OR REPLACE VIEW sessions_between
@sessions_view@
AS
@sessions@ FROM session_events AS t FINAL
WHERE t.began_at < @until@
    AND (t.over_at = toDateTime64(0, 6, 'UTC') OR t.over_at > @since@)
