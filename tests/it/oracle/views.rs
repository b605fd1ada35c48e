//! The documented views, asked.

use jiff::Timestamp;

use super::Window;
use super::answer::Row;
use crate::support;

/// All rows of a view, or of what stands behind FROM.
pub fn ask<R: Row>(database: &str, from: &str) -> Vec<R> {
    let statement = format!("SELECT {} FROM {from} FORMAT JSONCompactEachRow", R::SELECT);
    let text = support::sql(database, &statement);
    let rows = text.lines().map(|line| {
        serde_json::from_str(line).unwrap_or_else(|error| panic!("{from}: {error}: {line}"))
    });
    rows.collect()
}

/// The parameters of a view with a window.
pub fn between(window: Window) -> String {
    format!(
        "since = '{}', until = '{}'",
        time(window.since),
        time(window.until)
    )
}

/// As a `DateTime64(6, 'UTC')` is written.
pub fn time(micros: i64) -> String {
    let at = Timestamp::from_microsecond(micros).expect("a time");
    at.strftime("%Y-%m-%d %H:%M:%S%.6f").to_string()
}
