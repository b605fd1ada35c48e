//! Rows of lives as answers, to be compared with the oracle's.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};

use bygone::rows::{ContainerRow, NEVER, PodRow};

use crate::lives::SECOND;
use crate::oracle::answer::{Container, Pod};
use crate::oracle::fold::Asked;
use crate::oracle::life::{Life, Told, uid_text};
use crate::oracle::names::Proof;

/// A pod's answer, and what stands beside it in the table.
#[derive(Clone, Debug, PartialEq)]
pub struct PodAnswer {
    pub row: Pod,
    pub beside: Beside,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Beside {
    began_at: i64,
    over_at: Option<i64>,
    gone: Option<(i64, String)>,
    eviction: Option<(i64, String)>,
    forced: Option<(i64, String)>,
    /// With the deadline in seconds.
    hurried: Option<(i64, String, u32)>,
    /// From when until when it had an address, and when it had it not in between.
    leases: Vec<(Ipv6Addr, i64, Option<i64>)>,
    gaps: Vec<(Ipv6Addr, i64, Option<i64>)>,
    former: Vec<Former>,
}

/// Until when, by whom changed, workload, labels.
type Former = (i64, String, [String; 2], BTreeMap<String, String>);

/// A container instance's answer, when it began, and when it was over.
#[derive(Clone, Debug, PartialEq)]
pub struct ContainerAnswer {
    pub row: Container,
    pub span: (i64, Option<i64>),
}

fn text(text: Option<&str>) -> Option<String> {
    text.map(str::to_owned)
}

fn filled(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

fn sorted(unknown: &[String]) -> Vec<String> {
    let mut unknown = unknown.to_vec();
    unknown.sort();
    unknown
}

fn until(over_at: i64) -> Option<i64> {
    (over_at != NEVER).then_some(over_at)
}

impl From<&PodRow<'_>> for PodAnswer {
    fn from(row: &PodRow) -> PodAnswer {
        let labels = row.labels.iter();
        PodAnswer {
            row: Pod {
                cluster: row.cluster.to_owned(),
                namespace: row.namespace.to_owned(),
                workload_kind: text(row.workload_kind),
                workload: text(row.workload),
                pod: row.pod.to_owned(),
                pod_uid: uid_text(row.pod_uid.0),
                node: filled(row.node),
                pod_ips: row.pod_ips.clone(),
                labels: labels
                    .map(|(key, value)| (key.to_string(), value.to_string()))
                    .collect(),
                service_account: text(row.service_account),
                created_at: row.created_at.map(|at| i64::from(at.0) * SECOND),
                created_by: row.created_by.clone(),
                scheduled_at: row.scheduled_at.map(|at| at.0 * 1_000),
                started_at: row.started_at.map(|at| i64::from(at.0) * SECOND),
                delete_asked_at: row.delete_asked_at.map(|at| at.0 * 1_000),
                delete_asked_by: row.delete_asked_by.clone(),
                removed_at: row.removed_at.map(|at| at.0 * 1_000),
                phase: text(row.phase),
                ended_by: row.ended_by.clone(),
                ended_why: text(row.ended_why),
                ended_cause: row.ended_cause.clone(),
                containers: row.containers,
                restarts: row.restarts,
                unknown: sorted(&row.unknown),
                host_network: row.host_network,
                config_hash: text(row.config_hash),
            },
            beside: Beside::of_row(row),
        }
    }
}

impl Beside {
    fn of_row(row: &PodRow) -> Beside {
        let asked = |at: Option<bygone::rows::Millis>, by: &Option<String>| {
            at.map(|at| (at.0, by.clone().unwrap_or_default()))
        };
        let terminal_at = row.terminal_at.map(|at| at.0 * 1_000);
        let ends = [until(row.over_at.0), terminal_at];
        let end = ends.into_iter().flatten().min();
        let sights = row.pod_ips.iter().zip(&row.ip_seen_at);
        let leases = sights.map(|(ip, seen)| {
            let ip = address(ip);
            (ip, seen.0 * 1_000, end)
        });
        let gaps = row.ip_gaps.iter();
        let hurried = asked(row.hurried_at, &row.hurried_by).zip(row.hurried_deadline);
        Beside {
            began_at: row.began_at.0,
            over_at: until(row.over_at.0),
            gone: row.gone_at.map(|at| at.0).zip(text(row.gone_proof)),
            eviction: asked(row.eviction_at, &row.eviction_by),
            forced: asked(row.forced_at, &row.forced_by),
            hurried: hurried.map(|((at, by), deadline)| (at, by, deadline.0)),
            leases: leases.filter(|_| !row.host_network).collect(),
            gaps: gaps
                .map(|(ip, (from, until))| (address(ip), from.0, until_millis(until.0)))
                .collect(),
            former: former(row),
        }
    }

    fn of_told(told: &Told) -> Beside {
        let by = |user: &str, acting_as: &str| match acting_as {
            "" => user.to_owned(),
            other => format!("{user} as {other}"),
        };
        let asked = |asked: &Asked| {
            let asked = asked.as_ref();
            asked.map(|(at, user, acting_as)| (*at, by(user, acting_as)))
        };
        let hurried = told.hurried.as_ref();
        let leases = told.leases.iter();
        Beside {
            began_at: told.pod.span.start,
            over_at: told.pod.span.end,
            gone: told.gone.map(|(at, proof)| (at, word(proof).to_owned())),
            eviction: asked(&told.evict_asked),
            forced: asked(&told.force_asked),
            hurried: hurried
                .map(|(deadline, (at, user, acting_as))| (*at, by(user, acting_as), *deadline)),
            leases: leases
                .map(|(ip, span)| (*ip, span.start, span.end))
                .collect(),
            gaps: told.gaps.clone(),
            former: told.former.clone(),
        }
    }
}

fn address(text: &str) -> Ipv6Addr {
    match text.parse().expect("an address") {
        IpAddr::V4(ip) => ip.to_ipv6_mapped(),
        IpAddr::V6(ip) => ip,
    }
}

fn until_millis(at: i64) -> Option<i64> {
    (at != NEVER / 1_000).then_some(at)
}

fn former(row: &PodRow) -> Vec<Former> {
    let all = row.former_until.iter().enumerate();
    let former = all.map(|(place, until)| {
        let labels = row.former_labels[place].iter();
        let labels = labels.map(|(key, value)| (key.to_string(), value.to_string()));
        let kind = row.former_workload_kind[place].clone();
        let workload = [kind, row.former_workload[place].clone()];
        (
            until.0,
            row.former_by[place].clone(),
            workload,
            labels.collect(),
        )
    });
    former.collect()
}

fn word(proof: Proof) -> &'static str {
    match proof {
        Proof::Removed => "name removed",
        Proof::Replaced => "replaced",
        Proof::NodeGone => "node deleted",
        Proof::NamespaceGone => "namespace empty",
        Proof::NotFound => "not found",
        Proof::GraceOver => "grace over",
    }
}

impl From<&Told> for PodAnswer {
    fn from(told: &Told) -> PodAnswer {
        PodAnswer {
            row: told.pod.row.clone(),
            beside: Beside::of_told(told),
        }
    }
}

impl From<&ContainerRow<'_>> for ContainerAnswer {
    fn from(row: &ContainerRow) -> ContainerAnswer {
        let hex = || hex::encode(row.container_key);
        ContainerAnswer {
            span: (row.began_at.0, until(row.over_at.0)),
            row: Container {
                cluster: row.cluster.to_owned(),
                namespace: row.namespace.to_owned(),
                workload_kind: text(row.workload_kind),
                workload: text(row.workload),
                pod: row.pod.to_owned(),
                pod_uid: uid_text(row.pod_uid.0),
                container: row.container.to_owned(),
                kind: row.kind.to_owned(),
                container_id: match &row.id_text {
                    Cow::Borrowed("-") => None,
                    text => Some(filled(text).unwrap_or_else(hex)),
                },
                runtime: text(row.runtime),
                image: text(row.image),
                image_id: text(row.image_id),
                node: filled(row.node),
                pod_ips: row.pod_ips.clone(),
                restart: row.restart,
                started_at: row.started_at.map(|at| i64::from(at.0) * SECOND),
                ended_at: row.ended_at.map(|at| at.0),
                end_seen: row.end_seen,
                exit_code: row.exit_code,
                signal: row.signal,
                reason: text(row.reason),
                pod_created_at: row.pod_created_at.map(|at| i64::from(at.0) * SECOND),
                pod_removed_at: row.pod_removed_at.map(|at| at.0 * 1_000),
                ended_by: row.ended_by.clone(),
                ended_why: text(row.ended_why),
                ended_cause: row.ended_cause.clone(),
                unknown: sorted(&row.unknown),
                host_network: row.host_network,
                config_hash: text(row.config_hash),
            },
        }
    }
}

impl From<&Life<Container>> for ContainerAnswer {
    fn from(life: &Life<Container>) -> ContainerAnswer {
        ContainerAnswer {
            row: life.row.clone(),
            span: (life.span.start, life.span.end),
        }
    }
}
