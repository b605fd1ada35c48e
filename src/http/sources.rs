//! `GET /api/v1/sources`: the state of each source.

use axum::Extension;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use super::App;
use super::format::{Format, OF_ROWS};
use super::problem::Problem;
use super::responses::{ListOf, Problems};
use super::writer::Writer;
use crate::access::{Denied, Reader};

/// A source of events, or a part of one. Absent values are `null`.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Source {
    /// `webhook`, `kafka`, `file`, `watch` or `etcd`.
    pub source: String,
    /// Which part of it: a topic and a partition, a path, or a cluster and a resource.
    pub place: Option<String>,
    pub state: String,
    /// The first record, or byte, that ClickHouse has not confirmed; of a watch the last resourceVersion that it has.
    pub position: Option<i64>,
    /// Where another member would continue, as acknowledged by the broker.
    pub committed: Option<i64>,
    /// After the last existing record or byte; of a compressed file it is not known. Of a watch the last
    /// resourceVersion that came.
    pub end: Option<i64>,
    /// From `position` to `end`.
    pub lag: Option<i64>,
    /// Age of the oldest record that ClickHouse has not confirmed, in seconds; of a file, for how long it has been seen.
    pub oldest_seconds: Option<f64>,
    /// Facts that it has stored since the start of the process, as far as they are counted.
    pub facts: Option<i64>,
    /// The last error, and when it happened.
    pub last_error: Option<String>,
}

/// Sources
///
/// State of the webhook, of each Kafka partition, of each followed file and of each watched resource. Needs a token for all clusters and namespaces, because sources
/// belong to all clusters.
#[utoipa::path(
    get,
    path = "/api/v1/sources",
    tag = "ingest",
    responses(ListOf<Source>, Problems)
)]
pub async fn show(
    State(app): State<App>,
    Extension(reader): Extension<Reader>,
    headers: HeaderMap,
) -> Response {
    let format = match Format::negotiate(&headers, OF_ROWS) {
        Ok(format) => format,
        Err(problem) => return problem.into_response(),
    };
    if !reader.sees_everything() {
        return Problem::from(Denied::Forbidden).into_response();
    }
    let sources = (app.sources)().await;
    format.response(Writer::new::<Source>(format, Vec::new()).list(&sources))
}
