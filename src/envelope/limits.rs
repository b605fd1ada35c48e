//! How much memory unwrapping may take.

use std::io::{ErrorKind, Read};

use flate2::read::MultiGzDecoder;

use super::Reason;

/// A packed part is unpacked in pieces of this size.
const PIECE_BYTES: usize = 64 << 10;

/// zstd may look back so far (2^27 bytes, what `zstd --long` makes). For that its decoder keeps what it unpacked a
/// second time.
const ZSTD_WINDOW_LOG_MAX: u32 = 27;

/// How something is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packing {
    Gzip,
    Zstd,
}

impl Packing {
    /// Known by how it begins.
    pub fn of(bytes: &[u8]) -> Option<Packing> {
        if bytes.starts_with(b"\x1f\x8b\x08") {
            Some(Packing::Gzip)
        } else if bytes.starts_with(b"\x28\xb5\x2f\xfd") {
            Some(Packing::Zstd)
        } else {
            None
        }
    }
}

/// What was unpacked.
pub struct Unpacked {
    pub text: Vec<u8>,
    /// Whether the packed part broke off, so that this is its beginning.
    pub is_cut: bool,
}

/// What unwrapping one delivery may take.
pub struct Limits<'l> {
    /// Bytes that the packed parts (gzip) of the delivery may have unpacked, all together.
    pub unpacked_bytes_max: usize,
    /// Bytes that may be held at the same time.
    pub held_bytes_max: usize,
    /// Called before this many more bytes are held; they are released when the delivery is done.
    /// If it returns false, the delivery ends: see [`super::Rest::starved`].
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

    /// Unpacks gzip or zstd, also of several members. The text that it returns is held.
    pub fn unpack(&mut self, packing: Packing, packed: &[u8]) -> Result<Unpacked, Reason> {
        let mut text = Vec::new();
        let read = match packing {
            Packing::Gzip => self.unpack_into(&mut text, MultiGzDecoder::new(packed), 0),
            Packing::Zstd => {
                let decoder = zstd(packed).map_err(|_| Reason::BadPacking)?;
                self.unpack_into(&mut text, decoder, 1 << ZSTD_WINDOW_LOG_MAX)
            }
        };
        match read {
            Ok(()) => Ok(Unpacked {
                text,
                is_cut: false,
            }),
            Err(Reason::CutOff) => Ok(Unpacked { text, is_cut: true }),
            Err(reason) => {
                self.release(text.len());
                Err(reason)
            }
        }
    }

    /// The decoder keeps the last `window` bytes, too.
    fn unpack_into(
        &mut self,
        text: &mut Vec<u8>,
        mut packed: impl Read,
        window: usize,
    ) -> Result<(), Reason> {
        let mut kept = 0;
        let read = loop {
            match self.unpack_piece(text, &mut packed) {
                Ok(0) => break Ok(()),
                Ok(_) => {}
                Err(reason) => break Err(reason),
            }
            let more = text.len().min(window) - kept;
            if let Err(reason) = self.hold(more) {
                break Err(reason);
            }
            kept += more;
        };
        self.release(kept);
        read
    }

    /// Returns how many bytes were unpacked and are held now.
    fn unpack_piece(
        &mut self,
        text: &mut Vec<u8>,
        packed: &mut impl Read,
    ) -> Result<usize, Reason> {
        let left = self.limits.unpacked_bytes_max - self.unpacked;
        // One byte more than is left shows that there is more.
        let room = PIECE_BYTES.min(left + 1);
        // Room is there before it is filled.
        self.hold(room)?;
        let before = text.len();
        let read = packed.take(room as u64).read_to_end(text);
        let bytes = text.len() - before;
        self.release(room - bytes);
        if bytes > left {
            return Err(Reason::TooLarge);
        }
        self.unpacked += bytes;
        read.map_err(|error| match error.kind() {
            ErrorKind::UnexpectedEof => Reason::CutOff,
            _ => Reason::BadPacking,
        })
    }
}

fn zstd(packed: &[u8]) -> std::io::Result<zstd::Decoder<'static, &[u8]>> {
    let mut decoder = zstd::Decoder::with_buffer(packed)?;
    decoder.window_log_max(ZSTD_WINDOW_LOG_MAX)?;
    Ok(decoder)
}
