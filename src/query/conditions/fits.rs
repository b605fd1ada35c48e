//! Columns against what may have wildcards, lists and comparisons.

use crate::query::statement::{Statement, Value};
use crate::query::{Numbers, Pattern, PodName};

/// Whether a text is one that the patterns allow.
pub(in crate::query) fn fits(text: &str, patterns: &[Pattern], sql: &mut Statement) -> String {
    let (exact, others): (Vec<&Pattern>, Vec<&Pattern>) =
        patterns.iter().partition(|pattern| pattern.is_exact());
    let mut any = Vec::new();
    if !exact.is_empty() {
        let exact = exact.iter().map(|pattern| pattern.as_str().to_owned());
        let exact = sql.value("Array(String)", Value::Texts(exact.collect()));
        any.push(format!("has({exact}, {text})"));
    }
    for pattern in others {
        let like = sql.value("String", Value::Text(pattern.like()));
        any.push(format!("{text} LIKE {like}"));
    }
    format!("({})", any.join(" OR "))
}

/// Whether one of these accounts is one that the patterns allow; of `a as b`, the whole or either.
pub(in crate::query) fn is_by(
    accounts: &[&str],
    patterns: &[Pattern],
    sql: &mut Statement,
) -> String {
    let texts = accounts
        .iter()
        .map(|account| format!("coalesce({account}, '')"));
    let texts: Vec<String> = texts.collect();
    let parts = texts
        .iter()
        .map(|text| format!("splitByString(' as ', {text})"));
    let parts: Vec<String> = parts.collect();
    let fits = fits("account", patterns, sql);
    format!(
        "arrayExists(account -> account != '' AND {fits}, arrayConcat([{}], {}))",
        texts.join(", "),
        parts.join(", ")
    )
}

/// Whether a number is what is asked for. It is not where it is not known.
pub(super) fn is_number(number: &str, wanted: &Numbers, sql: &mut Statement) -> String {
    let mut value = |number: &i64| sql.value("Int64", Value::Text(number.to_string()));
    let any_of: Vec<String> = wanted.any_of.iter().map(&mut value).collect();
    let comparisons = wanted
        .comparisons
        .iter()
        .map(|(operator, limit)| format!("{number} {operator} {}", value(limit)));
    let mut all: Vec<String> = comparisons.collect();
    if !any_of.is_empty() {
        all.push(format!("{number} IN ({})", any_of.join(", ")));
    }
    all.join(" AND ")
}

/// Whether a row is of a pod, or is a container, of one of these names. `container` is the column of its name, where the
/// rows have one.
pub(in crate::query) fn is_named(
    names: &[PodName],
    container: Option<&str>,
    sql: &mut Statement,
) -> String {
    let (plain, others): (Vec<&PodName>, Vec<&PodName>) = names
        .iter()
        .partition(|name| name.namespace.is_none() && name.container.is_none());
    let mut any = Vec::new();
    if !plain.is_empty() {
        let plain: Vec<Pattern> = plain.iter().map(|name| name.pod.clone()).collect();
        any.push(fits("pod", &plain, sql));
    }
    for name in others {
        let mut all = Vec::new();
        if let Some(namespace) = &name.namespace {
            all.push(fits("namespace", std::slice::from_ref(namespace), sql));
        }
        all.push(fits("pod", std::slice::from_ref(&name.pod), sql));
        if let (Some(column), Some(name)) = (container, &name.container) {
            all.push(fits(column, std::slice::from_ref(name), sql));
        }
        any.push(format!("({})", all.join(" AND ")));
    }
    format!("({})", any.join(" OR "))
}
