//! The folder: its lock and its names.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use super::error::OpenError;
use crate::disk;

/// The lock lasts as long as the file is open.
pub(super) fn lock(dir: &Path) -> Result<File, OpenError> {
    let path = dir.join("lock");
    let file = disk::open_lock(&path).map_err(OpenError::io("open", &path))?;
    match disk::try_lock(&file) {
        Ok(true) => Ok(file),
        Ok(false) => Err(OpenError::Locked(dir.to_owned())),
        Err(source) => Err(OpenError::io("lock", path)(source)),
    }
}

/// Whether a process holds the lock.
pub(super) fn is_locked(dir: &Path) -> bool {
    disk::is_locked(&dir.join("lock"))
}

pub(super) fn segment_path(dir: &Path, first: u64) -> PathBuf {
    dir.join(format!("{first:020}.segment"))
}

pub(super) fn damaged_path(dir: &Path) -> PathBuf {
    dir.join("damaged")
}

/// The segments and their lengths in bytes, by metadata alone.
pub(super) fn segments(dir: &Path) -> io::Result<BTreeMap<u64, u64>> {
    let mut segments = BTreeMap::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let name = entry.file_name();
        let Some(first) = name.to_str().and_then(|name| name.strip_suffix(".segment")) else {
            continue;
        };
        let Ok(first) = first.parse() else { continue };
        match entry.metadata() {
            Ok(metadata) => _ = segments.insert(first, metadata.len()),
            // Deleted since, by the process that holds the lock.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(segments)
}
