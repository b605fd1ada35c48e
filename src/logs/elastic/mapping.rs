//! How fields are indexed, and the queries that this allows.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::{Value, json};

use crate::logs::conditions::Condition;
use crate::logs::layout::Fields;

/// Types whose values are found as a whole.
const EXACT: [&str; 9] = [
    "keyword",
    "constant_keyword",
    "wildcard",
    "long",
    "integer",
    "short",
    "byte",
    "unsigned_long",
    "version",
];

/// Types whose values are split into words.
const WORDS: [&str; 2] = ["text", "match_only_text"];

/// What `_field_caps` answers.
#[derive(Deserialize)]
pub struct Caps {
    /// Absent where it has other things to say about them.
    #[serde(default)]
    pub indices: Value,
    #[serde(default)]
    fields: BTreeMap<String, BTreeMap<String, Value>>,
}

/// The types that each field has in the indices of a pattern.
pub struct Mapping {
    fields: BTreeMap<String, BTreeSet<String>>,
}

/// How a condition is asked for.
#[derive(Debug, PartialEq)]
pub enum Asked {
    Query(Value),
    /// It finds too much: what comes must be compared.
    Loosely(Value),
    /// Every record says so.
    Always,
    /// No record has this field.
    Never(String),
}

/// The names that `_field_caps` is asked about.
pub fn names(fields: &Fields, time: &str) -> Vec<String> {
    let mut names: Vec<String> = fields
        .found_by()
        .flat_map(|field| [field.clone(), format!("{field}.keyword")])
        .collect();
    names.push(time.to_owned());
    names.extend(fields.tie_break.clone());
    names
}

impl Mapping {
    pub fn of(caps: Caps) -> Mapping {
        let types = |types: BTreeMap<String, Value>| {
            // Where it is in some of the indices only.
            types
                .into_keys()
                .filter(|kind| kind != "unmapped")
                .collect()
        };
        let fields = caps.fields.into_iter();
        Mapping {
            fields: fields.map(|(name, caps)| (name, types(caps))).collect(),
        }
    }

    /// The types of a field; `None` where no index has it.
    pub fn types(&self, name: &str) -> Option<Vec<&str>> {
        let types = self.fields.get(name).filter(|types| !types.is_empty())?;
        Some(types.iter().map(String::as_str).collect())
    }

    /// Whether a field holds numbers wherever it is: what can be sorted by.
    pub fn is_number(&self, name: &str) -> bool {
        let is_number = |kind: &&str| matches!(*kind, "long" | "integer" | "unsigned_long");
        self.types(name)
            .is_some_and(|types| types.iter().all(is_number))
    }

    /// The query for a condition.
    ///
    /// # Errors
    ///
    /// When the field has types that can't be asked for text, in one line.
    pub fn ask(&self, condition: &Condition) -> Result<Asked, String> {
        let field = condition.field();
        let matches_absent = matches!(condition, Condition::Is { values, .. } if values.iter().any(String::is_empty));
        let Some(types) = self.types(field) else {
            return Ok(match matches_absent {
                true => Asked::Always,
                false => Asked::Never(field.to_owned()),
            });
        };
        if let Condition::Present { .. } = condition {
            return Ok(Asked::Query(json!({"exists": {"field": field}})));
        }
        let is_of = |kinds: &[&str]| types.iter().any(|kind| kinds.contains(kind));
        if let Some(other) = types
            .iter()
            .find(|kind| !EXACT.contains(*kind) && !WORDS.contains(*kind))
        {
            return Err(match types.len() {
                1 => format!("field {field} is of type {other}, which cannot be searched for text"),
                _ => format!(
                    "field {field} has conflicting types, {}: name indices of one mapping in from",
                    types.join(" and ")
                ),
            });
        }
        let mut queries = Vec::new();
        let mut is_loose = false;
        if is_of(&EXACT) {
            queries.push(exact(field, condition));
        }
        if is_of(&WORDS) {
            let keyword = format!("{field}.keyword");
            match self.types(&keyword) == Some(vec!["keyword"]) {
                true => queries.push(exact(&keyword, condition)),
                false => {
                    queries.extend(phrases(field, condition));
                    is_loose = true;
                }
            }
        }
        if matches_absent {
            queries.push(json!({"bool": {"must_not": {"exists": {"field": field}}}}));
        }
        let query = match queries.len() {
            1 => queries.remove(0),
            _ => json!({"bool": {"should": queries, "minimum_should_match": 1}}),
        };
        Ok(match is_loose {
            true => Asked::Loosely(query),
            false => Asked::Query(query),
        })
    }
}

fn exact(field: &str, condition: &Condition) -> Value {
    match condition {
        Condition::Is { values, .. } => json!({"terms": {field: values}}),
        Condition::Contains { part, .. } => {
            json!({"wildcard": {field: {"value": format!("*{}*", literal(part))}}})
        }
        Condition::Present { .. } => json!({"exists": {"field": field}}),
    }
}

fn phrases(field: &str, condition: &Condition) -> Vec<Value> {
    let phrase = |text: &String| json!({"match_phrase": {field: text}});
    match condition {
        Condition::Is { values, .. } => {
            let values = values.iter().filter(|value| !value.is_empty());
            values.map(phrase).collect()
        }
        Condition::Contains { part, .. } => vec![phrase(part)],
        Condition::Present { .. } => vec![json!({"exists": {"field": field}})],
    }
}

/// A text in a wildcard pattern.
fn literal(text: &str) -> String {
    let mut literal = String::with_capacity(text.len());
    for character in text.chars() {
        if matches!(character, '*' | '?' | '\\') {
            literal.push('\\');
        }
        literal.push(character);
    }
    literal
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mapping(caps: Value) -> Mapping {
        Mapping::of(serde_json::from_value(json!({ "fields": caps })).unwrap())
    }

    fn is(field: &str, values: &[&str]) -> Condition {
        Condition::Is {
            field: field.to_owned(),
            values: values.iter().map(|value| (*value).to_owned()).collect(),
        }
    }

    #[test]
    fn a_field_is_asked_for_as_it_is_indexed() {
        let mapping = mapping(json!({
            "uid": {"keyword": {}, "unmapped": {}},
            "pod": {"text": {}},
            "pod.keyword": {"keyword": {}},
            "words": {"text": {}},
            "both": {"keyword": {}, "text": {}},
            "odd": {"keyword": {}, "date": {}},
            "level": {"object": {}},
        }));
        let asked = |condition: Condition| match mapping.ask(&condition) {
            Ok(Asked::Query(query)) => query.to_string(),
            Ok(Asked::Loosely(query)) => format!("loosely {query}"),
            Ok(other) => format!("{other:?}"),
            Err(error) => error,
        };
        let part = "/a_*?\\_1/c/0.log".to_owned();
        let contains = |field: &str| Condition::Contains {
            field: field.to_owned(),
            part: part.clone(),
        };
        let present = |field: &str| Condition::Present {
            field: field.to_owned(),
        };
        let all = [
            is("uid", &["u"]),
            is("uid", &["u", ""]),
            is("pod", &["web-0"]),
            is("words", &["web-0"]),
            is("both", &["a"]),
            is("odd", &["a"]),
            is("level", &["a"]),
            is("none", &["a"]),
            is("none", &["a", ""]),
            contains("pod"),
            contains("words"),
            present("words"),
            present("none"),
        ];
        let all: Vec<String> = all.into_iter().map(asked).collect();
        expect_test::expect![[r#"
            {"terms":{"uid":["u"]}}
            {"bool":{"minimum_should_match":1,"should":[{"terms":{"uid":["u",""]}},{"bool":{"must_not":{"exists":{"field":"uid"}}}}]}}
            {"terms":{"pod.keyword":["web-0"]}}
            loosely {"match_phrase":{"words":"web-0"}}
            loosely {"bool":{"minimum_should_match":1,"should":[{"terms":{"both":["a"]}},{"match_phrase":{"both":"a"}}]}}
            field odd has conflicting types, date and keyword: name indices of one mapping in from
            field level is of type object, which cannot be searched for text
            Never("none")
            Always
            {"wildcard":{"pod.keyword":{"value":"*/a_\\*\\?\\\\_1/c/0.log*"}}}
            loosely {"match_phrase":{"words":"/a_*?\\_1/c/0.log"}}
            {"exists":{"field":"words"}}
            Never("none")
        "#]]
        .assert_eq(&(all.join("\n") + "\n"));
    }
}
