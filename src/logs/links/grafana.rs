//! Grafana's page Explore, for data sources of Loki, VictoriaLogs, ClickHouse and Elasticsearch.
//!
//! `/explore?schemaVersion=1&orgId=N&panes=JSON`: one pane, whose name is any three characters with a letter among them.

use serde_json::{Value, json};

use super::{Asked, address, encoded};
use crate::logs::layout::{Fields, Kind};
use crate::logs::link::Link;

/// Explore with one data source.
pub struct Explore {
    address: String,
    organization: u32,
    data_source: String,
    kind: Kind,
    /// The time of a record in Elasticsearch.
    time: String,
}

impl Explore {
    /// # Errors
    ///
    /// When a key is missing or invalid.
    pub fn open(link: &Link, kind: Kind, fields: &Fields) -> Result<Explore, String> {
        Ok(Explore {
            address: address(link, None)?,
            organization: link.organization.unwrap_or(1),
            data_source: link.needs("data_source", &link.data_source)?.to_owned(),
            kind,
            time: fields.time.clone().unwrap_or("@timestamp".to_owned()),
        })
    }

    pub fn url(&self, asked: &Asked) -> Option<String> {
        let query = self.query(asked.query.as_deref()?);
        let to = match asked.is_running {
            true => "now".to_owned(),
            false => asked.end_ms().to_string(),
        };
        let panes = json!({
            "log": {
                "datasource": self.data_source,
                "queries": [query],
                // Numbers are not taken.
                "range": { "from": asked.start_ms().to_string(), "to": to },
            },
        });
        Some(format!(
            "{}/explore?schemaVersion=1&orgId={}&panes={}",
            self.address,
            self.organization,
            encoded(&panes.to_string())
        ))
    }

    /// As the query editor of the data source keeps it.
    fn query(&self, text: &str) -> Value {
        let (kind, own) = match self.kind {
            Kind::Loki => (
                "loki",
                json!({ "expr": text, "queryType": "range", "editorMode": "code", "direction": "forward" }),
            ),
            Kind::VictoriaLogs => (
                "victoriametrics-logs-datasource",
                json!({ "expr": text, "queryType": "instant", "editorMode": "code" }),
            ),
            Kind::ClickHouse => (
                "grafana-clickhouse-datasource",
                // 2: logs.
                json!({ "rawSql": text, "editorType": "sql", "queryType": "logs", "format": 2 }),
            ),
            // There is one for both.
            Kind::Elasticsearch | Kind::OpenSearch => (
                "elasticsearch",
                json!({
                    "query": text,
                    "metrics": [{ "id": "1", "type": "logs" }],
                    "bucketAggs": [],
                    "timeField": self.time,
                }),
            ),
        };
        let mut query = own;
        query["refId"] = json!("A");
        query["datasource"] = json!({ "type": kind, "uid": self.data_source });
        query
    }
}
