//! The folder: names and whole files.

use std::fs;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use uuid::Uuid;

use crate::disk;

const SUFFIX: &str = ".letters";
const UNFINISHED: &str = ".tmp";

/// The name of a file; the greater one is newer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name {
    /// When its letters were received, in microseconds since the epoch.
    pub received_at: u64,
    /// Its first letter.
    pub id: Uuid,
}

impl Name {
    pub fn path(self, folder: &Path) -> PathBuf {
        folder.join(self.text())
    }

    fn text(self) -> String {
        format!("{:020}-{}{SUFFIX}", self.received_at, self.id.simple())
    }

    fn parse(text: &str) -> Option<Name> {
        let (time, id) = text.strip_suffix(SUFFIX)?.split_once('-')?;
        let name = Name {
            received_at: time.parse().ok()?,
            id: id.parse().ok()?,
        };
        // Other ways to write the same number or id would be other files.
        (name.text() == text).then_some(name)
    }
}

/// The files in no particular order; none if the folder is missing. Other files there are ignored.
pub fn names(folder: &Path) -> io::Result<Vec<Name>> {
    let mut names = Vec::new();
    for entry in entries(folder)? {
        names.extend(entry?.file_name().to_str().and_then(Name::parse));
    }
    Ok(names)
}

fn entries(folder: &Path) -> io::Result<impl Iterator<Item = io::Result<fs::DirEntry>>> {
    match fs::read_dir(folder) {
        Ok(entries) => Ok(Some(entries).into_iter().flatten()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None.into_iter().flatten()),
        Err(error) => Err(error),
    }
}

/// Removes what a writer left behind that was killed.
pub fn remove_unfinished(folder: &Path) -> io::Result<()> {
    for entry in entries(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let ours = name.to_str().and_then(|name| name.strip_suffix(UNFINISHED));
        if ours.and_then(Name::parse).is_some() {
            disk::remove(&entry.path())?;
        }
    }
    Ok(())
}

/// Removes files that were received before `oldest`. Returns how many.
pub fn remove_older(folder: &Path, oldest: u64) -> io::Result<usize> {
    let mut removed = 0;
    for name in names(folder)? {
        if name.received_at < oldest {
            disk::remove(&name.path(folder))?;
            removed += 1;
        }
    }
    if removed > 0 {
        disk::sync_folder(folder)?;
    }
    Ok(removed)
}

/// Writes a file that is there whole and synced, or not at all.
pub fn write<'p>(path: &Path, parts: impl Iterator<Item = &'p [u8]>) -> io::Result<()> {
    let mut unfinished = path.as_os_str().to_owned();
    unfinished.push(UNFINISHED);
    let unfinished = PathBuf::from(unfinished);
    let written = disk::replace(path, &unfinished, |file| {
        let mut out = BufWriter::new(file);
        for part in parts {
            out.write_all(part)?;
        }
        out.flush()
    });
    if written.is_err() {
        // What is not known to be durable must not be found later as if it were.
        _ = fs::remove_file(&unfinished);
        _ = fs::remove_file(path);
    }
    written.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_read_as_it_was_written() {
        let name = Name {
            received_at: 1_795_415_704_239_741,
            id: Uuid::from_u128(7),
        };
        let text = "00001795415704239741-00000000000000000000000000000007.letters";
        assert_eq!(name.text(), text);
        assert_eq!(Name::parse(text), Some(name));
        for foreign in [
            "00001795415704239741-00000000000000000000000000000007",
            "1795415704239741-00000000000000000000000000000007.letters",
            "00001795415704239741-00000000-0000-0000-0000-000000000007.letters",
            "lost+found",
        ] {
            assert_eq!(Name::parse(foreign), None, "{foreign}");
        }
    }
}
