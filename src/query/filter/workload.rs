//! Workloads: what owns pods.

use std::fmt;
use std::str::FromStr;

use super::Pattern;
use crate::near;
use crate::query::ParseError;

/// What owns pods, by its kind and name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workload {
    /// In lower case; more than one where the text has the plural of a custom kind.
    pub kinds: Vec<String>,
    pub name: Pattern,
}

struct Kind {
    /// In the singular, the plural, and short.
    names: &'static [&'static str],
    group: &'static str,
    /// Whether no other kind owns it: then it is the top owner of its pods.
    is_top: bool,
}

const fn kind(names: &'static [&'static str], group: &'static str, is_top: bool) -> Kind {
    Kind {
        names,
        group,
        is_top,
    }
}

/// The kinds that own pods, as kubectl takes them.
const KINDS: [Kind; 9] = [
    kind(&["deployment", "deployments", "deploy"], "apps", true),
    kind(&["statefulset", "statefulsets", "sts"], "apps", true),
    kind(&["daemonset", "daemonsets", "ds"], "apps", true),
    kind(&["replicaset", "replicasets", "rs"], "apps", false),
    kind(&["job", "jobs"], "batch", false),
    kind(&["cronjob", "cronjobs", "cj"], "batch", true),
    kind(
        &["replicationcontroller", "replicationcontrollers", "rc"],
        "",
        false,
    ),
    kind(
        &["deploymentconfig", "deploymentconfigs", "dc"],
        "apps.openshift.io",
        true,
    ),
    kind(&["node", "nodes", "no"], "", true),
];

/// Common kinds that own none.
const OTHERS: [&str; 25] = [
    "pod",
    "pods",
    "po",
    "service",
    "services",
    "svc",
    "configmap",
    "configmaps",
    "cm",
    "secret",
    "secrets",
    "ingress",
    "ingresses",
    "ing",
    "namespace",
    "namespaces",
    "ns",
    "serviceaccount",
    "serviceaccounts",
    "sa",
    "persistentvolumeclaim",
    "persistentvolumeclaims",
    "pvc",
    "horizontalpodautoscaler",
    "hpa",
];

impl Workload {
    /// Whether it can only be the top owner of its pods.
    pub fn is_top(&self) -> bool {
        let is_it = |kind: &Kind| kind.is_top && self.kinds == [kind.names[0]];
        KINDS.iter().any(is_it)
    }
}

impl fmt::Display for Workload {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let kind = self.kinds.last().map_or("", |kind| &**kind);
        write!(f, "{kind}/{}", self.name.as_str())
    }
}

impl FromStr for Workload {
    type Err = ParseError;

    /// Reads `kind/name`, also `deployments.apps/web` and `deploy.v1.apps/web`. Custom kinds are written as in a manifest,
    /// `Rollout/web`, or with their group, `rollouts.argoproj.io/web`.
    fn from_str(text: &str) -> Result<Workload, ParseError> {
        let parts = text.split_once('/');
        let Some((kind, name)) = parts
            .filter(|(kind, name)| !kind.is_empty() && !name.is_empty() && !name.contains('/'))
        else {
            let problem = format!("invalid workload {text:?}: use kind/name, like deploy/web");
            return Err(ParseError::value("workload", problem));
        };
        Ok(Workload {
            kinds: kinds(kind)?,
            name: Pattern::new(name),
        })
    }
}

fn kinds(text: &str) -> Result<Vec<String>, ParseError> {
    let lower = text.to_ascii_lowercase();
    let (name, group) = lower.split_once('.').unwrap_or((&lower, ""));
    let is_known = |kind: &&Kind| {
        let of_group = group.is_empty() || group == kind.group || is_version_of(group, kind.group);
        kind.names.contains(&name) && of_group
    };
    if let Some(kind) = KINDS.iter().find(is_known) {
        return Ok(vec![kind.names[0].to_owned()]);
    }
    if !group.is_empty() {
        return Ok(singulars(name));
    }
    let problem = if OTHERS.contains(&name) {
        format!("{text:?} is not a kind that owns pods: use one like deploy, sts, ds, job or rs")
    } else if text.starts_with(|c: char| c.is_ascii_uppercase()) {
        return Ok(vec![lower]);
    } else {
        let known = KINDS.iter().flat_map(|kind| kind.names).copied();
        let near = near::of(name, known, |known| known)
            .first()
            .map(|near| format!("did you mean {near}? "));
        format!(
            "unknown kind {text:?}: {}write a custom kind as in its manifest (Rollout/web) or with its group \
             (rollouts.argoproj.io/web)",
            near.unwrap_or_default()
        )
    };
    Err(ParseError::value("workload", problem))
}

/// `v1.apps`.
fn is_version_of(text: &str, group: &str) -> bool {
    let (version, rest) = text.split_once('.').unwrap_or((text, ""));
    rest == group
        && version
            .strip_prefix('v')
            .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}

/// What the kind may be whose name is this, or whose plural.
fn singulars(name: &str) -> Vec<String> {
    let mut kinds = vec![name.to_owned()];
    if let Some(stem) = name.strip_suffix("ies") {
        kinds.push(format!("{stem}y"));
    }
    kinds.extend(name.strip_suffix("es").map(str::to_owned));
    kinds.extend(name.strip_suffix('s').map(str::to_owned));
    kinds
}

#[cfg(test)]
mod tests {
    use super::Workload;
    use expect_test::expect;

    #[test]
    fn kinds() {
        let texts = [
            "deploy/web",
            "deployment.apps/web",
            "Deployments.v1.apps/web-*",
            "rs/web-6d4cf56db6",
            "job/report",
            "jobs.batch/report",
            "cj/report",
            "no/worker-1",
            "Rollout/web",
            "rollouts.argoproj.io/web",
            "deployments.example.com/web",
            "deplyoment/web",
            "rollout/web",
            "svc/web",
            "web",
            "deploy/",
            "deploy/a/b",
        ];
        let lines = texts.iter().map(|text| match text.parse::<Workload>() {
            Ok(workload) => {
                let (kinds, name) = (workload.kinds.join(" "), workload.name.as_str());
                let top = if workload.is_top() { ", top" } else { "" };
                format!("{text}: {kinds} {name}{top}\n")
            }
            Err(error) => format!("{error}\n"),
        });
        expect![[r#"
            deploy/web: deployment web, top
            deployment.apps/web: deployment web, top
            Deployments.v1.apps/web-*: deployment web-*, top
            rs/web-6d4cf56db6: replicaset web-6d4cf56db6
            job/report: job report
            jobs.batch/report: job report
            cj/report: cronjob report, top
            no/worker-1: node worker-1, top
            Rollout/web: rollout web
            rollouts.argoproj.io/web: rollouts rollout web
            deployments.example.com/web: deployments deployment web
            workload: unknown kind "deplyoment": did you mean deployment? write a custom kind as in its manifest (Rollout/web) or with its group (rollouts.argoproj.io/web)
            workload: unknown kind "rollout": write a custom kind as in its manifest (Rollout/web) or with its group (rollouts.argoproj.io/web)
            workload: "svc" is not a kind that owns pods: use one like deploy, sts, ds, job or rs
            workload: invalid workload "web": use kind/name, like deploy/web
            workload: invalid workload "deploy/": use kind/name, like deploy/web
            workload: invalid workload "deploy/a/b": use kind/name, like deploy/web
        "#]].assert_eq(&lines.collect::<String>());
    }
}
