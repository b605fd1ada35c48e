//! HTTP: the API's listener and its routes.
//!
//! In: questions as URLs. Out: answers as JSON, and how this process is.
//!
//! | route | answer |
//! |---|---|
//! | `GET /livez` | 200 while the process serves |
//! | `GET /readyz` | 200 when events are taken, with a word if ClickHouse is away; else 503 and why not |
//! | `GET /metrics` | metrics in Prometheus' text format |
//! | `GET /api/v1/coverage` | what came and what is missing, by cluster and day |
//! | `GET /api/v1/sources` | how each source is, in the same forms |
//! | `GET /api/v1/containers`, `GET /api/v1/pods` | an answer; parameters: [`crate::query::Params`] |
//! | `GET /api/v1/pods/{uid}` | one page about a pod: [`crate::query::Page`] |
//!
//! Questions are answered for who may ask them (`access`); the listener itself is in `listener`.
//!
//! Never here: SQL, and anything that writes.

mod api;
mod coverage;
pub mod listener;
mod sources;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use futures_util::future::BoxFuture;
use serde_json::Value;
use tokio::net::TcpListener;

use crate::access::Api;
use crate::clickhouse::Store;
use crate::query::{Container, Pod};
use crate::schema;

pub use api::NDJSON;

/// What the routes need.
#[derive(Clone)]
pub struct App {
    pub store: Arc<Store>,
    /// The metrics of this moment, in Prometheus' text format.
    pub metrics: Arc<dyn Fn() -> String + Send + Sync>,
    /// How each source is.
    pub sources: Arc<dyn Fn() -> BoxFuture<'static, Vec<Value>> + Send + Sync>,
    /// Whether this process takes events now, and if not, why.
    pub ready: Arc<dyn Fn() -> Result<(), String> + Send + Sync>,
}

/// The route table of the API listener.
pub fn routes(app: App, access: Arc<Api>) -> Router {
    // Probes and scrapers get in without a token: these three tell of no pod.
    let questions = Router::new()
        .route("/api/v1/containers", get(api::answer::<Container>))
        .route("/api/v1/pods", get(api::answer::<Pod>))
        .route("/api/v1/pods/{uid}", get(api::page))
        .route("/api/v1/coverage", get(coverage::show))
        .route("/api/v1/sources", get(sources::show))
        .with_state(app.clone());
    let process = Router::new()
        .route("/livez", get(async || "ok\n"))
        .route("/readyz", get(ready))
        .route(
            "/metrics",
            get(async |State(app): State<App>| (app.metrics)()),
        )
        .with_state(app);
    process.merge(access.guard(questions)).fallback(async || {
        api::error(
            StatusCode::NOT_FOUND,
            "no such path: see /api/v1/containers",
        )
    })
}

async fn ready(State(app): State<App>) -> Response {
    if let Err(why) = (app.ready)() {
        return (StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")).into_response();
    }
    // Events are taken as long as the spool has room: a ClickHouse that is away is told, but does
    // not make a load balancer send them elsewhere.
    match schema::check(&app.store).await {
        Ok(()) => "ok\n".into_response(),
        Err(error) => {
            format!("events are taken; no questions are answered: {error}\n").into_response()
        }
    }
}

/// Binds a listener. Returns it with its address, which tells the port where 0 was asked for.
///
/// # Errors
///
/// When the address is no address, or is taken.
pub async fn bind(listen: &str) -> std::io::Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind(listen).await?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}
