//! Problem details (RFC 9457): the one form of every error of the API.
//!
//! In: an error of a handler or of the framework. Out: `application/problem+json` with `type`, `title`, `status` and
//! `detail`. The detail has what to do; it never repeats ClickHouse's message, which may contain data that the reader
//! may not see.
//!
//! Handlers return [`Problem`]. Whatever else answers with an error (the router, an extractor, the
//! guards in `access`) is rewritten by [`rewrite`]. The text of `/readyz` is left alone: probes and people
//! read it.

mod kind;

use axum::body::Body;
use axum::extract::Request;
use axum::extract::rejection::QueryRejection;
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use tracing::warn;

use crate::access::Denied;
use crate::query::{self, ParseError};

pub use kind::Kind;

/// The content type of a problem.
pub const PROBLEM_JSON: &str = "application/problem+json";

/// The page that explains each kind, under its name as the fragment.
pub const PAGE: &str = "/api/v1/docs";

/// The most that is taken over of a text that the framework wrote.
const TEXT_BYTES_MAX: usize = 4 << 10;

/// Seconds after which a reader may try again where there was no room.
const RETRY_SECONDS: &str = "10";

/// An error of the API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    kind: Kind,
    detail: String,
}

/// As it is sent.
#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
struct Body9457<'a> {
    r#type: &'a str,
    title: &'a str,
    status: u16,
    detail: &'a str,
}

impl Problem {
    pub fn new(kind: Kind, detail: impl Into<String>) -> Problem {
        Problem {
            kind,
            detail: detail.into(),
        }
    }

    #[cfg(test)]
    pub fn kind(&self) -> Kind {
        self.kind
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let kind = self.kind;
        let location = format!("{PAGE}#{}", kind.name());
        let mut response = respond(&location, kind.status(), kind.title(), &self.detail);
        let headers = response.headers_mut();
        if kind == Kind::Unauthorized {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if kind == Kind::TooManyQuestions {
            let seconds = HeaderValue::from_static(RETRY_SECONDS);
            headers.insert(header::RETRY_AFTER, seconds);
        }
        response
    }
}

fn respond(kind: &str, status: u16, title: &str, detail: &str) -> Response {
    let body = Body9457 {
        r#type: kind,
        title,
        status,
        detail,
    };
    let mut body = serde_json::to_string(&body).expect("four plain values");
    body.push('\n');
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, [(header::CONTENT_TYPE, PROBLEM_JSON)], body).into_response()
}

impl From<Denied> for Problem {
    fn from(denied: Denied) -> Problem {
        let kind = match denied {
            Denied::Unknown => Kind::Unauthorized,
            Denied::Forbidden => Kind::Forbidden,
        };
        Problem::new(kind, denied.to_string())
    }
}

impl From<ParseError> for Problem {
    fn from(error: ParseError) -> Problem {
        Problem::new(Kind::InvalidRequest, error.to_string())
    }
}

impl From<QueryRejection> for Problem {
    fn from(rejection: QueryRejection) -> Problem {
        let text = rejection.body_text();
        let text = text.trim_start_matches("Failed to deserialize query string: ");
        Problem::new(Kind::InvalidRequest, format!("query string: {text}"))
    }
}

impl From<query::Error> for Problem {
    /// ClickHouse's message is logged and not sent: it may contain addresses, and data that the reader may not see.
    fn from(error: query::Error) -> Problem {
        let cause = match error {
            query::Error::Store(cause) => cause,
            query::Error::Clusters(_) => return Problem::new(Kind::Ambiguous, error.to_string()),
            _ => return Problem::new(Kind::InvalidRequest, error.to_string()),
        };
        warn!("a question was not answered: {cause}");
        let detail = match cause.is_away() {
            true => "clickhouse cannot be reached: ask again later, and see bygone's log",
            false => "clickhouse refused the question: ask for less, and see bygone's log",
        };
        Problem::new(Kind::StoreUnavailable, detail)
    }
}

/// Turns every other error response into a problem; its text becomes the detail. Other headers (`Allow`,
/// `WWW-Authenticate`) are kept.
pub async fn rewrite(request: Request, next: Next) -> Response {
    let method = request.method().clone();
    let is_probe = request.uri().path() == "/readyz";
    let response = next.run(request).await;
    let status = response.status();
    let is_error = status.is_client_error() || status.is_server_error();
    let kind = response.headers().get(header::CONTENT_TYPE);
    if !is_error || is_probe || kind.is_some_and(|kind| kind == PROBLEM_JSON) {
        return response;
    }
    let (parts, body) = response.into_parts();
    let text = text_of(body).await;
    let mut problem = match Kind::of_status(status) {
        Some(kind) => {
            let detail = detail(kind, &method, text);
            Problem::new(kind, detail).into_response()
        }
        None => {
            let title = status.canonical_reason().unwrap_or("Error");
            respond("about:blank", status.as_u16(), title, &text)
        }
    };
    for (name, value) in &parts.headers {
        if !matches!(*name, header::CONTENT_TYPE | header::CONTENT_LENGTH) {
            problem.headers_mut().insert(name, value.clone());
        }
    }
    problem
}

fn detail(kind: Kind, method: &Method, text: String) -> String {
    match text.is_empty() {
        true if kind == Kind::MethodNotAllowed => {
            format!("{method} is not allowed here: use GET or HEAD")
        }
        true => kind.remedy().to_owned(),
        false => text,
    }
}

/// Empty where it is too long.
async fn text_of(body: Body) -> String {
    let bytes = axum::body::to_bytes(body, TEXT_BYTES_MAX).await;
    let bytes = bytes.unwrap_or_default();
    String::from_utf8_lossy(&bytes).trim().to_owned()
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::extract::Query;
    use axum::routing::get;
    use expect_test::{Expect, expect};
    use tower_service::Service;

    use super::*;
    use crate::query::Params;

    async fn check(request: Request, expected: Expect) {
        let mut routes = Router::new()
            .route("/one", get(async |_: Query<Params>| "fine"))
            .route("/readyz", get(async || (StatusCode::BAD_GATEWAY, "no\n")))
            .route("/denied", get(async || Denied::Unknown))
            .route("/tea", get(async || StatusCode::IM_A_TEAPOT))
            .layer(axum::middleware::from_fn(rewrite));
        let response = routes.call(request).await.expect("infallible");
        let header = |name: header::HeaderName| {
            let value = response.headers().get(&name)?.to_str().ok()?;
            Some(format!("{name}: {value}\n"))
        };
        let names = [
            header::CONTENT_TYPE,
            header::ALLOW,
            header::WWW_AUTHENTICATE,
        ];
        let headers: String = names.into_iter().filter_map(header).collect();
        expected.assert_eq(&format!("{headers}{}", text_of(response.into_body()).await));
    }

    fn get_of(path: &str) -> Request {
        Request::get(path).body(Body::empty()).expect("a request")
    }

    #[tokio::test]
    async fn what_the_framework_refuses_is_a_problem() {
        check(get_of("/one?limit=x"), expect![[r#"
            content-type: application/problem+json
            {"type":"/api/v1/docs#invalid-request","title":"Invalid request","status":400,"detail":"Failed to deserialize query string: limit: invalid digit found in string"}"#]]).await;
        check(get_of("/one?nonsense=x"), expect![[r#"
            content-type: application/problem+json
            {"type":"/api/v1/docs#invalid-request","title":"Invalid request","status":400,"detail":"Failed to deserialize query string: nonsense: unknown field `nonsense`, expected one of `cluster`, `namespace`, `since`, `from`, `to`, `at`, `zone`, `name`, `labels`, `workload`, `node`, `image`, `ip`, `container_id`, `uid`, `user`, `reason`, `exit_code`, `why`, `by`, `restarts`, `state`, `created_by`, `service_account`, `limit`, `order`, `cursor`, `fields`, `explain`"}"#]]).await;
        let post = Request::post("/one").body(Body::empty());
        check(post.expect("a request"), expect![[r#"
            content-type: application/problem+json
            allow: GET,HEAD
            {"type":"/api/v1/docs#method-not-allowed","title":"Method not allowed","status":405,"detail":"POST is not allowed here: use GET or HEAD"}"#]]).await;
        check(get_of("/nowhere"), expect![[r#"
            content-type: application/problem+json
            {"type":"/api/v1/docs#not-found","title":"Not found","status":404,"detail":"Check the path and the ID. What a token may not read is reported as not found."}"#]]).await;
        check(get_of("/denied"), expect![[r#"
            content-type: application/problem+json
            www-authenticate: Bearer
            {"type":"/api/v1/docs#unauthorized","title":"Authentication required","status":401,"detail":"authentication required: send a bearer token or a known client certificate"}"#]]).await;
        check(
            get_of("/tea"),
            expect![[r#"
            content-type: application/problem+json
            {"type":"about:blank","title":"I'm a teapot","status":418,"detail":""}"#]],
        )
        .await;
    }

    #[tokio::test]
    async fn what_is_no_error_and_the_probe_stay_as_they_are() {
        check(
            get_of("/one"),
            expect![[r#"
            content-type: text/plain; charset=utf-8
            fine"#]],
        )
        .await;
        check(
            get_of("/readyz"),
            expect![[r#"
            content-type: text/plain; charset=utf-8
            no"#]],
        )
        .await;
    }
}
