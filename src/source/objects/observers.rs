//! The running loops, their positions and their states.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use super::super::Status;
use super::cluster::{Cluster, Parts, Shared};
use super::ledger::{Ledger, Mark};
use super::resource::Resource;
use super::run::Loop;
use super::view::View;
use super::way::Way;
use crate::backoff::Backoff;
use crate::positions::Position;

/// How often positions are written.
const COMMIT_EVERY: Duration = Duration::from_secs(5);

/// How long ClickHouse has at the end to store what came.
const FLUSH_WAIT: Duration = Duration::from_secs(10);

/// Clusters that are seen in one way.
pub struct Observers {
    tasks: Vec<JoinHandle<()>>,
    statuses: Statuses,
    stop: CancellationToken,
}

/// The states of their resources; filled when their positions are known.
#[derive(Clone, Default)]
pub struct Statuses(Arc<Mutex<Vec<Arc<View>>>>);

impl Observers {
    /// Begins. Positions are read first: as long as ClickHouse is away, nothing is watched.
    pub fn start<W: Way>(ways: impl IntoIterator<Item = W>, parts: &Parts) -> Observers {
        let stop = CancellationToken::new();
        let statuses = Statuses::default();
        let tasks = ways.into_iter().map(|way| {
            let cluster = Arc::new(Cluster::new(way, parts));
            tokio::spawn(observe(cluster, statuses.clone(), stop.clone()))
        });
        Observers {
            tasks: tasks.collect(),
            statuses,
            stop,
        }
    }

    /// The handle for the states.
    pub fn statuses(&self) -> Statuses {
        self.statuses.clone()
    }

    /// Ends all loops, with everything committed that ClickHouse has soon.
    pub async fn stop(self) {
        self.stop.cancel();
        for task in self.tasks {
            if task.await.is_err() {
                warn!("a task that watches a cluster has panicked");
            }
        }
    }
}

/// Sees one cluster until `stop`.
async fn observe<W: Way>(cluster: Shared<W>, statuses: Statuses, stop: CancellationToken) {
    let Some(marks) = stop.run_until_cancelled(committed(&cluster)).await else {
        return;
    };
    let mut views = Vec::new();
    let mut tasks = Vec::new();
    for resource in Resource::ALL {
        let mark = marks.iter().find(|(of, _)| *of == resource);
        let (ledger, keeper) = Ledger::open(mark.map(|(_, mark)| mark.clone()));
        let view = Arc::new(View::new(W::KIND, cluster.name(), resource, ledger));
        statuses.locked().push(view.clone());
        let run = Loop::new(cluster.clone(), view.clone(), stop.clone());
        tasks.push(tokio::spawn(run.run()));
        // It ends with the ledger.
        drop(keeper);
        views.push(view);
    }
    let mut written = marks;
    while stop
        .run_until_cancelled(tokio::time::sleep(COMMIT_EVERY))
        .await
        .is_some()
    {
        commit(&cluster, &views, &mut written).await;
    }
    for task in tasks {
        if task.await.is_err() {
            warn!("{}: a loop has panicked", cluster.title());
        }
    }
    let drained = async {
        while views
            .iter()
            .any(|view| view.ledger.waiting_since().is_some())
        {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    _ = tokio::time::timeout(FLUSH_WAIT, drained).await;
    commit(&cluster, &views, &mut written).await;
}

/// Where the loops of a cluster go on, as soon as ClickHouse tells.
async fn committed<W: Way>(cluster: &Cluster<W>) -> Vec<(Resource, Mark)> {
    let keys = Resource::ALL.map(|resource| resource.name().to_owned());
    let mut backoff = Backoff::default();
    let found = loop {
        match cluster.positions.find(cluster.name(), &keys).await {
            Ok(found) => break found,
            Err(error) => cluster.report(Resource::Pods, &error.to_string()),
        }
        backoff.wait().await;
    };
    let of = |resource: Resource| {
        let position = found.iter().find(|it| it.key == resource.name())?;
        let mark = serde_json::from_str(&position.state).ok()?;
        Some((resource, mark))
    };
    Resource::ALL.into_iter().filter_map(of).collect()
}

/// Writes the positions that have changed.
async fn commit<W: Way>(
    cluster: &Cluster<W>,
    views: &[Arc<View>],
    written: &mut Vec<(Resource, Mark)>,
) {
    let changed = views.iter().filter_map(|view| {
        let known = (view.resource, view.ledger.committed()?);
        (!written.contains(&known)).then(|| (known, view.now().url.clone()))
    });
    let changed: Vec<((Resource, Mark), String)> = changed.collect();
    let positions: Vec<Position> = changed
        .iter()
        .map(|((resource, mark), url)| Position {
            key: resource.name().to_owned(),
            position: mark.version.parse().unwrap_or_default(),
            state: serde_json::to_string(mark).expect("texts and numbers"),
            place: url.clone(),
        })
        .collect();
    match cluster.positions.commit(cluster.name(), &positions).await {
        Ok(()) => {
            let is_newer = |of: &Resource| changed.iter().any(|((it, _), _)| it == of);
            written.retain(|(of, _)| !is_newer(of));
            written.extend(changed.into_iter().map(|(known, _)| known));
        }
        // It costs reading again.
        Err(error) => debug!("{}: no position was written: {error}", cluster.title()),
    }
}

impl Statuses {
    fn locked(&self) -> MutexGuard<'_, Vec<Arc<View>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One for each resource.
    #[must_use]
    pub fn now(&self) -> Vec<Status> {
        self.locked().iter().map(|view| view.status()).collect()
    }

    /// Sets the gauges.
    pub fn measure(&self) {
        for view in &*self.locked() {
            metrics::gauge!(view.kind.oldest_seconds, &view.labels())
                .set(view.oldest_seconds().unwrap_or_default());
        }
    }
}
