//! A store that is open: what it holds, and how it is asked.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::chosen::Chosen;
use super::clickhouse;
use super::conditions::conditions;
use super::config::Config;
use super::elastic::{self, Dialect, Index};
use super::identity::Identity;
use super::instance::Instance;
use super::layout::{Fields, Kind, TimeIs};
use super::line::Line;
use super::loki::Loki;
use super::paging;
use super::query::Query;
use super::seen::Seen;
use super::span::{Span, earlier};
use super::victorialogs::VictoriaLogs;
use super::{Error, OwnStore};

/// A store.
pub struct Store {
    pub fields: Fields,
    pub time_is: TimeIs,
    pub container_id_is_uncertain: bool,
    pub slack: SignedDuration,
    pub kind: Kind,
    /// The table, index pattern or selector.
    pub from: String,
    /// What it was opened with.
    pub config: Config,
    own: Option<Arc<OwnStore>>,
    backend: Backend,
}

enum Backend {
    ClickHouse(Box<clickhouse::Table>),
    Elastic(Arc<Index>),
    Loki(Arc<Loki>),
    VictoriaLogs(Arc<VictoriaLogs>),
}

impl Store {
    pub fn open(config: &Config, own: Option<&Arc<OwnStore>>) -> Result<Store, Error> {
        let Chosen {
            kind,
            from,
            fields,
            time_is,
            container_id_is_uncertain,
            slack,
            ..
        } = Chosen::of(config)?;
        let kind = kind.ok_or_else(|| Error::Config {
            store: config.name.clone(),
            cause: "name a preset, or a kind and fields".to_owned(),
        })?;
        let backend = match kind {
            Kind::ClickHouse => Backend::ClickHouse(Box::new(clickhouse::Table::open(
                config, &from, &fields, own,
            )?)),
            Kind::Elasticsearch | Kind::OpenSearch => {
                let dialect = match kind {
                    Kind::Elasticsearch => Dialect::Elasticsearch,
                    _ => Dialect::OpenSearch,
                };
                let index = Index::open(config, dialect, &from, &fields)?;
                Backend::Elastic(Arc::new(index))
            }
            Kind::Loki => Backend::Loki(Arc::new(Loki::open(config, &from, &fields)?)),
            Kind::VictoriaLogs => {
                Backend::VictoriaLogs(Arc::new(VictoriaLogs::open(config, &from, &fields)?))
            }
        };
        Ok(Store {
            fields,
            time_is,
            container_id_is_uncertain,
            slack,
            kind,
            from,
            config: config.clone(),
            own: own.cloned(),
            backend,
        })
    }

    /// The same store, as if this preset's agent had written into it. The fields that are configured do not count then,
    /// nor does `from` where another one is given.
    pub fn with_preset(&self, name: &str, from: Option<&str>) -> Result<Store, Error> {
        let config = Config {
            preset: Some(name.to_owned()),
            kind: Some(self.kind),
            from: from.map(str::to_owned),
            fields: Fields::default(),
            time_is: None,
            ..self.config.clone()
        };
        Store::open(&config, self.own.as_ref())
    }

    pub fn name(&self) -> &str {
        &self.config.name
    }

    /// Whether it has lines of this cluster.
    pub fn holds(&self, cluster: &str) -> bool {
        self.config.holds(cluster)
    }

    /// By what an instance can be found here, the best first.
    pub fn identities(&self, of: &Instance) -> Vec<Identity> {
        let mut identities: Vec<Identity> = Identity::ALL
            .into_iter()
            .filter(|identity| conditions(*identity, &self.fields, of).is_some())
            .collect();
        identities.sort_by_key(|identity| self.strength(*identity));
        identities
    }

    /// Whether it knows the fields of all its records: then reading says which one is absent.
    pub fn has_mapping(&self) -> bool {
        matches!(self.backend, Backend::Elastic(_))
    }

    /// How much an identity is worth here: less is better.
    pub fn strength(&self, identity: Identity) -> u8 {
        match identity {
            // Behind the others, which are better where they are there.
            Identity::ContainerId if self.container_id_is_uncertain => 4,
            Identity::ContainerId => 0,
            Identity::Restart => 1,
            Identity::Uid => 2,
            Identity::Names => 3,
        }
    }

    /// What it has, by its names; in the days before `until`, where a store has no names for all time.
    pub async fn seen(&self, until: Timestamp) -> Result<Vec<Seen>, Error> {
        let days = |days: i64| Span {
            from: earlier(until, SignedDuration::from_hours(24 * days)),
            until,
        };
        match &self.backend {
            Backend::ClickHouse(table) => table.seen().await,
            Backend::Elastic(index) => index.seen().await,
            Backend::Loki(loki) => loki.seen(days(30)).await,
            Backend::VictoriaLogs(store) => store.seen(days(1)).await,
        }
    }

    /// Other places in it that may have lines in the form that is expected, as `from`.
    pub async fn alike(&self) -> Result<Vec<String>, Error> {
        match &self.backend {
            Backend::ClickHouse(table) => table.alike().await,
            Backend::Elastic(_) => Ok(vec!["*".to_owned()]),
            Backend::Loki(_) | Backend::VictoriaLogs(_) => Ok(Vec::new()),
        }
    }

    /// The lines that a query finds, page by page.
    pub fn pages(&self, query: Query) -> Pages {
        match &self.backend {
            Backend::ClickHouse(table) => Pages::ClickHouse(Box::new(table.pages(query))),
            Backend::Elastic(index) => Pages::Elastic(Box::new(index.pages(query))),
            Backend::Loki(loki) => Pages::Loki(Box::new(paging::Pages::new(loki, query))),
            Backend::VictoriaLogs(store) => {
                Pages::VictoriaLogs(Box::new(paging::Pages::new(store, query)))
            }
        }
    }
}

/// An answer on its way. A page has at most [`super::PAGE_LINES`] lines, in the order of the query.
pub enum Pages {
    ClickHouse(Box<clickhouse::Pages>),
    Elastic(Box<elastic::Pages>),
    Loki(Box<paging::Pages<Loki>>),
    VictoriaLogs(Box<paging::Pages<VictoriaLogs>>),
}

impl Pages {
    /// The next page; an empty one is the end.
    pub async fn next(&mut self) -> Result<Vec<Line>, Error> {
        match self {
            Pages::ClickHouse(pages) => pages.next().await,
            Pages::Elastic(pages) => pages.next().await,
            Pages::Loki(pages) => pages.next().await,
            Pages::VictoriaLogs(pages) => pages.next().await,
        }
    }

    /// The index of the first line, where the store has such.
    pub fn place(&self) -> Option<&str> {
        match self {
            Pages::Elastic(pages) => pages.place(),
            Pages::ClickHouse(_) | Pages::Loki(_) | Pages::VictoriaLogs(_) => None,
        }
    }

    /// The field that no record of the store has, where that is why nothing was found.
    pub fn absent(&self) -> Option<&str> {
        match self {
            Pages::ClickHouse(_) => None,
            Pages::Elastic(pages) => pages.absent(),
            Pages::Loki(_) | Pages::VictoriaLogs(_) => None,
        }
    }
}
