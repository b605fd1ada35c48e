//! One cluster: what the loops of its resources share.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::sync::Mutex as AsyncMutex;
use tokio::time::Instant;
use tracing::{info, warn};

use super::failure::{Failure, Next};
use super::resource::Resource;
use super::way::Way;
use crate::pipeline::Pipeline;
use crate::positions::{Position, Positions};

/// The key of the position that has the cluster's identity.
const IDENTITY: &str = "cluster";

/// Open pods that are looked for in the cluster before it counts as another one.
const OPEN_COMPARED_MAX: usize = 20_000;

/// How long to wait before asking again whether it is the right cluster.
const IDENTITY_WAIT: Duration = Duration::from_secs(60);

/// A failure that repeats is logged again after this long.
const REPEAT_AFTER: Duration = Duration::from_secs(600);

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

/// What all ways to see objects need.
#[derive(Clone)]
pub struct Parts {
    pub pipeline: Pipeline,
    pub positions: Positions,
    pub open_pods: OpenPods,
    /// Credentials may be sent without verified TLS.
    pub insecure: bool,
}

/// Which cluster a server serves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Identity {
    Known(String),
    /// The namespace kube-system may not be read.
    Hidden,
}

pub struct Cluster<W> {
    pub way: W,
    pub pipeline: Pipeline,
    pub positions: Positions,
    pub open_pods: OpenPods,
    identity: AsyncMutex<Option<String>>,
    said: Mutex<BTreeMap<String, Said>>,
}

/// A line of the log, and which resources have the trouble that it is about.
struct Said {
    at: Option<Instant>,
    of: BTreeSet<Resource>,
}

impl<W: Way> Cluster<W> {
    pub fn new(way: W, parts: &Parts) -> Cluster<W> {
        Cluster {
            way,
            pipeline: parts.pipeline.clone(),
            positions: parts.positions.clone(),
            open_pods: parts.open_pods.clone(),
            identity: AsyncMutex::default(),
            said: Mutex::default(),
        }
    }

    pub fn name(&self) -> &str {
        self.way.cluster()
    }

    /// Way and name, as lines of the log begin.
    pub fn title(&self) -> String {
        format!("{} {}", W::KIND.name, self.name())
    }

    /// Logs the failure of a resource, once as long as it stays the same, also where others have it too.
    pub fn report(&self, resource: Resource, line: &str) {
        let mut said = self.said();
        let of_line = said.entry(line.to_owned()).or_insert_with(|| Said {
            at: None,
            of: BTreeSet::new(),
        });
        of_line.of.insert(resource);
        if of_line.at.is_none_or(|at| at.elapsed() >= REPEAT_AFTER) {
            of_line.at = Some(Instant::now());
            warn!("{}: {line}", self.title());
        }
    }

    /// A resource can be watched.
    pub fn recovered(&self, resource: Resource) {
        let mut said = self.said();
        let before = said.len();
        said.retain(|_, said| {
            said.of.remove(&resource);
            !said.of.is_empty()
        });
        if said.is_empty() && before > 0 {
            info!("{}: goes on", self.title());
        }
    }

    fn said(&self) -> MutexGuard<'_, BTreeMap<String, Said>> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Checks that the server serves the cluster whose history this is: whoever could make us list another one would
    /// end all pods.
    ///
    /// # Errors
    ///
    /// When it is another one, or that can't be found out.
    pub async fn identify(&self, client: &W::Client) -> Result<Identity, Failure> {
        let mut known = self.identity.lock().await;
        let Some(uid) = self.way.uid(client).await? else {
            return Ok(Identity::Hidden);
        };
        if known.as_ref() == Some(&uid) {
            return Ok(Identity::Known(uid));
        }
        let stored = self.stored_identity().await?;
        let is_right = match (self.way.cluster_uid(), &stored) {
            (Some(wanted), _) => *wanted == uid,
            (None, Some(stored)) => *stored == uid,
            (None, None) => self.shares_pods(client).await?,
        };
        if !is_right {
            return Err(self.another(W::url(client), &uid, stored.as_deref()));
        }
        if stored.as_ref() != Some(&uid) {
            self.store_identity(W::url(client), &uid).await?;
        }
        *known = Some(uid.clone());
        Ok(Identity::Known(uid))
    }

    fn another(&self, url: &str, uid: &str, stored: Option<&str>) -> Failure {
        let cluster = self.name();
        let line = match (self.way.cluster_uid(), stored) {
            (Some(wanted), _) => format!(
                "{url} is another cluster: its kube-system has uid {uid}, and cluster_uid is {wanted}"
            ),
            (None, Some(stored)) => format!(
                "{url} is another cluster than {cluster}: its kube-system has uid {uid}, and that of {cluster} has \
                 {stored}: watch it under another name, or, if {cluster} was rebuilt, set cluster_uid = \"{uid}\""
            ),
            (None, None) => format!(
                "{url} has none of the open pods of {cluster}: watch it under another name, or, if it is {cluster}, \
                 set cluster_uid = \"{uid}\""
            ),
        };
        Failure::new(Next::Wait(IDENTITY_WAIT), line)
    }

    async fn stored_identity(&self) -> Result<Option<String>, Failure> {
        let keys = [IDENTITY.to_owned()];
        let found = self.positions.find(self.name(), &keys).await;
        let found = found.map_err(|error| Failure::of_us(error.to_string()))?;
        Ok(found.into_iter().next().map(|position| position.state))
    }

    async fn store_identity(&self, url: &str, uid: &str) -> Result<(), Failure> {
        let position = Position {
            key: IDENTITY.to_owned(),
            position: 0,
            state: uid.to_owned(),
            place: url.to_owned(),
        };
        let committed = self.positions.commit(self.name(), &[position]).await;
        committed.map_err(|error| Failure::of_us(error.to_string()))
    }

    /// Whether any open pod of the history is in the cluster, or there are none.
    async fn shares_pods(&self, client: &W::Client) -> Result<bool, Failure> {
        let (mut after, mut compared, mut listed) = (None, 0, None);
        while compared < OPEN_COMPARED_MAX {
            let open = (self.open_pods)(self.name().to_owned(), after.take()).await;
            let open = open.map_err(Failure::of_us)?;
            let Some(last) = open.last().cloned() else {
                return Ok(compared == 0);
            };
            if listed.is_none() {
                listed = Some(self.way.pod_uids(client).await?);
            }
            let is_listed = |uid| listed.as_ref().is_some_and(|listed| listed.contains(&uid));
            if open.iter().any(|pod| is_listed(pod.uid)) {
                return Ok(true);
            }
            compared += open.len();
            after = Some(last);
        }
        Ok(false)
    }
}

/// Shared by the loops of its resources.
pub type Shared<W> = Arc<Cluster<W>>;
