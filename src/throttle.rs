//! Throttle: the same line of the log is written once, or once in a while, and not as often as its cause comes back.
//!
//! In: an occurrence. Out: whether a line about it is due, and the number of occurrences that it covers.
//!
//! Nothing can go wrong. Never here: the text of a line, and how serious it is.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::time::Instant;

/// Writes a line at once, then at most one per interval, which covers everything since the previous one.
#[derive(Debug)]
pub struct Throttle {
    every: Duration,
    written: Option<Instant>,
    suppressed: u64,
}

impl Default for Throttle {
    /// Once a minute.
    fn default() -> Throttle {
        Throttle::new(Duration::from_secs(60))
    }
}

impl Throttle {
    pub fn new(every: Duration) -> Throttle {
        Throttle {
            every,
            written: None,
            suppressed: 0,
        }
    }

    /// Counts `more`. Where a line is due now: the count since the one before, with these.
    pub fn due(&mut self, more: u64, now: Instant) -> Option<u64> {
        self.suppressed += more;
        if !self.is_idle(now) {
            return None;
        }
        self.written = Some(now);
        Some(std::mem::take(&mut self.suppressed))
    }

    /// Whether the next would be written.
    pub fn is_idle(&self, now: Instant) -> bool {
        let age = |written| now.saturating_duration_since(written);
        self.written
            .is_none_or(|written| age(written) >= self.every)
    }
}

/// Trouble that lasts: written when it begins, and when it is over.
#[derive(Debug, Default)]
pub struct Episode(AtomicBool);

impl Episode {
    /// It is there. Whether that is new.
    pub fn begins(&self) -> bool {
        !self.0.swap(true, Ordering::Relaxed)
    }

    /// It is not there. Whether it was.
    pub fn ends(&self) -> bool {
        self.0.swap(false, Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_is_written_at_once_and_the_next_with_those_between() {
        let mut throttle = Throttle::default();
        let begin = Instant::now();
        let mut due = |more, second| throttle.due(more, begin + Duration::from_secs(second));
        assert_eq!(due(2, 0), Some(2));
        assert_eq!(due(3, 1), None);
        assert_eq!(due(1, 59), None);
        assert_eq!(due(4, 60), Some(8));
        assert_eq!(due(1, 61), None);
    }

    #[test]
    fn an_episode_begins_and_ends_once() {
        let episode = Episode::default();
        assert!(!episode.ends());
        assert!(episode.begins());
        assert!(!episode.begins());
        assert!(episode.ends());
        assert!(!episode.ends());
        assert!(episode.begins());
    }
}
