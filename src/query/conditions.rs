//! What a question asks for, as conditions and joins.

use jiff::Timestamp;

use super::model::{Container, Life, Pod};
use super::statement::{Row, Statement, Value, bare_id, datetime64};
use super::view::{self, By};
use super::{Cursor, Order, Question, Requirement, Window};

fn scope(question: &Question, sql: &mut Statement) {
    let lists = [
        ("cluster", &question.clusters),
        ("namespace", &question.namespaces),
    ];
    for (column, names) in lists {
        // A plain comparison reaches the key of the tables; a list of names is no less.
        if !names.is_empty() {
            let names = Value::Texts(names.clone());
            sql.and(&format!("{column} IN (?)"), "Array(String)", names);
        }
    }
}

/// All conditions, but for those that the view's parameters are.
pub(super) fn conditions<L: Life>(question: &Question, by: By, sql: &mut Statement) {
    scope(question, sql);
    if !by.has_time() {
        time(question, sql);
    }
    names(question, sql);
    workload(question, sql);
    if let Some(user) = &question.user {
        // Whoever acted, and whoever they acted as.
        let is_it = "(asked_by = ? OR has(splitByString(' as ', coalesce(asked_by, '')), ?))";
        sql.text(is_it, user);
    }
    if let (Some(node), true) = (&question.node, by != By::Node) {
        sql.text("node = ?", node);
    }
    match L::Row::BY_ID {
        Some(()) => of_containers(question, by, sql),
        None => of_pods(question, by, sql),
    }
    if let Some(cursor) = &question.cursor {
        after::<L>(cursor, question.order, sql);
    }
}

fn time(question: &Question, sql: &mut Statement) {
    if let Some(since) = question.time.since {
        instant(sql, "(over_at IS NULL OR over_at > ?)", since);
    }
    if let Some(until) = question.time.until {
        instant(sql, "began_at < ?", until);
    }
}

fn instant(sql: &mut Statement, condition: &str, at: Timestamp) {
    sql.and(
        condition,
        "DateTime64(6, 'UTC')",
        Value::Text(datetime64(at)),
    );
}

fn names(question: &Question, sql: &mut Statement) {
    let (prefixes, whole): (Vec<&String>, Vec<&String>) =
        question.names.iter().partition(|name| name.ends_with('*'));
    let whole: Vec<String> = whole.into_iter().cloned().collect();
    let prefixes: Vec<String> = prefixes
        .into_iter()
        .map(|name| name.trim_end_matches('*').to_owned())
        .collect();
    if question.names.is_empty() {
        return;
    }
    sql.and("(has(?, pod)", "Array(String)", Value::Texts(whole));
    sql.and(
        "arrayExists(prefix -> startsWith(pod, prefix), ?))",
        "Array(String)",
        Value::Texts(prefixes),
    );
    // The two belong together: either may hold.
    let second = sql.conditions.pop().expect("two were pushed");
    let first = sql.conditions.pop().expect("two were pushed");
    sql.conditions.push(format!("{first} OR {second}"));
}

fn workload(question: &Question, sql: &mut Statement) {
    let Some(workload) = &question.workload else {
        return;
    };
    let kind = sql.value("String", Value::Text(workload.kind.clone()));
    let name = sql.value("String", Value::Text(workload.name.clone()));
    let span = Span::of(question, sql);
    let (now, then) = (span.now(), span.then());
    sql.conditions.push(format!(
        "(workload_kind = {kind} AND workload = {name}{now} \
         OR arrayExists((until, since, kind, name) -> kind = {kind} AND name = {name}{then}, \
         former_until, {FORMER_SINCE}, former_workload_kind, former_workload))"
    ));
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
fn labels(question: &Question, sql: &mut Statement) {
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

/// Pods have the images and the IDs of their containers, whenever these ran: at the time that is asked
/// for one may not have begun, or be over.
fn of_pods(question: &Question, by: By, sql: &mut Statement) {
    labels(question, sql);
    if question.image.is_some() {
        let with_image = Question {
            image: question.image.clone(),
            ..in_scope(question)
        };
        found_by::<Container>(&with_image, sql);
    }
    if let (Some(ip), true) = (question.ip, by != By::Ip) {
        // A pod on its node's network has the node's address and does not own it.
        let owned = "has(pod_ips, ?) AND NOT host_network";
        sql.text(owned, &ip.to_canonical().to_string());
    }
    if question.container_id.is_some() {
        let with_id = Question {
            container_id: question.container_id.clone(),
            ..in_scope(question)
        };
        found_by::<Container>(&with_id, sql);
    }
}

/// Containers have an address as long as their pod has it, and the labels of their pod, which they are not stored
/// with.
fn of_containers(question: &Question, by: By, sql: &mut Statement) {
    if !question.labels.0.is_empty() {
        let with_labels = Question {
            labels: question.labels.clone(),
            labels_in: Some(question.time),
            names: question.names.clone(),
            uid: question.uid,
            time: around(question.time),
            ..in_scope(question)
        };
        found_by::<Pod>(&with_labels, sql);
    }
    if let Some(image) = &question.image {
        let part = "position(concat(coalesce(image, ''), ' ', coalesce(image_id, '')), ?) > 0";
        sql.text(part, image);
    }
    if question.ip.is_some() {
        let with_ip = Question {
            ip: question.ip,
            time: question.time,
            ..in_scope(question)
        };
        found_by::<Pod>(&with_ip, sql);
    }
    if let (Some(id), true) = (&question.container_id, by != By::Id) {
        sql.text("startsWith(lower(container_id), ?)", &bare_id(id));
    }
}

/// When the pods lived whose containers ran then. The containers' times are of their nodes' clocks, which may be off.
fn around(time: Window) -> Window {
    let margin = jiff::SignedDuration::from_hours(1);
    Window {
        since: time.since.and_then(|since| since.checked_sub(margin).ok()),
        until: time.until.and_then(|until| until.checked_add(margin).ok()),
    }
}

/// Asks for everything in the scope of another question.
fn in_scope(question: &Question) -> Question {
    Question {
        clusters: question.clusters.clone(),
        namespaces: question.namespaces.clone(),
        ..Question::default()
    }
}

/// The row's pod is one that another question finds.
///
/// A join: `IN (SELECT ..)` is handed to every shard, which can't ask that of all of them.
fn found_by<L: Life>(question: &Question, sql: &mut Statement) {
    let mut other = Statement {
        values: std::mem::take(&mut sql.values),
        spans_shards: sql.spans_shards,
        ..Statement::default()
    };
    let view = view::of::<L>(question);
    let from = view.from(&mut other);
    conditions::<L>(question, view.by, &mut other);
    let (name, filter) = (format!("f{}", sql.joins.len()), other.filter());
    sql.joins.push(format!(
        " LEFT SEMI JOIN (SELECT pod_uid AS found FROM {from}{filter}) AS {name} \
         ON pod_uid = {name}.found"
    ));
    sql.values = other.values;
}

/// What comes behind the cursor in the order of answers.
fn after<L: Life>(cursor: &Cursor, order: Order, sql: &mut Statement) {
    let (id, (container, container_id)) = (L::Row::ID, L::Row::CONTAINER);
    let start = Timestamp::from_microsecond(cursor.start).unwrap_or(Timestamp::MIN);
    let behind = match order {
        Order::Newest => "<",
        Order::Oldest => ">",
    };
    let place = sql.values.len();
    let names: Vec<String> = (place..place + 4).map(|n| format!("p{n}")).collect();
    sql.conditions.push(format!(
        "(began_at, {id}, {container}, {container_id}) {behind} \
         ({{{}:DateTime64(6, 'UTC')}}, {{{}:UUID}}, {{{}:String}}, {{{}:String}})",
        names[0], names[1], names[2], names[3]
    ));
    let values = [
        datetime64(start),
        cursor.pod_uid.to_string(),
        cursor.container.clone(),
        cursor.container_id.clone(),
    ];
    sql.values
        .extend(names.into_iter().zip(values.map(Value::Text)));
}
