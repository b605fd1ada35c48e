//! A line as answers hold it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::Error;
use super::line::Given;
use super::select::Selected;

/// A line of a container instance. Absent is `null`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// RFC 3339 in UTC, with the precision of the store.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    pub cluster: String,
    pub namespace: String,
    pub pod: String,
    pub pod_uid: Uuid,
    pub container: String,
    pub restart: u32,
    pub container_id: Option<String>,
    /// `stdout` or `stderr`.
    pub stream: Option<String>,
    /// What is not UTF-8 is U+FFFD here.
    pub line: String,
    /// Then: the bytes themselves, in base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line_base64: Option<String>,
    /// Whether it was longer than 4 MiB, and is cut.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cut: bool,
}

impl From<Given> for Record {
    fn from(given: Given) -> Record {
        let Given { line, instance } = given;
        let (text, line_base64) = match String::from_utf8(line.text) {
            Ok(text) => (text, None),
            Err(error) => (
                String::from_utf8_lossy(error.as_bytes()).into_owned(),
                Some(STANDARD.encode(error.as_bytes())),
            ),
        };
        Record {
            at: line.at,
            cluster: instance.cluster.clone(),
            namespace: instance.namespace.clone(),
            pod: instance.pod.clone(),
            pod_uid: instance.uid,
            container: instance.container.clone(),
            restart: instance.restart,
            container_id: instance.container_id.clone(),
            stream: line.stream,
            line: text,
            line_base64,
            cut: line.is_cut,
        }
    }
}

impl Record {
    /// The line as the container wrote it.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        let raw = self.line_base64.as_deref();
        let raw = raw.and_then(|text| STANDARD.decode(text).ok());
        raw.unwrap_or_else(|| self.line.clone().into_bytes())
    }
}

/// The last line of an answer in NDJSON.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LogsEnding {
    /// How the answer came about.
    pub summary: super::Summary,
    /// The container instances that were meant.
    pub instances: u64,
    /// Whether more than 1000 instances were meant, and the older ones left out.
    pub more_instances: bool,
    /// Which names of the question are not known, and what is near them. For people.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hints: Vec<String>,
    /// Why the answer ends before its last line; in one line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl LogsEnding {
    /// Of an answer about these instances, before its first line.
    #[must_use]
    pub fn of(selected: &Selected) -> LogsEnding {
        LogsEnding {
            instances: selected.instances.len() as u64,
            more_instances: selected.more,
            hints: selected.hints.clone(),
            ..LogsEnding::default()
        }
    }

    /// Of an answer that failed.
    #[must_use]
    pub fn failed(self, error: &Error) -> LogsEnding {
        LogsEnding {
            error: Some(error.for_readers()),
            ..self
        }
    }
}
