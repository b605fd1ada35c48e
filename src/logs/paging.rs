//! Paging through stores that have no cursor: they find lines by time, and give at most so many at once.
//!
//! The next page begins at the time of the last line, inclusive, and of its lines those are left out that were given
//! ([`Resume`]). Where one instant has more lines than a page, the page grows; where a store may not give so many, that
//! is an error and not a gap. No connection is held between pages: a store has room for few.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::line::Line;
use super::query::Query;
use super::resume::Resume;
use super::span::{Span, earlier, later};
use super::{Error, PAGE_LINES};

/// How often one page may break off.
const BREAKS_MAX: u32 = 3;

/// The fewest lines to ask for: of `--tail 1`, more may have one time.
const PAGE_LINES_MIN: usize = 100;

/// The shortest piece of time that is asked for, and how much longer than the one before the next piece may be.
const PIECE_MIN: SignedDuration = SignedDuration::from_secs(1);
const PIECE_GROWTH: i32 = 8;

/// One request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Want {
    pub span: Span,
    pub lines_max: usize,
}

/// What a store gave for it.
#[derive(Debug, Default)]
pub struct Page {
    /// In the order of the query.
    pub lines: Vec<Line>,
    /// Whether there may be more lines after these.
    pub more: bool,
}

/// Why it gave nothing.
#[derive(Debug)]
pub enum Failed {
    /// A page may have at most so many lines.
    LinesMax(usize, Error),
    /// The time is too long for one request.
    TooLong(Error),
    /// The answer broke off.
    Broke(Error),
    Other(Error),
}

impl Failed {
    /// What a client said: a connection that broke is worth another try.
    pub fn of(error: Error) -> Failed {
        match error {
            Error::Unreachable { .. } => Failed::Broke(error),
            other => Failed::Other(other),
        }
    }
}

impl From<Failed> for Error {
    fn from(failed: Failed) -> Error {
        match failed {
            Failed::LinesMax(_, error)
            | Failed::TooLong(error)
            | Failed::Broke(error)
            | Failed::Other(error) => error,
        }
    }
}

/// What a store allows.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub lines_max: usize,
    pub piece_max: SignedDuration,
    /// Before this there are no lines.
    pub begin: Timestamp,
}

/// A store that answers such requests.
pub trait Source {
    fn limits(&self) -> Limits;

    async fn ask(&self, query: &Query, want: Want) -> Result<Page, Failed>;

    /// More lines have one time than the store gives.
    fn crowded(&self, at: Timestamp, lines: usize) -> Error;
}

/// An answer on its way.
pub struct Pages<S> {
    source: Arc<S>,
    query: Query,
    course: Course,
    page: VecDeque<Line>,
}

impl<S: Source> Pages<S> {
    pub fn new(source: &Arc<S>, query: Query) -> Pages<S> {
        Pages {
            course: Course::new(&query, source.limits()),
            source: source.clone(),
            query,
            page: VecDeque::new(),
        }
    }

    pub async fn next(&mut self) -> Result<Vec<Line>, Error> {
        let mut breaks = 0;
        while self.page.is_empty() {
            let Some(want) = self.course.want() else {
                break;
            };
            match self.source.ask(&self.query, want).await {
                Ok(page) => {
                    let came = self.course.came(page);
                    let came = came.map_err(|at| self.source.crowded(at, want.lines_max))?;
                    self.page.extend(came);
                    breaks = 0;
                }
                Err(Failed::LinesMax(lines, _)) if (1..want.lines_max).contains(&lines) => {
                    self.course.limits.lines_max = lines;
                }
                Err(Failed::TooLong(_)) if self.course.shorten() => {}
                Err(Failed::Broke(_)) if breaks < BREAKS_MAX => {
                    breaks += 1;
                    tokio::time::sleep(Duration::from_millis(100 << breaks)).await;
                }
                Err(failed) => return Err(failed.into()),
            }
        }
        let lines = self.page.len().min(PAGE_LINES);
        Ok(self.page.drain(..lines).collect())
    }
}

/// What is asked for next. Nothing is asked here.
struct Course {
    limits: Limits,
    newest_first: bool,
    /// What was not asked for yet, or has more lines.
    rest: Span,
    resume: Resume,
    /// Lines of a page at first, and of this one.
    lines_usual: usize,
    lines: usize,
    /// How much time is asked for at once: about as much as a page holds, so that stores which sort need not read the
    /// rest for each page.
    piece: SignedDuration,
    asked: Span,
}

impl Course {
    fn new(query: &Query, limits: Limits) -> Course {
        let rest = query.span.within(Some(limits.begin), None);
        let enough = query.lines_max.filter(|_| query.grep.is_none());
        let enough = enough.and_then(|lines| usize::try_from(lines).ok());
        let lines = enough.map_or(PAGE_LINES, |lines| lines.clamp(PAGE_LINES_MIN, PAGE_LINES));
        Course {
            limits,
            newest_first: query.newest_first,
            rest,
            resume: Resume::default(),
            lines_usual: lines,
            lines,
            piece: limits.piece_max,
            asked: rest,
        }
    }

    /// The next request; `None` at the end.
    fn want(&mut self) -> Option<Want> {
        if self.rest.is_empty() {
            return None;
        }
        self.piece = self.piece.clamp(PIECE_MIN, self.limits.piece_max);
        self.lines = self.lines.min(self.limits.lines_max);
        let Span { from, until } = self.rest;
        self.asked = match self.newest_first {
            false => Span {
                from,
                until: until.min(later(from, self.piece)),
            },
            true => Span {
                from: from.max(earlier(until, self.piece)),
                until,
            },
        };
        self.resume.begin();
        Some(Want {
            span: self.asked,
            lines_max: self.lines,
        })
    }

    /// Takes its answer, and returns the lines that are new. Fails with the instant that has too many.
    fn came(&mut self, page: Page) -> Result<Vec<Line>, Timestamp> {
        let ends = page.lines.first().zip(page.lines.last());
        let ends = ends.map(|(first, last)| (first.at, last.at));
        match ends.filter(|_| page.more) {
            None => {
                self.pass(self.asked);
                self.lines = self.lines_usual;
                let longer = self.piece.checked_mul(PIECE_GROWTH);
                self.piece = longer.unwrap_or(SignedDuration::MAX);
            }
            Some((first, last)) => {
                self.stop_at(last);
                let length = last.duration_since(first).abs();
                if !length.is_zero() {
                    self.lines = self.lines_usual;
                    let longer = length.checked_mul(PIECE_GROWTH);
                    self.piece = longer.unwrap_or(SignedDuration::MAX);
                } else if self.lines >= self.limits.lines_max {
                    return Err(last);
                } else {
                    self.lines = (self.lines * 2).min(self.limits.lines_max);
                }
            }
        }
        let lines = page.lines.into_iter();
        Ok(lines.filter(|line| self.resume.is_new(line)).collect())
    }

    /// All of it was given.
    fn pass(&mut self, span: Span) {
        match self.newest_first {
            false => self.rest.from = span.until,
            true => self.rest.until = span.from,
        }
    }

    /// The lines of this instant may not be all.
    fn stop_at(&mut self, at: Timestamp) {
        match self.newest_first {
            false => self.rest.from = at,
            // Exclusive.
            true => self.rest.until = later(at, SignedDuration::from_nanos(1)),
        }
    }

    /// Asks for less time at once. False where it is the shortest already.
    fn shorten(&mut self) -> bool {
        let length = self.asked.until.duration_since(self.asked.from);
        if length <= PIECE_MIN {
            return false;
        }
        self.limits.piece_max = (length / 2).max(PIECE_MIN);
        true
    }
}

#[cfg(test)]
mod tests;
