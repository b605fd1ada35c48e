//! What a question asks for, as conditions and joins.

use jiff::Timestamp;

use super::model::{Container, Life, Pod};
use super::statement::{Row, Statement, Value, bare_id, datetime64};
use super::{Cursor, Question, Requirement, view};

pub(super) fn scope(question: &Question, sql: &mut Statement) {
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

pub(super) fn conditions<L: Life>(question: &Question, sql: &mut Statement) {
    scope(question, sql);
    if let Some(since) = question.time.since {
        instant(sql, "(over_at IS NULL OR over_at > ?)", since);
    }
    if let Some(until) = question.time.until {
        instant(sql, "began_at < ?", until);
    }
    names(question, sql);
    labels(question, sql);
    if let Some(workload) = &question.workload {
        sql.text("workload_kind = ?", &workload.kind);
        sql.text("workload = ?", &workload.name);
    }
    if let Some(node) = &question.node {
        sql.text("node = ?", node);
    }
    objects::<L>(question, sql);
    if let Some(cursor) = &question.cursor {
        after::<L>(cursor, sql);
    }
}

pub(super) fn instant(sql: &mut Statement, condition: &str, at: Timestamp) {
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

fn labels(question: &Question, sql: &mut Statement) {
    for requirement in &question.labels.0 {
        let (key, values, wanted) = match requirement {
            Requirement::In(key, values) => (key, Some(values), "1"),
            Requirement::NotIn(key, values) => (key, Some(values), "0"),
            Requirement::Exists(key) => (key, None, "1"),
            Requirement::Absent(key) => (key, None, "0"),
        };
        // A pair of one key and any of the values; for mere presence the key is enough.
        match values {
            None => sql.text(&format!("mapContains(labels, ?) = {wanted}"), key),
            Some(values) => {
                let pairs = values
                    .iter()
                    .map(|value| format!("{key}={value}"))
                    .collect();
                let any = "arrayExists((k, v) -> has(?, concat(k, '=', v)), \
                           mapKeys(labels), mapValues(labels))";
                sql.and(
                    &format!("{any} = {wanted}"),
                    "Array(String)",
                    Value::Texts(pairs),
                );
            }
        }
    }
}

/// Filters by what identifies an image, an address, a container or a pod.
fn objects<L: Life>(question: &Question, sql: &mut Statement) {
    match L::Row::BY_ID {
        Some(()) => of_containers(question, sql),
        None => of_pods(question, sql),
    }
    uid(question, sql);
}

/// Pods have the images and the IDs of their containers, whenever these ran: at the time that is asked
/// for one may not have begun, or be over.
fn of_pods(question: &Question, sql: &mut Statement) {
    if question.image.is_some() {
        let with_image = Question {
            image: question.image.clone(),
            ..in_scope(question)
        };
        found_by::<Container>(&with_image, sql);
    }
    if let Some(ip) = question.ip {
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

/// Containers have an address as long as their pod has it.
fn of_containers(question: &Question, sql: &mut Statement) {
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
    if let Some(id) = &question.container_id {
        sql.text("startsWith(lower(container_id), ?)", &bare_id(id));
    }
}

pub(super) fn uid(question: &Question, sql: &mut Statement) {
    if let Some(uid) = question.uid {
        sql.and("pod_uid = ?", "UUID", Value::Text(uid.to_string()));
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
        ..Statement::default()
    };
    let view = view::of::<L>(question, &mut other);
    conditions::<L>(question, &mut other);
    let (name, filter) = (format!("f{}", sql.joins.len()), other.filter());
    sql.joins.push(format!(
        " LEFT SEMI JOIN (SELECT pod_uid AS found FROM {view}{filter}) AS {name} \
         ON pod_uid = {name}.found"
    ));
    sql.values = other.values;
}

/// What comes behind the cursor in the order of answers.
fn after<L: Life>(cursor: &Cursor, sql: &mut Statement) {
    let (container, container_id) = L::Row::CONTAINER;
    let start = Timestamp::from_microsecond(cursor.start).unwrap_or(Timestamp::MIN);
    let place = sql.values.len();
    let names: Vec<String> = (place..place + 4).map(|n| format!("p{n}")).collect();
    sql.conditions.push(format!(
        "(began_at, pod_uid, {container}, {container_id}) > \
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
