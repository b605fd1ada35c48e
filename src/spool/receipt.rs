//! What the caller of `append` gets.

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
    sequence: u64,
    progress: watch::Receiver<Progress>,
}

impl Stored {
    pub(super) fn new(sequence: u64, shared: &Shared) -> Stored {
        Stored {
            sequence,
            progress: shared.progress.subscribe(),
        }
    }

    /// Returns when this batch and all before it are confirmed: positions are committed in order.
    ///
    /// # Errors
    ///
    /// When the batch was damaged on disk, or the spool was closed before.
    pub async fn wait(mut self) -> Result<(), NotStored> {
        let sequence = self.sequence;
        let decided = |progress: &Progress| {
            progress.closed || progress.through >= sequence || progress.is_lost(sequence)
        };
        let progress = self.progress.wait_for(decided).await;
        let progress = progress.map_err(|_| NotStored::Closed)?;
        if progress.is_lost(sequence) {
            Err(NotStored::Damaged)
        } else if progress.through >= sequence {
            Ok(())
        } else {
            Err(NotStored::Closed)
        }
    }
}

impl std::fmt::Debug for Stored {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(to, "Stored({})", self.sequence)
    }
}
