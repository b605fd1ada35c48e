//! How much memory unwrapping may take.

use std::io::Read;

use flate2::read::MultiGzDecoder;

use super::Reason;

/// A packed part is unpacked in pieces of this size.
const PIECE_BYTES: usize = 64 << 10;

/// What unwrapping one delivery may take.
pub struct Limits<'l> {
    /// Bytes that the packed parts (gzip) of the delivery may have unpacked, all together.
    pub unpacked_bytes_max: usize,
    /// Bytes that may be held at the same time.
    pub held_bytes_max: usize,
    /// Asked before so many more bytes are held; they are given back when the delivery is done.
    /// The answer no ends the delivery: see [`super::Rest::starved`].
    pub reserve: &'l mut dyn FnMut(usize) -> bool,
}

/// What is left of the limits.
pub(super) struct Allowance<'l> {
    limits: Limits<'l>,
    unpacked: usize,
    held: usize,
    reserved: usize,
    pub starved: bool,
}

impl<'l> Allowance<'l> {
    pub fn new(limits: Limits<'l>) -> Allowance<'l> {
        Allowance {
            limits,
            unpacked: 0,
            held: 0,
            reserved: 0,
            starved: false,
        }
    }

    /// Makes sure that `bytes` more may be held.
    pub fn hold(&mut self, bytes: usize) -> Result<(), Reason> {
        let held = self.held.saturating_add(bytes);
        if held > self.limits.held_bytes_max || self.starved {
            return Err(Reason::TooLarge);
        }
        if held > self.reserved {
            let more = (held - self.reserved).next_multiple_of(PIECE_BYTES);
            if !(self.limits.reserve)(more) {
                self.starved = true;
                return Err(Reason::TooLarge);
            }
            self.reserved += more;
        }
        self.held = held;
        Ok(())
    }

    pub fn release(&mut self, bytes: usize) {
        self.held = self.held.saturating_sub(bytes);
    }

    /// Unpacks gzip, also of several members. What it returns is held.
    pub fn unpack(&mut self, packed: &[u8]) -> Result<Vec<u8>, Reason> {
        let mut unpacked = Vec::new();
        let read = self.unpack_into(&mut unpacked, MultiGzDecoder::new(packed));
        if read.is_err() {
            self.release(unpacked.len());
        }
        read.map(|()| unpacked)
    }

    fn unpack_into(&mut self, unpacked: &mut Vec<u8>, mut packed: impl Read) -> Result<(), Reason> {
        loop {
            let left = self.limits.unpacked_bytes_max - self.unpacked;
            // One byte more than is left shows that there is more.
            let room = PIECE_BYTES.min(left + 1);
            // Room is there before it is filled.
            self.hold(room)?;
            let read = packed.by_ref().take(room as u64).read_to_end(unpacked);
            let read = read.map_err(|_| Reason::BadPacking);
            self.release(room - *read.as_ref().unwrap_or(&0));
            match read? {
                0 => return Ok(()),
                read if read > left => return Err(Reason::TooLarge),
                read => self.unpacked += read,
            }
        }
    }
}
