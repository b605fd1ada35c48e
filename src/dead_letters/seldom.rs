//! A report that is made at most once a minute, and then for everything since the last.

use std::time::{Duration, Instant};

const REPORT_EVERY: Duration = Duration::from_secs(60);

#[derive(Default)]
pub struct Seldom {
    told: Option<Instant>,
    untold: u64,
}

impl Seldom {
    /// Counts `more`. Answers with the count since the last report when one is due.
    pub fn due(&mut self, more: u64) -> Option<u64> {
        self.untold += more;
        if self.told.is_some_and(|told| told.elapsed() < REPORT_EVERY) {
            return None;
        }
        self.told = Some(Instant::now());
        Some(std::mem::take(&mut self.untold))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_is_told_at_once_and_the_next_with_what_follows() {
        let mut seldom = Seldom::default();
        assert_eq!(seldom.due(2), Some(2));
        assert_eq!(seldom.due(3), None);
        seldom.told = seldom.told.and_then(|told| told.checked_sub(REPORT_EVERY));
        assert_eq!(seldom.due(4), Some(7));
    }
}
