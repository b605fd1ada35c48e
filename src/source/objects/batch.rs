//! What came of a watch and is not stored yet.

use crate::lifecycle::watched::Moment;

/// Items are stored together up to this many bytes, or this many.
const TAKEN_BYTES: usize = 4 << 20;
const TAKEN_ITEMS: usize = 2_000;

/// Items, and between which moments each was written.
pub struct Batch<T> {
    items: Vec<(T, Moment)>,
    bytes: usize,
}

impl<T> Default for Batch<T> {
    fn default() -> Self {
        Batch {
            items: Vec::new(),
            bytes: 0,
        }
    }
}

impl<T> Batch<T> {
    /// Adds an item of that many bytes.
    pub fn push(&mut self, item: T, bytes: usize, moment: Moment) {
        self.items.push((item, moment));
        self.bytes += bytes;
    }

    /// Whether they should be taken before more is added.
    pub fn is_full(&self) -> bool {
        self.bytes >= TAKEN_BYTES || self.items.len() >= TAKEN_ITEMS
    }

    pub fn take(&mut self) -> Vec<(T, Moment)> {
        self.bytes = 0;
        std::mem::take(&mut self.items)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_has_a_maximum_of_items_and_one_of_bytes() {
        let mut batch = Batch::default();
        for _ in 0..TAKEN_ITEMS {
            assert!(!batch.is_full());
            batch.push((), 1, Moment::at(1));
        }
        assert!(batch.is_full());
        assert_eq!(batch.take().len(), TAKEN_ITEMS);
        batch.push((), TAKEN_BYTES - 1, Moment::at(1));
        assert!(!batch.is_full());
        batch.push((), 1, Moment::at(1));
        assert!(batch.is_full());
    }
}
