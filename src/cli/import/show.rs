//! What an import says: a bar on a terminal, a line now and then elsewhere; a line for each file; a summary.

use std::io::{self, IsTerminal};
use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{HumanBytes, HumanDuration, ProgressBar, ProgressStyle};
use tokio::task::JoinHandle;

use super::{code, many};
use crate::cli::say;
use crate::escape;
use crate::source::file::{Error, Files, Imported, Passed, Tally};

/// How often the bar is drawn, and a line is written where there is none.
const DRAW_EVERY: Duration = Duration::from_millis(200);
const LINE_EVERY: Duration = Duration::from_secs(10);

/// Files that had nothing new, and are named one by one.
const UNCHANGED_MAX: u64 = 20;

/// What is shown of an import.
pub struct Show {
    tally: Arc<Tally>,
    bar: ProgressBar,
    is_terminal: bool,
    begun: Instant,
    total: u64,
    counts: Mutex<Counts>,
    skipped: Arc<AtomicU64>,
}

#[derive(Clone, Copy, Default)]
struct Counts {
    read: u64,
    unchanged: u64,
    errors: u64,
    left: u64,
}

/// Ends the drawing when it is dropped.
pub struct Watching(JoinHandle<()>);

impl Drop for Watching {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Show {
    pub fn new(files: &Files, tally: Arc<Tally>) -> Show {
        let total = files.files.iter().map(|file| file.size).sum();
        let is_terminal = io::stderr().is_terminal();
        let bar = match is_terminal {
            true => ProgressBar::new(total).with_style(style(total > 0)),
            false => ProgressBar::hidden(),
        };
        let show = Show {
            tally,
            bar,
            is_terminal,
            begun: Instant::now(),
            total,
            counts: Mutex::default(),
            skipped: Arc::default(),
        };
        for (path, problem) in &files.problems {
            show.error(path, &problem.to_string());
        }
        show
    }

    /// Draws until what is returned is dropped.
    pub fn watch(&self) -> Watching {
        let (tally, bar) = (self.tally.clone(), self.bar.clone());
        let (skipped, total, begun) = (self.skipped.clone(), self.total, self.begun);
        let is_terminal = self.is_terminal;
        let every = if is_terminal { DRAW_EVERY } else { LINE_EVERY };
        Watching(tokio::spawn(async move {
            loop {
                tokio::time::sleep(every).await;
                let read =
                    tally.packed_read.load(Ordering::Relaxed) + skipped.load(Ordering::Relaxed);
                let events = tally.events.load(Ordering::Relaxed);
                let per_second = events as f64 / begun.elapsed().as_secs_f64();
                let pods = tally.pods();
                if is_terminal {
                    bar.set_position(read);
                    bar.set_message(format!("{events} events ({per_second:.0}/s), {pods} pods"));
                    continue;
                }
                let left = left(begun.elapsed(), read, total);
                let left = left.map_or(String::new(), |left| {
                    format!(", {} left", HumanDuration(left))
                });
                eprintln!(
                    "{} of {}, {events} events ({per_second:.0}/s), {pods} pods{left}",
                    HumanBytes(read),
                    HumanBytes(total),
                );
            }
        }))
    }

    /// So many bytes need not be read.
    pub fn skip(&self, bytes: u64) {
        self.skipped.fetch_add(bytes, Ordering::Relaxed);
    }

    /// What became of a file. One that a folder had, and that is no log, is no error.
    pub fn file(&self, path: &Path, is_named: bool, imported: Result<Imported, Error>) {
        match imported {
            Ok(Imported::Unchanged) => {
                let unchanged = self.count(|counts| {
                    counts.unchanged += 1;
                    counts.unchanged
                });
                if unchanged <= UNCHANGED_MAX {
                    self.line(path, "nothing new since it was imported");
                }
            }
            Ok(Imported::Empty | Imported::TooShort) => self.line(path, "empty"),
            Ok(Imported::Read(passed)) => self.read(path, &passed),
            Err(error) if error.is_foreign() && !is_named => {
                self.line(path, &format!("skipped: {error}"));
            }
            Err(Error::Stopped) => {
                self.count(|counts| counts.left += 1);
            }
            Err(error) => self.error(path, &error.to_string()),
        }
    }

    fn read(&self, path: &Path, passed: &Passed) {
        self.count(|counts| counts.read += 1);
        let shown = path.display().to_string();
        for reject in &passed.rejects {
            let (line, bytes) = (reject.line, reject.bytes);
            self.print(&format!(
                "{shown}:{line}: rejected {bytes} bytes: {}",
                reject.reason
            ));
        }
        let more = passed.rejected.saturating_sub(passed.rejects.len() as u64);
        if more > 0 {
            self.line(
                path,
                &format!("{more} more rejected parts: see \"bygone dead-letters list\""),
            );
        }
        if passed.left > 0 {
            let left = passed.left;
            self.line(path, &format!("the last line is incomplete ({left} bytes): import the file again when it is whole"));
        }
        if passed.is_damaged {
            self.line(
                path,
                "breaks off or is damaged: what is before that was imported",
            );
        }
        let ignored = match passed.ignored {
            0 => String::new(),
            ignored => format!(", {} of other logs", many(ignored, "record")),
        };
        self.line(
            path,
            &format!(
                "{}, {} rejected{ignored}",
                many(passed.events, "event"),
                passed.rejected
            ),
        );
    }

    fn error(&self, path: &Path, what: &str) {
        self.count(|counts| counts.errors += 1);
        self.print(&format!("bygone: {} {what}", path.display()));
    }

    fn line(&self, path: &Path, what: &str) {
        self.print(&format!("{}: {what}", path.display()));
    }

    fn print(&self, text: &str) {
        let text = escape::controls(text);
        self.bar.suspend(|| eprintln!("{text}"));
    }

    fn count<T>(&self, change: impl FnOnce(&mut Counts) -> T) -> T {
        change(&mut self.counts.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The summary, and the exit code.
    pub fn end(self, cluster: &str) -> ExitCode {
        self.bar.finish_and_clear();
        let Counts {
            read,
            unchanged,
            errors,
            left,
        } = self.count(|counts| *counts);
        let events = self.tally.events.load(Ordering::Relaxed);
        let rejected = self.tally.rejected.load(Ordering::Relaxed);
        let named = self.tally.clusters();
        if named.len() > 1 {
            self.print(&format!(
                "the events name several clusters ({}): all of them are stored as {cluster}; next time split the files by cluster",
                named.join(", ")
            ));
        }
        if left > 0 {
            self.print(&format!(
                "stopped: {} not finished; run the same command to continue",
                many(left, "file")
            ));
        }
        let pods = self.tally.pods();
        let summary = format!(
            "imported {} of {} from {}; {} had nothing new, {} rejected, {} failed",
            many(events, "event"),
            many(pods as u64, "pod"),
            many(read, "file"),
            many(unchanged, "file"),
            many(rejected, "part"),
            many(errors, "file"),
        );
        // A reader that is gone misses nothing else.
        _ = say(&summary);
        code(errors + left, events > 0 || unchanged > 0, rejected)
    }
}

/// How long the rest takes, at the speed so far.
fn left(elapsed: Duration, read: u64, total: u64) -> Option<Duration> {
    let rest = total.checked_sub(read).filter(|_| read > 0)?;
    Some(elapsed.mul_f64(rest as f64 / read as f64))
}

fn style(is_known: bool) -> ProgressStyle {
    let text = match is_known {
        true => "{wide_bar} {bytes}/{total_bytes} {msg}, {eta} left",
        false => "{spinner} {bytes} {msg}",
    };
    ProgressStyle::with_template(text).expect("the template is a constant of this file")
}
