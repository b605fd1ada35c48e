//! Lives that are over move from the recent tables to the ended ones.
//!
//! In this order, for pods and for containers:
//!
//! 1. `moved`: lives that were filed before and are due again, because they were corrected, get a marker row in each
//!    former partition. Until then their recent row hides the former ones from readers.
//! 2. `file`: lives that are due are copied.
//! 3. `filed`, `delete`: rows that were filed a minute ago or earlier leave the recent table. Rows that others
//!    have replaced go first, in a mutation of their own: a mutation goes through the parts one after the other,
//!    and an older row must not come to light because the newest went first.
//!
//! Each step decides by the content of the tables, so a process that died is equivalent to one that has not reached
//! the next step:
//!
//! - killed after 1: the life has no place that counts, and is read from its recent row, as before.
//! - killed after 2: it is in both, and the recent row counts, until a later round finds that it was filed.
//! - killed within 3: what was replaced is gone, or a part of what was filed, which is read from its place.
//!
//! Two processes at once write equal rows, which merge, and delete the same rows. What one reads stays true
//! until it has written: a row that is due was read [`super::FILE_AFTER_SECONDS`] ago, and one that replaces it
//! would be due only as much later, when any statement that read the former one has ended. Nothing that is
//! written meanwhile can be due already, as the tables refuse rows that were read over two minutes ago.
//!
//! A fact that comes while its life is filed makes a newer row, marked `returned`, in the recent table. It
//! hides what is filed from readers and stays when the older row is deleted, as rows are deleted by their
//! version, and it is filed in its turn.

use ::clickhouse as driver;
use serde::Deserialize;

use super::shard::{Parameters, Shard};
use super::{Outcome, Times, datetime};
use crate::clickhouse::Error;
use crate::rows::{Column, ContainerRow, PodRow};
use crate::schema::{parts_of, put_in};

/// An INSERT goes to at most this many partitions: ClickHouse rejects over 100, and each takes memory.
const PARTITIONS_MAX: usize = 40;

/// A deletion rewrites whole parts, so it waits until this share of the table (one row in this many) can be deleted,
/// or for a round that looks at everything.
const DELETE_SHARE: u64 = 20;

/// Rows that one mutation deletes. Mutations of replicated tables are stored in Keeper, where 1 MB is the limit.
const DELETE_ROWS_MAX: usize = 100_000;
const DELETE_ROWS_MAX_REPLICATED: usize = 10_000;

const PARTS: &str = include_str!("../../schema/reconcile/parts.sql");

macro_rules! text {
    ($table:expr, $name:literal) => {
        $table.expand(include_str!(concat!(
            "../../schema/reconcile/",
            $name,
            ".sql"
        )))
    };
}

/// A recent table and the ended one beside it.
pub(super) struct Table {
    recent: &'static str,
    ended: &'static str,
    /// The columns that make up a life.
    key: &'static str,
    /// Whether a life is over.
    over: &'static str,
    columns: &'static [Column],
}

pub(super) const PODS: Table = Table {
    recent: "recent_pods",
    ended: "ended_pods",
    key: "cluster, namespace, pod, pod_uid",
    over: "over_at < toDateTime64('2200-01-01 00:00:00', 6, 'UTC')",
    columns: PodRow::COLUMNS,
};

pub(super) const CONTAINERS: Table = Table {
    recent: "recent_containers",
    ended: "ended_containers",
    key: "cluster, namespace, pod, pod_uid, container, container_key",
    over: "complete AND over_at < toDateTime64('2200-01-01 00:00:00', 6, 'UTC')",
    columns: ContainerRow::COLUMNS,
};

#[derive(Deserialize, driver::Row)]
struct Look {
    rows: u64,
    over: u64,
    returned: u64,
    partitions: Vec<u32>,
}

/// A row of a recent table that may go.
#[derive(Clone, Copy, Deserialize, driver::Row)]
pub(super) struct Gone {
    life: u64,
    version: u64,
    is_older: bool,
}

impl Table {
    pub fn expand(&self, sql: &str) -> String {
        let names: Vec<&str> = self.columns.iter().map(|column| column.name).collect();
        let moved: Vec<String> = names.iter().map(|name| moved(name)).collect();
        let filed: Vec<String> = names.iter().map(|name| filed(name)).collect();
        let made = [
            ("recent", self.recent.to_owned()),
            ("ended", self.ended.to_owned()),
            ("key", self.key.to_owned()),
            ("over", self.over.to_owned()),
            ("columns", names.join(", ")),
            ("filed_columns", filed.join(",\n    ")),
            ("moved_columns", moved.join(",\n    ")),
        ];
        let parts: Vec<(&str, String)> = parts_of(PARTS).chain(made).collect();
        put_in(sql, &parts)
    }
}

/// A column of a filed row. Its hashes are dropped: without them all rows of a life are written again when it is
/// corrected, which is rare, and there are millions of them.
fn filed(column: &str) -> String {
    match column {
        "judged" | "copied" => format!("toUInt64(0) AS {column}"),
        column => column.to_owned(),
    }
}

/// A column of the row that remains in a former partition: only its version is read.
fn moved(column: &str) -> String {
    match column {
        "version" => "toUInt64(newest.version - 1)".to_owned(),
        "state" => "''".to_owned(),
        column => format!("former.{column}"),
    }
}

/// Files what is due, and deletes what was filed. `is_full`: also where that is little.
pub(super) async fn file(
    shard: &Shard<'_>,
    times: Times,
    is_full: bool,
    replicated: bool,
    outcome: &mut Outcome,
) -> Result<(), Error> {
    for table in [&PODS, &CONTAINERS] {
        let parameters = parameters(times);
        let looks: Vec<Look> = shard.rows(&text!(table, "look"), &parameters).await?;
        let Some(look) = looks.into_iter().next() else {
            continue;
        };
        if look.returned > 0 {
            // Of months and years since 2014 there are not too many partitions, of rows so short.
            let moved = format!(
                "{}\nSETTINGS max_partitions_per_insert_block = 0",
                text!(table, "moved").trim_end()
            );
            shard.run(&moved, &parameters).await?;
        }
        let mut partitions = look.partitions;
        partitions.sort_unstable();
        for partitions in partitions.chunks(PARTITIONS_MAX) {
            let list: Vec<String> = partitions.iter().map(u32::to_string).collect();
            let mut parameters = self::parameters(times);
            parameters.push(("partitions", format!("[{}]", list.join(","))));
            parameters.push(("filed_until", datetime(i64::MAX)));
            outcome.filed += shard.written(&text!(table, "file"), &parameters).await?;
        }
        if look.over > 0 && (is_full || look.over >= look.rows / DELETE_SHARE) {
            outcome.deleted += delete_filed(shard, table, times, replicated).await?;
        }
    }
    Ok(())
}

fn parameters(times: Times) -> Parameters {
    vec![
        ("since", datetime(times.since)),
        ("before", datetime(times.before())),
        ("ahead", datetime(times.ahead())),
    ]
}

/// Deletes what was filed long enough ago from a recent table.
async fn delete_filed(
    shard: &Shard<'_>,
    table: &Table,
    times: Times,
    replicated: bool,
) -> Result<u64, Error> {
    let lives_max = delete_rows_max(replicated);
    let mut parameters = parameters(Times { since: 0, ..times });
    parameters.push(("filed_until", datetime(times.delete_until())));
    parameters.push(("lives_max", lives_max.to_string()));
    let mut deleted = 0;
    loop {
        let gone: Vec<Gone> = shard.rows(&text!(table, "filed"), &parameters).await?;
        deleted += delete(shard, table, &gone, replicated).await?;
        if gone.len() < lives_max {
            return Ok(deleted);
        }
    }
}

fn delete_rows_max(replicated: bool) -> usize {
    match replicated {
        true => DELETE_ROWS_MAX_REPLICATED,
        false => DELETE_ROWS_MAX,
    }
}

/// Deletes rows of a recent table: those that others have replaced, and when these are gone the newest.
pub(super) async fn delete(
    shard: &Shard<'_>,
    table: &Table,
    gone: &[Gone],
    replicated: bool,
) -> Result<u64, Error> {
    let of = |is_older: bool| {
        let rows = gone.iter().filter(move |row| row.is_older == is_older);
        rows.map(|row| (row.life, row.version)).collect::<Vec<_>>()
    };
    for rows in [of(true), of(false)] {
        for rows in rows.chunks(delete_rows_max(replicated)) {
            let query = shard.query(&text!(table, "delete"), &Vec::new());
            let query = query
                .bind(rows)
                // On every replica, before the next step.
                .with_setting("lightweight_deletes_sync", "2");
            shard.execute(query).await?;
        }
    }
    Ok(gone.len() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    #[test]
    fn every_part_is_put_in() {
        for table in [&PODS, &CONTAINERS] {
            let statements = [
                text!(table, "look"),
                text!(table, "moved"),
                text!(table, "file"),
                text!(table, "filed"),
                text!(table, "silent"),
                text!(table, "delete"),
            ];
            for sql in statements {
                assert!(!sql.contains('@'), "{sql}");
            }
        }
    }

    #[test]
    fn a_statement_as_it_runs() {
        expect![[r#"
            -- What there is to do. Rows that a newer one has replaced are counted too: this only decides what is asked next.
            SELECT
                count() AS rows,
                countIf(complete AND over_at < toDateTime64('2200-01-01 00:00:00', 6, 'UTC') AND read_at < {before:DateTime('UTC')} AND filed_from < {ahead:DateTime('UTC')}) AS over,
                countIf(returned AND complete AND over_at < toDateTime64('2200-01-01 00:00:00', 6, 'UTC')
                AND read_at >= {since:DateTime('UTC')}
                AND read_at < {before:DateTime('UTC')}
                AND filed_from < {ahead:DateTime('UTC')}) AS returned,
                groupUniqArrayIf(toUInt32(if(class < 8, toYYYYMM(filed_from), toYear(filed_from))), complete AND over_at < toDateTime64('2200-01-01 00:00:00', 6, 'UTC')
                AND read_at >= {since:DateTime('UTC')}
                AND read_at < {before:DateTime('UTC')}
                AND filed_from < {ahead:DateTime('UTC')}) AS partitions
            FROM recent_containers
        "#]]
        .assert_eq(&text!(CONTAINERS, "look"));
    }
}
