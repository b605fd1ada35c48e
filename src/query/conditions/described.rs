//! What a pod was: its labels and its workload, at the time that is asked for.

use jiff::Timestamp;

use super::fits::fits;
use crate::query::statement::{Statement, Value, datetime64};
use crate::query::{Question, Requirement, Workload};

/// What owned a pod, at the time that is asked for; `owner` where the controller that owns it now counts, too.
pub(super) fn workload(question: &Question, owner: bool, sql: &mut Statement) {
    let Some(workload) = &question.workload else {
        return;
    };
    let span = Span::of(question, sql);
    let (until_now, then) = (span.now(), span.then());
    let mut is_it = |kind: &str, name: &str| is_of(workload, (kind, name), sql);
    let now = is_it("workload_kind", "workload");
    let former = is_it("kind", "name");
    let owned = match owner {
        true => format!(" OR {}{until_now}", is_it("owner_kind", "owner")),
        false => String::new(),
    };
    sql.conditions.push(format!(
        "({now}{until_now}{owned} \
         OR arrayExists((until, since, kind, name) -> {former}{then}, \
         former_until, {FORMER_SINCE}, former_workload_kind, former_workload))"
    ));
}

/// What owns a pod now, or the controller between them.
pub(in crate::query) fn is_owned(workload: &Workload, sql: &mut Statement) -> String {
    let top = is_top_owner(workload, sql);
    let owner = is_of(workload, ("owner_kind", "owner"), sql);
    format!("({top} OR {owner})")
}

/// What owns a pod now, at the top.
pub(in crate::query) fn is_top_owner(workload: &Workload, sql: &mut Statement) -> String {
    is_of(workload, ("workload_kind", "workload"), sql)
}

/// Whether a kind and a name are of the workload.
fn is_of(workload: &Workload, (kind, name): (&str, &str), sql: &mut Statement) -> String {
    let kinds = sql.value("Array(String)", Value::Texts(workload.kinds.clone()));
    let name = format!("coalesce({name}, '')");
    let fits = fits(&name, std::slice::from_ref(&workload.name), sql);
    format!("has({kinds}, lower(coalesce({kind}, ''))) AND {fits}")
}

/// Since when each of the former descriptions held.
const FORMER_SINCE: &str =
    "arrayPopBack(arrayPushFront(former_until, toDateTime64(began_at, 3, 'UTC')))";

/// The time that is asked for, as conditions on when a pod had its labels and its workload: what it has now, or, in a
/// lambda, what it had from `since` to `until`.
#[derive(Default)]
struct Span {
    since: Option<String>,
    until: Option<String>,
}

impl Span {
    fn of(question: &Question, sql: &mut Statement) -> Span {
        let time = question.labels_in.unwrap_or(question.time);
        let mut instant = |at: Option<Timestamp>| {
            let at = datetime64(at?);
            Some(sql.value("DateTime64(6, 'UTC')", Value::Text(at)))
        };
        Span {
            since: instant(time.since),
            until: instant(time.until),
        }
    }

    fn now(&self) -> String {
        let until = self.until.as_ref();
        let until =
            until.map(|until| format!(" AND (empty(former_until) OR former_until[-1] < {until})"));
        until.unwrap_or_default()
    }

    fn then(&self) -> String {
        let since = self.since.iter().map(|at| format!(" AND until > {at}"));
        let until = self.until.iter().map(|at| format!(" AND since < {at}"));
        since.chain(until).collect()
    }
}

/// What a pod's labels must be, all at once: now, or as they were.
pub(super) fn labels(question: &Question, sql: &mut Statement) {
    if question.labels.0.is_empty() {
        return;
    }
    let requirements = question.labels.0.iter().map(|it| requirement(it, sql));
    let requirements: Vec<String> = requirements.collect();
    let holds = requirements.join(" AND ");
    let span = Span::of(question, sql);
    let (now, then) = (span.now(), span.then());
    sql.conditions.push(format!(
        "({}{now} OR arrayExists((until, since, tags) -> {holds}{then}, \
         former_until, {FORMER_SINCE}, former_labels))",
        holds.replace("tags", "labels")
    ));
}

/// Whether a pod's labels are now as they must be.
pub(in crate::query) fn has_label(wanted: &Requirement, sql: &mut Statement) -> String {
    requirement(wanted, sql).replace("tags", "labels")
}

/// A condition on `tags`.
fn requirement(requirement: &Requirement, sql: &mut Statement) -> String {
    let (key, values, wanted) = match requirement {
        Requirement::In(key, values) => (key, Some(values), "1"),
        Requirement::NotIn(key, values) => (key, Some(values), "0"),
        Requirement::Exists(key) => (key, None, "1"),
        Requirement::Absent(key) => (key, None, "0"),
    };
    // A pair of one key and any of the values; for mere presence the key is enough.
    match values {
        None => {
            let key = sql.value("String", Value::Text(key.clone()));
            format!("mapContains(tags, {key}) = {wanted}")
        }
        Some(values) => {
            let pairs = values.iter().map(|value| format!("{key}={value}"));
            let pairs = sql.value("Array(String)", Value::Texts(pairs.collect()));
            format!(
                "arrayExists((k, v) -> has({pairs}, concat(k, '=', v)), \
                 mapKeys(tags), mapValues(tags)) = {wanted}"
            )
        }
    }
}
