//! `GET /api/v1/containers`, `/api/v1/pods`, `/api/v1/sessions`: a question's answer, streamed.
//!
//! The forms are those of [`super::writer`]. JSON, NDJSON and YAML end with `more` and `cursor` (the fields of
//! [`Ending`]), so an answer without that end was cut off on the way. CSV has no place for them: they follow as
//! the trailers `bygone-more` and `bygone-cursor`, for clients that send `TE: trailers`, and over HTTP/2; and
//! since CSV is read as a whole, its limit is the highest one where the question names none.

use std::convert::Infallible;
use std::sync::Arc;

use axum::Extension;
use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::stream::{self, Stream};
use http_body::Frame;
use http_body_util::StreamBody;
use jiff::Timestamp;
use utoipa::ToSchema;

use super::App;
use super::format::{Format, OF_ROWS};
use super::problem::{Kind, Problem};
use super::questions::Place;
use super::responses::{ListOf, Problems};
use super::writer::Writer;
use crate::access::{Denied, Reader};
use crate::logs::Logs;
use crate::query::{
    self, Answer, Container, Ending, Life, Params, Pattern, Pod, Question, ROWS_MAX, Session,
    Visible,
};
use crate::telemetry;

/// Rows of an answer whose question names no limit.
const LIMIT_DEFAULT: u64 = 1_000;

/// Bytes that are gathered before they are sent on.
const CHUNK_BYTES: usize = 32 << 10;

/// The trailers of CSV.
const MORE: HeaderName = HeaderName::from_static("bygone-more");
const CURSOR: HeaderName = HeaderName::from_static("bygone-cursor");

pub type Asked = Result<Query<Params>, QueryRejection>;

/// Container instances
///
/// Every restart is a separate instance. The latest starts come first, unless `order` is `oldest`.
#[utoipa::path(
    get,
    path = "/api/v1/containers",
    tag = "history",
    params(Params),
    responses(ListOf<Container>, Problems)
)]
pub async fn containers(
    state: State<App>,
    reader: Extension<Reader>,
    headers: HeaderMap,
    params: Asked,
) -> Response {
    answer::<Container>(&state, &reader, &headers, params).await
}

/// Pods
///
/// One per UID. The latest created come first, unless `order` is `oldest`.
#[utoipa::path(
    get,
    path = "/api/v1/pods",
    tag = "history",
    params(Params),
    responses(ListOf<Pod>, Problems)
)]
pub async fn pods(
    state: State<App>,
    reader: Extension<Reader>,
    headers: HeaderMap,
    params: Asked,
) -> Response {
    answer::<Pod>(&state, &reader, &headers, params).await
}

/// Requests to running pods
///
/// exec, attach, port-forward, ephemeral containers, resizes. The latest come first, unless `order` is `oldest`.
#[utoipa::path(
    get,
    path = "/api/v1/sessions",
    tag = "history",
    params(Params),
    responses(ListOf<Session>, Problems)
)]
pub async fn sessions(
    state: State<App>,
    reader: Extension<Reader>,
    headers: HeaderMap,
    params: Asked,
) -> Response {
    answer::<Session>(&state, &reader, &headers, params).await
}

async fn answer<L: Life + ToSchema>(
    app: &App,
    reader: &Reader,
    headers: &HeaderMap,
    params: Asked,
) -> Response {
    let outcome = ask::<L>(app, reader, headers, params).await;
    count(L::PLURAL, outcome.is_ok());
    outcome.unwrap_or_else(IntoResponse::into_response)
}

/// Counts a question.
pub fn count(what: &'static str, is_answered: bool) {
    let outcome = if is_answered { "answered" } else { "refused" };
    metrics::counter!(telemetry::API_QUESTIONS, "what" => what, "outcome" => outcome).increment(1);
}

async fn ask<L: Life + ToSchema>(
    app: &App,
    reader: &Reader,
    headers: &HeaderMap,
    params: Asked,
) -> Result<Response, Problem> {
    let format = Format::negotiate(headers, OF_ROWS)?;
    let Query(params) = params?;
    let mut question = params.question(Timestamp::now())?;
    if question.explain && !reader.sees_everything() {
        // It would say how much there is of what this reader may not see.
        let detail = "explain needs a token for all clusters and namespaces: leave it out";
        return Err(Problem::new(Kind::Forbidden, detail));
    }
    question.limit.get_or_insert(match format {
        Format::Csv => ROWS_MAX,
        Format::Json | Format::Ndjson | Format::Yaml => LIMIT_DEFAULT,
    });
    narrow(reader, &mut question)?;
    let place = app.questions.place(reader).await?;
    let writer = Writer::new::<L>(format, question.fields.clone());
    let is_linked = app.logs.links().are_wanted::<L>(&mut question.fields);
    let mut answer = query::answer::<L>(&app.store, &question)?;
    // The first row is awaited, so that a refusal of ClickHouse still gets a status of its own.
    let first = answer.next().await?;
    let sending = Sending {
        answer,
        links: is_linked.then(|| (app.logs.clone(), Timestamp::now())),
        writer,
        has_trailers: format == Format::Csv,
        _place: place,
    };
    let body = Body::new(StreamBody::new(stream(Step::Rows(
        Box::new(sending),
        first,
    ))));
    Ok(respond(format, body))
}

/// An answer that is written already.
pub fn whole(format: Format, text: Vec<u8>, ending: &Ending) -> Response {
    let text = Some(Frame::data(text.into()));
    let trailers = (format == Format::Csv).then(|| Frame::trailers(trailers(ending)));
    let frames = text.into_iter().chain(trailers).map(Ok::<_, Infallible>);
    respond(format, Body::new(StreamBody::new(stream::iter(frames))))
}

fn respond(format: Format, body: Body) -> Response {
    let mut response = format.response(body);
    if format == Format::Csv {
        let names = HeaderValue::from_static("bygone-more, bygone-cursor");
        response.headers_mut().insert(header::TRAILER, names);
    }
    response
}

/// Data that this reader may not see does not exist for them, in look-ups included.
pub fn narrow(reader: &Reader, question: &mut Question) -> Result<(), Denied> {
    // A namespace that a name has in front is asked for as well.
    let named = question
        .names
        .iter()
        .filter_map(|name| name.namespace.as_ref());
    let named = named.filter(|namespace| namespace.is_exact());
    let named: Vec<String> = named
        .map(|namespace| namespace.as_str().to_owned())
        .collect();
    reader.narrow(&question.clusters, &named)?;
    let all = reader.narrow(&[], &[])?;
    if let Some(may) = &all.namespaces {
        question.namespaces = expanded(&question.namespaces, may);
    }
    question.visible = Some(Visible {
        clusters: all.clusters.unwrap_or_default(),
        namespaces: all.namespaces.unwrap_or_default(),
    });
    let scope = reader.narrow(&question.clusters, &question.namespaces)?;
    question.clusters = scope.clusters.unwrap_or_default();
    question.namespaces = scope.namespaces.unwrap_or_default();
    Ok(())
}

/// A wildcard matches the namespaces that a reader may see; without any it is passed on as it is, and rejected.
fn expanded(asked: &[String], may: &[String]) -> Vec<String> {
    let expand = |asked: &String| {
        let pattern = Pattern::new(asked.as_str());
        let fitting = may.iter().filter(|name| pattern.matches(name)).cloned();
        let fitting: Vec<String> = fitting.collect();
        match fitting.is_empty() {
            true => vec![asked.clone()],
            false => fitting,
        }
    };
    asked.iter().flat_map(expand).collect()
}

/// An answer on its way.
struct Sending<L: Life> {
    answer: Answer<L>,
    /// Where rows get links to their lines: those, and when what runs ends.
    links: Option<(Arc<Logs>, Timestamp)>,
    writer: Writer,
    has_trailers: bool,
    _place: Place,
}

/// What is sent next.
enum Step<L: Life> {
    Rows(Box<Sending<L>>, Option<L>),
    Trailers(Ending),
    Nothing,
}

fn stream<L: Life>(first: Step<L>) -> impl Stream<Item = Result<Frame<Bytes>, query::Error>> {
    stream::try_unfold(first, async |step| match step {
        Step::Rows(sending, row) => sending.chunk(row).await.map(Some),
        Step::Trailers(ending) => Ok(Some((Frame::trailers(trailers(&ending)), Step::Nothing))),
        Step::Nothing => Ok(None),
    })
}

fn trailers(ending: &Ending) -> HeaderMap {
    let mut trailers = HeaderMap::new();
    let more = if ending.more { "true" } else { "false" };
    trailers.insert(MORE, HeaderValue::from_static(more));
    let cursor = ending.cursor.as_deref();
    // A name that is invalid in a header is in no table either.
    if let Some(cursor) = cursor.and_then(|cursor| HeaderValue::from_str(cursor).ok()) {
        trailers.insert(CURSOR, cursor);
    }
    trailers
}

impl<L: Life> Sending<L> {
    async fn chunk(
        mut self: Box<Self>,
        mut row: Option<L>,
    ) -> Result<(Frame<Bytes>, Step<L>), query::Error> {
        let mut chunk = Vec::with_capacity(CHUNK_BYTES * 2);
        while let Some(mut life) = row {
            if let Some((logs, now)) = &self.links {
                logs.links().add(&mut life, *now);
            }
            self.writer.row(&life, &mut chunk);
            row = self.answer.next().await?;
            if chunk.len() >= CHUNK_BYTES {
                break;
            }
        }
        if row.is_some() {
            return Ok((Frame::data(chunk.into()), Step::Rows(self, row)));
        }
        let ending = self.answer.ending().await?;
        self.writer.end(&ending, &mut chunk);
        let next = match self.has_trailers {
            true => Step::Trailers(ending),
            false => Step::Nothing,
        };
        Ok((Frame::data(chunk.into()), next))
    }
}

#[cfg(test)]
mod tests {
    use super::expanded;

    /// A reader gets rows of their own namespaces, and nothing reveals others.
    #[test]
    fn wildcards_stand_for_what_a_reader_may_see() {
        let may = ["shop-eu", "shop-us", "web"].map(str::to_owned);
        let expanded = |asked: &str| expanded(&[asked.to_owned()], &may).join(" ");
        assert_eq!(expanded("shop-*"), "shop-eu shop-us");
        assert_eq!(expanded("web"), "web");
        assert_eq!(expanded("bank*"), "bank*");
    }
}
