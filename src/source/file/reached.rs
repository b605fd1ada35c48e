//! How far ClickHouse has a file: set by the pass that reads it, and read by those who watch.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// No position is known.
const UNKNOWN: u64 = u64::MAX;

/// As far as this process knows it.
#[derive(Debug)]
pub struct Reached {
    position: AtomicU64,
    is_packed: AtomicBool,
}

impl Default for Reached {
    fn default() -> Reached {
        Reached {
            position: AtomicU64::new(UNKNOWN),
            is_packed: AtomicBool::new(false),
        }
    }
}

impl Reached {
    /// In unpacked bytes.
    pub fn position(&self) -> Option<u64> {
        let position = self.position.load(Ordering::Relaxed);
        (position != UNKNOWN).then_some(position)
    }

    pub fn set(&self, position: u64) {
        self.position.store(position, Ordering::Relaxed);
    }

    /// It is another file now.
    pub fn forget(&self) {
        self.set(UNKNOWN);
    }

    /// Whether positions do not compare with the size of the file.
    pub fn is_packed(&self) -> bool {
        self.is_packed.load(Ordering::Relaxed)
    }

    pub fn set_packed(&self, is_packed: bool) {
        self.is_packed.store(is_packed, Ordering::Relaxed);
    }
}
