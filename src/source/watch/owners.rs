//! What controls the owners of pods: a pod names its ReplicaSet or Job, and only that object names the Deployment or
//! the CronJob above it.
//!
//! An owner is read once, as metadata, when a pod names it for the first time. A watch of all of them would bring each
//! change of their status, and be quicker or slower than that of the pods. So the facts of a pod wait for its owner,
//! and do not depend on which of two streams came first.
//!
//! What was read is known by the owner's uid, so that a pod is read once as long as its owner is known.
//!
//! Where an owner is gone, or may not be read, its name decides, as it does for audit events.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::{FutureExt, StreamExt, stream};
use serde::Deserialize;
use tokio::time::Instant;

use super::super::objects::failure::{Failure, Next};
use super::super::objects::resource::Emit;
use super::client::Client;
use super::paths::ONE;
use crate::audit::{Capped, Object, OwnerReference, Text};
use crate::lifecycle::watched::{self, Moment};
use crate::rows::Fact;

/// Owners that are remembered. Then all are forgotten, and read again as pods name them.
const OWNERS_MAX: usize = 20_000;

/// Owners that are read at a time.
const READ_AT_ONCE: usize = 8;

/// The metadata of an owner. An object has at most 3 MiB in an API server.
const OWNER_BYTES_MAX: usize = 4 << 20;

/// The longest name that the API server accepts.
const NAME_BYTES_MAX: usize = 253;

/// An owner that nothing controls may be adopted, and one that is forbidden be permitted: how long that is remembered.
const AGAIN_AFTER: Duration = Duration::from_secs(600);

/// The kinds that a workload may control.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    ReplicaSet,
    Job,
}

/// An owner, as a pod names it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reference {
    kind: Kind,
    namespace: String,
    name: String,
    uid: String,
}

/// What controls an owner.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Above {
    Controller {
        kind: String,
        name: String,
    },
    Nothing,
    /// The owner is not there.
    Unknown,
}

/// What is known of owners, for one cluster.
#[derive(Default)]
pub struct Owners(Known);

#[derive(Clone, Debug, Default)]
struct Known {
    /// By uid, and since when.
    owners: Arc<HashMap<String, (Above, Instant)>>,
    forbidden: BTreeMap<Kind, Instant>,
}

/// What controls the owners of pods, as it was known at a time.
#[derive(Clone, Debug, Default)]
pub struct Controllers {
    known: Known,
    /// Whether owners that are not known are to be asked for. Otherwise they have been.
    asks: bool,
}

impl Kind {
    fn of(kind: &str) -> Option<Kind> {
        match kind {
            "ReplicaSet" => Some(Kind::ReplicaSet),
            "Job" => Some(Kind::Job),
            _ => None,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Kind::ReplicaSet => "ReplicaSet",
            Kind::Job => "Job",
        }
    }

    /// Its API group, with the version, and its resource.
    fn resource(self) -> (&'static str, &'static str) {
        match self {
            Kind::ReplicaSet => ("apps/v1", "replicasets"),
            Kind::Job => ("batch/v1", "jobs"),
        }
    }
}

/// Of a pod what names its owner.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Pod<'a> {
    #[serde(borrow)]
    metadata: Owned<'a>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Owned<'a> {
    #[serde(borrow)]
    namespace: Text<'a>,
    #[serde(borrow)]
    owner_references: Capped<OwnerReference<'a>>,
}

#[derive(Deserialize)]
struct Event<'a> {
    #[serde(borrow)]
    object: Pod<'a>,
}

#[derive(Deserialize)]
struct Page<'a> {
    #[serde(borrow, default)]
    items: Capped<Pod<'a>>,
}

/// The owners that the pods of a page name.
pub fn of_page(body: &[u8]) -> BTreeSet<Reference> {
    let page: Option<Page> = serde_json::from_slice(body).ok();
    let pods = page.iter().flat_map(|page| page.items.iter().flatten());
    pods.filter_map(reference).collect()
}

/// The owners that the pods of lines name.
pub fn of_lines(lines: &[(Bytes, Moment)]) -> BTreeSet<Reference> {
    let events = lines.iter().filter_map(|(line, _)| {
        let event: Event = serde_json::from_slice(line).ok()?;
        reference(&event.object)
    });
    events.collect()
}

fn reference(pod: &Pod) -> Option<Reference> {
    let Owned {
        namespace,
        owner_references,
    } = &pod.metadata;
    let (kind, owner) = owner(namespace, owner_references)?;
    Some(Reference {
        kind,
        namespace: namespace.to_string(),
        name: owner.name.to_string(),
        uid: owner.uid.to_string(),
    })
}

/// The owner of a pod that can be asked for.
fn owner<'o, 'a>(
    namespace: &str,
    references: &'o Option<Vec<OwnerReference<'a>>>,
) -> Option<(Kind, &'o OwnerReference<'a>)> {
    let owner = watched::controller(references)?;
    let kind = Kind::of(&owner.kind)?;
    let is_path = |text: &str| {
        let is_plain = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'.');
        (1..=NAME_BYTES_MAX).contains(&text.len()) && text.bytes().all(is_plain)
    };
    (is_path(namespace) && is_path(&owner.name) && is_path(&owner.uid)).then_some((kind, owner))
}

impl Owners {
    /// What controls these owners. Those that are not known are read.
    ///
    /// # Errors
    ///
    /// When the API server fails. Owners that may not be read are no failure; the line about that comes beside, once.
    pub async fn controllers(
        &mut self,
        client: &Client,
        wanted: &BTreeSet<Reference>,
    ) -> Result<(Controllers, Option<String>), Failure> {
        let mut forbidden = None;
        let is_unknown = |it: &&Reference| self.0.lacks(it.kind, &it.uid);
        let unknown = wanted.iter().filter(is_unknown).cloned();
        let unknown: Vec<Reference> = unknown.collect();
        let mut answers = stream::iter(unknown)
            .map(|owner| above(client, owner))
            .buffer_unordered(READ_AT_ONCE);
        while let Some((owner, answer)) = answers.next().await {
            match answer {
                Ok(above) => self.remember(&owner, above),
                Err(failure) if failure.next == Next::Forbidden => {
                    self.0.forbidden.insert(owner.kind, Instant::now());
                    let (_, resource) = owner.kind.resource();
                    forbidden = Some(format!(
                        "{resource}: {}: apply deploy/watch-rbac.yaml for it; workloads are inferred from names",
                        failure.line
                    ));
                }
                Err(failure) => return Err(failure),
            }
        }
        drop(answers);
        Ok((self.known(false), forbidden))
    }

    /// What is known now; `asks` for what has to be asked for.
    pub fn known(&self, asks: bool) -> Controllers {
        let known = self.0.clone();
        Controllers { known, asks }
    }

    fn remember(&mut self, owner: &Reference, above: Above) {
        let owners = Arc::make_mut(&mut self.0.owners);
        if owners.len() >= OWNERS_MAX {
            owners.clear();
        }
        owners.insert(owner.uid.clone(), (above, Instant::now()));
    }
}

impl Known {
    fn lacks(&self, kind: Kind, uid: &str) -> bool {
        let is_fresh = |since: &Instant| since.elapsed() < AGAIN_AFTER;
        match self.owners.get(uid) {
            Some((Above::Controller { .. }, _)) => false,
            Some((_, since)) if is_fresh(since) => false,
            _ => !self.forbidden.get(&kind).is_some_and(is_fresh),
        }
    }
}

impl Controllers {
    /// Whether the owner of a pod has to be asked for first.
    pub fn lack(&self, pod: &Object) -> bool {
        self.asks && owner_of(pod).is_some_and(|(kind, owner)| self.known.lacks(kind, &owner.uid))
    }

    /// Emits what `facts` emits, with the workload that is known instead of what the name of the pod's owner suggests.
    pub fn with<T>(&self, pod: &Object, emit: Emit, facts: impl FnOnce(Emit) -> T) -> T {
        let named = owner_of(pod).and_then(|(kind, owner)| {
            let (above, _) = self.known.owners.get(&*owner.uid)?;
            let above = match above {
                Above::Unknown => return None,
                Above::Nothing => None,
                Above::Controller { kind, name } => Some((&**kind, &**name)),
            };
            Some((kind.word(), &*owner.name, above))
        });
        let Some((kind, name, above)) = named else {
            return facts(emit);
        };
        facts(&mut |fact| match &fact.owner {
            Some(owner) if (owner.kind, owner.name) == (kind, name) => emit(&Fact {
                owner: Some(watched::read_owner(owner, above)),
                ..fact.clone()
            }),
            _ => emit(fact),
        })
    }
}

/// The owner of a pod that can be asked for.
fn owner_of<'o, 'a>(pod: &'o Object<'a>) -> Option<(Kind, &'o OwnerReference<'a>)> {
    let metadata = pod.metadata.as_ref()?;
    owner(&metadata.namespace, &metadata.owner_references)
}

/// Reads what controls an owner.
fn above(client: &Client, owner: Reference) -> BoxFuture<'_, (Reference, Result<Above, Failure>)> {
    let (group, resource) = owner.kind.resource();
    let path = format!(
        "/apis/{group}/namespaces/{}/{resource}/{}",
        owner.namespace, owner.name
    );
    let read = async move {
        let found = client.find(&path, ONE, OWNER_BYTES_MAX).await;
        let above =
            found.map(|found| found.map_or(Above::Unknown, |body| above_of(&body, &owner.uid)));
        (owner, above)
    };
    read.boxed()
}

/// What the metadata of an object says of its controller, if it is the object of that uid.
fn above_of(body: &[u8], uid: &str) -> Above {
    let object: Option<Object> = serde_json::from_slice(body).ok();
    let metadata = object.and_then(|object| object.metadata);
    let Some(metadata) = metadata.filter(|metadata| *metadata.uid == *uid) else {
        return Above::Unknown;
    };
    match watched::controller(&metadata.owner_references) {
        None => Above::Nothing,
        Some(it) if it.kind.len().max(it.name.len()) > NAME_BYTES_MAX || it.kind.is_empty() => {
            Above::Unknown
        }
        Some(it) => Above::Controller {
            kind: it.kind.to_string(),
            name: it.name.to_string(),
        },
    }
}
