//! What "bygone import" needs besides the webhook: positions of files, and parts of files whose answer says more.
//!
//! `POST /v1/files/{cluster}/part?origin=...&from=...` takes a part of a file and answers a [`Taken`] when it is on disk.
//! `POST /v1/files/{cluster}/positions` finds positions, `POST /v1/files/{cluster}/commit` writes them after ClickHouse has
//! the rows before them. So a position is never ahead of what can be queried, whichever process reads the file.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;

use super::INVALID_CLUSTER;
use crate::positions::Position;
use crate::source::file::{Content, EVENT_BYTES_MAX, NotDone, Own, Part, Taken, Way};
use crate::source::is_cluster_name;

/// Parts that are in memory at the same time, of all senders.
const PARTS_MAX: usize = 4;

/// The longest name of a file in a dead letter.
const ORIGIN_CHARS_MAX: usize = 512;

/// Where a part comes from.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct Origin {
    /// What dead letters name.
    pub origin: String,
    /// Where it begins in its file.
    pub from: i64,
    /// In place of the part, where it was too long to be read: its length, and its SHA-256 in hex.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub too_long: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
}

/// A question for positions.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct Find {
    pub fingerprints: Vec<String>,
}

/// Positions to be written.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct Commit {
    /// As in [`Taken`].
    pub spooled: Option<(u64, u64)>,
    pub positions: Vec<Position>,
}

#[derive(Clone)]
struct Files {
    own: Arc<Own>,
    parts: Arc<Semaphore>,
}

/// The routes, for the listener of the webhook.
pub fn routes(own: Own) -> Router {
    Router::new()
        .route("/v1/files/{cluster}/part", post(take))
        .route("/v1/files/{cluster}/positions", post(find))
        .route("/v1/files/{cluster}/commit", post(commit))
        // A part is mostly 2 MiB; one event alone may be longer.
        .layer(DefaultBodyLimit::max(EVENT_BYTES_MAX + (8 << 20)))
        .with_state(Files {
            own: Arc::new(own),
            parts: Arc::new(Semaphore::new(PARTS_MAX)),
        })
}

async fn take(
    State(files): State<Files>,
    Path(cluster): Path<String>,
    Query(origin): Query<Origin>,
    request: axum::extract::Request,
) -> Response {
    if !is_cluster_name(&cluster) {
        return invalid();
    }
    // Before the body is read: so many bodies are in memory at most.
    let Ok(_place) = files.parts.acquire().await else {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    };
    let body = axum::body::to_bytes(request.into_body(), EVENT_BYTES_MAX + (8 << 20)).await;
    let Ok(body) = body else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let Some(content) = content(&origin, body) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let name = origin.origin.chars().filter(|it| !it.is_control());
    let part = Part {
        cluster,
        origin: name.take(ORIGIN_CHARS_MAX).collect(),
        content,
    };
    let taken: Result<Taken, NotDone> = files.own.take(&part).await;
    answer(taken.map(Json))
}

fn content(origin: &Origin, body: Bytes) -> Option<Content> {
    let from = origin.from;
    let Some(bytes) = origin.too_long else {
        return Some(Content::Text { from, body });
    };
    let mut sha256 = [0; 32];
    hex::decode_to_slice(origin.sha256.as_ref()?, &mut sha256).ok()?;
    let begin = u64::try_from(from).ok()?;
    let at = begin..begin.checked_add(bytes)?;
    Some(Content::TooLong { at, sha256 })
}

async fn find(
    State(files): State<Files>,
    Path(cluster): Path<String>,
    Json(asked): Json<Find>,
) -> Response {
    if !is_cluster_name(&cluster) {
        return invalid();
    }
    answer(files.own.find(&cluster, asked.fingerprints).await.map(Json))
}

async fn commit(
    State(files): State<Files>,
    Path(cluster): Path<String>,
    Json(asked): Json<Commit>,
) -> Response {
    if !is_cluster_name(&cluster) {
        return invalid();
    }
    let Commit { spooled, positions } = asked;
    let done = files.own.commit(&cluster, spooled, positions).await;
    answer(done.map(|()| StatusCode::NO_CONTENT))
}

fn invalid() -> Response {
    (StatusCode::BAD_REQUEST, INVALID_CLUSTER).into_response()
}

fn answer(outcome: Result<impl IntoResponse, NotDone>) -> Response {
    match outcome {
        Ok(answer) => answer.into_response(),
        Err(NotDone::Later(why)) => (StatusCode::SERVICE_UNAVAILABLE, why).into_response(),
        Err(NotDone::Lost) => StatusCode::CONFLICT.into_response(),
        Err(NotDone::Refused(why)) => (StatusCode::BAD_REQUEST, why).into_response(),
    }
}
