//! What a store has, by its names: for people who look for the right `[[logs]]` block.
//!
//! Never here: the values of fields and labels, which are lines and what was written about them.

use std::collections::BTreeSet;

use serde_json::Value;

/// Names that are listed.
const NAMES_MAX: usize = 60;

/// Names of one kind, like the fields of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    pub what: String,
    /// Sorted.
    pub names: BTreeSet<String>,
}

impl Seen {
    pub fn new(what: impl Into<String>, names: impl IntoIterator<Item = String>) -> Seen {
        Seen {
            what: what.into(),
            names: names.into_iter().collect(),
        }
    }

    /// `what: a, b and 3 more`, of one line.
    #[must_use]
    pub fn text(&self) -> String {
        let Seen { what, names } = self;
        if names.is_empty() {
            return format!("{what}: none");
        }
        let shown: Vec<&str> = names.iter().take(NAMES_MAX).map(String::as_str).collect();
        let more = match names.len() - shown.len() {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        format!("{what}: {}{more}", shown.join(", "))
    }
}

/// The names of a record's fields, with dots between levels.
pub fn names_of(record: &Value) -> Vec<String> {
    let mut names = Vec::new();
    collect(record, "", &mut names);
    names
}

fn collect(value: &Value, path: &str, names: &mut Vec<String>) {
    match value.as_object().filter(|object| !object.is_empty()) {
        Some(object) => {
            for (name, value) in object {
                let dot = if path.is_empty() { "" } else { "." };
                collect(value, &format!("{path}{dot}{name}"), names);
            }
        }
        None if path.is_empty() || value.is_null() => {}
        None => names.push(path.to_owned()),
    }
}

/// A pattern for an index and those that followed it: without the number of a backing index, a date or a count.
pub fn pattern_of(index: &str) -> String {
    let is_count = |c: char| c.is_ascii_digit() || "-_.".contains(c);
    if let Some(stream) = index.strip_prefix(".ds-") {
        // .ds-NAME-YYYY.MM.DD-NNNNNN
        let mut parts = stream.rsplitn(3, '-').skip(2);
        return parts.next().unwrap_or(stream).to_owned();
    }
    let name = index.trim_end_matches(is_count);
    let behind = &index[name.len()..];
    let separator = behind.chars().next().filter(|c| "-_.".contains(*c));
    match separator.filter(|_| behind.len() > 1 && !name.is_empty()) {
        Some(separator) => format!("{name}{separator}*"),
        None => index.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn names_and_no_values() {
        let record = json!({"a": {"b": "secret", "c": {}}, "d": ["secret"], "e": null, "f.g": 1});
        assert_eq!(names_of(&record), ["a.b", "a.c", "d", "f.g"]);
        let seen = Seen::new("fields", (10..75).map(|number| number.to_string()));
        let text = seen.text();
        assert!(text.starts_with("fields: 10, 11, ") && text.ends_with(" and 5 more"));
        assert_eq!(Seen::new("fields", []).text(), "fields: none");
    }

    #[test]
    fn an_index_stands_for_those_beside_it() {
        for (index, pattern) in [
            ("logstash-2026.11.24", "logstash-*"),
            ("k8s_prod_20261124", "k8s_prod_*"),
            ("app-000001", "app-*"),
            ("every.05", "every.*"),
            (
                ".ds-logs-shop-default-2026.11.24-000007",
                "logs-shop-default",
            ),
            ("k8s", "k8s"),
            ("lines2", "lines2"),
            ("2026", "2026"),
        ] {
            assert_eq!(pattern_of(index), pattern, "{index}");
        }
    }
}
