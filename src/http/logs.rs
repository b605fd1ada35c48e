//! `GET /api/v1/logs`: the lines of container instances, streamed as NDJSON.
//!
//! Each line of the answer is a [`Record`]; the last one is `{"end": ...}` with [`LogsEnding`], which also says why an
//! answer ends early. Only instances that the reader may see are looked for in the stores at all, and only for readers
//! that may read logs.
//!
//! An answer that is followed has no place among the questions while it waits. Whenever its lines so far are sent, and
//! every [`HEARTBEAT`] without any, a line `{"so_far": ...}` says how it came about until then.

use std::convert::Infallible;
use std::time::{Duration, Instant};

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
use super::questions::{Place, Questions};
use super::responses::{LogLines, NotFound, Problems};
use super::rows::{count, narrow};
use crate::access::Reader;
use crate::logs::{self, Asked as LogsAsked, Follow, Given, Lines, LogsEnding, Params, Record};

/// Bytes that are gathered before they are sent on.
const CHUNK_BYTES: usize = 32 << 10;

/// The longest silence of an answer that is followed: clients and proxies give up sooner or later.
const HEARTBEAT: Duration = Duration::from_secs(15);

type Asked = Result<Query<Params>, QueryRejection>;

/// Marks a response that is not compressed: each part of it has to arrive at once.
#[derive(Clone, Copy)]
pub struct Unpacked;

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
    let now = Timestamp::now();
    let mut asked = params.read(now)?;
    if asked.ask.explain && !reader.sees_everything() {
        // Times and counts of a store that others share would say something about their lines.
        let detail = "explain needs a token for all clusters and namespaces: leave it out";
        return Err(Problem::new(Kind::Forbidden, detail));
    }
    narrow(reader, &mut asked.question)?;
    let follows = asked.ask.follow;
    let following = match follows {
        true => Some(Following::new(app, reader, &asked, now).await?),
        false => None,
    };
    let place = app.questions.place(reader).await?;
    let selected = logs::select(&app.store, &asked.question, &asked.choice).await?;
    let ending = LogsEnding::of(&selected);
    let mut lines = app.logs.lines(selected, asked.ask);
    // The first line is awaited, so that a store that is away still gets a status of its own.
    let first = lines.next().await?;
    let sending = Sending {
        lines,
        ending,
        following,
        place: Some(place),
    };
    let first = Step::Lines(Box::new(sending), Ok(first));
    let mut response = format.response(Body::from_stream(stream(first)));
    if follows {
        response.extensions_mut().insert(Unpacked);
    }
    Ok(response)
}

/// An answer on its way.
struct Sending {
    lines: Lines,
    ending: LogsEnding,
    following: Option<Following>,
    /// Not while it waits.
    place: Option<Place>,
}

/// What an answer needs to go on.
struct Following {
    follow: Follow,
    questions: Questions,
    reader: Reader,
    _place: Place,
}

type Next = Result<Option<Given>, logs::Error>;

enum Step {
    Lines(Box<Sending>, Next),
    Wait(Box<Sending>, Duration),
    /// All lines were sent.
    End(Box<Sending>),
    Nothing,
}

#[derive(Serialize)]
struct End {
    end: LogsEnding,
}

#[derive(Serialize)]
struct SoFar {
    so_far: LogsEnding,
}

fn stream(first: Step) -> impl Stream<Item = Result<Bytes, Infallible>> {
    stream::unfold(first, async |step| match step {
        Step::Lines(sending, line) => Some(sending.chunk(line).await),
        Step::Wait(sending, wait) => Some(sending.later(wait).await),
        Step::End(sending) => Some(sending.end().await),
        Step::Nothing => None,
    })
}

impl Sending {
    /// The next part of the answer, and what comes after it.
    async fn chunk(mut self: Box<Self>, mut next: Next) -> (Result<Bytes, Infallible>, Step) {
        let mut chunk = Vec::with_capacity(CHUNK_BYTES);
        loop {
            match next {
                Ok(Some(line)) if chunk.len() >= CHUNK_BYTES => {
                    return (Ok(chunk.into()), Step::Lines(self, Ok(Some(line))));
                }
                Ok(Some(line)) => write(&Record::from(line), &mut chunk),
                Ok(None) => {
                    let Some(wait) = self.wait() else {
                        break;
                    };
                    let so_far = self.ending();
                    write(&SoFar { so_far }, &mut chunk);
                    return (Ok(chunk.into()), Step::Wait(self, wait));
                }
                Err(error) => {
                    warn!("an answer of logs was not finished: {error}");
                    self.ending = self.ending.failed(&error);
                    break;
                }
            }
            next = self.lines.next().await;
        }
        (Ok(chunk.into()), Step::End(self))
    }

    /// The last part of the answer. Nobody waits with the lines for the reasons why others have none.
    async fn end(mut self: Box<Self>) -> (Result<Bytes, Infallible>, Step) {
        if self.ending.error.is_none() {
            self.lines.examine().await;
        }
        let end = self.ending();
        let mut chunk = Vec::new();
        write(&End { end }, &mut chunk);
        (Ok(chunk.into()), Step::Nothing)
    }

    /// The part that comes after a wait.
    async fn later(mut self: Box<Self>, mut wait: Duration) -> (Result<Bytes, Infallible>, Step) {
        let since = Instant::now();
        loop {
            tokio::time::sleep(wait).await;
            let next = self.again().await;
            if matches!(next, Ok(None))
                && since.elapsed() < HEARTBEAT
                && let Some(next_wait) = self.wait()
            {
                wait = next_wait;
                continue;
            }
            return self.chunk(next).await;
        }
    }

    /// How long to wait for more lines; `None` at the end.
    fn wait(&mut self) -> Option<Duration> {
        self.place = None;
        let following = self.following.as_mut()?;
        following.follow.wait(&self.lines)
    }

    /// Asks once more, and returns the first line.
    async fn again(&mut self) -> Next {
        let Some(Following {
            follow,
            questions,
            reader,
            ..
        }) = &mut self.following
        else {
            return Ok(None);
        };
        let Ok(place) = questions.place(reader).await else {
            // Later, then.
            return Ok(None);
        };
        self.place = Some(place);
        follow.again(&mut self.lines).await?;
        self.lines.next().await
    }

    fn ending(&self) -> LogsEnding {
        LogsEnding {
            summary: self.lines.summary(),
            ..self.ending.clone()
        }
    }
}

impl Following {
    async fn new(
        app: &App,
        reader: &Reader,
        asked: &LogsAsked,
        now: Timestamp,
    ) -> Result<Following, Problem> {
        let place = app.questions.follower(reader).await?;
        let (question, choice) = (asked.question.clone(), asked.choice.clone());
        Ok(Following {
            follow: Follow::new(&app.logs, &app.store, question, choice, now),
            questions: app.questions.clone(),
            reader: reader.clone(),
            _place: place,
        })
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
            error => {
                warn!("a question for logs was not answered: {error}");
                Problem::new(Kind::StoreUnavailable, error.for_readers())
            }
        }
    }
}
