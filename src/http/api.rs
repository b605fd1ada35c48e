//! `GET /api/v1/...`: a question's answer, streamed.
//!
//! As `application/json`: `{"items": [...], "more": false, "cursor": null}`. As
//! `application/x-ndjson`, where the client accepts that: one row a line, then a last line
//! `{"end": {"more": false, "cursor": null}}`. A stream without that end was cut off on
//! the way. The fields are those of [`crate::query::Ending`].
//!
//! `GET /api/v1/pods/{uid}` is one JSON document, in one line; 404 where there is no such pod for this
//! reader.

use std::collections::HashMap;

use axum::Extension;
use axum::body::Body;
use axum::extract::{Path, Query, State, rejection::QueryRejection};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::stream::{self, Stream};
use jiff::Timestamp;
use serde_json::json;
use serde_json::value::RawValue;

use super::App;
use super::problem::{Kind, Problem};
use super::questions::Place;
use crate::access::{Denied, Reader};
use crate::query::{self, Answer, Life, Page, Params, Question};
use crate::telemetry;

/// The content type of one JSON document a line.
pub const NDJSON: &str = "application/x-ndjson";

/// Rows of an answer whose question names no limit.
const LIMIT_DEFAULT: u64 = 1_000;

/// Bytes that are gathered before they are sent on.
const CHUNK_BYTES: usize = 32 << 10;

/// Answers a question.
pub async fn answer<L: Life>(
    State(app): State<App>,
    Extension(reader): Extension<Reader>,
    headers: HeaderMap,
    params: Result<Query<Params>, QueryRejection>,
) -> Response {
    let outcome = ask::<L>(&app, &reader, &headers, params).await;
    count(L::PLURAL, outcome.is_ok());
    outcome.unwrap_or_else(IntoResponse::into_response)
}

/// Answers with one page about a pod.
pub async fn page(
    State(app): State<App>,
    Extension(reader): Extension<Reader>,
    Path(uid): Path<String>,
    params: Result<Query<Params>, QueryRejection>,
) -> Response {
    let outcome = ask_page(&app, &reader, &uid, params).await;
    count("page", outcome.is_ok());
    match outcome {
        Ok(page) => axum::Json(page).into_response(),
        Err(problem) => problem.into_response(),
    }
}

fn count(what: &'static str, is_answered: bool) {
    let outcome = if is_answered { "answered" } else { "refused" };
    metrics::counter!(telemetry::API_QUESTIONS, "what" => what, "outcome" => outcome).increment(1);
}

async fn ask_page(
    app: &App,
    reader: &Reader,
    uid: &str,
    params: Result<Query<Params>, QueryRejection>,
) -> Result<Page, Problem> {
    let asked = asked(params, Timestamp::now())?;
    let uid: uuid::Uuid = uid.parse().map_err(|_| {
        let detail = format!("invalid uid {uid:?}: give the UUID of a pod");
        Problem::new(Kind::InvalidRequest, detail)
    })?;
    let mut seen = Question {
        clusters: asked.clusters,
        namespaces: asked.namespaces,
        ..Question::default()
    };
    narrow(reader, &mut seen)?;
    let _place = app.questions.place(reader).await?;
    let page = query::page(&app.store, uid, &seen).await?;
    page.ok_or_else(|| Problem::new(Kind::NotFound, "no pod of this uid is known"))
}

/// What this reader may not see is no part of the history for them, look-ups included.
fn narrow(reader: &Reader, question: &mut Question) -> Result<(), Denied> {
    // A namespace that a name has in front is asked for as well.
    let named = question.names.iter();
    let named: Vec<String> = named.filter_map(|name| name.namespace.clone()).collect();
    reader.narrow(&question.clusters, &named)?;
    let scope = reader.narrow(&question.clusters, &question.namespaces)?;
    question.clusters = scope.clusters.unwrap_or_default();
    question.namespaces = scope.namespaces.unwrap_or_default();
    Ok(())
}

async fn ask<L: Life>(
    app: &App,
    reader: &Reader,
    headers: &HeaderMap,
    params: Result<Query<Params>, QueryRejection>,
) -> Result<Response, Problem> {
    let mut question = asked(params, Timestamp::now())?;
    if question.explain && !reader.sees_everything() {
        // It would say how much there is of what this reader may not see.
        let detail = "explain needs a token that may ask about everything: leave it out";
        return Err(Problem::new(Kind::Forbidden, detail));
    }
    question.limit.get_or_insert(LIMIT_DEFAULT);
    narrow(reader, &mut question)?;
    let place = app.questions.place(reader).await?;
    let mut answer = query::answer::<L>(&app.store, &question)?;
    // The first row is awaited, so that a refusal of ClickHouse still gets a status of its own.
    let first = answer.next().await?;
    let accept = headers
        .get(header::ACCEPT)
        .and_then(|accept| accept.to_str().ok());
    let lines = accept.is_some_and(|accept| accept.contains(NDJSON));
    let kind = if lines { NDJSON } else { "application/json" };
    let body = Body::from_stream(stream(
        Writer {
            answer,
            fields: question.fields,
            lines,
            first: true,
            _place: place,
        },
        first,
    ));
    Ok(([(header::CONTENT_TYPE, kind)], body).into_response())
}

/// What is asked, or what is wrong with it.
pub fn asked(
    params: Result<Query<Params>, QueryRejection>,
    now: Timestamp,
) -> Result<Question, Problem> {
    let Query(params) = params?;
    Ok(params.question(now)?)
}

struct Writer<L: Life> {
    answer: Answer<L>,
    /// None: all of them.
    fields: Vec<String>,
    lines: bool,
    first: bool,
    _place: Place,
}

fn stream<L: Life>(
    writer: Writer<L>,
    first: Option<L>,
) -> impl Stream<Item = Result<Bytes, query::Error>> {
    stream::try_unfold(Some((writer, first)), async |state| {
        let Some((mut writer, mut row)) = state else {
            return Ok(None);
        };
        let mut chunk = Vec::with_capacity(CHUNK_BYTES * 2);
        while let Some(life) = row {
            writer.row(&life, &mut chunk);
            row = writer.answer.next().await?;
            if chunk.len() >= CHUNK_BYTES {
                break;
            }
        }
        if row.is_some() {
            return Ok(Some((chunk.into(), Some((writer, row)))));
        }
        writer.end(&mut chunk).await?;
        Ok(Some((chunk.into(), None)))
    })
}

/// Writes a row as JSON: the fields that are wanted, in their order.
fn write<L: Life>(life: &L, fields: &[String], out: &mut Vec<u8>) -> serde_json::Result<()> {
    if fields.is_empty() {
        return serde_json::to_writer(out, life);
    }
    let text = serde_json::to_string(life)?;
    let all: HashMap<&str, &RawValue> = serde_json::from_str(&text)?;
    let mut before = b'{';
    for field in fields {
        let Some(value) = all.get(&**field) else {
            continue;
        };
        out.push(before);
        out.extend_from_slice(format!("\"{field}\":{value}").as_bytes());
        before = b',';
    }
    out.push(b'}');
    Ok(())
}

impl<L: Life> Writer<L> {
    fn row(&mut self, life: &L, out: &mut Vec<u8>) {
        let before: &[u8] = match (self.lines, self.first) {
            (true, _) => b"",
            (false, true) => b"{\"items\":[\n",
            (false, false) => b",\n",
        };
        out.extend_from_slice(before);
        write(life, &self.fields, out).expect("rows are plain data, and a Vec takes all");
        if self.lines {
            out.push(b'\n');
        }
        self.first = false;
    }

    async fn end(&mut self, out: &mut Vec<u8>) -> Result<(), query::Error> {
        let ending = json!(self.answer.ending().await?);
        if self.lines {
            out.extend_from_slice(format!("{}\n", json!({ "end": ending })).as_bytes());
            return Ok(());
        }
        if self.first {
            out.extend_from_slice(b"{\"items\":[");
        }
        // The ending's fields stand beside the items.
        let text = ending.to_string();
        let fields = text.strip_prefix('{').unwrap_or(&text);
        out.extend_from_slice(format!("\n],{fields}\n").as_bytes());
        Ok(())
    }
}
