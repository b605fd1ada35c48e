//! The webhook source: POSTs from API servers and from relays.
//!
//! In: `POST /v1/audit/{cluster}` with one or many audit events, plain, gzip or zstd.
//! Out: 200 after the readable events are on disk, synced. The body is a line of JSON with what was in the delivery
//! (an API server ignores it); the header `bygone-rejected` has the number of unreadable parts. These are dead
//! letters, and no reason to send it again, so the status is still 200. Senders that want an error post with
//! `?strict=true`.
//!
//! | answer | when | what an API server does |
//! |---|---|---|
//! | 200 | everything readable is on disk; the rest is counted | forgets the batch |
//! | 503, `Retry-After` | the memory budget or the spool is used up | sends it again soon |
//! | 400 | the cluster's name is none, or the body is not what its encoding says | gives up after five tries |
//! | 408, `Connection: close` | the body arrived too slowly, or not within 25 s | sends it again, five times |
//! | 413 | the body is over `body_bytes_max`, or packed and over `event_bytes_max`, packed or unpacked | gives up after five tries |
//! | 415 | an encoding that is not known | gives up after five tries |
//! | 422 | as 200, but there was not one event in it; only with `?strict=true` | |
//!
//! A large body is read in portions, each on disk before the next is decoded, and answered when all are. An event
//! over `event_bytes_max` is a dead letter without bytes; so is what is refused for good, so
//! that `coverage` shows that something is missing.
//!
//! Never a redirect: Go's client follows it with a GET, and the batch is lost.

mod answer;
mod body;
pub mod files;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Query, Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tracing::debug;

use super::file::Own;
use super::is_cluster_name;
use crate::envelope::{Portion, Reason};
use crate::pipeline::{Delivery, Missing, NotTaken, Pipeline, Receipt, Why};
use crate::telemetry;
use answer::Tally;
use body::Refusal;

/// An API server gives up on a request after 30 s; one that takes longer is lost work.
const BODY_SECONDS_MAX: u64 = 25;

/// Clusters with a metric label of their own.
const CLUSTERS_MAX: usize = 100;

/// What dead letters say of where they came from.
const ORIGIN: &str = "webhook";

const NO_SUCH_PATH: &str = "unknown path: send audit events to /v1/audit/CLUSTER\n";

const INVALID_CLUSTER: &str =
    "invalid cluster name: use letters, digits, '-', '_', '.' and, as %2F, '/'; at most 253\n";

/// The header of a 200 with the number of unreadable parts of the delivery.
pub const REJECTED: &str = "bygone-rejected";

/// What the query asks for. API servers add a `timeout`, which is not looked at.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
struct Asked {
    /// That a delivery without an event is an error.
    strict: bool,
}

/// What the webhook takes.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The largest body, in bytes. A large one is read in portions.
    pub body_bytes_max: usize,
    /// The largest event, in bytes. Also the largest compressed body, before and after decompression.
    pub event_bytes_max: usize,
    /// Memory for all bodies together, in bytes.
    pub memory_bytes_max: usize,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            body_bytes_max: 4 << 30,
            event_bytes_max: 256 << 20,
            memory_bytes_max: 512 << 20,
        }
    }
}

impl Config {
    /// What a delivery may have when everything packed inside of it is unpacked, in bytes.
    pub fn unwrapped_bytes_max(&self) -> usize {
        self.event_bytes_max.min(self.body_bytes_max)
    }
}

#[derive(Clone)]
struct Webhook {
    pipeline: Pipeline,
    limits: body::Limits,
    known: Arc<Known>,
}

/// Clusters that have a series of their own in metrics; the rest share the name `other`. Anybody can
/// make up names.
#[derive(Default)]
struct Known(Mutex<BTreeSet<String>>);

impl Known {
    fn name(&self, cluster: &str, status: StatusCode) -> String {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_new = status == StatusCode::OK && known.len() < CLUSTERS_MAX;
        if known.contains(cluster) || (is_new && known.insert(cluster.to_owned())) {
            cluster.to_owned()
        } else {
            "other".to_owned()
        }
    }
}

/// The routes of the ingest listener: the webhook, and those of files.
pub fn routes(config: &Config, pipeline: Pipeline, files: Own) -> Router {
    let limits = body::Limits::new(
        config.body_bytes_max,
        config.event_bytes_max,
        config.memory_bytes_max,
    );
    Router::new()
        .route("/v1/audit/{cluster}", post(receive))
        .with_state(Webhook {
            pipeline,
            limits,
            known: Arc::default(),
        })
        .merge(files::routes(files))
        .fallback(async || (StatusCode::NOT_FOUND, NO_SUCH_PATH))
}

async fn receive(
    State(webhook): State<Webhook>,
    Path(cluster): Path<String>,
    Query(asked): Query<Asked>,
    request: Request<Body>,
) -> Response {
    let taken = take(&webhook, &cluster, request).await;
    let response = taken.map_or_else(|refused| refused, |tally| tally.answer(asked.strict));
    let code = response.status().as_u16().to_string();
    let cluster = webhook.known.name(&cluster, response.status());
    metrics::counter!(telemetry::INGEST_REQUESTS, "cluster" => cluster, "code" => code)
        .increment(1);
    response
}

/// Returns what was in it, or the answer to what was not taken.
async fn take(webhook: &Webhook, cluster: &str, request: Request<Body>) -> Result<Tally, Response> {
    if !is_cluster_name(cluster) {
        return Err((StatusCode::BAD_REQUEST, INVALID_CLUSTER).into_response());
    }
    let begun = Instant::now();
    // How long the sender may still keep us waiting. What we take to store what came is not its fault.
    let mut left = Duration::from_secs(BODY_SECONDS_MAX);
    if !webhook.pipeline.has_room() {
        return Err(retry_after(2));
    }
    let received_at = Timestamp::now();
    let announced = body::announced(request.headers());
    let mut pieces = body::read(request, &webhook.limits);
    let (mut tally, mut taken) = (Tally::default(), 0);
    loop {
        let waited = Instant::now();
        let next = tokio::time::timeout(left, pieces.next()).await;
        left = left.saturating_sub(waited.elapsed());
        let refusal = match next {
            Ok(Ok(None)) => break,
            Ok(Ok(Some(piece))) => {
                let receipt = accept(webhook, cluster, received_at, piece).await;
                tally.add(receipt.map_err(|_| retry_after(2))?);
                taken += 1;
                continue;
            }
            Ok(Err(refusal)) => refusal,
            Err(_) => Refusal::Slow,
        };
        let refusal = match refusal {
            Refusal::Slow if taken > 0 => Refusal::Late,
            refusal => refusal,
        };
        return Err(refuse(webhook, cluster, received_at, announced, refusal).await);
    }
    metrics::histogram!(telemetry::INGEST_ACK_SECONDS).record(begun.elapsed());
    Ok(tally)
}

async fn accept(
    webhook: &Webhook,
    cluster: &str,
    received_at: Timestamp,
    piece: body::Piece,
) -> Result<Receipt, NotTaken> {
    match piece.portion {
        Portion::Text { from, bytes } => {
            let delivery = Delivery {
                cluster: Some(cluster.to_owned()),
                cluster_else: None,
                clusters_of_wrappers: None,
                origin: ORIGIN.to_owned(),
                received_at,
                body: bytes.into(),
                from,
            };
            webhook.pipeline.accept(delivery, piece.reserved).await
        }
        Portion::TooLong { at, sha256 } => {
            let why = Why::TooLong { at, sha256 };
            miss(webhook, cluster, received_at, why).await?;
            Ok(Receipt {
                rejected: 1,
                reason: Some(Reason::TooLong.as_str()),
                ..Receipt::default()
            })
        }
    }
}

async fn miss(
    webhook: &Webhook,
    cluster: &str,
    received_at: Timestamp,
    why: Why,
) -> Result<(), NotTaken> {
    let missing = Missing {
        cluster,
        origin: ORIGIN,
        received_at,
        why,
    };
    webhook.pipeline.miss(&missing).await
}

/// What the sender would send again in vain is remembered as missing.
async fn refuse(
    webhook: &Webhook,
    cluster: &str,
    received_at: Timestamp,
    bytes: u64,
    refusal: Refusal,
) -> Response {
    // The listener logs it once a minute for each sender: otherwise an authorized sender could flood the log.
    debug!(cluster, "request rejected: {refusal}");
    let (status, reason) = match refusal {
        Refusal::NoMemory => return retry_after(1),
        Refusal::Slow => return timed_out(),
        // It gets no further the next time, and what is behind is lost.
        Refusal::Late => (StatusCode::REQUEST_TIMEOUT, "body refused: not in time"),
        Refusal::TooLarge { .. } => (StatusCode::PAYLOAD_TOO_LARGE, "body refused: too large"),
        Refusal::Encoding => (
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "body refused: unknown encoding",
        ),
        Refusal::CutOff => return StatusCode::BAD_REQUEST.into_response(),
        Refusal::Broken => (StatusCode::BAD_REQUEST, "body refused: broken packing"),
    };
    let text = format!("{refusal}\n");
    let why = Why::Refused { reason, bytes };
    // A failure is logged; the response is the same.
    _ = miss(webhook, cluster, received_at, why).await;
    match status {
        StatusCode::REQUEST_TIMEOUT => timed_out(),
        status => (status, text).into_response(),
    }
}

/// A 408 after which nothing else can follow on the connection: the rest of the body may still come.
fn timed_out() -> Response {
    let close = [(header::CONNECTION, "close")];
    (StatusCode::REQUEST_TIMEOUT, close).into_response()
}

/// A 503 that client-go resends within the same attempt.
fn retry_after(seconds: u8) -> Response {
    (
        StatusCode::SERVICE_UNAVAILABLE,
        [(header::RETRY_AFTER, seconds.to_string())],
    )
        .into_response()
}
