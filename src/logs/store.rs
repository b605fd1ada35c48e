//! A store that is open: what it holds, and how it is asked.

use std::sync::Arc;

use jiff::SignedDuration;

use super::chosen::Chosen;
use super::clickhouse;
use super::config::Config;
use super::elastic::{self, Dialect, Index};
use super::layout::{Fields, Kind, TimeIs};
use super::line::Line;
use super::loki::Loki;
use super::paging;
use super::query::Query;
use super::victorialogs::VictoriaLogs;
use super::{Error, OwnStore};

/// A store.
pub struct Store {
    pub name: String,
    clusters: Vec<String>,
    pub fields: Fields,
    pub time_is: TimeIs,
    pub container_id_is_uncertain: bool,
    pub slack: SignedDuration,
    backend: Backend,
}

enum Backend {
    ClickHouse(clickhouse::Table),
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
            Kind::ClickHouse => {
                Backend::ClickHouse(clickhouse::Table::open(config, &from, &fields, own)?)
            }
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
            name: config.name.clone(),
            clusters: config.clusters.clone(),
            fields,
            time_is,
            container_id_is_uncertain,
            slack,
            backend,
        })
    }

    /// Whether it has lines of this cluster.
    pub fn holds(&self, cluster: &str) -> bool {
        self.clusters.is_empty() || self.clusters.iter().any(|name| name == cluster)
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

    /// The field that no record of the store has, where that is why nothing was found.
    pub fn absent(&self) -> Option<&str> {
        match self {
            Pages::ClickHouse(_) => None,
            Pages::Elastic(pages) => pages.absent(),
            Pages::Loki(_) | Pages::VictoriaLogs(_) => None,
        }
    }
}
