//! Reading and removing, beside a writer or without one.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::Error;
use super::files::{self, Name};
use super::format::REMOVED;
use super::letter::{Digest, Summary};
use super::table::{Table, disk};
use crate::disk::{remove as remove_file, sync_folder_of};

/// As many zeros are written at a time.
static ZEROS: [u8; 64 << 10] = [0; 64 << 10];

/// The letters of a folder, newest delivery first, those of one delivery in its order. Reads as it
/// goes; in memory are the names of the files and one line.
///
/// An item that failed is a damaged file, or a part of one; the list goes on behind it. What is
/// removed meanwhile is left out.
pub struct List {
    folder: PathBuf,
    /// Newest last.
    names: Vec<Name>,
    open: Option<Table>,
}

/// Lists a folder of dead letters; one that is not there is empty.
///
/// # Errors
///
/// When the folder can't be read.
pub fn list(folder: &Path) -> Result<List, Error> {
    let mut names = files::names(folder).map_err(|cause| disk(folder, cause))?;
    names.sort_unstable();
    Ok(List {
        folder: folder.to_owned(),
        names,
        open: None,
    })
}

impl Iterator for List {
    type Item = Result<Summary, Error>;

    fn next(&mut self) -> Option<Result<Summary, Error>> {
        loop {
            if let Some(table) = &mut self.open {
                match table.next() {
                    Some(Ok(entry)) if entry.live => return Some(Ok(entry.summary)),
                    Some(Ok(_)) => {}
                    Some(Err(error)) => return Some(Err(error)),
                    None => self.open = None,
                }
                continue;
            }
            match Table::open(&self.names.pop()?.path(&self.folder)) {
                Ok(table) => self.open = Some(table),
                Err(error) if is_gone(&error) => {}
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

/// A letter and its bytes.
///
/// # Errors
///
/// When no letter has this id, it is damaged, or the disk fails.
pub fn show(folder: &Path, id: Uuid) -> Result<(Summary, Vec<u8>), Error> {
    let summary = letters(folder, id)?.next().ok_or(Error::Absent(id))?;
    let raw = summary.raw()?;
    Ok((summary, raw))
}

/// Removes a letter: its bytes are overwritten, and its file is deleted with its last letter.
///
/// # Errors
///
/// When no letter has this id, or the disk fails.
pub fn remove(folder: &Path, id: Uuid) -> Result<(), Error> {
    let mut found = false;
    for summary in letters(folder, id)? {
        summary.remove()?;
        found = true;
    }
    if found {
        Ok(())
    } else {
        Err(Error::Absent(id))
    }
}

/// Every copy of a letter. There is one, unless the clock went back.
fn letters(folder: &Path, id: Uuid) -> Result<impl Iterator<Item = Summary>, Error> {
    let readable = list(folder)?.flatten();
    Ok(readable.filter(move |summary| summary.id == id))
}

impl Summary {
    /// The letter's bytes.
    ///
    /// # Errors
    ///
    /// When it was removed since it was listed, its bytes are damaged, or the disk fails.
    pub fn raw(&self) -> Result<Vec<u8>, Error> {
        let read = || -> io::Result<(Vec<u8>, u8)> {
            let file = File::open(&self.location.path)?;
            // At most what the file has: its table was checked when it was read.
            let mut raw = vec![0; usize::try_from(self.bytes).map_err(io::Error::other)?];
            file.read_exact_at(&mut raw, self.location.raw_at)?;
            let mut mark = [0];
            // Read after the bytes: removing goes the other way.
            file.read_exact_at(&mut mark, self.location.mark_at)?;
            Ok((raw, mark[0]))
        };
        let (raw, mark) = match read() {
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => {
                return Err(Error::Absent(self.id));
            }
            read => read.map_err(|cause| disk(&self.location.path, cause))?,
        };
        if mark == REMOVED {
            Err(Error::Absent(self.id))
        } else if Digest(Sha256::digest(&raw).into()) != self.sha256 {
            Err(Error::Damaged {
                path: self.location.path.clone(),
                what: format!("the bytes of letter {} are corrupted", self.id),
            })
        } else {
            Ok(raw)
        }
    }

    /// As [`remove`]. A letter that is gone already is removed.
    ///
    /// # Errors
    ///
    /// When the disk fails.
    pub fn remove(&self) -> Result<(), Error> {
        match self.blot_out().and_then(|()| self.delete_file_if_last()) {
            Err(cause) if cause.kind() != io::ErrorKind::NotFound => {
                Err(disk(&self.location.path, cause))
            }
            _ => Ok(()),
        }
    }

    fn blot_out(&self) -> io::Result<()> {
        let file = OpenOptions::new().write(true).open(&self.location.path)?;
        file.write_all_at(&[REMOVED], self.location.mark_at)?;
        // The mark first: bytes that are gone must not look like damage after a crash.
        file.sync_all()?;
        let mut at = self.location.raw_at;
        let end = at + self.bytes;
        while at < end {
            let zeros = ZEROS.len().min((end - at) as usize);
            file.write_all_at(&ZEROS[..zeros], at)?;
            at += zeros as u64;
        }
        file.sync_all()
    }

    /// A file with damage in its table stays for somebody to look at, until it is too old.
    fn delete_file_if_last(&self) -> io::Result<()> {
        let Ok(mut table) = Table::open(&self.location.path) else {
            return Ok(());
        };
        if table.all(|entry| entry.is_ok_and(|entry| !entry.live)) {
            remove_file(&self.location.path)?;
            sync_folder_of(&self.location.path)?;
        }
        Ok(())
    }
}

fn is_gone(error: &Error) -> bool {
    matches!(error, Error::Disk { cause, .. } if cause.kind() == io::ErrorKind::NotFound)
}
