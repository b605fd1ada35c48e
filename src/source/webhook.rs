//! The webhook source: what API servers, and everyone who relays for them, post.
//!
//! In: `POST /v1/audit/{cluster}` with one or many audit events, plain, gzip or zstd.
//! Out: 200 with an empty body after what was readable is on disk, synced;
//! the header `bygone-rejected` says how many parts of the delivery could not be read.
//!
//! | answer | when | what an API server does |
//! |---|---|---|
//! | 200 | everything readable is on disk; the rest is counted | forgets the batch |
//! | 503, `Retry-After` | the memory budget or the spool is used up | sends it again soon |
//! | 400 | the cluster's name is none, or the body is not what its encoding says | gives up after five tries |
//! | 408, `Connection: close` | the body came too slowly, or not within 25 s | sends it again |
//! | 413 | the body is over `body_bytes_max`, packed or unpacked | gives up after five tries |
//! | 415 | an encoding that is not known | gives up after five tries |
//!
//! Never a redirect: Go's client follows it with a GET, and the batch is lost.

mod body;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tracing::warn;

use super::is_cluster_name;
use crate::pipeline::{Delivery, Pipeline};
use crate::telemetry;

/// An API server gives up on a request after 30 s; one that takes longer is lost work.
const BODY_SECONDS_MAX: u64 = 25;

/// Clusters that are told apart in metrics.
const CLUSTERS_MAX: usize = 100;

/// The header of a 200 that says how many parts of the delivery could not be read.
pub const REJECTED: &str = "bygone-rejected";

/// What the webhook takes.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The largest body, packed and unpacked, in bytes.
    pub body_bytes_max: usize,
    /// Memory that all bodies together may take, in bytes.
    pub memory_bytes_max: usize,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            body_bytes_max: 256 << 20,
            memory_bytes_max: 512 << 20,
        }
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

/// The routes of the ingest listener.
pub fn routes(config: &Config, pipeline: Pipeline) -> Router {
    let limits = body::Limits::new(config.body_bytes_max, config.memory_bytes_max);
    Router::new()
        .route("/v1/audit/{cluster}", post(receive))
        .with_state(Webhook {
            pipeline,
            limits,
            known: Arc::default(),
        })
}

async fn receive(
    State(webhook): State<Webhook>,
    Path(cluster): Path<String>,
    request: Request<Body>,
) -> Response {
    let response = take(&webhook, &cluster, request).await;
    let code = response.status().as_u16().to_string();
    let cluster = webhook.known.name(&cluster, response.status());
    metrics::counter!(telemetry::INGEST_REQUESTS, "cluster" => cluster, "code" => code)
        .increment(1);
    response
}

async fn take(webhook: &Webhook, cluster: &str, request: Request<Body>) -> Response {
    if !is_cluster_name(cluster) {
        let hint =
            "a cluster's name has letters, digits, '-', '_', '.' and, as %2F, '/'; at most 253\n";
        return (StatusCode::BAD_REQUEST, hint).into_response();
    }
    let begun = Instant::now();
    let limit = Duration::from_secs(BODY_SECONDS_MAX);
    if !webhook.pipeline.has_room() {
        return retry_after(2);
    }
    let read = body::read(request, &webhook.limits);
    let body = match tokio::time::timeout(limit, read).await {
        Ok(Ok(body)) => body,
        Ok(Err(refusal)) => return refuse(cluster, refusal),
        Err(_) => return refuse(cluster, body::Refusal::Slow),
    };
    let delivery = Delivery {
        cluster: Some(cluster.to_owned()),
        cluster_else: None,
        clusters_of_wrappers: None,
        origin: "webhook".to_owned(),
        received_at: Timestamp::now(),
        body: body.bytes,
    };
    match webhook.pipeline.accept(delivery, body.reserved).await {
        Ok(receipt) => {
            metrics::histogram!(telemetry::INGEST_ACK_SECONDS).record(begun.elapsed());
            [(REJECTED, receipt.rejected.to_string())].into_response()
        }
        Err(_) => retry_after(2),
    }
}

fn refuse(cluster: &str, refusal: body::Refusal) -> Response {
    warn!(cluster, "request refused: {refusal}");
    match refusal {
        body::Refusal::NoMemory => retry_after(1),
        body::Refusal::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE.into_response(),
        body::Refusal::Encoding => StatusCode::UNSUPPORTED_MEDIA_TYPE.into_response(),
        body::Refusal::Broken => StatusCode::BAD_REQUEST.into_response(),
        // The rest of the body may still come: nothing else can follow on this connection.
        body::Refusal::Slow => {
            (StatusCode::REQUEST_TIMEOUT, [(header::CONNECTION, "close")]).into_response()
        }
    }
}

/// A 503 that client-go resends within the same attempt.
fn retry_after(seconds: u8) -> Response {
    (
        StatusCode::SERVICE_UNAVAILABLE,
        [(header::RETRY_AFTER, seconds.to_string())],
    )
        .into_response()
}
