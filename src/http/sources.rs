//! `GET /api/v1/sources`: how each source is, in the forms of an answer.

use axum::Extension;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::problem::Problem;
use super::{App, NDJSON};
use crate::access::{Denied, Reader};

/// Tells it, to who may ask about everything: sources belong to all clusters.
pub async fn show(
    State(app): State<App>,
    Extension(reader): Extension<Reader>,
    headers: HeaderMap,
) -> Response {
    match reader.sees_everything() {
        true => list(&headers, &(app.sources)().await),
        false => Problem::from(Denied::Forbidden).into_response(),
    }
}

/// A short list in the forms of an answer.
pub(super) fn list(headers: &HeaderMap, items: &[Value]) -> Response {
    let accept = headers.get(header::ACCEPT);
    let lines = accept.is_some_and(|accept| accept.to_str().is_ok_and(|it| it.contains(NDJSON)));
    if !lines {
        let body = json!({ "items": items, "more": false, "cursor": null });
        return axum::Json(body).into_response();
    }
    let end = json!({ "end": { "more": false, "cursor": null } });
    let text: String = items
        .iter()
        .chain([&end])
        .map(|line| format!("{line}\n"))
        .collect();
    ([(header::CONTENT_TYPE, NDJSON)], text).into_response()
}
