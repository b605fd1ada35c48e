//! `/livez`, `/readyz`, `/metrics`: how this process is.
//!
//! Metrics, and the reason for not being ready, contain clusters and addresses: local clients may read them, others
//! only with a credential for everything.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::sync::Mutex;

use super::App;
use super::problem::Problem;
use crate::access::{Api, Denied, Peer};
use crate::schema;

/// Probes may come at any rate; ClickHouse is asked at most this often.
const STORE_HOLDS: Duration = Duration::from_secs(1);

/// How this process is.
#[derive(Clone)]
struct Probe {
    app: App,
    access: Arc<Api>,
    store: Arc<Mutex<Option<LastCheck>>>,
}

/// The last check of ClickHouse, and its time.
struct LastCheck {
    at: Instant,
    failure: Option<String>,
}

/// The routes.
pub fn routes(app: App, access: Arc<Api>) -> Router {
    Router::new()
        .route("/livez", get(async || "ok\n"))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .with_state(Probe {
            app,
            access,
            store: Arc::default(),
        })
}

async fn metrics(State(probe): State<Probe>, request: Request) -> Response {
    match probe.may_see_all(&request) {
        Ok(true) => (probe.app.metrics)().into_response(),
        Ok(false) => Problem::from(Denied::Forbidden).into_response(),
        Err(denied) => Problem::from(denied).into_response(),
    }
}

impl Probe {
    /// Whether the client may see data of every cluster.
    fn may_see_all(&self, request: &Request) -> Result<bool, Denied> {
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
    async fn failure(&self) -> Option<String> {
        let mut last = self.store.lock().await;
        if let Some(last_check) = &*last
            && last_check.at.elapsed() < STORE_HOLDS
        {
            return last_check.failure.clone();
        }
        let checked = schema::check(&self.app.store).await;
        let failure = checked.err().map(|error| error.to_string());
        *last = Some(LastCheck {
            at: Instant::now(),
            failure: failure.clone(),
        });
        failure
    }
}

async fn ready(State(probe): State<Probe>, request: Request) -> Response {
    let may_see_all = probe.may_see_all(&request) == Ok(true);
    if let Err(why) = (probe.app.ready)() {
        let why = if may_see_all { &*why } else { "not ready" };
        return (StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")).into_response();
    }
    // Events are accepted as long as the spool has room: an unreachable ClickHouse is reported, but does not make a
    // load balancer send them elsewhere.
    let failure = match may_see_all {
        true => probe.failure().await,
        false => None,
    };
    match failure {
        None => "ok\n".into_response(),
        Some(error) => format!("events are accepted; queries fail: {error}\n").into_response(),
    }
}
