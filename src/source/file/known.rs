//! What is known of files, by their fingerprints: one pass at a time over the same content, under whatever name.

use std::collections::HashMap;
use std::sync::{Arc, Mutex as StdMutex, PoisonError};

use tokio::sync::{Mutex, OwnedMutexGuard};

use super::pass::{Context, again};
use super::place::Progress;
use super::way::NotDone;

/// Files that are remembered. With more, those that nobody reads are looked up anew.
const SLOTS_MAX: usize = 10_000;

type Slot = Arc<Mutex<Option<Progress>>>;

/// How far files were read.
#[derive(Default)]
pub struct Known(StdMutex<HashMap<String, Slot>>);

impl Known {
    /// How far a file was read; nobody else reads it until this is dropped. A file that this process has not read yet is
    /// looked up.
    ///
    /// # Errors
    ///
    /// When it can't be looked up.
    pub async fn take(
        &self,
        context: &Context,
        fingerprint: &str,
    ) -> Result<OwnedMutexGuard<Option<Progress>>, NotDone> {
        let slot = {
            let mut slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if slots.len() >= SLOTS_MAX {
                slots.retain(|_, slot| Arc::strong_count(slot) > 1);
            }
            slots.entry(fingerprint.to_owned()).or_default().clone()
        };
        let mut progress = slot.lock_owned().await;
        if progress.is_none() {
            let keys = vec![fingerprint.to_owned()];
            let find = || context.way.find(&context.cluster, keys.clone());
            let found = again(context, find).await?;
            *progress = Some(found.first().and_then(Progress::of).unwrap_or_default());
        }
        Ok(progress)
    }
}
