//! What a question names, and where such names are looked up.

use super::WANTED_MAX;
use crate::query::conditions::{
    fits, has_image, has_label, is_by, is_named, is_owned, is_summed, is_user,
};
use crate::query::model::Container;
use crate::query::statement::{Statement, Value, bare_id};
use crate::query::{Group, Pattern, Question, Requirement, Workload, view};

/// Of a name, what is compared.
type Part = fn(&str) -> &str;

/// Whether a row is one that is asked for, whenever that was.
type IsIt<'q> = Box<dyn Fn(&mut Statement) -> String + Send + Sync + 'q>;

/// One name of a question.
pub struct Check<'q> {
    pub what: &'static str,
    /// As it is written.
    pub wanted: String,
    rows: Rows<'q>,
    /// The expression of such names; nothing where none is like another.
    pub names: Option<&'static str>,
    /// Which parts of them are compared, until some are near.
    pub parts: &'static [Part],
    /// Empty: the name itself is enough.
    pub is_it: Option<IsIt<'q>>,
}

/// The rows that have such names, with the columns that are needed besides the scope and the time.
#[derive(Clone, Copy)]
enum Rows<'q> {
    Pods(&'static str),
    Containers(&'static str),
    Sessions,
    /// Why pods and containers ended.
    Reasons,
    /// Of a container ID.
    Id(&'q Question),
}

impl Check<'_> {
    pub fn cluster(wanted: &str) -> Check<'static> {
        of_scope("cluster", wanted, "cluster")
    }

    pub fn namespace(wanted: &str) -> Check<'static> {
        of_scope("namespace", wanted, "namespace")
    }

    /// The text after `FROM`: the tables, without merging rows, if the database has them.
    pub fn from(&self, sql: &mut Statement) -> String {
        match self.rows {
            Rows::Pods(columns) => tables("pods", columns, sql),
            Rows::Containers(columns) => tables("containers", columns, sql),
            Rows::Sessions => "sessions".to_owned(),
            Rows::Reasons => {
                let pods = tables("pods", "status_reason", sql);
                let containers = tables("containers", "reason", sql);
                let columns = "cluster, namespace, began_at, over_at";
                format!(
                    "(SELECT {columns}, reason FROM {containers} \
                     UNION ALL SELECT {columns}, status_reason AS reason FROM {pods})"
                )
            }
            Rows::Id(question) => {
                let only = Question {
                    container_id: question.container_id.clone(),
                    ..Question::default()
                };
                view::of::<Container>(&only).from(sql)
            }
        }
    }
}

fn tables(name: &str, columns: &str, sql: &Statement) -> String {
    if sql.spans_shards {
        return name.to_owned();
    }
    let columns = format!("cluster, namespace, began_at, over_at, {columns}");
    format!("(SELECT {columns} FROM recent_{name} UNION ALL SELECT {columns} FROM ended_{name})")
}

fn of_scope(what: &'static str, wanted: &str, names: &'static str) -> Check<'static> {
    Check {
        what,
        wanted: wanted.to_owned(),
        // Any column will do.
        rows: Rows::Pods("pod"),
        names: Some(names),
        parts: &[whole],
        is_it: None,
    }
}

/// What else a question names. `group` is what its names are of, where that is summed up.
pub fn checks(question: &Question, group: Option<Group>) -> Vec<Check<'_>> {
    let mut checks = Vec::new();
    match group {
        Some(group) => checks.extend(of_group(group, question)),
        None => of_pods(question, &mut checks),
    }
    checks.extend(question.workload.as_ref().map(workload));
    of_places(question, &mut checks);
    of_labels(question, &mut checks);
    of_accounts(question, &mut checks);
    let reasons = question.reasons.iter().take(WANTED_MAX);
    checks.extend(reasons.map(|reason| Check {
        what: "reason",
        wanted: reason.as_str().to_owned(),
        rows: Rows::Reasons,
        names: Some("coalesce(reason, '')"),
        parts: &[whole],
        is_it: fits_one("coalesce(reason, '')", reason),
    }));
    checks
}

fn fits_one<'q>(column: &'static str, pattern: &'q Pattern) -> Option<IsIt<'q>> {
    Some(Box::new(move |sql| {
        fits(column, std::slice::from_ref(pattern), sql)
    }))
}

fn equals<'q>(expression: &'static str, kind: &'static str, value: String) -> Option<IsIt<'q>> {
    Some(Box::new(move |sql| {
        let value = sql.value(kind, Value::Text(value.clone()));
        expression.replace('?', &value)
    }))
}

/// The names of pods and containers.
fn of_pods<'q>(question: &'q Question, checks: &mut Vec<Check<'q>>) {
    for name in question.names.iter().take(WANTED_MAX) {
        checks.push(Check {
            what: "pod",
            wanted: name.pod.as_str().to_owned(),
            rows: Rows::Pods("pod"),
            names: Some("pod"),
            parts: &[whole],
            is_it: Some(Box::new(move |sql| {
                is_named(&[name.without_container()], None, sql)
            })),
        });
        let Some(container) = &name.container else {
            continue;
        };
        checks.push(Check {
            what: "container",
            wanted: container.as_str().to_owned(),
            rows: Rows::Containers("pod, container"),
            names: Some("container"),
            parts: &[whole],
            is_it: Some(Box::new(move |sql| {
                is_named(std::slice::from_ref(name), Some("container"), sql)
            })),
        });
    }
}

/// The names of what is summed up.
fn of_group(group: Group, question: &Question) -> Vec<Check<'_>> {
    let [.., name] = group.keys();
    let (rows, names, parts): (_, _, &'static [Part]) = match group {
        Group::Clusters | Group::Namespaces => (Rows::Pods("pod"), name, &[whole]),
        Group::Nodes => (Rows::Pods("node"), name, &[whole]),
        Group::Workloads => (Rows::Pods(OWNERS), TOP_OWNERS, &[after_slash]),
        Group::Images => (Rows::Containers("image"), name, OF_IMAGES),
    };
    let asked = question.summed.iter().take(WANTED_MAX);
    let checks = asked.map(|asked| Check {
        what: group.singular(),
        wanted: asked.to_string(),
        rows,
        names: Some(names),
        parts,
        is_it: Some(Box::new(move |sql| {
            is_summed(group, std::slice::from_ref(asked), sql)
        })),
    });
    checks.collect()
}

const OWNERS: &str = "workload_kind, workload, owner_kind, owner";

const TOP_OWNERS: &str = "concat(coalesce(workload_kind, ''), '/', coalesce(workload, ''))";

fn workload(workload: &Workload) -> Check<'_> {
    Check {
        what: "workload",
        wanted: workload.to_string(),
        rows: Rows::Pods(OWNERS),
        names: Some(
            "arrayJoin(arrayDistinct([concat(coalesce(workload_kind, ''), '/', coalesce(workload, '')), \
             concat(coalesce(owner_kind, ''), '/', coalesce(owner, ''))]))",
        ),
        parts: &[after_slash],
        is_it: Some(Box::new(move |sql| is_owned(workload, sql))),
    }
}

/// Nodes, images, addresses, uids, container IDs.
fn of_places<'q>(question: &'q Question, checks: &mut Vec<Check<'q>>) {
    let node = question.node.as_ref();
    checks.extend(node.map(|node| Check {
        what: "node",
        wanted: node.clone(),
        rows: Rows::Pods("node"),
        names: Some("coalesce(node, '')"),
        parts: &[whole],
        is_it: equals("coalesce(node, '') = ?", "String", node.clone()),
    }));
    checks.extend(question.image.as_ref().map(|image| Check {
        what: "image",
        wanted: image.clone(),
        rows: Rows::Containers("image, image_id"),
        names: Some("coalesce(image, '')"),
        parts: OF_IMAGES,
        is_it: Some(Box::new(move |sql| has_image(image, sql))),
    }));
    let ip = question.ip.map(|ip| ip.to_canonical().to_string());
    checks.extend(ip.map(|ip| Check {
        what: "pod with the address",
        wanted: ip.clone(),
        rows: Rows::Pods("pod_ips, host_network"),
        // An address of a node is that of no pod.
        names: Some("arrayJoin(if(host_network, emptyArrayString(), pod_ips))"),
        parts: &[whole],
        is_it: equals("(has(pod_ips, ?) AND NOT host_network)", "String", ip),
    }));
    checks.extend(question.uid.map(|uid| Check {
        what: "pod with the uid",
        wanted: uid.to_string(),
        rows: Rows::Pods("pod_uid"),
        names: None,
        parts: &[],
        is_it: equals("pod_uid = ?", "UUID", uid.to_string()),
    }));
    checks.extend(question.container_id.as_ref().map(|id| Check {
        what: "container with the ID",
        wanted: id.clone(),
        rows: Rows::Id(question),
        names: None,
        parts: &[],
        is_it: equals("startsWith(lower(container_id), ?)", "String", bare_id(id)),
    }));
}

/// Of labels that must be there.
fn of_labels<'q>(question: &'q Question, checks: &mut Vec<Check<'q>>) {
    for requirement in question.labels.0.iter().take(WANTED_MAX) {
        match requirement {
            Requirement::In(key, values) => checks.extend(values.iter().take(WANTED_MAX).map(|value| Check {
                what: "label",
                wanted: format!("{key}={value}"),
                rows: Rows::Pods("labels"),
                names: Some(
                    "arrayJoin(arrayMap((k, v) -> concat(k, '=', v), mapKeys(labels), mapValues(labels)))",
                ),
                parts: &[whole],
                is_it: Some(Box::new(move |sql| {
                    let one = Requirement::In(key.clone(), vec![value.clone()]);
                    has_label(&one, sql)
                })),
            })),
            Requirement::Exists(key) => checks.push(Check {
                what: "label",
                wanted: key.clone(),
                rows: Rows::Pods("labels"),
                names: Some("arrayJoin(mapKeys(labels))"),
                parts: &[whole],
                is_it: Some(Box::new(move |sql| has_label(requirement, sql))),
            }),
            Requirement::NotIn(..) | Requirement::Absent(_) => {}
        }
    }
}

/// The accounts of requests.
fn of_accounts<'q>(question: &'q Question, checks: &mut Vec<Check<'q>>) {
    let mut push = |what, patterns: &'q [Pattern], rows: fn() -> Rows<'q>, names, columns| {
        let patterns = patterns.iter().take(WANTED_MAX);
        checks.extend(patterns.map(|pattern| Check {
            what,
            wanted: pattern.as_str().to_owned(),
            rows: rows(),
            names: Some(names),
            parts: &[whole],
            is_it: Some(Box::new(move |sql| {
                is_by(columns, std::slice::from_ref(pattern), sql)
            })),
        }));
    };
    push(
        "pod ended by",
        &question.by,
        || Rows::Pods("ended_by, ended_cause, delete_asked_by"),
        "arrayJoin([coalesce(ended_by, ''), coalesce(ended_cause, ''), coalesce(delete_asked_by, '')])",
        &["ended_by", "ended_cause", "delete_asked_by"] as &'static [&'static str],
    );
    push(
        "pod created by",
        &question.created_by,
        || Rows::Pods("created_by"),
        "coalesce(created_by, '')",
        &["created_by"],
    );
    push(
        "service account",
        &question.service_accounts,
        || Rows::Pods("service_account"),
        "coalesce(service_account, '')",
        &["service_account"],
    );
    checks.extend(question.user.as_ref().map(|user| Check {
        what: "session of",
        wanted: user.clone(),
        rows: Rows::Sessions,
        names: Some("coalesce(asked_by, '')"),
        parts: &[whole],
        is_it: Some(Box::new(move |sql| is_user(user, sql))),
    }));
}

/// With its tag, and without.
const OF_IMAGES: &[Part] = &[after_slash, of_image];

fn whole(name: &str) -> &str {
    name
}

fn after_slash(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}

/// `registry.example.com/shop/cart:1.2`: cart.
fn of_image(name: &str) -> &str {
    let name = after_slash(name);
    name.split([':', '@']).next().unwrap_or(name)
}
