//! What an answer cost ClickHouse.
//!
//! Rows and bytes come with the answer's head, which then waits for the answer's end. CPU time is only in
//! ClickHouse's query log.

use ::clickhouse::QuerySummary;
use ::clickhouse::query::Query;

use super::Error;
use super::model::Cost;
use crate::clickhouse::{Scope, Store};

const CPU: &str = "SELECT ProfileEvents['OSCPUVirtualTimeMicroseconds'] AS cpu FROM system.query_log \
                   WHERE query_id = {id:String} AND type = 'QueryFinish' AND event_date >= yesterday()";

/// A question of which the cost will be asked for, under an ID of our own.
pub(super) fn logged(query: Query, query_id: uuid::Uuid) -> Query {
    query
        .with_setting("query_id", query_id.to_string())
        .with_setting("wait_end_of_query", "1")
        .with_setting("log_queries", "1")
}

/// After the last row: what the question of this ID cost.
///
/// # Errors
///
/// When ClickHouse can't be reached.
pub(super) async fn of(
    store: &Store,
    query_id: uuid::Uuid,
    summary: Option<&QuerySummary>,
) -> Result<Cost, Error> {
    let rows_read = summary.and_then(QuerySummary::read_rows);
    let bytes_read = summary.and_then(QuerySummary::read_bytes);
    let cpu_ms = match store.cluster() {
        Some(_) => None,
        None => cpu_ms(store, query_id).await?,
    };
    Ok(Cost {
        rows_read: rows_read.unwrap_or(0),
        bytes_read: bytes_read.unwrap_or(0),
        cpu_ms,
    })
}

/// The entry of the log; `None` where there is none, or we may not read it.
async fn cpu_ms(store: &Store, query_id: uuid::Uuid) -> Result<Option<u64>, Error> {
    let logged = async {
        store
            .execute("SYSTEM FLUSH LOGS query_log", Scope::Server)
            .await?;
        let query = store.query_in(Scope::Server, CPU);
        let query = query.param("id", query_id.to_string());
        store.fetch_one::<u64>(query).await
    };
    match logged.await {
        Ok(cpu) => Ok(cpu.map(|micros| micros.div_ceil(1_000))),
        Err(failure) if failure.is_away() => Err(failure.into()),
        Err(_) => Ok(None),
    }
}
