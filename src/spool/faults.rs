//! Disk faults for tests.

use std::io;
use std::sync::{Mutex, PoisonError};

/// Errors that a test wants to see, in the order they come.
#[derive(Default)]
pub(super) struct Faults {
    pub writes: Mutex<Vec<io::ErrorKind>>,
    pub syncs: Mutex<Vec<io::ErrorKind>>,
    /// Held by a test while the disk is to hang in its syncs.
    pub hang: Mutex<()>,
}

impl Faults {
    pub fn write(&self) -> Option<io::Error> {
        let mut writes = self.writes.lock().unwrap_or_else(PoisonError::into_inner);
        writes.pop().map(io::Error::from)
    }

    pub fn sync(&self) -> io::Result<()> {
        drop(self.hang.lock());
        let mut syncs = self.syncs.lock().unwrap_or_else(PoisonError::into_inner);
        syncs.pop().map_or(Ok(()), |kind| Err(kind.into()))
    }
}
