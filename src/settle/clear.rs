//! What is no longer needed is removed, by whole partitions.

use tracing::{info, warn};

use super::statement::{Checkpoint, Statements};
use crate::clickhouse::Error;

/// Drops slots that no reader can be at any more: those before the checkpoint before the newest. A slot
/// that grew after it was read is put back first, as late facts.
pub(super) async fn slots(statements: &Statements<'_>, now: i64) -> Result<(), Error> {
    let checkpoints = statements.checkpoints().await?;
    let mut ready = checkpoints.iter().filter(|one| one.ready_at <= now);
    let (Some(_newest), Some(before)) = (ready.next(), ready.next()) else {
        return Ok(());
    };
    statements.sync_replica().await?;
    for slot in statements.slots().await? {
        if slot.slot >= before.slot {
            continue;
        }
        if block_read(&checkpoints, slot.slot) != Some(slot.block) {
            warn!("a slot of facts has grown after it was settled: its rows are settled again");
            statements.put_back(slot.slot).await?;
        }
        statements.drop_slot(slot.slot).await?;
    }
    Ok(())
}

/// What the number of a slot's blocks was when it was first read; nothing where no settling has seen it.
fn block_read(checkpoints: &[Checkpoint], slot: i64) -> Option<u64> {
    let read = checkpoints.iter().flat_map(|checkpoint| &checkpoint.read);
    read.filter(|(read, _)| i64::from(*read) == slot)
        .map(|(_, block)| *block)
        .min()
}

/// Drops partitions of history of which all had ended before.
pub(super) async fn history(statements: &Statements<'_>, before: i64) -> Result<(), Error> {
    for partition in statements.retired(before).await? {
        statements.drop_partition(&partition).await?;
        let days = statements.config.retention_days;
        info!(
            "removed partition {} of {}: it ended over {days} days ago",
            partition.partition, partition.history
        );
    }
    Ok(())
}

/// Drops scratch tables of settlings that died.
pub(super) async fn scratch(statements: &Statements<'_>) -> Result<(), Error> {
    for name in statements.abandoned().await? {
        statements.drop_scratch(name).await?;
    }
    Ok(())
}
