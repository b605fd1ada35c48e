//! Files of audit events: `bygone import`, and `[[files]]` of `bygone serve`.
//!
//! In: audit logs and their rotations, plain, gzip or zstd, of every form that `envelope` knows. Out: their facts in
//! ClickHouse, and only then the position, in the table `positions`.
//!
//! A file is what its beginning says (`head`), not its name: one that was renamed, copied or compressed by a rotation is
//! known again, and reading continues where it was, if what was read before is still the same (`place`). Whatever is in
//! doubt is read again, which changes no answer.
//!
//! Following (`follow`) is one pass after the other over everything that changed. A last line that is not all there waits
//! for its rest.
//!
//! What can't be read becomes a dead letter and holds up nothing. Limits: parts of 2 MiB, events of 64 MiB, 16 MiB of
//! parts under way for all files together, two parts of each; the unpacked window of zstd is up to 128 MiB for a file that
//! was made with `--long`.
//!
//! Never here: the content of a file, in a log, an error or a metric.

mod buffers;
mod config;
mod cut;
mod entry;
mod find;
mod follow;
mod head;
mod known;
mod own;
mod pass;
mod place;
mod reached;
mod reading;
mod rotation;
mod tally;
mod unpack;
mod way;

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

pub use buffers::Buffers;
pub use config::Config;
pub use cut::{EVENT_BYTES_MAX, Piece};
pub use find::{Files, Found, Problem};
pub use follow::{Follower, Followers, Statuses};
pub use known::Known;
pub use own::Own;
pub use pass::{Context, Passed, Reject};
pub use place::Place;
pub use reading::{Ended, Error as ReadingError, Input, Reading};
pub use tally::Tally;
pub use way::{Content, NotDone, Part, Taken, Way};

use pass::{Failed, Source, pass};
use place::Progress;
use reached::Reached;
use reading::{Identity, identify, whole};

/// How often a file is read again from its last position after rows were lost on the way.
const TRIES_MAX: usize = 3;

/// Why a file was not imported, or not to its end.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Reading(#[from] ReadingError),
    #[error("{0}")]
    NotDone(NotDone),
    #[error("stopped")]
    Stopped,
}

impl Error {
    /// Whether the file is not a log at all.
    #[must_use]
    pub fn is_foreign(&self) -> bool {
        matches!(self, Error::Reading(ReadingError::Foreign(_)))
    }
}

impl From<Failed> for Error {
    fn from(failed: Failed) -> Error {
        match failed {
            Failed::Reading(ReadingError::Stopped) => Error::Stopped,
            Failed::Reading(error) => Error::Reading(error),
            Failed::NotDone(why) => Error::NotDone(why),
        }
    }
}

/// What became of a file.
#[derive(Debug)]
pub enum Imported {
    /// It is what it was when it was read to its end: nothing was read.
    Unchanged,
    /// There is nothing in it.
    Empty,
    /// There is no audit ID in it yet, by which it would be known again.
    TooShort,
    Read(Passed),
}

/// Imports a file from its position to its end. `is_growing`: its writer may still write to it.
///
/// # Errors
///
/// See [`Error`]. What was imported before stays, and its position too.
pub async fn import(
    context: &Context,
    known: &Known,
    path: &Path,
    is_growing: bool,
) -> Result<Imported, Error> {
    let file = Arc::new(File::open(path).map_err(ReadingError::Io)?);
    let opened = Opened {
        file,
        path,
        is_growing,
        reached: Arc::default(),
    };
    import_open(context, known, opened).await
}

/// A file that is open.
struct Opened<'p> {
    file: Arc<File>,
    path: &'p Path,
    is_growing: bool,
    reached: Arc<Reached>,
}

async fn import_open(
    context: &Context,
    known: &Known,
    opened: Opened<'_>,
) -> Result<Imported, Error> {
    let Opened {
        file,
        path,
        is_growing,
        reached,
    } = opened;
    let (identity, now) = blocking(&file, move |file| {
        Ok((identify(file, is_growing)?, whole(file)?))
    })
    .await?;
    let Identity {
        fingerprint,
        size,
        is_packed,
    } = identity;
    reached.set_packed(is_packed);
    let Some(fingerprint) = fingerprint else {
        reached.forget();
        return Ok(match size {
            0 => Imported::Empty,
            _ => Imported::TooShort,
        });
    };
    let progress = known.take(context, &fingerprint).await;
    let mut progress = progress.map_err(Error::NotDone)?;
    let mut from = progress.unwrap_or_default();
    reached.set(from.place.position);
    if from.whole == Some(now) {
        return Ok(Imported::Unchanged);
    }
    let mut tries = 0;
    loop {
        tries += 1;
        let source = Source {
            input: Input::File(Arc::clone(&file)),
            path: path.display().to_string(),
            fingerprint: Some(fingerprint.clone()),
            from: from.place,
            is_growing,
            reached: Arc::clone(&reached),
        };
        match pass(context, source).await {
            Ok(passed) => {
                *progress = Some(passed.progress);
                return Ok(Imported::Read(passed));
            }
            Err(Failed::Reading(ReadingError::Short)) if is_growing => {
                return Ok(Imported::Unchanged);
            }
            Err(Failed::Reading(ReadingError::Changed | ReadingError::Short))
                if from.place != Place::default() =>
            {
                from = Progress::default();
            }
            Err(Failed::NotDone(NotDone::Lost)) if tries < TRIES_MAX => {
                let keys = vec![fingerprint.clone()];
                let found = context.way.find(&context.cluster, keys).await;
                let found = found.map_err(Error::NotDone)?;
                from = found.first().and_then(Progress::of).unwrap_or_default();
            }
            Err(failed) => {
                // Looked up anew the next time: a commit may have been carried out.
                *progress = None;
                return Err(failed.into());
            }
        }
    }
}

/// Imports what comes on standard input. It has no position.
///
/// # Errors
///
/// See [`Error`].
pub async fn import_stdin(context: &Context) -> Result<Passed, Error> {
    let source = Source {
        input: Input::Stdin,
        path: "-".to_owned(),
        fingerprint: None,
        from: Place::default(),
        is_growing: false,
        reached: Arc::default(),
    };
    Ok(pass(context, source).await?)
}

/// Works with a file on a thread that may block.
async fn blocking<T: Send + 'static>(
    file: &Arc<File>,
    work: impl FnOnce(&File) -> Result<T, ReadingError> + Send + 'static,
) -> Result<T, Error> {
    let file = Arc::clone(file);
    let done = tokio::task::spawn_blocking(move || work(&file)).await;
    Ok(done.unwrap_or(Err(ReadingError::Stopped))?)
}
