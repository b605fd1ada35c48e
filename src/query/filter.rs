//! Filters as people write them.

use std::str::FromStr;

use super::ParseError;

/// A workload: its kind and name. Kinds are kept as Kubernetes spells them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workload {
    pub kind: String,
    pub name: String,
}

/// kubectl's short and plural names of the kinds that own pods.
const KINDS: [(&str, &[&str]); 8] = [
    ("Deployment", &["deployment", "deployments", "deploy"]),
    ("StatefulSet", &["statefulset", "statefulsets", "sts"]),
    ("DaemonSet", &["daemonset", "daemonsets", "ds"]),
    ("ReplicaSet", &["replicaset", "replicasets", "rs"]),
    ("Job", &["job", "jobs"]),
    ("CronJob", &["cronjob", "cronjobs", "cj"]),
    (
        "ReplicationController",
        &["replicationcontroller", "replicationcontrollers", "rc"],
    ),
    ("Node", &["node", "nodes", "no"]),
];

impl FromStr for Workload {
    type Err = ParseError;

    /// Reads `kind/name`. A kind that is not known is taken as it is written.
    fn from_str(text: &str) -> Result<Workload, ParseError> {
        let Some((kind, name)) = text
            .split_once('/')
            .filter(|(k, n)| !k.is_empty() && !n.is_empty())
        else {
            let problem = format!("invalid workload {text:?}: use kind/name, like deploy/web");
            return Err(ParseError::value("workload", problem));
        };
        let lower = kind.to_ascii_lowercase();
        let known = KINDS.iter().find(|(_, names)| names.contains(&&*lower));
        let kind = known.map_or(kind, |(kind, _)| kind);
        Ok(Workload {
            kind: kind.to_owned(),
            name: name.to_owned(),
        })
    }
}

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

    #[test]
    fn workloads() {
        let workload: Workload = "deploy/web".parse().unwrap();
        assert_eq!(
            workload,
            Workload {
                kind: "Deployment".into(),
                name: "web".into()
            }
        );
        let custom: Workload = "Rollout/web".parse().unwrap();
        assert_eq!(custom.kind, "Rollout");
        assert!(
            "web"
                .parse::<Workload>()
                .unwrap_err()
                .to_string()
                .contains("kind/name")
        );
    }
}
