//! Summaries: pods and container instances by cluster, namespace, workload, node or image.
//!
//! They count what the lists of pods and containers would show for the same question: within its time and its filters.

use std::collections::BTreeMap;
use std::fmt;

use ::clickhouse as driver;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::conditions::{conditions, failed, is_summed};
use super::model::{Container, Ending, Life, Pod, Time};
use super::rows::micros;
use super::statement::{NEVER, NEVER_MICROS, Statement};
use super::{Error, Order, ParseError, Pattern, Question, ROWS_MAX, Workload, check, hints, view};
use crate::clickhouse::Store;

/// The most summaries of one answer.
pub const SUMMARIES_MAX: u64 = 10_000;

/// As many different ends of one group are compared.
const ENDS_MAX: usize = 100;

/// What is summed up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    Clusters,
    Namespaces,
    Workloads,
    Nodes,
    Images,
}

impl Group {
    pub const ALL: [Group; 5] = [
        Group::Clusters,
        Group::Namespaces,
        Group::Workloads,
        Group::Nodes,
        Group::Images,
    ];

    /// The name in commands and in paths of the API.
    pub fn plural(self) -> &'static str {
        match self {
            Group::Clusters => "clusters",
            Group::Namespaces => "namespaces",
            Group::Workloads => "workloads",
            Group::Nodes => "nodes",
            Group::Images => "images",
        }
    }

    /// One of them.
    pub(super) fn singular(self) -> &'static str {
        self.plural().trim_end_matches('s')
    }

    /// Namespace, kind and name of what a row belongs to, as SQL.
    pub(super) fn keys(self) -> [&'static str; 3] {
        match self {
            Group::Clusters => ["''", "''", "cluster"],
            Group::Namespaces => ["''", "''", "namespace"],
            Group::Workloads => [
                "namespace",
                "coalesce(workload_kind, '')",
                "coalesce(workload, '')",
            ],
            Group::Nodes => ["''", "''", "coalesce(node, '')"],
            Group::Images => ["''", "''", "coalesce(image, '')"],
        }
    }
}

/// A name of what is summed up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Summed {
    Name(Pattern),
    /// With its kind.
    Workload(Workload),
}

impl Summed {
    /// Reads a name, as `-o name` prints it: of a workload `KIND/NAME` or the name alone.
    ///
    /// # Errors
    ///
    /// When it can't be such a name.
    pub fn parse(group: Group, text: &str) -> Result<Summed, ParseError> {
        match group {
            Group::Workloads if text.contains('/') => Ok(Summed::Workload(text.parse()?)),
            Group::Images => Ok(Summed::Name(Pattern::new(text))),
            _ if text.contains('/') => {
                let what = group.singular();
                let problem =
                    format!("invalid {what} {text:?}: use its name, with * and ? as wildcards");
                Err(ParseError::value("name", problem))
            }
            _ => Ok(Summed::Name(Pattern::new(text))),
        }
    }
}

impl fmt::Display for Summed {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Summed::Name(name) => f.write_str(name.as_str()),
            Summed::Workload(workload) => workload.fmt(f),
        }
    }
}

/// Summary of all pods with one name. Absent values are `null`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Summary {
    pub cluster: String,
    /// For a workload.
    pub namespace: Option<String>,
    /// For a workload.
    pub kind: Option<String>,
    pub name: String,
    pub pods: u64,
    /// Container instances; every restart is a separate one.
    pub instances: u64,
    /// Number of these that are restarts.
    pub restarts: u64,
    /// When the first of them started.
    pub first: Option<Time>,
    /// When the last of them ended; `null` while one exists.
    pub last: Option<Time>,
    /// The worst failure of an instance: `OOMKilled(137)`, then the highest exit code; `null` if none failed.
    pub worst_end: Option<String>,
}

#[derive(Deserialize, driver::Row)]
struct Sums {
    of_cluster: String,
    of_namespace: String,
    of_kind: String,
    of_name: String,
    pods: u64,
    instances: u64,
    restarts: u64,
    first: i64,
    last: i64,
    ends: Vec<(String, i32)>,
}

/// Whether a question can be asked of summaries.
///
/// # Errors
///
/// [`Error::Filter`] or [`Error::Summary`] where it can't.
pub fn check_summary(group: Group, question: &Question) -> Result<(), Error> {
    let refused = [
        (question.cursor.is_some(), "cursor"),
        (!question.fields.is_empty(), "fields"),
        (question.explain, "explain"),
        (question.order != Order::default(), "order"),
    ];
    if let Some((_, parameter)) = refused.into_iter().find(|(is_given, _)| *is_given) {
        return Err(Error::Summary(group.plural(), parameter));
    }
    check::<Pod>(question)?;
    check::<Container>(question)
}

/// The summaries, by cluster and name, and how the answer ended.
///
/// # Errors
///
/// When the limit is too high, a filter does not fit pods or containers, or ClickHouse can't be reached or refuses.
pub async fn summaries(
    store: &Store,
    group: Group,
    question: &Question,
) -> Result<(Vec<Summary>, Ending), Error> {
    check_summary(group, question)?;
    let limit = question.limit.unwrap_or(SUMMARIES_MAX);
    if limit > ROWS_MAX {
        return Err(Error::Limit(limit));
    }
    let limit = limit.min(SUMMARIES_MAX);
    let mut all = BTreeMap::new();
    if group != Group::Images {
        let pods = "count() AS pods, toUInt64(0) AS instances, toUInt64(0) AS restarts";
        let ends = |_: &mut Statement| "CAST([], 'Array(Tuple(String, Int32))')".to_owned();
        let columns = Columns { counts: pods, ends };
        for sums in sums::<Pod>(store, group, question, columns, limit).await? {
            add(&mut all, sums);
        }
    }
    let containers =
        "uniqExact(pod_uid) AS pods, count() AS instances, countIf(restart > 0) AS restarts";
    let ends = |sql: &mut Statement| {
        let failed = failed(sql);
        format!(
            "groupUniqArrayIf({ENDS_MAX})((toString(coalesce(reason, '')), coalesce(exit_code, toInt32(0))), {failed})"
        )
    };
    let columns = Columns {
        counts: containers,
        ends,
    };
    for sums in sums::<Container>(store, group, question, columns, limit).await? {
        add(&mut all, sums);
    }
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let hints = match all.is_empty() {
        true => hints::of(store, question, Some(group)).await,
        false => Vec::new(),
    };
    let ending = Ending {
        more: all.len() > limit,
        hints,
        ..Ending::default()
    };
    Ok((all.into_values().take(limit).collect(), ending))
}

/// What is summed up, in SQL.
struct Columns<E> {
    counts: &'static str,
    /// The different ends: it may bind parameters.
    ends: E,
}

async fn sums<L: Life>(
    store: &Store,
    group: Group,
    question: &Question,
    columns: Columns<impl Fn(&mut Statement) -> String>,
    limit: u64,
) -> Result<Vec<Sums>, Error> {
    let mut sql = Statement {
        spans_shards: store.cluster().is_some(),
        ..Statement::default()
    };
    let view = view::of::<L>(question);
    let from = view.from(&mut sql);
    conditions::<L>(question, view.by, &mut sql);
    let [namespace, kind, name] = group.keys();
    sql.conditions.push(format!("{name} != ''"));
    if !question.summed.is_empty() {
        let is_summed = is_summed(group, &question.summed, &mut sql);
        sql.conditions.push(is_summed);
    }
    let (counts, ends) = (columns.counts, (columns.ends)(&mut sql));
    sql.sql = format!(
        "SELECT toString(cluster) AS of_cluster, toString({namespace}) AS of_namespace, toString({kind}) AS of_kind, \
         toString({name}) AS of_name, {counts}, min(began_at) AS first, max(coalesce(over_at, {NEVER})) AS last, \
         {ends} AS ends FROM {from} AS l{}{} \
         GROUP BY of_cluster, of_namespace, of_kind, of_name \
         ORDER BY of_cluster, of_namespace, of_kind, of_name LIMIT {}",
        sql.joins.concat(),
        sql.filter(),
        limit + 1,
    );
    Ok(store.within_limit(sql.bind(store).fetch_all()).await?)
}

type Key = (String, String, String, String);

/// Pods come first: their counts and times hold, and the containers add what they know.
fn add(all: &mut BTreeMap<Key, Summary>, sums: Sums) {
    let given = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
    let new = Summary {
        cluster: sums.of_cluster.clone(),
        namespace: given(&sums.of_namespace),
        kind: given(&sums.of_kind),
        name: sums.of_name.clone(),
        pods: sums.pods,
        first: micros(Some(sums.first)),
        last: micros(Some(sums.last).filter(|last| *last < NEVER_MICROS)),
        ..Summary::default()
    };
    let key = (
        sums.of_cluster,
        sums.of_namespace,
        sums.of_kind,
        sums.of_name,
    );
    let summary = all.entry(key).or_insert(new);
    summary.instances += sums.instances;
    summary.restarts += sums.restarts;
    summary.worst_end = worst(&sums.ends);
}

fn worst(ends: &[(String, i32)]) -> Option<String> {
    let (reason, code) = ends
        .iter()
        .max_by_key(|(reason, code)| (reason == "OOMKilled", code, reason))?;
    Some(format!("{reason}({code})"))
}
