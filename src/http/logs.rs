//! `GET /api/v1/logs`: the lines of container instances, streamed as NDJSON.
//!
//! Each line of the answer is a [`Record`]; the last one is `{"end": ...}` with [`LogsEnding`], which also says why an
//! answer ends early. Only instances that the reader may see are looked for in the stores at all, and only for readers
//! that may read logs.

use std::convert::Infallible;

use axum::Extension;
use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::stream::{self, Stream};
use jiff::Timestamp;
use serde::Serialize;
use tracing::warn;

use super::App;
use super::format::{Format, OF_LOGS};
use super::problem::{Kind, Problem};
use super::questions::Place;
use super::responses::{LogLines, NotFound, Problems};
use super::rows::{count, narrow};
use crate::access::Reader;
use crate::logs::{self, Given, Lines, LogsEnding, Params, Record};

/// Bytes that are gathered before they are sent on.
const CHUNK_BYTES: usize = 32 << 10;

type Asked = Result<Query<Params>, QueryRejection>;

/// Lines of container instances
///
/// In the order of time, out of the stores that `[[logs]]` configures. Without a time a name means the last instance of
/// its last pod. The last line of the answer says by what the lines were found.
#[utoipa::path(
    get,
    path = "/api/v1/logs",
    tag = "history",
    params(Params),
    responses(LogLines, Problems, NotFound)
)]
pub async fn lines(
    State(app): State<App>,
    Extension(reader): Extension<Reader>,
    headers: HeaderMap,
    params: Asked,
) -> Response {
    let outcome = ask(&app, &reader, &headers, params).await;
    count("logs", outcome.is_ok());
    outcome.unwrap_or_else(IntoResponse::into_response)
}

async fn ask(
    app: &App,
    reader: &Reader,
    headers: &HeaderMap,
    params: Asked,
) -> Result<Response, Problem> {
    let format = Format::negotiate(headers, OF_LOGS)?;
    let Query(params) = params?;
    if !reader.reads_logs() {
        let detail = "this token does not read logs: set logs = true below its [[access.api]]";
        return Err(Problem::new(Kind::Forbidden, detail));
    }
    if app.logs.is_empty() {
        let detail = "no logs store is configured: add a [[logs]] block, see docs/logs.md";
        return Err(Problem::new(Kind::NotFound, detail));
    }
    let mut asked = params.read(Timestamp::now())?;
    narrow(reader, &mut asked.question)?;
    let place = app.questions.place(reader).await?;
    let selected = logs::select(&app.store, &asked.question, &asked.choice).await?;
    let ending = LogsEnding::of(&selected);
    let mut lines = app.logs.lines(selected.instances, asked.ask);
    // The first line is awaited, so that a store that is away still gets a status of its own.
    let first = lines.next().await?;
    let sending = Sending {
        lines,
        ending,
        tail: params.tail.is_some(),
        _place: place,
    };
    let first = Step::Lines(Box::new(sending), first);
    Ok(format.response(Body::from_stream(stream(first))))
}

/// An answer on its way.
struct Sending {
    lines: Lines,
    ending: LogsEnding,
    /// Whether the lines come newest first, and are turned round before they are sent.
    tail: bool,
    _place: Place,
}

enum Step {
    Lines(Box<Sending>, Option<Given>),
    /// All lines were sent.
    End(Box<Sending>),
    Nothing,
}

#[derive(Serialize)]
struct End {
    end: LogsEnding,
}

fn stream(first: Step) -> impl Stream<Item = Result<Bytes, Infallible>> {
    stream::unfold(first, async |step| match step {
        Step::Lines(sending, line) => Some(sending.chunk(line).await),
        Step::End(sending) => Some(sending.end().await),
        Step::Nothing => None,
    })
}

impl Sending {
    /// The next part of the answer, and what comes after it.
    async fn chunk(mut self: Box<Self>, line: Option<Given>) -> (Result<Bytes, Infallible>, Step) {
        let mut chunk = Vec::with_capacity(CHUNK_BYTES);
        let mut next = Ok(line);
        let mut held = Vec::new();
        loop {
            match next {
                Ok(Some(line)) if self.tail => held.push(line),
                Ok(Some(line)) if chunk.len() >= CHUNK_BYTES => {
                    return (Ok(chunk.into()), Step::Lines(self, Some(line)));
                }
                Ok(Some(line)) => write(&Record::from(line), &mut chunk),
                Ok(None) => break,
                Err(error) => {
                    warn!("an answer of logs was not finished: {error}");
                    self.ending = self.ending.failed(&error);
                    break;
                }
            }
            next = self.lines.next().await;
        }
        for line in held.into_iter().rev() {
            write(&Record::from(line), &mut chunk);
        }
        (Ok(chunk.into()), Step::End(self))
    }

    /// The last part of the answer. Nobody waits with the lines for the reasons why others have none.
    async fn end(mut self: Box<Self>) -> (Result<Bytes, Infallible>, Step) {
        if self.ending.error.is_none() {
            self.lines.examine().await;
        }
        let summary = self.lines.summary();
        let end = LogsEnding {
            summary,
            ..self.ending
        };
        let mut chunk = Vec::new();
        write(&End { end }, &mut chunk);
        (Ok(chunk.into()), Step::Nothing)
    }
}

fn write(value: &impl Serialize, out: &mut Vec<u8>) {
    serde_json::to_writer(&mut *out, value).expect("plain data");
    out.push(b'\n');
}

impl From<logs::Error> for Problem {
    /// What a store said is logged and not sent.
    fn from(error: logs::Error) -> Problem {
        match error {
            logs::Error::Question(error) => error.into(),
            logs::Error::TooMany { .. } => Problem::new(Kind::InvalidRequest, error.to_string()),
            // Of the configuration, and nothing that a store said.
            logs::Error::Missing { .. } => {
                warn!("a question for logs was not answered: {error}");
                Problem::new(Kind::StoreUnavailable, error.to_string())
            }
            error => {
                warn!("a question for logs was not answered: {error}");
                let detail = "a logs store did not answer: ask again later, and see bygone's log";
                Problem::new(Kind::StoreUnavailable, detail)
            }
        }
    }
}
