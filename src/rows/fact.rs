//! Rows of the table `facts` (`schema/001_facts.sql`).

use std::net::Ipv6Addr;

use jiff::Timestamp;

use super::rowbinary as put;
use super::{Encoded, Table};

/// The columns that [`Facts`] encodes, in its order.
pub const FACTS: Table = Table {
    name: "facts",
    columns_version: 3,
    columns: &[
        "cluster",
        "namespace",
        "pod_uid",
        "container",
        "container_id",
        "event_at",
        "not_after",
        "named",
        "pod",
        "node",
        "host_network",
        "service_account",
        "metadata",
        "phase",
        "pod_ips",
        "restarts",
        "created_at",
        "created_by",
        "scheduled_at",
        "pod_started_at",
        "terminal_at",
        "delete_asked",
        "evict_asked",
        "force_asked",
        "disrupted",
        "status_reason",
        "waiting",
        "truncated",
        "removed_at",
        "asked_event",
        "kind",
        "runtime",
        "container_id_text",
        "image",
        "image_id",
        "restart",
        "started_at",
        "ended",
    ],
};

/// "Never" where the smallest time wins: 2200-01-01, in microseconds.
const NEVER: i64 = 7_258_118_400_000_000;

/// One row: what one event says of one pod, or of one of its container instances.
/// Whatever is left at its default says nothing.
#[derive(Clone, Debug, Default)]
pub struct Fact<'a> {
    pub cluster: &'a str,
    pub namespace: &'a str,
    pub pod_uid: u128,
    /// Empty in a row about the pod itself.
    pub container: &'a str,
    /// See `container_id` in the DDL; zeros in a row about the pod.
    pub container_id: [u8; 32],
    /// Microseconds since the epoch.
    pub event_at: i64,
    /// Its object was gone by then; microseconds, 0 says nothing.
    pub not_after: i64,
    /// Of a row about a name, where the event does not say which pod it means: see [`Named`].
    pub named: Option<Named<'a>>,
    /// The resourceVersion of the object that this was read from; 0 where it had none.
    pub version: u64,

    pub pod: &'a str,
    pub node: &'a str,
    pub host_network: bool,
    pub service_account: &'a str,
    /// Told together with the labels: then `None` says that there is none.
    pub owner: Option<Owner<'a>>,
    /// Sorted by key. `None` says nothing; an empty list says that there are none.
    pub labels: Option<&'a [(&'a str, &'a str)]>,
    pub phase: Phase,
    /// IPv4 as `::ffff:a.b.c.d`, in the order of `status.podIPs`.
    pub pod_ips: &'a [Ipv6Addr],
    /// For each container that started, how often it was started again.
    pub restarts: &'a [(&'a str, u32)],
    /// Seconds since the epoch; 0 is unknown, here and below.
    pub created_at: u32,
    pub created_by: Option<(&'a str, &'a str)>,
    /// Microseconds since the epoch; 0 is unknown, here and below.
    pub scheduled_at: i64,
    pub pod_started_at: u32,
    /// The time of an event that tells of phase Succeeded or Failed.
    pub terminal_at: i64,
    /// When, the account, and the account that it impersonated.
    pub delete_asked: Option<(i64, &'a str, &'a str)>,
    /// The same of a request to the eviction API, and of one that left the pod no time to end.
    pub evict_asked: Option<(i64, &'a str, &'a str)>,
    pub force_asked: Option<(i64, &'a str, &'a str)>,
    /// Since when the condition DisruptionTarget holds, and its reason.
    pub disrupted: Option<(i64, &'a str)>,
    pub status_reason: &'a str,
    /// The containers that wait to be started, and why, where somebody has to do something about it.
    pub waiting: &'a [(&'a str, &'a str)],
    /// The API server cut off what the event held.
    pub truncated: bool,
    pub removed_at: i64,
    /// Audit ID of the event, in rows that ask for the pod's end; in others it is not kept.
    pub audit_id: &'a str,

    pub kind: ContainerKind,
    pub runtime: &'a str,
    pub container_id_text: &'a str,
    pub image: Option<Image<'a>>,
    pub restart: u32,
    pub started_at: u32,
    pub ended: Option<Ended<'a>>,
}

/// What an event says about whichever pod has the name. ClickHouse finds out which one it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named<'a> {
    /// Microseconds since the epoch.
    pub at: i64,
    /// A word of the column `named` (`schema/001_facts.sql`).
    pub what: &'static str,
    pub user: &'a str,
    pub acting_as: &'a str,
    /// The label selector of a deletecollection.
    pub selector: &'a str,
}

impl Named<'_> {
    /// Whether it asks for the end of the pod.
    fn asks(&self) -> bool {
        matches!(self.what, "ask" | "force" | "evict")
    }
}

/// The controlling owner, and the workload above it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner<'a> {
    pub kind: &'a str,
    pub name: &'a str,
    pub workload_kind: &'a str,
    pub workload: &'a str,
    /// Whether the workload was told from the owner's name rather than from its owner.
    pub inferred: bool,
}

/// What the node runs, not what the spec asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Image<'a> {
    pub image: &'a str,
    pub image_id: &'a str,
}

/// One report of an instance's end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended<'a> {
    /// Seconds since the epoch; 0 where the report has no time.
    pub finished_at: u32,
    pub exit_code: i32,
    pub signal: i32,
    pub reason: &'a str,
}

/// The numbers of the column `kind`. A restartable init container is a sidecar; the greater number
/// wins, so one that is known from statuses alone becomes a sidecar when its spec is seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ContainerKind {
    #[default]
    None = 0,
    App = 1,
    Init = 2,
    Sidecar = 3,
    Ephemeral = 4,
}

/// The numbers of the column `phase`: the furthest that a pod came. What was known before is better
/// than `Unknown`, which the control plane says of nodes it can't reach.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
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
    /// Reads `status.phase`; what no Kubernetes has said yet says nothing.
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

/// Encoded rows of `facts`.
pub type Facts = Encoded<Fact<'static>>;

impl Facts {
    pub fn push(&mut self, fact: &Fact) {
        let out = &mut self.bytes;
        put::string(out, fact.cluster);
        put::string(out, fact.namespace);
        put::uuid(out, fact.pod_uid);
        put::string(out, fact.container);
        out.extend_from_slice(&fact.container_id);
        put::i64(out, fact.event_at);
        put::i64(out, or_never(fact.not_after));
        named(out, fact);
        pod_columns(out, fact);
        end_columns(out, fact);
        container_columns(out, fact);
        self.rows += 1;
    }
}

fn pod_columns(out: &mut Vec<u8>, fact: &Fact) {
    put::string(out, fact.pod);
    put::string(out, fact.node);
    put::u8(out, fact.host_network.into());
    put::string(out, fact.service_account);
    metadata(out, fact);
    put::u8(out, fact.phase as u8);
    put::varint(out, fact.pod_ips.len());
    for (place, ip) in fact.pod_ips.iter().enumerate() {
        out.extend_from_slice(&ip.octets());
        put::u64(
            out,
            millis(fact.event_at).unsigned_abs() * 16 + place.min(15) as u64,
        );
    }
    put::varint(out, fact.restarts.len());
    for (container, restarts) in fact.restarts {
        put::string(out, container);
        put::u32(out, *restarts);
    }
    put::u32(out, fact.created_at);
    let (user, acting_as) = fact.created_by.unwrap_or_default();
    put::string(out, user);
    put::string(out, acting_as);
    put::i64(out, millis(fact.scheduled_at));
    put::u32(out, fact.pod_started_at);
}

/// What ends a pod.
fn end_columns(out: &mut Vec<u8>, fact: &Fact) {
    put::i64(out, millis(or_never(fact.terminal_at)));
    for asked in [fact.delete_asked, fact.evict_asked, fact.force_asked] {
        let (at, user, acting_as) = asked.unwrap_or((NEVER, "", ""));
        put::i64(out, millis(at));
        put::string(out, user);
        put::string(out, acting_as);
    }
    let (at, reason) = fact.disrupted.unwrap_or((NEVER, ""));
    put::i64(out, millis(at));
    put::string(out, reason);
    put::string(out, fact.status_reason);
    as_of(out, fact, !fact.waiting.is_empty());
    put::varint(out, fact.waiting.len());
    for (container, reason) in fact.waiting {
        put::string(out, container);
        put::string(out, reason);
    }
    put::u8(out, fact.truncated.into());
    put::i64(out, millis(fact.removed_at));
    let asked = match (&fact.delete_asked, &fact.named) {
        _ if fact.audit_id.is_empty() => None,
        (Some((at, ..)), _) => Some(*at),
        (None, Some(named)) if named.asks() => Some(named.at),
        (None, _) => None,
    };
    put::i64(out, millis(asked.unwrap_or(NEVER)));
    put::string(out, asked.map_or("", |_| fact.audit_id));
}

fn or_never(at: i64) -> i64 {
    if at == 0 { NEVER } else { at }
}

fn named(out: &mut Vec<u8>, fact: &Fact) {
    put::varint(out, fact.named.iter().count());
    if let Some(named) = &fact.named {
        put::i64(out, named.at);
        put::string(out, named.what);
        put::string(out, named.user);
        put::string(out, named.acting_as);
        put::string(out, named.selector);
    }
}

/// The first element of a tuple that merges by its newest state: see `as_of` in the DDL.
fn as_of(out: &mut Vec<u8>, fact: &Fact, said: bool) {
    put::u64(
        out,
        match (said, fact.version) {
            (false, _) => 0,
            (true, 0) => fact.event_at.unsigned_abs(),
            (true, version) => version | 1 << 63,
        },
    );
}

/// Labels, owner and workload, which are always told together.
fn metadata(out: &mut Vec<u8>, fact: &Fact) {
    as_of(out, fact, fact.labels.is_some());
    let labels = fact.labels.unwrap_or_default();
    put::varint(out, labels.len());
    for (key, value) in labels {
        put::string(out, key);
        put::string(out, value);
    }
    let owner = fact.owner.as_ref();
    put::string(out, owner.map_or("", |owner| owner.kind));
    put::string(out, owner.map_or("", |owner| owner.name));
    put::string(out, owner.map_or("", |owner| owner.workload_kind));
    put::string(out, owner.map_or("", |owner| owner.workload));
    put::u8(out, owner.is_some_and(|owner| owner.inferred).into());
}

/// Microseconds as a `DateTime64(3)` column holds them.
fn millis(micros: i64) -> i64 {
    micros.div_euclid(1000)
}

fn container_columns(out: &mut Vec<u8>, fact: &Fact) {
    put::u8(out, fact.kind as u8);
    put::string(out, fact.runtime);
    put::string(out, fact.container_id_text);
    put::string(out, fact.image.map_or("", |image| image.image));
    put::string(out, fact.image.map_or("", |image| image.image_id));
    put::u32(out, fact.restart);
    put::u32(out, fact.started_at);
    put::u8(out, fact.ended.is_some().into());
    put::u32(out, fact.ended.map_or(0, |ended| ended.finished_at));
    put::i32(out, fact.ended.map_or(0, |ended| ended.exit_code));
    put::i32(out, fact.ended.map_or(0, |ended| ended.signal));
    put::string(out, fact.ended.map_or("", |ended| ended.reason));
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
