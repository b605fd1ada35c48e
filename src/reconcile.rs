//! Reconcile: files ended lives, folds once more what raced, drops old facts, and keeps to the retention.
//!
//! In: the [`Stores`]. Out: what a round did. A round goes through the shards, one after the other, and for each:
//!
//! 1. checks slots of facts that are closed: names that several processes wrote about, or whose load did not
//!    finish, are folded once more (`log`);
//! 2. files lives that are over and were quiet for `FILE_AFTER_SECONDS`, and deletes from the recent ones what
//!    was filed a minute ago or earlier (`filing`);
//! 3. removes what is older than the retention (`retention`);
//! 4. drops slots of facts that were checked and ended an hour ago.
//!
//! There is no leader, and nothing essential is remembered between rounds: the tables tell what is due. Each step may
//! be repeated, by several processes at once, and any of them may die at any point; the files below explain why.
//!
//! What goes wrong is ClickHouse's: the next round tries again. A step that fails does not keep the others from
//! being done.
//!
//! Limits: `memory_bytes_max` and five minutes for a statement. Never here: what facts mean (`fold`), and what
//! questions read.

mod filing;
mod log;
mod retention;
mod shard;

use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::clickhouse::{Error, Stores};
use crate::telemetry;
use shard::Shard;

/// How often there is a round; after one that failed, how soon the next.
const ROUND_INTERVAL: Duration = Duration::from_secs(60);
const RETRY_INTERVAL: Duration = Duration::from_secs(10);

/// How often a round looks at everything that is over, and not only at what became due since the last one.
const FULL_INTERVAL: Duration = Duration::from_secs(600);

/// A life is filed this long after the sources of its row were read. A row may be written two minutes after its
/// sources were read (`schema/002_lives.sql`), so a process that writes one to replace a filed row has read at least
/// `FILE_AFTER_SECONDS - 120` after the filed one was: later than [`crate::fold::MAY_BE_FILED_SECONDS`], by which the
/// fold marks it as `returned`. Without that mark the life would be in answers twice.
const FILE_AFTER_SECONDS: i64 = 720;

/// Rows filed this long ago are deleted from the recent tables: longer than any query takes from the first
/// table that it opens to the last. Until then both rows are there, and readers take the recent one.
const DELETE_AFTER_SECONDS: i64 = 60;

/// Lives that begin later than this from now, by their own account, are not filed: a wrong clock would make
/// partitions for centuries. They stay among the recent ones, where they are found as well, until their time
/// comes or the retention is over.
const AHEAD_SECONDS: i64 = 86_400;

/// How reconcile works.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Whether this process reconciles. Any number of processes may.
    pub enabled: bool,
    /// Days that lives are kept after their end. Whole partitions are dropped: months, or years for
    /// lives of 12 days and more. 0 keeps all.
    pub retention_days: u32,
    /// Memory limit of one statement in ClickHouse, in bytes.
    pub memory_bytes_max: u64,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            enabled: true,
            retention_days: 400,
            memory_bytes_max: 768 << 20,
        }
    }
}

/// What a round did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Rows of ended lives that were filed.
    pub filed: u64,
    /// Rows that were deleted from the recent ones after they had been filed.
    pub deleted: u64,
    /// Slots of facts that were checked.
    pub checked: u64,
    /// Rows that were wrong until now.
    pub corrected: u64,
    /// Names that could not be folded.
    pub carried: u64,
    /// Slots of facts that were dropped.
    pub dropped: u64,
    /// Partitions that were removed by the retention, and rows of open lives without recent events.
    pub expired: u64,
}

impl Outcome {
    fn add(&mut self, other: Outcome) {
        self.filed += other.filed;
        self.deleted += other.deleted;
        self.checked += other.checked;
        self.corrected += other.corrected;
        self.carried += other.carried;
        self.dropped += other.dropped;
        self.expired += other.expired;
    }

    /// Whether there was nothing to do.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        *self == Outcome::default()
    }
}

/// What a process remembers of a shard. None of it is needed: a new process begins with nothing.
#[derive(Clone, Debug, Default)]
struct Memory {
    /// All lives whose rows were read before this second were filed.
    filed: i64,
    /// When everything that is over was looked at.
    full: Option<Instant>,
    /// For how long the server had run.
    uptime: u64,
}

/// The seconds that a round goes by.
#[derive(Clone, Copy, Debug)]
struct Times {
    now: i64,
    /// Lives are filed whose rows were read from here on; and before [`Times::before`].
    since: i64,
}

impl Times {
    fn before(self) -> i64 {
        self.now - FILE_AFTER_SECONDS
    }

    fn ahead(self) -> i64 {
        self.now + AHEAD_SECONDS
    }

    fn delete_until(self) -> i64 {
        self.now - DELETE_AFTER_SECONDS
    }
}

/// One round. `now` replaces the server's clock, for tests.
///
/// # Errors
///
/// When ClickHouse can't be reached or rejects a statement. Completed steps remain, and the next round continues.
pub async fn once(
    stores: &Stores,
    config: &Config,
    now: Option<Timestamp>,
) -> Result<Outcome, Error> {
    let mut memories = vec![Memory::default(); stores.shards.len()];
    round(stores, config, &mut memories, now).await
}

/// Rounds, until `stop`. Also records the lag, even if this process does not reconcile.
pub async fn run(stores: Stores, config: Config, stop: CancellationToken) {
    let mut memories = vec![Memory::default(); stores.shards.len()];
    let mut failures = FailureLog::default();
    let mut wait = RETRY_INTERVAL;
    while stop
        .run_until_cancelled(tokio::time::sleep(wait))
        .await
        .is_some()
    {
        let round = async {
            if config.enabled {
                round(&stores, &config, &mut memories, None).await?;
            }
            measure(&stores, &config).await
        };
        let Some(outcome) = stop.run_until_cancelled(round).await else {
            break;
        };
        wait = match outcome {
            Ok(()) => ROUND_INTERVAL,
            Err(_) => RETRY_INTERVAL,
        };
        failures.report(outcome);
    }
}

/// A round on every shard: one that fails does not hold up the others.
async fn round(
    stores: &Stores,
    config: &Config,
    memories: &mut [Memory],
    now: Option<Timestamp>,
) -> Result<Outcome, Error> {
    let begun = Instant::now();
    let mut all = Ok(Outcome::default());
    for (store, memory) in stores.shards.iter().zip(memories) {
        let shard = Shard { store, config };
        let mut outcome = Outcome::default();
        let done = shard_round(&shard, memory, now, &mut outcome).await;
        report(&outcome);
        all = all.and_then(|mut all| {
            done?;
            all.add(outcome);
            Ok(all)
        });
    }
    metrics::histogram!(telemetry::RECONCILE_SECONDS).record(begun.elapsed());
    if all.is_err() {
        metrics::counter!(telemetry::RECONCILE_FAILURES).increment(1);
    }
    all
}

async fn shard_round(
    shard: &Shard<'_>,
    memory: &mut Memory,
    now: Option<Timestamp>,
    outcome: &mut Outcome,
) -> Result<(), Error> {
    let clock = shard.clock().await?;
    if clock.replicated {
        shard.sync_replica().await?;
    }
    let is_full = memory
        .full
        .is_none_or(|full| full.elapsed() >= FULL_INTERVAL);
    let times = Times {
        now: now.map_or(i64::from(clock.now), Timestamp::as_second),
        since: if is_full { 0 } else { memory.filed },
    };
    // A restarted server may have lost its last writes, even of slots that were checked.
    let whole = match clock.uptime < memory.uptime {
        true => log::fold_all(shard, outcome).await,
        false => Ok(()),
    };
    let checked = log::check(shard, times.now, outcome).await;
    let filed = filing::file(shard, times, is_full, clock.replicated, outcome).await;
    let kept_since = kept_since(shard.config, times.now);
    let expired = match kept_since {
        Some(retained) if is_full => {
            retention::expire(shard, times, retained, clock.replicated, outcome).await
        }
        _ => Ok(()),
    };
    let dropped = log::drop(shard, times.now, outcome).await;
    if whole.is_ok() {
        memory.uptime = clock.uptime;
    }
    if filed.is_ok() {
        memory.filed = times.before();
        if is_full {
            memory.full = Some(Instant::now());
        }
    }
    whole.and(checked).and(filed).and(expired).and(dropped)
}

/// Since when lives are kept after their end, if not always.
fn kept_since(config: &Config, now: i64) -> Option<i64> {
    let days = i64::from(config.retention_days);
    (days != 0).then_some(now - days * 86_400)
}

fn report(outcome: &Outcome) {
    let Outcome {
        filed,
        corrected,
        carried,
        dropped,
        ..
    } = *outcome;
    metrics::counter!(telemetry::RECONCILE_FILED).increment(filed);
    metrics::counter!(telemetry::RECONCILE_CORRECTED).increment(corrected);
    metrics::counter!(telemetry::RECONCILE_CARRIED).increment(carried);
    if filed + dropped > 0 {
        info!("filed {filed} rows of ended lives, dropped {dropped} slots of facts");
    }
    if corrected > 0 {
        warn!(
            "corrected {corrected} rows: another process wrote them at the same time, or one was killed"
        );
    }
    if carried > 0 {
        warn!(
            "{carried} pods cannot be stored yet: their facts are kept and retried every ten minutes"
        );
    }
}

/// What was logged of the last failure: each is logged once, not every ten seconds.
#[derive(Default)]
struct FailureLog(String);

impl FailureLog {
    fn report(&mut self, outcome: Result<(), Error>) {
        let Err(error) = outcome else {
            self.0.clear();
            return;
        };
        let error = error.to_string();
        let no_digits = |text: &str| text.replace(|c: char| c.is_ascii_digit(), "");
        if no_digits(&error) != no_digits(&self.0) {
            let seconds = RETRY_INTERVAL.as_secs();
            warn!("reconcile: {error}: retrying every {seconds} s");
            self.0 = error;
        }
    }
}

/// Sets the gauges: how much is in facts, and how far behind reconcile is; of several shards, where it is the
/// most.
async fn measure(stores: &Stores, config: &Config) -> Result<(), Error> {
    let (mut rows_most, mut lag_most) = (0, 0);
    for store in &stores.shards {
        let shard = Shard { store, config };
        let now = i64::from(shard.clock().await?.now);
        let (rows, lag) = log::measure(&shard, now).await?;
        (rows_most, lag_most) = (rows.max(rows_most), lag.max(lag_most));
    }
    metrics::gauge!(telemetry::RECONCILE_FACTS_ROWS).set(rows_most as f64);
    metrics::gauge!(telemetry::RECONCILE_LAG_SECONDS).set(lag_most as f64);
    Ok(())
}

/// A second as ClickHouse reads a `DateTime('UTC')`, which ends in 2106.
fn datetime(second: i64) -> String {
    let second = second.clamp(0, i64::from(u32::MAX));
    let at = Timestamp::UNIX_EPOCH + SignedDuration::from_secs(second);
    at.strftime("%Y-%m-%d %H:%M:%S").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_as_clickhouse_reads_them() {
        assert_eq!(datetime(1_795_414_799), "2026-11-23 06:19:59");
        assert_eq!(datetime(-1), "1970-01-01 00:00:00");
        assert_eq!(datetime(i64::MAX), "2106-02-07 06:28:15");
    }

    /// A process that replaces a filed row marks it as returned: the argument at `FILE_AFTER_SECONDS`, in numbers. A
    /// fold that read at R writes at W <= R + 120; a row was filed at T <= W that was read before T - FILE_AFTER.
    #[test]
    fn what_replaces_a_filed_row_is_marked() {
        const FENCE_SECONDS: i64 = 120;
        let read_between = FILE_AFTER_SECONDS - FENCE_SECONDS;
        assert!(read_between > i64::from(crate::fold::MAY_BE_FILED_SECONDS));
    }

    #[test]
    fn without_a_retention_all_is_kept() {
        let config = |days| Config {
            retention_days: days,
            ..Config::default()
        };
        assert_eq!(kept_since(&config(0), 86_400), None);
        assert_eq!(kept_since(&config(2), 1_000_000), Some(827_200));
    }
}
