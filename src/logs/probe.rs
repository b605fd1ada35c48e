//! One short question to a store: is there a line like this, and of when?

use jiff::Timestamp;

use super::Error;
use super::conditions::{Condition, conditions, names};
use super::explain::Sent;
use super::identity::Identity;
use super::instance::Instance;
use super::query::Query;
use super::span::Span;
use super::store::Store;

/// Which end of a time is looked at first.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum End {
    Oldest,
    Newest,
}

/// A line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Any {
    pub at: Timestamp,
    /// The index that has it.
    pub place: Option<String>,
}

/// The line that says all of this, nearest to an end of a time.
pub async fn any(
    store: &Store,
    conditions: Vec<Condition>,
    names: Vec<Condition>,
    span: Span,
    end: End,
) -> Result<Option<Any>, Error> {
    if span.is_empty() {
        return Ok(None);
    }
    let mut pages = store.pages(Query {
        conditions,
        names,
        span,
        newest_first: end == End::Newest,
        grep: None,
        lines_max: Some(1),
        sent: Sent::default(),
    });
    let page = pages.next().await?;
    Ok(page.first().map(|line| Any {
        at: line.at,
        place: pages.place().map(str::to_owned),
    }))
}

/// A line of an instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    pub identity: Identity,
    pub line: Any,
}

/// The best of these identities that finds a line of an instance, in the time that each of them is given.
pub async fn instance(
    store: &Store,
    of: &Instance,
    identities: &[Identity],
    span: impl Fn(Identity) -> Span,
    end: End,
) -> Result<Option<Found>, Error> {
    for identity in identities.iter().copied() {
        let Some(conditions) = conditions(identity, &store.fields, of) else {
            continue;
        };
        let names = names(&store.fields, of);
        if let Some(line) = any(store, conditions, names, span(identity), end).await? {
            return Ok(Some(Found { identity, line }));
        }
    }
    Ok(None)
}
