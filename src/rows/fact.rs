//! Rows of the table `facts` (`schema/001_facts.sql`): what single events say.
//!
//! A row has what one event proves about one pod, or about one name. Its `body` holds one [`Piece`] for the pod and
//! one for each container instance, in postcard's encoding after a byte with the version of this layout. ClickHouse
//! never decodes it: queries read the lives.

use std::net::Ipv6Addr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::rowbinary as put;
use super::{Encoded, NEVER, Table};
use crate::audit::words::NameEvent;

/// The columns that [`Facts`] encodes, in its order.
pub const FACTS: Table = Table {
    name: "facts",
    columns_version: 1,
    columns: &["cluster", "namespace", "pod", "pod_uid", "event_at", "body"],
};

/// The layout of `body`. It goes up with every change of [`Piece`].
pub const BODY_VERSION: u8 = 3;

/// What one event proves about one pod, or one of its container instances. Fields with default values carry no
/// information.
#[derive(Clone, Debug, Default)]
pub struct Fact<'a> {
    pub cluster: &'a str,
    pub namespace: &'a str,
    /// 0 in a row about a name.
    pub pod_uid: u128,
    /// Empty in a row about the pod itself.
    pub container: &'a str,
    /// See `container_key` in the DDL; zeros in a row about the pod, and for an instance without an ID in the event.
    pub container_id: [u8; 32],
    /// Microseconds since the epoch.
    pub event_at: i64,
    /// For a row about a name, where the event does not identify the pod: see [`Said`].
    pub said: Option<Said<'a>>,
    /// The resourceVersion of the object that this was read from; 0 where it had none.
    pub version: u64,

    pub pod: &'a str,
    pub node: &'a str,
    pub host_network: bool,
    pub service_account: &'a str,
    /// Reported together with the labels: then `None` is an absent value.
    pub owner: Option<Owner<'a>>,
    /// Sorted by key. `None` carries no information; an empty list proves that there are none.
    pub labels: Option<&'a [(&'a str, &'a str)]>,
    /// Reported together with the labels: whether finalizers keep it when it is deleted, except the one of Jobs.
    pub is_held: bool,
    pub phase: Phase,
    /// IPv4 as `::ffff:a.b.c.d`, in the order of `status.podIPs`.
    pub pod_ips: &'a [Ipv6Addr],
    /// Whether this list is complete, an empty one included. Otherwise only the addresses in `lost_ips` are known to
    /// be gone.
    pub are_all_ips: bool,
    pub lost_ips: &'a [Ipv6Addr],
    /// For each container that started, how often it was started again.
    pub restarts: &'a [(&'a str, u32)],
    /// Seconds since the epoch; 0 is unknown, here and below.
    pub created_at: u32,
    pub created_by: Option<(&'a str, &'a str)>,
    /// Microseconds since the epoch; 0 is unknown, here and below.
    pub scheduled_at: i64,
    pub pod_started_at: u32,
    /// The time of an event that reports phase Succeeded or Failed.
    pub terminal_at: i64,
    /// When, the account, and the account that it impersonated.
    pub delete_asked: Option<(i64, &'a str, &'a str)>,
    /// The same of a request to the eviction API, and of one that left the pod no time to end.
    pub evict_asked: Option<(i64, &'a str, &'a str)>,
    pub force_asked: Option<(i64, &'a str, &'a str)>,
    /// Since when the condition DisruptionTarget holds, and its reason.
    pub disrupted: Option<(i64, &'a str)>,
    pub status_reason: &'a str,
    /// The containers that wait to be started, and why, if that needs an intervention.
    pub waiting: &'a [(&'a str, &'a str)],
    /// The API server cut off what the event held.
    pub truncated: bool,
    pub removed_at: i64,
    /// Audit ID of the event, in rows that ask for the pod's end; in others it is not kept.
    pub audit_id: &'a str,
    /// Whether the pod was still there after the event.
    pub is_alive: bool,
    /// Whether it is the API's image of a static pod.
    pub is_mirror: bool,
    /// Then: under which UID its node knows the static pod; empty where that is not known.
    pub config_hash: &'a str,
    /// When its end had been requested at the latest, by the object: microseconds.
    pub asked_before: i64,
    /// When its grace period is over, in seconds.
    pub deadline: u32,
    /// When all its containers had ended while it was to end; microseconds.
    pub emptied_at: i64,
    /// Whether this is a kubelet's deletion that completes an earlier request.
    pub by_kubelet: bool,
    /// The account of a write to the pod itself, and the one that it impersonated, which may have changed its labels or
    /// its owner.
    pub changed_by: Option<(&'a str, &'a str)>,
    /// The account that sent a status, unless its name says that it belongs to Kubernetes.
    pub reporter: &'a str,

    pub kind: ContainerKind,
    pub runtime: &'a str,
    pub container_id_text: &'a str,
    pub image: Option<Image<'a>>,
    pub restart: u32,
    /// Whether the restart number follows from that of another instance, and may be wrong.
    pub is_guess: bool,
    pub started_at: u32,
    /// Whether it ran then. In a pod that has finished nothing does.
    pub is_running: bool,
    pub ended: Option<Ended<'a>>,
}

/// What an event proves about the pod that had the name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Said<'a> {
    pub what: NameEvent,
    /// Microseconds since the epoch.
    pub at: i64,
    #[serde(borrow)]
    pub user: &'a str,
    pub acting_as: &'a str,
    /// The label selector of a deletecollection.
    pub selector: &'a str,
    /// The only pod that it can be about, if the event has its uid; else 0.
    pub uid: u128,
    /// Of the event, where it asks for the end of a pod and Kubernetes itself was not the one that asked.
    pub audit_id: &'a str,
}

/// The controlling owner, and the workload above it.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Owner<'a> {
    pub kind: &'a str,
    pub name: &'a str,
    pub workload_kind: &'a str,
    pub workload: &'a str,
    pub basis: Basis,
}

/// How the workload of an owner is known. Stored rows of before the last one have a flag in its place: the first two
/// are its values.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub enum Basis {
    /// Nothing is known above the owner: it counts as the workload.
    #[default]
    Owner = 0,
    /// It follows from the name of the owner.
    Name = 1,
    /// The owner itself was read, and what controls it.
    Read = 2,
}

/// What the node runs, not what the spec asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Image<'a> {
    pub image: &'a str,
    pub image_id: &'a str,
}

/// One report of an instance's end.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Ended<'a> {
    /// Seconds since the epoch; 0 where the report has no time: then a kubelet made it up, since it found no container
    /// (`ContainerStatusUnknown`).
    pub finished_at: u32,
    pub exit_code: i32,
    pub signal: i32,
    pub reason: &'a str,
}

/// A restartable init container is a sidecar; the greater number
/// wins, so one that is known from statuses alone becomes a sidecar when its spec is seen.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub enum ContainerKind {
    #[default]
    None = 0,
    App = 1,
    Init = 2,
    Sidecar = 3,
    Ephemeral = 4,
}

/// The most advanced phase of a pod. Any known phase beats `Unknown`, which the control plane sets for nodes that it
/// can't reach.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub enum Phase {
    #[default]
    None = 0,
    Unknown = 1,
    Pending = 2,
    Running = 3,
    Succeeded = 4,
    Failed = 5,
}

impl Phase {
    /// Reads `status.phase`; unknown values carry no information.
    pub fn parse(text: &str) -> Phase {
        match text {
            "Unknown" => Phase::Unknown,
            "Pending" => Phase::Pending,
            "Running" => Phase::Running,
            "Succeeded" => Phase::Succeeded,
            "Failed" => Phase::Failed,
            _ => Phase::None,
        }
    }

    pub fn is_terminal(self) -> bool {
        matches!(self, Phase::Succeeded | Phase::Failed)
    }
}

/// The key of a container ID: its 64 hex digits as bytes, or the SHA-256 of an ID of another form. And whether the
/// key determines the ID.
pub fn container_key(id: &str) -> ([u8; 32], bool) {
    let mut key = [0; 32];
    match hex::decode_to_slice(id, &mut key) {
        Ok(()) => (key, true),
        Err(_) => (Sha256::digest(id).into(), false),
    }
}

/// A part of a fact, as `body` holds it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Piece<'a> {
    #[serde(borrow)]
    Pod(Box<PodPiece<'a>>),
    #[serde(borrow)]
    Instance(Box<InstancePiece<'a>>),
    #[serde(borrow)]
    Said(Box<Said<'a>>),
}

/// What an event proves about the pod: the fields of [`Fact`], to be read back.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PodPiece<'a> {
    pub version: u64,
    #[serde(borrow)]
    pub node: &'a str,
    pub host_network: bool,
    pub service_account: &'a str,
    pub owner: Option<Owner<'a>>,
    pub labels: Option<Vec<(&'a str, &'a str)>>,
    pub is_held: bool,
    pub phase: Phase,
    pub pod_ips: Vec<Ipv6Addr>,
    pub are_all_ips: bool,
    pub lost_ips: Vec<Ipv6Addr>,
    pub restarts: Vec<(&'a str, u32)>,
    pub created_at: u32,
    pub created_by: Option<(&'a str, &'a str)>,
    pub scheduled_at: i64,
    pub pod_started_at: u32,
    pub terminal_at: i64,
    pub delete_asked: Option<(i64, &'a str, &'a str)>,
    pub evict_asked: Option<(i64, &'a str, &'a str)>,
    pub force_asked: Option<(i64, &'a str, &'a str)>,
    pub audit_id: &'a str,
    pub disrupted: Option<(i64, &'a str)>,
    pub status_reason: &'a str,
    pub waiting: Vec<(&'a str, &'a str)>,
    pub truncated: bool,
    pub removed_at: i64,
    pub is_alive: bool,
    pub is_mirror: bool,
    pub config_hash: &'a str,
    pub asked_before: i64,
    pub deadline: u32,
    pub emptied_at: i64,
    pub by_kubelet: bool,
    pub changed_by: Option<(&'a str, &'a str)>,
    pub reporter: &'a str,
}

/// What an event proves about a container instance.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct InstancePiece<'a> {
    #[serde(borrow)]
    pub container: &'a str,
    pub key: [u8; 32],
    pub id_text: &'a str,
    pub kind: ContainerKind,
    pub runtime: &'a str,
    pub image: Option<Image<'a>>,
    pub restart: u32,
    pub is_guess: bool,
    pub started_at: u32,
    pub is_running: bool,
    pub ended: Option<Ended<'a>>,
}

impl<'a> Fact<'a> {
    fn piece(&self) -> Piece<'a> {
        if let Some(said) = &self.said {
            return Piece::Said(Box::new(said.clone()));
        }
        if !self.container.is_empty() {
            return Piece::Instance(Box::new(InstancePiece {
                container: self.container,
                key: self.container_id,
                id_text: self.container_id_text,
                kind: self.kind,
                runtime: self.runtime,
                image: self.image,
                restart: self.restart,
                is_guess: self.is_guess,
                started_at: self.started_at,
                is_running: self.is_running,
                ended: self.ended,
            }));
        }
        Piece::Pod(Box::new(PodPiece {
            version: self.version,
            node: self.node,
            host_network: self.host_network,
            service_account: self.service_account,
            owner: self.owner.clone(),
            labels: self.labels.map(<[_]>::to_vec),
            is_held: self.is_held,
            phase: self.phase,
            pod_ips: self.pod_ips.to_vec(),
            are_all_ips: self.are_all_ips,
            lost_ips: self.lost_ips.to_vec(),
            restarts: self.restarts.to_vec(),
            created_at: self.created_at,
            created_by: self.created_by,
            scheduled_at: self.scheduled_at,
            pod_started_at: self.pod_started_at,
            terminal_at: self.terminal_at,
            delete_asked: self.delete_asked,
            evict_asked: self.evict_asked,
            force_asked: self.force_asked,
            audit_id: self.audit_id,
            disrupted: self.disrupted,
            status_reason: self.status_reason,
            waiting: self.waiting.to_vec(),
            truncated: self.truncated,
            removed_at: self.removed_at,
            is_alive: self.is_alive,
            is_mirror: self.is_mirror,
            config_hash: self.config_hash,
            asked_before: self.asked_before,
            deadline: self.deadline,
            emptied_at: self.emptied_at,
            by_kubelet: self.by_kubelet,
            changed_by: self.changed_by,
            reporter: self.reporter,
        }))
    }
}

/// A row of `facts`, read back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FactRow<'a> {
    pub cluster: &'a str,
    pub namespace: &'a str,
    pub pod: &'a str,
    /// 0 in a row about a name.
    pub pod_uid: u128,
    /// Microseconds since the epoch.
    pub event_at: i64,
    pub body: &'a [u8],
}

/// A `body` that this build can't read: of a newer build, or damaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a fact can't be read: its layout is of version {0}, this build reads {BODY_VERSION}")]
pub struct UnreadableBody(pub u8);

/// The pieces of a `body`.
///
/// # Errors
///
/// [`UnreadableBody`] for a layout that this build does not know.
pub fn pieces(body: &[u8]) -> Result<Vec<Piece<'_>>, UnreadableBody> {
    let (version, mut rest) = body.split_first().ok_or(UnreadableBody(0))?;
    if *version != BODY_VERSION {
        return Err(UnreadableBody(*version));
    }
    let mut pieces = Vec::new();
    while !rest.is_empty() {
        let (piece, left) =
            postcard::take_from_bytes(rest).map_err(|_| UnreadableBody(*version))?;
        pieces.push(piece);
        rest = left;
    }
    Ok(pieces)
}

/// Encoded rows of `facts`. Consecutive facts of one event about one pod share a row.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    encoded: Encoded<Fact<'static>>,
    /// The key of the last row, whose body is still open.
    last: Vec<u8>,
    body: Vec<u8>,
}

impl Facts {
    pub fn push(&mut self, fact: &Fact) {
        let mut key = Vec::with_capacity(self.last.len());
        key_of(&mut key, fact);
        let is_same = fact.said.is_none() && !self.body.is_empty() && self.last == key;
        if !is_same {
            self.close();
            self.last = key;
            self.body.push(BODY_VERSION);
        }
        let body = std::mem::take(&mut self.body);
        self.body = postcard::to_extend(&fact.piece(), body).expect("a buffer that grows");
        if fact.said.is_some() {
            self.close();
        }
    }

    fn close(&mut self) {
        if self.body.is_empty() {
            return;
        }
        let out = &mut self.encoded.bytes;
        out.extend_from_slice(&self.last);
        put::varint(out, self.body.len());
        out.append(&mut self.body);
        self.encoded.rows += 1;
        self.last.clear();
    }

    /// Bytes so far, the open row included.
    pub fn bytes_len(&self) -> usize {
        self.encoded.bytes.len() + self.last.len() + self.body.len()
    }

    pub fn is_empty(&self) -> bool {
        self.encoded.is_empty() && self.body.is_empty()
    }

    /// All rows.
    pub fn finish(mut self) -> Encoded<Fact<'static>> {
        self.close();
        self.encoded
    }
}

fn key_of(out: &mut Vec<u8>, fact: &Fact) {
    put::string(out, fact.cluster);
    put::string(out, fact.namespace);
    put::string(out, fact.pod);
    put::uuid(out, fact.pod_uid);
    put::i64(out, fact.event_at);
}

/// Reads rows of `facts` back, one after the other, each with its end; stops at an incomplete row.
pub fn fact_rows(bytes: &[u8]) -> impl Iterator<Item = (FactRow<'_>, usize)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let (row, end) = fact_row(bytes, at)?;
        at = end;
        Some((row, end))
    })
}

fn fact_row(bytes: &[u8], at: usize) -> Option<(FactRow<'_>, usize)> {
    let (cluster, at) = put::read_text(bytes, at)?;
    let (namespace, at) = put::read_text(bytes, at)?;
    let (pod, at) = put::read_text(bytes, at)?;
    let (pod_uid, at) = put::read_uuid(bytes, at)?;
    let (event_at, at) = put::read_i64(bytes, at)?;
    let (body, at) = put::read_bytes(bytes, at)?;
    let row = FactRow {
        cluster,
        namespace,
        pod,
        pod_uid,
        event_at,
        body,
    };
    Some((row, at))
}

/// A time as a `DateTime` column holds it: seconds since the epoch, to 2106. Outside of that it is
/// unknown (0).
pub fn seconds(time: Option<Timestamp>) -> u32 {
    time.and_then(|time| u32::try_from(time.as_second()).ok())
        .unwrap_or(0)
}

/// A time as a `DateTime64(6)` column holds it: microseconds since the epoch. Times before 1970 and
/// from 2200 on are unknown (0).
pub fn microseconds(time: Option<Timestamp>) -> i64 {
    time.map(Timestamp::as_microsecond)
        .filter(|at| (0..NEVER).contains(at))
        .unwrap_or(0)
}
