//! The disk by itself.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::fs::{Advice, fadvise};

/// Appends each piece to a new file in `folder` and syncs it. How long each took.
pub fn write_and_sync(folder: &Path, pieces: &[&[u8]]) -> Vec<Duration> {
    let path = folder.join("plain");
    let mut file = File::create(&path).expect("a file");
    let mut times = Vec::new();
    for piece in pieces {
        let begun = Instant::now();
        file.write_all(piece).expect("written");
        file.sync_data().expect("synced");
        times.push(begun.elapsed());
    }
    std::fs::remove_file(path).expect("removed");
    times
}

/// Lets the kernel forget what it holds of the files in `folder`, which must be synced.
pub fn forget_cached(folder: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            fadvise(File::open(entry.path())?, 0, None, Advice::DontNeed)?;
        }
    }
    Ok(())
}
