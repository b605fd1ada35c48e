//! A real OpenSearch, and what tests write into it.

use std::sync::LazyLock;

use reqwest::Method;
use serde_json::{Value, json};

use super::server::Server;
use crate::support::block_on;

/// Records of one request.
const BULK_MAX: usize = 10_000;

pub struct Search {
    pub server: Server,
}

/// How fields are indexed.
#[derive(Clone, Copy)]
pub enum Mapping {
    /// As a template of the agent makes them: strings are keywords, the time has nanoseconds.
    Keywords,
    /// As the store guesses: strings are text with a keyword beside it, the time has milliseconds.
    Guessed,
    /// Text alone.
    Words,
}

/// What indices become whose names match a pattern.
pub struct Template<'a> {
    pub name: &'a str,
    pub pattern: &'a str,
    pub mapping: Mapping,
    pub shards: u32,
    pub is_stream: bool,
}

/// The node that all tests share, each with indices of its own.
pub fn shared() -> &'static Search {
    static SHARED: LazyLock<Search> = LazyLock::new(|| Search {
        server: Server::start("search.sh", 2, "/"),
    });
    &SHARED
}

impl Search {
    /// Asks, and expects success.
    pub fn call(&self, method: Method, path: &str, body: String) -> Value {
        let request = self
            .server
            .request(method, path)
            .header("content-type", "application/json")
            .body(body);
        block_on(async {
            let mut response = request.send().await.expect("an answer");
            let status = response.status();
            let mut body = Vec::new();
            while let Some(chunk) = response.chunk().await.expect("a body") {
                body.extend_from_slice(&chunk);
            }
            let text = String::from_utf8_lossy(&body);
            assert!(status.is_success(), "{path}: {status} {text}");
            serde_json::from_slice(&body).expect("JSON")
        })
    }

    pub fn template(&self, template: &Template) {
        let strings = |kind: &str| json!([{"strings": {"match_mapping_type": "string", "mapping": {"type": kind}}}]);
        let time = json!({"@timestamp": {"type": "date_nanos"}});
        let mappings = match template.mapping {
            Mapping::Keywords => {
                json!({"dynamic_templates": strings("keyword"), "properties": time})
            }
            Mapping::Guessed => json!({}),
            Mapping::Words => json!({"dynamic_templates": strings("text")}),
        };
        let mut body = json!({
            "index_patterns": [template.pattern],
            "template": {
                "settings": { "number_of_shards": template.shards, "number_of_replicas": 0 },
                "mappings": mappings,
            },
        });
        if template.is_stream {
            body["data_stream"] = json!({});
        }
        let path = format!("/_index_template/{}", template.name);
        self.call(Method::PUT, &path, body.to_string());
    }

    /// Writes records, each with its index, and returns when they are found.
    pub fn write(&self, records: &[(String, Value)]) {
        for records in records.chunks(BULK_MAX) {
            let lines = records.iter().map(|(index, record)| {
                // Data streams take nothing else.
                format!("{{\"create\":{{\"_index\":\"{index}\"}}}}\n{record}\n")
            });
            let answer = self.call(Method::POST, "/_bulk?refresh=true", lines.collect());
            assert_eq!(answer["errors"], false, "{}", answer["items"][0]);
        }
    }
}
