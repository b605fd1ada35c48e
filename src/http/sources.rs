//! `GET /api/v1/sources`: how each source is, in the forms of an answer.

use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::{App, NDJSON};

/// Tells it.
pub async fn show(State(app): State<App>, headers: HeaderMap) -> Response {
    list(&headers, &(app.sources)().await)
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
