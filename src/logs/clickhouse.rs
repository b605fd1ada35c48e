//! Lines in a table of ClickHouse, one a row.
//!
//! One statement streams the whole answer. Where the connection breaks, it is asked again from the last line on.

mod seen;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use ::clickhouse::Row;
use ::clickhouse::query::RowCursor;
use jiff::Timestamp;
use serde::Deserialize;

use super::conditions::Condition;
use super::config::Config;
use super::layout::Fields;
use super::line::Line;
use super::query::Query;
use super::resume::Resume;
use super::{Error, OwnStore, PAGE_LINES};
use crate::clickhouse as own;

/// How often an answer may break off without a line in between.
const BREAKS_MAX: u32 = 3;

/// Rows that can't be among the first so many are skipped before their lines are read, by default only up to a thousand. No
/// limit: of 10,000 lines out of 200,000 that costs 12 ms of CPU instead of 60.
const TOP_K: (&str, &str) = ("query_plan_max_limit_for_top_k_optimization", "0");

/// A table, and where the parts of its rows are.
#[derive(Clone)]
pub struct Table {
    store: Arc<OwnStore>,
    name: String,
    /// Database and table, quoted.
    table: String,
    columns: Columns,
    /// The columns that the table must have.
    needed: BTreeSet<String>,
    /// Whether there is no `time_index`: OpenTelemetry's newer exporters make tables that are indexed by the time itself.
    lacks_time_index: Arc<AtomicBool>,
    sets_top_k: bool,
    /// Whether the server does not know [`TOP_K`], or the account may not set it.
    lacks_top_k: Arc<AtomicBool>,
    seconds_max: u64,
}

/// Expressions of SQL that were made of the names in the configuration.
#[derive(Clone)]
struct Columns {
    time: String,
    time_index: Option<String>,
    stream: String,
    line: String,
    tie_break: Option<String>,
}

#[derive(Row, Deserialize)]
struct Record {
    at: i64,
    stream: String,
    #[serde(with = "serde_bytes")]
    line: Vec<u8>,
}

impl Table {
    pub fn open(
        config: &Config,
        from: &str,
        fields: &Fields,
        own: Option<&Arc<OwnStore>>,
    ) -> Result<Table, Error> {
        let wrong = |cause: String| Error::Config {
            store: config.name.clone(),
            cause,
        };
        let store = match (&config.address, own) {
            (None, Some(own)) => own.clone(),
            (None, None) => return Err(wrong("an address is needed".to_owned())),
            (Some(address), _) => {
                let opened = OwnStore::open(&own::Config {
                    url: Some(address.clone()),
                    user: config.user.clone().unwrap_or_else(|| "default".to_owned()),
                    password_file: config.password_file.clone(),
                    database: "default".to_owned(),
                    tls: config.tls.clone(),
                    ..own::Config::default()
                });
                Arc::new(opened.map_err(|error| wrong(error.to_string()))?)
            }
        };
        let table = table(from).map_err(wrong)?;
        let expression = |field: &str| column(field).map_err(wrong);
        let optional = |field: &Option<String>| field.as_deref().map(&expression).transpose();
        let lines = fields.line.iter().map(|field| expression(field));
        let lines = lines.collect::<Result<Vec<_>, _>>()?;
        let line = match lines.as_slice() {
            [] => return Err(wrong("fields.line must name a column".to_owned())),
            [one] => text(one),
            several => {
                let filled = several
                    .iter()
                    .map(|line| format!("nullIf({}, '')", text(line)));
                format!(
                    "ifNull(coalesce({}), '')",
                    filled.collect::<Vec<_>>().join(", ")
                )
            }
        };
        let time = fields.time.as_deref().unwrap_or("Timestamp");
        Ok(Table {
            store,
            name: config.name.clone(),
            table,
            columns: Columns {
                time: expression(time)?,
                time_index: optional(&fields.time_index)?,
                stream: optional(&fields.stream)?.map_or("''".to_owned(), |stream| text(&stream)),
                line,
                tie_break: optional(&fields.tie_break)?,
            },
            needed: needed(fields, time),
            lacks_time_index: Arc::default(),
            sets_top_k: true,
            lacks_top_k: Arc::default(),
            seconds_max: config.timeout_seconds,
        })
    }

    pub fn pages(&self, query: Query) -> Pages {
        let mut table = self.clone();
        if self.lacks_time_index.load(Relaxed) {
            table.columns.time_index = None;
        }
        table.sets_top_k = !self.lacks_top_k.load(Relaxed);
        Pages {
            table,
            query,
            cursor: None,
            resume: Resume::default(),
            breaks: 0,
        }
    }

    fn failure(&self, error: own::Error) -> Error {
        let store = self.name.clone();
        match error {
            own::Error::Unreachable { cause, .. } => Error::Unreachable { store, cause },
            own::Error::Silent { seconds_max, .. } => Error::Silent { store, seconds_max },
            own::Error::Password { user, .. } => Error::Credentials {
                store,
                status: format!("user {user}"),
            },
            own::Error::Refused { code, message, .. } => self.refusal(code, message),
            own::Error::NoDatabase { .. } => self.missing("table"),
            other => Error::Unreadable {
                store,
                cause: other.to_string(),
            },
        }
    }

    /// By ClickHouse's codes.
    fn refusal(&self, code: u32, said: String) -> Error {
        let store = self.name.clone();
        match code {
            // UNKNOWN_IDENTIFIER.
            47 => self.missing("one of the columns in table"),
            // UNKNOWN_TABLE.
            60 => self.missing("table"),
            // TIMEOUT_EXCEEDED.
            159 => Error::Silent {
                store,
                seconds_max: self.seconds_max,
            },
            // ACCESS_DENIED.
            497 => Error::Credentials {
                store,
                status: said,
            },
            _ => Error::Refused {
                store,
                status: format!("code {code}"),
                said,
            },
        }
    }

    fn missing(&self, what: &str) -> Error {
        Error::Missing {
            store: self.name.clone(),
            what: format!("{what} {}", self.table.replace('`', "")),
        }
    }

    /// The statement; its values are bound.
    fn statement(&self, query: &Query, from: Option<Timestamp>) -> ::clickhouse::query::Query {
        let Columns {
            time,
            time_index,
            stream,
            line,
            tie_break,
        } = &self.columns;
        let mut span = query.span;
        // The last instant once more: until is exclusive.
        match (from, query.newest_first) {
            (Some(at), false) => span.from = at,
            (Some(at), true) => {
                span.until = at
                    .checked_add(jiff::Span::new().nanoseconds(1))
                    .unwrap_or(at);
            }
            (None, _) => {}
        }
        let (from, until) = (nanoseconds(span.from), nanoseconds(span.until));
        let mut sql = format!(
            "SELECT toUnixTimestamp64Nano(toDateTime64({time}, 9)) AS at, {stream} AS stream, \
             {line} AS line FROM {} WHERE {time} >= fromUnixTimestamp64Nano(?) \
             AND {time} < fromUnixTimestamp64Nano(?)",
            self.table
        );
        let mut values = vec![Value::Time(from), Value::Time(until)];
        if let Some(index) = time_index {
            sql.push_str(&format!(
                " AND {index} >= toDateTime(?) AND {index} <= toDateTime(?)"
            ));
            let second = |nanoseconds: i64| nanoseconds.div_euclid(1_000_000_000);
            // DateTime ends in 2106.
            let within = |second: i64| second.clamp(0, u32::MAX.into());
            values.push(Value::Time(within(second(from))));
            values.push(Value::Time(within(second(until))));
        }
        for condition in &query.conditions {
            values.push(add(&mut sql, condition));
        }
        if let Some(re2) = query.grep.as_ref().and_then(|grep| grep.re2()) {
            // RE2 finds nothing around bytes that are not UTF-8.
            sql.push_str(&format!(
                " AND (match({line}, ?) OR NOT isValidUTF8({line}))"
            ));
            values.push(Value::Text(re2.to_owned()));
        }
        let direction = if query.newest_first { "DESC" } else { "ASC" };
        sql.push_str(&format!(" ORDER BY {time} {direction}"));
        if let Some(tie_break) = tie_break {
            sql.push_str(&format!(", {tie_break} {direction}"));
        }
        if let (Some(lines), true) = (query.lines_max, query.grep.is_none()) {
            sql.push_str(&format!(" LIMIT {lines}"));
        }
        let mut statement = self.store.query(&sql);
        if self.sets_top_k {
            statement = statement.with_setting(TOP_K.0, TOP_K.1);
        }
        values
            .into_iter()
            .fold(statement, |bound, value| match value {
                Value::Time(time) => bound.bind(time),
                Value::Text(text) => bound.bind(text),
                Value::Texts(texts) => bound.bind(texts),
            })
    }
}

/// The columns of fields, without keys and parts.
fn needed(fields: &Fields, time: &str) -> BTreeSet<String> {
    let found_by = [&fields.namespace, &fields.pod, &fields.uid];
    let found_by = found_by.into_iter().flatten();
    let named = found_by.chain(&fields.line).map(String::as_str);
    let columns = named
        .chain([time])
        .filter_map(|field| field.split(['.', '[']).next());
    let columns = columns.filter(|name| identifier(name).is_some());
    columns.map(str::to_owned).collect()
}

enum Value {
    Time(i64),
    Text(String),
    Texts(Vec<String>),
}

/// Adds a condition, and returns the value of its `?`.
fn add(sql: &mut String, condition: &Condition) -> Value {
    let field = expression(condition.field()).map_or("''".to_owned(), |field| text(&field));
    match condition {
        Condition::Is { values, .. } => {
            sql.push_str(&format!(" AND {field} IN ?"));
            Value::Texts(values.clone())
        }
        Condition::Contains { part, .. } => {
            sql.push_str(&format!(" AND position({field}, ?) > 0"));
            Value::Text(part.clone())
        }
        Condition::Present { .. } => {
            sql.push_str(&format!(" AND {field} != ?"));
            Value::Text(String::new())
        }
    }
}

/// What ClickHouse's times can hold: 1900 to 2262.
fn nanoseconds(at: Timestamp) -> i64 {
    i64::try_from(at.as_nanosecond()).unwrap_or(if at < Timestamp::UNIX_EPOCH {
        0
    } else {
        i64::MAX
    })
}

/// `table` or `database.table`, quoted.
///
/// # Errors
///
/// When it is neither.
pub fn table(from: &str) -> Result<String, String> {
    let parts = from.split('.').map(identifier).collect::<Option<Vec<_>>>();
    let parts = parts.filter(|parts| parts.len() <= 2);
    let parts = parts.ok_or_else(|| format!("invalid table {from:?}"))?;
    Ok(parts.join("."))
}

/// A column as SQL.
///
/// # Errors
///
/// When the field is none.
pub fn column(field: &str) -> Result<String, String> {
    expression(field)
        .ok_or_else(|| format!("invalid column {field:?}: use Column, Column.part or Map['key']"))
}

/// An expression as text; "" where a row has nothing there, as in a column of type JSON.
fn text(expression: &str) -> String {
    format!("ifNull(toString({expression}), '')")
}

/// A name in backquotes.
fn identifier(name: &str) -> Option<String> {
    let mut characters = name.chars();
    let first = characters.next()?;
    let is_plain = (first.is_ascii_alphabetic() || first == '_')
        && characters.all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    is_plain.then(|| format!("`{name}`"))
}

/// `Column`, `Column.part` of a JSON or Tuple, or `Map['key']`, as SQL.
fn expression(field: &str) -> Option<String> {
    if let Some((map, key)) = field
        .strip_suffix("']")
        .and_then(|field| field.split_once("['"))
    {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-/".contains(c);
        return key
            .chars()
            .all(is_plain)
            .then(|| Some(format!("{}['{key}']", identifier(map)?)))?;
    }
    let parts = field
        .split('.')
        .map(identifier)
        .collect::<Option<Vec<_>>>()?;
    Some(parts.join("."))
}

/// An answer on its way.
pub struct Pages {
    table: Table,
    query: Query,
    cursor: Option<RowCursor<Record>>,
    resume: Resume,
    breaks: u32,
}

impl Pages {
    pub async fn next(&mut self) -> Result<Vec<Line>, Error> {
        let mut lines = Vec::new();
        while lines.len() < PAGE_LINES {
            match self.line().await {
                Ok(Some(line)) => {
                    self.breaks = 0;
                    if self.resume.is_new(&line) {
                        lines.push(line);
                    }
                }
                Ok(None) => break,
                Err(error) if self.lacks_time_index(&error) => {
                    self.table.columns.time_index = None;
                    self.table.lacks_time_index.store(true, Relaxed);
                    self.cursor = None;
                }
                Err(error) if self.lacks_top_k(&error) => {
                    self.table.sets_top_k = false;
                    self.table.lacks_top_k.store(true, Relaxed);
                    self.cursor = None;
                }
                Err(error) if error.is_away() && self.breaks < BREAKS_MAX => {
                    self.breaks += 1;
                    self.cursor = None;
                    tokio::time::sleep(Duration::from_millis(100 << self.breaks)).await;
                }
                Err(error) => return Err(self.table.failure(error)),
            }
        }
        Ok(lines)
    }

    /// Whether that is the error, which comes before any line. Without the column the next answer tells.
    fn lacks_time_index(&self, error: &own::Error) -> bool {
        // UNKNOWN_IDENTIFIER.
        matches!(error, own::Error::Refused { code: 47, .. })
            && self.table.columns.time_index.is_some()
    }

    fn lacks_top_k(&self, error: &own::Error) -> bool {
        // UNKNOWN_SETTING; READONLY, SETTING_CONSTRAINT_VIOLATION.
        let is_refused = matches!(
            error,
            own::Error::Refused {
                code: 115 | 164 | 452,
                ..
            }
        );
        is_refused && self.table.sets_top_k
    }

    async fn line(&mut self) -> Result<Option<Line>, own::Error> {
        let store = &self.table.store;
        let cursor = match &mut self.cursor {
            Some(cursor) => cursor,
            None => {
                let from = self.resume.begin();
                let statement = self.table.statement(&self.query, from);
                let sent = &self.query.sent;
                sent.note(|| statement.sql_display().to_string());
                let opened = statement.fetch::<Record>();
                self.cursor
                    .insert(opened.map_err(|error| store.error(error))?)
            }
        };
        let record = store.within(self.table.seconds_max, cursor.next()).await?;
        Ok(record.map(|record| {
            let at = Timestamp::from_nanosecond(record.at.into()).unwrap_or(Timestamp::MAX);
            Line::new(at, &record.stream, record.line)
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_columns_become_sql() {
        for (field, sql) in [
            ("Body", Some("`Body`")),
            ("Map['k8s.pod.uid']", Some("`Map`['k8s.pod.uid']")),
            ("kubernetes.pod_name", Some("`kubernetes`.`pod_name`")),
            ("Body) FROM secrets --", None),
            ("Map['a'] = 'b']", None),
            ("Map['it''s']", None),
            ("", None),
        ] {
            assert_eq!(expression(field).as_deref(), sql, "{field}");
        }
    }
}
