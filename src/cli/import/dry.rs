//! `bygone import --dry-run`: what would come out, and what would be missing. Nothing is stored, and no store is asked.

use std::fs::File;
use std::panic::resume_unwind;
use std::path::Path;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{STDIN, code, many};
use crate::cli::say;
use crate::envelope::Portion;
use crate::escape;
use crate::pipeline::Preview;
use crate::query::coverage::{self, Advice, Day, Events};
use crate::source::file::{Buffers, Files, Found, Input, Place, Reading, ReadingError};

/// Rejected parts of a file that are told one by one.
const REJECTS_MAX: u64 = 20;

/// Files that are read at the same time.
const READERS_MAX: usize = 4;

/// What was found, and the number of errors.
#[derive(Default)]
struct Seen {
    preview: Preview,
    errors: u64,
}

/// Reads everything and stores nothing.
pub async fn run(cluster: &str, files: Files, is_stdin: bool) -> anyhow::Result<ExitCode> {
    let cluster = cluster.to_owned();
    let read = tokio::task::spawn_blocking(move || {
        let mut seen = Seen::default();
        for (path, problem) in &files.problems {
            seen.errors += 1;
            print(&format!("bygone: {} {problem}", path.display()));
        }
        if is_stdin {
            seen.look(&cluster, Path::new(STDIN), true, Input::Stdin);
        }
        look_at_all(&cluster, &files.files, &mut seen);
        seen
    });
    let Seen { preview, errors } = read.await?;
    say(&summary(&preview))?;
    Ok(code(errors, preview.events > 0, preview.rejected))
}

/// Looks at files, on as many threads as there are cores.
fn look_at_all(cluster: &str, files: &[Found], seen: &mut Seen) {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let rest = Mutex::new(files.iter());
    let next = || rest.lock().unwrap_or_else(PoisonError::into_inner).next();
    let look = || {
        let mut seen = Seen::default();
        while let Some(found) = next() {
            seen.look_at(cluster, found);
        }
        seen
    };
    std::thread::scope(|scope| {
        let threads = cores.min(READERS_MAX).min(files.len());
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(look)).collect();
        for thread in threads {
            let more = thread.join().unwrap_or_else(|panic| resume_unwind(panic));
            seen.preview.add(more.preview);
            seen.errors += more.errors;
        }
    });
}

impl Seen {
    fn look_at(&mut self, cluster: &str, found: &Found) {
        match File::open(&found.path) {
            Ok(file) => {
                let input = Input::File(Arc::new(file));
                self.look(cluster, &found.path, found.is_named, input);
            }
            Err(error) => {
                self.errors += 1;
                let path = found.path.display();
                print(&format!("bygone: {path} cannot be read: {error}"));
            }
        }
    }

    fn look(&mut self, cluster: &str, path: &Path, is_named: bool, input: Input) {
        self.errors += u64::from(!is_read(cluster, path, is_named, input, &mut self.preview));
    }
}

/// Looks at a file. Returns whether it could be read, or need not be.
fn is_read(
    cluster: &str,
    path: &Path,
    is_named: bool,
    input: Input,
    preview: &mut Preview,
) -> bool {
    let (to, mut pieces) = mpsc::channel(1);
    let buffers = Buffers::default();
    let reading = Reading {
        input,
        from: Place::default(),
        is_growing: false,
        to,
        buffers: buffers.clone(),
        packed_read: Arc::default(),
        stop: CancellationToken::new(),
    };
    let reading = std::thread::spawn(move || reading.run());
    let (before, mut told) = (preview.events, 0);
    let shown = path.display();
    while let Some(piece) = pieces.blocking_recv() {
        let bytes = match piece.portion {
            Portion::Text { bytes, .. } => bytes,
            Portion::TooLong { at, .. } => {
                preview.reject();
                let bytes = at.end - at.start;
                print(&format!(
                    "{shown}:{}: would reject {bytes} bytes: too long",
                    piece.line
                ));
                continue;
            }
        };
        for part in preview.read(cluster, &bytes) {
            told += 1;
            if told <= REJECTS_MAX {
                let line =
                    piece.line + memchr::memchr_iter(b'\n', &bytes[..part.at.start]).count() as u64;
                let (length, reason) = (part.at.len(), part.reason);
                print(&format!(
                    "{shown}:{line}: would reject {length} bytes: {reason}"
                ));
            }
        }
        buffers.put(bytes);
    }
    let outcome = reading.join().unwrap_or(Err(ReadingError::Stopped));
    match outcome {
        Ok(ended) => {
            if ended.left > 0 {
                let left = ended.left;
                print(&format!(
                    "{shown}: the last line is incomplete ({left} bytes)"
                ));
            }
            if ended.is_damaged {
                print(&format!(
                    "{shown}: breaks off or is damaged: what is before that can be imported"
                ));
            }
            let events = many(preview.events - before, "event");
            print(&format!("{shown}: {events}"));
            true
        }
        Err(error @ ReadingError::Foreign(_)) if !is_named => {
            print(&format!("{shown}: skipped: {error}"));
            true
        }
        Err(error) => {
            print(&format!("bygone: {shown} {error}"));
            false
        }
    }
}

fn print(text: &str) {
    eprintln!("{}", escape::controls(text));
}

fn summary(preview: &Preview) -> String {
    let span = preview.span.map_or(String::new(), |(first, last)| {
        format!(", from {first:.0} to {last:.0}")
    });
    let mut lines = vec![format!(
        "{} would be imported{span}: {} about {}; {} would be rejected, {} of other logs ignored",
        many(preview.events, "event"),
        many(preview.facts, "fact"),
        many(preview.pods() as u64, "pod"),
        many(preview.rejected, "part"),
        many(preview.ignored, "record")
    )];
    let clusters: Vec<&str> = preview.clusters().collect();
    if clusters.len() > 1 {
        lines.push(format!(
            "the events name several clusters: {}; an import stores all of them as one: split the files by cluster",
            clusters.join(", ")
        ));
    }
    if preview.events > 0 {
        let missing = coverage::advice(&day(preview));
        if !missing.is_empty() {
            lines.push(
                "missing (\"What is not known\" in schema/README.md has what follows from it):"
                    .to_owned(),
            );
        }
        for Advice { why, .. } in missing {
            lines.push(format!("  {why}"));
        }
    }
    lines.join("\n")
}

/// As `bygone coverage` has it.
fn day(preview: &Preview) -> Day {
    let events = preview
        .levels
        .iter()
        .map(|((about, level, stage), events)| Events {
            about: (*about).to_owned(),
            level: (*level).to_owned(),
            stage: (*stage).to_owned(),
            events: *events,
        });
    Day {
        events: events.collect(),
        api_servers: preview
            .has_heartbeats
            .then(String::new)
            .into_iter()
            .collect(),
        ..Day::default()
    }
}
