//! The summary on stderr behind the lines: how they were found, and what is uncertain.

use super::{instance_name, too_many};
use crate::escape;
use crate::logs::{Attempt, LogsEnding, Part};

/// Parts that are listed one by one.
const PARTS_MAX: usize = 12;

/// Names of those that have no lines for the same reason.
const NAMES_MAX: usize = 3;

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
    let is_shown = |part: &&&Part| summary.lines == 0 || !part.why.is_empty();
    let shown: Vec<&Part> = without.iter().filter(is_shown).copied().collect();
    if summary.lines > 0 && !without.is_empty() && ending.error.is_none() {
        out.push(format!("{} other instances have no lines", without.len()));
    }
    if ending.error.is_none() {
        out.extend(of_parts_without(&shown));
    }
    if summary.not_examined > 0 {
        out.push(format!(
            "the reason was not looked for in {} cases: ask for fewer at a time",
            summary.not_examined
        ));
    }
    if ending.more_instances {
        out.push(too_many());
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
    instance_name(&part.namespace, &part.pod, &part.container, part.restart)
}

fn of_part(part: &Part) -> String {
    let identity = part.identity.map_or("", |identity| identity.words());
    let text = format!(
        "{} of {} in {}, by {identity}",
        counted(part.lines, "line", "lines"),
        name(part),
        part.store
    );
    with_uncertain(text, part)
}

/// One line for all that have the same reason.
fn of_parts_without(parts: &[&Part]) -> Vec<String> {
    let mut groups: Vec<Vec<&Part>> = Vec::new();
    let key = |part: &Part| (part.store.clone(), part.why.clone());
    for part in parts {
        match groups.iter_mut().find(|group| key(group[0]) == key(part)) {
            Some(group) => group.push(part),
            None => groups.push(vec![part]),
        }
    }
    let shown = groups.iter().take(PARTS_MAX);
    shown.map(|group| of_group(group)).collect()
}

fn of_group(group: &[&Part]) -> String {
    let named = group.iter().take(NAMES_MAX).map(|part| name(part));
    let mut text = format!("no lines of {}", named.collect::<Vec<_>>().join(", "));
    match group.len().saturating_sub(NAMES_MAX) {
        0 => {}
        more => text.push_str(&format!(" and {more} more")),
    }
    text.push_str(&format!(" in {}", group[0].store));
    for (number, why) in group[0].why.iter().enumerate() {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logs::Summary;
    use expect_test::{Expect, expect};

    fn part(pod: &str, lines: u64, why: &[&str]) -> Part {
        Part {
            store: "es".to_owned(),
            cluster: String::new(),
            namespace: "shop".to_owned(),
            pod: pod.to_owned(),
            pod_uid: uuid::Uuid::nil(),
            container: "app".to_owned(),
            restart: 0,
            lines,
            identity: Some(crate::logs::Identity::Names),
            uncertain: Vec::new(),
            attempts: Vec::new(),
            why: why.iter().map(|why| (*why).to_owned()).collect(),
        }
    }

    fn check(parts: Vec<Part>, not_examined: u64, expected: Expect) {
        let ending = LogsEnding {
            instances: parts.len() as u64,
            summary: Summary {
                lines: parts.iter().map(|part| part.lines).sum(),
                parts,
                not_examined,
                ..Summary::default()
            },
            ..LogsEnding::default()
        };
        expected.assert_eq(&(lines(&ending, false).join("\n") + "\n"));
    }

    #[test]
    fn what_has_no_lines_for_one_reason_is_one_line() {
        let gone = |pod: &str| part(pod, 0, &["retention", "a\u{1b}"]);
        check(
            ["a", "b", "c", "d"].map(gone).to_vec(),
            2,
            expect![[r#"
                no lines of shop/a/app (instance 0), shop/b/app (instance 0), shop/c/app (instance 0) and 1 more in es: retention; a\u{1b}
                the reason was not looked for in 2 cases: ask for fewer at a time
            "#]],
        );
        check(
            vec![part("a", 2, &[]), gone("b"), part("c", 0, &[])],
            0,
            expect![[r#"
                2 lines of shop/a/app (instance 0) in es, by names, separated by time
                2 other instances have no lines
                no lines of shop/b/app (instance 0) in es: retention; a\u{1b}
            "#]],
        );
    }
}
