//! What changed is written.

use bytes::Bytes;

use super::Lives;
use super::plan::{Changed, Insert};
use crate::clickhouse::Error;
use crate::rows::{Column, ContainerRow, PodRow};

/// Rows are sent in pieces of about this many bytes: each is compressed at once.
const PIECE_BYTES: usize = 1 << 20;

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
            let (table, columns, pieces) = match insert {
                Insert::Containers(rows) => (
                    "recent_containers",
                    ContainerRow::COLUMNS,
                    encode(rows, ContainerRow::put),
                ),
                Insert::Pods(rows) => ("recent_pods", PodRow::COLUMNS, encode(rows, PodRow::put)),
            };
            self.insert(table, columns, &pieces).await?;
        }
        Ok(())
    }

    async fn insert(&self, table: &str, columns: &[Column], rows: &[Bytes]) -> Result<(), Error> {
        if rows.is_empty() {
            return Ok(());
        }
        let names: Vec<&str> = columns.iter().map(|column| column.name).collect();
        let sql = format!(
            "INSERT INTO {table} ({}) FORMAT RowBinary",
            names.join(", ")
        );
        // No token: the same rows may be written again, and equal versions are one.
        self.store.insert(&sql, rows, "").await
    }
}

/// The rows in pieces. Each row is freed when it is encoded.
fn encode<R>(rows: Vec<R>, put: impl Fn(&R, &mut Vec<u8>)) -> Vec<Bytes> {
    let (mut pieces, mut piece) = (Vec::new(), Vec::new());
    for row in rows {
        put(&row, &mut piece);
        if piece.len() >= PIECE_BYTES {
            pieces.push(std::mem::take(&mut piece).into());
        }
    }
    if !piece.is_empty() {
        pieces.push(piece.into());
    }
    pieces
}
