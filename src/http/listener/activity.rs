//! The state of one connection, and its deadlines.
//!
//! hyper's own header timeout can't distinguish a connection that is idle between two requests from one that
//! dribbles a header, has nothing for the moment before it knows the protocol, and nothing for a
//! client that does not read. This clock covers all four with one rule: see [`Activity::verdict`].

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// How long a connection without a request may stay while others wait for a slot.
const CROWDED_SECONDS_MAX: u64 = 1;

/// Timeouts of a connection.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    /// From the connection's or the header's first byte to the header's last.
    pub header: Duration,
    /// Between two requests, and between two parts of an answer that the client takes.
    pub idle: Duration,
}

/// The state of a connection, shared by its driver, its wire and its requests.
pub struct Activity {
    timeouts: Timeouts,
    state: Mutex<State>,
}

struct State {
    /// When something last happened that counts as progress.
    moved: Instant,
    /// When the first byte came of a header that is not complete.
    heading: Option<Instant>,
    /// Requests whose answer has not been taken to its end.
    under_way: usize,
    /// Those of them whose handler has not answered yet.
    at_work: usize,
    /// Whether there was a request at all.
    served: bool,
    /// HTTP/2: bytes that arrive between requests need not be a header.
    multiplexed: bool,
}

/// The verdict on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing yet; check again at this instant.
    Until(Instant),
    /// It has no request and is asked to close.
    Rest,
    /// It makes no progress, and is closed.
    Stuck(&'static str),
}

impl Activity {
    pub fn new(timeouts: Timeouts) -> Arc<Activity> {
        let now = Instant::now();
        Arc::new(Activity {
            timeouts,
            state: Mutex::new(State {
                moved: now,
                heading: Some(now),
                under_way: 0,
                at_work: 0,
                served: false,
                multiplexed: false,
            }),
        })
    }

    /// Bytes came in.
    pub fn received(&self) {
        let mut state = self.state();
        let between = state.under_way == 0 && !state.multiplexed;
        if between && state.heading.is_none() {
            state.heading = Some(Instant::now());
        }
    }

    /// A request's header is complete. The guard is given back with the answer's last part.
    pub fn begin(self: &Arc<Self>, multiplexed: bool) -> InFlight {
        let mut state = self.state();
        state.heading = None;
        state.served = true;
        state.multiplexed = multiplexed;
        state.under_way += 1;
        state.at_work += 1;
        InFlight {
            activity: Arc::clone(self),
            at_work: true,
        }
    }

    /// Judges the connection.
    ///
    /// While a handler is at work nothing is cut here: a slow body ends by its own rate, and what
    /// a handler waits for has its own limits.
    pub fn verdict(&self, now: Instant, crowded: bool) -> Verdict {
        let state = self.state();
        let crowd = Duration::from_secs(CROWDED_SECONDS_MAX);
        let shortened = |limit: Duration| if crowded { limit.min(crowd) } else { limit };
        // A state that begins right after this look must not be missed: none has a shorter limit.
        let soon = now + shortened(self.timeouts.header.min(self.timeouts.idle));
        let (since, limit, end) = if state.at_work > 0 {
            return Verdict::Until(soon);
        } else if state.under_way > 0 {
            (
                state.moved,
                self.timeouts.idle,
                Verdict::Stuck("the client did not read the response"),
            )
        } else if let Some(heading) = state.heading {
            let limit = shortened(self.timeouts.header);
            (
                heading,
                limit,
                Verdict::Stuck("the request header did not arrive"),
            )
        } else {
            (state.moved, shortened(self.timeouts.idle), Verdict::Rest)
        };
        match since + limit {
            deadline if deadline > now => Verdict::Until(deadline.min(soon)),
            _ => end,
        }
    }

    /// Whether nothing is lost when this connection is closed.
    #[cfg(test)]
    pub fn rests(&self) -> bool {
        self.state().under_way == 0
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request that is under way, until this is dropped.
pub struct InFlight {
    activity: Arc<Activity>,
    at_work: bool,
}

impl InFlight {
    /// The handler has answered; the answer's parts follow.
    pub fn answered(&mut self) {
        if std::mem::take(&mut self.at_work) {
            let mut state = self.activity.state();
            state.at_work -= 1;
            state.moved = Instant::now();
        }
    }

    /// The client's side took a part of the answer.
    pub fn moved(&self) {
        self.activity.state().moved = Instant::now();
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.answered();
        let mut state = self.activity.state();
        state.under_way -= 1;
        state.moved = Instant::now();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMEOUTS: Timeouts = Timeouts {
        header: Duration::from_secs(10),
        idle: Duration::from_secs(120),
    };

    fn after(seconds: u64) -> Instant {
        Instant::now() + Duration::from_secs(seconds)
    }

    #[tokio::test(start_paused = true)]
    async fn each_state_has_its_limit() {
        let activity = Activity::new(TIMEOUTS);
        let check = |seconds, crowded, expected: &str| {
            let verdict = match activity.verdict(after(seconds), crowded) {
                Verdict::Until(_) => "goes on",
                Verdict::Rest => "rests",
                Verdict::Stuck(reason) => reason,
            };
            assert_eq!(verdict, expected, "after {seconds} s");
        };
        check(9, false, "goes on");
        check(10, false, "the request header did not arrive");
        check(1, true, "the request header did not arrive");

        let mut in_flight = activity.begin(false);
        assert!(!activity.rests());
        check(1000, true, "goes on");
        in_flight.answered();
        check(119, true, "goes on");
        check(120, false, "the client did not read the response");
        tokio::time::advance(Duration::from_secs(100)).await;
        in_flight.moved();
        check(119, false, "goes on");
        drop(in_flight);
        assert!(activity.rests());

        check(119, false, "goes on");
        check(120, false, "rests");
        check(1, true, "rests");
        activity.received();
        check(10, false, "the request header did not arrive");
    }

    #[tokio::test(start_paused = true)]
    async fn frames_between_http2_requests_are_no_header() {
        let activity = Activity::new(TIMEOUTS);
        drop(activity.begin(true));
        activity.received();
        assert!(matches!(
            activity.verdict(after(119), false),
            Verdict::Until(_)
        ));
        assert_eq!(activity.verdict(after(120), false), Verdict::Rest);
    }
}
