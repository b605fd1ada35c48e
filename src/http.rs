//! HTTP: the API's listener and its routes.
//!
//! In: questions as URLs. Out: answers as JSON, NDJSON, YAML or CSV, and how this process is. Every error is a
//! problem (RFC 9457).
//!
//! | route | answer |
//! |---|---|
//! | `GET /livez` | 200 while the process serves |
//! | `GET /readyz` | 200 when events are taken, else 503 |
//! | `GET /metrics` | metrics in Prometheus' text format |
//! | `GET /api/v1/openapi.json` | the description of all that follows, made from the code |
//! | `GET /api/v1/docs` | the same as a page |
//! | `GET /api/v1/containers`, `/pods`, `/sessions` | rows; parameters: [`crate::query::Params`] |
//! | `GET /api/v1/containers/{id}` | one container instance |
//! | `GET /api/v1/pods/{uid}` | one page about a pod: [`crate::query::Page`] |
//! | `GET /api/v1/clusters`, `/namespaces`, `/workloads`, `/nodes`, `/images` | a summary of each: [`crate::query::Summary`] |
//! | `GET /api/v1/logs` | lines of container instances, as NDJSON; parameters: [`crate::logs::Params`] |
//! | `GET /api/v1/coverage` | ingest coverage, by cluster and day |
//! | `GET /api/v1/sources` | the state of each source |
//!
//! Answers are compressed while they stream if the client accepts that (gzip, zstd). `access` decides who may query
//! what; the listener itself is in `listener`. The API description needs no token: it contains no data.
//!
//! Never here: SQL, and anything that writes.

mod coverage;
mod docs;
mod format;
mod latency;
pub mod listener;
mod logs;
mod one;
mod openapi;
mod parameters;
mod probe;
mod problem;
mod questions;
mod responses;
mod rows;
mod sources;
mod summaries;
mod writer;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::http::{Extensions, HeaderMap, StatusCode, Version};
use axum::{Router, middleware};
use futures_util::future::BoxFuture;
use tokio::net::TcpListener;
use tower_http::CompressionLevel;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{DefaultPredicate, Predicate};

use crate::access::Api;
use crate::clickhouse::Store;
use crate::logs::Logs;
use problem::{Kind, Problem};

pub use format::NDJSON;
pub use questions::Questions;
pub use sources::Source;

/// What the routes need.
#[derive(Clone)]
pub struct App {
    pub store: Arc<Store>,
    /// The stores of log lines.
    pub logs: Arc<Logs>,
    /// The metrics of this moment, in Prometheus' text format.
    pub metrics: Arc<dyn Fn() -> String + Send + Sync>,
    /// How each source is.
    pub sources: Arc<dyn Fn() -> BoxFuture<'static, Vec<Source>> + Send + Sync>,
    /// The places of questions.
    pub questions: Questions,
    /// Whether this process takes events now, and if not, why.
    pub ready: Arc<dyn Fn() -> Result<(), String> + Send + Sync>,
}

/// The route table of the API listener.
pub fn routes(app: App, access: Arc<Api>) -> Router {
    let (questions, document) = openapi::routes().split_for_parts();
    let questions = access.clone().guard(questions.with_state(app.clone()));
    let all = probe::routes(app, access.clone())
        .merge(openapi::pages(document))
        .merge(questions)
        .fallback(async || {
            let detail = format!("no such path: see {}", problem::PAGE);
            Problem::new(Kind::NotFound, detail)
        });
    access
        .keep_pages_out(all.layer(middleware::from_fn(latency::measure)))
        .layer(middleware::from_fn(problem::rewrite))
        .layer(compression())
}

/// The fastest level: what a slow network gains by more is less than what the questions of others lose.
fn compression() -> CompressionLayer<impl Predicate + Send + Sync + 'static> {
    let is_packed = |_: StatusCode, _: Version, _: &HeaderMap, of: &Extensions| {
        of.get::<logs::Unpacked>().is_none()
    };
    CompressionLayer::new()
        .quality(CompressionLevel::Fastest)
        .compress_when(DefaultPredicate::new().and(is_packed))
}

/// Binds a listener. Returns it with its address, which has the actual port if 0 was requested.
///
/// # Errors
///
/// When the address is invalid or in use.
pub async fn bind(listen: &str) -> std::io::Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind(listen).await?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::time::Duration;

    use axum::body::Body;
    use axum::extract::Request;
    use axum::routing::get;
    use futures_util::{StreamExt, stream};
    use tower_service::Service;

    use super::*;

    /// 16 MiB that can't be packed, and an end that does not come.
    fn endless() -> Body {
        let mut state = 1_u64;
        let rows = (0..512).map(move |_| {
            let row = (0..4096).flat_map(|_| {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                state.to_le_bytes()
            });
            Ok::<_, Infallible>(row.collect::<Vec<u8>>())
        });
        Body::from_stream(stream::iter(rows).chain(stream::pending()))
    }

    #[tokio::test]
    async fn what_is_packed_still_streams() {
        let mut routes = Router::new()
            .route("/", get(async || endless()))
            .layer(compression());
        for encoding in ["gzip", "zstd"] {
            let request = Request::get("/").header("accept-encoding", encoding);
            let request = request.body(Body::empty()).expect("a request");
            let response = routes.call(request).await.expect("infallible");
            assert_eq!(response.headers()["content-encoding"], encoding);
            let mut body = response.into_body().into_data_stream();
            let mut bytes = 0;
            while bytes < 15 << 20 {
                let part = tokio::time::timeout(Duration::from_secs(60), body.next()).await;
                bytes += part
                    .expect("in time")
                    .expect("a part")
                    .expect("it is sent")
                    .len();
            }
        }
    }
}
