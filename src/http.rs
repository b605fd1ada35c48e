//! HTTP: the API's listener and its routes.
//!
//! In: questions as URLs. Out: answers as JSON, and how this process is.
//!
//! | route | answer |
//! |---|---|
//! | `GET /livez` | 200 while the process serves |
//! | `GET /readyz` | 200 when events are taken, else 503 |
//! | `GET /metrics` | metrics in Prometheus' text format |
//! | `GET /api/v1/coverage` | what came and what is missing, by cluster and day |
//! | `GET /api/v1/sources` | how each source is, in the same forms |
//! | `GET /api/v1/containers`, `GET /api/v1/pods`, `GET /api/v1/sessions` | an answer; parameters: [`crate::query::Params`] |
//! | `GET /api/v1/pods/{uid}` | one page about a pod: [`crate::query::Page`] |
//!
//! Metrics, and why it is not ready, name clusters and addresses: on this machine everybody hears them, beyond it who may
//! ask about everything.
//!
//! Questions are answered for who may ask them (`access`); the listener itself is in `listener`.
//!
//! Never here: SQL, and anything that writes.

mod api;
mod coverage;
pub mod listener;
mod problem;
mod questions;
mod sources;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use futures_util::future::BoxFuture;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::Mutex;

use crate::access::{Api, Denied, Peer};
use crate::clickhouse::Store;
use crate::query::{Container, Pod, Session};
use crate::schema;

use problem::{Kind, Problem};

pub use api::NDJSON;
pub use questions::Questions;

/// What the routes need.
#[derive(Clone)]
pub struct App {
    pub store: Arc<Store>,
    /// The metrics of this moment, in Prometheus' text format.
    pub metrics: Arc<dyn Fn() -> String + Send + Sync>,
    /// How each source is.
    pub sources: Arc<dyn Fn() -> BoxFuture<'static, Vec<Value>> + Send + Sync>,
    /// The places of questions.
    pub questions: Questions,
    /// Whether this process takes events now, and if not, why.
    pub ready: Arc<dyn Fn() -> Result<(), String> + Send + Sync>,
}

/// The route table of the API listener.
pub fn routes(app: App, access: Arc<Api>) -> Router {
    let questions = Router::new()
        .route("/api/v1/containers", get(api::answer::<Container>))
        .route("/api/v1/pods", get(api::answer::<Pod>))
        .route("/api/v1/sessions", get(api::answer::<Session>))
        .route("/api/v1/pods/{uid}", get(api::page))
        .route("/api/v1/coverage", get(coverage::show))
        .route("/api/v1/sources", get(sources::show))
        .with_state(app.clone());
    let process = Router::new()
        .route("/livez", get(async || "ok\n"))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .with_state(Probe {
            app,
            access: access.clone(),
            store: Arc::default(),
        });
    let all = process.merge(access.clone().guard(questions));
    let all = all.fallback(async || {
        let detail = "no such path: see /api/v1/docs";
        Problem::new(Kind::NotFound, detail)
    });
    access
        .keep_pages_out(all)
        .layer(middleware::from_fn(problem::rewrite))
}

async fn metrics(State(probe): State<Probe>, request: Request) -> Response {
    match probe.may_hear(&request) {
        Ok(true) => (probe.app.metrics)().into_response(),
        Ok(false) => Denied::Forbidden.into_response(),
        Err(denied) => denied.into_response(),
    }
}

/// How this process is.
#[derive(Clone)]
struct Probe {
    app: App,
    access: Arc<Api>,
    store: Arc<Mutex<Option<Heard>>>,
}

/// What ClickHouse said last, and when.
struct Heard {
    at: Instant,
    trouble: Option<String>,
}

/// Whoever probes may do so as often as he likes, and ClickHouse is asked so often at most.
const STORE_HOLDS: Duration = Duration::from_secs(1);

impl Probe {
    /// Whether who asks may hear of every cluster.
    fn may_hear(&self, request: &Request) -> Result<bool, Denied> {
        let peer = request.extensions().get::<Peer>();
        if peer.is_some_and(Peer::is_local) {
            return Ok(true);
        }
        let who = self
            .access
            .who(request.headers().get(header::AUTHORIZATION))?;
        Ok(who.sees_everything())
    }

    /// Why no questions are answered.
    async fn trouble(&self) -> Option<String> {
        let mut last = self.store.lock().await;
        if let Some(heard) = &*last
            && heard.at.elapsed() < STORE_HOLDS
        {
            return heard.trouble.clone();
        }
        let checked = schema::check(&self.app.store).await;
        let trouble = checked.err().map(|error| error.to_string());
        *last = Some(Heard {
            at: Instant::now(),
            trouble: trouble.clone(),
        });
        trouble
    }
}

async fn ready(State(probe): State<Probe>, request: Request) -> Response {
    let may_hear = probe.may_hear(&request) == Ok(true);
    if let Err(why) = (probe.app.ready)() {
        let why = if may_hear { &*why } else { "not ready" };
        return (StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")).into_response();
    }
    // Events are taken as long as the spool has room: a ClickHouse that is away is told, but does
    // not make a load balancer send them elsewhere.
    let trouble = match may_hear {
        true => probe.trouble().await,
        false => None,
    };
    match trouble {
        None => "ok\n".into_response(),
        Some(error) => {
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
