//! The SQL of questions.

use std::sync::Arc;

use ::clickhouse as driver;
use driver::query::{Query, RowCursor};
use jiff::Timestamp;

use super::model::Life;
use super::{Cursor, Error, Question, ROWS_MAX, Requirement};
use crate::clickhouse::Store;

/// How long ClickHouse may work on a question.
const QUESTION_SECONDS_MAX: &str = "60";

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

    /// A condition on a column that only containers have: `?` is the condition.
    const OF_CONTAINER: &'static str;

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
    let query = statement
        .bind(store.query(&sql))
        .with_setting("max_execution_time", QUESTION_SECONDS_MAX);
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
    if !question.clusters.is_empty() {
        sql.and(
            "has(?, cluster)",
            "Array(String)",
            Value::Texts(question.clusters.clone()),
        );
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
fn objects<L: Life>(question: &Question, sql: &mut Statement) {
    if let Some(image) = &question.image {
        let part = "position(concat(coalesce(image, ''), ' ', coalesce(image_id, '')), ?) > 0";
        sql.text(&L::Row::OF_CONTAINER.replace('?', part), image);
    }
    if let Some(ip) = question.ip {
        sql.text("has(pod_ips, ?)", &ip.to_canonical().to_string());
    }
    if let Some(id) = &question.container_id {
        let id = id.split_once("://").map_or(&**id, |(_, id)| id);
        let head = L::Row::OF_CONTAINER.replace('?', "startsWith(lower(container_id), ?)");
        sql.text(&head, &id.to_lowercase());
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
