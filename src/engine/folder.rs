//! The engine's folder: its mode, its lock, and its log.
//!
//! ```text
//! <data-dir>/clickhouse/        0700
//!     lock                      held with flock(2) by the child for its whole life
//!     config.xml                0600, written by the child at every start
//!     reader_password           0600, of the account for people's own SQL
//!     engine.log                0600, the child's standard output and error
//!     data/ metadata/ store/    ClickHouse's own
//! ```

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::time::Instant;

use super::EngineError;
use crate::disk;

/// A killed parent leaves a child that needs a moment for a graceful end; an immediate restart (systemd does that)
/// waits this long for it.
const HELD_WAIT: Duration = Duration::from_secs(3);
const HELD_POLL: Duration = Duration::from_millis(50);
/// The log is truncated when it is longer. It only has warnings, so this is weeks or a bad night.
const LOG_BYTES_MAX: u64 = 8 << 20;
/// How much of the log's end is read to find its last line.
const TAIL_BYTES_MAX: u64 = 8 << 10;
/// A line of the log inside one of our own messages.
const LINE_CHARS_MAX: usize = 400;

/// Makes `<data_dir>/clickhouse` for this user alone and returns its absolute path, which
/// ClickHouse wants.
pub(super) fn prepare(data_dir: &Path) -> Result<PathBuf, EngineError> {
    let folder = data_dir.join("clickhouse");
    disk::private_folder(&folder)
        .and_then(|()| folder.canonicalize())
        .map_err(|source| EngineError::io(format!("make the folder {}", folder.display()), source))
}

/// Takes the folder for this process until the file is closed, which the kernel does however
/// the process ends. Tried once.
pub(super) fn lock(folder: &Path) -> Result<File, EngineError> {
    let path = folder.join("lock");
    let failed = |source| EngineError::io(format!("lock {}", path.display()), source);
    let file = disk::open_lock(&path).map_err(failed)?;
    if disk::try_lock(&file).map_err(failed)? {
        return Ok(file);
    }
    let mut pid = String::new();
    // Only for the message: without it the message is shorter.
    let _ = file.take(20).read_to_string(&mut pid);
    let holder = match pid.trim() {
        "" => String::new(),
        pid => format!(" (process {pid})"),
    };
    Err(EngineError::Held {
        folder: folder.to_owned(),
        holder,
    })
}

/// Writes its owner into a lock, for the message of other processes.
pub(super) fn sign(lock: &mut File, folder: &Path) -> Result<(), EngineError> {
    lock.set_len(0)
        .and_then(|()| writeln!(lock, "{}", std::process::id()))
        .map_err(|source| EngineError::io(format!("write {}/lock", folder.display()), source))
}

/// Returns when no engine has the folder. The child takes the lock for itself later: this is
/// here so that a second start fails fast and before it touches the first one's log.
pub(super) async fn wait_until_free(folder: &Path) -> Result<(), EngineError> {
    let deadline = Instant::now() + HELD_WAIT;
    loop {
        match lock(folder) {
            Err(EngineError::Held { .. }) if Instant::now() < deadline => {
                tokio::time::sleep(HELD_POLL).await;
            }
            locked => return locked.map(drop),
        }
    }
}

/// Writes a file that only this user can read, in place of what was there.
pub(super) fn write_private(path: &Path, text: &str) -> Result<(), EngineError> {
    disk::private()
        .write(true)
        .create(true)
        .truncate(true)
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(|source| EngineError::io(format!("write {}", path.display()), source))
}

/// Opens `engine.log` for appending: what trims it may then set its length to 0 at any time.
pub(super) fn open_log(folder: &Path) -> Result<File, EngineError> {
    let path = log_path(folder);
    disk::private()
        .append(true)
        .create(true)
        .open(&path)
        .map_err(|source| EngineError::io(format!("open {}", path.display()), source))
}

pub(super) fn log_path(folder: &Path) -> PathBuf {
    folder.join("engine.log")
}

pub(super) fn truncate_log(folder: &Path) -> Result<(), EngineError> {
    open_log(folder)?.set_len(0).map_err(|source| {
        EngineError::io(format!("truncate {}", log_path(folder).display()), source)
    })
}

/// Truncates the log if it has grown past its limit. A failure is no reason to stop; it is tried again later.
pub(super) fn trim_log(folder: &Path) {
    if log_bytes(folder) > LOG_BYTES_MAX
        && let Err(error) = truncate_log(folder)
    {
        tracing::warn!("{error}");
    }
}

pub(super) fn log_bytes(folder: &Path) -> u64 {
    fs::metadata(log_path(folder)).map_or(0, |metadata| metadata.len())
}

/// The last line written to the log since it was `since` bytes long, without our program's name in front, or a note
/// that there is none.
pub(super) fn last_line(folder: &Path, since: u64) -> String {
    let tail = read_tail(folder, since).unwrap_or_default();
    let text = String::from_utf8_lossy(&tail);
    let line = text.lines().map(str::trim).rfind(|line| !line.is_empty());
    let line = line.unwrap_or("it wrote nothing");
    line.strip_prefix("bygone: ")
        .unwrap_or(line)
        .chars()
        .take(LINE_CHARS_MAX)
        .collect()
}

fn read_tail(folder: &Path, since: u64) -> io::Result<Vec<u8>> {
    let mut file = File::open(log_path(folder))?;
    let length = file.metadata()?.len();
    // A log that was trimmed meanwhile is shorter than it was.
    let since = if since > length { 0 } else { since };
    file.seek(SeekFrom::Start(
        since.max(length.saturating_sub(TAIL_BYTES_MAX)),
    ))?;
    let mut tail = Vec::new();
    file.take(TAIL_BYTES_MAX).read_to_end(&mut tail)?;
    Ok(tail)
}
