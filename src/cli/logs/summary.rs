//! The summary on stderr behind the lines: how they were found, and what is uncertain.

use crate::escape;
use crate::logs::{Attempt, LogsEnding, Part};

/// Parts that are listed one by one.
const PARTS_MAX: usize = 12;

pub fn print(ending: &LogsEnding, is_full: bool) {
    for line in explained(ending).chain(lines(ending, is_full)) {
        eprintln!("{line}");
    }
}

/// What the stores were asked: one line for each identity of each instance that was tried, and its queries.
fn explained(ending: &LogsEnding) -> impl Iterator<Item = String> {
    let parts = ending.summary.parts.iter();
    parts.flat_map(|part| {
        part.attempts
            .iter()
            .flat_map(|attempt| of_attempt(part, attempt))
    })
}

fn of_attempt(part: &Part, attempt: &Attempt) -> Vec<String> {
    let Attempt {
        sent,
        pages,
        lines,
        bytes,
        milliseconds,
        ..
    } = attempt;
    let counts = [
        counted(*sent, "query", "queries"),
        counted(*pages, "page", "pages"),
        counted(*lines, "line", "lines"),
        counted(*bytes, "byte", "bytes"),
    ];
    let mut out = vec![format!(
        "{} was asked for {} by {}: {}, {milliseconds} ms",
        part.store,
        name(part),
        attempt.identity.words(),
        counts.join(", ")
    )];
    let queries = attempt.queries.iter();
    out.extend(queries.map(|query| format!("  {}", escape::controls(query))));
    let more = sent.saturating_sub(attempt.queries.len() as u64);
    if more > 0 {
        out.push(format!("  and {more} more"));
    }
    out
}

fn lines(ending: &LogsEnding, is_full: bool) -> Vec<String> {
    let summary = &ending.summary;
    let mut out = Vec::new();
    if summary.parts.is_empty() {
        let count = ending.instances;
        out.push(format!(
            "{count} container instances were found, but no logs store holds their cluster"
        ));
        return out;
    }
    let with_lines = summary.parts.iter().filter(|part| part.lines > 0);
    out.extend(with_lines.clone().take(PARTS_MAX).map(of_part));
    let more = with_lines.count().saturating_sub(PARTS_MAX);
    if more > 0 {
        out.push(format!("and of {more} more instances"));
    }
    let without: Vec<&Part> = summary
        .parts
        .iter()
        .filter(|part| part.lines == 0)
        .collect();
    if summary.lines == 0 && ending.error.is_none() {
        out.extend(without.iter().take(PARTS_MAX).map(|part| {
            let text = format!("no lines of {} in {}", name(part), part.store);
            with_uncertain(text, part)
        }));
    } else if !without.is_empty() && ending.error.is_none() {
        out.push(format!("{} other instances have no lines", without.len()));
    }
    if ending.more_instances {
        out.push("more than 1000 instances were meant: the older ones were left out".to_owned());
    }
    if is_full {
        out.push("stopped at --limit-bytes".to_owned());
    } else if summary.tail_cut {
        out.push(format!(
            "only the last {} lines fit into the 32 MiB that --tail holds: use --from and --to for those before",
            summary.lines
        ));
    } else if summary.more {
        out.push("there are more lines".to_owned());
    }
    out
}

fn counted(count: u64, one: &str, several: &str) -> String {
    match count {
        1 => format!("1 {one}"),
        _ => format!("{count} {several}"),
    }
}

fn name(part: &Part) -> String {
    let Part {
        namespace,
        pod,
        container,
        restart,
        ..
    } = part;
    format!("{namespace}/{pod}/{container} (instance {restart})")
}

fn of_part(part: &Part) -> String {
    let lines = if part.lines == 1 { "line" } else { "lines" };
    let identity = part.identity.map_or("", |identity| identity.words());
    let text = format!(
        "{} {lines} of {} in {}, by {identity}",
        part.lines,
        name(part),
        part.store
    );
    with_uncertain(text, part)
}

fn with_uncertain(mut text: String, part: &Part) -> String {
    for uncertain in &part.uncertain {
        text.push_str("; ");
        text.push_str(uncertain);
    }
    text
}
