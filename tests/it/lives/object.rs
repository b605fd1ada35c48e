//! A pod as the API server holds it, and the writes that change it.

use std::net::Ipv6Addr;
use std::sync::Arc;

use super::Text;

/// A Pod, with what of it counts here.
#[derive(Clone, Debug)]
pub struct Object {
    pub cluster: Text,
    pub namespace: Text,
    pub name: Text,
    pub uid: u128,
    pub version: u64,
    /// Whole seconds, as are all times inside of the object.
    pub created: u32,
    pub labels: Arc<[(Text, Text)]>,
    pub owner: Option<Arc<Owner>>,
    pub service_account: Text,
    pub host_network: bool,
    pub mirror: bool,
    pub node: Text,
    pub phase: Text,
    pub ips: Vec<Ipv6Addr>,
    /// 0 before a kubelet took it up.
    pub started: u32,
    /// When it is to be gone, and the seconds of grace.
    pub deletion: Option<(u32, u32)>,
    pub finalizer: bool,
    /// `status.reason`, empty where there is none.
    pub reason: Text,
    /// Since when the condition DisruptionTarget holds, and why.
    pub disrupted: Option<(u32, Text)>,
    pub statuses: Vec<Status>,
}

impl Object {
    /// Of a static pod: what its node has in place of the UID. The same for each mirror pod of it.
    pub fn config_hash(&self) -> Text {
        let hash = self.name.bytes().fold(7, |hash: u128, byte| {
            hash.wrapping_mul(1_000_003).wrapping_add(byte.into())
        });
        match self.mirror {
            true => format!("{hash:032x}").into(),
            false => Text::default(),
        }
    }
}

/// The controlling owner, and what the pod lets us know of the workload above it.
#[derive(Debug, PartialEq, Eq)]
pub struct Owner {
    pub kind: Text,
    pub name: Text,
    pub workload_kind: Text,
    pub workload: Text,
    pub basis: Basis,
}

/// How the workload is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Basis {
    /// Nothing is known above the owner.
    #[default]
    Owner,
    /// By the owner's name.
    Name,
    /// By the owner itself: only a watch reads it.
    Read,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    App,
    Init,
    Sidecar,
    Ephemeral,
}

/// A container's entry in the pod's status.
#[derive(Clone, Debug)]
pub struct Status {
    pub name: Text,
    pub kind: Kind,
    pub image: Text,
    pub image_id: Text,
    /// The newest instance; none before the first was created, or where the kubelet tells none.
    pub id: Option<Id>,
    pub restart: u32,
    pub state: State,
    pub last: Option<Terminated>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    Waiting,
    /// It waits for what somebody has to mend.
    Stuck(Text),
    Running {
        started: u32,
    },
    Terminated(Terminated),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terminated {
    /// None where the report names no container.
    pub id: Option<Id>,
    pub started: u32,
    pub finished: u32,
    pub exit_code: i32,
    pub signal: i32,
    pub reason: Text,
}

/// A container ID: 64 hex digits, or any other text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Id {
    Hex([u8; 32]),
    Other(Text),
}

/// A successful write, in stage `ResponseComplete`.
#[derive(Clone, Debug)]
pub struct Event {
    /// Microseconds: when the API server had the request, and when it answered.
    pub received: i64,
    pub at: i64,
    pub verb: Verb,
    pub user: Text,
    /// The account that `user` impersonated, or nothing.
    pub acting_as: Text,
    /// It leaves no time.
    pub forced: bool,
    /// Whether an eviction or a deletion says which uid it is about.
    pub names_uid: bool,
    /// Of a status: the addresses that the one before had, and this one has not.
    pub lost_ips: Vec<Ipv6Addr>,
    /// Of a deletecollection.
    pub selector: Text,
    pub level: Level,
    /// The pod that the response holds.
    pub object: Arc<Object>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    Create,
    /// `pods/binding`; the response is a Status.
    Bind,
    PatchStatus,
    Patch,
    Delete,
    /// The eviction API.
    Evict,
    /// A deletecollection that does not say which pods it was.
    Collect,
    /// A deletecollection that this pod was the only item of; the object is the one of before.
    CollectItems,
    /// Somebody deletes the namespace.
    Close,
    /// The namespace was empty, and goes.
    Finalize,
    /// A DELETE of a name that found nothing.
    Missed,
    /// A status of a uid that is gone.
    MissedStatus,
    /// A kubelet's DELETE that an admission plugin's cache did not know.
    MissedByCache,
    /// The pod's node was registered, or deleted.
    NodeCame,
    NodeGone,
}

/// How much of an event the audit policy keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    Metadata,
    Request,
    Full,
    /// Both objects were cut off, because the event was too large.
    Truncated,
}

impl Event {
    /// Whether a kubelet sent it.
    pub fn by_node(&self) -> bool {
        self.user.starts_with("system:node:")
    }

    /// Whether the garbage collector sent it: it names the uid that it means.
    pub fn by_collector(&self) -> bool {
        self.user.ends_with(":generic-garbage-collector")
    }

    /// Whether it says which uid it deletes.
    pub fn has_uid(&self) -> bool {
        self.names_uid || self.by_node() || self.by_collector()
    }

    /// The account whose rights were used.
    pub fn account(&self) -> &Text {
        match self.acting_as.is_empty() {
            true => &self.user,
            false => &self.acting_as,
        }
    }

    /// Whether the server makes up the pod's name when it is created.
    pub fn is_unnamed(&self) -> bool {
        let owner = self.object.owner.as_deref();
        owner.is_some_and(|owner| &*owner.kind != "StatefulSet")
    }

    /// Whether the API server let go of the object with this write.
    pub fn removes(&self) -> bool {
        if self.verb == Verb::CollectItems {
            let object = &self.object;
            let attended =
                !object.node.is_empty() && !matches!(&*object.phase, "Succeeded" | "Failed");
            return !object.finalizer && (self.forced || !attended);
        }
        matches!(self.verb, Verb::Delete | Verb::Patch | Verb::PatchStatus)
            && self.object.deletion.is_some_and(|(_, grace)| grace == 0)
            && !self.object.finalizer
    }
}
