//! The configuration: what the rooms need, collected and merged.
//!
//! In: a TOML file, the environment, flags. Out: a [`Config`]. Each of the four layers beats the one
//! before: defaults, file, environment, flags. An unknown key is an error that names the nearest
//! known one.
//!
//! Every key can be set in each of the three ways: `listen` below `[ingest]` in the file is
//! `BYGONE_INGEST_LISTEN` in the environment and `--set ingest.listen=...` on the command line.
//! Keys and their types come from [`Config`] itself (`keys`); a variable that begins with `BYGONE_`
//! and is not a key must be one of `environment`.
//!
//! Not here: the meaning of keys; each room's `Config` documents them.

mod environment;
mod keys;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use toml::Table;

use crate::{access, clickhouse, dead_letters, engine, http, logs, reconcile, sink, source, spool};

/// Everything that can be set.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Folder for all local data.
    pub data_dir: PathBuf,
    /// Log level, or a filter like `bygone=debug,warn`.
    pub log: String,
    /// The listener for audit events.
    pub ingest: http::listener::Config,
    /// The listener for queries.
    pub api: http::listener::Config,
    pub access: access::Config,
    pub webhook: source::webhook::Config,
    pub kafka: source::kafka::Config,
    /// Audit log files that are followed.
    pub files: Vec<source::file::Config>,
    /// API servers to watch.
    pub watch: Vec<source::watch::Config>,
    /// The etcd of clusters to read.
    pub etcd: Vec<source::etcd::Config>,
    pub clickhouse: clickhouse::Config,
    pub engine: engine::Config,
    pub spool: spool::Config,
    pub sink: sink::Config,
    pub reconcile: reconcile::Config,
    pub dead_letters: dead_letters::Config,
    /// Stores of log lines.
    pub logs: Vec<logs::Config>,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            data_dir: default_data_dir(),
            log: "info".to_owned(),
            ingest: http::listener::Config::default(),
            api: http::listener::Config::default(),
            access: access::Config::default(),
            webhook: source::webhook::Config::default(),
            kafka: source::kafka::Config::default(),
            files: Vec::new(),
            watch: Vec::new(),
            etcd: Vec::new(),
            clickhouse: Default::default(),
            engine: Default::default(),
            spool: Default::default(),
            sink: Default::default(),
            reconcile: Default::default(),
            dead_letters: Default::default(),
            logs: Default::default(),
        }
    }
}

impl Config {
    /// Whether the data folder is another than the usual one.
    #[must_use]
    pub fn is_elsewhere(&self) -> bool {
        self.data_dir != default_data_dir()
    }
}

/// `$XDG_DATA_HOME/bygone`, else `~/.local/share/bygone`, else `./bygone-data`.
fn default_data_dir() -> PathBuf {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    match (set("XDG_DATA_HOME"), set("HOME")) {
        (Some(data), _) => PathBuf::from(data).join("bygone"),
        (None, Some(home)) => PathBuf::from(home).join(".local/share/bygone"),
        (None, None) => PathBuf::from("bygone-data"),
    }
}

/// Where audit events are taken unless something else is set.
const INGEST: &str = "127.0.0.1:7070";
/// Where questions are answered unless something else is set.
const API: &str = "127.0.0.1:7071";

/// Why the configuration is invalid: one line that names the place.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("config file {}: {cause}", path.display())]
    File {
        path: PathBuf,
        cause: std::io::Error,
    },
    #[error("config file {}: {cause}", path.display())]
    Content { path: PathBuf, cause: String },
    #[error("{place}: {cause}")]
    Value { place: String, cause: String },
    #[error("{place}: {}", no_such(what, nearest.as_deref()))]
    Unknown {
        place: String,
        /// `key` or `variable`.
        what: &'static str,
        nearest: Option<String>,
    },
    #[error("{key} {value:?} is not an address and a port: use one like 127.0.0.1:7070")]
    Listen { key: &'static str, value: String },
}

fn no_such(what: &str, nearest: Option<&str>) -> String {
    match nearest {
        Some(nearest) => format!("no such {what}: did you mean {nearest}?"),
        None => format!("no such {what}: \"bygone config keys\" lists them"),
    }
}

/// Flags of their own that were given: a key of the configuration and its value.
pub type Flags = Vec<(&'static str, String)>;

/// What sets keys beside the file.
#[derive(Clone, Copy, Default)]
pub struct Given<'g> {
    /// `--set KEY=VALUE`.
    pub set: &'g [(String, String)],
    /// The flags that have a name of their own; they beat `--set`.
    pub flags: &'g [(&'static str, String)],
}

/// Merges the layers.
///
/// # Errors
///
/// When the file can't be read or parsed, a key or a variable is unknown, or a value does not fit.
pub fn load(file: Option<&Path>, given: Given) -> Result<Config, Error> {
    load_from(file, environment::read()?, given)
}

/// Every key with its variable, sorted.
#[must_use]
pub fn keys() -> Vec<(String, String)> {
    let named = keys::all().into_iter();
    named
        .map(|key| (key.clone(), keys::variable(&key)))
        .collect()
}

fn load_from(
    file: Option<&Path>,
    variables: Vec<(String, String)>,
    given: Given,
) -> Result<Config, Error> {
    let mut merged = match file {
        Some(path) => read(path)?,
        None => Table::new(),
    };
    let known = keys::all();
    for (variable, text) in variables {
        if let Some(key) = environment::key_of(&variable, &text, &known)? {
            keys::set(&mut merged, &key, &text, &variable)?;
        }
    }
    for (key, text) in given.set {
        let place = format!("--set {key}");
        if !known.contains(key) {
            return Err(keys::unknown(place, key, &known));
        }
        keys::set(&mut merged, key, text, &place)?;
    }
    for (key, text) in given.flags {
        let place = format!("--{}", key.replace(['.', '_'], "-"));
        keys::set(&mut merged, key, text, &place)?;
    }
    checked(parse(merged).map_err(|cause| Error::Value {
        place: file.map_or("config".to_owned(), |path| {
            format!("config file {}", path.display())
        }),
        cause,
    })?)
}

/// The configuration with its two addresses, which must be addresses.
fn checked(mut config: Config) -> Result<Config, Error> {
    let Config { ingest, api, .. } = &mut config;
    let ingest = ingest.listen.get_or_insert_with(|| INGEST.to_owned());
    check_listen("ingest.listen", ingest)?;
    let api = api.listen.get_or_insert_with(|| API.to_owned());
    check_listen("api.listen", api)?;
    Ok(config)
}

fn read(path: &Path) -> Result<Table, Error> {
    let text = std::fs::read_to_string(path).map_err(|cause| Error::File {
        path: path.to_owned(),
        cause,
    })?;
    let content = |cause: toml::de::Error| {
        let line = cause
            .span()
            .map_or(1, |span| text[..span.start].lines().count().max(1));
        let cause = format!("line {line}: {}", one_line(cause.message()));
        Error::Content {
            path: path.to_owned(),
            cause,
        }
    };
    // Parsed twice: this once for errors with their line.
    toml::from_str::<Config>(&text).map_err(content)?;
    text.parse().map_err(content)
}

fn parse(table: Table) -> Result<Config, String> {
    table
        .try_into()
        .map_err(|error: toml::de::Error| one_line(error.message()))
}

fn one_line(text: &str) -> String {
    text.lines().map(str::trim).collect::<Vec<_>>().join(" ")
}

fn check_listen(key: &'static str, value: &str) -> Result<(), Error> {
    match value.parse::<SocketAddr>() {
        Ok(_) => Ok(()),
        Err(_) => Err(Error::Listen {
            key,
            value: value.to_owned(),
        }),
    }
}

#[cfg(test)]
mod tests;
