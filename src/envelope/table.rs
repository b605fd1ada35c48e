//! Rows apart from the names of their columns, as the API of Azure's Log Analytics answers:
//! `{"columns":[{"name":...},...],"rows":[[...],...]}`.

use super::fields::{Fields, items};

/// More columns and longer names has no table of a log.
const COLUMNS_MAX: usize = 512;
const NAME_BYTES_MAX: usize = 128;

pub fn is_table(fields: &Fields) -> bool {
    fields.list("columns").is_some() && fields.list("rows").is_some()
}

/// Hands out each row, and as an object.
pub fn rows(table: &Fields, take: &mut dyn FnMut(&str, Option<Vec<u8>>)) {
    let columns: Option<Vec<String>> = table
        .items("columns")
        .take(COLUMNS_MAX)
        .map(name_of)
        .collect();
    for row in table.items("rows") {
        take(row, columns.as_ref().map(|columns| object(columns, row)));
    }
}

/// The name as JSON; `None` where it is invalid.
fn name_of(column: &str) -> Option<String> {
    let name = Fields::of(column)?.text("name")?;
    let is_name = name.len() <= NAME_BYTES_MAX;
    is_name.then(|| serde_json::to_string(&name).ok()).flatten()
}

fn object(columns: &[String], row: &str) -> Vec<u8> {
    let members: Vec<String> = columns
        .iter()
        .zip(items(row))
        .map(|(name, cell)| format!("{name}:{cell}"))
        .collect();
    format!("{{{}}}", members.join(",")).into_bytes()
}
