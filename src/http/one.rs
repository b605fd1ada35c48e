//! `GET /api/v1/pods/{uid}` and `GET /api/v1/containers/{id}`: one document.

use axum::Extension;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::App;
use super::format::{Format, OF_DOCUMENTS, OF_ROWS};
use super::problem::{Kind, Problem};
use super::responses::{Ambiguous, DocumentOf, NotFound, Problems, RowOf};
use super::rows::{count, narrow};
use super::writer;
use crate::access::Reader;
use crate::query::{self, CONTAINER_ID_DIGITS, Container, Page, Question};

/// Rows that are read to say which containers an ID may be of.
const CANDIDATES_MAX: u64 = 4;

/// Where to look. Names, separated by commas.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct Scope {
    /// Clusters, separated by commas.
    cluster: Option<String>,
    /// Namespaces, separated by commas.
    namespace: Option<String>,
}

type Asked = Result<Query<Scope>, QueryRejection>;

/// One pod
///
/// Its row, its containers, its timeline, and what is unknown about it.
#[utoipa::path(
    get,
    path = "/api/v1/pods/{uid}",
    tag = "history",
    params(("uid" = uuid::Uuid, Path, description = "UID of the pod"), Scope),
    responses(DocumentOf<Page>, Problems, NotFound, Ambiguous)
)]
pub async fn pod(
    State(app): State<App>,
    Extension(reader): Extension<Reader>,
    Path(uid): Path<String>,
    headers: HeaderMap,
    scope: Asked,
) -> Response {
    let outcome = async {
        let format = Format::negotiate(&headers, OF_DOCUMENTS)?;
        Ok((format, page(&app, &reader, &uid, scope).await?))
    };
    respond("page", outcome.await)
}

/// One container instance
///
/// By container ID, or at least its first eight digits.
#[utoipa::path(
    get,
    path = "/api/v1/containers/{id}",
    tag = "history",
    params(
        ("id" = String, Path, pattern = "^[0-9a-fA-F]{8,64}$",
         description = "Container ID, or at least its first eight digits, without `runtime://`"),
        Scope
    ),
    responses(RowOf<Container>, Problems, NotFound, Ambiguous)
)]
pub async fn container(
    State(app): State<App>,
    Extension(reader): Extension<Reader>,
    Path(id): Path<String>,
    headers: HeaderMap,
    scope: Asked,
) -> Response {
    let outcome = async {
        let format = Format::negotiate(&headers, OF_ROWS)?;
        Ok((format, instance(&app, &reader, &id, scope).await?))
    };
    respond("container", outcome.await)
}

fn respond<D: Serialize + ToSchema>(
    what: &'static str,
    outcome: Result<(Format, D), Problem>,
) -> Response {
    count(what, outcome.is_ok());
    match outcome {
        Ok((format, document)) => format.response(writer::document(format, &document)),
        Err(problem) => problem.into_response(),
    }
}

async fn page(app: &App, reader: &Reader, uid: &str, scope: Asked) -> Result<Page, Problem> {
    let uid: uuid::Uuid = uid.parse().map_err(|_| {
        let detail = format!("invalid uid {uid:?}: give the UUID of a pod");
        Problem::new(Kind::InvalidRequest, detail)
    })?;
    let question = scoped(reader, scope)?;
    let _place = app.questions.place(reader).await?;
    let page = query::page(&app.store, uid, &question).await?;
    let unknown = || Problem::new(Kind::NotFound, "no pod with this uid is known");
    let mut page = page.ok_or_else(unknown)?;
    let links = app.logs.links();
    links.add_to_page(&mut page, jiff::Timestamp::now());
    Ok(page)
}

async fn instance(
    app: &App,
    reader: &Reader,
    id: &str,
    scope: Asked,
) -> Result<Container, Problem> {
    let is_hex = id.bytes().all(|byte| byte.is_ascii_hexdigit());
    // A shorter beginning of one would have to be searched for.
    if !is_hex || !CONTAINER_ID_DIGITS.contains(&id.len()) {
        let (least, most) = (CONTAINER_ID_DIGITS.start(), CONTAINER_ID_DIGITS.end());
        let detail = format!(
            "invalid container ID {id:?}: give {least} to {most} hex digits, without runtime://"
        );
        return Err(Problem::new(Kind::InvalidRequest, detail));
    }
    let question = Question {
        container_id: Some(id.to_owned()),
        limit: Some(CANDIDATES_MAX),
        ..scoped(reader, scope)?
    };
    let _place = app.questions.place(reader).await?;
    let mut answer = query::answer::<Container>(&app.store, &question)?;
    let mut found = Vec::new();
    while let Some(mut row) = answer.next().await? {
        app.logs.links().add(&mut row, jiff::Timestamp::now());
        found.push(row);
    }
    match found.len() {
        0 => Err(Problem::new(
            Kind::NotFound,
            "no container with this ID is known",
        )),
        1 => Ok(found.remove(0)),
        _ => Err(Problem::new(Kind::Ambiguous, candidates(&found))),
    }
}

fn candidates(found: &[Container]) -> String {
    let names = found.iter().map(|row| {
        let id = row.container_id.as_deref().unwrap_or_default();
        format!("{id} in cluster {}", row.cluster)
    });
    let names: Vec<String> = names.collect();
    format!(
        "several container IDs start with these digits, among them {}: give more digits, or the cluster",
        names.join(", ")
    )
}

/// A question about everything in that scope, as far as this reader may see it.
fn scoped(reader: &Reader, scope: Asked) -> Result<Question, Problem> {
    let Query(scope) = scope?;
    let params = query::Params {
        cluster: scope.cluster,
        namespace: scope.namespace,
        ..query::Params::default()
    };
    let mut question = params.question(jiff::Timestamp::now())?;
    narrow(reader, &mut question)?;
    Ok(question)
}
