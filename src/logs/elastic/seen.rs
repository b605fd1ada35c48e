//! What there is in the store: its indices, and the fields of a record.

use std::collections::BTreeSet;

use reqwest::{Method, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use super::mapping::Caps;
use super::{ANSWER_BYTES_MAX, Index};
use crate::logs::Error;
use crate::logs::seen::{Seen, names_of, pattern_of};

#[derive(Deserialize)]
struct Found {
    hits: Hits,
}

#[derive(Deserialize)]
struct Hits {
    hits: Vec<Hit>,
}

#[derive(Deserialize)]
struct Hit {
    #[serde(rename = "_index")]
    index: String,
    #[serde(rename = "_source", default)]
    source: Value,
}

impl Index {
    /// Every index that we may read, and the newest record of those that are configured, else of all.
    pub async fn seen(&self) -> Result<Vec<Seen>, Error> {
        let mut seen = vec![Seen::new("indices", self.indices().await?)];
        let newest = match self.newest(&self.pattern).await? {
            Some(hit) => Some(hit),
            None => self.newest("*").await?,
        };
        seen.extend(newest.map(|hit| {
            let what = format!("fields of a record of {}", pattern_of(&hit.index));
            Seen::new(what, names_of(&hit.source))
        }));
        Ok(seen)
    }

    /// As patterns. Asked for in a way that needs no other privilege than reading them.
    async fn indices(&self) -> Result<BTreeSet<String>, Error> {
        let request = self.client.request(Method::GET, "/*/_field_caps");
        let request = request.query(&[("fields", &*self.time)]);
        let response = self.client.send(request).await?;
        let caps: Caps = self.client.json(response, ANSWER_BYTES_MAX).await?;
        let indices = caps.indices.as_array().into_iter().flatten();
        Ok(indices.filter_map(Value::as_str).map(pattern_of).collect())
    }

    async fn newest(&self, pattern: &str) -> Result<Option<Hit>, Error> {
        let time = &self.time;
        let body = json!({
            "size": 1,
            "track_total_hits": false,
            "sort": [{time: {"order": "desc", "unmapped_type": "date"}}],
        });
        let path = format!("/{pattern}/_search");
        let request = self.client.request(Method::POST, &path).json(&body);
        let response = self.client.send(request).await?;
        if response.status() == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        let found: Found = self.client.json(response, ANSWER_BYTES_MAX).await?;
        Ok(found.hits.hits.into_iter().next())
    }
}
