//! `GET /api/v1/coverage`: what came and what is missing, in the forms of an answer.
//!
//! Of the parameters of an answer it takes `cluster`, `namespace`, `since`, `from` and `to`. A reader of
//! some namespaces sees the lives of these; all else is told of their clusters as a whole.

use axum::Extension;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::problem::Problem;
use super::{App, api, sources};
use crate::access::Reader;
use crate::query::Params;
use crate::query::coverage::{self, Scope};

/// Tells it.
pub async fn show(
    State(app): State<App>,
    Extension(reader): Extension<Reader>,
    headers: HeaderMap,
    params: Result<Query<Params>, QueryRejection>,
) -> Response {
    match days(&app, &reader, params).await {
        Ok(days) => sources::list(&headers, &days),
        Err(problem) => problem.into_response(),
    }
}

async fn days(
    app: &App,
    reader: &Reader,
    params: Result<Query<Params>, QueryRejection>,
) -> Result<Vec<Value>, Problem> {
    let now = Timestamp::now();
    let asked = api::asked(params, now)?;
    let may = reader.narrow(&asked.clusters, &asked.namespaces)?;
    let scope = Scope {
        clusters: may.clusters.unwrap_or_default(),
        namespaces: may.namespaces.unwrap_or_default(),
        time: asked.time,
    };
    let _place = app.questions.place(reader).await?;
    let days = coverage::coverage(&app.store, &scope, now).await?;
    Ok(days.iter().map(|day| json!(day)).collect())
}
