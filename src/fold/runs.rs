//! Sets of numbers that mostly follow each other.

use serde::{Deserialize, Serialize};

/// A set of restart numbers, as sorted runs of consecutive ones.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Runs(Vec<(u32, u32)>);

impl Runs {
    pub fn insert(&mut self, number: u32) {
        self.add((number, number));
    }

    pub fn merge(&mut self, other: &Runs) {
        for run in &other.0 {
            self.add(*run);
        }
    }

    /// How many numbers it holds.
    pub fn count(&self) -> u64 {
        let lengths = self
            .0
            .iter()
            .map(|(first, last)| u64::from(last - first) + 1);
        lengths.sum()
    }

    /// The highest.
    pub fn last(&self) -> Option<u32> {
        self.0.last().map(|(_, last)| *last)
    }

    fn add(&mut self, (first, last): (u32, u32)) {
        // Those that touch it, or overlap it, become one with it.
        let from = self
            .0
            .partition_point(|run| run.1 < first.saturating_sub(1));
        let to = self
            .0
            .partition_point(|run| run.0 <= last.saturating_add(1));
        let touched = &self.0[from..to];
        let first = touched.first().map_or(first, |run| run.0.min(first));
        let last = touched.last().map_or(last, |run| run.1.max(last));
        self.0.splice(from..to, [(first, last)]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_grow_together() {
        let mut runs = Runs::default();
        for number in [5, 3, 9, 4, u32::MAX, 0, 9] {
            runs.insert(number);
        }
        assert_eq!(runs.0, [(0, 0), (3, 5), (9, 9), (u32::MAX, u32::MAX)]);
        assert_eq!(runs.count(), 6);
        let mut others = Runs(vec![(1, 2), (6, 8)]);
        others.merge(&runs);
        assert_eq!(others.0, [(0, 9), (u32::MAX, u32::MAX)]);
    }
}
