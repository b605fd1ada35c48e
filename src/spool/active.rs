//! The segment that is being written.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;

use super::folder;
use super::format::{SEGMENT_HEAD_BYTES, SegmentHead};
use super::shared::Shared;
use crate::disk;

pub(super) struct Active {
    file: File,
    pub first: u64,
    /// Where the next frame begins. Everything before is synced.
    pub end: u64,
}

impl Active {
    /// Makes a new segment whose name and head are on disk when this returns.
    pub fn create(shared: &Shared, first: u64, after: u64) -> io::Result<Active> {
        let path = folder::segment_path(&shared.dir, first);
        let head = SegmentHead {
            identity: shared.identity,
            first,
            after,
        };
        let file = disk::create(&path)?;
        let written = file
            .write_all_at(&head.encode(), 0)
            .and_then(|()| file.sync_all())
            .and_then(|()| disk::sync_folder(&shared.dir));
        if let Err(error) = written {
            // Without a frame in it, it has no data; if it is left over, it is removed at the next open.
            _ = fs::remove_file(&path);
            return Err(error);
        }
        Ok(Active {
            file,
            first,
            end: SEGMENT_HEAD_BYTES,
        })
    }

    pub fn write(&self, shared: &Shared, frame: &[u8]) -> io::Result<()> {
        #[cfg(test)]
        if let Some(error) = shared.faults.write() {
            // Half a frame is what a full disk leaves.
            self.file
                .write_all_at(&frame[..frame.len() / 2], self.end)?;
            return Err(error);
        }
        _ = shared;
        self.file.write_all_at(frame, self.end)
    }

    pub fn sync(&self, shared: &Shared) -> io::Result<()> {
        #[cfg(test)]
        shared.faults.sync()?;
        _ = shared;
        self.file.sync_data()
    }

    /// Takes back what was written after the last synced frame.
    pub fn cut(&self) -> io::Result<()> {
        self.file.set_len(self.end)
    }
}
