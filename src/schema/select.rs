//! The SELECT of each view, and what the look-ups read.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use super::{parts, view_name, views};
use crate::rows::{Column, ContainerRow, PodRow};

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

/// What a view reads: of each life every row that is stored, of which the newest counts.
pub struct LookUp {
    /// The tables, and the conditions for their rows: `recent_pods WHERE ...`, with the view's `{parameters}`.
    pub recent: String,
    pub ended: String,
    /// What is true of rows of these that stand for nothing, as SQL.
    pub hidden: [&'static str; 2],
    /// Of each column of the view, what it shows.
    shown: BTreeMap<&'static str, String>,
}

impl LookUp {
    /// What the view shows as this column.
    pub fn shown(&self, column: &str) -> Option<&str> {
        self.shown.get(column).map(String::as_str)
    }

    /// `tables` are the recent and the ended one, with the conditions of the view.
    fn of(tables: [&str; 2], columns: &[Column], hidden: [&'static str; 2]) -> LookUp {
        let [recent, ended] = tables.map(parts::expand);
        let shown = columns.iter().filter_map(parts::seen);
        LookUp {
            recent,
            ended,
            hidden,
            shown: shown
                .map(|(name, _, expression)| (name, parts::expand(&expression)))
                .collect(),
        }
    }
}

static LOOK_UPS: LazyLock<BTreeMap<&'static str, LookUp>> = LazyLock::new(|| {
    let pods = |tables| LookUp::of(tables, PodRow::COLUMNS, ["false", "moved"]);
    let containers = |tables| LookUp::of(tables, ContainerRow::COLUMNS, ["void", "moved OR void"]);
    BTreeMap::from([
        (
            "pods",
            pods(["recent_pods WHERE true", "ended_pods WHERE true"]),
        ),
        (
            "pod_by_uid",
            pods(["@recent_pod_by_uid@", "@ended_pod_by_uid@"]),
        ),
        (
            "containers",
            containers([
                "recent_containers WHERE true",
                "ended_containers WHERE true",
            ]),
        ),
        (
            "containers_of_pod",
            containers(["@recent_containers_of_pod@", "@ended_containers_of_pod@"]),
        ),
        (
            "containers_by_id",
            containers(["@recent_containers_by_id@", "@ended_containers_by_id@"]),
        ),
    ])
});

/// What a view reads, if lives can be looked up in it: by uid, by ID, or, where the view has no conditions of its own, by
/// name. For a database that has the tables.
pub fn look_up(view: &str) -> Option<&'static LookUp> {
    LOOK_UPS.get(view)
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

    #[test]
    fn a_look_up_reads_what_its_view_reads() {
        for (view, look_up) in LOOK_UPS.iter() {
            let text = select(view).unwrap();
            for table in [&look_up.recent, &look_up.ended] {
                let table = table.trim_end_matches(" WHERE true");
                assert!(text.contains(&format!("FROM {table}")), "{table}");
                assert!(!table.contains('@'), "{table}");
            }
            let shown = look_up.shown("over_at").unwrap();
            assert!(text.contains(&format!("{shown} AS over_at")), "{shown}");
        }
    }
}
