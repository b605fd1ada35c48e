//! What the writer, the reader and the keeper share: the state, and the deeds that need both it
//! and the disk.

use std::fs::{self, File};
use std::io;
use std::path::PathBuf;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tracing::{error, info, warn};

use super::Config;
use super::damage::{self, Report, SetAside};
use super::folder;
use super::format::{Identity, SEGMENT_HEAD_BYTES};
use super::position::{Opened, PositionFile};
use super::state::{Progress, State};
use crate::disk;

pub(super) struct Shared {
    pub dir: PathBuf,
    pub config: Config,
    pub identity: Identity,
    pub replays: u32,
    /// No slot of the position file was damaged: what lies before the oldest segment was deleted
    /// by us and is not lost.
    pub position_whole: bool,
    pub progress: watch::Sender<Progress>,
    /// There may be something new for the reader.
    pub readable: Notify,
    /// Wakes the keeper before its time.
    pub keeper: Condvar,
    state: Mutex<State>,
    position: Mutex<PositionFile>,
    lock: File,
    #[cfg(test)]
    pub faults: super::faults::Faults,
}

impl Shared {
    pub fn new(dir: PathBuf, config: Config, lock: File, position: Opened, state: State) -> Shared {
        let progress = watch::Sender::new(Progress::default());
        progress.send_modify(|progress| progress.through = state.position());
        Shared {
            dir,
            config,
            identity: position.file.saved().identity,
            replays: position.file.saved().replays,
            position_whole: position.whole,
            progress,
            readable: Notify::new(),
            keeper: Condvar::new(),
            state: Mutex::new(state),
            position: Mutex::new(position.file),
            lock,
            #[cfg(test)]
            faults: super::faults::Faults::default(),
        }
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        // A panic while it was held can have changed numbers only, each of them whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn confirm(&self, sequence: u64) -> bool {
        let mut state = self.state();
        let known = state.confirmed(sequence);
        let through = state.position();
        drop(state);
        self.publish(through);
        // One more may be in flight now.
        self.readable.notify_one();
        known
    }

    /// The reader has passed this sequence without handing it out.
    pub fn passed(&self, sequence: u64) {
        let mut state = self.state();
        state.passed(sequence);
        let through = state.position();
        drop(state);
        self.publish(through);
    }

    fn publish(&self, through: u64) {
        self.progress.send_if_modified(|progress| {
            let further = through > progress.through;
            progress.through = progress.through.max(through);
            further
        });
    }

    /// Makes the position as it is now last.
    pub fn save_position(&self) -> io::Result<()> {
        let state = self.state();
        let (position, last) = (state.position(), state.last);
        drop(state);
        let mut file = self.position.lock().unwrap_or_else(PoisonError::into_inner);
        file.save(position, last)
    }

    /// Gives back the room of the oldest segment whose batches have been confirmed for at least
    /// that long. Whether there was one.
    pub fn release_oldest(&self, stored_for: Duration) -> io::Result<bool> {
        let Some((first, through)) = self.state().oldest_kept(stored_for) else {
            return Ok(false);
        };
        // The position on disk comes first: otherwise what is gone could look lost.
        let mut file = self.position.lock().unwrap_or_else(PoisonError::into_inner);
        file.save(through, through)?;
        drop(file);
        let path = folder::segment_path(&self.dir, first);
        let keep = self.state().segments.get(&first).is_some_and(|it| it.keep);
        if keep {
            let kept = folder::damaged_path(&self.dir).join(format!("{first:020}.segment"));
            disk::private_folder(&folder::damaged_path(&self.dir))?;
            fs::rename(path, kept)?;
        } else {
            fs::remove_file(path)?;
        }
        self.state().segments.remove(&first);
        disk::sync_folder(&self.dir)?;
        Ok(true)
    }

    /// Makes room for `bytes` more under the cap, if kept segments can give it.
    pub fn make_room(&self, bytes: u64) -> bool {
        loop {
            if self.state().bytes() + SEGMENT_HEAD_BYTES + bytes <= self.config.size_bytes_max {
                return true;
            }
            match self.release_oldest(Duration::ZERO) {
                Ok(true) => info!("spool at its cap: a confirmed segment gave way before its time"),
                Ok(false) => return false,
                Err(error) => {
                    warn!("spool cannot delete a confirmed segment: {error}");
                    return false;
                }
            }
        }
    }

    /// Reports damage: to the log, to the folder, and to the callers that wait for the lost batches.
    pub fn report(&self, source: Option<&File>, report: &Report) {
        let kept = damage::set_aside(&self.dir, source, report, self.config.damaged_bytes_max);
        let (from, bytes) = (report.bytes.start, report.bytes.end - report.bytes.start);
        // What an earlier run reported is in the number that was counted at the start.
        let known = matches!(kept, Ok(SetAside::Known));
        let kept = match kept {
            Ok(SetAside::New) => "its bytes are in damaged/".to_owned(),
            Ok(SetAside::Known) => "it was reported before".to_owned(),
            Ok(SetAside::WithoutBytes) => "damaged/ is full, the bytes are not kept".to_owned(),
            Err(error) => {
                if let Some(segment) = self.state().segments.get_mut(&report.segment) {
                    segment.keep = true;
                }
                format!("the whole segment will be kept, as damaged/ cannot be written: {error}")
            }
        };
        error!(
            segment = report.segment,
            lost_from = report.lost.start,
            lost_below = report.lost.end,
            "spool damaged: {bytes} bytes at {from}: {}; {kept}",
            report.reason
        );
        let lost = report.lost.clone();
        self.progress.send_modify(|progress| progress.lose(lost));
        self.state().damaged += u64::from(!known);
    }

    /// The writer will not write to its segment again.
    pub fn seal(&self) {
        let mut state = self.state();
        state.active = None;
        let read_through = state.position();
        // Starts the grace time if all of it is confirmed.
        state.passed(read_through);
    }

    /// The writer has ended: nothing is handed out and nothing confirmed from now on.
    pub fn close(&self) {
        self.state().closed = true;
        self.keeper.notify_all();
        self.readable.notify_one();
        self.progress.send_modify(|progress| progress.closed = true);
    }

    /// Lets others open the folder.
    pub fn unlock(&self) {
        if let Err(error) = self.lock.unlock() {
            warn!("spool lock: {error}");
        }
    }
}
