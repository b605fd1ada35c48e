//! Slots of facts: what in them may not have become part of the lives is folded once more; then they go.
//!
//! A fold reads the facts of a name and then its lives, and writes rows; each load of a sink stores its facts
//! before it folds. So of all folds of a name the one that read last has seen every fact, and nothing is wrong
//! where its row counts. It may not count where two folds overlap that have the same highest fact, or where a
//! process was killed between its facts and its lives. In one process one fold at a time touches a name. So it
//! is enough to fold, when a slot is closed, the names that several processes wrote about, and those of loads
//! that did not finish. All their rows are written again, at least two versions above those that were read. Then the
//! log is read once more (`crate::lives::plan`): where newer facts arrived meanwhile, the process that folds these
//! may not have seen the rows, and the names are folded again.
//!
//! The numbers of blocks are read first, the names after, and the numbers are noted at the end. A fact that came
//! in between makes another number, and the slot is checked again. A process that is killed has recorded nothing; two
//! at once fold the same and record the same. A slot is dropped only if its current number was recorded.

use std::collections::BTreeSet;

use ::clickhouse as driver;
use serde::Deserialize;
use tracing::{error, info};

use super::shard::{Parameters, Shard};
use super::{Outcome, datetime};
use crate::clickhouse::Error;
use crate::lives::read::tuples;
use crate::lives::{Lives, NAMES_MAX, Name, Scope};

/// Facts are kept in slots of this many seconds (`schema/001_facts.sql`).
const SLOT_SECONDS: i64 = 600;

/// A slot is checked this long after it ended: an INSERT that began in it has ended, and its names are folded.
const CHECK_AFTER_SECONDS: i64 = 180;

/// A slot is dropped this long after it ended: longer than any fold can take after its reads.
const DROP_AFTER_SECONDS: i64 = 3_600;

macro_rules! text {
    ($name:literal) => {
        include_str!(concat!("../../schema/reconcile/", $name, ".sql"))
    };
}

/// A slot of facts.
#[derive(Clone, Debug, Deserialize, driver::Row)]
struct Slot {
    /// Its begin, in seconds.
    slot: u32,
    /// It changes with every insert.
    block: u64,
    rows: u64,
    /// Whether it was checked as it is.
    checked: bool,
}

impl Slot {
    fn end(&self) -> i64 {
        i64::from(self.slot) + SLOT_SECONDS
    }

    fn parameters(&self) -> Parameters {
        vec![
            ("slot", datetime(self.slot.into())),
            ("whole", false.to_string()),
        ]
    }
}

#[derive(Deserialize, driver::Row)]
struct Writers {
    writers: u64,
    unfinished: u64,
}

#[derive(Deserialize, driver::Row)]
struct NameRow {
    cluster: String,
    namespace: String,
    pod: String,
}

#[derive(Deserialize, driver::Row)]
struct ScopeRow {
    cluster: String,
    namespace: String,
    pod: String,
    late: u8,
    at: i64,
}

/// What was folded once more.
#[derive(Default)]
struct Folded {
    names: u64,
    corrected: u64,
    /// Names whose facts have to stay: they could not be folded, or events about their scope concern a name that
    /// could not.
    refused: Vec<Name>,
}

/// Checks slots that are closed.
pub(super) async fn check(shard: &Shard<'_>, now: i64, outcome: &mut Outcome) -> Result<(), Error> {
    for slot in slots(shard).await? {
        if slot.checked || slot.end() + CHECK_AFTER_SECONDS > now {
            continue;
        }
        let folded = check_slot(shard, &slot).await?;
        if !folded.refused.is_empty() {
            carry(shard, &slot, &folded.refused).await?;
        }
        outcome.corrected += folded.corrected;
        outcome.carried += folded.refused.len() as u64;
        let mut parameters = slot.parameters();
        parameters.extend([
            ("block", slot.block.to_string()),
            ("names", folded.names.to_string()),
            ("wrong", folded.corrected.to_string()),
        ]);
        shard.run(text!("checked"), &parameters).await?;
        outcome.checked += 1;
    }
    Ok(())
}

async fn check_slot(shard: &Shard<'_>, slot: &Slot) -> Result<Folded, Error> {
    let parameters = slot.parameters();
    let writers: Vec<Writers> = shard.rows(text!("writers"), &parameters).await?;
    let may_be_wrong = |writers: &Writers| writers.writers > 1 || writers.unfinished > 0;
    if !writers.iter().any(may_be_wrong) {
        return Ok(Folded::default());
    }
    fold(shard, &parameters).await
}

/// Folds every name that is in the log.
pub(super) async fn fold_all(shard: &Shard<'_>, outcome: &mut Outcome) -> Result<(), Error> {
    info!("clickhouse was restarted: checking all pods in the log");
    let parameters = vec![("slot", datetime(0)), ("whole", true.to_string())];
    let folded = fold(shard, &parameters).await?;
    outcome.corrected += folded.corrected;
    Ok(())
}

async fn fold(shard: &Shard<'_>, parameters: &Parameters) -> Result<Folded, Error> {
    let names: Vec<NameRow> = shard.rows(text!("names"), parameters).await?;
    let mut names: BTreeSet<Name> = names.into_iter().map(NameRow::name).collect();
    let scopes: Vec<ScopeRow> = shard.rows(text!("scopes"), parameters).await?;
    let scopes: Vec<Scope> = scopes.into_iter().map(ScopeRow::scope).collect();
    let lives = Lives {
        store: shard.store,
        raced: true,
    };
    if !scopes.is_empty() {
        names.extend(lives.names_of(&scopes).await?);
    }
    let names: Vec<Name> = names.into_iter().collect();
    let scopes: BTreeSet<Name> = scopes.into_iter().map(|scope| scope.name).collect();
    let scopes: Vec<Name> = scopes.into_iter().collect();
    let folded = lives.fold(&names, &scopes).await?;
    if let Some((_, why)) = folded.refused.first() {
        error!("{} pods cannot be stored: {why}", folded.refused.len());
    }
    let refused = folded.refused.into_iter().map(|(name, _)| name);
    let mut refused: BTreeSet<Name> = refused.collect();
    // Events about scopes have to reach the names that they concern.
    let said = scopes
        .into_iter()
        .filter(|scope| refused.iter().any(|name| scope.may_cover(name)));
    let said: Vec<Name> = said.collect();
    refused.extend(said);
    Ok(Folded {
        names: names.len() as u64,
        corrected: folded.rows - folded.unchanged,
        refused: refused.into_iter().collect(),
    })
}

/// Puts the facts of names that can't be folded into the slot that is open now, as they are, so that they are
/// tried again and the others can go.
async fn carry(shard: &Shard<'_>, slot: &Slot, names: &[Name]) -> Result<(), Error> {
    for names in names.chunks(NAMES_MAX) {
        let names = tuples(names);
        let query = shard.query(text!("carry"), &slot.parameters());
        shard.execute(query.bind(&names).bind(&names)).await?;
    }
    Ok(())
}

/// Drops slots that were checked as they are now and ended an hour ago.
pub(super) async fn drop(shard: &Shard<'_>, now: i64, outcome: &mut Outcome) -> Result<(), Error> {
    for slot in slots(shard).await? {
        if slot.checked && slot.end() + DROP_AFTER_SECONDS <= now {
            shard.run(text!("drop_slot"), &slot.parameters()).await?;
            outcome.dropped += 1;
        }
    }
    Ok(())
}

/// How many rows the log has, and for how long its oldest slot should have been checked, in seconds.
pub(super) async fn measure(shard: &Shard<'_>, now: i64) -> Result<(u64, i64), Error> {
    let slots = slots(shard).await?;
    let rows = slots.iter().map(|slot| slot.rows).sum();
    let oldest = slots.iter().find(|slot| !slot.checked);
    let due = oldest.map_or(now, |slot| slot.end() + CHECK_AFTER_SECONDS);
    Ok((rows, (now - due).max(0)))
}

/// By time.
async fn slots(shard: &Shard<'_>) -> Result<Vec<Slot>, Error> {
    shard.rows(text!("slots"), &Vec::new()).await
}

impl NameRow {
    fn name(self) -> Name {
        Name {
            cluster: self.cluster,
            namespace: self.namespace,
            pod: self.pod,
        }
    }
}

impl ScopeRow {
    fn scope(self) -> Scope {
        Scope {
            at: self.at,
            late: self.late != 0,
            name: Name {
                cluster: self.cluster,
                namespace: self.namespace,
                pod: self.pod,
            },
        }
    }
}
