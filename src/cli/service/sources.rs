//! How the sources of a running bygone are, as the API shows it.

use crate::http;
use crate::source::{Status, file, kafka};
use crate::spool::Spool;

/// Where the state of the pull sources is asked.
#[derive(Clone)]
pub struct Statuses {
    pub kafka: Option<kafka::Statuses>,
    pub files: file::Statuses,
}

/// How every source is.
pub async fn now(spool: Spool, others: Statuses) -> Vec<http::Source> {
    let condition = match spool.stats().full {
        true => "the spool is full",
        false => "running",
    };
    let mut statuses = vec![Status::of("webhook", condition)];
    if let Some(kafka) = others.kafka {
        statuses.extend(kafka.now().await);
    }
    statuses.extend(others.files.now());
    statuses.into_iter().map(of_api).collect()
}

/// The API's own type: `http` does not see the sources.
fn of_api(status: Status) -> http::Source {
    http::Source {
        source: status.source,
        place: status.place,
        state: status.state,
        position: status.position,
        committed: status.committed,
        end: status.end,
        lag: status.lag,
        oldest_seconds: status.oldest_seconds,
        last_error: status.last_error,
    }
}
