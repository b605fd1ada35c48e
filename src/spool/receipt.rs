//! What the caller of `append` gets.

use std::ops::RangeInclusive;

use tokio::sync::watch;

use super::NotStored;
use super::shared::Shared;
use super::state::Progress;

/// A batch is kept.
#[derive(Debug)]
pub struct Receipt {
    /// The sequence of its frame, which it may share with others; zero for a batch without rows.
    pub spooled: u64,
    pub stored: Stored,
}

/// Waits for ClickHouse's confirm. Costs nothing if it is dropped, as push sources do.
pub struct Stored {
    sequences: RangeInclusive<u64>,
    progress: watch::Receiver<Progress>,
}

impl Stored {
    pub(super) fn new(sequence: u64, shared: &Shared) -> Stored {
        Stored::of_all(sequence..=sequence, shared)
    }

    pub(super) fn of_all(sequences: RangeInclusive<u64>, shared: &Shared) -> Stored {
        Stored {
            sequences,
            progress: shared.progress.subscribe(),
        }
    }

    /// The frames that it waits for, first and last.
    pub fn sequences(&self) -> (u64, u64) {
        (*self.sequences.start(), *self.sequences.end())
    }

    /// Returns when this batch and all before it are confirmed: positions are committed in order.
    ///
    /// # Errors
    ///
    /// When the batch was damaged on disk, or the spool was closed before.
    pub async fn wait(mut self) -> Result<(), NotStored> {
        let (sequences, last) = (self.sequences.clone(), *self.sequences.end());
        let decided = |progress: &Progress| {
            progress.closed || progress.through >= last || progress.is_lost(&sequences)
        };
        let progress = self.progress.wait_for(decided).await;
        let progress = progress.map_err(|_| NotStored::Closed)?;
        if progress.is_lost(&sequences) {
            Err(NotStored::Damaged)
        } else if progress.through >= last {
            Ok(())
        } else {
            Err(NotStored::Closed)
        }
    }
}

impl std::fmt::Debug for Stored {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(to, "Stored({:?})", self.sequences)
    }
}
