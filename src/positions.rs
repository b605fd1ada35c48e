//! Positions: where pull sources continue, in ClickHouse.
//!
//! In: positions whose rows ClickHouse has, lives included: callers commit only after [`crate::pipeline::Stored`] says so.
//! Out: the newest of a source and a cluster. A lost commit costs reading again, and nothing else.
//!
//! In a cluster of ClickHouse the first shard keeps all of them.
//!
//! Can go wrong: ClickHouse is away. Never here: what a position means.

use std::sync::Arc;

use ::clickhouse as driver;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::clickhouse::{Error, Store, Stores};
use crate::rows::{POSITIONS, PositionRow, PositionRows};

/// How many keys one query names.
const KEYS_MAX: usize = 1_000;

/// Where a source continues.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, driver::Row)]
pub struct Position {
    /// What is read.
    pub key: String,
    /// Everything before it is stored.
    pub position: u64,
    /// Whatever else the source needs to continue.
    pub state: String,
    /// Where it was last, for people.
    pub place: String,
}

/// The positions of one kind of source.
#[derive(Clone, Debug)]
pub struct Positions {
    store: Arc<Store>,
    source: &'static str,
}

impl Positions {
    pub fn new(stores: &Stores, source: &'static str) -> Positions {
        let store = stores.shards.first().unwrap_or(&stores.whole).clone();
        Positions { store, source }
    }

    /// The newest position of each of these keys that has one.
    ///
    /// # Errors
    ///
    /// When ClickHouse can't be asked.
    pub async fn find(&self, cluster: &str, keys: &[String]) -> Result<Vec<Position>, Error> {
        let mut found = Vec::new();
        for keys in keys.chunks(KEYS_MAX) {
            let query = self
                .store
                .query(
                    "SELECT key, position, state, place FROM positions FINAL \
                     WHERE source = {source:String} AND cluster = {cluster:String} \
                     AND key IN {keys:Array(String)}",
                )
                .param("source", self.source)
                .param("cluster", cluster)
                .param("keys", keys);
            found.extend(self.store.within_limit(query.fetch_all()).await?);
        }
        Ok(found)
    }

    /// Writes positions, each of which replaces the one with its key.
    ///
    /// # Errors
    ///
    /// When ClickHouse did not confirm; it may have them all the same.
    pub async fn commit(&self, cluster: &str, positions: &[Position]) -> Result<(), Error> {
        let mut rows = PositionRows::default();
        for position in positions {
            rows.push(&PositionRow {
                source: self.source,
                cluster,
                key: &position.key,
                position: position.position,
                state: &position.state,
                place: &position.place,
            });
        }
        if rows.is_empty() {
            return Ok(());
        }
        let insert = format!(
            "INSERT INTO {} ({}) FORMAT RowBinary",
            POSITIONS.name,
            POSITIONS.columns.join(", ")
        );
        // A token of its own each time: a position that goes back and forth is written each time.
        let token = Uuid::new_v4().to_string();
        let rows = [Bytes::from(rows.into_bytes())];
        self.store.insert(&insert, &rows, &token).await
    }
}
