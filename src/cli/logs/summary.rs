//! The summary on stderr behind the lines: how they were found, and what is uncertain.

use crate::escape;
use crate::logs::{LogsEnding, Part};

/// Parts that are listed one by one.
const PARTS_MAX: usize = 12;

pub fn print(ending: &LogsEnding, is_full: bool) {
    for line in lines(ending, is_full) {
        eprintln!("{line}");
    }
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
    if summary.lines == 0 {
        out.extend(without.iter().take(PARTS_MAX).map(|part| {
            with_why(
                format!("no lines of {} in {}", name(part), part.store),
                part,
            )
        }));
    } else if !without.is_empty() {
        out.push(format!("{} other instances have no lines", without.len()));
        let explained = without.iter().filter(|part| !part.why.is_empty());
        out.extend(
            explained.map(|part| with_why(format!("  {} in {}", name(part), part.store), part)),
        );
    }
    if summary.not_examined > 0 {
        out.push(format!(
            "why {} of them have none was not looked into: ask for fewer at a time",
            summary.not_examined
        ));
    }
    if ending.more_instances {
        out.push("more than 1000 instances were meant: the older ones were left out".to_owned());
    }
    if is_full {
        out.push("stopped at --limit-bytes".to_owned());
    } else if summary.more {
        out.push("there are more lines".to_owned());
    }
    out
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

fn with_why(mut text: String, part: &Part) -> String {
    for (number, why) in part.why.iter().enumerate() {
        text.push_str(if number == 0 { ": " } else { "; " });
        text.push_str(&escape::controls(why));
    }
    text
}

fn with_uncertain(mut text: String, part: &Part) -> String {
    for uncertain in &part.uncertain {
        text.push_str("; ");
        text.push_str(uncertain);
    }
    text
}
