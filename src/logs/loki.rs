//! Lines in Loki, by LogQL.
//!
//! Not here: LokiStack's paths per tenant, which belong to the address.

mod field;
mod logql;
mod search;
mod seen;

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};
use reqwest::Method;
use reqwest::header::HeaderValue;
use serde::Deserialize;
use serde_json::Value;

use self::field::Field;
pub use self::search::Search;
use super::Error;
use super::client::Client;
use super::config::Config;
use super::layout::Fields;
use super::line::Line;
use super::paging::{Failed, Limits, Page, Source, Want};
use super::query::Query;

/// The most lines that one page may grow to, where Loki allows it: `max_entries_limit_per_query` is 5,000 by default.
const LINES_MAX: usize = 50_000;

/// 30 days and an hour is Loki's `max_query_length` by default. What allows less says so, and is asked for less.
const PIECE_MAX: SignedDuration = SignedDuration::from_hours(30 * 24);

/// Loki did not exist before 2018-11-01.
const BEGIN_SECOND: i64 = 1_541_030_400;

const ANSWER_BYTES_MAX: usize = 256 << 20;

/// A Loki, and where the parts of its records are.
pub struct Loki {
    client: Client,
    name: String,
    tenant: Option<HeaderValue>,
    search: Search,
    stream: Option<Field>,
    /// Where the line is in the line of Loki; none: it is the line.
    line: Vec<Field>,
}

#[derive(Deserialize)]
struct Answer {
    data: Data,
}

#[derive(Deserialize)]
struct Data {
    result: Vec<Stream>,
}

/// Lines whose labels, of the stream and their own, are equal.
#[derive(Deserialize)]
struct Stream {
    stream: HashMap<String, String>,
    values: Vec<(String, String)>,
}

impl Loki {
    pub fn open(config: &Config, from: &str, fields: &Fields) -> Result<Loki, Error> {
        let wrong = |cause: String| Error::Config {
            store: config.name.clone(),
            cause,
        };
        let search = Search::parse(from, fields).map_err(wrong)?;
        let line = fields.line.iter().map(|text| Field::parse(text));
        let stream = fields.stream.as_deref().map(Field::parse);
        let tenant = config.tenant.as_deref().map(HeaderValue::from_str);
        let tenant = tenant.transpose();
        Ok(Loki {
            client: Client::open(config)?,
            name: config.name.clone(),
            tenant: tenant.map_err(|_| wrong("tenant must be plain text".to_owned()))?,
            search,
            stream: stream.transpose().map_err(wrong)?,
            line: line.collect::<Result<_, _>>().map_err(wrong)?,
        })
    }

    fn logql(&self, query: &Query) -> String {
        let mut builder = self.search.of(&query.conditions, &query.names);
        // In JSON the text is escaped, and anchors are elsewhere.
        if let (Some(grep), true) = (&query.grep, self.line.is_empty()) {
            builder.grep(grep);
        }
        builder.logql()
    }

    fn missing(&self, path: &str) -> Error {
        Error::Missing {
            store: self.name.clone(),
            what: path.to_owned(),
        }
    }

    fn lines(&self, answer: Answer, newest_first: bool) -> Result<Vec<Line>, Failed> {
        let mut lines = Vec::new();
        for stream in answer.data.result {
            for (at, text) in stream.values {
                let line = self.line(&stream.stream, &at, text);
                lines.push(line.ok_or_else(|| {
                    let cause = "a time is not in nanoseconds".to_owned();
                    let store = self.name.clone();
                    Failed::Other(Error::Unreadable { store, cause })
                })?);
            }
        }
        match newest_first {
            false => lines.sort_by_key(|line| line.at),
            true => lines.sort_by_key(|line| std::cmp::Reverse(line.at)),
        }
        Ok(lines)
    }

    fn line(&self, labels: &HashMap<String, String>, at: &str, text: String) -> Option<Line> {
        let at = Timestamp::from_nanosecond(at.parse().ok()?).ok()?;
        let is_json = |field: &Field| matches!(field, Field::Json(_));
        let needs_json = self.line.iter().chain(&self.stream).any(is_json);
        let json: Option<Value> = needs_json
            .then(|| serde_json::from_str(&text).ok())
            .flatten();
        let stream = self.stream.as_ref();
        let stream = stream.and_then(|field| field.of(labels, json.as_ref()));
        let mut lines = self.line.iter();
        let line = lines.find_map(|field| {
            let line = field.of(labels, json.as_ref());
            line.filter(|line| !line.is_empty())
        });
        let line = line.unwrap_or(text).into_bytes();
        Some(Line::new(at, &stream.unwrap_or_default(), line))
    }
}

impl Source for Loki {
    fn limits(&self) -> Limits {
        Limits {
            lines_max: LINES_MAX,
            piece_max: PIECE_MAX,
            begin: Timestamp::constant(BEGIN_SECOND, 0),
        }
    }

    async fn ask(&self, query: &Query, want: Want) -> Result<Page, Failed> {
        let direction = match query.newest_first {
            false => "forward",
            true => "backward",
        };
        let path = "/loki/api/v1/query_range";
        let parameters = [
            ("query", self.logql(query)),
            ("start", want.span.from.as_nanosecond().to_string()),
            ("end", want.span.until.as_nanosecond().to_string()),
            ("limit", want.lines_max.to_string()),
            ("direction", direction.to_owned()),
        ];
        query.sent.note(|| {
            let [query, others @ ..] = &parameters;
            let others = others
                .iter()
                .map(|(name, value)| format!(" {name}={value}"));
            format!("GET {path}{} query={}", others.collect::<String>(), query.1)
        });
        let request = self.client.request(Method::GET, path);
        let mut request = request.query(&parameters);
        if let Some(tenant) = &self.tenant {
            request = request.header("X-Scope-OrgID", tenant);
        }
        let response = self.client.send(request).await.map_err(limit)?;
        if !response.status().is_success() {
            return Err(Failed::Other(self.missing(path)));
        }
        let answer = self.client.json(response, ANSWER_BYTES_MAX).await;
        let lines = self.lines(answer.map_err(Failed::of)?, query.newest_first)?;
        let more = lines.len() >= want.lines_max;
        Ok(Page { lines, more })
    }

    fn crowded(&self, at: Timestamp, lines: usize) -> Error {
        Error::Answer {
            store: self.name.clone(),
            cause: format!(
                "{lines} or more lines have the time {at}, lines would be missing: raise \
                 max_entries_limit_per_query of Loki, or ask for another time"
            ),
        }
    }
}

/// What Loki refuses because of its limits, by its words.
fn limit(error: Error) -> Failed {
    let Error::Refused { said, .. } = &error else {
        return Failed::of(error);
    };
    if said.contains("the query time range exceeds the limit") {
        return Failed::TooLong(error);
    }
    // "max entries limit per query exceeded, limit > max_entries_limit_per_query (6000 > 5000)"
    let lines = said
        .split_once("max_entries_limit")
        .and_then(|(_, behind)| behind.rsplit_once("> "))
        .and_then(|(_, lines)| lines.trim_end_matches(')').parse().ok());
    match lines {
        Some(lines) => Failed::LinesMax(lines, error),
        None => Failed::Other(error),
    }
}

#[cfg(test)]
mod tests;
