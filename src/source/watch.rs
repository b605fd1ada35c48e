//! The watch source: pods, nodes and namespaces of clusters, by their API servers.
//!
//! In: lists and watches of the API. Out: their facts in ClickHouse, and only then the resourceVersion, as a position.
//! A restart goes on at the position: what happened meanwhile comes too, as long as the API server still has it.
//! Otherwise everything is listed, and what the history has open and the list lacks had ended in between.
//!
//! ```text
//! list -> watch -> lines -> pipeline -> spool ... ClickHouse -> ledger -> positions
//!   ^      | 410
//!   +------+        one loop for each resource; a client and an identity for the cluster
//! ```
//!
//! Several processes may watch the same cluster: their facts are the same, and either position is right.
//!
//! Pods name the ReplicaSet or the Job that owns them; what controls that is read when the first pod names it.
//!
//! What can go wrong: an API server that is away, another one, rejects credentials, has another certificate; one line
//! each, and another try. A resource that may not be read leaves the others alone.
//!
//! Limits: a page has 64 MiB, a line 8 MiB, lines that are stored together 4 MiB, batches that wait for ClickHouse
//! 1,024. When the spool is full nothing more is read.
//!
//! Never here: what objects mean (`lifecycle::watched`), and an object's content in a log, an error or a metric.

mod address;
mod client;
mod clock;
mod cluster;
mod config;
mod failure;
mod incoming;
mod ledger;
mod lines;
mod list;
mod owners;
mod proxy;
mod read;
mod resource;
mod run;
#[cfg(test)]
mod tests;
mod view;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use super::Status;
use crate::backoff::Backoff;
use crate::pipeline::Pipeline;
use crate::positions::{Position, Positions};
use crate::telemetry;
use address::Address;
use cluster::{Cluster, Shared};
pub use config::Config;
use ledger::{Ledger, Mark};
use resource::Resource;
use run::Loop;
use view::View;

/// How often positions are written.
const COMMIT_EVERY: Duration = Duration::from_secs(5);

/// How long ClickHouse has at the end to store what came.
const FLUSH_WAIT: Duration = Duration::from_secs(10);

/// Why a watch could not start: one line.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Error(String);

/// A pod that the history has open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenPod {
    pub namespace: String,
    pub name: String,
    pub uid: u128,
}

/// The open pods of a cluster behind one of them, in the order of their namespaces, names and uids; none at the end.
/// Or why they can't be read.
pub type OpenPods = Arc<
    dyn Fn(String, Option<OpenPod>) -> BoxFuture<'static, Result<Vec<OpenPod>, String>>
        + Send
        + Sync,
>;

/// What watches need.
#[derive(Clone)]
pub struct Parts {
    pub pipeline: Pipeline,
    pub positions: Positions,
    pub open_pods: OpenPods,
    /// Credentials may be sent without verified TLS.
    pub insecure: bool,
}

/// Checks the configuration and the files that it names, without a connection. Says aloud which certificates are not
/// verified.
///
/// # Errors
///
/// One line: which watch, what is wrong, and what to do.
pub async fn check(configs: &[Config], insecure: bool) -> Result<(), Error> {
    let mut named = BTreeSet::new();
    for config in configs {
        let cluster = &config.cluster;
        if !named.insert(cluster) {
            return Err(Error(format!(
                "watch {cluster}: is there twice: keep one [[watch]] of it"
            )));
        }
        let variable = |name: &str| std::env::var(name).ok();
        let address = Address::find(config, insecure, &variable).await;
        let address = address.map_err(|cause| Error(format!("watch {cluster}: {cause}")))?;
        if let Some(danger) = address.danger() {
            warn!(
                "watch {cluster}: {}: {danger}: anybody on the way can read and forge everything",
                address.url()
            );
        }
    }
    Ok(())
}

/// Running watches.
pub struct Watches {
    tasks: Vec<JoinHandle<()>>,
    statuses: Statuses,
    stop: CancellationToken,
}

/// The states of watches; filled when their positions are known.
#[derive(Clone, Default)]
pub struct Statuses(Arc<std::sync::Mutex<Vec<Shown>>>);

#[derive(Clone)]
struct Shown {
    cluster: Shared,
    view: Arc<View>,
}

impl Watches {
    /// Begins to watch. Positions are read first: as long as ClickHouse is away, nothing is watched.
    pub fn start(configs: &[Config], parts: &Parts) -> Watches {
        let stop = CancellationToken::new();
        let statuses = Statuses::default();
        let tasks = configs.iter().map(|config| {
            let cluster = Arc::new(Cluster::new(config.clone(), parts));
            tokio::spawn(watch(cluster, statuses.clone(), stop.clone()))
        });
        Watches {
            tasks: tasks.collect(),
            statuses,
            stop,
        }
    }

    /// The handle for the states.
    pub fn statuses(&self) -> Statuses {
        self.statuses.clone()
    }

    /// Ends all watches, with everything committed that ClickHouse has soon.
    pub async fn stop(self) {
        self.stop.cancel();
        for task in self.tasks {
            if task.await.is_err() {
                warn!("watch: a task has panicked");
            }
        }
    }
}

/// Watches one cluster until `stop`.
async fn watch(cluster: Shared, statuses: Statuses, stop: CancellationToken) {
    let Some(marks) = stop.run_until_cancelled(committed(&cluster)).await else {
        return;
    };
    let mut views = Vec::new();
    let mut tasks = Vec::new();
    for resource in Resource::ALL {
        let mark = marks.iter().find(|(of, _)| *of == resource);
        let (ledger, keeper) = Ledger::open(mark.map(|(_, mark)| mark.clone()));
        let view = Arc::new(View::new(resource, ledger));
        statuses.add(&cluster, &view);
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
            warn!("watch {}: a loop has panicked", cluster.name());
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

/// Where the watches of a cluster go on, as soon as ClickHouse tells.
async fn committed(cluster: &Cluster) -> Vec<(Resource, Mark)> {
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
async fn commit(cluster: &Cluster, views: &[Arc<View>], written: &mut Vec<(Resource, Mark)>) {
    let marks = views.iter().filter_map(|view| {
        let mark = view.ledger.committed()?;
        let known = (view.resource, mark);
        (!written.contains(&known)).then_some(known)
    });
    let marks: Vec<(Resource, Mark)> = marks.collect();
    let positions: Vec<Position> = marks
        .iter()
        .map(|(resource, mark)| Position {
            key: resource.name().to_owned(),
            position: mark.version.parse().unwrap_or_default(),
            state: serde_json::to_string(mark).expect("texts and a number"),
            place: cluster.url(),
        })
        .collect();
    match cluster.positions.commit(cluster.name(), &positions).await {
        Ok(()) => {
            written.retain(|(of, _)| marks.iter().all(|(resource, _)| resource != of));
            written.extend(marks);
        }
        // It costs reading again.
        Err(error) => debug!("watch {}: no position was written: {error}", cluster.name()),
    }
}

impl Statuses {
    fn add(&self, cluster: &Shared, view: &Arc<View>) {
        self.locked().push(Shown {
            cluster: cluster.clone(),
            view: view.clone(),
        });
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, Vec<Shown>> {
        self.0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// One for each watched resource.
    #[must_use]
    pub fn now(&self) -> Vec<Status> {
        self.locked().iter().map(Shown::status).collect()
    }

    /// Sets the gauges.
    pub fn measure(&self) {
        for shown in &*self.locked() {
            let labels = [
                ("cluster", shown.cluster.name().to_owned()),
                ("resource", shown.view.resource.name().to_owned()),
            ];
            metrics::gauge!(telemetry::WATCH_OLDEST_SECONDS, &labels)
                .set(shown.oldest_seconds().unwrap_or_default());
        }
    }
}

impl Shown {
    fn oldest_seconds(&self) -> Option<f64> {
        let since = self.view.ledger.waiting_since()?;
        Some((clock::ours() - since).max(0) as f64 / 1e6)
    }

    fn status(&self) -> Status {
        let shown = self.view.now().clone();
        let committed = self.view.ledger.committed();
        let number = |version: Option<&String>| version.and_then(|version| version.parse().ok());
        let position = number(committed.as_ref().map(|mark| &mark.version));
        let state = match self.cluster.danger() {
            Some(danger) => format!("{}, {danger}", shown.state),
            None => shown.state.to_owned(),
        };
        Status {
            place: Some(format!(
                "{} {}",
                self.cluster.name(),
                self.view.resource.name()
            )),
            position,
            end: number(shown.version.as_ref()).or(position),
            oldest_seconds: self.oldest_seconds(),
            last_error: shown.last_error,
            facts: Some(shown.facts as i64),
            ..Status::of("watch", &state)
        }
    }
}
