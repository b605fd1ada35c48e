//! A file that is being put together in memory: its table, and the letters that it points to.

use std::collections::HashSet;

use uuid::Uuid;

use super::format::{self, Head, LETTER, LINE_BYTES_MAX, Line};
use super::letter::{Kept, Letter, Summary};

/// The most letters of one file. A body of nothing but line breaks and digits has millions.
pub const FILE_LETTERS_MAX: usize = 20_000;

/// Files take their space in blocks of this size, on most disks.
const BLOCK_BYTES: u64 = 4096;

/// No head is longer.
const HEAD_BYTES_MAX: usize = 256;

/// What becomes of a letter's bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Kept,
    /// They were on disk before.
    Again,
    Off,
    /// It has no bytes.
    Empty,
    /// Over `size_bytes_max`, alone or with the letters of its delivery before it.
    TooLarge,
    TooMany,
    Failed,
}

impl Outcome {
    pub const ALL: [Outcome; 7] = [
        Outcome::Kept,
        Outcome::Again,
        Outcome::Off,
        Outcome::Empty,
        Outcome::TooLarge,
        Outcome::TooMany,
        Outcome::Failed,
    ];

    /// The name in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Outcome::Kept => "kept",
            Outcome::Again => "kept before",
            Outcome::Off => "off",
            Outcome::Empty => "empty",
            Outcome::TooLarge => "too large",
            Outcome::TooMany => "too many",
            Outcome::Failed => "failed",
        }
    }

    pub fn is_on_disk(self) -> bool {
        matches!(self, Outcome::Kept | Outcome::Again)
    }
}

pub struct Draft<'a> {
    size_bytes_max: u64,
    table: Vec<u8>,
    raw: Vec<&'a [u8]>,
    raw_bytes: u64,
    /// The letters, and where their lines begin in the table.
    lines: Vec<(Uuid, u64)>,
    ids: HashSet<Uuid>,
    received_at: u64,
}

impl<'a> Draft<'a> {
    pub fn new(size_bytes_max: u64) -> Draft<'a> {
        Draft {
            size_bytes_max,
            table: Vec::new(),
            raw: Vec::new(),
            raw_bytes: 0,
            lines: Vec::new(),
            ids: HashSet::new(),
            received_at: 0,
        }
    }

    /// Takes the letter if it fits.
    pub fn add(&mut self, letter: &Letter<'a>, kept: &Kept) -> Outcome {
        if letter.bytes.is_empty() {
            return Outcome::Empty;
        }
        if self.ids.contains(&kept.id) {
            return Outcome::Kept;
        }
        if self.lines.len() == FILE_LETTERS_MAX {
            return Outcome::TooMany;
        }
        let summary = Summary::of(letter, kept);
        let at = self.raw_bytes;
        let line = format::write(LETTER, &Line { summary, at });
        let table = HEAD_BYTES_MAX + self.table.len() + line.len();
        let whole = table as u64 + self.raw_bytes + kept.bytes;
        if blocks(whole) > self.size_bytes_max || line.len() > LINE_BYTES_MAX {
            return Outcome::TooLarge;
        }
        if self.lines.is_empty() {
            let at = letter.received_at.as_microsecond();
            self.received_at = u64::try_from(at).unwrap_or(0);
        }
        self.lines.push((kept.id, self.table.len() as u64));
        self.ids.insert(kept.id);
        self.table.extend_from_slice(&line);
        self.raw.push(letter.bytes);
        self.raw_bytes += kept.bytes;
        Outcome::Kept
    }

    pub fn letters(&self) -> usize {
        self.lines.len()
    }

    /// Its first letter, and when it was received, in microseconds since the epoch.
    pub fn first(&self) -> Option<(Uuid, u64)> {
        Some((self.lines.first()?.0, self.received_at))
    }

    pub fn finish(self) -> Finished<'a> {
        let letters = self.lines.len() as u64;
        let head = Head::new(letters, self.table.len() as u64, self.raw_bytes);
        let head = format::write(format::HEAD, &head);
        let head_bytes = head.len() as u64;
        Finished {
            bytes: blocks(head_bytes + self.table.len() as u64 + self.raw_bytes),
            lines: self
                .lines
                .into_iter()
                .map(|(id, at)| (id, head_bytes + at))
                .collect(),
            head,
            table: self.table,
            raw: self.raw,
        }
    }
}

/// A file as it is written.
pub struct Finished<'a> {
    head: Vec<u8>,
    table: Vec<u8>,
    raw: Vec<&'a [u8]>,
    /// What it takes on disk.
    pub bytes: u64,
    /// The letters, and the positions of their marks in the file.
    pub lines: Vec<(Uuid, u64)>,
}

impl Finished<'_> {
    pub fn parts(&self) -> impl Iterator<Item = &[u8]> {
        let table = [&*self.head, &*self.table].into_iter();
        table.chain(self.raw.iter().copied())
    }
}

/// As many bytes as a file of `bytes` takes on disk.
pub fn blocks(bytes: u64) -> u64 {
    bytes.next_multiple_of(BLOCK_BYTES)
}
