//! Looking at a spool from outside: `bygone spool status`, `verify` and `replay`.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::batch;
use super::damage;
use super::error::OpenError;
use super::folder;
use super::format::{Identity, SEGMENT_HEAD_BYTES};
use super::open::saved_position;
use super::position::PositionFile;
use super::walk::{Damage, Limits, Step, Walk, segment_head};

/// What can be read without scanning frames.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// A process has the spool open.
    pub in_use: bool,
    pub segments: u64,
    pub bytes: u64,
    /// Everything up to this sequence is confirmed; `None`: the position file is missing or damaged.
    pub stored_through: Option<u64>,
    /// Frames that are not confirmed, at most.
    pub frames_waiting: u64,
    /// When the oldest of them was spooled.
    pub oldest_waiting: Option<SystemTime>,
    /// Reports in `damaged/`.
    pub damaged: u64,
}

/// What a reading of everything found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    pub segments: Vec<VerifiedSegment>,
}

/// One segment of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedSegment {
    pub path: PathBuf,
    pub bytes: u64,
    pub frames: u64,
    pub rows: u64,
    /// Of the good frames.
    pub sequences: Option<(u64, u64)>,
    /// One line each: what is wrong, and where.
    pub damage: Vec<String>,
    /// Bytes at the end of the newest segment that are not a frame (yet): being written, or torn.
    pub tail_bytes: u64,
}

/// What is to be sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replay {
    /// All that is still kept.
    All,
    /// What was spooled at this time or later.
    Since(SystemTime),
}

/// Looks at names, lengths and heads. Needs no lock.
///
/// # Errors
///
/// When the folder cannot be read or is of a newer version.
pub fn status(dir: &Path) -> Result<Status, OpenError> {
    let lengths = folder::segments(dir).map_err(OpenError::io("list", dir))?;
    let slot = saved_position(dir)?;
    let stored_through = slot.map(|slot| slot.position);
    let mut frames_waiting = 0;
    let mut oldest_waiting = None;
    if let Some(identity) = identity(dir)? {
        let firsts: Vec<u64> = lengths.keys().copied().collect();
        for (index, first) in firsts.iter().enumerate() {
            let stored = stored_through.unwrap_or(0);
            if firsts.get(index + 1).is_some_and(|next| next - 1 <= stored) {
                continue;
            }
            let waiting = waiting(dir, identity, *first, stored);
            let (frames, oldest) = waiting.map_err(OpenError::io("read", dir))?;
            frames_waiting += frames;
            oldest_waiting = oldest_waiting.or(oldest);
        }
    }
    Ok(Status {
        in_use: folder::is_locked(dir),
        segments: lengths.len() as u64,
        bytes: lengths.values().sum(),
        stored_through,
        frames_waiting,
        oldest_waiting,
        damaged: damage::reports(dir).map_err(OpenError::io("list", dir))?,
    })
}

fn waiting(
    dir: &Path,
    identity: Identity,
    first: u64,
    stored: u64,
) -> io::Result<(u64, Option<SystemTime>)> {
    let Some((mut walk, end)) = open(dir, first, identity)? else {
        return Ok((0, None));
    };
    let mut limits = Limits {
        end,
        after: first - 1,
        below: u64::MAX,
        unread_through: u64::MAX,
    };
    let (mut frames, mut oldest) = (0, None);
    loop {
        match walk.step(&limits)? {
            Step::Frame { head, .. } | Step::Passed { head } => {
                limits.after = head.sequence;
                if head.sequence > stored {
                    frames += 1;
                    let since = Duration::from_micros(head.spooled_at_micros);
                    oldest.get_or_insert(UNIX_EPOCH + since);
                }
            }
            Step::Damage(_) => {}
            Step::End => return Ok((frames, oldest)),
        }
    }
}

/// `None` if the segment was deleted meanwhile.
fn open(dir: &Path, first: u64, identity: Identity) -> io::Result<Option<(Walk, u64)>> {
    match Walk::open(dir, first, identity.mark) {
        Ok(walk) => {
            let end = walk.file().metadata()?.len();
            Ok(Some((walk, end)))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn identity(dir: &Path) -> Result<Option<Identity>, OpenError> {
    if let Some(slot) = saved_position(dir)? {
        return Ok(Some(slot.identity));
    }
    let lengths = folder::segments(dir).map_err(OpenError::io("list", dir))?;
    for first in lengths.keys().rev() {
        let path = folder::segment_path(dir, *first);
        let head = File::open(&path).and_then(|file| segment_head(&file));
        if let Ok(head) = head.map_err(OpenError::io("read", path))? {
            return Ok(Some(head.identity));
        }
    }
    Ok(None)
}

/// Reads every byte and changes none. Works beside the process that has the spool open.
///
/// # Errors
///
/// When the folder cannot be read, is of a newer version, or has nothing that identifies its spool.
pub fn verify(dir: &Path) -> Result<Verified, OpenError> {
    let Some(identity) = identity(dir)? else {
        return Err(OpenError::Unreadable(dir.to_owned()));
    };
    let lengths = folder::segments(dir).map_err(OpenError::io("list", dir))?;
    let mut verified = Verified::default();
    let firsts: Vec<u64> = lengths.keys().copied().collect();
    let mut previous = None;
    for (index, first) in firsts.iter().enumerate() {
        let next = firsts.get(index + 1).copied();
        let segment = verify_segment(dir, identity, *first, previous, next);
        let Some(segment) = segment.map_err(OpenError::io("read", dir))? else {
            continue;
        };
        previous = Some(segment.sequences.map_or(first - 1, |(_, last)| last));
        verified.segments.push(segment);
    }
    Ok(verified)
}

fn verify_segment(
    dir: &Path,
    identity: Identity,
    first: u64,
    previous: Option<u64>,
    next: Option<u64>,
) -> io::Result<Option<VerifiedSegment>> {
    let Some((mut walk, end)) = open(dir, first, identity)? else {
        return Ok(None);
    };
    let mut segment = VerifiedSegment {
        path: folder::segment_path(dir, first),
        bytes: end,
        frames: 0,
        rows: 0,
        sequences: None,
        damage: Vec::new(),
        tail_bytes: 0,
    };
    segment.check_head(walk.file(), identity, first, previous)?;
    let mut limits = Limits {
        end,
        after: first - 1,
        below: next.unwrap_or(u64::MAX),
        unread_through: 0,
    };
    loop {
        match walk.step(&limits)? {
            Step::Frame { head, payload } => {
                segment.frame(head.sequence, batch::decode(payload));
                limits.after = head.sequence;
            }
            Step::Passed { .. } => {}
            Step::Damage(Damage {
                bytes, next: None, ..
            }) if next.is_none() => {
                segment.tail_bytes = bytes.end - bytes.start;
            }
            Step::Damage(Damage { bytes, reason, .. }) => {
                segment
                    .damage
                    .push(format!("bytes {} to {}: {reason}", bytes.start, bytes.end));
            }
            Step::End => return Ok(Some(segment)),
        }
    }
}

impl VerifiedSegment {
    fn check_head(
        &mut self,
        file: &File,
        identity: Identity,
        first: u64,
        previous: Option<u64>,
    ) -> io::Result<()> {
        match segment_head(file)? {
            Ok(head) if head.identity != identity => {
                self.damage.push("is from a different spool".to_owned());
            }
            Ok(head) if head.first != first => {
                self.damage
                    .push(format!("the name should be {:020}", head.first));
            }
            Ok(head) => {
                if let Some(previous) = previous.filter(|previous| *previous < head.after) {
                    let (from, to) = (previous + 1, head.after);
                    self.damage
                        .push(format!("frames {from} to {to} are missing before it"));
                }
            }
            Err(_) => self.damage.push(format!(
                "bytes 0 to {SEGMENT_HEAD_BYTES}: the head is damaged"
            )),
        }
        Ok(())
    }

    fn frame(&mut self, sequence: u64, parts: Option<Vec<batch::Part>>) {
        match parts {
            Some(parts) => {
                self.frames += 1;
                self.rows += parts.iter().map(|part| u64::from(part.rows)).sum::<u64>();
            }
            None => self
                .damage
                .push(format!("frame {sequence}: the payload cannot be read")),
        }
        let (from, _) = self.sequences.unwrap_or((sequence, sequence));
        self.sequences = Some((from, sequence));
    }
}

/// Marks batches that are confirmed and still kept as unsent, under new tokens. Needs the lock, so
/// the process that has the spool open must be stopped. Returns the sequence from which all will be
/// sent; nothing changes if there is nothing kept.
///
/// # Errors
///
/// When the spool is in use, or cannot be read or written.
pub fn replay(dir: &Path, what: Replay) -> Result<Option<u64>, OpenError> {
    let _lock = folder::lock(dir)?;
    let lengths = folder::segments(dir).map_err(OpenError::io("list", dir))?;
    let Some(slot) = saved_position(dir)? else {
        // Without a position everything is sent again anyway.
        return Ok(lengths.first_key_value().map(|(first, _)| *first));
    };
    let from = match what {
        Replay::All => lengths.first_key_value().map(|(first, _)| *first),
        Replay::Since(time) => {
            first_since(dir, slot.identity, time).map_err(OpenError::io("read", dir))?
        }
    };
    let Some(from) = from.filter(|from| *from <= slot.position) else {
        return Ok(None);
    };
    PositionFile::open(dir, slot)
        .and_then(|mut file| file.rewind(from - 1))
        .map_err(OpenError::io("write the position of", dir))?;
    Ok(Some(from))
}

fn first_since(dir: &Path, identity: Identity, time: SystemTime) -> io::Result<Option<u64>> {
    for first in folder::segments(dir)?.into_keys() {
        let Some((mut walk, end)) = open(dir, first, identity)? else {
            continue;
        };
        let mut limits = Limits {
            end,
            after: first - 1,
            below: u64::MAX,
            unread_through: u64::MAX,
        };
        loop {
            match walk.step(&limits)? {
                Step::Frame { head, .. } | Step::Passed { head } => {
                    if UNIX_EPOCH + Duration::from_micros(head.spooled_at_micros) >= time {
                        return Ok(Some(head.sequence));
                    }
                    limits.after = head.sequence;
                }
                Step::Damage(_) => {}
                Step::End => break,
            }
        }
    }
    Ok(None)
}
