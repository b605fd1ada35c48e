//! One pass over one file: from its stored position to its end.
//!
//! ```text
//! thread: read, unpack, cut -> parts, two at a time -> on disk -> ClickHouse has them -> position
//! ```
//!
//! Parts come back in their order, so a position covers everything before it.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesOrdered;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::{Instant, Sleep, sleep};
use tokio_util::sync::CancellationToken;

use super::buffers::Buffers;
use super::cut::Piece;
use super::place::{Place, Progress, Whole};
use super::reached::Reached;
use super::reading::{Ended, Error, Input, Reading};
use super::tally::Tally;
use super::way::{Content, NotDone, Part, Taken, Way, joined};
use crate::backoff::Backoff;
use crate::envelope::Portion;

/// Parts of one file that are decoded and written to the spool at the same time.
const PARTS_MAX: usize = 2;

/// How often a position is committed.
const COMMIT_EVERY: Duration = Duration::from_millis(500);

/// The unit of the memory for parts, and what all files together may hold.
const MEMORY_UNIT_BYTES: usize = 64 << 10;
const MEMORY_BYTES_MAX: usize = 16 << 20;

/// Files that are read at the same time. What waits for ClickHouse does not count.
const READERS_MAX: usize = 4;

/// Rejected parts of a file that are told one by one.
const REJECTS_MAX: usize = 20;

/// Shared by all files that are read together.
#[derive(Clone)]
pub struct Context {
    pub way: Arc<dyn Way>,
    pub cluster: String,
    pub tally: Arc<Tally>,
    pub stop: CancellationToken,
    buffers: Buffers,
    memory: Arc<Semaphore>,
    readers: Arc<Semaphore>,
}

impl Context {
    pub fn new(way: Arc<dyn Way>, cluster: &str, stop: CancellationToken) -> Context {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Context {
            way,
            cluster: cluster.to_owned(),
            tally: Arc::default(),
            stop,
            buffers: Buffers::default(),
            memory: Arc::new(Semaphore::new(MEMORY_BYTES_MAX / MEMORY_UNIT_BYTES)),
            readers: Arc::new(Semaphore::new(cores.clamp(2, READERS_MAX))),
        }
    }

    /// Waits for room. What is larger than all of it gets all.
    async fn reserve(&self, bytes: usize) -> Option<OwnedSemaphorePermit> {
        let units = bytes.min(MEMORY_BYTES_MAX).div_ceil(MEMORY_UNIT_BYTES);
        let memory = Arc::clone(&self.memory).acquire_many_owned(units as u32);
        memory.await.ok()
    }
}

/// A file to be read, and from where.
pub struct Source {
    pub input: Input,
    /// For messages and dead letters.
    pub path: String,
    /// Without one nothing is committed.
    pub fingerprint: Option<String>,
    pub from: Place,
    /// Whether its writer may still write to it.
    pub is_growing: bool,
    pub reached: Arc<Reached>,
}

/// A part that could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reject {
    /// From 1.
    pub line: u64,
    pub bytes: u64,
    pub reason: String,
}

/// What a pass found.
#[derive(Debug, Default)]
pub struct Passed {
    pub events: u64,
    pub rejected: u64,
    pub ignored: u64,
    /// The first of the rejected.
    pub rejects: Vec<Reject>,
    /// Bytes of a last line that is not all there yet.
    pub left: u64,
    pub is_damaged: bool,
    /// How far ClickHouse has it.
    pub progress: Progress,
}

/// Why a pass ended early. What was committed stays.
#[derive(Debug, thiserror::Error)]
pub enum Failed {
    #[error(transparent)]
    Reading(#[from] Error),
    #[error("{0}")]
    NotDone(NotDone),
}

/// A part that is taken, and what is behind it.
struct Landed {
    taken: Taken,
    rejects: Vec<Reject>,
    next: Place,
    _memory: OwnedSemaphorePermit,
}

/// What is on disk and has no committed position.
#[derive(Clone, Copy)]
struct Due {
    next: Place,
    spooled: Option<(u64, u64)>,
    whole: Option<Whole>,
}

type Landing<'c> = BoxFuture<'c, Result<Landed, NotDone>>;

/// The state of a pass.
struct Pass<'c> {
    context: &'c Context,
    source: &'c Source,
    parts: FuturesOrdered<Landing<'c>>,
    due: Option<Due>,
    committing: Option<(Due, BoxFuture<'c, Result<(), NotDone>>)>,
    commit_at: Pin<Box<Sleep>>,
    passed: Passed,
}

/// Reads a file to its end. Returns when ClickHouse has all of it, and its position.
///
/// # Errors
///
/// When it can't be read, something was refused, or `stop` came.
pub async fn pass(context: &Context, source: Source) -> Result<Passed, Failed> {
    let reader = context.readers.acquire().await;
    let (to, mut pieces) = mpsc::channel(1);
    let stop = context.stop.child_token();
    let _stop_reading = stop.clone().drop_guard();
    let input = match &source.input {
        Input::File(file) => Input::File(Arc::clone(file)),
        Input::Stdin => Input::Stdin,
    };
    let reading = Reading {
        input,
        from: source.from,
        is_growing: source.is_growing,
        to,
        buffers: context.buffers.clone(),
        packed_read: context.tally.packed_read.clone(),
        stop,
    };
    let reading = tokio::task::spawn_blocking(move || reading.run());
    let mut pass = Pass::new(context, &source);
    pass.read(&mut pieces).await.map_err(Failed::NotDone)?;
    let ended = reading.await.unwrap_or(Err(Error::Stopped));
    drop(reader);
    let committed = pass.end(ended.as_ref().ok()).await;
    ended?;
    committed.map_err(Failed::NotDone)?;
    Ok(pass.passed)
}

impl<'c> Pass<'c> {
    fn new(context: &'c Context, source: &'c Source) -> Pass<'c> {
        Pass {
            context,
            source,
            parts: FuturesOrdered::new(),
            due: None,
            committing: None,
            commit_at: Box::pin(sleep(COMMIT_EVERY)),
            passed: Passed {
                progress: Progress {
                    place: source.from,
                    whole: None,
                },
                ..Passed::default()
            },
        }
    }

    /// Takes pieces until there are no more, and all of them are on disk.
    async fn read(&mut self, pieces: &mut mpsc::Receiver<Piece>) -> Result<(), NotDone> {
        let mut is_open = true;
        while is_open || !self.parts.is_empty() {
            self.begin_commit();
            let has_room = is_open && self.parts.len() < PARTS_MAX;
            let waits = self.due.is_some() && self.committing.is_none();
            let commit = commit_of(&mut self.committing);
            tokio::select! {
                piece = pieces.recv(), if has_room => match piece {
                    Some(piece) => self.parts.push_back(Box::pin(land(self.context, self.source, piece))),
                    None => is_open = false,
                },
                Some(landed) = self.parts.next() => self.landed(landed?),
                committed = commit => self.committed(committed)?,
                () = self.commit_at.as_mut(), if waits => {}
            }
        }
        Ok(())
    }

    fn landed(&mut self, landed: Landed) {
        let Landed {
            taken,
            rejects,
            next,
            ..
        } = landed;
        self.context.tally.add(&taken);
        self.passed.events += taken.events;
        self.passed.rejected += taken.rejected;
        self.passed.ignored += taken.ignored;
        let room = REJECTS_MAX - self.passed.rejects.len();
        self.passed.rejects.extend(rejects.into_iter().take(room));
        let before = self.due.and_then(|due| due.spooled);
        self.due = Some(Due {
            next,
            spooled: joined(before, taken.spooled),
            whole: None,
        });
    }

    /// Begins to commit what is due, if it is time and no commit is under way: none overtakes another.
    fn begin_commit(&mut self) {
        if self.committing.is_some() || self.commit_at.deadline() > Instant::now() {
            return;
        }
        if let Some(due) = self.due.take() {
            let commit = Box::pin(commit(self.context, self.source, due));
            self.committing = Some((due, commit));
        }
    }

    fn committed(&mut self, outcome: Result<(), NotDone>) -> Result<(), NotDone> {
        outcome?;
        if let Some((due, _)) = self.committing.take() {
            self.source.reached.set(due.next.position);
            self.passed.progress = Progress {
                place: due.next,
                whole: due.whole,
            };
        }
        self.commit_at.as_mut().reset(Instant::now() + COMMIT_EVERY);
        Ok(())
    }

    /// Commits the rest; without `ended` the file was not read to its end.
    async fn end(&mut self, ended: Option<&Ended>) -> Result<(), NotDone> {
        if let Some(ended) = ended {
            self.passed.left = ended.left;
            self.passed.is_damaged = ended.is_damaged;
        }
        if self.committing.is_some() {
            let committed = commit_of(&mut self.committing).await;
            self.committed(committed)?;
        }
        let last = self.due.take().unwrap_or(Due {
            next: self.passed.progress.place,
            spooled: None,
            whole: None,
        });
        let due = Due {
            whole: ended.and_then(|ended| ended.whole),
            ..last
        };
        let commit = commit(self.context, self.source, due);
        self.committing = Some((due, Box::pin(commit)));
        let committed = commit_of(&mut self.committing).await;
        self.committed(committed)
    }
}

/// Never returns where no commit is under way.
async fn commit_of(
    committing: &mut Option<(Due, BoxFuture<'_, Result<(), NotDone>>)>,
) -> Result<(), NotDone> {
    match committing {
        Some((_, commit)) => commit.await,
        None => std::future::pending().await,
    }
}

/// Brings a piece to disk, however long that takes.
async fn land(context: &Context, source: &Source, piece: Piece) -> Result<Landed, NotDone> {
    let Piece {
        portion,
        line,
        next,
    } = piece;
    let bytes = match &portion {
        Portion::Text { bytes, .. } => bytes.len(),
        Portion::TooLong { .. } => 0,
    };
    let memory = context.reserve(bytes).await;
    let memory = memory.ok_or_else(|| NotDone::Refused("stopped".to_owned()))?;
    let part = Part {
        cluster: context.cluster.clone(),
        origin: format!("file {}", source.path),
        content: Content::of(portion, &context.buffers),
    };
    let taken = again(context, || context.way.take(&part)).await?;
    let rejects = taken.rejects.iter().map(|(from, bytes, reason)| Reject {
        line: line + part.line_breaks_before(*from),
        bytes: *bytes,
        reason: reason.clone(),
    });
    Ok(Landed {
        rejects: rejects.collect(),
        taken,
        next,
        _memory: memory,
    })
}

async fn commit(context: &Context, source: &Source, due: Due) -> Result<(), NotDone> {
    let Some(fingerprint) = &source.fingerprint else {
        // The rows are waited for all the same.
        let none = || {
            context
                .way
                .commit(&context.cluster, due.spooled, Vec::new())
        };
        return again(context, none).await;
    };
    let progress = Progress {
        place: due.next,
        whole: due.whole,
    };
    let row = progress.row(fingerprint, &source.path);
    let commit = || {
        let rows = vec![row.clone()];
        context.way.commit(&context.cluster, due.spooled, rows)
    };
    again(context, commit).await
}

/// Tries until it is done, refused, or `stop` comes.
pub async fn again<'a, T>(
    context: &Context,
    mut attempt: impl FnMut() -> BoxFuture<'a, Result<T, NotDone>>,
) -> Result<T, NotDone> {
    let mut backoff = Backoff::default();
    loop {
        match attempt().await {
            Err(NotDone::Later(why)) => {
                let waited = context.stop.run_until_cancelled(backoff.wait()).await;
                if waited.is_none() {
                    return Err(NotDone::Refused(format!("stopped: {why}")));
                }
            }
            done => return done,
        }
    }
}
