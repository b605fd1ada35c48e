//! Label selectors.

use std::str::FromStr;

use crate::query::ParseError;

/// A label selector, as `kubectl -l` takes it: requirements that must all hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Labels(pub Vec<Requirement>);

/// What one key must be. As in Kubernetes, `NotIn` also holds where the key is absent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Requirement {
    In(String, Vec<String>),
    NotIn(String, Vec<String>),
    Exists(String),
    Absent(String),
}

impl FromStr for Labels {
    type Err = ParseError;

    /// Reads `a=b`, `a==b`, `a!=b`, `a in (b,c)`, `a notin (b,c)`, `a`, `!a`, separated by commas.
    fn from_str(text: &str) -> Result<Labels, ParseError> {
        let mut requirements = Vec::new();
        for part in split_outside_parentheses(text) {
            let part = part.trim();
            if part.is_empty() {
                continue;
            }
            requirements.push(requirement(part).ok_or_else(|| {
                let instead =
                    "key=value, key!=value, 'key in (a,b)', 'key notin (a,b)', key or '!key'";
                ParseError::value(
                    "labels",
                    format!("invalid selector {part:?}: use {instead}"),
                )
            })?);
        }
        Ok(Labels(requirements))
    }
}

fn split_outside_parentheses(text: &str) -> impl Iterator<Item = &str> {
    let mut open = false;
    text.split(move |c| {
        match c {
            '(' => open = true,
            ')' => open = false,
            _ => {}
        }
        c == ',' && !open
    })
}

fn requirement(part: &str) -> Option<Requirement> {
    if let Some((key, value)) = part.split_once("!=") {
        return Some(Requirement::NotIn(key_of(key)?, vec![value_of(value)?]));
    }
    if let Some((key, value)) = part.split_once('=') {
        let value = value.strip_prefix('=').unwrap_or(value);
        return Some(Requirement::In(key_of(key)?, vec![value_of(value)?]));
    }
    if let Some(set) = part.strip_suffix(')') {
        let (head, values) = set.split_once('(')?;
        let values = values
            .split(',')
            .map(value_of)
            .collect::<Option<Vec<String>>>()?;
        let (key, operator) = head.trim().split_once(char::is_whitespace)?;
        return match operator.trim() {
            "in" => Some(Requirement::In(key_of(key)?, values)),
            "notin" => Some(Requirement::NotIn(key_of(key)?, values)),
            _ => None,
        };
    }
    match part.strip_prefix('!') {
        Some(key) => Some(Requirement::Absent(key_of(key)?)),
        None => Some(Requirement::Exists(key_of(part)?)),
    }
}

/// A label's key: letters, digits and `-_./`.
fn key_of(text: &str) -> Option<String> {
    let text = text.trim();
    let fits = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
    (!text.is_empty() && text.chars().all(fits)).then(|| text.to_owned())
}

/// A label's value: letters, digits and `-_.`, or nothing.
fn value_of(text: &str) -> Option<String> {
    let text = text.trim();
    let fits = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    text.chars().all(fits).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    fn check(text: &str, expected: Expect) {
        expected.assert_eq(&match text.parse::<Labels>() {
            Ok(Labels(requirements)) => format!("{requirements:?}"),
            Err(error) => error.to_string(),
        });
    }

    #[test]
    fn label_selectors() {
        check(
            "app=web, tier!=db",
            expect![[r#"[In("app", ["web"]), NotIn("tier", ["db"])]"#]],
        );
        check("app==web", expect![[r#"[In("app", ["web"])]"#]]);
        check(
            "a in (b, c),d notin (e)",
            expect![[r#"[In("a", ["b", "c"]), NotIn("d", ["e"])]"#]],
        );
        check("a,!b", expect![[r#"[Exists("a"), Absent("b")]"#]]);
        check("a=", expect![[r#"[In("a", [""])]"#]]);
        check("", expect!["[]"]);
        check(
            "a like (b)",
            expect![[
                r#"labels: invalid selector "a like (b)": use key=value, key!=value, 'key in (a,b)', 'key notin (a,b)', key or '!key'"#
            ]],
        );
    }
}
