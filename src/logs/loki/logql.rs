//! Queries in LogQL.

use super::field::{Field, is_name};
use crate::logs::conditions::Condition;
use crate::logs::grep::Grep;
use crate::logs::quoted;

/// A stream selector in parts: `label="value"`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selector {
    matchers: Vec<String>,
    /// Whether one of them leaves out streams without its label, which Loki insists on.
    narrows: bool,
}

impl Selector {
    /// Reads `{label="value", ...}`, as it is configured.
    ///
    /// # Errors
    ///
    /// When it is none.
    pub fn parse(text: &str) -> Result<Selector, String> {
        let wrong = || format!("invalid stream selector {text:?}: use one like {{job=\"x\"}}");
        let text = text.trim();
        let inner = text
            .strip_prefix('{')
            .and_then(|text| text.strip_suffix('}'));
        let mut rest = match text.is_empty() {
            true => "",
            false => inner.ok_or_else(wrong)?.trim(),
        };
        let mut selector = Selector::default();
        while !rest.is_empty() {
            let (matcher, behind) = matcher(rest).ok_or_else(wrong)?;
            selector.add(matcher);
            let behind = behind.trim_start();
            rest = match behind.strip_prefix(',') {
                Some(behind) => behind.trim_start(),
                None if behind.is_empty() => behind,
                None => return Err(wrong()),
            };
        }
        Ok(selector)
    }

    /// Whether Loki takes it.
    pub fn narrows(&self) -> bool {
        self.narrows
    }

    fn add(&mut self, matcher: Matcher) {
        let Matcher { label, how, value } = matcher;
        let finds_empty = match how {
            "=" => value.is_empty(),
            "=~" => regex::Regex::new(&format!("^(?:{value})$"))
                .map_or(true, |regex| regex.is_match("")),
            _ => true,
        };
        self.narrows |= !finds_empty;
        let matcher = format!("{label}{how}{}", quoted::text(&value));
        if !self.matchers.contains(&matcher) {
            self.matchers.push(matcher);
        }
    }
}

struct Matcher<'a> {
    label: &'a str,
    how: &'static str,
    value: String,
}

/// The first matcher of a text, and what is behind it.
fn matcher(text: &str) -> Option<(Matcher<'_>, &str)> {
    let end = text.find(['=', '!'])?;
    let (label, rest) = text.split_at(end);
    let label = label.trim_end();
    let how = ["=~", "!=", "!~", "="]
        .into_iter()
        .find(|how| rest.starts_with(how))?;
    let rest = rest[how.len()..].trim_start();
    let (value, rest) = match rest.strip_prefix('`') {
        Some(raw) => raw
            .split_once('`')
            .map(|(value, rest)| (value.to_owned(), rest))?,
        None => {
            // The escapes of Go that are used are those of JSON.
            let mut values = serde_json::Deserializer::from_str(rest).into_iter::<String>();
            let value = values.next()?.ok()?;
            let behind = values.byte_offset();
            (value, &rest[behind..])
        }
    };
    is_name(label).then_some((Matcher { label, how, value }, rest))
}

/// Makes a query of conditions.
pub struct Builder {
    selector: Selector,
    lines: Vec<String>,
    labels: Vec<String>,
    paths: Vec<String>,
    values: Vec<String>,
}

impl Builder {
    pub fn new(from: &Selector) -> Builder {
        Builder {
            selector: from.clone(),
            lines: Vec::new(),
            labels: Vec::new(),
            paths: Vec::new(),
            values: Vec::new(),
        }
    }

    /// What a line must say.
    pub fn condition(&mut self, field: &Field, condition: &Condition) {
        match field {
            Field::Stream(label) => {
                let (how, value) = operand(condition);
                self.selector.add(Matcher { label, how, value });
            }
            Field::Label(name) => self.labels.push(filter(name, condition)),
            Field::Json(path) => {
                // Lines without the value need not be parsed.
                let part = shared_part(condition).map(|part| format!("|= {}", quoted::text(part)));
                self.lines.extend(part);
                let name = format!("bygone_{}", self.paths.len());
                self.values.push(filter(&name, condition));
                self.paths
                    .push(format!("{name}={}", quoted::text(&path.join("."))));
            }
        }
    }

    /// What narrows the streams, where it does.
    pub fn stream(&mut self, field: &Field, condition: &Condition) {
        if matches!(field, Field::Stream(_)) {
            self.condition(field, condition);
        }
    }

    /// What the line itself must match.
    pub fn grep(&mut self, grep: &Grep) {
        let expression = quoted::expression(grep);
        self.lines
            .extend(expression.map(|expression| format!("|~ {expression}")));
    }

    pub fn logql(self) -> String {
        let mut logql = format!("{{{}}}", self.selector.matchers.join(", "));
        for line in self.lines {
            logql.push_str(&format!(" {line}"));
        }
        for label in self.labels {
            logql.push_str(&format!(" | {label}"));
        }
        if !self.paths.is_empty() {
            logql.push_str(&format!(" | json {}", self.paths.join(", ")));
        }
        for value in self.values {
            logql.push_str(&format!(" | {value}"));
        }
        logql
    }
}

/// A filter of a label that is not of the stream. One that is absent is "", which Loki's expressions find in a stream's
/// labels alone: here `a=~"b|"` finds nothing where `a` is absent.
fn filter(name: &str, condition: &Condition) -> String {
    match condition {
        Condition::Is { values, .. } => {
            let equal = values.iter();
            let equal = equal.map(|value| format!("{name}={}", quoted::text(value)));
            equal.collect::<Vec<_>>().join(" or ")
        }
        Condition::Contains { .. } | Condition::Present { .. } => {
            let (how, value) = operand(condition);
            format!("{name}{how}{}", quoted::text(&value))
        }
    }
}

/// Loki's expressions match the whole value.
fn operand(condition: &Condition) -> (&'static str, String) {
    match condition {
        Condition::Is { values, .. } => match values.as_slice() {
            [value] => ("=", value.clone()),
            values => {
                let literally = values.iter().map(|value| quoted::literally(value));
                ("=~", literally.collect::<Vec<_>>().join("|"))
            }
        },
        Condition::Contains { part, .. } => ("=~", format!(".*{}.*", quoted::literally(part))),
        Condition::Present { .. } => ("=~", ".+".to_owned()),
    }
}

/// What any line with one of the values has in it, however its JSON is escaped.
fn shared_part(condition: &Condition) -> Option<&str> {
    let Condition::Is { values, .. } = condition else {
        return None;
    };
    let shortest = values.iter().min_by_key(|value| value.len())?;
    let is_plain = |character: char| character.is_ascii_alphanumeric() || "-._".contains(character);
    let is_shared = values.iter().all(|value| value.contains(shortest.as_str()));
    (is_shared && !shortest.is_empty() && shortest.chars().all(is_plain)).then_some(shortest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    fn is(values: &[&str]) -> Condition {
        Condition::Is {
            field: String::new(),
            values: values.iter().map(|value| (*value).to_owned()).collect(),
        }
    }

    fn check(from: &str, conditions: &[(&str, Condition)], grep: Option<&str>, expected: Expect) {
        let mut builder = Builder::new(&Selector::parse(from).unwrap());
        for (field, condition) in conditions {
            builder.condition(&Field::parse(field).unwrap(), condition);
        }
        if let Some(grep) = grep {
            builder.grep(&Grep::new(grep).unwrap());
        }
        expected.assert_eq(&builder.logql());
    }

    #[test]
    fn queries() {
        let from = r#"{ job =~ "a|b",env="prod" , x!=`\d`, }"#;
        let id = is(&["cri-o://38cb", "38cb"]);
        check(
            from,
            &[("label:container_id", id.clone())],
            None,
            expect![[
                r#"{job=~"a|b", env="prod", x!="\\d"} | container_id="cri-o://38cb" or container_id="38cb""#
            ]],
        );
        let conditions = [
            ("json:kubernetes.docker_id", id),
            ("json:stream", is(&["std\"out", ""])),
            ("stream:env", is(&["prod"])),
        ];
        check(
            from,
            &conditions,
            Some("a\\d \"b\""),
            expect![[
                r#"{job=~"a|b", env="prod", x!="\\d"} |= "38cb" |~ "a[\\d\\x{80}-\\x{10FFFF}] \"b\"" | json bygone_0="kubernetes.docker_id", bygone_1="stream" | bygone_0="cri-o://38cb" or bygone_0="38cb" | bygone_1="std\"out" or bygone_1="""#
            ]],
        );
        let part = "/shop_web.0_7/app/2.log".to_owned();
        let field = String::new();
        let path = Condition::Contains { field, part };
        check(
            "",
            &[("stream:filename", path)],
            None,
            expect![[r#"{filename=~".*/shop_web\\.0_7/app/2\\.log.*"}"#]],
        );
        let field = String::new();
        check(
            "",
            &[("stream:namespace", Condition::Present { field })],
            None,
            expect![[r#"{namespace=~".+"}"#]],
        );
    }

    /// None of them leaves its quotes.
    #[test]
    fn hostile_values() {
        for (value, expected) in [
            (
                r#"a"} or {b=""#,
                r#"{a="a\"} or {b=\""} | b="a\"} or {b=\"""#,
            ),
            ("a\n| b", r#"{a="a\n| b"} | b="a\n| b""#),
            (r"\", r#"{a="\\"} | b="\\""#),
            ("`{}|💥", r#"{a="`{}|💥"} | b="`{}|💥""#),
        ] {
            let mut builder = Builder::new(&Selector::default());
            builder.condition(&Field::Stream("a".to_owned()), &is(&[value]));
            builder.condition(&Field::Label("b".to_owned()), &is(&[value]));
            assert_eq!(builder.logql(), expected);
        }
    }

    #[test]
    fn selectors() {
        for (text, narrows) in [
            ("", false),
            ("{}", false),
            (r#"{a="b"}"#, true),
            (r#"{a=""}"#, false),
            (r#"{a=~".+"}"#, true),
            (r#"{a=~".*"}"#, false),
            (r#"{a!="b"}"#, false),
            (r#"{a!="b", c="}, d"}"#, true),
        ] {
            assert_eq!(Selector::parse(text).unwrap().narrows(), narrows, "{text}");
        }
        for wrong in [
            "a",
            r#"a="b""#,
            "{a}",
            "{a=b}",
            r#"{a="b} "#,
            r#"{a="b" c="d"}"#,
            r#"{a="b"} | json"#,
            r#"{a.b="c"}"#,
            r#"{="c"}"#,
        ] {
            Selector::parse(wrong).unwrap_err();
        }
    }
}
