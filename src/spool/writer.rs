//! The writer: one thread that turns waiting batches into frames, one sync for all that wait.

use std::io;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

use super::active::Active;
use super::batch::{Batch, Merged};
use super::format::{FRAME_HEAD_BYTES, FrameHead};
use super::shared::Shared;
use super::{AppendError, Receipt, Stored};

/// The write buffer does not stay larger than this after a large frame.
const BUFFER_KEPT_BYTES: usize = 8 << 20;

type Answer = Result<Receipt, AppendError>;

/// A batch in the queue.
pub(super) struct Waiting {
    pub batch: Batch,
    pub bytes: u64,
    pub answer: oneshot::Sender<Answer>,
    /// Its part of the queue's memory.
    pub memory: OwnedSemaphorePermit,
    pub room: Reservation,
}

/// Room under the cap that was promised and is not used yet.
pub(super) struct Reservation {
    pub shared: Arc<Shared>,
    pub bytes: u64,
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.shared.state().reserved_bytes -= self.bytes;
    }
}

/// Batches that will share a frame.
#[derive(Default)]
struct Group {
    merged: Merged,
    rows: u64,
    bytes: u64,
    waiting: Vec<(oneshot::Sender<Answer>, Reservation, OwnedSemaphorePermit)>,
}

impl Group {
    fn push(&mut self, waiting: Waiting) {
        self.rows += waiting.batch.rows();
        self.bytes += waiting.bytes;
        self.merged.push(waiting.batch);
        let Waiting {
            answer,
            memory,
            room,
            ..
        } = waiting;
        self.waiting.push((answer, room, memory));
    }
}

pub(super) struct Writer {
    shared: Arc<Shared>,
    on_sync: Box<dyn FnMut(Duration) + Send>,
    active: Option<Active>,
    next_sequence: u64,
    buffer: Vec<u8>,
    last_frame_at: Option<Instant>,
}

impl Writer {
    pub fn new(
        shared: Arc<Shared>,
        next_sequence: u64,
        on_sync: Box<dyn FnMut(Duration) + Send>,
    ) -> Writer {
        Writer {
            shared,
            on_sync,
            active: None,
            next_sequence,
            buffer: Vec::new(),
            last_frame_at: None,
        }
    }

    /// Writes until it is stopped or all senders are dropped, and the queue is empty.
    pub async fn run(mut self, mut queue: mpsc::Receiver<Waiting>, stop: &CancellationToken) {
        let mut held = None;
        loop {
            let first = match held.take() {
                Some(first) => first,
                None => match next(&mut queue, stop).await {
                    Some(first) => first,
                    None => break,
                },
            };
            let mut group = Group::default();
            group.push(first);
            held = self.gather(&mut group, &mut queue).await;
            self.commit(group);
        }
    }

    /// Takes in what waits already. Only small frames wait for more, and only if one was written
    /// just before: each frame becomes an INSERT, and ClickHouse wants few large ones. Returns a
    /// batch that no longer fits.
    async fn gather(
        &self,
        group: &mut Group,
        queue: &mut mpsc::Receiver<Waiting>,
    ) -> Option<Waiting> {
        let config = &self.shared.config;
        let until = self
            .last_frame_at
            .map(|at| at + Duration::from_millis(config.small_frame_interval_ms));
        while group.rows < config.group_rows_max && group.bytes < config.group_bytes_max {
            let next = match (queue.try_recv(), until) {
                (Ok(next), _) => next,
                (Err(_), Some(until)) if group.rows < config.small_frame_rows => {
                    timeout_at(until, queue.recv()).await.ok()??
                }
                (Err(_), _) => return None,
            };
            if group.bytes + next.bytes > config.group_bytes_max {
                return Some(next);
            }
            group.push(next);
        }
        None
    }

    fn commit(&mut self, group: Group) {
        let outcome = self.write_group(&group);
        self.last_frame_at = Some(Instant::now());
        if self.buffer.capacity() > BUFFER_KEPT_BYTES {
            self.buffer = Vec::new();
        }
        for (answer, room, memory) in group.waiting {
            // Before the answer: a caller that gets it must see the new room.
            drop((room, memory));
            let receipt = outcome.clone().map(|sequence| Receipt {
                spooled: sequence,
                stored: Stored::new(sequence, &self.shared),
            });
            // The caller may have stopped waiting; the rows are kept all the same.
            _ = answer.send(receipt);
        }
    }

    fn write_group(&mut self, group: &Group) -> Result<u64, AppendError> {
        let sequence = self.next_sequence;
        let spooled_at = SystemTime::now();
        self.encode(group, sequence, spooled_at);
        let bytes = self.buffer.len() as u64;
        if !self.shared.make_room(bytes) {
            return Err(AppendError::Full);
        }
        let end = match self.write(bytes) {
            Err(AppendError::Full) if self.give_way() => self.write(bytes)?,
            outcome => outcome?,
        };
        let first = self.active.as_ref().map_or(sequence, |active| active.first);
        // A failed segment uses up the sequence; `write` then ends in an error.
        debug_assert_eq!(sequence, self.next_sequence);
        self.next_sequence += 1;
        let mut state = self.shared.state();
        state.written(first, end, sequence, spooled_at);
        state.disk_full = false;
        drop(state);
        self.shared.readable.notify_one();
        Ok(sequence)
    }

    fn encode(&mut self, group: &Group, sequence: u64, spooled_at: SystemTime) {
        let head = FRAME_HEAD_BYTES as usize;
        self.buffer.clear();
        self.buffer.resize(head, 0);
        group.merged.encode(&mut self.buffer);
        let payload = &self.buffer[head..];
        let since_1970 = spooled_at.duration_since(SystemTime::UNIX_EPOCH);
        let frame = FrameHead {
            length: payload.len() as u32,
            payload_crc: crc32fast::hash(payload),
            sequence,
            spooled_at_micros: since_1970.map_or(0, |since| since.as_micros() as u64),
        };
        self.buffer[..head].copy_from_slice(&frame.encode(self.shared.identity.mark));
    }

    /// Writes the buffer and syncs it. Returns the segment's new end.
    fn write(&mut self, bytes: u64) -> Result<u64, AppendError> {
        let shared = Arc::clone(&self.shared);
        self.ensure_active(bytes)?;
        let Some(active) = self.active.as_mut() else {
            return Err(AppendError::Closed);
        };
        if let Err(error) = active.write(&shared, &self.buffer) {
            return match active.cut() {
                Ok(()) if is_full(&error) => Err(self.disk_full()),
                _ => Err(self.give_up(error)),
            };
        }
        let begun = std::time::Instant::now();
        if let Err(error) = active.sync(&shared) {
            return Err(self.give_up(error));
        }
        let took = begun.elapsed();
        active.end += bytes;
        let end = active.end;
        (self.on_sync)(took);
        let mut state = shared.state();
        state.syncs += 1;
        state.sync_last = took;
        Ok(end)
    }

    /// Ensures that there is a segment with room for this many bytes.
    fn ensure_active(&mut self, bytes: u64) -> Result<(), AppendError> {
        let bytes_max = self.shared.config.segment_bytes_max;
        if let Some(active) = &self.active {
            if active.end + bytes <= bytes_max {
                return Ok(());
            }
            self.active = None;
            self.shared.seal();
        }
        let after = self.shared.state().last;
        match Active::create(&self.shared, self.next_sequence, after) {
            Ok(active) => {
                self.shared.state().active = Some(active.first);
                self.active = Some(active);
                Ok(())
            }
            Err(error) if is_full(&error) => Err(self.disk_full()),
            Err(error) => {
                // A file of this name may be there now.
                self.next_sequence += 1;
                error!("spool cannot start a new segment: {error}");
                Err(AppendError::Failed(Arc::new(error)))
            }
        }
    }

    /// After a failed write or sync the newer bytes of this file cannot be trusted,
    /// so the next frame goes into a new segment. The sequence is not used again: its frame may be
    /// on disk after all, and it must not meet another one of its name.
    fn give_up(&mut self, cause: io::Error) -> AppendError {
        if let Some(active) = self.active.take() {
            let uncut = active.cut().err();
            error!(
                segment = active.first,
                sequence = self.next_sequence,
                "spool cannot write, continuing in a new segment: {cause}"
            );
            if let Some(error) = uncut {
                warn!(
                    segment = active.first,
                    "spool cannot cut the segment: {error}"
                );
            }
        }
        self.shared.seal();
        self.next_sequence += 1;
        if is_full(&cause) {
            return self.disk_full();
        }
        AppendError::Failed(Arc::new(cause))
    }

    /// `append` answers `Full` by itself until the keeper lets the next one try again.
    fn disk_full(&self) -> AppendError {
        let mut state = self.shared.state();
        if !state.disk_full {
            warn!("spool: the disk is full");
        }
        state.disk_full = true;
        AppendError::Full
    }

    /// Gives the room of a confirmed segment back to a full disk. Whether there is reason to try
    /// again.
    fn give_way(&mut self) -> bool {
        // The sequence is used up, so the frame in the buffer is no longer the next one.
        let ours = &self.buffer[16..24] == self.next_sequence.to_le_bytes().as_slice();
        ours && matches!(self.shared.release_oldest(Duration::ZERO), Ok(true))
    }
}

async fn next(queue: &mut mpsc::Receiver<Waiting>, stop: &CancellationToken) -> Option<Waiting> {
    tokio::select! {
        biased;
        next = queue.recv() => return next,
        () = stop.cancelled() => queue.close(),
    }
    // What is in the queue already is still written.
    queue.recv().await
}

fn is_full(error: &io::Error) -> bool {
    use io::ErrorKind::{QuotaExceeded, StorageFull};
    matches!(error.kind(), StorageFull | QuotaExceeded)
}
