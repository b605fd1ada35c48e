//! Reload: values made from files that may change while bygone runs, such as keys and tokens.
//!
//! In: paths, and a function that makes a value of their bytes. Out: the newest valid value. The files are read again
//! every few seconds and compared by content, so every kind of change is noticed: in place, by rename, and the swap
//! of a symbolic link by which Kubernetes renews a mounted secret.
//!
//! What can go wrong: a file is missing or invalid. At the start that is an error; later the old value stays in use,
//! and each invalid content is logged once; or, where that would keep revoked entries valid ([`Reloaded::each`]), the
//! new value is made of the valid files. A change that is half written (a new certificate, the old key) is reported
//! only if it is still so at the next check.
//!
//! Limits: a file has at most [`FILE_BYTES_MAX`].
//!
//! Never here: a file's content in an error or in a log.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

/// The largest file: certificates, keys and tokens take a few KiB, a large CA bundle 300.
pub const FILE_BYTES_MAX: u64 = 1 << 20;

/// Why the value could not be made: one line that names the file, without its content.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{}: {cause}", path.display())]
    File {
        path: PathBuf,
        cause: std::io::Error,
    },
    #[error("{}: is over {FILE_BYTES_MAX} bytes: is it the right file?", .0.display())]
    TooLarge(PathBuf),
    #[error("{0}")]
    Content(String),
}

/// A file as it was read.
pub struct Content<'a> {
    pub path: &'a Path,
    pub bytes: Vec<u8>,
    /// Why it could not be read; then it has no bytes.
    pub failure: Option<String>,
}

/// Makes a value of what can be used of the files.
type MakeOfEach<T> = Box<dyn Fn(&[Content]) -> T + Send + Sync>;

/// Makes a value of the files' contents, in the order of the paths; or one line why that fails.
type Make<T> = Box<dyn Fn(&[Content]) -> Result<T, String> + Send + Sync>;

/// A value and the files that it is made from.
pub struct Reloaded<T> {
    what: &'static str,
    paths: Vec<PathBuf>,
    make: Make<T>,
    make_of_each: Option<MakeOfEach<T>>,
    now: RwLock<Arc<T>>,
    last: Mutex<Last>,
}

/// What the last look saw.
struct Last {
    digest: [u8; 32],
    failure: Option<Failure>,
}

struct Failure {
    reason: String,
    logged: bool,
}

impl<T: Send + Sync + 'static> Reloaded<T> {
    /// Reads the files for the first time. `what` names the value in the log: `tls certificate`.
    ///
    /// # Errors
    ///
    /// When a file can't be read, or its content is invalid.
    pub fn load(
        what: &'static str,
        paths: Vec<PathBuf>,
        make: impl Fn(&[Content]) -> Result<T, String> + Send + Sync + 'static,
    ) -> Result<Reloaded<T>, Error> {
        let contents = read(&paths)?;
        let now = make(&contents).map_err(Error::Content)?;
        let last = Last {
            digest: digest(&contents),
            failure: None,
        };
        drop(contents);
        Ok(Reloaded {
            what,
            paths,
            make: Box::new(make),
            make_of_each: None,
            now: RwLock::new(Arc::new(now)),
            last: Mutex::new(last),
        })
    }

    /// The same, where an invalid file must not keep its old part of the value: `make` makes a value of the valid
    /// files and logs the others.
    #[must_use]
    pub fn each(self, make: impl Fn(&[Content]) -> T + Send + Sync + 'static) -> Reloaded<T> {
        Reloaded {
            make_of_each: Some(Box::new(make)),
            ..self
        }
    }

    /// The newest value.
    pub fn now(&self) -> Arc<T> {
        let now = self.now.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&now)
    }

    /// Reads the files again; blocks while it does. Returns whether the value is a new one.
    pub fn look(&self) -> bool {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(make) = &self.make_of_each {
            let contents: Vec<Content> = self.paths.iter().map(|path| read_or_not(path)).collect();
            let digest = digest(&contents);
            let is_new = last.digest != digest;
            if is_new {
                last.digest = digest;
                self.set(make(&contents));
            }
            return is_new;
        }
        let contents = match read(&self.paths) {
            Ok(contents) => contents,
            Err(error) => {
                self.fail(&mut last, error.to_string());
                return false;
            }
        };
        let digest = digest(&contents);
        let seen = last.digest == digest;
        let broken = last.failure.is_some();
        if seen && !broken {
            return false;
        }
        last.digest = digest;
        match (self.make)(&contents) {
            Ok(value) => {
                self.set(value);
                last.failure = None;
                true
            }
            Err(reason) => {
                self.fail(&mut last, reason);
                false
            }
        }
    }

    fn set(&self, value: T) {
        let mut now = self.now.write().unwrap_or_else(PoisonError::into_inner);
        *now = Arc::new(value);
        info!("reloaded {}: {}", self.what, self.names());
    }

    /// Logs a failure when it is seen for the second time in a row, and only then.
    fn fail(&self, last: &mut Last, reason: String) {
        match &mut last.failure {
            Some(failure) if failure.reason == reason => {
                if !failure.logged {
                    failure.logged = true;
                    error!(
                        "{} not reloaded, still using the previous one: {reason}",
                        self.what
                    );
                }
            }
            failure => {
                *failure = Some(Failure {
                    reason,
                    logged: false,
                });
            }
        }
    }

    fn names(&self) -> String {
        let names: Vec<_> = self
            .paths
            .iter()
            .map(|path| path.to_string_lossy())
            .collect();
        names.join(", ")
    }

    /// Looks every so often until `stop`.
    pub async fn keep(self: Arc<Self>, every: Duration, stop: CancellationToken) {
        let every = every.max(Duration::from_millis(10));
        while stop
            .run_until_cancelled(tokio::time::sleep(every))
            .await
            .is_some()
        {
            let this = Arc::clone(&self);
            // A panic in there is in the log already; the old value stays.
            _ = tokio::task::spawn_blocking(move || this.look()).await;
        }
    }
}

fn read(paths: &[PathBuf]) -> Result<Vec<Content<'_>>, Error> {
    paths.iter().map(|path| read_one(path)).collect()
}

fn read_one(path: &Path) -> Result<Content<'_>, Error> {
    let failed = |cause| Error::File {
        path: path.to_owned(),
        cause,
    };
    let file = File::open(path).map_err(failed)?;
    let mut bytes = Vec::new();
    file.take(FILE_BYTES_MAX + 1)
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(Error::TooLarge(path.to_owned()));
    }
    Ok(Content {
        path,
        bytes,
        failure: None,
    })
}

fn read_or_not(path: &Path) -> Content<'_> {
    read_one(path).unwrap_or_else(|error| Content {
        path,
        bytes: Vec::new(),
        failure: Some(error.to_string()),
    })
}

/// A digest of all contents; lengths go in too, so that no two splits look alike.
fn digest(contents: &[Content]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for content in contents {
        hash.update((content.bytes.len() as u64).to_le_bytes());
        hash.update(&content.bytes);
        hash.update([u8::from(content.failure.is_some())]);
    }
    hash.finalize().into()
}

#[cfg(test)]
mod tests;
