//! The spool: batches of encoded rows that are acknowledged and not yet in ClickHouse.
//!
//! In: batches, from many callers at once. Out: the same rows, oldest first, one frame at a time.
//! `append` returns after the bytes are synced. Callers that wait at the same time share a frame
//! and a sync; a frame is what the sink inserts, under one deduplication token that stays the same
//! over retries and restarts.
//!
//! ```text
//! append -> queue -> writer (one thread) -> segments on disk -> Reader -> sink -> confirm
//!                                           keeper (one thread): position, deletion
//! ```
//!
//! A torn last frame is normal after a crash and is cut off at `open`. Damage anywhere else is
//! found when it is read, set aside in `damaged/` and reported as an error; reading goes on behind
//! it. What `append` answered with a [`Receipt`] is never passed over in any other way. After a
//! crash some confirmed batches are handed out again.
//!
//! Limits: the folder's segments `size_bytes_max`, a frame `frame_bytes_max`, the queue
//! `queue_bytes_max`, batches that were handed out `in_flight_max`. When full, `append` answers
//! `Full` at once and nothing is dropped; it takes batches again as soon as there is room.
//!
//! The form on disk is written down in `spool/format.rs`.
//!
//! Not here: what the rows mean, when to try an INSERT again.

mod active;
mod batch;
mod damage;
mod error;
#[cfg(test)]
mod faults;
mod folder;
mod format;
mod inspect;
mod keeper;
mod open;
mod position;
mod reader;
mod receipt;
mod shared;
mod state;
#[cfg(test)]
mod tests;
mod walk;
mod writer;

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tracing::error;

pub use batch::{Batch, Part, Shape, SpooledBatch};
pub use error::{AppendError, NotStored, OpenError, ReadError};
pub use inspect::{Replay, Status, Verified, VerifiedSegment, replay, status, verify};
pub use reader::Reader;
pub use receipt::{Receipt, Stored};

use format::{FRAME_HEAD_BYTES, PAYLOAD_BYTES_LIMIT, SEGMENT_HEAD_BYTES};
use shared::Shared;
use state::State;
use writer::{Reservation, Waiting, Writer};

/// Batches in the queue; their memory is bounded by `queue_bytes_max` besides.
const QUEUE_BATCHES_MAX: usize = 1024;
/// The queue's memory is counted in units of this many bytes.
const QUEUE_PIECE_BYTES: u64 = 1024;

/// How much is kept, and how it is cut.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Maximum size of all segments, in bytes. At least four times
    /// `segment_bytes_max` and `frame_bytes_max`.
    pub size_bytes_max: u64,
    /// A new segment starts at this size, in bytes.
    pub segment_bytes_max: u64,
    /// The largest frame, and so the largest batch, in bytes; at most 256 MiB.
    pub frame_bytes_max: u64,
    /// Waiting batches share a frame, up to this many rows,
    pub group_rows_max: u64,
    /// and this many bytes.
    pub group_bytes_max: u64,
    /// A frame with fewer rows than this is small.
    pub small_frame_rows: u64,
    /// A small frame is written at least this many milliseconds after the previous one; until
    /// then it collects more batches. The first one after a pause does not wait.
    pub small_frame_interval_ms: u64,
    /// Memory for batches waiting for the writer, in bytes.
    pub queue_bytes_max: u64,
    /// Maximum number of batches handed out and not yet confirmed.
    pub in_flight_max: usize,
    /// Confirmed batches are kept at least this long, in seconds, so that they can be resent if
    /// ClickHouse loses its last writes. They are dropped earlier when the spool is full.
    pub kept_after_stored_seconds: u64,
    /// Maximum size of `damaged/`, in bytes. Beyond that, damage is reported without its bytes.
    pub damaged_bytes_max: u64,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            size_bytes_max: 10 << 30,
            segment_bytes_max: 64 << 20,
            frame_bytes_max: 32 << 20,
            group_rows_max: 100_000,
            group_bytes_max: 4 << 20,
            small_frame_rows: 1_000,
            small_frame_interval_ms: 10,
            queue_bytes_max: 64 << 20,
            in_flight_max: 256,
            kept_after_stored_seconds: 300,
            damaged_bytes_max: 256 << 20,
        }
    }
}

impl Config {
    fn check(&self) -> Result<(), OpenError> {
        let quarter = self.size_bytes_max / 4;
        if self.segment_bytes_max > quarter || self.frame_bytes_max > quarter {
            return Err(OpenError::Config(
                "size_bytes_max must be at least four times segment_bytes_max and frame_bytes_max",
            ));
        }
        if self.frame_bytes_max > u64::from(PAYLOAD_BYTES_LIMIT) {
            return Err(OpenError::Config("frame_bytes_max must be at most 256 MiB"));
        }
        if self.group_bytes_max > self.frame_bytes_max {
            return Err(OpenError::Config(
                "group_bytes_max must be at most frame_bytes_max",
            ));
        }
        if self.queue_bytes_max < self.frame_bytes_max || self.in_flight_max == 0 {
            return Err(OpenError::Config(
                "queue_bytes_max must be at least frame_bytes_max, in_flight_max at least 1",
            ));
        }
        Ok(())
    }
}

/// What the spool holds and does, for metrics and readiness.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stats {
    /// Of all segments, with what is kept after its confirm.
    pub bytes: u64,
    /// Of frames that are not confirmed.
    pub waiting_bytes: u64,
    pub segments: u64,
    /// Frames that are not confirmed; right after a start it may count a few that never were.
    pub frames_waiting: u64,
    /// How long ago the oldest of them was spooled.
    pub oldest_waiting: Option<Duration>,
    pub in_flight: usize,
    /// Everything up to this sequence is confirmed.
    pub stored_through: u64,
    /// Damaged places, ever since the folder was made (or `damaged/` emptied).
    pub damaged: u64,
    /// Bytes that the last `open` cut off as a torn write.
    pub torn_bytes: u64,
    /// The disk is full, or there is no room for another `group_bytes_max`.
    pub full: bool,
    pub syncs: u64,
    pub sync_last: Duration,
}

/// The way into the spool; clones share it. Dropping the last one is like `close` without waiting.
#[derive(Clone)]
pub struct Spool {
    open: Arc<Open>,
}

struct Open {
    shared: Arc<Shared>,
    queue: mpsc::Sender<Waiting>,
    memory: Arc<Semaphore>,
    stop: CancellationToken,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Spool {
    /// Opens the folder and creates it if it is missing. `on_sync` is called with the duration of each sync, on the
    /// writer's thread, and must be quick.
    ///
    /// # Errors
    ///
    /// When another process has it open, a newer build wrote it, or the disk fails.
    pub fn open(
        dir: &Path,
        config: Config,
        on_sync: impl FnMut(Duration) + Send + 'static,
    ) -> Result<(Spool, Reader), OpenError> {
        config.check()?;
        let (shared, next_sequence) = open::recover(dir, config)?;
        let shared = Arc::new(shared);
        let reader = Reader::new(&shared);
        let (queue, waiting) = mpsc::channel(QUEUE_BATCHES_MAX);
        let stop = CancellationToken::new();
        let writer = Writer::new(Arc::clone(&shared), next_sequence, Box::new(on_sync));
        let thread = start_thread(Arc::clone(&shared), writer, waiting, stop.clone());
        let thread = thread.map_err(OpenError::io("start the writer of", dir))?;
        let memory = shared.config.queue_bytes_max.div_ceil(QUEUE_PIECE_BYTES);
        let open = Open {
            shared,
            queue,
            memory: Arc::new(Semaphore::new(memory as usize)),
            stop,
            threads: Mutex::new(vec![thread]),
        };
        let open = Arc::new(open);
        Ok((Spool { open }, reader))
    }

    /// Returns when the batch is on disk, synced. If the caller stops waiting, the batch may be kept
    /// all the same.
    ///
    /// # Errors
    ///
    /// When it is not kept; see [`AppendError`].
    pub async fn append(&self, batch: Batch) -> Result<Receipt, AppendError> {
        let shared = &self.open.shared;
        let bytes = FRAME_HEAD_BYTES + batch.payload_bytes();
        let bytes_max = shared.config.frame_bytes_max;
        if bytes > bytes_max {
            return Err(AppendError::TooLarge { bytes, bytes_max });
        }
        if !batch.fits_format() {
            return Err(AppendError::Malformed);
        }
        if batch.rows() == 0 {
            let stored = Stored::new(0, shared);
            return Ok(Receipt { spooled: 0, stored });
        }
        let room = reserve(shared, bytes)?;
        let pieces = bytes.div_ceil(QUEUE_PIECE_BYTES) as u32;
        let memory = Arc::clone(&self.open.memory).acquire_many_owned(pieces);
        let memory = memory.await.map_err(|_| AppendError::Closed)?;
        let (answer, answered) = oneshot::channel();
        let waiting = Waiting {
            batch,
            bytes,
            answer,
            memory,
            room,
        };
        let sent = self.open.queue.send(waiting).await;
        sent.map_err(|_| AppendError::Closed)?;
        answered.await.map_err(|_| AppendError::Closed)?
    }

    /// Whether a batch of this size would be accepted now: checked before a body is read.
    pub fn has_room(&self, bytes: u64) -> bool {
        let shared = &self.open.shared;
        has_room(&shared.state(), &shared.config, bytes)
    }

    /// The sink has stored this batch, or set it aside for good. Any order; unknown ones are ignored.
    pub fn confirm(&self, sequence: u64) {
        self.open.shared.confirm(sequence);
    }

    /// Waits for the frames from `first` to `last`, which may have been appended before this process began.
    pub fn stored(&self, (first, last): (u64, u64)) -> Stored {
        Stored::of_all(first..=last, &self.open.shared)
    }

    pub fn stats(&self) -> Stats {
        let shared = &self.open.shared;
        let state = shared.state();
        let full = !has_room(&state, &shared.config, shared.config.group_bytes_max);
        Stats {
            bytes: state.bytes(),
            waiting_bytes: state.waiting_bytes,
            segments: state.segments.len() as u64,
            frames_waiting: state.frames_waiting(),
            oldest_waiting: state
                .oldest_waiting()
                .map(|since| since.elapsed().unwrap_or_default()),
            in_flight: state.in_flight(),
            stored_through: state.position(),
            damaged: state.damaged,
            torn_bytes: state.torn_bytes,
            full,
            syncs: state.syncs,
            sync_last: state.sync_last,
        }
    }

    /// Writes the queue, saves the position and releases the folder. From then on `append` fails, the reader returns
    /// no more batches, and confirms are ignored: stop the sink first.
    pub async fn close(&self) {
        self.open.stop.cancel();
        let threads = &self.open.threads;
        let threads = std::mem::take(&mut *threads.lock().unwrap_or_else(PoisonError::into_inner));
        let joined = tokio::task::spawn_blocking(move || {
            let panicked = |thread: JoinHandle<()>| thread.join().is_err();
            threads.into_iter().any(panicked)
        });
        if !matches!(joined.await, Ok(false)) {
            error!("spool: the writer's thread has panicked");
        }
    }
}

fn has_room(state: &State, config: &Config, bytes: u64) -> bool {
    let taken = state.bytes() - state.kept_bytes() + state.reserved_bytes;
    !state.disk_full && taken + SEGMENT_HEAD_BYTES + bytes <= config.size_bytes_max
}

fn reserve(shared: &Arc<Shared>, bytes: u64) -> Result<Reservation, AppendError> {
    let mut state = shared.state();
    if !has_room(&state, &shared.config, bytes) {
        return Err(AppendError::Full);
    }
    state.reserved_bytes += bytes;
    drop(state);
    Ok(Reservation {
        shared: Arc::clone(shared),
        bytes,
    })
}

/// Starts the writer's thread, which has the keeper's beside it and sees to the end of both.
fn start_thread(
    shared: Arc<Shared>,
    writer: Writer,
    waiting: mpsc::Receiver<Waiting>,
    stop: CancellationToken,
) -> std::io::Result<JoinHandle<()>> {
    // A runtime of its own: the thread may block in a sync, and its timer still works.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()?;
    let keeper = thread::Builder::new().name("spool-keeper".to_owned());
    let keeper = keeper.spawn({
        let shared = Arc::clone(&shared);
        move || keeper::run(&shared)
    })?;
    let thread = thread::Builder::new().name("spool-writer".to_owned());
    thread.spawn(move || {
        runtime.block_on(writer.run(waiting, &stop));
        shared.close();
        if keeper.join().is_err() {
            error!("spool: the keeper's thread has panicked");
        }
        if let Err(error) = shared.save_position() {
            error!("spool cannot save its position, batches will be sent again: {error}");
        }
        shared.unlock();
    })
}
