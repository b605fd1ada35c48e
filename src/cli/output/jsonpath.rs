//! `-o jsonpath=TEMPLATE`, and paths into rows.
//!
//! Templates are those of kubectl: text, and in braces a path, a text in quotes, or `range PATH` up to `end`. Paths are
//! those of RFC 9535, and as kubectl has it a beginning `$` may be left out, and names may have hyphens and escaped dots
//! in them: `.labels.app\.kubernetes\.io/name`. A template without braces is one path.
//!
//! The template is filled from the document that `-o json` prints. What a value could command a terminal with is an escape.

use std::fmt::Write as _;
use std::io::{self, Write};

use serde_json::{Value, json};
use serde_json_path::JsonPath;

use super::{End, Form, Row};
use crate::escape;

/// The most rows that a document may have: it lies in memory, about 4 KiB each.
pub const ROWS_MAX: usize = 100_000;

/// A path into a row or a document.
#[derive(Clone, Debug)]
pub struct Path {
    path: JsonPath,
    /// The name that it begins with, if it does.
    first: Option<String>,
}

impl Path {
    /// # Errors
    ///
    /// One line with the error.
    pub fn parse(text: &str) -> Result<Path, String> {
        let text = text.trim();
        let bare = text.strip_prefix('{').and_then(|it| it.strip_suffix('}'));
        let (rfc, first) = rfc(bare.unwrap_or(text).trim());
        let path = JsonPath::parse(&rfc).map_err(|_| {
            format!("invalid path {text:?}: write it like .pod or {{.items[*].pod}}")
        })?;
        Ok(Path { path, first })
    }

    pub fn first(&self) -> Option<&str> {
        self.first.as_deref()
    }

    /// What it finds, each as a text: texts as they are, all else as JSON.
    pub fn texts(&self, value: &Value) -> Vec<String> {
        let found = self.path.query(value).all();
        let text = |value: &Value| match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        found.into_iter().map(text).collect()
    }
}

/// The path as RFC 9535 writes it, and the name that it begins with.
fn rfc(text: &str) -> (String, Option<String>) {
    let mut rest = text.strip_prefix(['$', '@']).unwrap_or(text);
    let (mut path, mut first) = ("$".to_owned(), None);
    while !rest.is_empty() {
        if rest.starts_with('[') {
            let bracket = &rest[..bracket_end(rest)];
            path.push_str(bracket);
            rest = &rest[bracket.len()..];
            continue;
        }
        if let Some(behind) = rest.strip_prefix("..") {
            path.push_str("..");
            rest = behind;
            if rest.starts_with('[') {
                continue;
            }
        } else {
            rest = rest.strip_prefix('.').unwrap_or(rest);
            if rest.is_empty() {
                break;
            }
        }
        let (name, behind) = name(rest);
        match &*name {
            "*" => path.push_str(if path.ends_with('.') { "*" } else { "[*]" }),
            name => {
                _ = write!(
                    path,
                    "['{}']",
                    name.replace('\\', r"\\").replace('\'', r"\'")
                )
            }
        }
        if path.starts_with("$[") && first.is_none() && name != "*" {
            first = Some(name);
        }
        rest = behind;
    }
    (path, first)
}

/// A name up to the next dot or bracket that is not escaped, and the rest.
fn name(text: &str) -> (String, &str) {
    let mut name = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => name.extend(chars.next().map(|(_, c)| c)),
            '.' | '[' => return (name, &text[at..]),
            c => name.push(c),
        }
    }
    (name, "")
}

/// Behind the bracket that closes the first one; strings may have brackets in them.
fn bracket_end(text: &str) -> usize {
    let (mut depth, mut quote) = (0, None);
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match (quote, c) {
            (Some(_), '\\') => _ = chars.next(),
            (Some(open), c) if c == open => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => quote = Some(c),
            (None, '[') => depth += 1,
            (None, ']') if depth == 1 => return at + 1,
            (None, ']') => depth -= 1,
            (None, _) => {}
        }
    }
    text.len()
}

/// A template.
#[derive(Clone, Debug)]
pub struct Template(Vec<Part>);

#[derive(Clone, Debug)]
enum Part {
    Text(String),
    Path(Path),
    Range(Path, Vec<Part>),
}

impl Template {
    /// # Errors
    ///
    /// One line with the error.
    pub fn parse(text: &str) -> Result<Template, String> {
        if text.trim().is_empty() {
            return Err("jsonpath is empty: write it like jsonpath='{.items[*].pod}'".to_owned());
        }
        if !text.contains('{') {
            return Ok(Template(vec![Part::Path(Path::parse(text)?)]));
        }
        // The ranges that are open, and what is in them so far.
        let mut open: Vec<(Option<Path>, Vec<Part>)> = vec![(None, Vec::new())];
        let mut rest = text;
        while let Some((before, behind)) = rest.split_once('{') {
            let end = brace_end(behind)
                .ok_or_else(|| format!("jsonpath {text:?}: a {{ is not closed"))?;
            let inside = behind[..end].trim();
            rest = &behind[end + 1..];
            let parts = &mut open.last_mut().expect("the whole is never closed").1;
            if !before.is_empty() {
                parts.push(Part::Text(before.to_owned()));
            }
            if let Some(path) = inside.strip_prefix("range ") {
                open.push((Some(Path::parse(path)?), Vec::new()));
            } else if inside == "end" {
                let Some((Some(path), parts)) = open.pop() else {
                    return Err(format!("jsonpath {text:?}: {{end}} without {{range ...}}"));
                };
                let around = &mut open.last_mut().expect("the whole is below").1;
                around.push(Part::Range(path, parts));
            } else {
                parts.push(part(inside)?);
            }
        }
        let (range, mut parts) = open.pop().expect("the whole is never closed");
        if range.is_some() {
            return Err(format!("jsonpath {text:?}: {{range ...}} without {{end}}"));
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest.to_owned()));
        }
        Ok(Template(parts))
    }

    pub fn fill(&self, document: &Value) -> String {
        let mut text = String::new();
        fill(&self.0, document, &mut text);
        text
    }
}

fn fill(parts: &[Part], value: &Value, text: &mut String) {
    for part in parts {
        match part {
            Part::Text(literal) => text.push_str(literal),
            Part::Path(path) => text.push_str(&escape::controls(&path.texts(value).join(" "))),
            Part::Range(path, parts) => {
                for item in path.path.query(value).all() {
                    fill(parts, item, text);
                }
            }
        }
    }
}

/// A text in quotes, or a path.
fn part(inside: &str) -> Result<Part, String> {
    let quoted = |quote| {
        let inner = inside.strip_prefix(quote)?.strip_suffix(quote)?;
        Some(unescaped(inner))
    };
    match quoted('"').or_else(|| quoted('\'')) {
        Some(text) => Ok(Part::Text(text)),
        None => Ok(Part::Path(Path::parse(inside)?)),
    }
}

/// `\n`, `\t`, `\r`, and any other character that is escaped.
fn unescaped(text: &str) -> String {
    let mut chars = text.chars();
    let mut plain = String::new();
    while let Some(c) = chars.next() {
        match c {
            '\\' => plain.extend(chars.next().map(|c| match c {
                'n' => '\n',
                't' => '\t',
                'r' => '\r',
                other => other,
            })),
            c => plain.push(c),
        }
    }
    plain
}

/// Where the brace is closed that was opened just before; strings may have braces in them.
fn brace_end(text: &str) -> Option<usize> {
    let mut quote = None;
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match (quote, c) {
            (Some(_), '\\') => _ = chars.next(),
            (Some(open), c) if c == open => quote = None,
            (None, '"' | '\'') => quote = Some(c),
            (None, '}') => return Some(at),
            _ => {}
        }
    }
    None
}

/// The form of an answer.
pub struct Filled<'a> {
    out: &'a mut dyn Write,
    template: Template,
    items: Vec<Value>,
}

impl<'a> Filled<'a> {
    pub fn new(template: Template, out: &'a mut dyn Write) -> Filled<'a> {
        Filled {
            out,
            template,
            items: Vec::new(),
        }
    }
}

impl<R: Row> Form<R> for Filled<'_> {
    fn row(&mut self, row: &R) -> io::Result<()> {
        if self.items.len() == ROWS_MAX {
            return Err(io::Error::other(format!(
                "more than {ROWS_MAX} rows for jsonpath: ask for less, or set a lower --limit"
            )));
        }
        self.items.push(serde_json::to_value(row)?);
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    /// Like kubectl, nothing is added after the template's output, not even a line break.
    fn end(&mut self, end: &End) -> io::Result<()> {
        let document = json!({
            "items": std::mem::take(&mut self.items),
            "more": end.more.is_some(),
            "cursor": end.more,
        });
        self.out
            .write_all(self.template.fill(&document).as_bytes())?;
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    fn check(template: &str, expected: Expect) {
        let document = json!({
            "items": [
                {"pod": "web-0", "restarts": 2, "node": null, "pod_ips": ["10.0.0.7", "fd00::7"],
                 "labels": {"app.kubernetes.io/name": "web", "tier-x": "a"}},
                {"pod": "api\u{7}-0", "restarts": 0, "node": "n1", "pod_ips": [], "labels": {}},
            ],
            "more": false,
        });
        let filled = Template::parse(template).map(|template| template.fill(&document));
        expected.assert_eq(&filled.unwrap_or_else(|error| format!("error: {error}")));
    }

    #[test]
    fn templates() {
        check("{.items[*].pod}", expect![[r"web-0 api\u{7}-0"]]);
        check("{$.items[*]['pod']}", expect![[r"web-0 api\u{7}-0"]]);
        check(".items[0].pod", expect!["web-0"]);
        check("items[-1:].node", expect!["n1"]);
        check("pods: {.items[*].restarts}\n", expect![["pods: 2 0\n"]]);
        check(
            r#"{range .items[*]}{.pod}{"\t"}{.restarts}{"\n"}{end}"#,
            expect![["web-0\t2\napi\\u{7}-0\t0\n"]],
        );
        check(
            "{range .items[*]}{range .pod_ips[*]}<{@}>{end};{end}",
            expect!["<10.0.0.7><fd00::7>;;"],
        );
        check("{.items[?(@.restarts>1)].pod}", expect!["web-0"]);
        check(
            r"{.items[*].labels.app\.kubernetes\.io/name}",
            expect!["web"],
        );
        check("{.items[*].labels.tier-x}", expect!["a"]);
        check("{..restarts}", expect!["2 0"]);
        check(
            "{.items[0].node}|{.items[0].pod_ips}|{.none}|",
            expect![[r#"null|["10.0.0.7","fd00::7"]||"#]],
        );
        check(r#"{'}'}{"{"}"#, expect!["}{"]);
    }

    #[test]
    fn what_is_wrong() {
        check(
            "{.items[*",
            expect![[r#"error: jsonpath "{.items[*": a { is not closed"#]],
        );
        check(
            "{end}",
            expect![[r#"error: jsonpath "{end}": {end} without {range ...}"#]],
        );
        check(
            "{range .items[*]}x",
            expect![[r#"error: jsonpath "{range .items[*]}x": {range ...} without {end}"#]],
        );
        check(
            "{.items[}",
            expect![[r#"error: invalid path ".items[": write it like .pod or {.items[*].pod}"#]],
        );
    }
}
