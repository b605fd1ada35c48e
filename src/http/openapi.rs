//! `GET /api/v1/openapi.json`: the description of the API (OpenAPI 3.1), made from the handlers and their types.
//!
//! A route is registered together with its description, so neither is without the other. What types can't say
//! (patterns, ranges, which filters find what) is in [`super::parameters`]. `docs/openapi.json` is a copy; a test
//! compares it.

use axum::Router;
use axum::http::header;
use axum::routing::get;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::{Modify, OpenApi};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::format::Format;
use super::problem::Problem;
use super::sources::Source;
use super::{App, coverage, docs, logs, one, parameters, problem, rows, sources, summaries};
use crate::logs::{LogsEnding, Record};
use crate::query::coverage::Day;
use crate::query::{Container, Cost, Ending, Page, Pod, Session, Summary, Time};

/// Descriptions that are not beside a handler.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "bygone",
        description = "The history of Kubernetes pods and containers that no longer exist. All requests are GET. Times are RFC 3339 in UTC; absent values are null."
    ),
    tags(
        (name = "history", description = "Pods, containers and requests to them"),
        (name = "ingest", description = "What is ingested, and what is missing")
    ),
    components(schemas(Container, Cost, Day, Ending, LogsEnding, Page, Pod, Problem, Record, Session, Source, Summary, Time)),
    security(("token" = [])),
    modifiers(&Token)
)]
struct Description;

struct Token;

impl Modify for Token {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let mut scheme = Http::new(HttpAuthScheme::Bearer);
        scheme.description = Some(
            "A token from [[access.api]] in the configuration. If none is configured, on loopback, no token \
             is needed."
                .to_owned(),
        );
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("token", SecurityScheme::Http(scheme));
    }
}

/// The routes of questions, with their description.
pub fn routes() -> OpenApiRouter<App> {
    let mut routes = OpenApiRouter::with_openapi(Description::openapi())
        .routes(routes!(rows::containers))
        .routes(routes!(one::container))
        .routes(routes!(rows::pods))
        .routes(routes!(one::pod))
        .routes(routes!(rows::sessions))
        .routes(routes!(summaries::clusters))
        .routes(routes!(summaries::namespaces))
        .routes(routes!(summaries::workloads))
        .routes(routes!(summaries::nodes))
        .routes(routes!(summaries::images))
        .routes(routes!(logs::lines))
        .routes(routes!(coverage::show))
        .routes(routes!(sources::show));
    parameters::describe(routes.get_openapi_mut());
    routes
}

fn text(document: &utoipa::openapi::OpenApi) -> String {
    let text = document.to_pretty_json();
    text.expect("a description is plain data") + "\n"
}

/// The routes of the description itself.
pub fn pages(document: utoipa::openapi::OpenApi) -> Router {
    let page: &'static str = docs::page(&document).leak();
    let text: &'static str = text(&document).leak();
    let json = [(header::CONTENT_TYPE, Format::Json.name())];
    Router::new()
        .route("/api/v1/openapi.json", get(async move || (json, text)))
        .route(problem::PAGE, get(async move || docs::response(page)))
}

#[cfg(test)]
mod tests {
    use expect_test::expect_file;

    use super::*;

    /// `UPDATE_EXPECT=1 cargo test --lib openapi` rewrites the copy.
    #[test]
    fn the_copy_is_what_is_served() {
        let copy = expect_file!["../../docs/openapi.json"];
        copy.assert_eq(&text(&routes().into_openapi()));
    }
}
