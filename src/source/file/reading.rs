//! A file is read on a thread, from a place to its end, in pieces.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::buffers::{Buffers, CHUNK_BYTES};
use super::cut::{Changed, Cutter, Piece};
use super::head::{HEAD_BYTES_MAX, fingerprint};
use super::place::{Place, TAIL_BYTES, Whole};
use super::unpack::{Foreign, Packing, Unpacked};

/// Why a file was not read, or not to its end.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot be read: {0}")]
    Io(#[from] io::Error),
    #[error(transparent)]
    Foreign(#[from] Foreign),
    /// To be read from its beginning.
    #[error("its content before the stored position has changed")]
    Changed,
    /// As `Changed`, unless it is a copy that is still being made.
    #[error("it ends before the stored position")]
    Short,
    #[error("stopped")]
    Stopped,
}

impl From<Changed> for Error {
    fn from(_: Changed) -> Error {
        Error::Changed
    }
}

/// What is read.
pub enum Input {
    File(Arc<File>),
    /// Read once, from the beginning.
    Stdin,
}

/// What a file is, as far as its beginning tells.
#[derive(Clone, Debug)]
pub struct Identity {
    /// Missing where there is no audit ID yet.
    pub fingerprint: Option<String>,
    pub size: u64,
    /// Whether positions, which are unpacked, do not compare with its size.
    pub is_packed: bool,
}

/// How a reading ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Bytes of a last line, or document, that is not all there.
    pub left: u64,
    /// The file breaks off, or is damaged from there on: what is before was read.
    pub is_damaged: bool,
    /// The file on the disk, if everything was read and it has not grown since.
    pub whole: Option<Whole>,
}

/// Reads with a position of its own, so that several may read one file, and counts.
struct At<'f> {
    file: &'f File,
    at: u64,
    read: &'f AtomicU64,
}

impl Read for At<'_> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(to, self.at)?;
        self.at += read as u64;
        self.read.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

struct Counted<'c>(io::Stdin, &'c AtomicU64);

impl Read for Counted<'_> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let read = self.0.read(to)?;
        self.1.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

/// Looks at the beginning of a file.
///
/// # Errors
///
/// When it can't be read, or is no log.
pub fn identify(file: &File, is_growing: bool) -> Result<Identity, Error> {
    let size = file.metadata()?.size();
    let uncounted = AtomicU64::new(0);
    let packed = At {
        file,
        at: 0,
        read: &uncounted,
    };
    let mut unpacked = Unpacked::open(packed)??;
    let mut head = Vec::new();
    // Of one that is cut, what comes before.
    _ = unpacked
        .by_ref()
        .take(HEAD_BYTES_MAX as u64)
        .read_to_end(&mut head);
    Ok(Identity {
        fingerprint: fingerprint(&head, !is_growing),
        size,
        is_packed: unpacked.packing != Packing::Plain,
    })
}

/// The file as it is on the disk.
///
/// # Errors
///
/// When it can't be read.
pub fn whole(file: &File) -> io::Result<Whole> {
    let size = file.metadata()?.size();
    let from = size.saturating_sub(TAIL_BYTES as u64);
    let mut end = vec![0; (size - from) as usize];
    file.read_exact_at(&mut end, from)?;
    Ok(Whole {
        size,
        end: crc32fast::hash(&end),
    })
}

/// Reads until the buffer is full, or there is no more. Returns how much was read, and the failure that ended it.
fn fill(from: &mut impl Read, buffer: &mut [u8]) -> (usize, io::Result<()>) {
    let mut filled = 0;
    while filled < buffer.len() {
        match from.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) => return (filled, Err(error)),
        }
    }
    (filled, Ok(()))
}

/// What a reading needs.
pub struct Reading {
    pub input: Input,
    pub from: Place,
    /// Its writer may still write to it: a half at its end waits, also in a packed file.
    pub is_growing: bool,
    pub to: mpsc::Sender<Piece>,
    /// Where the bytes of pieces may be given back to.
    pub buffers: Buffers,
    /// Bytes as they lie on the disk.
    pub packed_read: Arc<AtomicU64>,
    pub stop: CancellationToken,
}

impl Reading {
    /// Reads. Blocks its thread.
    ///
    /// # Errors
    ///
    /// When the file can't be read at all; one that is damaged has an end.
    pub fn run(self) -> Result<Ended, Error> {
        let Input::File(file) = &self.input else {
            let packed = Counted(io::stdin(), &self.packed_read);
            let ended = self.read(Unpacked::open(packed)??, Place::default())?;
            return Ok(ended);
        };
        let before = whole(file)?;
        let at = |at| At {
            file,
            at,
            read: &self.packed_read,
        };
        let unpacked = Unpacked::open(at(0))??;
        let packing = unpacked.packing;
        let ended = match packing {
            Packing::Plain => {
                self.packed_read
                    .fetch_add(self.from.document, Ordering::Relaxed);
                let mut tail = vec![0; TAIL_BYTES.min(self.from.document as usize)];
                let begin = self.from.document - tail.len() as u64;
                file.read_exact_at(&mut tail, begin)
                    .map_err(|_| Error::Short)?;
                self.read_behind(at(self.from.document), tail, false)?
            }
            _ => self.read(unpacked, self.from)?,
        };
        let is_same = ended.left == 0 && whole(file)? == before;
        Ok(Ended {
            whole: is_same.then_some(before),
            ..ended
        })
    }

    /// Passes over what was read before.
    fn read(&self, mut text: impl Read, from: Place) -> Result<Ended, Error> {
        let mut tail = Vec::new();
        let skipped = from.document.saturating_sub(TAIL_BYTES as u64);
        let passed = io::copy(&mut text.by_ref().take(skipped), &mut io::sink());
        let kept = text
            .by_ref()
            .take(from.document - skipped)
            .read_to_end(&mut tail);
        let is_there = passed.is_ok_and(|passed| passed == skipped) && kept.is_ok();
        if !is_there || tail.len() as u64 != from.document - skipped {
            return Err(Error::Short);
        }
        // What is packed, or comes through a pipe, does not grow.
        self.read_behind(text, tail, true)
    }

    fn read_behind(
        &self,
        mut text: impl Read,
        tail: Vec<u8>,
        is_final: bool,
    ) -> Result<Ended, Error> {
        let mut cutter = Cutter::at(&self.from, tail, self.buffers.clone())?;
        let mut is_damaged;
        loop {
            if self.stop.is_cancelled() {
                return Err(Error::Stopped);
            }
            let (read, outcome) = fill(&mut text, cutter.room(CHUNK_BYTES));
            self.send(cutter.filled(CHUNK_BYTES, read)?)?;
            is_damaged = outcome.is_err();
            if is_damaged || read < CHUNK_BYTES {
                break;
            }
        }
        let (rest, left) = cutter.end((is_damaged || is_final) && !self.is_growing)?;
        self.send(rest)?;
        Ok(Ended {
            left,
            is_damaged,
            whole: None,
        })
    }

    fn send(&self, pieces: impl IntoIterator<Item = Piece>) -> Result<(), Error> {
        for piece in pieces {
            self.to.blocking_send(piece).map_err(|_| Error::Stopped)?;
        }
        Ok(())
    }
}
