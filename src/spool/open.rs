//! Opening a folder: what a crash left is put in order.
//!
//! What it costs does not depend on how much is spooled: one look at each file's length, the heads
//! of two segments, and one way through the newest segment.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tracing::{error, warn};

use super::Config;
use super::damage::{self, Report};
use super::error::OpenError;
use super::folder;
use super::format::{Identity, SEGMENT_HEAD_BYTES, SegmentHead, Slot, Unusable, VERSION};
use super::position::{self, Found, Opened, PositionFile};
use super::shared::Shared;
use super::state::{Segment, Start, State};
use super::walk::{Limits, Step, Walk, segment_head};
use crate::disk;

/// Locks the folder and makes it ready. With it comes the sequence of the next frame.
pub(super) fn recover(dir: &Path, config: Config) -> Result<(Shared, u64), OpenError> {
    disk::private_folder(dir).map_err(OpenError::io("make", dir))?;
    let lock = folder::lock(dir)?;
    let lengths = folder::segments(dir).map_err(OpenError::io("list", dir))?;
    let position = position(dir, &lengths)?;
    let identity = position.file.saved().identity;
    check_heads(dir, identity, &lengths)?;
    let opening = Opening {
        dir,
        config: &config,
        identity,
        stored_through: position.file.saved().position,
        known_last: position.file.saved().last,
    };
    let start = opening.start(lengths)?;
    let next_sequence = start.next_sequence;
    let state = State::new(start);
    let shared = Shared::new(dir.to_owned(), config, lock, position, state);
    Ok((shared, next_sequence))
}

/// The position file, a new one if need be.
fn position(dir: &Path, lengths: &BTreeMap<u64, u64>) -> Result<Opened, OpenError> {
    let path = position::path(dir);
    let found = position::read(dir).map_err(OpenError::io("read", &path))?;
    let replays = match found {
        Found::Slot { slot, whole } => {
            if !whole {
                warn!("spool: a slot of the position file is torn; the other one is used");
            }
            let file = PositionFile::open(dir, slot).map_err(OpenError::io("open", &path))?;
            return Ok(Opened { file, whole });
        }
        Found::Version(found) => {
            let known = VERSION;
            return Err(OpenError::Version { path, found, known });
        }
        Found::Nothing => 0,
        // Whether there were replays is not known, so tokens that were never used are made.
        Found::Damaged => seconds_now(),
    };
    let identity = match identity_of_segments(dir, lengths)? {
        Some(identity) => identity,
        None if lengths.is_empty() => new_identity().map_err(OpenError::io("name", dir))?,
        None => return Err(OpenError::Unreadable(dir.to_owned())),
    };
    let begin = lengths.first_key_value().map_or(0, |(first, _)| first - 1);
    if !lengths.is_empty() {
        error!("spool: the position file is missing: all kept batches will be resent");
    }
    let file = PositionFile::create(dir, identity, begin, replays)
        .map_err(OpenError::io("write", &path))?;
    let whole = lengths.is_empty();
    Ok(Opened { file, whole })
}

fn seconds_now() -> u32 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(1, |since| since.as_secs() as u32)
}

fn new_identity() -> io::Result<Identity> {
    let mut random = [0; 24];
    let filled = rustix::rand::getrandom(&mut random[..], rustix::rand::GetRandomFlags::empty())?;
    if filled < random.len() {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let (id, mark) = random.split_at(16);
    let mut identity = Identity {
        id: [0; 16],
        mark: 0,
    };
    identity.id.copy_from_slice(id);
    identity.mark = mark
        .iter()
        .fold(0, |mark, byte| mark << 8 | u64::from(*byte));
    Ok(identity)
}

/// From the newest segment with a good head.
fn identity_of_segments(
    dir: &Path,
    lengths: &BTreeMap<u64, u64>,
) -> Result<Option<Identity>, OpenError> {
    for first in lengths.keys().rev() {
        if let (_, Ok(head)) = head_of(dir, *first)? {
            return Ok(Some(head.identity));
        }
    }
    Ok(None)
}

fn head_of(dir: &Path, first: u64) -> Result<(PathBuf, Result<SegmentHead, Unusable>), OpenError> {
    let path = folder::segment_path(dir, first);
    let head = File::open(&path).and_then(|file| segment_head(&file));
    let head = head.map_err(OpenError::io("read", &path))?;
    Ok((path, head))
}

/// Versions only rise from segment to segment, so checking the oldest and the newest is enough.
fn check_heads(
    dir: &Path,
    identity: Identity,
    lengths: &BTreeMap<u64, u64>,
) -> Result<(), OpenError> {
    let ends = [lengths.first_key_value(), lengths.last_key_value()];
    for (first, _) in ends.into_iter().flatten() {
        match head_of(dir, *first)? {
            (path, Err(Unusable::Version(found))) => {
                let known = VERSION;
                return Err(OpenError::Version { path, found, known });
            }
            (path, Ok(head)) if head.identity != identity => return Err(OpenError::Foreign(path)),
            // Damage is the reader's to report.
            _ => {}
        }
    }
    Ok(())
}

struct Opening<'a> {
    dir: &'a Path,
    config: &'a Config,
    identity: Identity,
    stored_through: u64,
    /// This sequence was synced once.
    known_last: u64,
}

impl Opening<'_> {
    fn start(&self, mut lengths: BTreeMap<u64, u64>) -> Result<Start, OpenError> {
        let mut last = lengths
            .last_key_value()
            .map_or(self.known_last, |(first, _)| first - 1);
        let mut torn_bytes = 0;
        let newest = lengths.last_key_value().map_or(0, |(first, _)| *first);
        if let Some((first, length)) = lengths.pop_last() {
            let path = folder::segment_path(self.dir, first);
            let tail = self
                .cut_tail(first, length)
                .map_err(OpenError::io("recover", path))?;
            last = tail.last;
            torn_bytes = length - tail.end;
            if tail.end > 0 {
                lengths.insert(first, tail.end);
            }
        }
        last = last.max(self.stored_through);
        if last < self.known_last {
            self.report_lost(newest, last + 1..self.known_last + 1);
            last = self.known_last;
        }
        let unread = self
            .first_unread(&lengths)
            .map_err(OpenError::io("read", self.dir))?;
        let damaged = damage::reports(self.dir).map_err(OpenError::io("list", self.dir))?;
        let segment = |(first, bytes)| {
            let segment = Segment {
                bytes,
                stored_since: None,
                keep: false,
            };
            (first, segment)
        };
        Ok(Start {
            segments: lengths.into_iter().map(segment).collect(),
            last,
            // The name of a segment without a frame is taken.
            next_sequence: last.max(newest) + 1,
            position: self.stored_through,
            waiting_bytes: unread.map_or(0, |(bytes, _)| bytes),
            unread_since: unread.map(|(_, since)| since),
            damaged,
            torn_bytes,
        })
    }

    /// Frames that were acknowledged are not there.
    fn report_lost(&self, segment: u64, lost: Range<u64>) {
        let (from, below) = (lost.start, lost.end);
        error!(
            lost_from = from,
            lost_below = below,
            "spool damaged: frames at its end are gone"
        );
        let report = Report {
            segment,
            bytes: 0..0,
            reason: "frames at the end of the spool are gone",
            lost,
            torn: false,
        };
        let bytes_max = self.config.damaged_bytes_max;
        if let Err(error) = damage::set_aside(self.dir, None, &report, bytes_max) {
            error!("spool: cannot write the damage report: {error}");
        }
    }

    /// Cuts off what follows the last good frame of the newest segment, and makes the rest last:
    /// nothing may be handed out that a power failure could still take back.
    fn cut_tail(&self, first: u64, length: u64) -> io::Result<Tail> {
        let path = folder::segment_path(self.dir, first);
        let mut walk = Walk::open(self.dir, first, self.identity.mark)?;
        let mut end = 0;
        let mut last = first - 1;
        // Without a frame it stays if its head is good: the head has the state before it.
        if segment_head(walk.file())?.is_ok() {
            end = SEGMENT_HEAD_BYTES;
        }
        let mut limits = Limits {
            end: length,
            after: first - 1,
            below: u64::MAX,
            unread_through: 0,
        };
        loop {
            match walk.step(&limits)? {
                Step::Frame { head, .. } | Step::Passed { head } => {
                    (end, last) = (walk.offset(), head.sequence);
                    limits.after = last;
                }
                Step::Damage(_) => {}
                Step::End => break,
            }
        }
        let file = OpenOptions::new().write(true).open(&path)?;
        if end < length {
            self.keep_tail(&walk, first, end..length)?;
        }
        if end == 0 {
            fs::remove_file(&path)?;
            disk::sync_folder(self.dir)?;
        } else {
            file.set_len(end)?;
            file.sync_all()?;
        }
        Ok(Tail { end, last })
    }

    fn keep_tail(&self, walk: &Walk, first: u64, bytes: Range<u64>) -> io::Result<()> {
        let (at, cut) = (bytes.start, bytes.end - bytes.start);
        warn!(
            segment = first,
            "spool: cut off {cut} bytes at {at}, a torn write"
        );
        if is_zero(walk.file(), bytes.clone())? {
            return Ok(());
        }
        let report = Report {
            segment: first,
            bytes,
            reason: "torn tail, normal after a crash",
            lost: 0..0,
            torn: true,
        };
        // A copy for people to look at. If the disk is too full for it, service comes first.
        if let Err(error) = damage::set_aside(
            self.dir,
            Some(walk.file()),
            &report,
            self.config.damaged_bytes_max,
        ) {
            error!(
                segment = first,
                "spool: no copy was kept of the torn bytes: {error}"
            );
        }
        Ok(())
    }

    /// The bytes of frames that are not confirmed, and when the first of them was spooled.
    fn first_unread(&self, lengths: &BTreeMap<u64, u64>) -> io::Result<Option<(u64, SystemTime)>> {
        let mut up_to_next = lengths.range(..=self.stored_through + 1);
        let begin = up_to_next.next_back().map_or(0, |(first, _)| *first);
        let bytes_after = |first: u64| {
            let later = lengths.range(first + 1..);
            later
                .map(|(_, bytes)| bytes.saturating_sub(SEGMENT_HEAD_BYTES))
                .sum::<u64>()
        };
        for (first, length) in lengths.range(begin..) {
            let mut walk = Walk::open(self.dir, *first, self.identity.mark)?;
            let limits = Limits {
                end: *length,
                after: first - 1,
                below: u64::MAX,
                // Heads only.
                unread_through: u64::MAX,
            };
            loop {
                let at = walk.offset();
                let since = match walk.step(&limits)? {
                    Step::Frame { head, .. } | Step::Passed { head } => {
                        if head.sequence <= self.stored_through {
                            continue;
                        }
                        UNIX_EPOCH + Duration::from_micros(head.spooled_at_micros)
                    }
                    // Unknown here; the reader will find out.
                    Step::Damage(_) => SystemTime::now(),
                    Step::End => break,
                };
                return Ok(Some((length - at + bytes_after(*first), since)));
            }
        }
        Ok(None)
    }
}

struct Tail {
    /// Zero if the file is gone.
    end: u64,
    last: u64,
}

fn is_zero(file: &File, bytes: Range<u64>) -> io::Result<bool> {
    use std::io::{Read, Seek, SeekFrom};
    let mut file = file;
    file.seek(SeekFrom::Start(bytes.start))?;
    let mut piece = vec![0; 64 << 10];
    let zeros = piece.clone();
    let mut left = bytes.end - bytes.start;
    while left > 0 {
        let wanted = left.min(piece.len() as u64) as usize;
        file.read_exact(&mut piece[..wanted])?;
        if piece[..wanted] != zeros[..wanted] {
            return Ok(false);
        }
        left -= wanted as u64;
    }
    Ok(true)
}

/// The position file alone, for a replay.
pub(super) fn saved_position(dir: &Path) -> Result<Option<Slot>, OpenError> {
    let path = position::path(dir);
    match position::read(dir).map_err(OpenError::io("read", &path))? {
        Found::Slot { slot, .. } => Ok(Some(slot)),
        Found::Version(found) => Err(OpenError::Version {
            path,
            found,
            known: VERSION,
        }),
        Found::Nothing | Found::Damaged => Ok(None),
    }
}
