//! One watched cluster: what its resources share.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Mutex as AsyncMutex;
use tokio::time::Instant;
use tracing::{info, warn};

use super::address::Address;
use super::client::Client;
use super::config::Config;
use super::failure::{Failure, Next};
use super::read;
use super::resource::{self, Resource};
use super::{OpenPods, Parts};
use crate::pipeline::Pipeline;
use crate::positions::{Position, Positions};

/// The key of the position that has the cluster's identity.
const IDENTITY: &str = "cluster";

/// The largest page of metadata.
const PAGE_BYTES_MAX: usize = 64 << 20;

/// Pods on a page of metadata.
const PAGE_PODS: usize = 500;

/// Open pods that are looked for in the cluster before it counts as another one.
const OPEN_COMPARED_MAX: usize = 20_000;

/// How long to wait before asking again whether it is the right cluster.
const IDENTITY_WAIT: Duration = Duration::from_secs(60);

/// A failure that repeats is logged again after this long.
const REPEAT_AFTER: Duration = Duration::from_secs(600);

/// Which cluster an API server serves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Identity {
    Known(String),
    /// The namespace kube-system may not be read.
    Hidden,
}

pub struct Cluster {
    pub config: Config,
    pub insecure: bool,
    pub pipeline: Pipeline,
    pub positions: Positions,
    pub open_pods: OpenPods,
    identity: AsyncMutex<Option<String>>,
    said: Mutex<BTreeMap<String, Said>>,
    found: Mutex<Found>,
}

/// Where its API server was found last.
#[derive(Clone, Default)]
struct Found {
    url: String,
    danger: Option<&'static str>,
}

/// A line of the log, and which resources have the trouble that it is about.
struct Said {
    at: Option<Instant>,
    of: BTreeSet<Resource>,
}

impl Cluster {
    pub fn new(config: Config, parts: &Parts) -> Cluster {
        Cluster {
            config,
            insecure: parts.insecure,
            pipeline: parts.pipeline.clone(),
            positions: parts.positions.clone(),
            open_pods: parts.open_pods.clone(),
            identity: AsyncMutex::default(),
            said: Mutex::default(),
            found: Mutex::default(),
        }
    }

    pub fn name(&self) -> &str {
        &self.config.cluster
    }

    /// A client, of files and variables as they are now.
    pub async fn client(&self) -> Result<Client, Failure> {
        let variable = |name: &str| std::env::var(name).ok();
        let address = Address::find(&self.config, self.insecure, &variable).await;
        let address = address.map_err(Failure::of_us)?;
        *self.found() = Found {
            url: address.url(),
            danger: address.danger(),
        };
        Client::open(address).await
    }

    fn found(&self) -> MutexGuard<'_, Found> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The address of the API server.
    pub fn url(&self) -> String {
        self.found().url.clone()
    }

    /// What makes the connection unsafe.
    pub fn danger(&self) -> Option<&'static str> {
        self.found().danger
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
            warn!("watch {}: {line}", self.name());
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
            info!("watch {}: goes on", self.name());
        }
    }

    fn said(&self) -> MutexGuard<'_, BTreeMap<String, Said>> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Checks that the API server serves the cluster whose history this is: whoever could make us list another one
    /// would end all pods.
    ///
    /// # Errors
    ///
    /// When it is another one, or that can't be found out.
    pub async fn identify(&self, client: &Client) -> Result<Identity, Failure> {
        let mut known = self.identity.lock().await;
        let asked = client
            .get("/api/v1/namespaces/kube-system", resource::ONE)
            .await;
        let answer = match asked {
            Ok(answer) => answer,
            Err(failure) if failure.next == Next::Forbidden => return Ok(Identity::Hidden),
            Err(failure) => return Err(failure),
        };
        let body = client.read(answer.body, PAGE_BYTES_MAX).await?;
        let uid = read::uid_of(&body).ok_or_else(|| {
            client
                .place()
                .odd("answered something else than a namespace")
        })?;
        if known.as_ref() == Some(&uid) {
            return Ok(Identity::Known(uid));
        }
        let stored = self.stored_identity().await?;
        let wanted = self.config.cluster_uid.as_ref();
        let is_right = match (wanted, &stored) {
            (Some(wanted), _) => *wanted == uid,
            (None, Some(stored)) => *stored == uid,
            (None, None) => self.shares_pods(client).await?,
        };
        if !is_right {
            return Err(self.another(client, &uid, stored.as_deref()));
        }
        if stored.as_ref() != Some(&uid) {
            self.store_identity(client, &uid).await?;
        }
        *known = Some(uid.clone());
        Ok(Identity::Known(uid))
    }

    fn another(&self, client: &Client, uid: &str, stored: Option<&str>) -> Failure {
        let (cluster, url) = (self.name(), &client.place().url);
        let line = match (&self.config.cluster_uid, stored) {
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
        Failure {
            line,
            next: Next::Wait(IDENTITY_WAIT),
        }
    }

    async fn stored_identity(&self) -> Result<Option<String>, Failure> {
        let keys = [IDENTITY.to_owned()];
        let found = self.positions.find(self.name(), &keys).await;
        let found = found.map_err(|error| Failure::of_us(error.to_string()))?;
        Ok(found.into_iter().next().map(|position| position.state))
    }

    async fn store_identity(&self, client: &Client, uid: &str) -> Result<(), Failure> {
        let position = Position {
            key: IDENTITY.to_owned(),
            position: 0,
            state: uid.to_owned(),
            place: client.place().url.clone(),
        };
        let committed = self.positions.commit(self.name(), &[position]).await;
        committed.map_err(|error| Failure::of_us(error.to_string()))
    }

    /// Whether any open pod of the history is in the cluster, or there are none.
    async fn shares_pods(&self, client: &Client) -> Result<bool, Failure> {
        let (mut after, mut compared, mut listed) = (None, 0, None);
        while compared < OPEN_COMPARED_MAX {
            let open = (self.open_pods)(self.name().to_owned(), after.take()).await;
            let open = open.map_err(Failure::of_us)?;
            let Some(last) = open.last().cloned() else {
                return Ok(compared == 0);
            };
            if listed.is_none() {
                listed = Some(list_uids(client).await?);
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

/// The uids of all pods.
pub(super) async fn list_uids(client: &Client) -> Result<BTreeSet<u128>, Failure> {
    let (mut all, mut token) = (BTreeSet::new(), String::new());
    loop {
        let path = Resource::Pods.page(PAGE_PODS, &token);
        let answer = client.get(&path, resource::MANY).await?;
        let body = client.read(answer.body, PAGE_BYTES_MAX).await?;
        let page = read::uids(&body);
        let (uids, next) = page.ok_or_else(|| {
            client
                .place()
                .odd("answered something else than a list of pods")
        })?;
        all.extend(uids);
        if next.is_empty() {
            return Ok(all);
        }
        token = next;
    }
}

/// Shared by the loops of its resources.
pub type Shared = Arc<Cluster>;
