//! How an instance was looked for in a store: the queries that were sent, and what came back.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::identity::Identity;
use super::line::Line;

/// Queries of one identity whose text is kept, and how long that may be.
const QUERIES_MAX: usize = 3;
const QUERY_BYTES_MAX: usize = 4 << 10;

/// What was sent to a store to find an instance by one identity, and what came back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Attempt {
    pub identity: Identity,
    /// The first three, as they were sent; without credentials.
    pub queries: Vec<String>,
    /// How many were sent.
    pub sent: u64,
    /// Pages that had lines.
    pub pages: u64,
    /// Lines in them, also those that are not part of the answer.
    pub lines: u64,
    /// Bytes of these lines' text.
    pub bytes: u64,
    /// How long the store was waited for.
    pub milliseconds: u64,
}

/// An attempt that goes on.
pub struct Trial {
    attempt: Attempt,
    sent: Sent,
    microseconds: u128,
}

impl Trial {
    pub fn new(identity: Identity) -> Trial {
        Trial {
            attempt: Attempt {
                identity,
                queries: Vec::new(),
                sent: 0,
                pages: 0,
                lines: 0,
                bytes: 0,
                milliseconds: 0,
            },
            sent: Sent(Some(Arc::default())),
            microseconds: 0,
        }
    }

    pub fn identity(&self) -> Identity {
        self.attempt.identity
    }

    /// Where the store notes its queries.
    pub fn sent(&self) -> Sent {
        self.sent.clone()
    }

    /// Counts a page, which the store was asked for at `since`.
    pub fn count(&mut self, page: &[Line], since: Instant) {
        let bytes: usize = page.iter().map(|line| line.text.len()).sum();
        self.attempt.pages += u64::from(!page.is_empty());
        self.attempt.lines += page.len() as u64;
        self.attempt.bytes += bytes as u64;
        self.microseconds += since.elapsed().as_micros();
    }

    pub fn attempt(&self) -> Attempt {
        let (queries, sent) = self.sent.noted();
        Attempt {
            queries,
            sent,
            milliseconds: u64::try_from(self.microseconds / 1000).unwrap_or(u64::MAX),
            ..self.attempt.clone()
        }
    }
}

/// Queries that were sent, where somebody wants to know them.
#[derive(Clone, Debug, Default)]
pub struct Sent(Option<Arc<Mutex<Noted>>>);

/// The first ones, and how many there were.
type Noted = (Vec<String>, u64);

impl Sent {
    /// To be called with every query, as it is sent. Never with a header: those have credentials.
    pub fn note(&self, query: impl FnOnce() -> String) {
        let Some(noted) = &self.0 else {
            return;
        };
        let mut noted = noted.lock().unwrap_or_else(PoisonError::into_inner);
        noted.1 += 1;
        if noted.0.len() < QUERIES_MAX {
            let mut query = query();
            if query.len() > QUERY_BYTES_MAX {
                query.truncate(query.floor_char_boundary(QUERY_BYTES_MAX));
                query.push_str("...");
            }
            noted.0.push(query);
        }
    }

    fn noted(&self) -> Noted {
        let noted = self.0.as_ref().map(|noted| {
            let noted = noted.lock().unwrap_or_else(PoisonError::into_inner);
            noted.clone()
        });
        noted.unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;

    #[test]
    fn the_first_queries_are_kept_and_all_are_counted() {
        let mut trial = Trial::new(Identity::Uid);
        let sent = trial.sent();
        for number in 0..5 {
            sent.note(|| format!("query {number}"));
        }
        let line = Line::new(Timestamp::UNIX_EPOCH, "", b"hello".to_vec());
        trial.count(&[line.clone(), line], Instant::now());
        trial.count(&[], Instant::now());
        let attempt = trial.attempt();
        assert_eq!(attempt.queries, ["query 0", "query 1", "query 2"]);
        let counts = (attempt.sent, attempt.pages, attempt.lines, attempt.bytes);
        assert_eq!(counts, (5, 1, 2, 10));
    }

    #[test]
    fn a_long_query_is_cut() {
        let trial = Trial::new(Identity::Uid);
        trial.sent().note(|| "ü".repeat(QUERY_BYTES_MAX));
        let queries = trial.attempt().queries;
        assert_eq!(queries[0].len(), QUERY_BYTES_MAX + 3);
        assert!(queries[0].ends_with("ü..."));
    }

    #[test]
    fn without_a_reader_nothing_is_written() {
        Sent::default().note(|| unreachable!("nobody wants to know"));
    }
}
