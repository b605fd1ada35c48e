//! Questions about the history, and their answers.
//!
//! In: a [`Question`]: a scope, a time, filters, a limit. Out: an [`Answer`]: typed rows in a stable
//! order, and whether more follow; or a [`Page`] about one pod. Every surface (CLI, REST) asks the same way and
//! uses the same names.
//!
//! The order is by start, then by what makes a row unique, newest first unless [`Order::Oldest`] is asked for: so a
//! limit keeps the newest. A cursor is the place of the last row in that order, and the next answer goes on from
//! there in the same direction. Rows are streamed: an answer of a million rows takes no more memory than one of ten.
//!
//! Never here: printing, and anything that writes.

mod conditions;
mod cost;
pub mod coverage;
mod filter;
mod hints;
mod look_up;
mod model;
mod newest;
mod page;
mod params;
mod parse_error;
mod pod_life;
mod rows;
mod sql;
mod statement;
mod summary;
mod view;
pub mod when;

use std::sync::Arc;

pub use filter::{Labels, LifeState, Numbers, Pattern, PodName, Requirement, Workload};
pub use hints::Visible;
pub use model::{Container, Cost, Ending, Life, LogsLink, Pod, Session, Time};
pub use page::{Address, Gap, Instance, Page, State, Step, Waiting, What, instance_of, page};
pub use params::Params;
pub use parse_error::ParseError;
pub use sql::Answer;
pub use summary::{Group, SUMMARIES_MAX, Summary, Summed, check_summary, summaries};

use crate::audit::words::EndedWhy;
use crate::clickhouse::Store;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Container IDs are looked up by this many of their hex digits. A full ID has the most.
pub const CONTAINER_ID_DIGITS: std::ops::RangeInclusive<usize> = 8..=64;

/// The most rows of one answer.
pub const ROWS_MAX: u64 = 1_000_000;

/// What is asked. The default asks for everything.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Question {
    /// None means all of them, here and below.
    pub clusters: Vec<String>,
    /// With wildcards.
    pub namespaces: Vec<String>,
    pub time: Window,
    /// Any of them.
    pub names: Vec<PodName>,
    /// Of summaries: any of these.
    pub summed: Vec<Summed>,
    pub labels: Labels,
    /// When the labels must have been those, if not in `time`.
    pub labels_in: Option<Window>,
    pub workload: Option<Workload>,
    pub node: Option<String>,
    /// A part of the image's name or of its ID.
    pub image: Option<String>,
    /// An address that the pod had in that time.
    pub ip: Option<std::net::IpAddr>,
    /// The beginning of a container ID; any case, with or without `runtime://`.
    pub container_id: Option<String>,
    pub uid: Option<uuid::Uuid>,
    /// For sessions: the account that made the request, or was impersonated.
    pub user: Option<String>,
    /// Why a container ended (OOMKilled, Error, ...); of a pod, why it or one of its containers in that time did.
    pub reasons: Vec<Pattern>,
    /// Of containers; of pods, of one of their containers in that time.
    pub exit_codes: Option<Numbers>,
    pub why: Vec<EndedWhy>,
    /// The account that requested the end, or that of the node or the namespace; of `a as b`, the whole or either.
    pub by: Vec<Pattern>,
    /// Of pods the sum over their containers; of containers the number of the instance.
    pub restarts: Option<Numbers>,
    pub state: Option<LifeState>,
    /// Who created the pod.
    pub created_by: Vec<Pattern>,
    pub service_accounts: Vec<Pattern>,
    /// At most [`ROWS_MAX`]; `None` is that.
    pub limit: Option<u64>,
    pub order: Order,
    pub cursor: Option<Cursor>,
    /// The fields that are wanted, the others come as if they were absent; none: all of them.
    pub fields: Vec<String>,
    /// What the hints of an empty answer may name; nothing gives no hints.
    pub visible: Option<Visible>,
    /// Whether the end of the answer has its cost in ClickHouse. Then no row is sent before the last one was found.
    pub explain: bool,
}

/// Which rows come first, and so are kept by a limit. A cursor goes on in the order that its question names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Order {
    #[default]
    Newest,
    Oldest,
}

/// Half-open: lives that have an instant of `[since, until)` in common. `None` is unbounded.
///
/// Times that Kubernetes keeps in whole seconds count as that whole second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Window {
    pub since: Option<Timestamp>,
    pub until: Option<Timestamp>,
}

impl Window {
    /// The lives at an instant.
    pub fn at(instant: Timestamp) -> Window {
        let until = instant
            .checked_add(jiff::Span::new().microseconds(1))
            .unwrap_or(instant);
        Window {
            since: Some(instant),
            until: Some(until),
        }
    }
}

/// The place behind a row in the order of an answer. Opaque; what `Display` prints, `FromStr` reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// Microseconds since the epoch.
    start: i64,
    pod_uid: uuid::Uuid,
    container: String,
    container_id: String,
}

impl std::fmt::Display for Cursor {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        let Cursor {
            start,
            pod_uid,
            container,
            container_id,
        } = self;
        write!(f, "{start}.{pod_uid}.{container}.{container_id}")
    }
}

impl std::str::FromStr for Cursor {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Cursor, ParseError> {
        let parse = || {
            let mut parts = text.splitn(4, '.');
            let start = parts.next()?.parse().ok();
            Some(Cursor {
                // What ClickHouse can't hold as a time would begin again at the first row.
                start: start.filter(|start| statement::is_datetime64(*start))?,
                pod_uid: parts.next()?.parse().ok()?,
                container: parts.next()?.to_owned(),
                container_id: parts.next()?.to_owned(),
            })
        };
        parse().ok_or_else(|| {
            let problem =
                format!("invalid cursor {text:?}: pass the value printed by the previous answer");
            ParseError::value("cursor", problem)
        })
    }
}

/// Why a question has no answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("limit {0} is over the maximum of {ROWS_MAX}")]
    Limit(u64),
    #[error("unknown field {0:?}")]
    Field(String),
    #[error("{what} cannot be filtered by {filter}")]
    Filter {
        what: &'static str,
        filter: &'static str,
    },
    #[error("a summary of {0} does not support {1}")]
    Summary(&'static str, &'static str),
    #[error("the time range is too long for coverage: use a shorter one, or a single cluster")]
    Days,
    #[error("pods with this uid exist in the clusters {0}: choose one")]
    Clusters(String),
    #[error(transparent)]
    Store(#[from] crate::clickhouse::Error),
}

/// Whether rows of this kind can be found by what the question names.
///
/// # Errors
///
/// [`Error::Filter`] where they can't.
pub fn check<L: Life>(question: &Question) -> Result<(), Error> {
    match <L::Row as statement::Row<L>>::unfit(question) {
        Some(filter) => Err(Error::Filter {
            what: L::PLURAL,
            filter,
        }),
        None => Ok(()),
    }
}

/// Asks for container instances, pods or sessions: `answer::<Container>(..)`, `answer::<Pod>(..)`.
///
/// # Errors
///
/// When the limit is too high, a field or a filter is not one, or ClickHouse can't be reached or refuses. Once rows
/// flow, a failure comes from [`Answer::next`].
pub fn answer<L: Life>(store: &Arc<Store>, question: &Question) -> Result<Answer<L>, Error> {
    check::<L>(question)?;
    sql::ask(store, question)
}
