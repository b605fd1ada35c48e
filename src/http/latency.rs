//! How long answers take, by route.

use std::time::Instant;

use axum::extract::{MatchedPath, Request};
use axum::middleware::Next;
use axum::response::Response;

use crate::telemetry;

/// Measures until the answer's head, which waits for the first row; how fast a client takes the rest is its own matter.
pub async fn measure(request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>();
    // Unknown paths share one series: otherwise each tried path would make one.
    let route = route.map_or("none", MatchedPath::as_str).to_owned();
    let begun = Instant::now();
    let response = next.run(request).await;
    let code = response.status().as_str().to_owned();
    metrics::histogram!(telemetry::API_ANSWER_SECONDS, "route" => route, "code" => code)
        .record(begun.elapsed());
    response
}
