//! The SQL of questions.

use std::sync::Arc;

use ::clickhouse::query::RowCursor;

use super::conditions::conditions;
use super::model::{Ending, Life, Pod};
use super::rows::PageRow;
use super::statement::{Row, Statement};
use super::{Cursor, Error, Order, Question, ROWS_MAX, cost, hints, view};
use crate::clickhouse::Store;

/// Rows that come in as they are read.
pub struct Answer<L: Life> {
    store: Arc<Store>,
    rows: RowCursor<L::Row>,
    /// The ID of the query in ClickHouse's log, by which its cost is read.
    query_id: Option<uuid::Uuid>,
    limit: u64,
    given: u64,
    last: Option<Cursor>,
    more: bool,
    /// What was asked, for the hints of an empty answer; nothing where it goes on behind another one.
    question: Option<Box<Question>>,
}

impl<L: Life> Answer<L> {
    /// The next row, or `None` at the end.
    ///
    /// # Errors
    ///
    /// When ClickHouse breaks off. The rows before stay true, but are not all.
    pub async fn next(&mut self) -> Result<Option<L>, Error> {
        // To the end, whatever the limit: ClickHouse would log a broken connection as a failure.
        while let Some(row) = self.store.within_limit(self.rows.next()).await? {
            if self.given == self.limit {
                self.more = true;
                continue;
            }
            self.given += 1;
            self.last = Some(row.cursor());
            return Ok(Some(row.life()));
        }
        Ok(None)
    }

    /// After the last row: how the answer ended.
    ///
    /// # Errors
    ///
    /// When ClickHouse does not say what the answer cost.
    pub async fn ending(&mut self) -> Result<Ending, Error> {
        let cursor = self.last.as_ref().filter(|_| self.more);
        let cost = match self.query_id {
            Some(query_id) => Some(cost::of(&self.store, query_id, self.rows.summary()).await?),
            None => None,
        };
        let hints = match &self.question {
            Some(question) if self.given == 0 => hints::of(&self.store, question, None).await,
            _ => Vec::new(),
        };
        Ok(Ending {
            more: self.more,
            cursor: cursor.map(ToString::to_string),
            cost,
            hints,
        })
    }
}

pub(super) fn ask<L: Life>(store: &Arc<Store>, question: &Question) -> Result<Answer<L>, Error> {
    let limit = question.limit.unwrap_or(ROWS_MAX);
    if limit > ROWS_MAX {
        return Err(Error::Limit(limit));
    }
    // One more row than requested shows whether more follow.
    let columns = columns::<L>(&question.fields)?;
    let mut query = statement::<L>(store, question, &columns, limit + 1).bind(store);
    let query_id = question.explain.then(uuid::Uuid::new_v4);
    if let Some(query_id) = query_id {
        query = cost::logged(query, query_id);
    }
    let rows = query.fetch().map_err(|error| store.error(error))?;
    Ok(Answer {
        store: store.clone(),
        rows,
        query_id,
        limit,
        given: 0,
        last: None,
        more: false,
        question: question
            .cursor
            .is_none()
            .then(|| Box::new(question.clone())),
    })
}

/// What a page needs of its pod. The question names the uid: in each cluster it is that of one pod.
pub(super) async fn page_rows(store: &Store, question: &Question) -> Result<Vec<PageRow>, Error> {
    let columns: Vec<&str> = PageRow::COLUMNS.iter().map(|(name, _)| *name).collect();
    let query = statement::<Pod>(store, question, &columns.join(", "), 100).bind(store);
    Ok(store.within_limit(query.fetch_all()).await?)
}

/// The list behind `SELECT`: the columns that are asked for, and what the order and the cursor need.
fn columns<L: Life>(fields: &[String]) -> Result<String, Error> {
    let columns = L::Row::COLUMNS;
    let is_known = |field: &&String| columns.iter().any(|(name, _)| *name == **field);
    if let Some(field) = fields.iter().find(|field| !is_known(field)) {
        return Err(Error::Field(field.clone()));
    }
    let of_order = |name: &str| L::Row::ORDER.split(", ").any(|column| column == name);
    let is_asked = |name: &str| fields.is_empty() || fields.iter().any(|field| field == name);
    let columns = columns
        .iter()
        .map(|(name, absent)| match is_asked(name) || of_order(name) {
            true => (*name).to_owned(),
            false => format!("{absent} AS {name}"),
        });
    Ok(columns.collect::<Vec<_>>().join(", "))
}

/// What a cursor has in place of an absent ID comes before all others, so an absent one does too.
fn order(columns: &str, order: Order) -> String {
    let way = match order {
        Order::Newest => "DESC NULLS LAST",
        Order::Oldest => "ASC NULLS FIRST",
    };
    let columns = columns.split(", ").map(|column| format!("{column} {way}"));
    columns.collect::<Vec<_>>().join(", ")
}

fn statement<L: Life>(store: &Store, question: &Question, columns: &str, limit: u64) -> Statement {
    let mut statement = Statement {
        spans_shards: store.cluster().is_some(),
        ..Statement::default()
    };
    let view = view::of::<L>(question);
    let from = view.from(&mut statement);
    conditions::<L>(question, view.by, &mut statement);
    let order = order(L::Row::ORDER, question.order);
    statement.sql = format!(
        "SELECT {columns} FROM {from} AS l{}{} ORDER BY {order} LIMIT {limit}",
        statement.joins.concat(),
        statement.filter(),
    );
    statement
}
