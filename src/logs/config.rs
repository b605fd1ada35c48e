//! One store, as it is configured.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::layout::{Fields, Kind, TimeIs};
use super::link::Link;
use crate::tls;

/// A store of log lines: one `[[logs]]` block.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// How answers call it.
    pub name: String,
    /// What wrote into it, and in which form: a name of `bygone logs presets`. Everything below overrides it.
    pub preset: Option<String>,
    pub kind: Option<Kind>,
    /// `http://host:port`. A ClickHouse without one is the one that keeps the history.
    pub address: Option<String>,
    /// The clusters whose lines it holds; none named: all.
    pub clusters: Vec<String>,
    /// The table (`table` or `database.table`), the index pattern, or a stream selector that narrows every query.
    pub from: Option<String>,
    pub user: Option<String>,
    /// A file with that user's password.
    pub password_file: Option<PathBuf>,
    /// A file with a bearer token.
    pub token_file: Option<PathBuf>,
    /// A file with an API key of Elasticsearch, as it is sent.
    pub api_key_file: Option<PathBuf>,
    /// Loki's `X-Scope-OrgID`; of VictoriaLogs `ACCOUNT` or `ACCOUNT:PROJECT`.
    pub tenant: Option<String>,
    pub tls: tls::ClientFiles,
    /// Where the parts of a record are. Those that are not named are the preset's.
    pub fields: Fields,
    /// Whose clock the time of a line is.
    pub time_is: Option<TimeIs>,
    /// How far before and after its life an instance's lines may lie, where its identity allows it.
    pub slack_seconds: u32,
    /// How long the store may take to send the next page.
    pub timeout_seconds: u64,
    /// Whether only links are made: no line is read out of it, so it needs no address, and for templates no kind.
    pub links_only: bool,
    /// Where a person sees its lines.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub links: Vec<Link>,
}

impl Config {
    /// Whether it has lines of this cluster.
    pub(super) fn holds(&self, cluster: &str) -> bool {
        self.clusters.is_empty() || self.clusters.iter().any(|name| name == cluster)
    }
}

impl Default for Config {
    fn default() -> Self {
        Config {
            name: String::new(),
            preset: None,
            kind: None,
            address: None,
            clusters: Vec::new(),
            from: None,
            user: None,
            password_file: None,
            token_file: None,
            api_key_file: None,
            tenant: None,
            tls: tls::ClientFiles::default(),
            fields: Fields::default(),
            time_is: None,
            // More than clocks of nodes that are watched at all are off.
            slack_seconds: 300,
            timeout_seconds: 30,
            links_only: false,
            links: Vec::new(),
        }
    }
}
