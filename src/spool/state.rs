//! What the writer, the reader and the keeper know together, and its arithmetic. No I/O.

use std::collections::BTreeMap;
use std::ops::{Range, RangeInclusive};
use std::time::{Duration, Instant, SystemTime};

use super::format::SEGMENT_HEAD_BYTES;

/// Ranges of lost sequences that are kept apart. When there are more, the two oldest are merged: a caller that waits
/// for a batch between them gets the error for damage and sends it again.
const LOST_RANGES_MAX: usize = 256;

/// A segment's file.
pub(super) struct Segment {
    /// Up to here it holds synced frames.
    pub bytes: u64,
    /// When all of its frames were confirmed, as seen by this process.
    pub stored_since: Option<Instant>,
    /// Holds damage that could not be copied away: it is moved to `damaged/` and not deleted.
    pub keep: bool,
}

/// A batch that was handed out and not yet confirmed.
struct InFlight {
    bytes: u64,
    spooled_at: SystemTime,
}

pub(super) struct State {
    pub segments: BTreeMap<u64, Segment>,
    /// The segment that is being written.
    pub active: Option<u64>,
    /// The last sequence that is synced.
    pub last: u64,
    /// Every sequence up to here was handed out, or lost, or never used.
    read_through: u64,
    in_flight: BTreeMap<u64, InFlight>,
    /// Bytes of frames that are not confirmed.
    pub waiting_bytes: u64,
    /// When the oldest frame that was not yet handed out was spooled, or a little before.
    unread_since: Option<SystemTime>,
    /// Bytes that `append` has let in and the writer has not written.
    pub reserved_bytes: u64,
    pub disk_full: bool,
    pub closed: bool,
    pub damaged: u64,
    pub torn_bytes: u64,
    pub syncs: u64,
    pub sync_last: Duration,
}

/// What the recovery of a folder found.
pub(super) struct Start {
    pub segments: BTreeMap<u64, Segment>,
    pub last: u64,
    pub next_sequence: u64,
    pub position: u64,
    pub waiting_bytes: u64,
    pub unread_since: Option<SystemTime>,
    pub damaged: u64,
    pub torn_bytes: u64,
}

/// What the reader must know to take its next step.
pub(super) struct View {
    pub end: u64,
    pub next: Option<u64>,
    pub last: u64,
}

impl State {
    pub fn new(start: Start) -> State {
        let mut state = State {
            segments: start.segments,
            active: None,
            last: start.last,
            read_through: start.position,
            in_flight: BTreeMap::new(),
            waiting_bytes: start.waiting_bytes,
            unread_since: start.unread_since,
            reserved_bytes: 0,
            disk_full: false,
            closed: false,
            damaged: start.damaged,
            torn_bytes: start.torn_bytes,
            syncs: 0,
            sync_last: Duration::ZERO,
        };
        state.mark_stored();
        state
    }

    /// Everything up to this sequence is confirmed, or lost, or was never used.
    pub fn position(&self) -> u64 {
        match self.in_flight.first_key_value() {
            Some((first, _)) => first - 1,
            None => self.read_through,
        }
    }

    pub fn bytes(&self) -> u64 {
        self.segments.values().map(|segment| segment.bytes).sum()
    }

    /// Bytes of segments that are kept for a replay only. They give way to new batches.
    pub fn kept_bytes(&self) -> u64 {
        let kept = |segment: &&Segment| segment.stored_since.is_some();
        let stored = self.segments.values().filter(kept);
        stored.map(|segment| segment.bytes).sum()
    }

    pub fn frames_waiting(&self) -> u64 {
        self.last.saturating_sub(self.read_through) + self.in_flight.len() as u64
    }

    pub fn in_flight(&self) -> usize {
        self.in_flight.len()
    }

    pub fn oldest_waiting(&self) -> Option<SystemTime> {
        let handed_out = self.in_flight.first_key_value();
        handed_out
            .map(|(_, batch)| batch.spooled_at)
            .or(self.unread_since)
    }

    /// A frame was synced.
    pub fn written(&mut self, first: u64, end: u64, sequence: u64, spooled_at: SystemTime) {
        let segment = self.segments.entry(first).or_insert(Segment {
            bytes: SEGMENT_HEAD_BYTES,
            stored_since: None,
            keep: false,
        });
        self.waiting_bytes += end - segment.bytes;
        segment.bytes = end;
        self.last = sequence;
        self.unread_since.get_or_insert(spooled_at);
    }

    /// Where the reader's segment ends now; `None` if it is gone.
    pub fn view(&self, first: u64) -> Option<View> {
        Some(View {
            end: self.segments.get(&first)?.bytes,
            next: self.next_segment(first),
            last: self.last,
        })
    }

    pub fn next_segment(&self, after: u64) -> Option<u64> {
        let mut later = self.segments.range(after.saturating_add(1)..);
        later.next().map(|(first, _)| *first)
    }

    /// The reader hands out a frame.
    pub fn handed_out(&mut self, sequence: u64, bytes: u64, spooled_at: SystemTime) {
        self.in_flight
            .insert(sequence, InFlight { bytes, spooled_at });
        self.passed(sequence);
        self.unread_since = (self.last > sequence).then_some(spooled_at);
    }

    /// The reader has passed everything up to here.
    pub fn passed(&mut self, sequence: u64) {
        self.read_through = self.read_through.max(sequence);
        if self.read_through >= self.last {
            self.unread_since = None;
            // Exact again, wherever damage had made it a guess.
            self.waiting_bytes = self.in_flight.values().map(|batch| batch.bytes).sum();
        }
        self.mark_stored();
    }

    /// The reader has skipped bytes that are not a frame.
    pub fn lost_bytes(&mut self, bytes: u64) {
        self.waiting_bytes = self.waiting_bytes.saturating_sub(bytes);
    }

    /// Whether this was in flight.
    pub fn confirmed(&mut self, sequence: u64) -> bool {
        let Some(batch) = self.in_flight.remove(&sequence) else {
            return false;
        };
        self.waiting_bytes = self.waiting_bytes.saturating_sub(batch.bytes);
        self.mark_stored();
        true
    }

    /// Starts the grace time of segments that hold nothing unconfirmed.
    fn mark_stored(&mut self) {
        let position = self.position();
        let last = self.last;
        let active = self.active;
        let mut below = last + 1;
        for (first, segment) in self.segments.iter_mut().rev() {
            let through = below - 1;
            below = *first;
            if position >= through && Some(*first) != active {
                if segment.stored_since.is_some() {
                    // Those before it are stored since then, too.
                    break;
                }
                segment.stored_since = Some(Instant::now());
            }
        }
    }

    /// The oldest segment that is kept for a replay only, and its last sequence.
    pub fn oldest_kept(&self, at_least: Duration) -> Option<(u64, u64)> {
        let (first, segment) = self.segments.first_key_value()?;
        if segment.stored_since?.elapsed() < at_least {
            return None;
        }
        let through = self.next_segment(*first).map_or(self.last, |next| next - 1);
        Some((*first, through))
    }
}

/// Channels of callers that wait until a batch is stored.
#[derive(Default)]
pub(super) struct Progress {
    pub through: u64,
    pub closed: bool,
    lost: Vec<Range<u64>>,
}

impl Progress {
    pub fn lose(&mut self, sequences: Range<u64>) {
        if sequences.is_empty() {
            return;
        }
        if self.lost.len() == LOST_RANGES_MAX {
            let second = self.lost.remove(1);
            self.lost[0] = self.lost[0].start..second.end;
        }
        self.lost.push(sequences);
    }

    /// Whether any of these is.
    pub fn is_lost(&self, sequences: &RangeInclusive<u64>) -> bool {
        let meets =
            |lost: &Range<u64>| lost.start <= *sequences.end() && lost.end > *sequences.start();
        self.lost.iter().any(meets)
    }
}
