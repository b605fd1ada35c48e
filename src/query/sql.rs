//! The SQL of questions.

use std::sync::Arc;

use ::clickhouse as driver;
use driver::query::RowCursor;

use super::conditions::conditions;
use super::model::{Ending, Life, Pod};
use super::rows::PageRow;
use super::statement::{Row, Statement, Wanted};
use super::{Cursor, Error, Order, Question, ROWS_MAX, cost, hints, look_up, newest, view};
use crate::clickhouse::Store;

/// Rows that come in as they are read.
pub struct Answer<L: Life> {
    store: Arc<Store>,
    rows: RowCursor<L::Row>,
    choice: Choice<L::Row>,
    /// The ID of the query in ClickHouse's log, by which its cost is read.
    query_id: Option<uuid::Uuid>,
    limit: u64,
    given: u64,
    last: Option<Cursor>,
    more: bool,
    /// What was asked, for the hints of an empty answer; nothing where it goes on behind another one.
    question: Option<Box<Question>>,
}

/// Of a look-up the newest row of each life is chosen here.
enum Choice<R> {
    /// ClickHouse did it.
    None,
    /// All rows have to be read before. Of too many, ClickHouse chooses by this statement.
    Due(Order, Statement),
    Made(std::vec::IntoIter<R>),
}

impl<L: Life> Answer<L> {
    /// The next row, or `None` at the end.
    ///
    /// # Errors
    ///
    /// When ClickHouse breaks off. The rows before stay true, but are not all.
    pub async fn next(&mut self) -> Result<Option<L>, Error> {
        // To the end, whatever the limit: ClickHouse would log a broken connection as a failure.
        while let Some(row) = self.row().await? {
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

    async fn row(&mut self) -> Result<Option<L::Row>, Error> {
        if let Choice::Due(order, instead) = &mut self.choice {
            let due = (*order, std::mem::take(instead));
            self.choice = Choice::None;
            self.choose(due).await?;
        }
        match &mut self.choice {
            Choice::Made(rows) => Ok(rows.next()),
            _ => Ok(self.store.within_limit(self.rows.next()).await?),
        }
    }

    async fn choose(&mut self, (order, instead): (Order, Statement)) -> Result<(), Error> {
        let mut rows = Vec::new();
        while let Some(row) = self.store.within_limit(self.rows.next()).await? {
            rows.push(row);
        }
        match newest::newest(rows) {
            Some(mut rows) => {
                look_up::sort::<L>(&mut rows, order);
                self.choice = Choice::Made(rows.into_iter());
            }
            None => self.rows = send(&self.store, instead, self.query_id)?,
        }
        Ok(())
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
    let wanted = wanted::<L>(&question.fields)?;
    let query_id = question.explain.then(uuid::Uuid::new_v4);
    let plain = plain::<L>(store, question, &wanted);
    let (statement, choice) =
        match look_up::statement::<L>(store, question, &wanted, L::Row::OF_LOOK_UP) {
            Some(look_up) => (look_up, Choice::Due(question.order, plain)),
            None => (plain, Choice::None),
        };
    Ok(Answer {
        store: store.clone(),
        rows: send(store, statement, query_id)?,
        choice,
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

fn send<R: driver::Row>(
    store: &Store,
    statement: Statement,
    query_id: Option<uuid::Uuid>,
) -> Result<RowCursor<R>, Error> {
    let mut query = statement.bind(store);
    if let Some(query_id) = query_id {
        query = cost::logged(query, query_id);
    }
    Ok(query.fetch().map_err(|error| store.error(error))?)
}

/// What is not a look-up, or one of more rows than are chosen from here.
fn plain<L: Life>(store: &Store, question: &Question, wanted: &[Wanted]) -> Statement {
    let columns = list(wanted, L::Row::OF_LOOK_UP);
    // One more row than requested shows whether more follow.
    let limit = question.limit.unwrap_or(ROWS_MAX) + 1;
    statement::<L>(store, question, &columns, limit)
}

/// What a page needs of its pod. The question names the uid: in each cluster it is that of one pod.
pub(super) async fn page_rows(store: &Store, question: &Question) -> Result<Vec<PageRow>, Error> {
    let columns = PageRow::COLUMNS.iter();
    let wanted: Vec<Wanted> = columns
        .map(|(name, absent)| (*name, *absent, true))
        .collect();
    if let Some(look_up) = look_up::statement::<Pod>(store, question, &wanted, PageRow::OF_LOOK_UP)
    {
        let rows = store.within_limit(look_up.bind(store).fetch_all()).await?;
        if let Some(newest) = newest::newest(rows) {
            return Ok(newest);
        }
    }
    let columns = list(&wanted, PageRow::OF_LOOK_UP);
    let query = statement::<Pod>(store, question, &columns, 100).bind(store);
    Ok(store.within_limit(query.fetch_all()).await?)
}

/// The columns that are asked for, with what the order and the cursor need.
fn wanted<L: Life>(fields: &[String]) -> Result<Vec<Wanted>, Error> {
    let columns = L::Row::COLUMNS.iter();
    let is_known = |field: &&String| columns.clone().any(|(name, _)| *name == **field);
    if let Some(field) = fields.iter().find(|field| !is_known(field)) {
        return Err(Error::Field(field.clone()));
    }
    let of_order = |name: &str| L::Row::ORDER.split(", ").any(|column| column == name);
    let is_asked = |name: &str| fields.is_empty() || fields.iter().any(|field| field == name);
    let columns = columns.map(|(name, absent)| (*name, *absent, is_asked(name) || of_order(name)));
    Ok(columns.collect())
}

/// The list behind `SELECT`. The columns of a look-up are absent.
fn list(wanted: &[Wanted], of_look_up: &[(&str, &str)]) -> String {
    let columns = wanted
        .iter()
        .map(|(name, absent, is_asked)| match is_asked {
            true => (*name).to_owned(),
            false => format!("{absent} AS {name}"),
        });
    let absent = of_look_up.iter();
    let absent = absent.map(|(name, absent)| format!("{absent} AS {name}"));
    columns.chain(absent).collect::<Vec<_>>().join(", ")
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
