//! The reader: batches for the sink, oldest first.

use std::io;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::task::{JoinHandle, spawn_blocking};

use super::batch;
use super::damage::Report;
use super::folder;
use super::format::{FrameHead, SEGMENT_HEAD_BYTES, Unusable};
use super::shared::Shared;
use super::state::View;
use super::walk::{Damage, Limits, Step, Walk, segment_head};
use super::{ReadError, SpooledBatch};

/// After this many errors at the same position the rest of the segment is skipped. The file is kept.
const READ_TRIES_MAX: u32 = 10;

type Outcome = Result<Option<SpooledBatch>, ReadError>;

/// Hands out batches. There is one of a spool.
pub struct Reader {
    shared: Arc<Shared>,
    /// With the job while it runs.
    cursor: Option<Cursor>,
    job: Option<JoinHandle<(Cursor, Outcome)>>,
}

impl Reader {
    pub(super) fn new(shared: &Arc<Shared>) -> Reader {
        Reader {
            shared: Arc::clone(shared),
            cursor: Some(Cursor::new(Arc::clone(shared))),
            job: None,
        }
    }

    /// The next batch, when there is one and fewer than `in_flight_max` wait for their `confirm`;
    /// `None` after `close`. May be dropped while waiting: no batch is lost by that.
    ///
    /// # Errors
    ///
    /// When the disk cannot be read. Nothing was passed over: call again after a pause. At the tenth
    /// error in a row at one place the rest of that segment is reported as damaged, and kept.
    pub async fn next(&mut self) -> Outcome {
        loop {
            if self.shared.state().closed {
                return Ok(None);
            }
            if let Some(batch) = self.next_now().await? {
                return Ok(Some(batch));
            }
            self.shared.readable.notified().await;
        }
    }

    /// Like `next`, but `None` if there is nothing to hand out now.
    ///
    /// # Errors
    ///
    /// As `next`.
    pub async fn next_now(&mut self) -> Outcome {
        let job = match &mut self.job {
            Some(job) => job,
            None => {
                let state = self.shared.state();
                let none = state.closed || state.in_flight() >= self.shared.config.in_flight_max;
                drop(state);
                let Some(mut cursor) = self.cursor.take_if(|_| !none) else {
                    return Ok(None);
                };
                self.job.insert(spawn_blocking(move || {
                    let outcome = cursor.next();
                    (cursor, outcome)
                }))
            }
        };
        let done = job.await;
        self.job = None;
        match done {
            Ok((cursor, outcome)) => {
                self.cursor = Some(cursor);
                outcome
            }
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            // The runtime is shutting down.
            Err(_) => Ok(None),
        }
    }
}

enum Moved {
    Batch(SpooledBatch),
    On,
    /// There is nothing further now.
    Stays,
}

/// A place in the spool.
pub(super) struct Cursor {
    shared: Arc<Shared>,
    /// The segment that is read; without a walk: the next one is to be read.
    first: u64,
    walk: Option<Walk>,
    /// The last sequence that was seen in this segment, or reported as lost.
    previous: u64,
    /// What an earlier run has confirmed.
    stored_through: u64,
    tries: u32,
}

impl Cursor {
    pub fn new(shared: Arc<Shared>) -> Cursor {
        let state = shared.state();
        let stored_through = state.position();
        let mut up_to_next = state.segments.range(..=stored_through + 1);
        let begin = up_to_next.next_back().map_or(1, |(first, _)| *first);
        drop(state);
        Cursor {
            shared,
            first: begin.saturating_sub(1),
            walk: None,
            previous: 0,
            stored_through,
            tries: 0,
        }
    }

    pub fn next(&mut self) -> Outcome {
        loop {
            let moved = self.advance();
            match moved {
                Ok(Moved::Batch(batch)) => return Ok(Some(batch)),
                Ok(Moved::On) => {}
                Ok(Moved::Stays) => return Ok(None),
                Err(error) => self.failed(error)?,
            }
        }
    }

    fn advance(&mut self) -> io::Result<Moved> {
        let view = self.shared.state().view(self.first);
        let (Some(walk), Some(view)) = (&mut self.walk, view) else {
            return self.enter();
        };
        if walk.offset() >= view.end {
            return if view.next.is_some() {
                self.enter()
            } else {
                self.shared.passed(view.last);
                Ok(Moved::Stays)
            };
        }
        let limits = Limits {
            end: view.end,
            after: self.previous,
            below: view.next.unwrap_or(view.last + 1),
            unread_through: self.stored_through,
        };
        let at = walk.offset();
        let step = walk.step(&limits)?;
        self.tries = 0;
        match step {
            Step::Frame { head, payload } => return Ok(self.frame(at, head, payload)),
            Step::Passed { head } => self.previous = head.sequence,
            Step::Damage(damage) => self.damaged(damage, &view),
            Step::End => {}
        }
        Ok(Moved::On)
    }

    /// Begins the next segment.
    fn enter(&mut self) -> io::Result<Moved> {
        let state = self.shared.state();
        let (next, last) = (state.next_segment(self.first), state.last);
        drop(state);
        let Some(first) = next else {
            // What is in no segment is not there.
            self.shared.passed(last);
            return Ok(Moved::Stays);
        };
        let shared = &self.shared;
        let walk = match Walk::open(&shared.dir, first, shared.identity.mark) {
            Ok(walk) => walk,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.gone(first);
                return Ok(Moved::On);
            }
            Err(error) => return Err(error),
        };
        let head = segment_head(walk.file())?;
        if let Err(Unusable::Version(_)) = head {
            return Err(io::ErrorKind::Unsupported.into());
        }
        let at_start = self.previous == 0;
        let known = self.previous.max(self.stored_through);
        self.first = first;
        self.previous = first - 1;
        self.walk = Some(walk);
        match head {
            Ok(head) if head.identity == self.shared.identity && head.first == first => {
                if head.after > known && (self.shared.position_whole || !at_start) {
                    let lost = (known + 1, head.after);
                    self.report(0..0, "frames before this segment are gone", lost);
                }
            }
            _ => self.report(
                0..SEGMENT_HEAD_BYTES,
                "the segment's head is damaged",
                (1, 0),
            ),
        }
        self.shared.passed(first - 1);
        Ok(Moved::On)
    }

    fn frame(&mut self, at: u64, head: FrameHead, payload: bytes::Bytes) -> Moved {
        let sequence = head.sequence;
        let Some(parts) = batch::decode(payload) else {
            let bytes = at..at + head.frame_bytes();
            self.report(
                bytes,
                "the frame's checksum is right and its payload is not",
                (sequence, sequence),
            );
            self.previous = sequence;
            self.shared.passed(sequence);
            return Moved::On;
        };
        if sequence > self.previous + 1 {
            self.report(
                at..at,
                "frames are missing here",
                (self.previous + 1, sequence - 1),
            );
        }
        self.previous = sequence;
        let spooled_at = SystemTime::UNIX_EPOCH + Duration::from_micros(head.spooled_at_micros);
        let mut state = self.shared.state();
        state.handed_out(sequence, head.frame_bytes(), spooled_at);
        drop(state);
        Moved::Batch(SpooledBatch {
            sequence,
            token: self.token(&head),
            spooled_at,
            parts,
        })
    }

    fn token(&self, head: &FrameHead) -> String {
        let id = u128::from_be_bytes(self.shared.identity.id);
        let (sequence, crc) = (head.sequence, head.payload_crc);
        match self.shared.replays {
            0 => format!("{id:032x}-{sequence}-{crc:08x}"),
            replays => format!("{id:032x}-{sequence}-{crc:08x}-r{replays}"),
        }
    }

    fn damaged(&mut self, damage: Damage, view: &View) {
        let through = match (damage.next, view.next) {
            (Some(next), _) | (None, Some(next)) => next - 1,
            (None, None) => view.last,
        };
        let known = self.previous.max(self.stored_through);
        let bytes = damage.bytes.end - damage.bytes.start;
        self.report(damage.bytes, damage.reason, (known + 1, through));
        self.previous = through.max(self.previous);
        let mut state = self.shared.state();
        state.lost_bytes(bytes);
        drop(state);
        self.shared.passed(through);
    }

    /// A segment is missing: it was deleted by hand.
    fn gone(&mut self, first: u64) {
        let state = self.shared.state();
        let next = state.next_segment(first);
        let through = next.map_or(state.last, |next| next - 1);
        let bytes = state
            .segments
            .get(&first)
            .map_or(0, |segment| segment.bytes);
        drop(state);
        let report = Report {
            segment: first,
            bytes: 0..0,
            reason: "the segment's file is gone",
            lost: first.max(self.stored_through + 1)..through + 1,
            torn: false,
        };
        self.shared.report(None, &report);
        self.first = first;
        self.walk = None;
        self.previous = through;
        let mut state = self.shared.state();
        state.segments.remove(&first);
        state.lost_bytes(bytes.saturating_sub(SEGMENT_HEAD_BYTES));
        drop(state);
        self.shared.passed(through);
    }

    /// Reports what could not be read, or after many tries skips it.
    fn failed(&mut self, source: io::Error) -> Result<(), ReadError> {
        let view = self.shared.state().view(self.first);
        let (Some(walk), Some(view)) = (&self.walk, view) else {
            return Err(self.error(source));
        };
        self.tries += 1;
        if self.tries < READ_TRIES_MAX || walk.offset() >= view.end {
            return Err(self.error(source));
        }
        self.tries = 0;
        let bytes = walk.offset()..view.end;
        if let Some(segment) = self.shared.state().segments.get_mut(&self.first) {
            segment.keep = true;
        }
        if let Some(walk) = &mut self.walk {
            walk.skip_to(view.end);
        }
        let damage = Damage {
            bytes,
            reason: "the disk cannot read it",
            next: None,
        };
        self.damaged(damage, &view);
        Ok(())
    }

    fn error(&self, source: io::Error) -> ReadError {
        ReadError {
            path: folder::segment_path(&self.shared.dir, self.first),
            offset: self.walk.as_ref().map_or(0, Walk::offset),
            source,
        }
    }

    fn report(&self, bytes: std::ops::Range<u64>, reason: &'static str, lost: (u64, u64)) {
        if let Some(walk) = &self.walk {
            let report = Report {
                segment: self.first,
                bytes,
                reason,
                lost: lost.0..lost.1 + 1,
                torn: false,
            };
            self.shared.report(Some(walk.file()), &report);
        }
    }
}
