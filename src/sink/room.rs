//! Whether the table `facts` has room for more: on every shard, where there are several.

use std::time::{Duration, Instant};

use tokio::sync::Mutex;
use tracing::{info, warn};

use crate::clickhouse::Stores;
use crate::throttle::Episode;

/// How long a count holds. A load has at most some 100,000 rows, so little can come meanwhile.
const COUNT_HOLDS: Duration = Duration::from_secs(5);

const COUNT: &str = "SELECT toUInt64(sum(rows)) FROM system.parts \
                     WHERE database = currentDatabase() AND table = 'facts' AND active";

/// The last count, and when it was made.
pub(super) struct Room {
    rows_max: u64,
    counted: Mutex<Option<(Instant, u64)>>,
    full: Episode,
}

impl Room {
    pub fn new(rows_max: u64) -> Room {
        Room {
            rows_max,
            counted: Mutex::new(None),
            full: Episode::default(),
        }
    }

    /// Returns when there is room. If ClickHouse can't count, it counts as room: the INSERT will then report the
    /// error.
    pub async fn wait(&self, stores: &Stores) {
        if self.rows_max == 0 {
            return;
        }
        loop {
            let rows = self.rows(stores).await;
            if rows < self.rows_max {
                break;
            }
            if self.full.begins() {
                let max = self.rows_max;
                warn!(
                    "facts has {rows} rows, the limit is {max}: rows wait in the spool until reconcile has made room"
                );
            }
            tokio::time::sleep(COUNT_HOLDS).await;
        }
        if self.full.ends() {
            info!("facts has room again");
        }
    }

    async fn rows(&self, stores: &Stores) -> u64 {
        let mut counted = self.counted.lock().await;
        if let Some((at, rows)) = *counted
            && at.elapsed() < COUNT_HOLDS
        {
            return rows;
        }
        let mut rows = 0;
        for shard in &stores.shards {
            let count = shard.fetch_one::<u64>(shard.query(COUNT)).await;
            rows = rows.max(count.ok().flatten().unwrap_or(0));
        }
        *counted = Some((Instant::now(), rows));
        rows
    }
}
