//! Logs: the lines of container instances, out of the stores that log agents write to.
//!
//! In: the stores that are configured ([`Config`]), and container instances as `query` knows them. Out: their lines in
//! the order of time, and a [`Summary`] that says how each instance was identified and what that leaves uncertain.
//!
//! An instance is found by the strongest identity that its row and the store both have ([`Identity`]): its container
//! ID, else pod UID, container and restart number, else pod UID and container, else names. Always within its own life
//! and a slack; the weaker identities end at the borders to the instances before and after it.
//!
//! [`Links`] lead to the same lines in the user interfaces of stores; nothing is asked for them.
//!
//! Limits: a page of a store is [`PAGE_LINES`] lines, one page is held for each instance and store that is read at a
//! time, and at most [`OPEN_MAX`] of them are. The last lines are held up to 32 MiB. No answer is cut without a word.
//!
//! Never here: a query that holds what a caller wrote, but for the regular expression of `grep`, which is quoted for
//! each store's language; a credential in an error; anything that writes.

mod ask;
mod check;
mod chosen;
mod clickhouse;
mod client;
mod conditions;
mod config;
mod elastic;
mod error;
mod explain;
mod follow;
mod grep;
mod identity;
mod instance;
mod layout;
mod line;
mod lines;
mod link;
mod links;
mod loki;
mod neighbours;
mod overlap;
mod paging;
mod params;
mod preset;
mod probe;
mod query;
mod quoted;
mod reader;
mod reasons;
mod record;
mod resume;
mod seen;
mod select;
mod span;
mod store;
mod summary;
mod tail;
mod victorialogs;

use std::sync::Arc;

pub use ask::Ask;
pub use check::{Checked, Lines as CheckedLines, Try, block, candidates, check};
pub use config::Config;
pub use error::Error;
pub use explain::Attempt;
pub use follow::Follow;
pub use grep::Grep;
pub use identity::Identity;
pub use instance::Instance;
pub use layout::{Fields, Kind};
pub use line::{Given, Line};
pub use lines::Lines;
pub use link::{Link, LinkKind};
pub use links::Links;
pub use params::{Asked, Params};
pub use preset::Preset;
pub use record::{LogsEnding, Record};
pub use seen::Seen;
pub use select::{Choice, INSTANCES_MAX, Selected, select};
pub use span::Span;
pub use summary::{Part, Summary};

use crate::clickhouse::Store as OwnStore;

/// Lines of one page of a store.
pub const PAGE_LINES: usize = 1_000;

/// Instances and stores that are read at a time.
pub const OPEN_MAX: usize = 128;

/// The stores.
#[derive(Default)]
pub struct Logs {
    stores: Vec<Arc<store::Store>>,
    links: Links,
}

impl Logs {
    /// Opens the stores. Nothing is asked yet. `own` is the ClickHouse of the history, for stores without an address.
    ///
    /// # Errors
    ///
    /// When a store's configuration names no preset and no fields, or a file that can't be read; or a link is invalid.
    pub fn open(configs: &[Config], own: Option<&Arc<OwnStore>>) -> Result<Logs, Error> {
        let read = configs.iter().filter(|config| !config.links_only);
        let stores = read.map(|config| {
            let store = store::Store::open(config, own)?;
            Ok(Arc::new(store))
        });
        Ok(Logs {
            stores: stores.collect::<Result<_, Error>>()?,
            links: Links::open(configs)?,
        })
    }

    /// Where a person sees lines.
    #[must_use]
    pub fn links(&self) -> &Links {
        &self.links
    }

    /// Whether there is any store.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.stores.is_empty()
    }

    /// The lines of the selected instances. Each is read from every store that holds its cluster.
    #[must_use]
    pub fn lines(&self, selected: Selected, ask: Ask) -> Lines {
        Lines::new(&self.stores, selected, ask)
    }
}
