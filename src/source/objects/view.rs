//! The state of a loop, for others to look at.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::super::Status;
use super::ledger::Ledger;
use super::ours;
use super::resource::Resource;
use super::way::Kind;

/// What is shown of a loop.
#[derive(Clone, Debug, Default)]
pub struct Shown {
    pub state: &'static str,
    /// Where the objects come from.
    pub url: String,
    /// What makes the connection unsafe.
    pub danger: Option<&'static str>,
    /// Why values cannot be read, where that is so of many.
    pub unread: Option<String>,
    /// The version of the last object.
    pub version: Option<String>,
    pub facts: u64,
    pub last_error: Option<String>,
}

impl Shown {
    /// Notes an error, with the time.
    pub fn fail(&mut self, line: &str) {
        let now = jiff::Timestamp::now().strftime("%FT%TZ");
        self.last_error = Some(format!("{now} {line}"));
    }
}

/// Of one resource of a cluster.
pub struct View {
    pub kind: &'static Kind,
    pub cluster: String,
    pub resource: Resource,
    pub ledger: Ledger,
    shown: Mutex<Shown>,
}

impl View {
    pub fn new(kind: &'static Kind, cluster: &str, resource: Resource, ledger: Ledger) -> View {
        View {
            kind,
            cluster: cluster.to_owned(),
            resource,
            ledger,
            shown: Mutex::new(Shown {
                state: "connecting",
                ..Shown::default()
            }),
        }
    }

    pub fn now(&self) -> MutexGuard<'_, Shown> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The labels of its metrics.
    pub fn labels(&self) -> [(&'static str, String); 2] {
        [
            ("cluster", self.cluster.clone()),
            ("resource", self.resource.name().to_owned()),
        ]
    }

    /// Age of the oldest object that ClickHouse has not confirmed, in seconds.
    pub fn oldest_seconds(&self) -> Option<f64> {
        let since = self.ledger.waiting_since()?;
        Some((ours() - since).max(0) as f64 / 1e6)
    }

    pub fn status(&self) -> Status {
        let shown = self.now().clone();
        let number = |version: String| version.parse::<i64>().ok();
        let position = self
            .ledger
            .committed()
            .and_then(|mark| number(mark.version));
        let end = shown.version.and_then(number).max(position);
        let parts = [Some(shown.state), shown.danger, shown.unread.as_deref()];
        let state: Vec<&str> = parts.into_iter().flatten().collect();
        let lag = position.zip(end).map(|(position, end)| end - position);
        Status {
            place: Some(format!("{} {}", self.cluster, self.resource.name())),
            position,
            end,
            lag: lag.filter(|_| self.kind.counts_versions),
            oldest_seconds: self.oldest_seconds(),
            last_error: shown.last_error,
            facts: Some(shown.facts as i64),
            ..Status::of(self.kind.name, &state.join(", "))
        }
    }
}
