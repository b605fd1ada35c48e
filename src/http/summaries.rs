//! `GET /api/v1/clusters`, `/namespaces`, `/workloads`, `/nodes`, `/images`: a summary of each.
//!
//! The parameters are those of rows, without what is about single rows; `name` is that of what is summed up.

use axum::Extension;
use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;

use super::App;
use super::format::{Format, OF_ROWS};
use super::problem::Problem;
use super::responses::{ListOf, Problems};
use super::rows::{Asked, count, narrow, whole};
use super::writer::Writer;
use crate::access::Reader;
use crate::query::{self, Group, Params, Summary};

/// A handler and its description, by its group.
macro_rules! summaries {
    ($($(#[$doc:meta])* $name:ident = $group:ident at $path:literal;)*) => {$(
        $(#[$doc])*
        #[utoipa::path(
            get,
            path = $path,
            tag = "history",
            params(Params),
            responses(ListOf<Summary>, Problems)
        )]
        pub async fn $name(
            state: State<App>,
            reader: Extension<Reader>,
            headers: HeaderMap,
            params: Asked,
        ) -> Response {
            answer(Group::$group, &state, &reader, &headers, params).await
        }
    )*};
}

summaries! {
    /// Clusters
    ///
    /// Pods, container instances, restarts, first and last time and worst end per cluster, by name. At most 10000
    /// (default).
    clusters = Clusters at "/api/v1/clusters";
    /// Namespaces
    ///
    /// As for clusters, by cluster and name.
    namespaces = Namespaces at "/api/v1/namespaces";
    /// Workloads
    ///
    /// As for clusters, by cluster, namespace, kind and name.
    workloads = Workloads at "/api/v1/workloads";
    /// Nodes
    ///
    /// As for clusters, by cluster and name.
    nodes = Nodes at "/api/v1/nodes";
    /// Images
    ///
    /// As for clusters, by cluster and name. Pods are those with a container of the image.
    images = Images at "/api/v1/images";
}

async fn answer(
    group: Group,
    app: &App,
    reader: &Reader,
    headers: &HeaderMap,
    params: Asked,
) -> Response {
    let outcome = ask(group, app, reader, headers, params).await;
    count(group.plural(), outcome.is_ok());
    outcome.unwrap_or_else(IntoResponse::into_response)
}

async fn ask(
    group: Group,
    app: &App,
    reader: &Reader,
    headers: &HeaderMap,
    params: Asked,
) -> Result<Response, Problem> {
    let format = Format::negotiate(headers, OF_ROWS)?;
    let Query(params) = params?;
    let mut question = params.summary(group, Timestamp::now())?;
    narrow(reader, &mut question)?;
    let _place = app.questions.place(reader).await?;
    let (rows, ending) = query::summaries(&app.store, group, &question).await?;
    let writer = Writer::new::<Summary>(format, Vec::new());
    Ok(whole(format, writer.part(&rows, &ending), &ending))
}
