//! The position file: how far ClickHouse has confirmed. Its form is in `format`.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::format::{Identity, SLOT_OFFSETS, Slot, Unusable};
use crate::disk;

const FILE_BYTES: usize = 8192;

/// The content of the file.
pub(super) enum Found {
    Nothing,
    /// `whole`: no slot is damaged. If one is, the other may be older than the last one saved.
    Slot {
        slot: Slot,
        whole: bool,
    },
    Damaged,
    Version(u32),
}

pub(super) fn path(dir: &Path) -> PathBuf {
    dir.join("position")
}

pub(super) fn read(dir: &Path) -> io::Result<Found> {
    let file = match File::open(path(dir)) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Found::Nothing),
        Err(error) => return Err(error),
    };
    let mut best: Option<Slot> = None;
    let mut whole = true;
    for offset in SLOT_OFFSETS {
        match read_slot(&file, offset)? {
            Ok(slot) if best.is_none_or(|best| slot.generation > best.generation) => {
                best = Some(slot);
            }
            Ok(_) | Err(Unusable::Empty) => {}
            Err(Unusable::Damaged) => whole = false,
            Err(Unusable::Version(version)) => return Ok(Found::Version(version)),
        }
    }
    Ok(best.map_or(Found::Damaged, |slot| Found::Slot { slot, whole }))
}

fn read_slot(file: &File, offset: u64) -> io::Result<Result<Slot, Unusable>> {
    let mut bytes = [0; 64];
    match file.read_exact_at(&mut bytes, offset) {
        Ok(()) => Ok(Slot::decode(&bytes)),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(Err(Unusable::Damaged)),
        Err(error) => Err(error),
    }
}

/// The file as it was found, or created.
pub(super) struct Opened {
    pub file: PositionFile,
    /// Whether it is known to say what was saved last.
    pub whole: bool,
}

/// The file, open for saving.
pub(super) struct PositionFile {
    file: File,
    saved: Slot,
}

impl PositionFile {
    /// Writes a new file with this content, which replaces an existing one.
    pub fn create(dir: &Path, identity: Identity, position: u64, replays: u32) -> io::Result<Self> {
        let saved = Slot {
            identity,
            replays,
            generation: 0,
            position,
            last: position,
        };
        let mut bytes = vec![0; FILE_BYTES];
        bytes[..64].copy_from_slice(&saved.encode());
        let file = disk::replace(&path(dir), &dir.join("position.new"), |file| {
            file.write_all_at(&bytes, 0)
        })?;
        Ok(PositionFile { file, saved })
    }

    pub fn open(dir: &Path, saved: Slot) -> io::Result<Self> {
        let file = OpenOptions::new().write(true).open(path(dir))?;
        Ok(PositionFile { file, saved })
    }

    pub fn saved(&self) -> &Slot {
        &self.saved
    }

    /// Returns when both are on disk. If neither is above what is saved, nothing is written.
    pub fn save(&mut self, position: u64, last: u64) -> io::Result<()> {
        let slot = Slot {
            position: position.max(self.saved.position),
            last: last.max(self.saved.last),
            ..self.saved
        };
        if slot == self.saved {
            return Ok(());
        }
        self.write(slot)
    }

    /// Goes back to `position`, so that what comes after is unsent again, under new tokens.
    pub fn rewind(&mut self, position: u64) -> io::Result<()> {
        self.write(Slot {
            position,
            replays: self.saved.replays.wrapping_add(1),
            ..self.saved
        })
    }

    fn write(&mut self, mut slot: Slot) -> io::Result<()> {
        slot.generation = self.saved.generation + 1;
        let offset = SLOT_OFFSETS[(slot.generation % 2) as usize];
        self.file.write_all_at(&slot.encode(), offset)?;
        self.file.sync_data()?;
        self.saved = slot;
        Ok(())
    }
}
