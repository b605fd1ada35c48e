//! Records in indices of Elasticsearch and OpenSearch.
//!
//! The first page is a search of its own: most instances have no more. The pages after it read from a point in time, one
//! from the last record of the other. Where that breaks off, it is asked again from there; where the point in time is
//! gone, a new one is opened at the time of the last line.

mod mapping;
mod pages;
mod record;
mod seen;

use std::sync::Arc;
use std::time::{Duration, Instant};

use reqwest::{Method, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::Mutex;

use self::mapping::{Caps, Mapping};
pub use self::pages::Pages;
use self::record::Source;
use super::Error;
use super::client::Client;
use super::config::Config;
use super::layout::Fields;
use super::query::Query;

/// How long a point in time is kept between two pages.
const KEEP_ALIVE: &str = "1m";

/// How long the types of fields are taken for known: an index of each day may bring new ones.
const MAPPING_AGE_MAX: Duration = Duration::from_secs(300);

/// The largest answer: a page, or the types of a few fields.
const ANSWER_BYTES_MAX: usize = 64 << 20;

/// Indices, and where the parts of their records are.
pub struct Index {
    client: Client,
    store: String,
    pattern: String,
    dialect: Dialect,
    fields: Fields,
    time: String,
    mapping: Mutex<Option<(Instant, Arc<Mapping>)>>,
}

/// In what the two differ.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    Elasticsearch,
    OpenSearch,
}

/// One page as the store sends it.
#[derive(Deserialize)]
struct Found {
    /// May be another one than was asked.
    pit_id: Option<String>,
    timed_out: bool,
    #[serde(rename = "_shards")]
    shards: Shards,
    hits: Hits,
}

#[derive(Deserialize)]
struct Shards {
    failed: u64,
}

#[derive(Deserialize)]
struct Hits {
    hits: Vec<Hit>,
}

#[derive(Deserialize)]
struct Hit {
    #[serde(rename = "_index", default)]
    index: String,
    #[serde(rename = "_source", default)]
    source: Source,
    /// The time in nanoseconds, and what orders records of one time.
    sort: Vec<Value>,
}

/// What a search can come to, besides errors.
enum Outcome {
    Found(Found),
    /// The point in time, or the index, is no longer there.
    Gone,
    /// More than [`ANSWER_BYTES_MAX`].
    TooLarge,
}

impl Index {
    pub fn open(
        config: &Config,
        dialect: Dialect,
        pattern: &str,
        fields: &Fields,
    ) -> Result<Index, Error> {
        let wrong = |cause: String| Error::Config {
            store: config.name.clone(),
            cause,
        };
        if !is_pattern(pattern) {
            return Err(wrong(format!(
                "invalid index pattern {pattern:?} in from: use one like logs-*"
            )));
        }
        if fields.line.is_empty() {
            return Err(wrong("fields.line must name a field".to_owned()));
        }
        Ok(Index {
            client: Client::open(config)?,
            store: config.name.clone(),
            pattern: pattern.to_owned(),
            dialect,
            fields: fields.clone(),
            time: fields.time.clone().unwrap_or("@timestamp".to_owned()),
            mapping: Mutex::default(),
        })
    }

    pub fn pages(self: &Arc<Self>, query: Query) -> Pages {
        Pages::new(self, query)
    }

    /// The types of the fields, which are asked for once in a while.
    async fn mapping(&self) -> Result<Arc<Mapping>, Error> {
        let mut known = self.mapping.lock().await;
        if let Some((since, mapping)) = &*known
            && since.elapsed() < MAPPING_AGE_MAX
        {
            return Ok(mapping.clone());
        }
        let names = mapping::names(&self.fields, &self.time).join(",");
        let path = format!("/{}/_field_caps", self.pattern);
        let request = self.client.request(Method::GET, &path);
        let response = self
            .client
            .send(request.query(&[("fields", names)]))
            .await?;
        if response.status() == StatusCode::NOT_FOUND {
            return Err(self.no_index());
        }
        let caps: Caps = self.client.json(response, ANSWER_BYTES_MAX).await?;
        // A pattern may match no index.
        if caps.indices.as_array().is_some_and(Vec::is_empty) {
            return Err(self.no_index());
        }
        let mapping = Arc::new(Mapping::of(caps));
        let Some(types) = mapping.types(&self.time) else {
            return Err(Error::Missing {
                store: self.store.clone(),
                what: format!("field {} in index {}", self.time, self.pattern),
            });
        };
        if let Some(other) = types
            .iter()
            .find(|kind| !["date", "date_nanos"].contains(*kind))
        {
            let time = &self.time;
            return Err(self.answer(format!("field {time} is of type {other}, not a date")));
        }
        *known = Some((Instant::now(), mapping.clone()));
        Ok(mapping)
    }

    async fn search(&self, path: &str, body: &impl Serialize) -> Result<Outcome, Error> {
        let request = self.client.request(Method::POST, path);
        // A shard that is missing must not look like lines that are not there.
        let request = request.query(&[("allow_partial_search_results", "false")]);
        let response = self.client.send(request.json(body)).await?;
        if response.status() == StatusCode::NOT_FOUND {
            return Ok(Outcome::Gone);
        }
        let found = self.client.json_within::<Found>(response, ANSWER_BYTES_MAX);
        let Some(found) = found.await? else {
            return Ok(Outcome::TooLarge);
        };
        if found.timed_out || found.shards.failed > 0 {
            return Err(self.answer("a part of it did not answer".to_owned()));
        }
        Ok(Outcome::Found(found))
    }

    /// Opens a point in time.
    async fn open_point(&self) -> Result<String, Error> {
        #[derive(Deserialize)]
        struct Opened {
            #[serde(alias = "pit_id")]
            id: String,
        }
        let what = match self.dialect {
            Dialect::Elasticsearch => "_pit",
            Dialect::OpenSearch => "_search/point_in_time",
        };
        let path = format!("/{}/{what}", self.pattern);
        let request = self.client.request(Method::POST, &path);
        let request = request.query(&[("keep_alive", KEEP_ALIVE)]);
        let response = self.client.send(request).await?;
        if response.status() == StatusCode::NOT_FOUND {
            return Err(self.no_index());
        }
        let opened: Opened = self.client.json(response, ANSWER_BYTES_MAX).await?;
        Ok(opened.id)
    }

    /// It would end by itself, but stores have only so many.
    async fn close_point(&self, id: &str) {
        let (path, body) = match self.dialect {
            Dialect::Elasticsearch => ("/_pit", json!({ "id": id })),
            Dialect::OpenSearch => ("/_search/point_in_time", json!({ "pit_id": [id] })),
        };
        let request = self.client.request(Method::DELETE, path);
        _ = self.client.send(request.json(&body)).await;
    }

    fn no_index(&self) -> Error {
        Error::Missing {
            store: self.store.clone(),
            what: format!("index {}", self.pattern),
        }
    }

    fn answer(&self, cause: String) -> Error {
        Error::Answer {
            store: self.store.clone(),
            cause,
        }
    }
}

/// Names, wildcards and lists of indices, also of remote clusters: what can stand in a path.
fn is_pattern(pattern: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.*,:+".contains(c);
    !pattern.is_empty() && !pattern.starts_with(['_', '.']) && pattern.chars().all(is_plain)
}

#[cfg(test)]
mod tests;
