//! What is asked, as text: the parameters of the API, which are the flags of the CLI by other means.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::IntoParams;

use super::ask::Ask;
use super::grep::Grep;
use super::select::Choice;
use crate::query::{self, ParseError, Question};

/// The parameters of `GET /api/v1/logs`. All may be left out, but something must say which pods are meant.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct Params {
    /// Clusters, separated by commas.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    /// Namespaces, separated by commas.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// How far back from now: `90s`, `15m`, `2h`, `1d12h`, `1.5h`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// RFC 3339, or another time as `/api/v1/containers` takes it; inclusive.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// A time, exclusive.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// A time: all lines of the instances that ran at this instant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// Time zone of times without one: `Europe/Berlin`, `+02:00`; default UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// Names of pods, `POD` or `NAMESPACE/POD`, separated by commas; `*` and `?` are wildcards.
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
    /// Prefix of a container ID.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container_id: Option<String>,
    /// The UID of a pod.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uid: Option<String>,
    /// Names of containers, separated by commas. Without it all of the kind `app`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
    /// Init, sidecar and ephemeral containers as well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub all_containers: Option<bool>,
    /// Of each container the instance before the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub previous: Option<bool>,
    /// The number of the restart.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance: Option<u32>,
    /// Only the last lines: so many.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tail: Option<u64>,
    /// Only the first lines: so many.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub head: Option<u64>,
    /// A regular expression that the lines match.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grep: Option<String>,
    /// Go on with the lines that the stores get later, and with instances that start later, until a minute after the
    /// last of them ended. A line that comes into its store more than a minute late may be missed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub follow: Option<bool>,
    /// Say at the end what the stores were asked. Needs a token for all clusters and namespaces.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub explain: Option<bool>,
}

/// The most lines that are held to be turned round.
pub const TAIL_MAX: u64 = 100_000;

/// What was asked.
#[derive(Clone, Debug)]
pub struct Asked {
    pub question: Question,
    pub choice: Choice,
    pub ask: Ask,
}

impl Params {
    /// Reads the parameters. `now` is what `since` counts from.
    ///
    /// # Errors
    ///
    /// One line that names the parameter and what would do.
    pub fn read(&self, now: Timestamp) -> Result<Asked, ParseError> {
        if self.tail.is_some() && self.head.is_some() {
            return Err(ParseError::Combined("tail", "head"));
        }
        if self.previous == Some(true) && self.instance.is_some() {
            return Err(ParseError::Combined("previous", "instance"));
        }
        if self.tail.is_some_and(|tail| tail > TAIL_MAX) {
            let problem = format!("at most {TAIL_MAX}; use from and to for more");
            return Err(ParseError::value("tail", problem));
        }
        let follow = self.follow == Some(true);
        for (name, ends) in [("to", self.to.is_some()), ("at", self.at.is_some())] {
            if follow && ends {
                return Err(ParseError::Combined("follow", name));
            }
        }
        let question = self.question(now)?;
        let is_given = |text: &Option<String>| text.is_some();
        let is_timed = [&self.since, &self.from, &self.to, &self.at]
            .into_iter()
            .any(is_given);
        let back = match (
            self.previous == Some(true),
            is_timed || self.instance.is_some(),
        ) {
            (true, _) => Some(1),
            // Without a time a name means the last instance of its last pod, as for kubectl.
            (false, false) if self.names_pods() => Some(0),
            (false, _) => None,
        };
        let grep = self.grep.as_deref().map(Grep::new).transpose();
        let span = match self.at {
            // What ran then is meant, and not that instant.
            Some(_) => Default::default(),
            None => question.time,
        };
        Ok(Asked {
            choice: Choice {
                containers: self.containers(),
                all_containers: self.all_containers == Some(true),
                back,
                restart: self.instance,
            },
            ask: Ask {
                from: span.since,
                until: span.until,
                newest_first: self.tail.is_some(),
                grep: grep.map_err(|problem| ParseError::value("grep", problem))?,
                lines_max: self.tail.or(self.head),
                follow,
                explain: self.explain == Some(true),
                now,
            },
            question,
        })
    }

    /// Whether single pods are named, and not sets of them.
    fn names_pods(&self) -> bool {
        let is_name = self
            .name
            .as_deref()
            .is_some_and(|name| !name.contains(['*', '?']));
        is_name || self.uid.is_some() || self.container_id.is_some()
    }

    fn containers(&self) -> Vec<String> {
        let names = self.container.as_deref().unwrap_or_default().split(',');
        let names = names.map(str::trim).filter(|name| !name.is_empty());
        names.map(str::to_owned).collect()
    }

    fn question(&self, now: Timestamp) -> Result<Question, ParseError> {
        self.rows().question(now)
    }

    /// The same question about rows of container instances, in place of their lines.
    #[must_use]
    pub fn rows(&self) -> query::Params {
        let Params {
            cluster,
            namespace,
            since,
            from,
            to,
            at,
            zone,
            name,
            labels,
            workload,
            node,
            container_id,
            uid,
            ..
        } = self.clone();
        query::Params {
            cluster,
            namespace,
            since,
            from,
            to,
            at,
            zone,
            name,
            labels,
            workload,
            node,
            container_id,
            uid,
            ..query::Params::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    fn check(params: &str, expected: Expect) {
        let params: Params = serde_json::from_str(params).unwrap();
        let text = match params.read("2026-11-23T12:00:00Z".parse().unwrap()) {
            Ok(asked) => format!(
                "{:?} back {:?} span {:?} {:?} newest_first {} lines {:?}",
                asked.choice.containers,
                asked.choice.back,
                asked.ask.from,
                asked.ask.until,
                asked.ask.newest_first,
                asked.ask.lines_max
            ),
            Err(error) => error.to_string(),
        };
        expected.assert_eq(&text);
    }

    #[test]
    fn a_name_alone_means_its_last_instance() {
        check(
            r#"{"name":"web-0","container":"app, log"}"#,
            expect![[
                r#"["app", "log"] back Some(0) span None None newest_first false lines None"#
            ]],
        );
        check(
            r#"{"name":"web-0","previous":true,"tail":20}"#,
            expect!["[] back Some(1) span None None newest_first true lines Some(20)"],
        );
        check(
            r#"{"name":"web-*"}"#,
            expect!["[] back None span None None newest_first false lines None"],
        );
        check(
            r#"{"name":"web-0","instance":2}"#,
            expect!["[] back None span None None newest_first false lines None"],
        );
    }

    #[test]
    fn a_range_cuts_lines_and_an_instant_does_not() {
        check(
            r#"{"name":"web-0","since":"1h"}"#,
            expect![
                "[] back None span Some(2026-11-23T11:00:00Z) None newest_first false lines None"
            ],
        );
        check(
            r#"{"name":"web-0","at":"2026-11-23T11:00:00Z"}"#,
            expect!["[] back None span None None newest_first false lines None"],
        );
    }

    #[test]
    fn what_cannot_be_asked() {
        check(
            r#"{"name":"web-0","follow":true,"to":"2026-11-23T11:00:00Z"}"#,
            expect!["follow and to cannot be combined"],
        );
        check(
            r#"{"tail":1,"head":1}"#,
            expect!["tail and head cannot be combined"],
        );
        check(
            r#"{"grep":"a("}"#,
            expect![[r#"grep: invalid regular expression "a(": unclosed group"#]],
        );
        check(
            r#"{"tail":100001}"#,
            expect!["tail: at most 100000; use from and to for more"],
        );
    }
}
