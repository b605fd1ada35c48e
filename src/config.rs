//! The configuration: what the rooms need, collected and merged.
//!
//! In: a TOML file, the environment, flags. Out: a [`Config`]. Each of the four layers beats the one
//! before: defaults, file, environment, flags. A key that nobody knows is an error with its name.
//!
//! The environment's name of a key is `BYGONE_` and its path in capitals: `ingest.listen` is
//! `BYGONE_INGEST_LISTEN`. Other variables that begin so are left alone: Kubernetes puts some there.
//!
//! Not here: what a key means; each room's `Config` says that.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use toml::{Table, Value};

use crate::{access, clickhouse, dead_letters, engine, http, reconcile, sink, source, spool};

/// Everything that can be set.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Folder for everything that bygone keeps on this machine.
    pub data_dir: PathBuf,
    /// What is logged: a level, or a filter like `bygone=debug,warn`.
    pub log: String,
    /// The listener for audit events.
    pub ingest: http::listener::Config,
    /// The listener for questions.
    pub api: http::listener::Config,
    pub access: access::Config,
    pub webhook: source::webhook::Config,
    pub kafka: source::kafka::Config,
    pub clickhouse: clickhouse::Config,
    pub engine: engine::Config,
    pub spool: spool::Config,
    pub sink: sink::Config,
    pub reconcile: reconcile::Config,
    pub dead_letters: dead_letters::Config,
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
            clickhouse: Default::default(),
            engine: Default::default(),
            spool: Default::default(),
            sink: Default::default(),
            reconcile: Default::default(),
            dead_letters: Default::default(),
        }
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

/// Keys that the environment and flags can set: paths in the TOML file.
const KEYS: [&str; 46] = [
    "data_dir",
    "log",
    "ingest.listen",
    "ingest.tls_certificate_file",
    "ingest.tls_key_file",
    "ingest.client_ca_file",
    "api.listen",
    "api.tls_certificate_file",
    "api.tls_key_file",
    "access.insecure",
    "webhook.body_bytes_max",
    "webhook.event_bytes_max",
    "webhook.memory_bytes_max",
    "kafka.brokers",
    "kafka.group_id",
    "kafka.group_instance_id",
    "kafka.cluster",
    "kafka.tls",
    "kafka.tls_ca_file",
    "kafka.sasl_user",
    "kafka.sasl_password_file",
    "kafka.unstored_bytes_max",
    "clickhouse.url",
    "clickhouse.user",
    "clickhouse.password_file",
    "clickhouse.database",
    "clickhouse.cluster",
    "clickhouse.shard_urls",
    "engine.library",
    "engine.memory_bytes_max",
    "engine.insecure",
    "spool.size_bytes_max",
    "spool.segment_bytes_max",
    "spool.frame_bytes_max",
    "spool.group_bytes_max",
    "spool.kept_after_stored_seconds",
    "sink.flush_wait_ms",
    "sink.batch_rows_max",
    "sink.inserts_max",
    "sink.facts_rows_max",
    "reconcile.enabled",
    "reconcile.retention_days",
    "reconcile.memory_bytes_max",
    "dead_letters.keep",
    "dead_letters.size_bytes_max",
    "dead_letters.kept_days",
];

/// Why there is no configuration: one line that names the place.
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
    #[error("{key} {value:?} is not an address and a port: write it like 127.0.0.1:7070")]
    Listen { key: &'static str, value: String },
}

/// Flags that were given: a key of the configuration and its value.
pub type Flags = Vec<(&'static str, String)>;

/// Merges the layers.
///
/// # Errors
///
/// When the file can't be read or parsed, a key is unknown, or a value does not fit.
pub fn load(file: Option<&Path>, flags: &Flags) -> Result<Config, Error> {
    load_from(file, |name| std::env::var(name).ok(), flags)
}

fn load_from(
    file: Option<&Path>,
    environment: impl Fn(&str) -> Option<String>,
    flags: &Flags,
) -> Result<Config, Error> {
    let mut merged = match file {
        Some(path) => read(path)?,
        None => Table::new(),
    };
    for key in KEYS {
        let name = format!("BYGONE_{}", key.replace('.', "_").to_uppercase());
        if let Some(text) = environment(&name) {
            set(&mut merged, key, &text, &name)?;
        }
    }
    for (key, text) in flags {
        set(
            &mut merged,
            key,
            text,
            &format!("--{}", key.replace(['.', '_'], "-")),
        )?;
    }
    let mut config: Config = parse(merged).map_err(|cause| Error::Value {
        place: file.map_or("config".to_owned(), |path| {
            format!("config file {}", path.display())
        }),
        cause,
    })?;
    check_listen(
        "ingest.listen",
        config
            .ingest
            .listen
            .get_or_insert_with(|| INGEST.to_owned()),
    )?;
    check_listen(
        "api.listen",
        config.api.listen.get_or_insert_with(|| API.to_owned()),
    )?;
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

/// Sets a key to a text, in the type that the key has.
fn set(table: &mut Table, key: &str, text: &str, place: &str) -> Result<(), Error> {
    let (path, leaf) = match key.split_once('.') {
        Some((room, leaf)) => (Some(room), leaf),
        None => (None, key),
    };
    let place_of = |cause: String| Error::Value {
        place: place.to_owned(),
        cause,
    };
    let number = ["_max", "_ms", "_seconds", "_days"]
        .iter()
        .any(|unit| leaf.ends_with(unit));
    let value = if matches!(leaf, "enabled" | "insecure" | "keep" | "tls") {
        let parsed = text
            .parse()
            .map_err(|_| place_of(format!("{text:?} is not true or false")))?;
        Value::Boolean(parsed)
    } else if number {
        let parsed = text
            .parse()
            .map_err(|_| place_of(format!("{text:?} is not a number")))?;
        Value::Integer(parsed)
    } else if leaf.ends_with("_urls") {
        let urls = text.split(',').map(|url| url.trim().to_owned());
        Value::Array(urls.map(Value::String).collect())
    } else {
        Value::String(text.to_owned())
    };
    let target = match path {
        None => table,
        Some(room) => table
            .entry(room)
            .or_insert_with(|| Value::Table(Table::new()))
            .as_table_mut()
            .ok_or_else(|| place_of(format!("{room} is not a table in the config file")))?,
    };
    target.insert(leaf.to_owned(), value);
    Ok(())
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
