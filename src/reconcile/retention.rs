//! Removes what is older than the retention: whole partitions, and open lives without recent events.
//!
//! Dropping what is gone already does nothing, so several processes may do it at once. A partition that another
//! process fills at this moment has rows that were filed within the hour, and stays.

use ::clickhouse as driver;
use serde::Deserialize;
use tracing::info;

use super::filing::{self, CONTAINERS, Gone, PODS};
use super::shard::{Parameters, Shard};
use super::{Outcome, Times, datetime};
use crate::clickhouse::Error;
use crate::fold::bucket::BOUNDS;

/// A partition stays this long after the last life was filed in it: until that life is deleted from the recent ones,
/// it would be filed again.
const FILED_WITHIN_SECONDS: i64 = 3_600;

/// A partition of which everything is older than the retention.
#[derive(Deserialize, driver::Row)]
struct Partition {
    table: String,
    partition: String,
}

/// Removes what ended before the second `retained`.
pub(super) async fn expire(
    shard: &Shard<'_>,
    times: Times,
    retained: i64,
    replicated: bool,
    outcome: &mut Outcome,
) -> Result<(), Error> {
    let parameters = vec![
        ("retained", datetime(retained)),
        ("ahead", datetime(times.ahead())),
        ("filed_until", datetime(times.now - FILED_WITHIN_SECONDS)),
    ];
    for partition in partitions(shard, &parameters).await? {
        let Partition { table, partition } = partition;
        let parameters = vec![("table", table.clone()), ("partition", partition.clone())];
        let sql = include_str!("../../schema/reconcile/drop_partition.sql");
        shard.run(sql, &parameters).await?;
        let days = shard.config.retention_days;
        info!(
            "dropped partition {partition} of {table}: everything in it ended over {days} days ago"
        );
        outcome.expired += 1;
    }
    // Containers first: a pod that is left without them is found again.
    for table in [&CONTAINERS, &PODS] {
        let sql = table.expand(include_str!("../../schema/reconcile/silent.sql"));
        let gone: Vec<Gone> = shard.rows(&sql, &parameters).await?;
        let rows = filing::delete(shard, table, &gone, replicated).await?;
        if rows > 0 {
            let days = shard.config.retention_days;
            info!("removed {rows} rows without an end: no event in {days} days");
        }
        outcome.expired += rows;
    }
    Ok(())
}

async fn partitions(shard: &Shard<'_>, parameters: &Parameters) -> Result<Vec<Partition>, Error> {
    let bounds = BOUNDS.map(|bound| bound.to_string()).join(", ");
    let sql = include_str!("../../schema/reconcile/retired.sql");
    let sql = sql.replace("@bounds@", &format!("[{bounds}]"));
    shard.rows(&sql, parameters).await
}
