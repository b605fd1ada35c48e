//! `bygone import --dry-run`: what would come out, and what would be missing. Nothing is stored, and no store is asked.

use std::fs::File;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{STDIN, code, many};
use crate::cli::say;
use crate::envelope::Portion;
use crate::escape;
use crate::pipeline::Preview;
use crate::query::coverage::{self, Advice, Day, Events};
use crate::source::file::{Buffers, Files, Input, Place, Reading, ReadingError};

/// Rejected parts of a file that are told one by one.
const REJECTS_MAX: u64 = 20;

/// Reads everything and stores nothing.
pub async fn run(cluster: &str, files: Files, is_stdin: bool) -> anyhow::Result<ExitCode> {
    let cluster = cluster.to_owned();
    let read = tokio::task::spawn_blocking(move || {
        let mut preview = Preview::default();
        let mut errors = 0;
        for (path, problem) in &files.problems {
            errors += 1;
            print(&format!("bygone: {} {problem}", path.display()));
        }
        if is_stdin {
            errors += look(&cluster, Path::new(STDIN), true, Input::Stdin, &mut preview);
        }
        for found in &files.files {
            errors += match File::open(&found.path) {
                Ok(file) => {
                    let input = Input::File(Arc::new(file));
                    look(&cluster, &found.path, found.is_named, input, &mut preview)
                }
                Err(error) => {
                    print(&format!(
                        "bygone: {} cannot be read: {error}",
                        found.path.display()
                    ));
                    1
                }
            };
        }
        (preview, errors)
    });
    let (preview, errors) = read.await?;
    say(&summary(&preview))?;
    Ok(code(errors, preview.events > 0, preview.rejected))
}

/// Looks at a file. Returns the number of errors.
fn look(cluster: &str, path: &Path, is_named: bool, input: Input, preview: &mut Preview) -> u64 {
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
            0
        }
        Err(error @ ReadingError::Foreign(_)) if !is_named => {
            print(&format!("{shown}: skipped: {error}"));
            0
        }
        Err(error) => {
            print(&format!("bygone: {shown} {error}"));
            1
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
