//! The retry rule: how a failed INSERT is handled.
//!
//! Nothing is ever lost: whatever is not known to be the rows' own fault is waited for. The codes
//! are those of ClickHouse's `src/Common/ErrorCodes.cpp`.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use tracing::{info, warn};

use crate::clickhouse::Error;

/// Rows that are set aside before one row of their load was good. After that the fault is looked
/// for elsewhere.
pub const ASIDE_MAX: u64 = 10;

/// Codes of ClickHouse for a value that it can't read, or that does not fit its column.
const REFUSALS: [u32; 18] = [
    6,   // CANNOT_PARSE_TEXT
    26,  // CANNOT_PARSE_QUOTED_STRING
    27,  // CANNOT_PARSE_INPUT_ASSERTION_FAILED
    33,  // CANNOT_READ_ALL_DATA
    38,  // CANNOT_PARSE_DATE
    41,  // CANNOT_PARSE_DATETIME
    53,  // TYPE_MISMATCH
    69,  // ARGUMENT_OUT_OF_BOUND
    70,  // CANNOT_CONVERT_TYPE
    72,  // CANNOT_PARSE_NUMBER
    117, // INCORRECT_DATA
    128, // TOO_LARGE_ARRAY_SIZE
    131, // TOO_LARGE_STRING_SIZE
    321, // VALUE_IS_OUT_OF_RANGE_OF_DATA_TYPE
    349, // CANNOT_INSERT_NULL_IN_ORDINARY_COLUMN
    376, // CANNOT_PARSE_UUID
    441, // CANNOT_PARSE_DOMAIN_VALUE_FROM_STRING
    469, // VIOLATED_CONSTRAINT
];

/// What to do about a failed INSERT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The server's problem, or one for an operator to fix: the same INSERT is retried.
    Wait,
    /// Nobody knows whether it happened: it goes again under a fresh token. Rows that come twice merge; a token
    /// that was noted for rows that were not kept would lose them.
    Unanswered,
    /// The rows themselves are refused.
    Refused,
}

pub fn verdict(error: &Error) -> Verdict {
    match error {
        Error::Silent { .. } | Error::Unreachable { .. } | Error::Answer { .. } => {
            Verdict::Unanswered
        }
        Error::Refused { code, .. } if REFUSALS.contains(code) => Verdict::Refused,
        _ => Verdict::Wait,
    }
}

/// The current failures of ClickHouse, so that each is logged once and not with every try.
#[derive(Default)]
pub struct FailureLog(Mutex<Option<Failing>>);

/// Kinds of failures that were logged since the first one.
struct Failing {
    kinds: BTreeSet<String>,
    /// The tables that have not taken rows since.
    tables: BTreeSet<String>,
    since: Instant,
}

impl FailureLog {
    /// Logs a failure, unless its kind was logged already: texts of one kind differ by sizes and names, and two
    /// concurrent INSERTs may fail in two ways in turn.
    pub fn is(&self, table: &str, failure: &Error) {
        let mut failing = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let failing = failing.get_or_insert_with(|| Failing {
            kinds: BTreeSet::new(),
            tables: BTreeSet::new(),
            since: Instant::now(),
        });
        failing.tables.insert(table.to_owned());
        if failing.kinds.insert(kind(failure)) {
            warn!("{failure}: rows wait in the spool");
        }
    }

    /// A table took rows. Another one may still not.
    pub fn over(&self, table: &str) {
        let mut failing = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(Failing { tables, since, .. }) = &mut *failing else {
            return;
        };
        tables.remove(table);
        if tables.is_empty() {
            info!(
                "clickhouse accepts rows again, after {} s",
                since.elapsed().as_secs()
            );
            *failing = None;
        }
    }
}

fn kind(failure: &Error) -> String {
    match failure {
        Error::Refused { code, .. } => format!("code {code}"),
        Error::Unreachable { .. } | Error::Answer { .. } => "away".to_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(code: u32) -> Verdict {
        verdict(&Error::Refused {
            url: String::new(),
            code,
            message: String::new(),
        })
    }

    #[test]
    fn only_the_fault_of_rows_is_no_wait() {
        // Unknown table, read only, memory, disk full, quota, too many parts, no such column.
        for code in [60, 164, 241, 243, 201, 252, 16, 497, 999_999] {
            assert_eq!(refused(code), Verdict::Wait, "{code}");
        }
        for code in REFUSALS {
            assert_eq!(refused(code), Verdict::Refused, "{code}");
        }
        let url = String::new();
        let silent = Error::Silent {
            url: url.clone(),
            seconds_max: 60,
        };
        // It may have broken off after the rows were taken, or died between noting the token and keeping them.
        let away = Error::Unreachable {
            url,
            cause: String::new(),
        };
        for unanswered in [silent, away] {
            assert_eq!(verdict(&unanswered), Verdict::Unanswered);
        }
    }
}
