//! The migrations' tables on replicas: the same, with ClickHouse's Replicated engines.
//!
//! The embedded engine can't run these; only that they parse is tested.

/// One statement of a migration for a replica: `{shard}` and `{replica}` are macros of the server.
pub(super) fn statement(sql: &str, database: &str) -> String {
    let Some((head, rest)) = sql.split_once("\nENGINE = ") else {
        return sql.to_owned();
    };
    let Some(table) = table(head) else {
        return sql.to_owned();
    };
    let (engine, options) = rest.split_once('\n').unwrap_or((rest, ""));
    let (engine, arguments) = match engine.split_once('(') {
        Some((engine, arguments)) => (engine, format!(", {}", arguments.trim_end_matches(')'))),
        None => (engine, String::new()),
    };
    let path = format!("/clickhouse/tables/{{shard}}/{database}/{table}");
    let options = without_window(options);
    format!("{head}\nENGINE = Replicated{engine}('{path}', '{{replica}}'{arguments})\n{options}")
}

fn table(head: &str) -> Option<&str> {
    let (_, name) = head.split_once("CREATE TABLE IF NOT EXISTS ")?;
    name.split_whitespace().next()
}

/// Replicated tables have a window of their own for what was inserted before.
fn without_window(options: &str) -> String {
    const WINDOW: &str = "non_replicated_deduplication_window = ";
    let Some((before, rest)) = options.split_once(WINDOW) else {
        return options.to_owned();
    };
    let rest = rest.trim_start_matches(|c: char| c.is_ascii_digit());
    // It is the last of the settings, or the only one.
    let before = before.trim_end().trim_end_matches(',');
    let before = before.strip_suffix("SETTINGS").unwrap_or(before).trim_end();
    format!("{before}{rest}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    fn check(sql: &str, want: Expect) {
        want.assert_eq(&statement(sql, "b"));
    }

    #[test]
    fn engine_and_settings() {
        check(
            "CREATE TABLE IF NOT EXISTS t\n(a UInt8)\nENGINE = MergeTree\nORDER BY a\n\
             SETTINGS x = 1, non_replicated_deduplication_window = 100\nCOMMENT 'c'",
            expect![[r#"
                CREATE TABLE IF NOT EXISTS t
                (a UInt8)
                ENGINE = ReplicatedMergeTree('/clickhouse/tables/{shard}/b/t', '{replica}')
                ORDER BY a
                SETTINGS x = 1
                COMMENT 'c'"#]],
        );
        check(
            "CREATE TABLE IF NOT EXISTS t\n(a UInt8)\nENGINE = ReplacingMergeTree(a)\nORDER BY a\n\
             SETTINGS non_replicated_deduplication_window = 100\nCOMMENT 'c'",
            expect![[r#"
                CREATE TABLE IF NOT EXISTS t
                (a UInt8)
                ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/b/t', '{replica}', a)
                ORDER BY a
                COMMENT 'c'"#]],
        );
    }

    #[test]
    fn a_view_stays_as_it_is() {
        check(
            "CREATE VIEW IF NOT EXISTS v AS SELECT 1",
            expect!["CREATE VIEW IF NOT EXISTS v AS SELECT 1"],
        );
    }
}
