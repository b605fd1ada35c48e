//! The SQL of questions.

use std::sync::Arc;

use ::clickhouse as driver;
use driver::query::{Query, RowCursor};
use jiff::Timestamp;

use super::model::{Cost, Ending, Life};
use super::rows::PodLifeRow;
use super::{Cursor, Error, Question, ROWS_MAX, Requirement, view};
use crate::clickhouse::Store;

/// How long ClickHouse may work on a question.
pub(super) const QUESTION_SECONDS_MAX: &str = "60";

/// A row as ClickHouse sends it.
pub trait Row<L>:
    driver::RowOwned + driver::RowRead + for<'a> driver::Row<Value<'a> = Self> + Send
{
    const SELECT: &'static str;
    /// The view of everything; with `_between`, of what lived between two instants.
    const VIEW: &'static str;
    /// The view of one pod, by its uid.
    const BY_UID: &'static str;
    /// Whether `containers_by_id` has these rows.
    const BY_ID: Option<()>;
    /// The views by address and by node, where these rows have one.
    const BY_IP: Option<&'static str>;
    const BY_NODE: Option<&'static str>;
    /// The two last parts of the order, which pods do not have.
    const CONTAINER: (&'static str, &'static str);

    /// A condition on a column that only containers have: `?` is the condition.
    const OF_CONTAINER: &'static str;

    fn cursor(&self) -> Cursor;
    fn life(self) -> L;
}

/// Rows that come in as they are read.
pub struct Answer<L: Life> {
    store: Arc<Store>,
    pending: Statement,
    /// The question's own, where its cost is asked for.
    explained: Option<Statement>,
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
        let row = self.store.within_limit(self.rows.next()).await?;
        let Some(row) = row else { return Ok(None) };
        if self.given == self.limit {
            self.more = true;
            return Ok(None);
        }
        self.given += 1;
        self.last = Some(row.cursor());
        Ok(Some(row.life()))
    }

    /// After the last row: how the answer ended.
    ///
    /// # Errors
    ///
    /// When ClickHouse does not tell.
    pub async fn ending(&mut self) -> Result<Ending, Error> {
        let cursor = self.last.as_ref().filter(|_| self.more);
        let pending = self.pending.clone().bind(&self.store);
        let cost = match &self.explained {
            Some(statement) => Some(cost(&self.store, statement.clone()).await?),
            None => None,
        };
        Ok(Ending {
            more: self.more,
            cursor: cursor.map(ToString::to_string),
            pending: self.store.within_limit(pending.fetch_one::<u64>()).await?,
            cost,
        })
    }
}

pub(super) fn ask<L: Life>(store: &Arc<Store>, question: &Question) -> Result<Answer<L>, Error> {
    let limit = question.limit.unwrap_or(ROWS_MAX);
    if limit > ROWS_MAX {
        return Err(Error::Limit(limit));
    }
    let statement = statement::<L>(question, limit);
    let explained = question.explain.then(|| statement.clone());
    let query = statement.bind(store);
    let rows = query.fetch().map_err(|error| store.error(error))?;
    Ok(Answer {
        store: store.clone(),
        pending: pending(question),
        explained,
        rows,
        limit,
        given: 0,
        last: None,
        more: false,
    })
}

/// What one page tells of a pod beyond the columns of `pods`.
pub(super) async fn pod_life(
    store: &Store,
    uid: uuid::Uuid,
    question: &Question,
) -> Result<Option<PodLifeRow>, Error> {
    let mut statement = Statement::default();
    let uid = statement.value("UUID", Value::Text(uid.to_string()));
    scope(question, &mut statement);
    // The driver knows no names inside of tuples.
    statement.sql = format!(
        "SELECT owner_kind, owner, first_seen, \
         CAST(ips, 'Array(Tuple(String, DateTime64(6, \\'UTC\\')))') AS ips, restart_counts, \
         CAST(waiting, 'Array(Tuple(String, String))') AS waiting, status_reason, \
         terminal_at, delete_asked_at, delete_asked_by, evict_asked_at, evict_asked_by, \
         force_asked_at, force_asked_by, \
         CAST(asked_events, 'Array(Tuple(DateTime64(6, \\'UTC\\'), String))') AS asked_events, \
         disrupted_at, disrupted_why, replaced_at, gone_by, \
         pending FROM pod_life(uid = {uid}){}",
        statement.filter()
    );
    let query = statement.bind(store);
    let row = store.within_limit(query.fetch_optional::<PodLifeRow>());
    Ok(row.await?)
}

/// What ClickHouse reads for a question, found by asking it once more.
async fn cost(store: &Store, statement: Statement) -> Result<Cost, Error> {
    // The totals come with the head of an answer only if that waits for its end.
    let query = statement.bind(store).with_setting("wait_end_of_query", "1");
    let mut nothing = query
        .fetch_bytes("Null")
        .map_err(|error| store.error(error))?;
    while store.within_limit(nothing.next()).await?.is_some() {}
    let summary = nothing.summary();
    Ok(Cost {
        rows_read: summary.and_then(|summary| summary.read_rows()).unwrap_or(0),
        bytes_read: summary
            .and_then(|summary| summary.read_bytes())
            .unwrap_or(0),
    })
}

fn statement<L: Life>(question: &Question, limit: u64) -> Statement {
    let mut statement = Statement::default();
    let view = view::of::<L>(question, &mut statement);
    conditions::<L>(question, &mut statement);
    let (container, container_id) = L::Row::CONTAINER;
    statement.sql = format!(
        "SELECT {} FROM {view}{} ORDER BY began_at, pod_uid, {container}, {container_id} LIMIT {}",
        L::Row::SELECT,
        statement.filter(),
        // One more than asked for tells whether more follow.
        limit + 1
    );
    statement
}

/// Counts the lives in the question's scope that the next settling may tell more about.
fn pending(question: &Question) -> Statement {
    let mut statement = Statement::default();
    scope(question, &mut statement);
    if let Some(until) = question.time.until {
        instant(&mut statement, "began_at < ?", until);
    }
    statement.sql = format!("SELECT count() FROM pending_lives{}", statement.filter());
    statement
}

/// Conditions, and the values of their parameters: what people give never becomes SQL.
#[derive(Clone, Default)]
pub(super) struct Statement {
    sql: String,
    conditions: Vec<String>,
    values: Vec<(String, Value)>,
}

#[derive(Clone)]
pub(super) enum Value {
    Text(String),
    Texts(Vec<String>),
}

impl Statement {
    /// Takes up a value. Returns what stands for it in the SQL; `kind` is its ClickHouse type.
    pub(super) fn value(&mut self, kind: &str, value: Value) -> String {
        let name = format!("p{}", self.values.len());
        let place = format!("{{{name}:{kind}}}");
        self.values.push((name, value));
        place
    }

    /// Adds a condition whose `?` stands for the value, of the ClickHouse type `kind`.
    fn and(&mut self, condition: &str, kind: &str, value: Value) {
        let place = self.value(kind, value);
        self.conditions.push(condition.replace('?', &place));
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

    fn bind(self, store: &Store) -> Query {
        let query = store
            .query(&self.sql)
            .with_setting("max_execution_time", QUESTION_SECONDS_MAX);
        self.values
            .into_iter()
            .fold(query, |query, (name, value)| match value {
                Value::Text(text) => query.param(&name, text),
                Value::Texts(texts) => query.param(&name, texts),
            })
    }
}

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

fn conditions<L: Life>(question: &Question, sql: &mut Statement) {
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

fn instant(sql: &mut Statement, condition: &str, at: Timestamp) {
    sql.and(
        condition,
        "DateTime64(6, 'UTC')",
        Value::Text(datetime64(at)),
    );
}

/// As ClickHouse reads a `DateTime64(6, 'UTC')`, whose calendar ends with the year 2299.
pub(super) fn datetime64(at: Timestamp) -> String {
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
fn objects<L: Life>(question: &Question, sql: &mut Statement) {
    if let Some(image) = &question.image {
        let part = "position(concat(coalesce(image, ''), ' ', coalesce(image_id, '')), ?) > 0";
        sql.text(&L::Row::OF_CONTAINER.replace('?', part), image);
    }
    if let Some(ip) = question.ip {
        // A pod on its node's network has the node's address and does not own it.
        let owned = "has(pod_ips, ?) AND NOT host_network";
        sql.text(owned, &ip.to_canonical().to_string());
    }
    if let Some(id) = &question.container_id {
        let head = L::Row::OF_CONTAINER.replace('?', "startsWith(lower(container_id), ?)");
        sql.text(&head, &bare_id(id));
    }
    if let Some(uid) = question.uid {
        sql.and("pod_uid = ?", "UUID", Value::Text(uid.to_string()));
    }
}

/// As it stands in the tables: lower case, without `runtime://`.
pub(super) fn bare_id(id: &str) -> String {
    let id = id.split_once("://").map_or(id, |(_, id)| id);
    id.to_lowercase()
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
