//! What may be wrong with a question that has an empty answer: names that are not known where it asked, and names near
//! them; or that they were known at another time.
//!
//! Only an empty answer costs these look-ups. They read the tables without merging rows, since names alone count, and
//! nothing beyond what the reader may see.

mod checks;

use jiff::Timestamp;
use serde::Deserialize;

use ::clickhouse as driver;

use self::checks::{Check, checks};
use super::conditions::scope;
use super::statement::{NEVER, NEVER_MICROS, Statement};
use super::{Error, Group, Pattern, Question};
use crate::clickhouse::Store;
use crate::near;

/// How long ClickHouse may work on one look-up.
const LOOKUP_SECONDS_MAX: &str = "5";

/// As many names are compared, those that were asked for first.
const NAMES_MAX: usize = 10_000;

/// So few are all shown where none is near.
const ALL_SHOWN_MAX: usize = 8;

/// As many names of one filter are looked up.
const WANTED_MAX: usize = 3;

/// As many names of a question are, besides its clusters and namespaces.
const CHECKS_MAX: usize = 8;

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

/// Lines for a person; none where nothing is wrong with the names, or ClickHouse does not say. `group`: what is summed
/// up, and so what the names of the question are of.
pub(super) async fn of(store: &Store, question: &Question, group: Option<Group>) -> Vec<String> {
    let Some(visible) = &question.visible else {
        return Vec::new();
    };
    match look_up(store, question, visible, group).await {
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
    group: Option<Group>,
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
    let unknown = not_known(store, &within, Check::cluster, &clusters).await?;
    if !unknown.is_empty() {
        return Ok(unknown);
    }
    within.clusters.clone_from(&question.clusters);
    let mut namespaces = asked(&question.namespaces, &visible.namespaces);
    let named = question.names.iter().filter(|_| group.is_none());
    let named = named.filter_map(|name| name.namespace.as_ref());
    namespaces.extend(named.map(|name| name.as_str().to_owned()));
    let unknown = not_known(store, &within, Check::namespace, &namespaces).await?;
    if !unknown.is_empty() {
        return Ok(unknown);
    }
    within.namespaces.clone_from(&question.namespaces);
    let mut hints = Vec::new();
    for check in checks(question, group).into_iter().take(CHECKS_MAX) {
        let known = known(store, &check, &within).await?;
        hints.extend(hint(&check, &known, question));
    }
    Ok(hints)
}

/// Hints for those of the wanted clusters or namespaces that are not known.
async fn not_known(
    store: &Store,
    within: &Question,
    check: fn(&str) -> Check<'static>,
    wanted: &[String],
) -> Result<Vec<String>, Error> {
    let Some(first) = wanted.first() else {
        return Ok(Vec::new());
    };
    let known = known(store, &check(first), within).await?;
    let unknown = wanted.iter().filter(|wanted| {
        let wanted = Pattern::new(wanted.as_str());
        !known.iter().any(|known| wanted.matches(&known.name))
    });
    let unknown = unknown.take(WANTED_MAX);
    Ok(unknown
        .map(|wanted| no_such(&check(wanted), &known))
        .collect())
}

/// The names that there are in a scope. `hit` are those that are asked for.
async fn known(store: &Store, check: &Check<'_>, within: &Question) -> Result<Vec<Known>, Error> {
    let mut sql = Statement {
        spans_shards: store.cluster().is_some(),
        ..Statement::default()
    };
    let from = check.from(&mut sql);
    scope(within, &mut sql);
    let is_it = check.is_it.as_ref().map(|is_it| is_it(&mut sql));
    // Of clusters and namespaces there may be many rows, and only their names are looked at.
    let times = match is_it {
        None => "toDateTime64(0, 6, 'UTC') AS first, first AS last".to_owned(),
        Some(_) => format!("min(began_at) AS first, max(coalesce(over_at, {NEVER})) AS last"),
    };
    let (names, hit) = match (check.names, is_it) {
        (Some(names), is_it) => (names, is_it.unwrap_or_else(|| "1".to_owned())),
        (None, is_it) => {
            // Nothing is near these: only their own rows are looked at.
            sql.conditions.extend(is_it);
            ("'it'", "1".to_owned())
        }
    };
    sql.sql = format!(
        "SELECT toString({names}) AS name, toUInt8(coalesce(max({hit}), 0)) AS hit, {times} FROM {from}{} \
         GROUP BY name HAVING name NOT IN ('', '/') ORDER BY hit DESC, last DESC, name LIMIT {NAMES_MAX}",
        sql.filter(),
    );
    let query = sql.bind(store);
    let query = query.with_setting("max_execution_time", LOOKUP_SECONDS_MAX);
    Ok(store.within_limit(query.fetch_all()).await?)
}

fn hint(check: &Check<'_>, known: &[Known], question: &Question) -> Option<String> {
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
        format!("{what} {wanted:?} is known {from} {first}{until}, outside the requested time")
    })
}

fn no_such(check: &Check<'_>, known: &[Known]) -> String {
    let Check { what, wanted, .. } = check;
    let names = || known.iter().map(|known| &*known.name);
    let near = check
        .parts
        .iter()
        .map(|part| near::of(part(wanted), names(), *part));
    let near = near.into_iter().find(|near| !near.is_empty());
    let rest = if check.names.is_none() {
        String::new()
    } else if let Some(near) = near {
        format!("; similar: {}", near.join(", "))
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
