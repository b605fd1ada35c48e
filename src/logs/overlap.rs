//! The end of an instance's lines once more: what an agent wrote late is found, and no line is given twice.
//!
//! Each answer begins [`LATE`] before the newest line that was given, or before the last time the store was asked if
//! that was earlier. Of the lines since then a hash is held, at most so many: with more lines the next answer begins
//! later.

use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};

use jiff::{SignedDuration, Timestamp};

use super::line::Line;
use super::span::{earlier, later};

/// How late an agent may write a line that is still found.
pub const LATE: SignedDuration = SignedDuration::from_secs(60);

/// Lines that were given, as far as they may come again.
#[derive(Debug)]
pub struct Overlap {
    given: BTreeMap<Timestamp, Vec<u64>>,
    count: usize,
    count_max: usize,
    /// Of these, those that the present answer has not repeated yet.
    to_come: HashMap<(Timestamp, u64), u32>,
    newest: Option<Timestamp>,
    /// What is older is neither asked for nor given.
    begin: Timestamp,
}

impl Overlap {
    pub fn new(count_max: usize) -> Overlap {
        Overlap {
            given: BTreeMap::new(),
            count: 0,
            count_max,
            to_come: HashMap::new(),
            newest: None,
            begin: Timestamp::MIN,
        }
    }

    /// Holds at most so many from now on.
    pub fn set_max(&mut self, count_max: usize) {
        self.count_max = count_max;
        self.shrink();
    }

    /// Where the next answer has to begin. `asked_at` is when the store was asked last.
    pub fn begin(&mut self, asked_at: Timestamp) -> Timestamp {
        let mark = self.newest.map_or(asked_at, |newest| newest.min(asked_at));
        self.begin = self.begin.max(earlier(mark, LATE));
        let recent = self.given.split_off(&self.begin);
        self.given = recent;
        self.count = self.given.values().map(Vec::len).sum();
        self.to_come.clear();
        for (at, hashes) in &self.given {
            for hash in hashes {
                *self.to_come.entry((*at, *hash)).or_default() += 1;
            }
        }
        self.begin
    }

    /// Whether this line was not given yet. Every line of every answer goes through here.
    pub fn is_new(&mut self, line: &Line) -> bool {
        if line.at < self.begin {
            return false;
        }
        let mut hasher = DefaultHasher::new();
        (&line.stream, &line.text).hash(&mut hasher);
        let hash = hasher.finish();
        if let Some(count) = self.to_come.get_mut(&(line.at, hash))
            && *count > 0
        {
            *count -= 1;
            return false;
        }
        self.given.entry(line.at).or_default().push(hash);
        self.count += 1;
        self.newest = self.newest.max(Some(line.at));
        self.shrink();
        true
    }

    /// Forgets the oldest instants where there are too many lines.
    fn shrink(&mut self) {
        while self.count > self.count_max
            && let Some((at, hashes)) = self.given.pop_first()
        {
            self.count -= hashes.len();
            self.begin = later(at, SignedDuration::from_nanos(1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn new(overlap: &mut Overlap, lines: &[(i64, &str)]) -> Vec<bool> {
        let lines = lines
            .iter()
            .map(|(second, text)| Line::new(at(*second), "", (*text).into()));
        lines.map(|line| overlap.is_new(&line)).collect()
    }

    #[test]
    fn late_lines_are_new_and_others_come_once() {
        let mut overlap = Overlap::new(100);
        let first = [(900, "old"), (1000, "a"), (1000, "a"), (1010, "b")];
        assert_eq!(new(&mut overlap, &first), [true; 4]);
        assert_eq!(overlap.begin(at(1100)), at(950));
        // One that was written late, and one more of a text that was given twice.
        let second = [
            (960, "late"),
            (1000, "a"),
            (1000, "a"),
            (1000, "a"),
            (1010, "b"),
            (1011, "c"),
        ];
        assert_eq!(
            new(&mut overlap, &second),
            [true, false, false, true, false, true]
        );
        overlap.begin(at(1100));
        assert_eq!(new(&mut overlap, &second[..2]), [false, false]);
    }

    /// A clock that is ahead does not hide what others write; one that is behind is waited for.
    #[test]
    fn clocks() {
        let mut ahead = Overlap::new(100);
        new(&mut ahead, &[(5000, "a")]);
        assert_eq!(ahead.begin(at(1000)), at(940));
        let mut behind = Overlap::new(100);
        new(&mut behind, &[(500, "a")]);
        assert_eq!(behind.begin(at(1000)), at(440));
        assert_eq!(Overlap::new(100).begin(at(1000)), at(940));
    }

    #[test]
    fn of_many_lines_the_newest_are_held() {
        let mut overlap = Overlap::new(3);
        let lines = [(1, "a"), (2, "b"), (3, "c"), (3, "d"), (4, "e")];
        assert_eq!(new(&mut overlap, &lines), [true; 5]);
        assert_eq!(overlap.begin(at(10)), at(2) + SignedDuration::from_nanos(1));
        // What was forgotten is not given again.
        assert_eq!(new(&mut overlap, &lines), [false; 5]);
        let crowd: Vec<(i64, &str)> = vec![(9, "same"); 10];
        new(&mut overlap, &crowd);
        assert!(overlap.count <= 3);
        overlap.begin(at(10));
        assert_eq!(new(&mut overlap, &[(9, "same"), (10, "f")]), [false, true]);
    }
}
