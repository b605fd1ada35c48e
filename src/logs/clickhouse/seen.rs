//! What there is in the store: tables that could hold lines, and the columns of ours.

use serde_json::Value;

use super::{Table, identifier};
use crate::logs::Error;
use crate::logs::seen::Seen;

/// The largest answer: a row, or names of tables.
const ANSWER_BYTES_MAX: usize = 16 << 20;

/// Tables that are listed, and tried.
const TABLES_MAX: usize = 20;

impl Table {
    /// Tables with a time and a text, and the columns and keys of a row of ours.
    pub async fn seen(&self) -> Result<Vec<Seen>, Error> {
        let tables = self.tables("match(type, 'DateTime') OR match(type, 'String')", 2);
        let mut seen = vec![Seen::new("tables", tables.await?)];
        // It may not be there: the tables say what is.
        if let Ok(row) = self.row().await {
            let what = format!("columns of a row of {}", self.table.replace('`', ""));
            seen.push(Seen::new(what, columns(&row)));
        }
        Ok(seen)
    }

    /// Other tables that have the columns that lines are read from.
    pub async fn alike(&self) -> Result<Vec<String>, Error> {
        let quoted = self.needed.iter().map(|name| format!("'{name}'"));
        let is_one = format!("name IN ({})", quoted.collect::<Vec<_>>().join(", "));
        self.tables(&is_one, self.needed.len()).await
    }

    /// Tables with so many columns that a condition holds for, as `database.table`.
    async fn tables(&self, condition: &str, columns: usize) -> Result<Vec<String>, Error> {
        let sql = format!(
            "SELECT database || '.' || table FROM system.columns \
             WHERE lower(database) NOT IN ('system', 'information_schema') AND ({condition}) \
             GROUP BY database, table HAVING count() >= {columns} ORDER BY database, table LIMIT {TABLES_MAX}"
        );
        let text = self.text(&sql, "TSVRaw").await?;
        let tables = text.lines().filter(|name| {
            let mut parts = name.split('.');
            parts.all(|part| identifier(part).is_some())
        });
        Ok(tables.map(str::to_owned).collect())
    }

    async fn row(&self) -> Result<Value, Error> {
        let sql = format!("SELECT * FROM {} LIMIT 1", self.table);
        let text = self.text(&sql, "JSONEachRow").await?;
        Ok(serde_json::from_str(text.trim()).unwrap_or_default())
    }

    async fn text(&self, sql: &str, format: &str) -> Result<String, Error> {
        let answer = self.store.answer_as_text(sql, format);
        let mut answer = answer.map_err(|error| self.failure(error))?;
        let mut text = Vec::new();
        while let Some(part) = answer.next().await.map_err(|error| self.failure(error))? {
            text.extend_from_slice(&part);
            if text.len() > ANSWER_BYTES_MAX {
                break;
            }
        }
        Ok(String::from_utf8_lossy(&text).into_owned())
    }
}

/// As `[logs.fields]` names them: a column, or `Map['key']`.
fn columns(row: &Value) -> Vec<String> {
    let of_column = |(name, value): (&String, &Value)| match value.as_object() {
        Some(map) if !map.is_empty() => {
            let keys = map.keys().map(|key| format!("{name}['{key}']"));
            keys.collect()
        }
        _ => vec![name.clone()],
    };
    let columns = row.as_object().into_iter().flatten();
    columns.flat_map(of_column).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_is_its_keys() {
        let row = serde_json::json!({"Body": "x", "Map": {"a.b": "x"}, "Empty": {}});
        assert_eq!(columns(&row), ["Body", "Empty", "Map['a.b']"]);
    }
}
