//! The format on disk, byte by byte. All numbers are little-endian; a CRC is CRC-32 (IEEE).
//!
//! ```text
//! <spool>/              0700
//!   lock                flock: held by the one process that writes; never read
//!   position            how far ClickHouse has confirmed
//!   <first>.segment     frames; <first> is the sequence of its first frame, 20 decimal digits
//!   damaged/            bytes that were set aside, each with a report; for people, never read here
//! ```
//!
//! All files are 0600. Versions: the first 12 bytes and the last 4 of every head and slot have the same format in all
//! versions, so that a build can distinguish "newer" from "damaged". A build reads every version up to its own and
//! rejects newer ones. This is version 1.
//!
//! # Segment
//!
//! A head, then frames without a gap. It grows until it has `segment_bytes_max`, then it is sealed
//! and never written again. A segment is also sealed by every restart and by a failed write or sync:
//! after a failed `fdatasync` the kernel may have dropped the bytes and calls them clean, so that
//! the same file cannot be trusted for another byte.
//!
//! ```text
//! head, 64 bytes
//!  0  8   magic "bygspool"
//!  8  4   version
//! 12  4   zero
//! 16 16   spool id: random, for the life of the folder; part of the deduplication tokens
//! 32  8   mark: random, for the life of the folder; begins every frame; secret
//! 40  8   first: sequence of the first frame
//! 48  8   after: the last sequence that the spool held when this segment was made. The segment
//!         before must end there: this is how lost frames at its end, or its loss, are found.
//!         `first` may be larger than `after + 1`: sequences of failed writes are not used again.
//! 56  4   zero
//! 60  4   CRC of bytes 0..60
//! ```
//!
//! # Frame
//!
//! One batch: what one group of waiting `append` calls brought.
//!
//! ```text
//! head, 40 bytes
//!  0  8   mark of the spool
//!  8  4   length of the payload, at most 256 MiB
//! 12  4   CRC of the payload
//! 16  8   sequence: one more than the frame before in the same segment
//! 24  8   time of spooling: microseconds since 1970
//! 32  4   zero
//! 36  4   CRC of bytes 0..36
//! payload
//!  0  2   number of parts, then each part:
//!     1   format of the rows: 1, RowBinary
//!     4   version of the columns
//!     2+n name of the table, UTF-8
//!     2   number of columns, then each: 2+n name, UTF-8
//!     4   rows
//!     4   length of the encoded rows
//!     n   encoded rows
//! ```
//!
//! # A bad frame
//!
//! A frame is bad when its mark, a CRC, its length or its sequence is wrong. Reading goes on at the
//! next place that begins with the mark and is a good frame by all its checks, with a sequence that
//! is above the last good one and below the next segment's first. The mark is random and secret, so
//! that no sender can put a forged frame into the rows for the search to find.
//!
//! Bytes after the last good frame of the newest segment are a torn tail: the write that was under
//! way at a crash. They are cut off when the spool is opened (unless they are zeros, a copy goes to
//! `damaged/`, because a flipped bit in the very last frame looks just the same).
//!
//! # Position
//!
//! Two slots of 64 bytes, at 0 and 4096, written in turn and each synced; the one that is good and
//! has the higher generation counts. Written in place and not by rename: it needs no room, and so
//! works on the full disk whose room it is about to give back. A torn write leaves the slot before.
//!
//! ```text
//!  0  8   magic "bygposit"
//!  8  4   version
//! 12  4   replays: how often batches were marked as unsent again; part of the tokens after that
//! 16 16   spool id
//! 32  8   mark
//! 40  4   generation
//! 44  8   position: everything up to this sequence is confirmed
//! 52  8   last: the spool held this sequence, synced. If the newest segment ends before it, frames
//!         were lost there, and what looks like a torn tail is damage.
//! 60  4   CRC of bytes 0..60
//! ```
//!
//! Both numbers are saved about once a second and at a clean close, so they may be older than what
//! is true, never newer: after a crash some batches are
//! delivered again under the same token. A segment is deleted only after the position on disk has
//! passed its last frame.

use bytes::{Buf, BufMut};

pub(super) const VERSION: u32 = 1;
pub(super) const SEGMENT_HEAD_BYTES: u64 = 64;
pub(super) const FRAME_HEAD_BYTES: u64 = 40;
pub(super) const PAYLOAD_BYTES_LIMIT: u32 = 256 << 20;
pub(super) const SLOT_OFFSETS: [u64; 2] = [0, 4096];

const SEGMENT_MAGIC: &[u8; 8] = b"bygspool";
const SLOT_MAGIC: &[u8; 8] = b"bygposit";

/// What a spool folder is, for life.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Identity {
    pub id: [u8; 16],
    pub mark: u64,
}

/// Why a head or a slot cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unusable {
    /// Nothing but zeros.
    Empty,
    Damaged,
    /// Whole, but of a version that this build does not know.
    Version(u32),
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct SegmentHead {
    pub identity: Identity,
    pub first: u64,
    pub after: u64,
}

impl SegmentHead {
    pub fn encode(&self) -> [u8; 64] {
        let mut bytes = [0; 64];
        let mut to = &mut bytes[..];
        to.put_slice(SEGMENT_MAGIC);
        to.put_u32_le(VERSION);
        to.put_u32_le(0);
        to.put_slice(&self.identity.id);
        to.put_u64_le(self.identity.mark);
        to.put_u64_le(self.first);
        to.put_u64_le(self.after);
        seal(&mut bytes);
        bytes
    }

    pub fn decode(bytes: &[u8; 64]) -> Result<SegmentHead, Unusable> {
        let mut from = open(bytes, SEGMENT_MAGIC)?;
        from.advance(4);
        Ok(SegmentHead {
            identity: identity(&mut from),
            first: from.get_u64_le(),
            after: from.get_u64_le(),
        })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FrameHead {
    pub length: u32,
    pub payload_crc: u32,
    pub sequence: u64,
    pub spooled_at_micros: u64,
}

impl FrameHead {
    pub fn encode(&self, mark: u64) -> [u8; 40] {
        let mut bytes = [0; 40];
        let mut to = &mut bytes[..];
        to.put_u64_le(mark);
        to.put_u32_le(self.length);
        to.put_u32_le(self.payload_crc);
        to.put_u64_le(self.sequence);
        to.put_u64_le(self.spooled_at_micros);
        let crc = crc32fast::hash(&bytes[..36]);
        bytes[36..].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    pub fn decode(bytes: &[u8; 40], mark: u64) -> Option<FrameHead> {
        let mut from = &bytes[..];
        let marked = from.get_u64_le() == mark;
        let head = FrameHead {
            length: from.get_u32_le(),
            payload_crc: from.get_u32_le(),
            sequence: from.get_u64_le(),
            spooled_at_micros: from.get_u64_le(),
        };
        let zero = from.get_u32_le() == 0;
        let whole = from.get_u32_le() == crc32fast::hash(&bytes[..36]);
        (marked && zero && whole && head.length <= PAYLOAD_BYTES_LIMIT).then_some(head)
    }

    /// The bytes of the whole frame.
    pub fn frame_bytes(&self) -> u64 {
        FRAME_HEAD_BYTES + u64::from(self.length)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Slot {
    pub identity: Identity,
    pub replays: u32,
    pub generation: u32,
    pub position: u64,
    pub last: u64,
}

impl Slot {
    pub fn encode(&self) -> [u8; 64] {
        let mut bytes = [0; 64];
        let mut to = &mut bytes[..];
        to.put_slice(SLOT_MAGIC);
        to.put_u32_le(VERSION);
        to.put_u32_le(self.replays);
        to.put_slice(&self.identity.id);
        to.put_u64_le(self.identity.mark);
        to.put_u32_le(self.generation);
        to.put_u64_le(self.position);
        to.put_u64_le(self.last);
        seal(&mut bytes);
        bytes
    }

    pub fn decode(bytes: &[u8; 64]) -> Result<Slot, Unusable> {
        let mut from = open(bytes, SLOT_MAGIC)?;
        Ok(Slot {
            replays: from.get_u32_le(),
            identity: identity(&mut from),
            generation: from.get_u32_le(),
            position: from.get_u64_le(),
            last: from.get_u64_le(),
        })
    }
}

fn identity(from: &mut &[u8]) -> Identity {
    let mut id = [0; 16];
    from.copy_to_slice(&mut id);
    let mark = from.get_u64_le();
    Identity { id, mark }
}

fn seal(bytes: &mut [u8; 64]) {
    let crc = crc32fast::hash(&bytes[..60]);
    bytes[60..].copy_from_slice(&crc.to_le_bytes());
}

/// What follows the version, if magic, CRC and version are right.
fn open<'a>(bytes: &'a [u8; 64], magic: &[u8; 8]) -> Result<&'a [u8], Unusable> {
    if bytes.iter().all(|byte| *byte == 0) {
        return Err(Unusable::Empty);
    }
    let mut crc = &bytes[60..];
    if &bytes[..8] != magic || crc.get_u32_le() != crc32fast::hash(&bytes[..60]) {
        return Err(Unusable::Damaged);
    }
    let mut from = &bytes[8..60];
    match from.get_u32_le() {
        VERSION => Ok(from),
        version => Err(Unusable::Version(version)),
    }
}
