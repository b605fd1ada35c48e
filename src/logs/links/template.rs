//! URLs with placeholders, for user interfaces that there is no kind for.

use super::{Asked, encoded};
use crate::near;

/// What a template may name.
const PLACEHOLDERS: [(&str, Value); 17] = [
    ("cluster", |it| Some(it.instance.cluster.clone())),
    ("namespace", |it| Some(it.instance.namespace.clone())),
    ("pod", |it| Some(it.instance.pod.clone())),
    ("uid", |it| Some(it.instance.uid.to_string())),
    ("container", |it| Some(it.instance.container.clone())),
    ("container_id", |it| it.instance.container_id.clone()),
    ("runtime", |it| it.instance.runtime.clone()),
    ("restart", |it| Some(it.instance.restart.to_string())),
    ("node", |it| it.instance.node.clone()),
    ("from_ms", |it| Some(it.start_ms().to_string())),
    ("to_ms", |it| Some(it.end_ms().to_string())),
    ("from_s", |it| {
        Some(it.start_ms().div_euclid(1000).to_string())
    }),
    ("to_s", |it| Some(it.end_s().to_string())),
    ("from_iso", |it| Some(it.start_iso())),
    ("to_iso", |it| Some(it.end_iso())),
    ("store", |it| Some(it.store.to_owned())),
    ("query", |it| it.query.clone()),
];

type Value = fn(&Asked) -> Option<String>;

/// How a value is written.
#[derive(Clone, Copy)]
enum Encoding {
    Percent,
    /// As percent-encoding, with `*` in place of `%`: strings in the state of CloudWatch Logs Insights.
    CloudWatch,
}

enum Part {
    Text(String),
    Placeholder(Value, Encoding),
}

/// A template.
pub struct Template {
    parts: Vec<Part>,
    /// Whether the store's own query is in it.
    pub has_query: bool,
}

impl Template {
    /// # Errors
    ///
    /// When it is not the URL of a page, or names a placeholder that there is not; in one line.
    pub fn parse(text: &str) -> Result<Template, String> {
        if !text.starts_with("https://") && !text.starts_with("http://") {
            return Err(format!("invalid template {text:?}: begin with https://"));
        }
        if text.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err("invalid template: write spaces as %20, line ends as %0A".to_owned());
        }
        let mut template = Template {
            parts: Vec::new(),
            has_query: false,
        };
        let mut rest = text;
        while let Some(begin) = rest.find(['{', '}']) {
            let behind = rest[begin..].strip_prefix('{');
            let inner = behind.and_then(|behind| behind.split_once('}'));
            let (inner, after) = inner.ok_or_else(|| {
                "invalid template: write braces that are no placeholder as %7B and %7D".to_owned()
            })?;
            template.parts.push(Part::Text(rest[..begin].to_owned()));
            template.parts.push(placeholder(inner)?);
            template.has_query |= inner.split(':').next() == Some("query");
            rest = after;
        }
        template.parts.push(Part::Text(rest.to_owned()));
        Ok(template)
    }

    /// The URL; `None` where the instance lacks something that it names.
    pub fn url(&self, asked: &Asked) -> Option<String> {
        let parts = self.parts.iter().map(|part| match part {
            Part::Text(text) => Some(text.clone()),
            Part::Placeholder(value, encoding) => {
                let value = value(asked).filter(|value| !value.is_empty())?;
                Some(match encoding {
                    Encoding::Percent => encoded(&value),
                    Encoding::CloudWatch => encoded(&value).replace('%', "*"),
                })
            }
        });
        parts.collect()
    }
}

fn placeholder(inner: &str) -> Result<Part, String> {
    let (name, encoding) = match inner.split_once(':') {
        None => (inner, Encoding::Percent),
        Some((name, "cloudwatch")) => (name, Encoding::CloudWatch),
        Some((_, other)) => {
            return Err(format!(
                "no such encoding {other:?} in {{{inner}}}: there is cloudwatch"
            ));
        }
    };
    let mut known = PLACEHOLDERS.iter();
    if let Some((_, value)) = known.find(|(known, _)| *known == name) {
        return Ok(Part::Placeholder(*value, encoding));
    }
    let names = PLACEHOLDERS.iter().map(|(known, _)| *known);
    Err(match near::nearest(name, names.clone()) {
        Some(nearest) => format!("no such placeholder {{{name}}}: did you mean {{{nearest}}}?"),
        None => {
            let names: Vec<&str> = names.collect();
            format!(
                "no such placeholder {{{name}}}: there are {}",
                names.join(", ")
            )
        }
    })
}
