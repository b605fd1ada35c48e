//! What may be wrong with a question that has an empty answer: names that are not known where it asked, and names near
//! them; or that they were known at another time.
//!
//! Only an empty answer costs these look-ups. They read the tables without merging rows, since names alone count, and
//! nothing beyond what the reader may see.

use jiff::Timestamp;
use serde::Deserialize;

use ::clickhouse as driver;

use super::conditions::{has_image, is_named, is_owned, scope};
use super::statement::{NEVER, NEVER_MICROS, Statement, Value};
use super::{Error, Question, near};
use crate::clickhouse::Store;

/// How long ClickHouse may work on one look-up.
const LOOKUP_SECONDS_MAX: &str = "5";

/// As many names are compared, those that were asked for first.
const NAMES_MAX: usize = 10_000;

/// So few are all shown where none is near.
const ALL_SHOWN_MAX: usize = 8;

/// As many names of one filter are looked up.
const WANTED_MAX: usize = 3;

/// What a reader may see. None named: all of them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Visible {
    pub clusters: Vec<String>,
    pub namespaces: Vec<String>,
}

/// A name, and when it was seen.
#[derive(Deserialize, driver::Row)]
struct Known {
    name: String,
    /// Whether it is one that was asked for.
    hit: u8,
    first: i64,
    last: i64,
}

/// One name of the question.
struct Check {
    what: &'static str,
    /// As it is written.
    wanted: String,
    /// The expression of such names.
    names: &'static str,
    /// Where they are: in rows of containers, or of pods.
    of_containers: bool,
    /// Which part of a known name is compared.
    part: fn(&str) -> &str,
}

/// Lines for a person; none where nothing is wrong with the names, or ClickHouse does not say.
pub(super) async fn of(store: &Store, question: &Question) -> Vec<String> {
    let Some(visible) = &question.visible else {
        return Vec::new();
    };
    match look_up(store, question, visible).await {
        Ok(hints) => hints,
        Err(error) => {
            tracing::debug!("no hints for an empty answer: {error}");
            Vec::new()
        }
    }
}

async fn look_up(
    store: &Store,
    question: &Question,
    visible: &Visible,
) -> Result<Vec<String>, Error> {
    let asked = |names: &[String], all: &[String]| match names == all {
        // Narrowed, and not asked for.
        true => Vec::new(),
        false => names.to_vec(),
    };
    let mut within = Question {
        clusters: visible.clusters.clone(),
        namespaces: visible.namespaces.clone(),
        ..Question::default()
    };
    let clusters = asked(&question.clusters, &visible.clusters);
    let unknown = not_known(store, &within, "cluster", "cluster", &clusters).await?;
    if !unknown.is_empty() {
        return Ok(unknown);
    }
    within.clusters.clone_from(&question.clusters);
    let mut namespaces = asked(&question.namespaces, &visible.namespaces);
    let named = question.names.iter();
    namespaces.extend(named.filter_map(|name| name.namespace.clone()));
    let unknown = not_known(store, &within, "namespace", "namespace", &namespaces).await?;
    if !unknown.is_empty() {
        return Ok(unknown);
    }
    within.namespaces.clone_from(&question.namespaces);
    let mut hints = Vec::new();
    for (check, one) in checks(question) {
        let is_it = Question {
            clusters: within.clusters.clone(),
            namespaces: within.namespaces.clone(),
            ..one
        };
        let known = known(store, &check, &is_it).await?;
        hints.extend(hint(&check, &known, question));
    }
    Ok(hints)
}

/// Hints for those of the wanted clusters or namespaces that are not known.
async fn not_known(
    store: &Store,
    within: &Question,
    what: &'static str,
    names: &'static str,
    wanted: &[String],
) -> Result<Vec<String>, Error> {
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let check = |wanted: &String| Check {
        what,
        wanted: wanted.clone(),
        names,
        of_containers: false,
        part: whole,
    };
    let known = known(store, &check(&wanted[0]), within).await?;
    let unknown = wanted
        .iter()
        .filter(|wanted| known.iter().all(|known| known.name != **wanted));
    let unknown = unknown.take(WANTED_MAX);
    Ok(unknown
        .map(|wanted| no_such(&check(wanted), &known))
        .collect())
}

/// What else a question names, each with a question for it alone.
fn checks(question: &Question) -> Vec<(Check, Question)> {
    let check = |what, wanted: &str, names, part| Check {
        what,
        wanted: wanted.to_owned(),
        names,
        of_containers: what == "image",
        part,
    };
    let mut checks = Vec::new();
    if let Some(workload) = &question.workload {
        let kind = workload.kinds.last().map_or("", |kind| &**kind);
        let wanted = format!("{kind}/{}", workload.name.as_str());
        let names = "arrayJoin(arrayDistinct([concat(coalesce(workload_kind, ''), '/', coalesce(workload, '')), \
                     concat(coalesce(owner_kind, ''), '/', coalesce(owner, ''))]))";
        let one = Question {
            workload: Some(workload.clone()),
            ..Question::default()
        };
        checks.push((check("workload", &wanted, names, after_slash), one));
    }
    if let Some(node) = &question.node {
        let one = Question {
            node: Some(node.clone()),
            ..Question::default()
        };
        checks.push((check("node", node, "coalesce(node, '')", whole), one));
    }
    for name in question.names.iter().take(WANTED_MAX) {
        let one = Question {
            names: vec![name.without_container()],
            ..Question::default()
        };
        checks.push((check("pod", name.pod.as_str(), "pod", whole), one));
    }
    if let Some(image) = &question.image {
        let one = Question {
            image: Some(image.clone()),
            ..Question::default()
        };
        checks.push((check("image", image, "coalesce(image, '')", of_image), one));
    }
    checks
}

/// The names that there are in the scope of `one`. `hit` are those that it asks for.
async fn known(store: &Store, check: &Check, one: &Question) -> Result<Vec<Known>, Error> {
    let mut sql = Statement {
        spans_shards: store.cluster().is_some(),
        ..Statement::default()
    };
    scope(one, &mut sql);
    let names = check.names;
    let is_it = is_it(one, &mut sql);
    // Of clusters and namespaces there may be many rows, and only their names are looked at.
    let times = match is_it.is_empty() {
        true => "toDateTime64(0, 6, 'UTC') AS first, first AS last".to_owned(),
        false => format!("min(began_at) AS first, max(coalesce(over_at, {NEVER})) AS last"),
    };
    let hit = if is_it.is_empty() { "1" } else { &is_it };
    sql.sql = format!(
        "SELECT toString({names}) AS name, toUInt8(max({hit})) AS hit, {times} FROM {}{} \
         GROUP BY name HAVING name NOT IN ('', '/') ORDER BY hit DESC, last DESC, name LIMIT {NAMES_MAX}",
        tables(check.of_containers, sql.spans_shards),
        sql.filter(),
    );
    let query = sql.bind(store);
    let query = query.with_setting("max_execution_time", LOOKUP_SECONDS_MAX);
    Ok(store.within_limit(query.fetch_all()).await?)
}

fn tables(of_containers: bool, spans_shards: bool) -> String {
    let (name, more) = match of_containers {
        true => ("containers", "image, image_id"),
        false => ("pods", "owner_kind, owner"),
    };
    if spans_shards {
        return name.to_owned();
    }
    let columns = format!(
        "cluster, namespace, pod, workload_kind, workload, node, began_at, over_at, {more}"
    );
    format!("(SELECT {columns} FROM recent_{name} UNION ALL SELECT {columns} FROM ended_{name})")
}

/// Whether a row is one that the question asks for, whenever that was.
fn is_it(one: &Question, sql: &mut Statement) -> String {
    if let Some(workload) = &one.workload {
        is_owned(workload, sql)
    } else if let Some(node) = &one.node {
        let node = sql.value("String", Value::Text(node.clone()));
        format!("coalesce(node, '') = {node}")
    } else if !one.names.is_empty() {
        is_named(&one.names, None, sql)
    } else if let Some(image) = &one.image {
        has_image(image, sql)
    } else {
        String::new()
    }
}

fn hint(check: &Check, known: &[Known], question: &Question) -> Option<String> {
    let hits = known.iter().filter(|known| known.hit == 1);
    let seen = hits.fold(None, |seen: Option<(i64, i64)>, known| {
        let (first, last) = seen.unwrap_or((known.first, known.last));
        Some((first.min(known.first), last.max(known.last)))
    });
    let Some((first, last)) = seen else {
        return Some(no_such(check, known));
    };
    let micros = |at: Timestamp| at.as_microsecond();
    let time = question.time;
    let too_late = time.since.is_some_and(|since| last <= micros(since));
    let too_early = time.until.is_some_and(|until| first >= micros(until));
    (too_late || too_early).then(|| {
        let (what, wanted, first) = (check.what, &check.wanted, shown(first));
        let until = match last {
            NEVER_MICROS.. => String::new(),
            last => format!(" to {}", shown(last)),
        };
        let from = if until.is_empty() { "since" } else { "from" };
        format!(
            "{what} {wanted:?} is known {from} {first}{until}, outside the time that was asked for"
        )
    })
}

fn no_such(check: &Check, known: &[Known]) -> String {
    let Check {
        what, wanted, part, ..
    } = check;
    let bare = after_slash(wanted);
    let bare = if *what == "workload" { bare } else { wanted };
    let names = || known.iter().map(|known| &*known.name);
    let near = near::of(bare, names(), *part);
    let rest = if !near.is_empty() {
        format!("; near: {}", near.join(", "))
    } else if known.is_empty() {
        "; no others are known".to_owned()
    } else if known.len() <= ALL_SHOWN_MAX {
        let mut names: Vec<&str> = names().collect();
        names.sort_unstable();
        format!("; known: {}", names.join(", "))
    } else {
        String::new()
    };
    let place = match *what {
        "cluster" => "",
        _ => " in this scope",
    };
    format!("no {what} {wanted:?}{place}{rest}")
}

fn shown(micros: i64) -> String {
    Timestamp::from_microsecond(micros).map_or_else(|_| "?".to_owned(), |at| format!("{at:.0}"))
}

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
