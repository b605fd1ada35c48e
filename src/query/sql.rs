//! The SQL of questions, and its rows.

use std::sync::Arc;

use ::clickhouse as driver;
use driver::query::{Query, RowCursor};
use jiff::Timestamp;
use serde::Deserialize;

use super::model::{Container, Life, Pod, Time};
use super::{Cursor, Error, Question, ROWS_MAX, Requirement};
use crate::clickhouse::Store;

/// A row as ClickHouse sends it.
pub trait Row<L>:
    driver::RowOwned + driver::RowRead + for<'a> driver::Row<Value<'a> = Self> + Send
{
    const SELECT: &'static str;
    /// The order of answers. All of it together is unique.
    const START: &'static str;
    /// When the life ends, exclusive.
    const END: &'static str;
    /// The two last parts of the order, which pods do not have.
    const CONTAINER: (&'static str, &'static str);

    fn cursor(&self) -> Cursor;
    fn life(self) -> L;
}

/// Rows that come in as they are read.
pub struct Answer<L: Life> {
    store: Arc<Store>,
    rows: RowCursor<L::Row>,
    limit: u64,
    given: u64,
    last: Option<Cursor>,
    more: bool,
}

impl<L: Life> Answer<L> {
    /// The next row, or `None` at the end.
    ///
    /// # Errors
    ///
    /// When ClickHouse breaks off. The rows before stay true, but are not all.
    pub async fn next(&mut self) -> Result<Option<L>, Error> {
        if self.more {
            return Ok(None);
        }
        let row = self
            .rows
            .next()
            .await
            .map_err(|error| self.store.error(error))?;
        let Some(row) = row else { return Ok(None) };
        if self.given == self.limit {
            self.more = true;
            return Ok(None);
        }
        self.given += 1;
        self.last = Some(row.cursor());
        Ok(Some(row.life()))
    }

    /// After the end: where to go on, if the limit cut the answer.
    pub fn more(&self) -> Option<&Cursor> {
        self.last.as_ref().filter(|_| self.more)
    }
}

pub(super) fn ask<L: Life>(store: &Arc<Store>, question: &Question) -> Result<Answer<L>, Error> {
    let limit = question.limit.unwrap_or(ROWS_MAX);
    if limit > ROWS_MAX {
        return Err(Error::Limit(limit));
    }
    let mut statement = Statement::default();
    conditions::<L>(question, &mut statement);
    let (container, container_id) = L::Row::CONTAINER;
    let sql = format!(
        "SELECT {} FROM {}{} ORDER BY {}, pod_uid, {container}, {container_id} LIMIT {}",
        L::Row::SELECT,
        L::PLURAL,
        statement.filter(),
        L::Row::START,
        // One more than asked for tells whether more follow.
        limit + 1
    );
    let query = statement.bind(store.query(&sql));
    let rows = query.fetch().map_err(|error| store.error(error))?;
    Ok(Answer {
        store: store.clone(),
        rows,
        limit,
        given: 0,
        last: None,
        more: false,
    })
}

/// Conditions, and the values of their parameters: what people give never becomes SQL.
#[derive(Default)]
struct Statement {
    conditions: Vec<String>,
    values: Vec<(String, Value)>,
}

enum Value {
    Text(String),
    Texts(Vec<String>),
}

impl Statement {
    /// Adds a condition whose `?` stands for the value, of the ClickHouse type `kind`.
    fn and(&mut self, condition: &str, kind: &str, value: Value) {
        let name = format!("p{}", self.values.len());
        self.conditions
            .push(condition.replace('?', &format!("{{{name}:{kind}}}")));
        self.values.push((name, value));
    }

    fn text(&mut self, condition: &str, value: &str) {
        self.and(condition, "String", Value::Text(value.to_owned()));
    }

    fn filter(&self) -> String {
        if self.conditions.is_empty() {
            String::new()
        } else {
            format!(" WHERE {}", self.conditions.join(" AND "))
        }
    }

    fn bind(self, query: Query) -> Query {
        self.values
            .into_iter()
            .fold(query, |query, (name, value)| match value {
                Value::Text(text) => query.param(&name, text),
                Value::Texts(texts) => query.param(&name, texts),
            })
    }
}

fn conditions<L: Life>(question: &Question, sql: &mut Statement) {
    if let Some(cluster) = &question.cluster {
        sql.text("cluster = ?", cluster);
    }
    if !question.namespaces.is_empty() {
        sql.and(
            "has(?, namespace)",
            "Array(String)",
            Value::Texts(question.namespaces.clone()),
        );
    }
    if let Some(since) = question.time.since {
        instant(
            sql,
            &format!("({0} IS NULL OR {0} > ?)", L::Row::END),
            since,
        );
    }
    if let Some(until) = question.time.until {
        instant(sql, &format!("{} < ?", L::Row::START), until);
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
    objects(question, sql);
    if let Some(cursor) = &question.cursor {
        after::<L>(cursor, sql);
    }
}

fn instant(sql: &mut Statement, condition: &str, at: Timestamp) {
    sql.and(
        condition,
        "DateTime64(6, 'UTC')",
        Value::Text(datetime64(at)),
    );
}

/// As ClickHouse reads a `DateTime64(6, 'UTC')`, whose calendar ends with the year 2299.
fn datetime64(at: Timestamp) -> String {
    const LAST: i64 = 10_413_791_999;
    let at = Timestamp::from_second(at.as_second().clamp(0, LAST)).map_or(at, |second| {
        if second.as_second() == at.as_second() {
            at
        } else {
            second
        }
    });
    at.strftime("%Y-%m-%d %H:%M:%S%.6f").to_string()
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
fn objects(question: &Question, sql: &mut Statement) {
    if let Some(image) = &question.image {
        sql.text(
            "position(concat(coalesce(image, ''), ' ', coalesce(image_id, '')), ?) > 0",
            image,
        );
    }
    if let Some(ip) = question.ip {
        sql.text("has(pod_ips, ?)", &ip.to_canonical().to_string());
    }
    if let Some(id) = &question.container_id {
        let id = id.split_once("://").map_or(&**id, |(_, id)| id);
        sql.text("startsWith(lower(container_id), ?)", &id.to_lowercase());
    }
    if let Some(uid) = question.uid {
        sql.and("pod_uid = ?", "UUID", Value::Text(uid.to_string()));
    }
}

/// What comes behind the cursor in the order of answers.
fn after<L: Life>(cursor: &Cursor, sql: &mut Statement) {
    let (container, container_id) = L::Row::CONTAINER;
    let start = Timestamp::from_microsecond(cursor.start).unwrap_or(Timestamp::MIN);
    let place = sql.values.len();
    let names: Vec<String> = (place..place + 4).map(|n| format!("p{n}")).collect();
    sql.conditions.push(format!(
        "({}, pod_uid, {container}, {container_id}) > \
         ({{{}:DateTime64(6, 'UTC')}}, {{{}:UUID}}, {{{}:String}}, {{{}:String}})",
        L::Row::START,
        names[0],
        names[1],
        names[2],
        names[3]
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

fn time(micros: Option<i64>, whole_seconds: bool) -> Option<Time> {
    let instant = Timestamp::from_microsecond(micros?).ok()?;
    Some(Time {
        instant,
        whole_seconds,
    })
}

/// One row of the view `containers`.
#[derive(Deserialize, driver::Row)]
pub struct ContainerRow {
    cluster: String,
    namespace: String,
    workload_kind: Option<String>,
    workload: Option<String>,
    pod: String,
    #[serde(with = "driver::serde::uuid")]
    pod_uid: uuid::Uuid,
    container: String,
    kind: String,
    container_id: String,
    runtime: Option<String>,
    image: Option<String>,
    image_id: Option<String>,
    node: Option<String>,
    pod_ips: Vec<String>,
    restart: u32,
    started_at: Option<i64>,
    ended_at: Option<i64>,
    end_seen: bool,
    exit_code: Option<i32>,
    signal: Option<i32>,
    reason: Option<String>,
    pod_created_at: Option<i64>,
    pod_removed_at: Option<i64>,
    ended_by: Option<String>,
    ended_why: Option<String>,
    ended_cause: Option<String>,
    unknown: Vec<String>,
    first_seen: i64,
}

impl Row<Container> for ContainerRow {
    const SELECT: &'static str = "cluster, namespace, workload_kind, workload, pod, pod_uid, \
        container, kind, container_id, runtime, image, image_id, node, pod_ips, restart, \
        started_at, ended_at, end_seen, exit_code, signal, reason, pod_created_at, \
        pod_removed_at, ended_by, ended_why, ended_cause, unknown, first_seen";
    const START: &'static str = "coalesce(started_at, first_seen)";
    // An end in whole seconds may have been anywhere in its second.
    const END: &'static str = "(ended_at + toIntervalSecond(end_seen))";
    const CONTAINER: (&'static str, &'static str) = ("container", "container_id");

    fn cursor(&self) -> Cursor {
        Cursor {
            start: self.started_at.unwrap_or(self.first_seen),
            pod_uid: self.pod_uid,
            container: self.container.clone(),
            container_id: self.container_id.clone(),
        }
    }

    fn life(self) -> Container {
        Container {
            cluster: self.cluster,
            namespace: self.namespace,
            workload_kind: self.workload_kind,
            workload: self.workload,
            pod: self.pod,
            pod_uid: self.pod_uid,
            container: self.container,
            kind: self.kind,
            container_id: self.container_id,
            runtime: self.runtime,
            image: self.image,
            image_id: self.image_id,
            node: self.node,
            pod_ips: self.pod_ips,
            restart: self.restart,
            started_at: time(self.started_at, true),
            ended_at: time(self.ended_at, self.end_seen),
            end_seen: self.end_seen,
            exit_code: self.exit_code,
            signal: self.signal,
            reason: self.reason,
            pod_created_at: time(self.pod_created_at, true),
            pod_removed_at: time(self.pod_removed_at, false),
            ended_by: self.ended_by,
            ended_why: self.ended_why,
            ended_cause: self.ended_cause,
            unknown: self.unknown,
        }
    }
}

/// One row of the view `pods`.
#[derive(Deserialize, driver::Row)]
pub struct PodRow {
    cluster: String,
    namespace: String,
    workload_kind: Option<String>,
    workload: Option<String>,
    pod: String,
    #[serde(with = "driver::serde::uuid")]
    pod_uid: uuid::Uuid,
    node: Option<String>,
    pod_ips: Vec<String>,
    labels: Vec<(String, String)>,
    service_account: Option<String>,
    created_at: Option<i64>,
    created_by: Option<String>,
    scheduled_at: Option<i64>,
    started_at: Option<i64>,
    delete_asked_at: Option<i64>,
    delete_asked_by: Option<String>,
    removed_at: Option<i64>,
    phase: Option<String>,
    ended_by: Option<String>,
    ended_why: Option<String>,
    ended_cause: Option<String>,
    containers: u64,
    restarts: u64,
    unknown: Vec<String>,
    first_seen: i64,
}

impl Row<Pod> for PodRow {
    const SELECT: &'static str = "cluster, namespace, workload_kind, workload, pod, pod_uid, node, \
        pod_ips, labels, service_account, created_at, created_by, scheduled_at, started_at, \
        delete_asked_at, delete_asked_by, removed_at, phase, ended_by, ended_why, ended_cause, \
        containers, restarts, unknown, first_seen";
    const START: &'static str = "coalesce(created_at, first_seen)";
    const END: &'static str = "removed_at";
    const CONTAINER: (&'static str, &'static str) = ("''", "''");

    fn cursor(&self) -> Cursor {
        Cursor {
            start: self.created_at.unwrap_or(self.first_seen),
            pod_uid: self.pod_uid,
            container: String::new(),
            container_id: String::new(),
        }
    }

    fn life(self) -> Pod {
        Pod {
            cluster: self.cluster,
            namespace: self.namespace,
            workload_kind: self.workload_kind,
            workload: self.workload,
            pod: self.pod,
            pod_uid: self.pod_uid,
            node: self.node,
            pod_ips: self.pod_ips,
            labels: self.labels.into_iter().collect(),
            service_account: self.service_account,
            created_at: time(self.created_at, true),
            created_by: self.created_by,
            scheduled_at: time(self.scheduled_at, false),
            started_at: time(self.started_at, true),
            delete_asked_at: time(self.delete_asked_at, false),
            delete_asked_by: self.delete_asked_by,
            removed_at: time(self.removed_at, false),
            phase: self.phase,
            ended_by: self.ended_by,
            ended_why: self.ended_why,
            ended_cause: self.ended_cause,
            containers: self.containers,
            restarts: self.restarts,
            unknown: self.unknown,
        }
    }
}
