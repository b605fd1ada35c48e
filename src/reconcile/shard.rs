//! Statements on one shard, with their parameters and limits.

use ::clickhouse as driver;
use serde::Deserialize;

use super::Config;
use crate::clickhouse::{Error, Store};

/// How long one statement may take. It has to be shorter than lives are quiet before they are filed: what an
/// INSERT reads must still be the newest when its rows appear.
const STATEMENT_SECONDS_MAX: u64 = 300;

/// How long a statement with many rows in it may be, in bytes.
const STATEMENT_BYTES_MAX: &str = "67108864";

/// What a replica may be behind with.
const TABLES: [&str; 7] = [
    "facts",
    "loads",
    "reconciled",
    "recent_pods",
    "recent_containers",
    "ended_pods",
    "ended_containers",
];

pub(super) struct Shard<'s> {
    pub store: &'s Store,
    pub config: &'s Config,
}

#[derive(Default, Deserialize, driver::Row)]
pub(super) struct Clock {
    /// Seconds.
    pub now: u32,
    /// Seconds.
    pub uptime: u64,
    /// Whether the tables have replicas.
    pub replicated: bool,
}

/// A statement's parameters, by name.
pub(super) type Parameters = Vec<(&'static str, String)>;

impl Shard<'_> {
    /// The server's clock.
    pub async fn clock(&self) -> Result<Clock, Error> {
        let sql = include_str!("../../schema/reconcile/clock.sql");
        let query = self.query(sql, &Vec::new()).fetch_all::<Clock>();
        let rows = self.store.within(STATEMENT_SECONDS_MAX, query).await?;
        Ok(rows.into_iter().next().unwrap_or_default())
    }

    /// Waits until this replica has what the others have.
    pub async fn sync_replica(&self) -> Result<(), Error> {
        for table in TABLES {
            let sql = include_str!("../../schema/reconcile/sync_replica.sql");
            self.run(&sql.replace("@table@", table), &Vec::new())
                .await?;
        }
        Ok(())
    }

    pub async fn run(&self, sql: &str, parameters: &Parameters) -> Result<(), Error> {
        self.execute(self.query(sql, parameters)).await
    }

    pub async fn execute(&self, query: driver::query::Query) -> Result<(), Error> {
        self.store
            .within(STATEMENT_SECONDS_MAX + 5, query.execute())
            .await
    }

    /// Runs an INSERT and returns how many rows it wrote.
    pub async fn written(&self, sql: &str, parameters: &Parameters) -> Result<u64, Error> {
        let query = self
            .query(sql, parameters)
            // The summary is of the whole statement only at its end.
            .with_setting("wait_end_of_query", "1");
        let written = async {
            let mut answer = query.fetch_bytes("TabSeparated")?;
            while answer.next().await?.is_some() {}
            let summary = answer.summary();
            Ok(summary.and_then(|it| it.written_rows()).unwrap_or(0))
        };
        self.store.within(STATEMENT_SECONDS_MAX + 5, written).await
    }

    pub async fn rows<R>(&self, sql: &str, parameters: &Parameters) -> Result<Vec<R>, Error>
    where
        R: driver::RowOwned + driver::RowRead,
    {
        let rows = self.query(sql, parameters).fetch_all::<R>();
        self.store.within(STATEMENT_SECONDS_MAX + 5, rows).await
    }

    pub fn query(&self, sql: &str, parameters: &Parameters) -> driver::query::Query {
        let memory = self.config.memory_bytes_max;
        let spill = (memory / 3).to_string();
        let query = self
            .store
            .query(sql)
            // A repeated step must be able to write what was written before and is gone since.
            .with_setting("insert_deduplicate", "0")
            .with_setting("max_query_size", STATEMENT_BYTES_MAX)
            .with_setting("max_execution_time", STATEMENT_SECONDS_MAX.to_string())
            .with_setting("max_memory_usage", memory.to_string())
            .with_setting("max_bytes_before_external_group_by", spill.clone())
            .with_setting("max_bytes_before_external_sort", spill)
            // As in `clickhouse`: an index over addresses would be made before equal rows are merged.
            .with_setting("optimize_on_insert", "0")
            // Lives are looked up by their uids.
            .with_setting("min_table_rows_to_use_projection_index", "0")
            // Large blocks make few parts.
            .with_setting("min_insert_block_size_rows", "200000")
            .with_setting("min_insert_block_size_bytes", "134217728")
            .with_setting("max_threads", "2");
        parameters.iter().fold(query, |query, (name, value)| {
            // Parameters that a statement does not name do no harm.
            query.param(name, value)
        })
    }
}
