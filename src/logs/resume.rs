//! Going on where an answer broke off, or where a page ended: without a line lost, and without one twice.
//!
//! Stores find lines by time, and many lines may have one time. So the time of the last line is asked for once more,
//! and of its lines those are left out that were given.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use jiff::Timestamp;

use super::line::Line;

/// What was given of the last instant.
#[derive(Debug, Default)]
pub struct Resume {
    at: Option<Timestamp>,
    /// By their hash; lines may be equal.
    given: HashMap<u64, u32>,
    /// Of these, those that a new answer has not repeated yet.
    to_come: HashMap<u64, u32>,
}

impl Resume {
    /// Where the next answer has to begin, both ends inclusive; `None` where nothing was given.
    pub fn begin(&mut self) -> Option<Timestamp> {
        self.to_come = self.given.clone();
        self.at
    }

    /// Whether this line was not given yet. Every line of every answer goes through here, in order.
    pub fn is_new(&mut self, line: &Line) -> bool {
        if self.at != Some(line.at) {
            self.at = Some(line.at);
            self.given.clear();
            self.to_come.clear();
        }
        let mut hasher = DefaultHasher::new();
        (&line.stream, &line.text).hash(&mut hasher);
        let hash = hasher.finish();
        if let Some(count) = self.to_come.get_mut(&hash).filter(|count| **count > 0) {
            *count -= 1;
            return false;
        }
        *self.given.entry(hash).or_default() += 1;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(at: i64, text: &str) -> Line {
        Line::new(Timestamp::from_second(at).unwrap(), "", text.into())
    }

    #[test]
    fn a_new_answer_repeats_the_last_instant_and_nothing_comes_twice() {
        let mut resume = Resume::default();
        assert_eq!(resume.begin(), None);
        for (at, text) in [(1, "a"), (2, "b"), (2, "c"), (2, "b")] {
            assert!(resume.is_new(&line(at, text)), "{text}");
        }
        // Broken off. The store may give lines of one instant in another order, and some more.
        assert_eq!(resume.begin(), Some(Timestamp::from_second(2).unwrap()));
        let again = [(2, "b"), (2, "d"), (2, "b"), (2, "c"), (2, "b"), (3, "b")];
        let new = again.map(|(at, text)| resume.is_new(&line(at, text)));
        assert_eq!(new, [false, true, false, false, true, true]);
        // And once more, at the instant that the second answer came to.
        assert_eq!(resume.begin(), Some(Timestamp::from_second(3).unwrap()));
        assert!(!resume.is_new(&line(3, "b")));
        assert!(resume.is_new(&line(3, "b")));
    }
}
