//! Where Loki has the parts of a record.

use std::collections::HashMap;

use serde_json::Value;

/// One part of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Field {
    /// A label of the stream, by which Loki finds it.
    Stream(String),
    /// Structured metadata, or a label of the stream: found by reading all lines.
    Label(String),
    /// A value in the line, which is JSON.
    Json(Vec<String>),
}

impl Field {
    /// # Errors
    ///
    /// When it is none of `stream:LABEL`, `label:NAME` and `json:PATH`.
    pub fn parse(text: &str) -> Result<Field, String> {
        let field = match text.split_once(':') {
            Some(("stream", name)) if is_name(name) => Some(Field::Stream(name.to_owned())),
            Some(("label", name)) if is_name(name) => Some(Field::Label(name.to_owned())),
            Some(("json", path)) if path.split('.').all(is_name) => {
                let parts = path.split('.').map(str::to_owned);
                Some(Field::Json(parts.collect()))
            }
            _ => None,
        };
        field.ok_or_else(|| {
            format!("invalid field {text:?}: use stream:LABEL, label:NAME or json:PATH")
        })
    }

    /// What a line says there. `json` is the line, where it is JSON.
    pub fn of(&self, labels: &HashMap<String, String>, json: Option<&Value>) -> Option<String> {
        match self {
            Field::Stream(name) | Field::Label(name) => labels.get(name).cloned(),
            Field::Json(path) => {
                let value = path.iter().try_fold(json?, |value, part| value.get(part))?;
                match value {
                    Value::Null => None,
                    Value::String(text) => Some(text.clone()),
                    other => Some(other.to_string()),
                }
            }
        }
    }
}

/// What may be a label.
pub fn is_name(name: &str) -> bool {
    let mut characters = name.chars();
    let first = characters.next();
    first.is_some_and(|first| first.is_ascii_alphabetic() || first == '_')
        && characters.all(|character| character.is_ascii_alphanumeric() || character == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_become_fields() {
        let stream = Field::parse("stream:k8s_pod_name").unwrap();
        assert_eq!(stream, Field::Stream("k8s_pod_name".to_owned()));
        let parts = ["kubernetes", "pod_id"].map(str::to_owned).to_vec();
        assert_eq!(
            Field::parse("json:kubernetes.pod_id"),
            Ok(Field::Json(parts))
        );
        for wrong in [
            "pod",
            "stream:",
            "stream:k8s.pod",
            "label:a-b",
            "label:1",
            "json:a..b",
            "json:a[\"b\"]",
            "stream:a=\"b\"} or {c",
            "line:x",
            "",
        ] {
            Field::parse(wrong).unwrap_err();
        }
    }

    #[test]
    fn values_in_lines() {
        let labels = HashMap::from([("a".to_owned(), "1".to_owned())]);
        let json = serde_json::json!({ "log": "text\n", "deep": { "a": 2, "none": null } });
        for (field, value) in [
            ("stream:a", Some("1")),
            ("label:b", None),
            ("json:log", Some("text\n")),
            ("json:deep.a", Some("2")),
            ("json:deep", Some("{\"a\":2,\"none\":null}")),
            ("json:deep.none", None),
            ("json:log.a", None),
        ] {
            let field = Field::parse(field).unwrap();
            assert_eq!(field.of(&labels, Some(&json)).as_deref(), value);
        }
    }
}
