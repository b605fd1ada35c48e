//! How far ClickHouse has what came of one resource: positions go on when everything before them is stored.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::pipeline::Stored;

/// Batches that wait for ClickHouse.
const BATCHES_MAX: usize = 1_024;

/// Where a watch goes on.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Mark {
    /// The cluster, by the uid of its namespace kube-system; empty where that may not be read.
    pub cluster_uid: String,
    /// The resourceVersion.
    pub version: String,
    /// When everything up to it was known, in microseconds.
    pub at: i64,
    /// Which history the version is of, where the same server may have another one later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub history: Option<History>,
}

/// A history of etcd: a restored one begins another.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct History {
    /// The ID of the etcd cluster, in hex as etcdctl prints it.
    pub id: String,
    /// The raft term, which only goes up.
    pub term: u64,
}

/// Counts what is stored.
#[derive(Clone)]
pub struct Ledger {
    to: mpsc::Sender<Batch>,
    state: Arc<Mutex<State>>,
}

struct Batch {
    round: u64,
    mark: Mark,
    stored: Vec<Stored>,
}

#[derive(Default)]
struct State {
    /// Goes up when something was lost: what was sent before that counts no more.
    round: u64,
    committed: Option<Mark>,
    /// When the oldest that is not stored was seen.
    waiting_since: Option<i64>,
    is_lost: bool,
}

impl Ledger {
    /// One that begins at what was committed, and the task that keeps it. The task ends when the ledger and its clones
    /// are gone.
    pub fn open(committed: Option<Mark>) -> (Ledger, JoinHandle<()>) {
        let (to, mut batches) = mpsc::channel::<Batch>(BATCHES_MAX);
        let state = Arc::new(Mutex::new(State {
            committed,
            ..State::default()
        }));
        let ledger = Ledger {
            to,
            state: state.clone(),
        };
        let keep = async move {
            while let Some(batch) = batches.recv().await {
                let mut is_stored = true;
                for stored in batch.stored {
                    is_stored &= stored.wait().await;
                }
                let mut state = locked(&state);
                if batches.is_empty() {
                    state.waiting_since = None;
                }
                match is_stored {
                    _ if batch.round != state.round => {}
                    true => state.committed = Some(batch.mark),
                    false => {
                        state.round += 1;
                        state.is_lost = true;
                    }
                }
            }
        };
        (ledger, tokio::spawn(keep))
    }

    /// Everything up to `mark` is in `stored`, or was in what was sent before. Waits where too much is under way.
    pub async fn send(&self, mark: Mark, stored: Vec<Stored>) {
        let round = {
            let mut state = locked(&self.state);
            state.waiting_since.get_or_insert(mark.at);
            state.round
        };
        let batch = Batch {
            round,
            mark,
            stored,
        };
        // Only a panic of the task closes it.
        _ = self.to.send(batch).await;
    }

    /// The last position that is stored.
    pub fn committed(&self) -> Option<Mark> {
        locked(&self.state).committed.clone()
    }

    /// When the oldest that is not stored was seen.
    pub fn waiting_since(&self) -> Option<i64> {
        locked(&self.state).waiting_since
    }

    /// Whether rows were lost on their way, since this was asked for the last time: then everything after
    /// [`Ledger::committed`] must be read again.
    pub fn was_lost(&self) -> bool {
        std::mem::take(&mut locked(&self.state).is_lost)
    }
}

fn locked(state: &Mutex<State>) -> MutexGuard<'_, State> {
    // A panic leaves a position behind at worst.
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
