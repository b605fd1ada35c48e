//! Links: where a person sees the lines of a container instance, in the user interfaces of stores.
//!
//! In: `[[logs.links]]`, and a container instance. Out: URLs of pages whose query and time range find the lines of this
//! instance, by the conditions that bygone itself would send. No store is asked, so nobody sees that an identity finds
//! nothing: the strongest one is used that the agent always writes. Other instances are not asked about either, so that
//! rows can have links as they stream: what tells instances apart by time alone gets no slack.
//!
//! What can go wrong: only the configuration.
//!
//! Never here: I/O; a value in a URL or a query that is not quoted for both.

mod discover;
mod grafana;
mod lucene;
mod rison;
mod sql;
mod template;
mod vmui;

use jiff::{SignedDuration, Timestamp};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use self::discover::Discover;
use self::grafana::Explore;
use self::template::Template;
use self::vmui::Vmui;
use super::Error;
use super::chosen::Chosen;
use super::conditions::{Condition, conditions, names};
use super::config::Config;
use super::identity::Identity;
use super::instance::Instance;
use super::layout::{Fields, Kind};
use super::link::{Link, LinkKind};
use super::loki::Search;
use super::span::Span;
use super::victorialogs;
use crate::query::{self, Container, Life, LogsLink};

/// The fields of a row that links are made of.
const FIELDS: [&str; 14] = [
    "cluster",
    "namespace",
    "pod",
    "pod_uid",
    "container",
    "restart",
    "container_id",
    "runtime",
    "node",
    "started_at",
    "ended_at",
    "end_seen",
    "pod_created_at",
    "pod_removed_at",
];

/// The field of a row that links are in.
const LOGS: &str = "logs";

/// The links of all stores.
#[derive(Default)]
pub struct Links {
    stores: Vec<OfStore>,
}

/// The links of one store.
struct OfStore {
    config: Config,
    fields: Fields,
    language: Option<Language>,
    slack: SignedDuration,
    /// The one to use comes first.
    identities: Vec<Identity>,
    pages: Vec<Page>,
}

/// A page of a user interface.
struct Page {
    name: String,
    /// The only one to use.
    identity: Option<Identity>,
    interface: Interface,
}

enum Interface {
    Grafana(Explore),
    Discover(Discover),
    Vmui(Vmui),
    Template(Template),
}

/// How a store is asked.
enum Language {
    ClickHouse(sql::Table),
    Lucene,
    LogQl(Search),
    LogsQl { from: String },
}

/// What a page is to show.
struct Asked<'a> {
    store: &'a str,
    instance: &'a Instance,
    span: Span,
    /// Whether it still writes: then pages that can go on do.
    is_running: bool,
    /// In the store's language.
    query: Option<String>,
}

impl Links {
    /// Reads the links of all stores.
    ///
    /// # Errors
    ///
    /// When one is invalid, in one line.
    pub fn open(configs: &[Config]) -> Result<Links, Error> {
        let with_links = configs
            .iter()
            .filter(|config| config.links_only || !config.links.is_empty());
        let stores = with_links.map(OfStore::open).collect::<Result<_, _>>()?;
        Ok(Links { stores })
    }

    /// The links of a container instance. `now` is where what runs ends.
    #[must_use]
    pub fn of(&self, row: &Container, now: Timestamp) -> Vec<LogsLink> {
        let mut links = Vec::new();
        if self.stores.is_empty() {
            return links;
        }
        let instance = Instance::of(row.clone());
        for store in &self.stores {
            if store.config.holds(&instance.cluster) {
                links.extend(store.of(&instance, now));
            }
        }
        links
    }

    /// Adds the links to a row, where it is a container instance.
    pub fn add<L: Life>(&self, row: &mut L, now: Timestamp) {
        if let Some(row) = row.container() {
            row.logs = self.of(row, now);
        }
    }

    /// Adds the links to the container instances of a pod's page.
    pub fn add_to_page(&self, page: &mut query::Page, now: Timestamp) {
        for row in &mut page.containers {
            self.add(row, now);
        }
    }

    /// Whether the rows of a question get links; `fields` are those that it asks for, none meaning all. What is needed
    /// for links is then among them, and the links themselves, which no view has, are not.
    pub fn are_wanted<L: Life>(&self, fields: &mut Vec<String>) -> bool {
        if !L::HAS_LOGS || fields.is_empty() {
            return L::HAS_LOGS && !self.stores.is_empty();
        }
        let count = fields.len();
        fields.retain(|field| field != LOGS);
        let is_wanted = fields.len() < count;
        if is_wanted {
            fields.extend(FIELDS.map(str::to_owned));
        }
        is_wanted
    }
}

impl OfStore {
    fn open(config: &Config) -> Result<OfStore, Error> {
        let wrong = |cause: String| Error::Config {
            store: config.name.clone(),
            cause,
        };
        let chosen = Chosen::of(config)?;
        if config.links.is_empty() {
            let cause = "links_only is set, and there is no [[logs.links]]";
            return Err(wrong(cause.to_owned()));
        }
        let language = chosen
            .kind
            .map(|kind| Language::of(kind, &chosen))
            .transpose();
        let pages = config.links.iter().map(|link| {
            let page = Page::open(link, config, &chosen);
            page.map_err(|cause| wrong(format!("link {:?}: {cause}", name(link))))
        });
        Ok(OfStore {
            config: config.clone(),
            language: language.map_err(wrong)?,
            slack: chosen.slack,
            identities: chosen.identities(),
            pages: pages.collect::<Result<_, _>>()?,
            fields: chosen.fields,
        })
    }

    fn of(&self, instance: &Instance, now: Timestamp) -> impl Iterator<Item = LogsLink> {
        self.pages.iter().filter_map(move |page| {
            let url = self.url(page, instance, now)?;
            Some(LogsLink {
                store: self.config.name.clone(),
                name: page.name.clone(),
                url,
            })
        })
    }

    /// `None` where the instance, or the store, lacks what the page needs.
    fn url(&self, page: &Page, instance: &Instance, now: Timestamp) -> Option<String> {
        let found = self.found_by(page, instance);
        // A template may do without a query of ours, and says by itself what it searches for.
        let identity = found.as_ref().map(|(identity, _)| *identity);
        let slack = match identity {
            Some(Identity::Uid | Identity::Names) => SignedDuration::ZERO,
            None | Some(Identity::ContainerId | Identity::Restart) => self.slack,
        };
        let span = instance.span(identity.unwrap_or(Identity::ContainerId), slack, now);
        let names = names(&self.fields, instance);
        let mut asked = Asked {
            store: &self.config.name,
            instance,
            span,
            is_running: instance.ended.is_none() && span.until >= now,
            query: None,
        };
        let times = match &page.interface {
            Interface::Grafana(_) => sql::Times::Macros,
            _ => sql::Times::Given {
                from: asked.start_ms(),
                to: asked.end_ms(),
            },
        };
        asked.query = self.language.as_ref().zip(found).map(|(language, found)| {
            let (_, conditions) = found;
            language.query(&conditions, &names, &times)
        });
        match &page.interface {
            Interface::Grafana(explore) => explore.url(&asked),
            Interface::Discover(discover) => discover.url(&asked),
            Interface::Vmui(vmui) => vmui.url(&asked),
            Interface::Template(template) => template.url(&asked),
        }
    }

    fn found_by(&self, page: &Page, instance: &Instance) -> Option<(Identity, Vec<Condition>)> {
        let found = |identity: &Identity| {
            let conditions = conditions(*identity, &self.fields, instance)?;
            Some((*identity, conditions))
        };
        match &page.identity {
            Some(identity) => found(identity),
            None => self.identities.iter().find_map(found),
        }
    }
}

/// How answers call a link.
fn name(link: &Link) -> String {
    let name = link.name.clone();
    name.unwrap_or_else(|| link.kind.word().to_owned())
}

impl Page {
    fn open(link: &Link, config: &Config, chosen: &Chosen) -> Result<Page, String> {
        link.check()?;
        let kind = chosen.kind;
        let is_for = |kinds: &[Kind]| match kind {
            Some(kind) if kinds.contains(&kind) => Ok(()),
            _ => Err(format!("{} shows no store of this kind", link.kind.word())),
        };
        let elastic = [Kind::Elasticsearch, Kind::OpenSearch];
        let interface = match link.kind {
            LinkKind::Grafana => {
                let kind = kind.ok_or("name the store's preset, or its kind and fields")?;
                Interface::Grafana(Explore::open(link, kind, &chosen.fields)?)
            }
            LinkKind::Kibana => {
                is_for(&elastic)?;
                Interface::Discover(Discover::kibana(link, &chosen.fields)?)
            }
            LinkKind::OpenSearchDashboards => {
                is_for(&elastic)?;
                Interface::Discover(Discover::opensearch(link, &chosen.fields)?)
            }
            LinkKind::Vmui => {
                is_for(&[Kind::VictoriaLogs])?;
                Interface::Vmui(Vmui::open(link, config)?)
            }
            LinkKind::Template => {
                let template = Template::parse(link.needs("template", &link.template)?)?;
                if template.has_query && kind.is_none() {
                    return Err(
                        "{query} needs the store's preset, or its kind and fields".to_owned()
                    );
                }
                Interface::Template(template)
            }
        };
        Ok(Page {
            name: name(link),
            identity: link.identity,
            interface,
        })
    }
}

impl Language {
    fn of(kind: Kind, chosen: &Chosen) -> Result<Language, String> {
        Ok(match kind {
            Kind::ClickHouse => {
                Language::ClickHouse(sql::Table::parse(&chosen.from, &chosen.fields)?)
            }
            Kind::Elasticsearch | Kind::OpenSearch => Language::Lucene,
            Kind::Loki => Language::LogQl(Search::parse(&chosen.from, &chosen.fields)?),
            Kind::VictoriaLogs => Language::LogsQl {
                from: chosen.from.clone(),
            },
        })
    }

    fn query(&self, conditions: &[Condition], names: &[Condition], times: &sql::Times) -> String {
        match self {
            Language::ClickHouse(table) => table.query(conditions, times),
            Language::Lucene => lucene::query(conditions),
            Language::LogQl(search) => search.of(conditions, names).logql(),
            Language::LogsQl { from } => victorialogs::filters(from, conditions).join(" "),
        }
    }
}

impl Asked<'_> {
    /// Milliseconds since 1970, as all user interfaces count: cut off at the start, rounded up at the end.
    fn start_ms(&self) -> i64 {
        self.span.from.as_millisecond().max(0)
    }

    fn end_ms(&self) -> i64 {
        let nanoseconds = self.span.until.as_nanosecond();
        i64::try_from(nanoseconds.div_euclid(1_000_000) + i128::from(nanoseconds % 1_000_000 > 0))
            .unwrap_or(i64::MAX)
    }

    /// Seconds since 1970.
    fn end_s(&self) -> i64 {
        let milliseconds = self.end_ms();
        milliseconds.div_euclid(1000) + i64::from(milliseconds % 1000 > 0)
    }

    /// RFC 3339 with milliseconds.
    fn start_iso(&self) -> String {
        iso(self.start_ms())
    }

    fn end_iso(&self) -> String {
        iso(self.end_ms())
    }
}

fn iso(milliseconds: i64) -> String {
    let at = Timestamp::from_millisecond(milliseconds).unwrap_or(Timestamp::MAX);
    format!("{at:.3}")
}

/// What RFC 3986 calls unreserved is left as it is.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// Percent-encoded, so that it is one value wherever it stands in a URL, and a terminal sees where the URL ends.
fn encoded(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

/// The address of a user interface, without the slash at its end.
fn address(link: &Link, default: Option<&String>) -> Result<String, String> {
    let address = link.address.as_ref().or(default).cloned();
    let address = link.needs("address", &address)?.trim_end_matches('/');
    let is_page = address.starts_with("https://") || address.starts_with("http://");
    match is_page && !address.contains(['#', '?', ' ']) {
        true => Ok(address.to_owned()),
        false => Err(format!(
            "invalid address {address:?}: use one like https://grafana.example"
        )),
    }
}

#[cfg(test)]
mod tests;
