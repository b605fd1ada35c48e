//! The keeper: a thread that saves the position, deletes what has been kept long enough, and lets
//! `append` try again after the disk was full. None of it may hold up the writer.

use std::io;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tracing::{error, info};

use super::shared::Shared;
use crate::throttle::Episode;

/// How often. After a crash, what was confirmed in so much time is sent again.
const INTERVAL: Duration = Duration::from_secs(1);

/// Works until the spool is closed.
pub(super) fn run(shared: &Arc<Shared>) {
    let failing = Episode::default();
    loop {
        let state = shared.state();
        let waited = shared
            .keeper
            .wait_timeout_while(state, INTERVAL, |state| !state.closed);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        let closed = state.closed;
        state.disk_full = false;
        drop(state);
        if closed {
            return;
        }
        match keep(shared) {
            Err(error) if failing.begins() => {
                error!("spool cannot save its position or delete: {error}");
            }
            Ok(()) if failing.ends() => info!("spool can save its position and delete again"),
            _ => {}
        }
    }
}

fn keep(shared: &Shared) -> io::Result<()> {
    shared.save_position()?;
    let kept = Duration::from_secs(shared.config.kept_after_stored_seconds);
    while shared.release_oldest(kept)? {}
    Ok(())
}
