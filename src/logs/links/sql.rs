//! Queries of ClickHouse.

use crate::logs::clickhouse::{column, table};
use crate::logs::conditions::Condition;
use crate::logs::layout::Fields;

/// Lines that a page is asked for: a browser has to hold them.
const LINES_MAX: usize = 5_000;

/// The times of a query.
pub enum Times {
    /// The macros of Grafana's data source, which stand for the page's own range.
    Macros,
    /// Milliseconds since 1970.
    Given { from: i64, to: i64 },
}

impl Times {
    /// Start and end in milliseconds, and in whole seconds.
    fn words(&self) -> [String; 4] {
        match self {
            Times::Macros => {
                ["$__fromTime_ms", "$__toTime_ms", "$__fromTime", "$__toTime"].map(str::to_owned)
            }
            Times::Given { from, to } => [
                format!("fromUnixTimestamp64Milli({from})"),
                format!("fromUnixTimestamp64Milli({to})"),
                format!("toDateTime({})", from.div_euclid(1000)),
                format!("toDateTime({})", to.div_euclid(1000)),
            ],
        }
    }
}

/// A table, and the columns that a query shows.
pub struct Table {
    table: String,
    time: String,
    time_index: Option<String>,
    line: String,
}

impl Table {
    /// # Errors
    ///
    /// When a name is invalid.
    pub fn parse(from: &str, fields: &Fields) -> Result<Table, String> {
        let line = fields
            .line
            .first()
            .ok_or("fields.line must name a column")?;
        for field in fields.found_by() {
            column(field)?;
        }
        Ok(Table {
            table: table(from)?,
            time: column(fields.time.as_deref().unwrap_or("Timestamp"))?,
            time_index: fields.time_index.as_deref().map(column).transpose()?,
            line: column(line)?,
        })
    }

    /// The statement.
    pub fn query(&self, conditions: &[Condition], times: &Times) -> String {
        let [from, to, from_second, to_second] = times.words();
        let Table {
            table,
            time,
            time_index,
            line,
        } = self;
        let mut sql = format!(
            "SELECT {time} AS timestamp, toString({line}) AS body FROM {table} \
             WHERE {time} >= {from} AND {time} <= {to}"
        );
        if let Some(index) = time_index {
            sql.push_str(&format!(
                " AND {index} >= {from_second} AND {index} <= {to_second}"
            ));
        }
        for condition in conditions {
            sql.push_str(&format!(" AND {}", test(condition)));
        }
        sql.push_str(&format!(" ORDER BY {time} LIMIT {LINES_MAX}"));
        sql
    }
}

fn test(condition: &Condition) -> String {
    let field = column(condition.field()).unwrap_or_else(|_| "''".to_owned());
    match condition {
        Condition::Is { values, .. } => {
            let values: Vec<String> = values.iter().map(|value| literal(value)).collect();
            format!("toString({field}) IN ({})", values.join(", "))
        }
        Condition::Present { .. } => format!("toString({field}) != ''"),
        Condition::Contains { part, .. } => format!("position({field}, {}) > 0", literal(part)),
    }
}

/// A string literal.
fn literal(text: &str) -> String {
    let mut literal = String::from('\'');
    for character in text.chars() {
        if matches!(character, '\'' | '\\') {
            literal.push('\\');
        }
        literal.push(character);
    }
    literal.push('\'');
    literal
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_ends_a_literal_but_its_quote() {
        for (text, expected) in [
            ("", "''"),
            ("web-0", "'web-0'"),
            ("it's", r"'it\'s'"),
            (r"a\' OR 1 --", r"'a\\\' OR 1 --'"),
        ] {
            assert_eq!(literal(text), expected);
        }
    }
}
