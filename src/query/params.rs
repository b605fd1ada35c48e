//! A question as text: the parameters of the API, which are the flags of the CLI by other means.

use std::str::FromStr;

use jiff::{SignedDuration, Span, SpanRelativeTo, Timestamp};
use serde::{Deserialize, Serialize};

use super::{Cursor, Order, ParseError, Question, Window};

/// The parameters of `GET /api/v1/containers`, `/api/v1/pods` and `/api/v1/sessions`. All may be left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Params {
    /// Names, separated by commas, here and below.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// How far back from now: `90s`, `15m`, `2h`, `1d`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// RFC 3339, inclusive.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// RFC 3339, exclusive.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// RFC 3339: what lived at this instant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// Names of pods, or prefixes that end in `*`, separated by commas.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// A label selector.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub labels: Option<String>,
    /// `kind/name`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workload: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ip: Option<String>,
    /// The beginning of a container ID.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uid: Option<String>,
    /// Of sessions: the account that asked, or that was impersonated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
    /// `newest` first, which is the default, or `oldest`: the limit keeps the first, and the cursor goes on from there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order: Option<Order>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// Names of the fields that are wanted, separated by commas; the others are left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fields: Option<String>,
    /// Whether the end of the answer tells what it cost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub explain: Option<bool>,
}

impl Params {
    /// Reads the parameters. `now` is what `since` counts from.
    ///
    /// # Errors
    ///
    /// One line that names the parameter and what would do.
    pub fn question(&self, now: Timestamp) -> Result<Question, ParseError> {
        self.check_empty()?;
        if self.limit == Some(0) {
            return Err(ParseError(
                "limit 0 asks for nothing: write 1 or more".into(),
            ));
        }
        Ok(Question {
            clusters: list(self.cluster.as_deref()),
            namespaces: list(self.namespace.as_deref()),
            time: self.window(now)?,
            names: list(self.name.as_deref()),
            labels: self.labels.as_deref().unwrap_or_default().parse()?,
            labels_in: None,
            workload: self.workload.as_deref().map(str::parse).transpose()?,
            node: self.node.clone(),
            image: self.image.clone(),
            ip: parsed(self.ip.as_deref(), "ip", "an address like 10.0.3.17")?,
            container_id: self.container_id.clone(),
            uid: parsed(self.uid.as_deref(), "uid", "the UUID of a pod")?,
            user: self.user.clone(),
            limit: self.limit,
            order: self.order.unwrap_or_default(),
            cursor: self
                .cursor
                .as_deref()
                .map(str::parse::<Cursor>)
                .transpose()?,
            fields: list(self.fields.as_deref()),
            explain: self.explain.unwrap_or(false),
        })
    }

    /// A filter that was given and says nothing would widen the question without a word.
    fn check_empty(&self) -> Result<(), ParseError> {
        let given = [
            ("cluster", &self.cluster),
            ("namespace", &self.namespace),
            ("name", &self.name),
            ("labels", &self.labels),
            ("node", &self.node),
            ("image", &self.image),
            ("container_id", &self.container_id),
            ("user", &self.user),
            ("fields", &self.fields),
        ];
        for (name, value) in given {
            let Some(value) = value else { continue };
            let bare = value.split_once("://").map_or(&**value, |(_, id)| id);
            if bare.trim_matches([',', ' ']).is_empty() {
                return Err(ParseError(format!(
                    "{name} is empty: leave it out, or name one"
                )));
            }
        }
        Ok(())
    }

    fn window(&self, now: Timestamp) -> Result<Window, ParseError> {
        let Params {
            since,
            from,
            to,
            at,
            ..
        } = self;
        if let Some(at) = at {
            if since.is_some() || from.is_some() || to.is_some() {
                return Err(ParseError(
                    "at is one instant: leave out since, from and to".into(),
                ));
            }
            return Ok(Window::at(instant("at", at)?));
        }
        if since.is_some() && from.is_some() {
            return Err(ParseError(
                "since and from both name the beginning: leave one out".into(),
            ));
        }
        let since = match (since, from) {
            (Some(since), _) => Some(before(now, since)?),
            (None, Some(from)) => Some(instant("from", from)?),
            (None, None) => None,
        };
        let until = to.as_deref().map(|to| instant("to", to)).transpose()?;
        if let (Some(since), Some(until)) = (since, until)
            && since >= until
        {
            return Err(ParseError("from must be before to".into()));
        }
        Ok(Window { since, until })
    }
}

fn list(text: Option<&str>) -> Vec<String> {
    let parts = text.unwrap_or_default().split(',').map(str::trim);
    parts
        .filter(|part| !part.is_empty())
        .map(str::to_owned)
        .collect()
}

fn parsed<T: FromStr>(text: Option<&str>, name: &str, form: &str) -> Result<Option<T>, ParseError> {
    let read = |text: &str| {
        text.parse()
            .map_err(|_| ParseError(format!("{name} {text:?} is none: write {form}")))
    };
    text.map(read).transpose()
}

fn instant(name: &str, text: &str) -> Result<Timestamp, ParseError> {
    text.parse().map_err(|_| {
        ParseError(format!(
            "{name} {text:?} is no time: write it like 2026-11-23T06:15:00Z"
        ))
    })
}

fn before(now: Timestamp, text: &str) -> Result<Timestamp, ParseError> {
    let bad = || {
        ParseError(format!(
            "since {text:?} is no duration: write it like 90s, 15m, 2h or 1d"
        ))
    };
    let span: Span = text.parse().map_err(|_| bad())?;
    let days = SpanRelativeTo::days_are_24_hours();
    let duration: SignedDuration = span.to_duration(days).map_err(|_| bad())?;
    now.checked_sub(duration)
        .ok()
        .filter(|since| *since < now)
        .ok_or_else(bad)
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    fn check(query: &str, expected: Expect) {
        let now: Timestamp = "2026-11-23T12:00:00Z".parse().unwrap();
        let params: Params = serde_json::from_str(query).unwrap();
        expected.assert_eq(&match params.question(now) {
            Ok(question) => format!("{:?}", question.time),
            Err(error) => error.to_string(),
        });
    }

    #[test]
    fn times() {
        check("{}", expect!["Window { since: None, until: None }"]);
        check(
            r#"{"since":"1d2h"}"#,
            expect!["Window { since: Some(2026-11-22T10:00:00Z), until: None }"],
        );
        check(
            r#"{"from":"2026-11-23T06:00:00Z","to":"2026-11-23T09:00:00+02:00"}"#,
            expect![
                "Window { since: Some(2026-11-23T06:00:00Z), until: Some(2026-11-23T07:00:00Z) }"
            ],
        );
        check(
            r#"{"at":"2026-11-23T06:00:00Z"}"#,
            expect![
                "Window { since: Some(2026-11-23T06:00:00Z), until: Some(2026-11-23T06:00:00.000001Z) }"
            ],
        );
    }

    #[test]
    fn what_is_wrong_is_named() {
        check(
            r#"{"since":"tuesday"}"#,
            expect![[r#"since "tuesday" is no duration: write it like 90s, 15m, 2h or 1d"#]],
        );
        check(
            r#"{"from":"06:15"}"#,
            expect![[r#"from "06:15" is no time: write it like 2026-11-23T06:15:00Z"#]],
        );
        check(
            r#"{"at":"2026-11-23T06:00:00Z","since":"1h"}"#,
            expect!["at is one instant: leave out since, from and to"],
        );
        check(
            r#"{"from":"2026-11-23T06:00:00Z","to":"2026-11-23T06:00:00Z"}"#,
            expect!["from must be before to"],
        );
        check(
            r#"{"ip":"10.0.0"}"#,
            expect![[r#"ip "10.0.0" is none: write an address like 10.0.3.17"#]],
        );
        check(
            r#"{"uid":"abc"}"#,
            expect![[r#"uid "abc" is none: write the UUID of a pod"#]],
        );
        check(
            r#"{"cursor":"abc"}"#,
            expect![[r#"cursor "abc" is none: take it as a former answer printed it"#]],
        );
    }
}
