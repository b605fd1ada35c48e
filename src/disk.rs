//! Disk: private folders and files, and what makes them durable.
//!
//! In: paths, and who writes. Out: folders of mode 0700, files of mode 0600, locks that end with their process.
//! What is created, renamed or removed survives a crash of the machine after its folder is synced.
//!
//! What can go wrong: errors of the disk, passed on unchanged. The caller knows what the path is for, and names it.
//!
//! Never here: what a file means.

#[cfg(test)]
pub mod tiny;

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

const FOLDER_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;

/// Creates the folder and those above it, for this user alone. One that is there stays as it is.
///
/// # Errors
///
/// When the disk fails.
pub fn create_folder(folder: &Path) -> io::Result<()> {
    DirBuilder::new()
        .recursive(true)
        .mode(FOLDER_MODE)
        .create(folder)
}

/// Sets the mode of a folder that is there, so that only its owner gets in.
///
/// # Errors
///
/// When the disk fails.
pub fn make_private(folder: &Path) -> io::Result<()> {
    fs::set_permissions(folder, Permissions::from_mode(FOLDER_MODE))
}

/// Creates the folder where it is missing, makes it private in any case, and makes its name durable.
///
/// # Errors
///
/// When the disk fails.
pub fn private_folder(folder: &Path) -> io::Result<()> {
    create_folder(folder)?;
    make_private(folder)?;
    sync_folder_of(folder)
}

/// How private files are opened: who may read them is set as they are created.
pub fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.mode(FILE_MODE);
    options
}

/// Creates a private file, open for reading and writing.
///
/// # Errors
///
/// When it is there already, or the disk fails.
pub fn create(path: &Path) -> io::Result<File> {
    private().create_new(true).read(true).write(true).open(path)
}

/// As [`create`], in the place of what an attempt that was cut short may have left.
///
/// # Errors
///
/// When the disk fails.
pub fn create_anew(path: &Path) -> io::Result<File> {
    remove(path)?;
    create(path)
}

/// Makes a private file that is there whole and durable, or not at all: `write` fills it under the name
/// `unfinished`, in the same folder. It comes back open.
///
/// # Errors
///
/// When `write` or the disk fails. The unfinished file may stay.
pub fn replace(
    path: &Path,
    unfinished: &Path,
    write: impl FnOnce(&mut File) -> io::Result<()>,
) -> io::Result<File> {
    let mut file = create_anew(unfinished)?;
    write(&mut file)?;
    file.sync_all()?;
    rename(unfinished, path)?;
    Ok(file)
}

/// Renames a file within its folder, or into another one, and makes the new name durable.
///
/// # Errors
///
/// When the disk fails.
pub fn rename(from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(from, to)?;
    sync_folder_of(to)
}

/// Removes a file. One that is gone already is removed as well.
///
/// # Errors
///
/// When the disk fails.
pub fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Makes durable what was created, renamed or removed in the folder.
///
/// # Errors
///
/// When the disk fails.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// The same for the folder that holds `path`.
///
/// # Errors
///
/// When the disk fails.
pub fn sync_folder_of(path: &Path) -> io::Result<()> {
    let above = path.parent().filter(|above| !above.as_os_str().is_empty());
    sync_folder(above.unwrap_or(Path::new(".")))
}

/// Opens the file that is to be locked. Its content is not changed.
///
/// # Errors
///
/// When the disk fails.
pub fn open_lock(path: &Path) -> io::Result<File> {
    private()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .open(path)
}

/// Whether the lock could be taken. It lasts as long as the file is open, so that no crash leaves it behind.
///
/// # Errors
///
/// When the disk fails.
pub fn try_lock(file: &File) -> io::Result<bool> {
    match file.try_lock() {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Whether a process holds the lock.
pub fn is_locked(path: &Path) -> bool {
    // A shared lock, so that two callers of this function do not see each other.
    File::open(path)
        .is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn a_folder_is_private_even_if_it_was_open() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("a/b");
        create_folder(&folder).unwrap();
        assert_eq!(mode(&folder), 0o700);
        fs::set_permissions(&folder, Permissions::from_mode(0o755)).unwrap();
        create_folder(&folder).unwrap();
        assert_eq!(mode(&folder), 0o755);
        private_folder(&folder).unwrap();
        assert_eq!(mode(&folder), 0o700);
    }

    #[test]
    fn a_file_is_replaced_whole_or_not_at_all() {
        let place = tempfile::tempdir().unwrap();
        let (path, unfinished) = (place.path().join("file"), place.path().join("file.new"));
        fs::write(&unfinished, "of an attempt that was cut short").unwrap();
        replace(&path, &unfinished, |file| file.write_all(b"first")).unwrap();
        assert_eq!(mode(&path), 0o600);
        let fails = |_: &mut File| Err(io::Error::other("the disk is full"));
        replace(&path, &unfinished, fails).unwrap_err();
        assert_eq!(fs::read_to_string(&path).unwrap(), "first");
        replace(&path, &unfinished, |file| file.write_all(b"second")).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "second");
        assert!(!unfinished.exists());
    }

    #[test]
    fn a_lock_is_held_once_and_keeps_what_its_file_says() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("lock");
        assert!(!is_locked(&path));
        let mut first = open_lock(&path).unwrap();
        first.write_all(b"7").unwrap();
        assert!(try_lock(&first).unwrap());
        assert!(!try_lock(&open_lock(&path).unwrap()).unwrap());
        assert!(is_locked(&path));
        drop(first);
        assert!(!is_locked(&path));
        assert_eq!(fs::read_to_string(&path).unwrap(), "7");
        assert_eq!(mode(&path), 0o600);
    }

    #[test]
    fn what_is_gone_is_removed() {
        let place = tempfile::tempdir().unwrap();
        remove(&place.path().join("file")).unwrap();
        remove(place.path()).unwrap_err();
    }
}
