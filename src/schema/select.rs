//! The SELECT of each view.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use super::{view_name, views};

static SELECTS: LazyLock<BTreeMap<String, String>> =
    LazyLock::new(|| views().iter().filter_map(|sql| parse(sql)).collect());

/// The SELECT of a view, with its `{parameters}`, for a database that has the tables.
///
/// ClickHouse plans a view with parameters twice, and all of its columns: its text, asked as a subquery, takes about
/// half the time (on an empty database 9 instead of 17 ms of CPU for what lived in an hour).
pub fn select(view: &str) -> Option<&'static str> {
    SELECTS.get(view).map(String::as_str)
}

/// Of `CREATE OR REPLACE VIEW name (columns) AS select`, the name and the select.
fn parse(sql: &str) -> Option<(String, String)> {
    let (name, view) = view_name(sql)?;
    let (_, select) = view.split_once("\n)\nAS\n")?;
    Some((name.to_owned(), select.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_view_has_its_select() {
        for sql in views() {
            let (name, text) = parse(&sql).unwrap();
            assert!(
                text.starts_with("SELECT") || text.starts_with("WITH"),
                "{text}"
            );
            // The driver would take it for a parameter.
            assert!(!text.contains('?'), "{text}");
            assert_eq!(select(&name), Some(&*text));
        }
        let between = select("pods_between").unwrap();
        assert!(between.contains("FROM ended_pods"), "{between}");
        assert!(!between.contains("COMMENT"), "{between}");
    }
}
