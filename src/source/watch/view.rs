//! The state of a loop, for others to look at.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::ledger::Ledger;
use super::resource::Resource;

/// What is shown of a loop.
#[derive(Clone, Debug, Default)]
pub struct Shown {
    pub state: &'static str,
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

/// Of one resource.
pub struct View {
    pub resource: Resource,
    pub ledger: Ledger,
    shown: Mutex<Shown>,
}

impl View {
    pub fn new(resource: Resource, ledger: Ledger) -> View {
        View {
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
}
