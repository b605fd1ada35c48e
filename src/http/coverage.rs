//! `GET /api/v1/coverage`: what was ingested and what is missing.
//!
//! A reader of some namespaces sees the pods and containers of these; all else is of their clusters as a whole.

use axum::Extension;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use serde::Deserialize;
use utoipa::IntoParams;

use super::App;
use super::format::{Format, OF_DOCUMENTS};
use super::problem::Problem;
use super::responses::{Problems, ShortListOf};
use super::writer::Writer;
use crate::access::Reader;
use crate::query::Params;
use crate::query::coverage::{self, Day, Scope};

/// Which days, of which clusters.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct Days {
    /// Clusters, separated by commas.
    cluster: Option<String>,
    /// Namespaces, separated by commas.
    namespace: Option<String>,
    /// How far back from now: `90s`, `15m`, `2h`, `1d`. Without `from`.
    since: Option<String>,
    /// RFC 3339, inclusive.
    from: Option<String>,
    /// RFC 3339, exclusive.
    to: Option<String>,
}

/// Ingest coverage
///
/// By cluster and day: ingested events, silences of API servers, dead letters, and the audit policy rules that fix
/// the gaps. Default: the last seven days.
#[utoipa::path(
    get,
    path = "/api/v1/coverage",
    tag = "ingest",
    params(Days),
    responses(ShortListOf<Day>, Problems)
)]
pub async fn show(
    State(app): State<App>,
    Extension(reader): Extension<Reader>,
    headers: HeaderMap,
    days: Result<Query<Days>, QueryRejection>,
) -> Response {
    let outcome = answer(&app, &reader, &headers, days).await;
    outcome.unwrap_or_else(IntoResponse::into_response)
}

async fn answer(
    app: &App,
    reader: &Reader,
    headers: &HeaderMap,
    days: Result<Query<Days>, QueryRejection>,
) -> Result<Response, Problem> {
    let format = Format::negotiate(headers, OF_DOCUMENTS)?;
    let Query(days) = days?;
    let now = Timestamp::now();
    let asked = Params::from(days).question(now)?;
    let may = reader.narrow(&asked.clusters, &asked.namespaces)?;
    let scope = Scope {
        clusters: may.clusters.unwrap_or_default(),
        namespaces: may.namespaces.unwrap_or_default(),
        time: asked.time,
    };
    let _place = app.questions.place(reader).await?;
    let days = coverage::coverage(&app.store, &scope, now).await?;
    let writer = Writer::new::<Day>(format, Vec::new());
    Ok(format.response(writer.list(&days)))
}

impl From<Days> for Params {
    fn from(days: Days) -> Params {
        Params {
            cluster: days.cluster,
            namespace: days.namespace,
            since: days.since,
            from: days.from,
            to: days.to,
            ..Params::default()
        }
    }
}
