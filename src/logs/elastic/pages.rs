//! An answer on its way, page by page.

use std::sync::Arc;
use std::time::Duration;

use jiff::{Timestamp, TimestampRound, Unit};
use serde_json::{Map, Value, json};

use super::mapping::Asked;
use super::record::{self, Source};
use super::{Dialect, Hit, Index, KEEP_ALIVE, Outcome};
use crate::logs::conditions::Condition;
use crate::logs::line::Line;
use crate::logs::query::Query;
use crate::logs::resume::Resume;
use crate::logs::span::Span;
use crate::logs::{Error, PAGE_LINES};

/// How often an answer may break off without a page in between.
const BREAKS_MAX: u32 = 3;

/// A page of records that are too large for one answer is asked for in parts of at least so many. More than there are
/// shards whose records could have one position.
const SMALLEST_PAGE: usize = 16;

/// An answer on its way.
pub struct Pages {
    index: Arc<Index>,
    query: Query,
    plan: Option<Plan>,
    position: Position,
    resume: Resume,
    page_max: usize,
    given: u64,
    breaks: u32,
    absent: Option<String>,
    /// The index of the first record.
    place: Option<String>,
}

/// How the conditions are asked for.
struct Plan {
    filters: Vec<Value>,
    /// What the filters find too much of.
    checks: Vec<Condition>,
    has_tie_break: bool,
}

enum Position {
    /// Nothing was asked.
    First,
    /// A new point in time is needed, from the last line on.
    Between,
    /// In a point in time, behind the record with these sort values.
    In {
        id: String,
        span: Span,
        after: Option<Vec<Value>>,
    },
    End,
}

impl Pages {
    pub fn new(index: &Arc<Index>, query: Query) -> Pages {
        let wanted = match query.grep {
            None => query.lines_max.unwrap_or(u64::MAX),
            Some(_) => u64::MAX,
        };
        let page_max = usize::try_from(wanted).map_or(PAGE_LINES, |wanted| wanted.min(PAGE_LINES));
        Pages {
            index: index.clone(),
            query,
            plan: None,
            position: Position::First,
            resume: Resume::default(),
            page_max: page_max.max(SMALLEST_PAGE),
            given: 0,
            breaks: 0,
            absent: None,
            place: None,
        }
    }

    /// The field that no record has, where that is why nothing was found.
    pub fn absent(&self) -> Option<&str> {
        self.absent.as_deref()
    }

    /// The index of the first record that came.
    pub fn place(&self) -> Option<&str> {
        self.place.as_deref()
    }

    pub async fn next(&mut self) -> Result<Vec<Line>, Error> {
        loop {
            let is_enough = self.query.grep.is_none()
                && self
                    .query
                    .lines_max
                    .is_some_and(|lines| lines <= self.given);
            if is_enough {
                self.end().await;
            }
            if matches!(self.position, Position::End) {
                return Ok(Vec::new());
            }
            match self.page().await {
                Ok(Some(lines)) if lines.is_empty() => {}
                Ok(Some(lines)) => {
                    self.given += lines.len() as u64;
                    return Ok(lines);
                }
                Ok(None) => {}
                Err(Error::Unreachable { .. }) if self.breaks < BREAKS_MAX => {
                    self.breaks += 1;
                    tokio::time::sleep(Duration::from_millis(100 << self.breaks)).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// The new lines of the next page; `None` where it has to be asked for in another way.
    async fn page(&mut self) -> Result<Option<Vec<Line>>, Error> {
        if self.plan.is_none() {
            match self.plan().await? {
                Some(plan) => self.plan = Some(plan),
                None => {
                    self.position = Position::End;
                    return Ok(None);
                }
            }
        }
        if let Position::Between = self.position {
            let id = self.index.open_point().await?;
            let span = self.rest();
            let after = None;
            self.position = Position::In { id, span, after };
        }
        let path = match &self.position {
            Position::In { .. } => "/_search".to_owned(),
            _ => format!("/{}/_search", self.index.pattern),
        };
        let body = self.body();
        self.query.sent.note(|| format!("POST {path} {body}"));
        match self.index.search(&path, &body).await? {
            Outcome::Found(found) => {
                self.breaks = 0;
                if let (Position::In { id, .. }, Some(newest)) = (&mut self.position, found.pit_id)
                {
                    *id = newest;
                }
                self.take(found.hits.hits).await.map(Some)
            }
            Outcome::Gone if matches!(self.position, Position::First) => Err(self.index.no_index()),
            Outcome::Gone if self.breaks < BREAKS_MAX => {
                self.breaks += 1;
                self.position = Position::Between;
                Ok(None)
            }
            Outcome::Gone => {
                let cause = "its points in time end too early".to_owned();
                Err(self.index.answer(cause))
            }
            Outcome::TooLarge if self.page_max > SMALLEST_PAGE => {
                self.page_max = (self.page_max / 4).max(SMALLEST_PAGE);
                Ok(None)
            }
            Outcome::TooLarge => {
                let cause = format!("{SMALLEST_PAGE} records are too large for one answer");
                Err(self.index.answer(cause))
            }
        }
    }

    /// Translates the conditions; `None` where no record can fulfil them.
    async fn plan(&mut self) -> Result<Option<Plan>, Error> {
        let mapping = self.index.mapping().await?;
        let tie_break = self.index.fields.tie_break.as_deref();
        let mut plan = Plan {
            filters: Vec::new(),
            checks: Vec::new(),
            has_tie_break: tie_break.is_some_and(|field| mapping.is_number(field)),
        };
        for condition in &self.query.conditions {
            let asked = mapping.ask(condition);
            match asked.map_err(|cause| self.index.answer(cause))? {
                Asked::Query(query) => plan.filters.push(query),
                Asked::Loosely(query) => {
                    plan.filters.push(query);
                    plan.checks.push(condition.clone());
                }
                Asked::Always => {}
                Asked::Never(field) => {
                    self.absent = Some(field);
                    return Ok(None);
                }
            }
        }
        Ok(Some(plan))
    }

    /// What was not given yet, with the last instant once more.
    fn rest(&mut self) -> Span {
        let mut span = self.query.span;
        match (self.resume.begin(), self.query.newest_first) {
            (Some(at), false) => span.from = at,
            (Some(at), true) => {
                span.until = at
                    .checked_add(jiff::Span::new().nanoseconds(1))
                    .unwrap_or(at);
            }
            (None, _) => {}
        }
        span
    }

    fn body(&self) -> Value {
        let plan = self.plan.as_ref();
        let mut filters = plan.map(|plan| plan.filters.clone()).unwrap_or_default();
        let time = &self.index.time;
        let order = match self.query.newest_first {
            false => "asc",
            true => "desc",
        };
        // In nanoseconds, whatever an index keeps.
        let by_time =
            json!({"order": order, "numeric_type": "date_nanos", "unmapped_type": "date_nanos"});
        let mut sort = vec![json!({time: by_time})];
        if let Some(field) = &self.index.fields.tie_break
            && plan.is_some_and(|plan| plan.has_tie_break)
        {
            sort.push(json!({field: {"order": order, "unmapped_type": "long"}}));
        }
        let mut body = json!({
            "size": self.page_max,
            "track_total_hits": false,
            // Large, and no part of a line.
            "_source": {"excludes": ["kubernetes.labels", "kubernetes.annotations"]},
        });
        let mut last = "_doc";
        let mut span = self.query.span;
        if let Position::In {
            id,
            span: of,
            after,
        } = &self.position
        {
            span = *of;
            body["pit"] = json!({"id": id, "keep_alive": KEEP_ALIVE});
            if let Some(after) = after {
                body["search_after"] = json!(after);
            }
            // OpenSearch has it from 3.3 on.
            if self.index.dialect == Dialect::Elasticsearch {
                last = "_shard_doc";
            }
        }
        sort.push(json!({last: {"order": order}}));
        filters.push(range(time, span));
        body["sort"] = json!(sort);
        body["query"] = json!({"bool": {"filter": filters}});
        body
    }

    /// The lines of these records that were not given yet, and where to go on.
    async fn take(&mut self, mut hits: Vec<Hit>) -> Result<Vec<Line>, Error> {
        let is_last = hits.len() < self.page_max;
        match &mut self.position {
            _ if is_last => self.end().await,
            Position::In { after, .. } => {
                // Records of several shards may have one position, and the next page begins behind it: it is left to
                // that page.
                let last = hits.last().map(|hit| hit.sort.clone());
                while hits.last().map(|hit| &hit.sort) == last.as_ref() && !hits.is_empty() {
                    hits.pop();
                }
                let Some(hit) = hits.last() else {
                    let cause = "its records have no order".to_owned();
                    return Err(self.index.answer(cause));
                };
                *after = Some(hit.sort.clone());
            }
            position => {
                *position = Position::Between;
                self.page_max = PAGE_LINES;
            }
        }
        let mut lines = Vec::with_capacity(hits.len());
        for hit in hits {
            let line = self.line(&hit)?;
            let is_wanted = line.at < self.query.span.until && self.is_meant(&hit.source);
            if is_wanted && self.resume.is_new(&line) {
                self.place.get_or_insert(hit.index);
                lines.push(line);
            }
        }
        Ok(lines)
    }

    fn is_meant(&self, source: &Source) -> bool {
        let mut checks = self.plan.iter().flat_map(|plan| &plan.checks);
        checks.all(|check| record::holds(source, check))
    }

    fn line(&self, hit: &Hit) -> Result<Line, Error> {
        let at = hit.sort.first().and_then(Value::as_i64);
        let at = at.and_then(|at| Timestamp::from_nanosecond(at.into()).ok());
        let no_time = || {
            self.index
                .answer("it sorted a record by no time".to_owned())
        };
        let at = at.ok_or_else(no_time)?;
        let fields = &self.index.fields;
        let stream = record::stream(&hit.source, fields);
        let text = record::line(&hit.source, fields).into_bytes();
        Ok(Line::new(at, &stream, text))
    }

    async fn end(&mut self) {
        if let Position::In { id, .. } = std::mem::replace(&mut self.position, Position::End) {
            self.index.close_point(&id).await;
        }
    }
}

/// Closes the point in time of an answer that nobody reads to its end.
impl Drop for Pages {
    fn drop(&mut self) {
        let position = std::mem::replace(&mut self.position, Position::End);
        let runtime = tokio::runtime::Handle::try_current();
        if let (Position::In { id, .. }, Ok(runtime)) = (position, runtime) {
            let index = self.index.clone();
            runtime.spawn(async move { index.close_point(&id).await });
        }
    }
}

/// The records of a time. Indices with milliseconds cut these bounds off: the upper one is put to the next millisecond,
/// and what that finds too much is left out by its reader.
fn range(time: &str, span: Span) -> Value {
    // What nanoseconds can hold: 1970 to 2262.
    let latest = Timestamp::from_second(i64::MAX / 1_000_000_000).unwrap_or(Timestamp::MAX);
    let within = |at: Timestamp| at.clamp(Timestamp::UNIX_EPOCH, latest);
    let (from, until) = (within(span.from), within(span.until));
    let up = TimestampRound::new()
        .smallest(Unit::Millisecond)
        .mode(jiff::RoundMode::Ceil);
    let until = until.round(up).unwrap_or(until);
    let mut bounds = Map::new();
    bounds.insert("gte".to_owned(), json!(from.to_string()));
    bounds.insert("lt".to_owned(), json!(until.to_string()));
    bounds.insert(
        "format".to_owned(),
        json!("strict_date_optional_time_nanos"),
    );
    json!({"range": {time: bounds}})
}
