//! What can go wrong, by what the caller can do about it.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

/// Why a spool cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("spool {} is in use by another process", .0.display())]
    Locked(PathBuf),
    #[error("{} is of format version {found}, this build reads version 1 to {known}: use the build that wrote it, or a newer one", path.display())]
    Version {
        path: PathBuf,
        found: u32,
        known: u32,
    },
    #[error("{} is from a different spool: move it elsewhere", .0.display())]
    Foreign(PathBuf),
    #[error("spool {} cannot be read: its position and its newest segment are both damaged: move the folder \
             elsewhere", .0.display())]
    Unreadable(PathBuf),
    #[error("spool setting {0}")]
    Config(&'static str),
    #[error("spool: {doing} {}", path.display())]
    Io {
        doing: &'static str,
        path: PathBuf,
        source: io::Error,
    },
}

impl OpenError {
    /// Names what was done to which path when an I/O error came.
    pub(super) fn io(
        doing: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| OpenError::Io {
            doing,
            path,
            source,
        }
    }
}

/// Why a batch was rejected. It will not be handed out, except after `Failed`: then the bytes may or may not have
/// reached the disk.
#[derive(Clone, Debug, thiserror::Error)]
pub enum AppendError {
    /// The cap is reached or the disk is full. Try again soon.
    #[error("the spool is full")]
    Full,
    /// Split it.
    #[error("a batch of {bytes} bytes exceeds the frame limit of {bytes_max}")]
    TooLarge { bytes: u64, bytes_max: u64 },
    /// A name or a count does not fit the format: a mistake of the caller.
    #[error("the batch does not fit the format")]
    Malformed,
    #[error("the spool could not write: {0}")]
    Failed(Arc<io::Error>),
    #[error("the spool is closed")]
    Closed,
}

/// Why the next batch cannot be read now. Nothing was passed over: try again after a pause.
#[derive(Debug, thiserror::Error)]
#[error("read {} at {offset}", path.display())]
pub struct ReadError {
    pub path: PathBuf,
    pub offset: u64,
    pub source: io::Error,
}

/// Why a batch will not be reported as stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotStored {
    /// Its frame was damaged on disk and is set aside. Send the rows again if they can be had.
    #[error("the batch was damaged in the spool")]
    Damaged,
    /// It is kept and will be stored by a later run.
    #[error("the spool was closed before the batch was stored")]
    Closed,
}
