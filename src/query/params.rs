//! A query as text: the parameters of the API, which are also the flags of the CLI.

use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::IntoParams;

use super::filter::reasons_for_the_end;
use super::statement::bare_id;
use super::{
    CONTAINER_ID_DIGITS, Cursor, Group, Numbers, Order, ParseError, Pattern, Question, Summed,
    Window, when,
};

/// The parameters of `GET /api/v1/containers`, `/api/v1/pods`, `/api/v1/sessions` and of summaries. All may be left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct Params {
    /// Clusters, separated by commas.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    /// Namespaces, separated by commas; `*` and `?` are wildcards.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// How far back from now: `90s`, `15m`, `2h`, `1d12h`, `1.5h`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// RFC 3339, or another form that [`when`] accepts; inclusive.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// A time, exclusive.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// A time: what existed at this instant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// Time zone of times without one: `Europe/Berlin`, `+02:00`; default UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// Names of pods, `POD`, `NAMESPACE/POD` or `NAMESPACE/POD/CONTAINER`, separated by commas; `*` and `?` are wildcards.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// A label selector, as for `kubectl -l`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub labels: Option<String>,
    /// `kind/name` of an owner, as for kubectl; `*` and `?` are wildcards in the name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workload: Option<String>,
    /// The node that the pods ran on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// Part of the image's name or ID.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// An IP address that the pods had in that time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ip: Option<String>,
    /// Prefix of a container ID.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container_id: Option<String>,
    /// The UID of a pod.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uid: Option<String>,
    /// For sessions: the account that made the request, or was impersonated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Why a container ended, like `OOMKilled`, or a pod, like `Evicted`. Names with wildcards, separated by commas.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// `137`, `137,143`, `!=0`, `>128`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<String>,
    /// Values of `ended_why`, separated by commas.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// Who requested the end. Names with wildcards, separated by commas.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// `3`, `>3`: for a pod the sum of its containers, for a container the number of the instance.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restarts: Option<String>,
    /// Current state: `running`, `ended`, `failed`, or for pods `pending`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// Who created the pod. Names with wildcards, separated by commas.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_by: Option<String>,
    /// The pod's service account. Names with wildcards, separated by commas.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_account: Option<String>,
    /// Maximum number of rows. Default 1000, for CSV a million.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
    /// `newest` first (default), or `oldest`: the limit keeps the first rows, and the cursor continues from there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order: Option<Order>,
    /// Where to continue: `cursor` of the previous answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// Names of the fields to return, separated by commas; others are omitted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fields: Option<String>,
    /// Whether the end of the answer includes what it cost ClickHouse.
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
            return Err(ParseError::value("limit", "invalid limit 0: use 1 or more"));
        }
        Ok(Question {
            clusters: list(self.cluster.as_deref()),
            namespaces: list(self.namespace.as_deref()),
            time: self.window(now)?,
            names: list(self.name.as_deref())
                .iter()
                .map(|name| name.parse())
                .collect::<Result<_, _>>()?,
            summed: Vec::new(),
            labels: self.labels.as_deref().unwrap_or_default().parse()?,
            labels_in: None,
            workload: self.workload.as_deref().map(str::parse).transpose()?,
            node: self.node.clone(),
            image: self.image.clone(),
            ip: parsed(
                self.ip.as_deref(),
                "ip",
                ("IP address", "one like 10.0.3.17"),
            )?,
            container_id: container_id(self.container_id.as_deref())?,
            uid: parsed(self.uid.as_deref(), "uid", ("uid", "the UUID of a pod"))?,
            user: self.user.clone(),
            reasons: patterns(self.reason.as_deref()),
            exit_codes: numbers("exit_code", self.exit_code.as_deref())?,
            why: reasons_for_the_end(&list(self.why.as_deref()))?,
            by: patterns(self.by.as_deref()),
            restarts: numbers("restarts", self.restarts.as_deref())?,
            state: self.state.as_deref().map(str::parse).transpose()?,
            created_by: patterns(self.created_by.as_deref()),
            service_accounts: patterns(self.service_account.as_deref()),
            limit: self.limit,
            order: self.order.unwrap_or_default(),
            cursor: self
                .cursor
                .as_deref()
                .map(str::parse::<Cursor>)
                .transpose()?,
            fields: list(self.fields.as_deref()),
            visible: None,
            explain: self.explain.unwrap_or(false),
        })
    }

    /// The same, where the names are of what is summed up.
    ///
    /// # Errors
    ///
    /// As of [`Params::question`].
    pub fn summary(&self, group: Group, now: Timestamp) -> Result<Question, ParseError> {
        self.check_empty()?;
        let names = list(self.name.as_deref());
        let names = names.iter().map(|name| Summed::parse(group, name));
        let rest = Params {
            name: None,
            ..self.clone()
        };
        Ok(Question {
            summed: names.collect::<Result<_, _>>()?,
            ..rest.question(now)?
        })
    }

    /// An empty filter would widen the query silently.
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
            ("reason", &self.reason),
            ("why", &self.why),
            ("by", &self.by),
            ("created_by", &self.created_by),
            ("service_account", &self.service_account),
            ("fields", &self.fields),
        ];
        for (name, value) in given {
            let Some(value) = value else { continue };
            let bare = value.split_once("://").map_or(&**value, |(_, id)| id);
            if bare.trim_matches([',', ' ']).is_empty() {
                return Err(ParseError::value(name, "must not be empty"));
            }
        }
        Ok(())
    }

    fn window(&self, now: Timestamp) -> Result<Window, ParseError> {
        let args = when::Args {
            since: self.since.as_deref(),
            from: self.from.as_deref(),
            to: self.to.as_deref(),
            at: self.at.as_deref(),
        };
        let zone = when::zone(self.zone.as_deref().unwrap_or("UTC"))?;
        when::window(args, &zone, now)
    }
}

fn list(text: Option<&str>) -> Vec<String> {
    let parts = text.unwrap_or_default().split(',').map(str::trim);
    parts
        .filter(|part| !part.is_empty())
        .map(str::to_owned)
        .collect()
}

fn patterns(text: Option<&str>) -> Vec<Pattern> {
    list(text).into_iter().map(Pattern::new).collect()
}

fn numbers(parameter: &'static str, text: Option<&str>) -> Result<Option<Numbers>, ParseError> {
    text.map(|text| Numbers::parse(parameter, text)).transpose()
}

/// Prefix of a container ID. Runtimes make 64 hex digits; a few make others, of these characters.
fn container_id(text: Option<&str>) -> Result<Option<String>, ParseError> {
    let Some(text) = text else {
        return Ok(None);
    };
    let bare = bare_id(text);
    let is_hex = bare.bytes().all(|byte| byte.is_ascii_hexdigit());
    let is_of_id = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.+:".contains(&byte);
    if !bare.bytes().all(is_of_id) || is_hex && bare.len() > *CONTAINER_ID_DIGITS.end() {
        let problem =
            format!("invalid container ID {text:?}: use its hex digits, or the first of them");
        return Err(ParseError::value("container_id", problem));
    }
    Ok(Some(text.to_owned()))
}

fn parsed<T: FromStr>(
    text: Option<&str>,
    name: &'static str,
    (what, form): (&str, &str),
) -> Result<Option<T>, ParseError> {
    let read = |text: &str| {
        let problem = || format!("invalid {what} {text:?}: use {form}");
        text.parse().map_err(|_| ParseError::value(name, problem()))
    };
    text.map(read).transpose()
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
        check(
            r#"{"from":"yesterday 14:00","to":"06:15","zone":"Europe/Berlin"}"#,
            expect![
                "Window { since: Some(2026-11-22T13:00:00Z), until: Some(2026-11-23T05:15:00Z) }"
            ],
        );
    }

    #[test]
    fn what_is_wrong_is_named() {
        check(
            r#"{"since":"tuesday"}"#,
            expect![[r#"since: invalid duration "tuesday": use 90s, 15m, 2h, 1d or 1d12h"#]],
        );
        check(
            r#"{"from":"noon"}"#,
            expect![[
                r#"from: invalid time "noon": use 2026-11-23T06:15:00Z, '2026-11-23 06:15', 06:15, 'yesterday 14:00', 'monday 06:15', now, or seconds since 1970"#
            ]],
        );
        check(
            r#"{"at":"2026-11-23T06:00:00Z","since":"1h"}"#,
            expect!["at and since cannot be combined"],
        );
        check(
            r#"{"from":"2026-11-23T06:00:00Z","to":"2026-11-23T06:00:00Z"}"#,
            expect!["to: the end 2026-11-23T06:00:00Z is not after the start 2026-11-23T06:00:00Z"],
        );
        check(
            r#"{"ip":"10.0.0"}"#,
            expect![[r#"ip: invalid IP address "10.0.0": use one like 10.0.3.17"#]],
        );
        check(
            r#"{"uid":"abc"}"#,
            expect![[r#"uid: invalid uid "abc": use the UUID of a pod"#]],
        );
        check(
            r#"{"cursor":"abc"}"#,
            expect![[
                r#"cursor: invalid cursor "abc": pass the value printed by the previous answer"#
            ]],
        );
    }
}
