//! A followed file: what was found of it, how far it was read, and how that is shown.

use std::fs::File;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use tokio::time::Instant;
use tracing::warn;

use super::find::Found;
use super::reached::Reached;
use super::{Error, Imported};
use crate::source::Status;

/// How long to wait after a file could not be read.
const AGAIN_WAIT: Duration = Duration::from_secs(10);

/// The size of a file and the time of its last change, when it was read.
pub type Seen = (u64, SystemTime);

/// A file that was found.
pub struct Entry {
    pub found: Found,
    pub file: Option<Arc<File>>,
    pub is_being_read: bool,
    pub is_gone: bool,
    pub reached: Arc<Reached>,
    /// Its size and time when it was read last.
    read: Option<Seen>,
    /// When the pass under way, or the last one, began.
    begun: Instant,
    /// Since when there has been something that ClickHouse does not have.
    behind_since: Option<Instant>,
    state: &'static str,
    error: Option<String>,
    not_before: Option<Instant>,
}

impl Entry {
    pub fn new(found: &Found) -> Entry {
        Entry {
            found: found.clone(),
            file: None,
            is_being_read: false,
            is_gone: false,
            reached: Arc::default(),
            read: None,
            begun: Instant::now(),
            behind_since: None,
            state: "waiting",
            error: None,
            not_before: None,
        }
    }

    /// It is there, maybe changed.
    pub fn found_again(&mut self, found: Found) {
        self.found = found;
        if self.is_changed() && self.behind_since.is_none() {
            self.behind_since = Some(Instant::now());
        }
    }

    pub fn is_due(&self, now: Instant) -> bool {
        let may_try = self.not_before.is_none_or(|time| time <= now);
        (self.is_gone || self.is_changed()) && may_try && !self.is_being_read
    }

    fn is_changed(&self) -> bool {
        self.read != Some((self.found.size, self.found.modified))
    }

    pub fn open(&mut self) -> std::io::Result<Arc<File>> {
        match &self.file {
            Some(file) => Ok(Arc::clone(file)),
            None => {
                let file = Arc::new(File::open(&self.found.path)?);
                self.file = Some(Arc::clone(&file));
                Ok(file)
            }
        }
    }

    /// A pass begins.
    pub fn begin(&mut self) {
        self.is_being_read = true;
        self.begun = Instant::now();
    }

    /// A pass over what it was when it was `seen` has ended.
    pub fn ended(&mut self, seen: Seen, outcome: Result<Imported, Error>) {
        self.is_being_read = false;
        self.read = Some(seen);
        if self.is_gone {
            self.file = None;
        }
        match outcome {
            Ok(imported) => {
                self.imported(&imported);
                // What was there when the pass began is read.
                self.behind_since = self.is_changed().then_some(self.begun);
            }
            Err(Error::Stopped) => self.read = None,
            Err(error) if error.is_foreign() => {
                self.fail(&error.to_string());
                self.behind_since = None;
            }
            Err(error) => {
                self.fail(&error.to_string());
                self.read = None;
            }
        }
    }

    fn imported(&mut self, imported: &Imported) {
        (self.not_before, self.error) = (None, None);
        self.state = match imported {
            Imported::Unchanged => "up to date",
            Imported::Empty | Imported::TooShort => "no audit event yet",
            Imported::Read(passed) => {
                if passed.rejected > 0 {
                    let (path, rejected) = (self.found.path.display(), passed.rejected);
                    let lines = passed.rejects.iter().map(|reject| reject.line.to_string());
                    let lines: Vec<String> = lines.collect();
                    warn!(
                        "file {path}: rejected {rejected} parts, at lines {}",
                        lines.join(", ")
                    );
                }
                match passed.left {
                    0 => "up to date",
                    _ => "waiting for the end of a line",
                }
            }
        };
    }

    pub fn fail(&mut self, error: &str) {
        let path = self.found.path.display();
        if self.error.is_none() {
            warn!("file {path} {error}");
        }
        self.error = Some(format!("{}: {error}", Timestamp::now()));
        self.state = "cannot be read";
        self.not_before = Some(Instant::now() + AGAIN_WAIT);
    }

    /// Bytes that ClickHouse does not have; nothing where that is not known, as in a compressed file.
    pub fn lag(&self) -> Option<u64> {
        let position = self.reached.position()?;
        let is_packed = self.reached.is_packed();
        (!is_packed).then(|| self.found.size.saturating_sub(position))
    }

    /// For how long there has been something that ClickHouse does not have.
    pub fn behind(&self) -> Option<Duration> {
        self.behind_since.map(|since| since.elapsed())
    }

    pub fn status(&self) -> Status {
        let state = match self.is_being_read {
            true => "reading",
            false => self.state,
        };
        let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        let position = self.reached.position().map(number);
        Status {
            place: Some(self.found.path.display().to_string()),
            position,
            committed: position,
            end: (!self.reached.is_packed()).then_some(number(self.found.size)),
            lag: self.lag().map(number),
            oldest_seconds: self.behind().map(|behind| behind.as_secs_f64()),
            last_error: self.error.clone(),
            ..Status::of("file", state)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::file::Passed;

    fn found(size: u64) -> Found {
        Found {
            path: "audit.log".into(),
            size,
            modified: SystemTime::UNIX_EPOCH,
            inode: (1, 1),
            is_named: true,
        }
    }

    /// Lag in bytes, and for how many seconds there has been one.
    fn check(entry: &Entry, expected: (Option<u64>, Option<u64>)) {
        let behind = entry.behind().map(|behind| behind.as_secs());
        assert_eq!((entry.lag(), behind), expected);
    }

    #[tokio::test(start_paused = true)]
    async fn how_far_behind_a_file_is() {
        let second = || tokio::time::advance(Duration::from_secs(1));
        let seen = |size| (size, SystemTime::UNIX_EPOCH);
        let read = || Ok(Imported::Read(Passed::default()));
        let mut entry = Entry::new(&found(100));
        entry.found_again(found(100));
        second().await;
        check(&entry, (None, Some(1)));
        entry.begin();
        entry.reached.set(40);
        second().await;
        check(&entry, (Some(60), Some(2)));
        // It grows while it is read: that is behind since the pass began.
        entry.found_again(found(120));
        entry.reached.set(100);
        entry.ended(seen(100), read());
        check(&entry, (Some(20), Some(1)));
        entry.begin();
        entry.reached.set(120);
        entry.ended(seen(120), read());
        check(&entry, (Some(0), None));
        // One that fails stays behind.
        entry.found_again(found(130));
        entry.begin();
        second().await;
        let error = crate::source::file::ReadingError::Changed;
        entry.ended(seen(130), Err(Error::Reading(error)));
        check(&entry, (Some(10), Some(1)));
        entry.reached.set_packed(true);
        check(&entry, (None, Some(1)));
    }
}
