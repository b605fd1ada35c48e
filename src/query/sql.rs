//! The SQL of questions.

use std::sync::Arc;

use ::clickhouse::query::RowCursor;

use super::conditions::{conditions, instant, scope, uid};
use super::model::{Cost, Ending, Life};
use super::rows::PodLifeRow;
use super::statement::{Row, Statement, Value};
use super::{Cursor, Error, Question, ROWS_MAX, view};
use crate::clickhouse::Store;

/// Rows that come in as they are read.
pub struct Answer<L: Life> {
    store: Arc<Store>,
    pending: Statement,
    /// The question's own, where its cost is asked for.
    explained: Option<Box<Statement>>,
    rows: RowCursor<L::Row>,
    limit: u64,
    given: u64,
    last: Option<Cursor>,
    more: bool,
}

impl<L: Life> Answer<L> {
    /// The next row, or `None` at the end.
    ///
    /// # Errors
    ///
    /// When ClickHouse breaks off. The rows before stay true, but are not all.
    pub async fn next(&mut self) -> Result<Option<L>, Error> {
        if self.more {
            return Ok(None);
        }
        let row = self.store.within_limit(self.rows.next()).await?;
        let Some(row) = row else { return Ok(None) };
        if self.given == self.limit {
            self.more = true;
            return Ok(None);
        }
        self.given += 1;
        self.last = Some(row.cursor());
        Ok(Some(row.life()))
    }

    /// After the last row: how the answer ended.
    ///
    /// # Errors
    ///
    /// When ClickHouse does not tell.
    pub async fn ending(&mut self) -> Result<Ending, Error> {
        let cursor = self.last.as_ref().filter(|_| self.more);
        let pending = self.pending.clone().bind(&self.store);
        let cost = match &self.explained {
            Some(statement) => {
                let both = [(**statement).clone(), self.pending.clone()];
                Some(cost(&self.store, both).await?)
            }
            None => None,
        };
        Ok(Ending {
            more: self.more,
            cursor: cursor.map(ToString::to_string),
            pending: self.store.within_limit(pending.fetch_one::<u64>()).await?,
            cost,
        })
    }
}

pub(super) fn ask<L: Life>(store: &Arc<Store>, question: &Question) -> Result<Answer<L>, Error> {
    let limit = question.limit.unwrap_or(ROWS_MAX);
    if limit > ROWS_MAX {
        return Err(Error::Limit(limit));
    }
    let statement = statement::<L>(question, limit);
    let explained = question.explain.then(|| Box::new(statement.clone()));
    let query = statement.bind(store);
    let rows = query.fetch().map_err(|error| store.error(error))?;
    Ok(Answer {
        store: store.clone(),
        pending: pending::<L>(question),
        explained,
        rows,
        limit,
        given: 0,
        last: None,
        more: false,
    })
}

/// What one page tells of a pod beyond the columns of `pods`.
pub(super) async fn pod_life(
    store: &Store,
    uid: uuid::Uuid,
    question: &Question,
) -> Result<Option<PodLifeRow>, Error> {
    let mut statement = Statement::default();
    let uid = statement.value("UUID", Value::Text(uid.to_string()));
    scope(question, &mut statement);
    // The driver knows no names inside of tuples.
    statement.sql = format!(
        "SELECT owner_kind, owner, first_seen, \
         CAST(ips, 'Array(Tuple(String, DateTime64(6, \\'UTC\\')))') AS ips, restart_counts, \
         CAST(waiting, 'Array(Tuple(String, String))') AS waiting, status_reason, \
         terminal_at, delete_asked_at, delete_asked_by, evict_asked_at, evict_asked_by, \
         force_asked_at, force_asked_by, \
         CAST(asked_events, 'Array(Tuple(DateTime64(6, \\'UTC\\'), String))') AS asked_events, \
         disrupted_at, disrupted_why, replaced_at, gone_by, \
         pending FROM pod_life(uid = {uid}){}",
        statement.filter()
    );
    let query = statement.bind(store);
    let row = store.within_limit(query.fetch_optional::<PodLifeRow>());
    Ok(row.await?)
}

/// What ClickHouse reads for an answer, found by asking for all of it once more.
async fn cost(store: &Store, statements: [Statement; 2]) -> Result<Cost, Error> {
    let mut cost = Cost::default();
    for statement in statements {
        // The totals come with the head of an answer only if that waits for its end.
        let query = statement.bind(store).with_setting("wait_end_of_query", "1");
        let mut nothing = query
            .fetch_bytes("Null")
            .map_err(|error| store.error(error))?;
        while store.within_limit(nothing.next()).await?.is_some() {}
        if let Some(summary) = nothing.summary() {
            cost.rows_read += summary.read_rows().unwrap_or(0);
            cost.bytes_read += summary.read_bytes().unwrap_or(0);
        }
    }
    Ok(cost)
}

fn statement<L: Life>(question: &Question, limit: u64) -> Statement {
    let mut statement = Statement::default();
    let view = view::of::<L>(question, &mut statement);
    conditions::<L>(question, &mut statement);
    let (container, container_id) = L::Row::CONTAINER;
    statement.sql = format!(
        "SELECT {} FROM {view}{}{} ORDER BY began_at, pod_uid, {container}, {container_id} LIMIT {}",
        L::Row::SELECT,
        statement.joins.concat(),
        statement.filter(),
        // One more than asked for tells whether more follow.
        limit + 1
    );
    statement
}

/// Counts the lives in the question's scope that the next settling may tell more about. Without a
/// scope all facts are read for that, unless the question names a uid or a container ID.
fn pending<L: Life>(question: &Question) -> Statement {
    let mut statement = Statement::default();
    scope(question, &mut statement);
    if let Some(until) = question.time.until {
        instant(&mut statement, "began_at < ?", until);
    }
    uid(question, &mut statement);
    if let Some(head) = L::Row::BY_ID.and(view::id_head(question)) {
        // The index of facts holds the first four bytes.
        let of_id = "substring(container_id, 1, 4) = unhex(substring(?, 1, 8)) \
                     AND startsWith(lower(hex(container_id)), ?)";
        statement.text(of_id, &head);
    }
    statement.sql = format!("SELECT count() FROM pending_lives{}", statement.filter());
    statement
}
