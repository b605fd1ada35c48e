//! What changed is written.

use bytes::Bytes;

use super::Lives;
use super::plan::{Changed, Insert};
use crate::clickhouse::Error;
use crate::rows::{Column, ContainerRow, PodRow};

/// `VIOLATED_CONSTRAINT`: what the rows were made of was read too long ago.
const TOO_OLD: u32 = 469;

/// Codes by which ClickHouse refuses values, and not the statement. (The sink has a longer list, of what can
/// be wrong with rows that another build encoded.)
const ABOUT_ROWS: [u32; 4] = [
    33,  // CANNOT_READ_ALL_DATA
    117, // INCORRECT_DATA
    131, // TOO_LARGE_STRING_SIZE
    321, // VALUE_IS_OUT_OF_RANGE_OF_DATA_TYPE
];

pub(super) fn is_too_old(code: u32) -> bool {
    code == TOO_OLD
}

pub(super) fn is_about_rows(code: u32) -> bool {
    ABOUT_ROWS.contains(&code)
}

impl Lives<'_> {
    pub(super) async fn write(&self, changed: Changed<'_>) -> Result<(), Error> {
        for insert in changed.inserts() {
            let mut bytes = Vec::new();
            let (table, columns) = match insert {
                Insert::Containers(rows) => {
                    rows.iter().for_each(|row| row.put(&mut bytes));
                    ("recent_containers", ContainerRow::COLUMNS)
                }
                Insert::Pods(rows) => {
                    rows.iter().for_each(|row| row.put(&mut bytes));
                    ("recent_pods", PodRow::COLUMNS)
                }
            };
            self.insert(table, columns, bytes).await?;
        }
        Ok(())
    }

    async fn insert(&self, table: &str, columns: &[Column], rows: Vec<u8>) -> Result<(), Error> {
        if rows.is_empty() {
            return Ok(());
        }
        let names: Vec<&str> = columns.iter().map(|column| column.name).collect();
        let sql = format!(
            "INSERT INTO {table} ({}) FORMAT RowBinary",
            names.join(", ")
        );
        // No token: the same rows may be written again, and equal versions are one.
        self.store.insert(&sql, &[Bytes::from(rows)], "").await
    }
}
