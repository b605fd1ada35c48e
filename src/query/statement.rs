//! A statement in the making: SQL, and the values of its parameters.

use ::clickhouse as driver;
use driver::query::Query;
use jiff::Timestamp;

use super::newest::Stored;
use super::{Cursor, Question};
use crate::clickhouse::Store;

/// How long ClickHouse may work on a question.
const QUESTION_SECONDS_MAX: &str = "60";

/// A column, what stands in its place where it is not asked for, and whether it is.
pub(super) type Wanted = (&'static str, &'static str, bool);

/// A row as ClickHouse sends it.
pub trait Row<L>:
    driver::RowOwned + driver::RowRead + for<'a> driver::Row<Value<'a> = Self> + Stored + Send
{
    /// Each with its default expression, for fields that were not requested.
    const COLUMNS: &'static [(&'static str, &'static str)];
    /// The same of those that only a look-up has.
    const OF_LOOK_UP: &'static [(&'static str, &'static str)];
    /// The view of everything; with `_between`, of what lived between two instants.
    const VIEW: &'static str;
    /// The view of one pod, by its uid, where these rows are of one.
    const BY_UID: Option<&'static str>;
    /// Whether these are containers: `containers_by_id` has those.
    const BY_ID: Option<()>;
    /// The views by address and by node, where these rows have one.
    const BY_IP: Option<&'static str>;
    const BY_NODE: Option<&'static str>;
    const ORDER: &'static str;
    /// The second column of that, a UUID.
    const ID: &'static str;
    /// The last two columns of that, and their defaults in a cursor.
    const CONTAINER: (&'static str, &'static str);

    /// The column with the name of a container, where these rows have one.
    const CONTAINER_NAME: Option<&'static str>;

    /// A filter of the question that these rows have nothing for.
    fn unfit(question: &Question) -> Option<&'static str>;
    fn cursor(&self) -> Cursor;
    fn life(self) -> L;
}

/// How much memory it may take for that, in bytes: of four questions at once a quarter of the embedded engine's is left.
const QUESTION_BYTES_MAX: &str = "805306368";

/// Joins, conditions, and the values of their parameters: what people give never becomes SQL.
#[derive(Clone, Default)]
pub(super) struct Statement {
    pub(super) sql: String,
    /// Whether the database that is asked has views of all shards, and no tables.
    pub(super) spans_shards: bool,
    pub(super) joins: Vec<String>,
    pub(super) conditions: Vec<String>,
    pub(super) values: Vec<(String, Value)>,
}

#[derive(Clone)]
pub(super) enum Value {
    Text(String),
    Texts(Vec<String>),
}

impl Statement {
    /// Binds a value. Returns its placeholder in the SQL; `kind` is its ClickHouse type.
    pub(super) fn value(&mut self, kind: &str, value: Value) -> String {
        let name = format!("p{}", self.values.len());
        let place = format!("{{{name}:{kind}}}");
        self.values.push((name, value));
        place
    }

    /// Adds a condition in which `?` is the value, of the ClickHouse type `kind`.
    pub(super) fn and(&mut self, condition: &str, kind: &str, value: Value) {
        let place = self.value(kind, value);
        self.conditions.push(condition.replace('?', &place));
    }

    pub(super) fn text(&mut self, condition: &str, value: &str) {
        self.and(condition, "String", Value::Text(value.to_owned()));
    }

    pub(super) fn filter(&self) -> String {
        if self.conditions.is_empty() {
            String::new()
        } else {
            format!(" WHERE {}", self.conditions.join(" AND "))
        }
    }

    pub(super) fn bind(self, store: &Store) -> Query {
        let query = bounded(store.query(&self.sql));
        self.values
            .into_iter()
            .fold(query, |query, (name, value)| match value {
                Value::Text(text) => query.param(&name, text),
                Value::Texts(texts) => query.param(&name, texts),
            })
    }
}

/// With what holds for every question.
pub(super) fn bounded(query: Query) -> Query {
    query
        .with_setting("max_execution_time", QUESTION_SECONDS_MAX)
        .with_setting("max_memory_usage", QUESTION_BYTES_MAX)
        // Nobody waits for the rest.
        .with_setting("cancel_http_readonly_queries_on_client_close", "1")
        // A view reads recent lives twice: to show them, and to leave them out of those that ended. A life that is filed
        // between the two would be there twice or not at all.
        .with_setting("enable_shared_storage_snapshot_in_query", "1")
        // Conditions are about columns, also about those in whose place something else is shown.
        .with_setting("prefer_column_name_to_alias", "1")
}

/// 2200-01-01, the end of what lives: as SQL, and in microseconds.
pub(super) const NEVER: &str = "toDateTime64('2200-01-01 00:00:00', 6, 'UTC')";
pub(super) const NEVER_MICROS: i64 = 7_258_118_400_000_000;

/// The last second of ClickHouse's calendar, of the year 2299.
const LAST: i64 = 10_413_791_999;

/// Whether a `DateTime64(6, 'UTC')` can hold this many microseconds.
pub(super) fn is_datetime64(micros: i64) -> bool {
    (0..=LAST).contains(&micros.div_euclid(1_000_000))
}

/// As ClickHouse reads a `DateTime64(6, 'UTC')`.
pub(super) fn datetime64(at: Timestamp) -> String {
    let at = Timestamp::from_second(at.as_second().clamp(0, LAST)).map_or(at, |second| {
        if second.as_second() == at.as_second() {
            at
        } else {
            second
        }
    });
    at.strftime("%Y-%m-%d %H:%M:%S%.6f").to_string()
}

/// As stored in the tables: lower case, without `runtime://`.
pub(super) fn bare_id(id: &str) -> String {
    let id = id.split_once("://").map_or(id, |(_, id)| id);
    id.to_lowercase()
}
