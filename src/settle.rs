//! Settling: lives that have ended move from `facts` into the history tables.
//!
//! In: the [`Stores`]. Out: what was settled, carried on and forgotten. What it does is SQL that stands in
//! `schema/settle/` and in the view `settling`; this room runs it in order, in pieces of bounded
//! memory, and clears away what is no longer needed.
//!
//! Nothing elects a leader. Every step may be repeated, by several processes at once, and any of them
//! may die at any point: what a step reads was fixed when its slot had passed, and equal rows merge.
//! Readers change over when the row in `checkpoints` stands, which is written last.
//!
//! In a cluster each shard is settled by itself. Only the name of a pod may be used again on another one:
//! what that proves is told to every shard before any is settled.
//!
//! What goes wrong is ClickHouse's: the next round tries again. Limits: `piece_rows_max` rows of facts
//! at a time (of what names meant a namespace at least), `memory_bytes_max` and 10 minutes for a statement.
//!
//! Never here: what a life is, and when it has ended: that stands in `schema/`.

mod clear;
mod statement;

use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::clickhouse::{Error, Stores};
use crate::telemetry;
use statement::{Slot, Statements};

/// Facts are kept in slots of so many seconds (`schema/001_facts.sql`).
const SLOT_SECONDS: i64 = 600;

/// A slot is read so long after it has passed: an INSERT that began in it has ended by then.
const SLOT_WAIT_SECONDS: i64 = 120;

/// How often it is looked whether a settling is due.
const LOOK_INTERVAL: Duration = Duration::from_secs(10);

/// How settling is done.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Whether this process settles. Any number of processes may.
    pub enabled: bool,
    /// Days that lives are kept after they ended. Whole partitions are removed: months, and for lives
    /// of 12 days and more years. 0 keeps all.
    pub retention_days: u32,
    /// Seconds that events which name a pod without its uid are kept, to be joined with the pods that they
    /// meant. What arrives of such a pod after that is not joined with them any more.
    pub names_seconds: u32,
    /// Rows of facts that are settled at a time.
    pub piece_rows_max: u64,
    /// What ClickHouse may allocate for one statement, in bytes.
    pub memory_bytes_max: u64,
    /// Seconds between the end of a settling and the moment from which readers rely on it. Longer than
    /// a question takes to begin: it looks at history and at the checkpoint at different instants. For
    /// replicated tables longer than a replica may lag, too.
    pub changeover_seconds: u32,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            enabled: true,
            retention_days: 400,
            names_seconds: 3_600,
            piece_rows_max: 50_000,
            memory_bytes_max: 768 << 20,
            changeover_seconds: 10,
        }
    }
}

/// What a settling did, in rows: one for each pod and container instance.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Moved into history.
    pub settled: u64,
    /// Still open, or heard of just now.
    pub carried: u64,
    /// Without a known end, and not spoken of for the whole retention.
    pub forgotten: u64,
}

impl Outcome {
    fn add(&mut self, other: Outcome) {
        self.settled += other.settled;
        self.carried += other.carried;
        self.forgotten += other.forgotten;
    }
}

/// How far a settling goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// To the last slot that has surely come to rest.
    Due,
    /// To the last slot that has passed, though an INSERT into it may be under way. Its rows are then
    /// found later.
    Now,
    /// To this instant, which begins a slot. For tests.
    At(Timestamp),
}

/// Settles, if there is something to settle, and clears away what is no longer needed. `None` where there
/// was nothing to settle. `now` is when the retention is counted from; the server's clock where it is `None`.
///
/// # Errors
///
/// When ClickHouse can't be reached or refuses. What was done until then does no harm, and the next
/// call begins anew.
pub async fn once(
    stores: &Stores,
    config: &Config,
    until: Until,
    now: Option<Timestamp>,
) -> Result<Option<Outcome>, Error> {
    let clock = now.map(Timestamp::as_second);
    let shards: Vec<Statements> = statements(stores, config).collect();
    let mut due = Vec::new();
    for shard in &shards {
        if let Some(round) = due_of(shard, until).await? {
            due.push((shard, round));
        }
    }
    // Every shard, also one with nothing due: a pod of it may have lost its name to another one's.
    if let Some(until) = due.iter().map(|(_, round)| round.until).max() {
        for shard in &shards {
            shard.named(until).await?;
            shard.closings(until).await?;
        }
    }
    let mut outcome: Option<Outcome> = None;
    for (shard, round) in &due {
        outcome
            .get_or_insert_default()
            .add(settle(shard, round, clock.unwrap_or(round.now)).await?);
    }
    for shard in &shards {
        let now = shard.now().await?;
        clear::slots(shard, now).await?;
        if let Some(before) = kept_since(config, clock.unwrap_or(now)) {
            clear::history(shard, before).await?;
        }
        clear::scratch(shard).await?;
    }
    Ok(outcome)
}

fn statements<'s>(stores: &'s Stores, config: &'s Config) -> impl Iterator<Item = Statements<'s>> {
    let whole = stores.whole.database();
    let shards = stores.shards.iter();
    shards.map(move |store| Statements {
        store,
        whole,
        config,
    })
}

/// Since when lives are kept after their end, if not always; the retention is counted from this second.
fn kept_since(config: &Config, now: i64) -> Option<i64> {
    let days = i64::from(config.retention_days);
    (days != 0).then_some(now - days * 86_400)
}

/// What one settling of a shard reads.
struct Round {
    now: i64,
    until: i64,
    slots: Vec<Slot>,
}

/// What is to be settled on a shard, if anything is.
async fn due_of(statements: &Statements<'_>, until: Until) -> Result<Option<Round>, Error> {
    let now = statements.now().await?;
    let until = match until {
        Until::Due => slot_of(now - SLOT_WAIT_SECONDS),
        Until::Now => slot_of(now),
        Until::At(at) => slot_of(at.as_second()),
    };
    statements.sync_replica().await?;
    let checkpoints = statements.checkpoints().await?;
    let newest = checkpoints.first().map_or(0, |newest| newest.slot);
    let mut slots = statements.slots().await?;
    // A slot that was settled is dropped one settling later, also if nothing came since.
    let is_left = slots.iter().any(|slot| slot.slot < newest);
    slots.retain(|slot| slot.slot >= newest && slot.slot < until);
    let due = newest < until && (is_left || !slots.is_empty());
    Ok(due.then_some(Round { now, until, slots }))
}

async fn settle(statements: &Statements<'_>, round: &Round, now: i64) -> Result<Outcome, Error> {
    let begun = Instant::now();
    let Round { until, slots, .. } = round;
    let until = *until;
    statements.carry_named(until).await?;
    let rows = slots.iter().map(|slot| slot.rows).sum();
    let pieces = statements.pieces(until, rows).await?;
    let mut outcome = Outcome::default();
    for (place, first) in pieces.iter().enumerate() {
        metrics::gauge!(telemetry::SETTLE_PIECES_LEFT).set((pieces.len() - place) as f64);
        let next = pieces.get(place + 1).copied().unwrap_or(uuid::Uuid::max());
        let piece = statement::Piece {
            until,
            first: *first,
            next,
            forget: kept_since(statements.config, now).unwrap_or(0),
        };
        let done = statements.piece(&piece).await?;
        outcome.add(done);
        if pieces.len() > 1 {
            let (done, all) = (place + 1, pieces.len());
            info!(
                "settled {done} of {all} pieces: {} rows into history",
                outcome.settled
            );
        }
    }
    metrics::gauge!(telemetry::SETTLE_PIECES_LEFT).set(0.0);
    statements.checkpoint(until, slots, &outcome).await?;
    told(&outcome, begun.elapsed());
    Ok(outcome)
}

fn told(outcome: &Outcome, took: Duration) {
    metrics::histogram!(telemetry::SETTLE_SECONDS).record(took);
    for (fate, rows) in [
        ("settled", outcome.settled),
        ("carried", outcome.carried),
        ("forgotten", outcome.forgotten),
    ] {
        metrics::counter!(telemetry::SETTLE_ROWS, "fate" => fate).increment(rows);
    }
    let Outcome {
        settled,
        carried,
        forgotten,
    } = outcome;
    let duration_ms = took.as_millis() as u64;
    info!(
        duration_ms,
        "settled {settled} rows into history, {carried} go on, {forgotten} are forgotten"
    );
}

/// Settles whenever it is due, until `stop`. How far behind it is is measured meanwhile.
pub async fn run(stores: Stores, config: Config, stop: CancellationToken) {
    let (measuring, settling) = (Trouble::default(), Trouble::default());
    let measure = every_while(&stop, measuring, || measure(&stores, &config));
    let settle = async {
        if config.enabled {
            let once = || async {
                let outcome = once(&stores, &config, Until::Due, None).await;
                if outcome.is_err() {
                    metrics::counter!(telemetry::SETTLE_FAILURES).increment(1);
                    metrics::gauge!(telemetry::SETTLE_PIECES_LEFT).set(0.0);
                }
                outcome.map(|_| ())
            };
            every_while(&stop, settling, once).await;
        }
    };
    tokio::join!(measure, settle);
}

/// Does something every ten seconds, until `stop`.
async fn every_while<F: Future<Output = Result<(), Error>>>(
    stop: &CancellationToken,
    mut trouble: Trouble,
    what: impl Fn() -> F,
) {
    while stop
        .run_until_cancelled(tokio::time::sleep(LOOK_INTERVAL))
        .await
        .is_some()
    {
        match stop.run_until_cancelled(what()).await {
            None => break,
            Some(outcome) => trouble.told(outcome),
        }
    }
}

/// What was said of the last failure: each is told once, not every ten seconds.
#[derive(Default)]
struct Trouble(String);

impl Trouble {
    fn told(&mut self, outcome: Result<(), Error>) {
        let Err(error) = outcome else {
            self.0.clear();
            return;
        };
        let error = error.to_string();
        let no_digits = |text: &str| text.replace(|c: char| c.is_ascii_digit(), "");
        if no_digits(&error) != no_digits(&self.0) {
            warn!(
                "settling: {error}: it is tried again every {} s",
                LOOK_INTERVAL.as_secs()
            );
            self.0 = error;
        }
    }
}

/// Sets the gauges: how much is in facts, and how far behind settling is; of several shards, where it is
/// the most.
async fn measure(stores: &Stores, config: &Config) -> Result<(), Error> {
    let (mut rows_most, mut lag_most) = (0, 0);
    for shard in statements(stores, config) {
        let slots = shard.slots().await?;
        let rows: u64 = slots.iter().map(|slot| slot.rows).sum();
        let checkpoints = shard.checkpoints().await?;
        let newest = checkpoints.first().map_or(0, |newest| newest.slot);
        let open = slots.iter().find(|slot| slot.slot >= newest);
        let now = shard.now().await?;
        // The oldest slot that readers fold is settled when it has passed and come to rest.
        let due = SLOT_SECONDS + SLOT_WAIT_SECONDS;
        let lag = open.map_or(0, |open| now - open.slot - due);
        (rows_most, lag_most) = (rows.max(rows_most), lag.max(lag_most));
    }
    metrics::gauge!(telemetry::SETTLE_FACTS_ROWS).set(rows_most as f64);
    metrics::gauge!(telemetry::SETTLE_LAG_SECONDS).set(lag_most as f64);
    Ok(())
}

/// The beginning of the slot that holds this second.
fn slot_of(second: i64) -> i64 {
    second.div_euclid(SLOT_SECONDS) * SLOT_SECONDS
}

/// A second as ClickHouse reads a `DateTime('UTC')`.
fn datetime(second: i64) -> String {
    let at = Timestamp::UNIX_EPOCH + SignedDuration::from_secs(second.max(0));
    at.strftime("%Y-%m-%d %H:%M:%S").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_ten_minutes() {
        let second = |text: &str| text.parse::<Timestamp>().unwrap().as_second();
        let slot = slot_of(second("2026-11-23T06:19:59Z"));
        assert_eq!(datetime(slot), "2026-11-23 06:10:00");
        assert_eq!(slot_of(slot), slot);
    }
}
