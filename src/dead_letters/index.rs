//! What the writer knows of the files on disk: their sizes, and which letters they hold.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use uuid::Uuid;

use super::draft::{Draft, blocks};
use super::files::{self, Name};
use super::format::LETTER;
use super::table::Table;
use crate::disk;

/// The most letters on disk. The index takes some 100 bytes of memory for each.
pub const LETTERS_MAX: usize = 100_000;

#[derive(Default)]
pub struct Index {
    /// Oldest first.
    files: BTreeMap<Name, Held>,
    /// The file of a letter, and the position of its mark.
    letters: HashMap<Uuid, (Name, u64)>,
    bytes: u64,
    /// Of all files together; more than `letters` where others removed some.
    lines: usize,
}

struct Held {
    bytes: u64,
    ids: Vec<Uuid>,
}

impl Index {
    /// Reads the tables of all files. What is damaged counts with its size.
    pub fn load(folder: &Path) -> io::Result<Index> {
        let mut index = Index::default();
        for name in files::names(folder)? {
            let path = name.path(folder);
            let Ok(metadata) = fs::metadata(&path) else {
                // Somebody removed it meanwhile.
                continue;
            };
            let entries = Table::open(&path).into_iter().flatten().flatten();
            let lines = entries
                .filter(|entry| entry.live)
                .map(|entry| (entry.summary.id, entry.mark_at));
            index.add(name, blocks(metadata.len()), lines.collect());
        }
        Ok(index)
    }

    /// Whether the letter is on disk. The disk is asked: others may have removed it.
    pub fn holds(&mut self, folder: &Path, id: Uuid) -> bool {
        let Some(&(name, mark_at)) = self.letters.get(&id) else {
            return false;
        };
        let mut mark = [0];
        let read =
            File::open(name.path(folder)).and_then(|file| file.read_exact_at(&mut mark, mark_at));
        let there = read.is_ok() && mark == [LETTER];
        if !there {
            self.letters.remove(&id);
        }
        there
    }

    /// Writes the draft, after the oldest files made room for it. Returns how many letters were
    /// removed for that.
    pub fn write(&mut self, folder: &Path, size_bytes_max: u64, draft: Draft) -> io::Result<u64> {
        let Some((id, received_at)) = draft.first() else {
            return Ok(0);
        };
        let lines = self.lines + draft.letters();
        let file = draft.finish();
        let evicted = self.make_room(folder, size_bytes_max, file.bytes, lines)?;
        let mut name = Name { received_at, id };
        // Its letter was removed and came again in the same microsecond, next to others that stay.
        while name.path(folder).exists() {
            name.received_at += 1;
        }
        files::write(&name.path(folder), file.parts())?;
        self.add(name, file.bytes, file.lines);
        Ok(evicted)
    }

    /// Lines on disk, and letters that are known.
    #[cfg(test)]
    pub fn count(&self) -> (usize, usize) {
        (self.lines, self.letters.len())
    }

    fn make_room(
        &mut self,
        folder: &Path,
        size_bytes_max: u64,
        bytes: u64,
        mut lines: usize,
    ) -> io::Result<u64> {
        let mut evicted = 0;
        while self.bytes.saturating_add(bytes) > size_bytes_max || lines > LETTERS_MAX {
            let Some(oldest) = self.files.first_entry() else {
                break;
            };
            let name = *oldest.key();
            // While it can't be deleted it is there and counts.
            disk::remove(&name.path(folder))?;
            let held = oldest.remove();
            for id in &held.ids {
                if self
                    .letters
                    .get(id)
                    .is_some_and(|(other, _)| *other == name)
                {
                    self.letters.remove(id);
                }
            }
            self.bytes -= held.bytes;
            self.lines -= held.ids.len();
            lines -= held.ids.len();
            evicted += held.ids.len() as u64;
        }
        Ok(evicted)
    }

    fn add(&mut self, name: Name, bytes: u64, lines: Vec<(Uuid, u64)>) {
        let ids = lines.iter().map(|(id, _)| *id).collect();
        self.lines += lines.len();
        self.bytes += bytes;
        let places = lines.into_iter().map(|(id, mark_at)| (id, (name, mark_at)));
        self.letters.extend(places);
        self.files.insert(name, Held { bytes, ids });
    }
}
