//! What a record says: its line, its stream, and whether it is of whom it was asked for.

use serde_json::{Map, Value};

use crate::logs::conditions::Condition;
use crate::logs::layout::Fields;

/// A record as it was sent to the store.
pub type Source = Map<String, Value>;

/// What agents put beside the record of an application that they merged in, besides the fields that are configured.
const METADATA: [&str; 8] = [
    "@timestamp",
    "@version",
    "agent",
    "data_stream",
    "docker",
    "ecs",
    "input",
    "kubernetes",
];

/// A part of a record, under dots that are levels or parts of names.
fn get<'s>(source: &'s Source, path: &str) -> Option<&'s Value> {
    if let Some(value) = source.get(path) {
        return Some(value).filter(|value| !value.is_null());
    }
    path.match_indices('.').find_map(|(dot, _)| {
        let level = source.get(&path[..dot])?.as_object()?;
        get(level, &path[dot + 1..])
    })
}

/// As text: a string as it is, anything else as JSON.
fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// The first part with a line in it; where there is none, what the application's JSON became: fields of the record.
pub fn line(source: &Source, fields: &Fields) -> String {
    let present = fields.line.iter().filter_map(|field| get(source, field));
    let mut present = present.map(text).peekable();
    if present.peek().is_some() {
        return present.find(|line| !line.is_empty()).unwrap_or_default();
    }
    let others = [
        &fields.node,
        &fields.stream,
        &fields.time,
        &fields.tie_break,
    ];
    let places = fields.found_by().chain(others.into_iter().flatten());
    let head = |field: &'_ String| field.split('.').next().unwrap_or_default().to_owned();
    let heads: Vec<String> = places.map(head).collect();
    let own = source.iter().filter(|(name, value)| {
        !METADATA.contains(&name.as_str()) && !heads.contains(name) && !value.is_null()
    });
    let own: Source = own
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    match own.is_empty() {
        true => String::new(),
        false => Value::Object(own).to_string(),
    }
}

pub fn stream(source: &Source, fields: &Fields) -> String {
    let value = fields.stream.as_ref();
    let value = value.and_then(|field| get(source, field));
    value.map(text).unwrap_or_default()
}

/// Whether it says what it must: of a field that is split into words a query finds too much.
pub fn holds(source: &Source, condition: &Condition) -> bool {
    let says = |field: &str| get(source, field).map(text).unwrap_or_default();
    match condition {
        Condition::Is { field, values } => values.contains(&says(field)),
        Condition::Contains { field, part } => says(field).contains(part),
        Condition::Present { field } => !says(field).is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logs::Preset;
    use serde_json::json;

    #[test]
    fn the_line_is_where_the_agent_put_it() {
        for (preset, record, expected) in [
            (
                "fluent-bit-elasticsearch",
                json!({"log": "hello\n"}),
                "hello\n",
            ),
            ("fluent-bit-elasticsearch", json!({"log": ""}), ""),
            // Merge_Log On, Keep_Log Off.
            (
                "fluent-bit-elasticsearch",
                json!({"@timestamp": "x", "stream": "stdout", "kubernetes": {"pod_name": "p"}, "level": "info", "msg": "hi"}),
                r#"{"level":"info","msg":"hi"}"#,
            ),
            ("fluentd-elasticsearch", json!({"message": "m"}), "m"),
            (
                "otel-elasticsearch",
                json!({"body.text": "dotted"}),
                "dotted",
            ),
            (
                "otel-elasticsearch",
                json!({"body": {"structured": {"a": 1}}}),
                r#"{"a":1}"#,
            ),
            (
                "viaq-elasticsearch",
                json!({"message": "", "structured": {"a": 1}}),
                r#"{"a":1}"#,
            ),
            (
                "filebeat",
                json!({"message": null, "log": {"offset": 1}}),
                "",
            ),
        ] {
            let source = record.as_object().unwrap();
            let fields = &Preset::all()[preset].fields;
            assert_eq!(line(source, fields), expected, "{preset} {record}");
        }
    }

    #[test]
    fn what_words_find_is_compared() {
        let record = json!({"kubernetes": {"pod_name": "web-0-canary"}});
        let source = record.as_object().unwrap();
        let is = |values: &[&str]| {
            holds(
                source,
                &Condition::Is {
                    field: "kubernetes.pod_name".to_owned(),
                    values: values.iter().map(|value| (*value).to_owned()).collect(),
                },
            )
        };
        assert!(is(&["a", "web-0-canary"]) && !is(&["web-0"]));
        let absent = Condition::Is {
            field: "cluster".to_owned(),
            values: vec!["prod".to_owned(), String::new()],
        };
        assert!(holds(source, &absent));
    }
}
