//! The statements of `schema/settle/`, with their parameters.

use ::clickhouse as driver;
use serde::Deserialize;

use super::{Config, Outcome, datetime};
use crate::clickhouse::{Error, Store};
use crate::schema;

/// How long one statement may take.
const STATEMENT_SECONDS_MAX: u64 = 600;

/// Pieces are laid out by a sample of about so many rows.
const SAMPLE_ROWS: u64 = 2_000_000;

macro_rules! text {
    ($name:literal) => {
        schema::expand(include_str!(concat!("../../schema/settle/", $name, ".sql")))
    };
}

/// A slot of facts.
#[derive(Clone, Debug, Deserialize, driver::Row)]
pub(super) struct Slot {
    #[serde(with = "seconds")]
    pub slot: i64,
    /// It changes with every insert.
    pub block: u64,
    pub rows: u64,
}

/// A finished settling.
#[derive(Clone, Debug, Deserialize, driver::Row)]
pub(super) struct Checkpoint {
    #[serde(with = "seconds")]
    pub slot: i64,
    #[serde(with = "seconds")]
    pub ready_at: i64,
    /// Slot and block number, for each slot that it read.
    pub read: Vec<(u32, u64)>,
}

#[derive(Deserialize, driver::Row)]
struct Verdicts {
    settled: u64,
    carried: u64,
    forgotten: u64,
}

#[derive(Deserialize, driver::Row)]
struct First {
    #[serde(with = "driver::serde::uuid")]
    first: uuid::Uuid,
}

#[derive(Deserialize, driver::Row)]
struct Name {
    name: String,
}

#[derive(Deserialize, driver::Row)]
struct Now {
    #[serde(with = "seconds")]
    now: i64,
}

#[derive(Deserialize, driver::Row)]
struct Namespace {
    cluster: String,
    namespace: String,
}

#[derive(Deserialize, driver::Row)]
struct Replicated {
    replicated: bool,
}

/// A partition of a history table.
#[derive(Deserialize, driver::Row)]
pub(super) struct Partition {
    pub history: String,
    pub partition: String,
}

/// What is settled at a time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Piece {
    pub until: i64,
    pub first: uuid::Uuid,
    /// The first uid of the next piece; the greatest of all where this is the last.
    pub next: uuid::Uuid,
    /// Lives without an end that nobody spoke of since are dropped.
    pub forget: i64,
}

pub(super) struct Statements<'s> {
    pub store: &'s Store,
    /// The database that is asked as one: it knows the names of pods on all shards.
    pub whole: &'s str,
    pub config: &'s Config,
}

impl Statements<'_> {
    /// The server's clock, in seconds.
    pub async fn now(&self) -> Result<i64, Error> {
        let rows: Vec<Now> = self.rows(&text!("now"), &[]).await?;
        Ok(rows.first().map_or(0, |row| row.now))
    }

    /// Waits until this replica has what the others have, where the table is replicated.
    pub async fn sync_replica(&self) -> Result<(), Error> {
        let rows: Vec<Replicated> = self.rows(&text!("replicated"), &[]).await?;
        if rows.iter().any(|row| row.replicated) {
            self.run(&text!("sync_replica"), &[]).await?;
        }
        Ok(())
    }

    /// By time.
    pub async fn slots(&self) -> Result<Vec<Slot>, Error> {
        self.rows(&text!("slots"), &[]).await
    }

    /// The newest first.
    pub async fn checkpoints(&self) -> Result<Vec<Checkpoint>, Error> {
        self.rows(&text!("checkpoints"), &[]).await
    }

    /// Which open pods are gone: their name is another one's, or their node is no more.
    pub async fn closings(&self, until: i64) -> Result<(), Error> {
        for closings in [text!("closings"), text!("closings_nodes")] {
            let closings = closings.replace("bygone.", &format!("{}.", self.whole));
            self.run(&closings, &[("until", datetime(until))]).await?;
        }
        Ok(())
    }

    /// Which pods the events meant that name one: of some namespaces at a time, of one at least.
    pub async fn named(&self, until: i64) -> Result<(), Error> {
        let of_whole = |sql: String| sql.replace("bygone.", &format!("{}.", self.whole));
        let rows = ("rows", self.config.piece_rows_max.max(1).to_string());
        let pieces = [("until", datetime(until)), rows];
        let firsts: Vec<Namespace> = self.rows(&of_whole(text!("named_pieces")), &pieces).await?;
        let named = of_whole(text!("named"));
        for (place, first) in firsts.iter().enumerate() {
            let next = firsts.get(place + 1);
            let mut parameters = self.names_until(until).to_vec();
            parameters.extend([
                ("first_cluster", first.cluster.clone()),
                ("first_namespace", first.namespace.clone()),
                (
                    "next_cluster",
                    next.map_or_else(String::new, |next| next.cluster.clone()),
                ),
                (
                    "next_namespace",
                    next.map_or_else(String::new, |next| next.namespace.clone()),
                ),
                ("is_last", next.is_none().to_string()),
            ]);
            self.run(&named, &parameters).await?;
        }
        Ok(())
    }

    /// Takes what events said of names along.
    pub async fn carry_named(&self, until: i64) -> Result<(), Error> {
        self.run(&text!("carry_named"), &self.names_until(until))
            .await
    }

    /// Where a settling ends, and since when rows about names are still there.
    fn names_until(&self, until: i64) -> [(&'static str, String); 2] {
        let horizon = until.saturating_sub(self.config.names_seconds.into());
        [("until", datetime(until)), ("horizon", datetime(horizon))]
    }

    /// Where the pieces begin. The first begins with the smallest uid that there can be.
    pub async fn pieces(&self, until: i64, rows: u64) -> Result<Vec<uuid::Uuid>, Error> {
        let parameters = [
            ("until", datetime(until)),
            ("sample", rows.div_ceil(SAMPLE_ROWS).max(1).to_string()),
            ("rows", self.config.piece_rows_max.max(1).to_string()),
        ];
        let firsts: Vec<First> = self.rows(&text!("pieces"), &parameters).await?;
        let mut firsts: Vec<uuid::Uuid> = firsts.into_iter().map(|row| row.first).collect();
        match firsts.first_mut() {
            Some(first) => *first = uuid::Uuid::nil(),
            None => firsts.push(uuid::Uuid::nil()),
        }
        Ok(firsts)
    }

    pub async fn piece(&self, piece: &Piece) -> Result<Outcome, Error> {
        let scratch = format!("settling_{}", uuid::Uuid::new_v4().simple());
        let parameters = [
            ("scratch", scratch.clone()),
            ("until", datetime(piece.until)),
            ("first", piece.first.to_string()),
            ("next", piece.next.to_string()),
            ("forget", datetime(piece.forget)),
        ];
        let outcome = self.with_scratch(&parameters).await;
        // It is dropped whatever happened; one that stays is cleared away later.
        let dropped = self
            .run(&text!("drop_scratch"), &[("scratch", scratch)])
            .await;
        let outcome = outcome?;
        dropped?;
        Ok(outcome)
    }

    async fn with_scratch(&self, parameters: &[(&str, String)]) -> Result<Outcome, Error> {
        self.run(&text!("scratch"), parameters).await?;
        let verdicts: Vec<Verdicts> = self.rows(&text!("verdicts"), parameters).await?;
        // History first: whoever sees the rows gone from facts must find them there.
        self.run(&text!("pods"), parameters).await?;
        self.run(&text!("containers"), parameters).await?;
        self.run(&text!("carry"), parameters).await?;
        let mut outcome = Outcome::default();
        for verdict in verdicts {
            outcome.settled += verdict.settled;
            outcome.carried += verdict.carried;
            outcome.forgotten += verdict.forgotten;
        }
        Ok(outcome)
    }

    /// Readers rely on the settling from here on.
    pub async fn checkpoint(
        &self,
        until: i64,
        read: &[Slot],
        outcome: &Outcome,
    ) -> Result<(), Error> {
        let list = |numbers: Vec<String>| format!("[{}]", numbers.join(","));
        let slots = read.iter().map(|slot| slot.slot.to_string()).collect();
        let blocks = read.iter().map(|slot| slot.block.to_string()).collect();
        let parameters = [
            ("until", datetime(until)),
            ("slots", list(slots)),
            ("blocks", list(blocks)),
            ("delay", self.config.changeover_seconds.to_string()),
            ("settled", outcome.settled.to_string()),
            ("carried", outcome.carried.to_string()),
            ("forgotten", outcome.forgotten.to_string()),
        ];
        self.run(&text!("checkpoint"), &parameters).await
    }

    pub async fn put_back(&self, slot: i64) -> Result<(), Error> {
        self.run(&text!("put_back"), &[("slot", datetime(slot))])
            .await
    }

    pub async fn drop_slot(&self, slot: i64) -> Result<(), Error> {
        self.run(&text!("drop_slot"), &[("slot", datetime(slot))])
            .await
    }

    /// Partitions of history of which every life ended before.
    pub async fn retired(&self, before: i64) -> Result<Vec<Partition>, Error> {
        self.rows(&text!("retired"), &[("before", datetime(before))])
            .await
    }

    pub async fn drop_partition(&self, partition: &Partition) -> Result<(), Error> {
        let parameters = [
            ("history", partition.history.clone()),
            ("partition", partition.partition.clone()),
        ];
        self.run(&text!("drop_partition"), &parameters).await
    }

    /// Scratch tables that a settling left behind.
    pub async fn abandoned(&self) -> Result<Vec<String>, Error> {
        let rows: Vec<Name> = self.rows(&text!("abandoned"), &[]).await?;
        Ok(rows.into_iter().map(|row| row.name).collect())
    }

    pub async fn drop_scratch(&self, name: String) -> Result<(), Error> {
        self.run(&text!("drop_scratch"), &[("scratch", name)]).await
    }

    async fn run(&self, sql: &str, parameters: &[(&str, String)]) -> Result<(), Error> {
        let query = self.query(sql, parameters);
        self.store
            .within(STATEMENT_SECONDS_MAX + 5, query.execute())
            .await
    }

    async fn rows<R>(&self, sql: &str, parameters: &[(&str, String)]) -> Result<Vec<R>, Error>
    where
        R: driver::RowOwned + driver::RowRead,
    {
        let query = self.query(sql, parameters);
        self.store
            .within(STATEMENT_SECONDS_MAX + 5, query.fetch_all::<R>())
            .await
    }

    fn query(&self, sql: &str, parameters: &[(&str, String)]) -> driver::query::Query {
        let memory = self.config.memory_bytes_max;
        let spill = (memory / 3).to_string();
        let query = self
            .store
            .query(sql)
            // A repeated step must be able to write what a dead one wrote half.
            .with_setting("insert_deduplicate", "0")
            .with_setting("max_execution_time", STATEMENT_SECONDS_MAX.to_string())
            .with_setting("max_memory_usage", memory.to_string())
            .with_setting("max_bytes_before_external_group_by", spill.clone())
            .with_setting("max_bytes_before_external_sort", spill)
            // As in `clickhouse`: an index over addresses would be made before equal rows are merged.
            .with_setting("optimize_on_insert", "0")
            .with_setting("max_threads", "2");
        parameters.iter().fold(query, |query, (name, value)| {
            // Parameters that a statement does not name are no harm.
            query.param(name, value)
        })
    }
}

/// `DateTime` is a `u32` of seconds.
mod seconds {
    use serde::{Deserialize, Deserializer};

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
        u32::deserialize(deserializer).map(i64::from)
    }
}
