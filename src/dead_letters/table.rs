//! Reads the table of one file, line by line. Damage is reported and skipped.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use super::Error;
use super::format::{self, HEAD, Head, LETTER, LINE_BYTES_MAX, Line, REMOVED};
use super::letter::{Location, Summary};

/// One line.
pub struct Entry {
    pub summary: Summary,
    /// The position of its mark in the file.
    pub mark_at: u64,
    /// Whether it was not removed.
    pub live: bool,
}

pub struct Table {
    path: PathBuf,
    reader: BufReader<File>,
    file_bytes: u64,
    /// Where the next line begins.
    at: u64,
    /// Where the table ends and the raw bytes begin.
    raw_at: u64,
    lines_left: u64,
}

impl Table {
    pub fn open(path: &Path) -> Result<Table, Error> {
        let file = File::open(path).map_err(|cause| disk(path, cause))?;
        let file_bytes = file.metadata().map_err(|cause| disk(path, cause))?.len();
        let mut table = Table {
            path: path.to_owned(),
            reader: BufReader::new(file),
            file_bytes,
            at: 0,
            raw_at: 0,
            lines_left: 0,
        };
        let line = table.line().map_err(|cause| disk(path, cause))?;
        let Some((HEAD, head)) = format::read::<Head>(&line) else {
            return Err(table.damaged("its header cannot be read"));
        };
        if let Some(refusal) = head.refusal() {
            return Err(table.damaged(refusal));
        }
        table.raw_at = table.at.saturating_add(head.table_bytes);
        table.lines_left = head.letters;
        Ok(table)
    }

    fn line(&mut self) -> io::Result<Vec<u8>> {
        let mut line = Vec::new();
        let mut limited = (&mut self.reader).take(LINE_BYTES_MAX as u64);
        let read = limited.read_until(b'\n', &mut line)?;
        self.at += read as u64;
        Ok(line)
    }

    fn entry(&mut self) -> Result<Entry, Error> {
        let mark_at = self.at;
        let line = match self.line() {
            Ok(line) if line.ends_with(b"\n") && self.at <= self.raw_at => line,
            Ok(_) => {
                let lost = self.lines_left + 1;
                self.lines_left = 0;
                return Err(
                    self.damaged(format!("its table is truncated, {lost} letters are lost"))
                );
            }
            Err(cause) => {
                self.lines_left = 0;
                return Err(disk(&self.path, cause));
            }
        };
        let Some((mark @ (LETTER | REMOVED), line)) = format::read::<Line>(&line) else {
            return Err(self.damaged("a line of its table cannot be read, one letter is lost"));
        };
        let Line { mut summary, at } = line;
        let raw_at = self.raw_at.saturating_add(at);
        if raw_at.saturating_add(summary.bytes) > self.file_bytes {
            let what = format!("the bytes of letter {} are truncated", summary.id);
            return Err(self.damaged(what));
        }
        summary.location = Location {
            path: self.path.clone(),
            mark_at,
            raw_at,
        };
        Ok(Entry {
            summary,
            mark_at,
            live: mark == LETTER,
        })
    }

    fn damaged(&self, what: impl Into<String>) -> Error {
        Error::Damaged {
            path: self.path.clone(),
            what: what.into(),
        }
    }
}

impl Iterator for Table {
    type Item = Result<Entry, Error>;

    fn next(&mut self) -> Option<Result<Entry, Error>> {
        self.lines_left = self.lines_left.checked_sub(1)?;
        Some(self.entry())
    }
}

pub fn disk(path: &Path, cause: io::Error) -> Error {
    Error::Disk {
        path: path.to_owned(),
        cause,
    }
}
