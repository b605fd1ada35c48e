//! A life as its row carries it: small, since there are millions of them.
//!
//! Times are distances from the creation of the pod, and nothing is kept that the row's other columns say, or that
//! can no longer count: when a pod was first seen whose creation is known, the ID of an instance that it let go of.

use std::net::{IpAddr, Ipv6Addr};

use serde::{Deserialize, Serialize};

use super::life::{Asked, Instance, InstanceKey, Life, Metadata, Seen, Waiting};
use super::past::{NotAfter, Past};
use crate::rows::{ContainerKind, Ended, Phase};

/// The layout. It goes up with every change of what stands here.
pub const STATE_VERSION: u8 = 1;

/// A stored state that this build can't read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a state is of version {0}, this build reads {STATE_VERSION}: run the newest bygone that writes to this database"
)]
pub struct UnreadableState(pub u8);

/// A request, by its distance in milliseconds.
#[derive(Serialize, Deserialize)]
struct PackedAsked<'a>(i64, &'a str, &'a str, &'a str);

#[derive(Serialize, Deserialize)]
struct Packed<'a> {
    created_at: u32,
    /// Microseconds, where the creation is not known.
    first_seen: Option<i64>,
    timely: bool,
    host_network: bool,
    truncated: bool,
    phase: Phase,
    #[serde(borrow)]
    node: &'a str,
    service_account: &'a str,
    metadata: Option<Metadata<'a>>,
    pod_ips: Vec<(IpAddr, i64, u8)>,
    restarts: Vec<(&'a str, u32)>,
    created_by: Option<(&'a str, &'a str)>,
    scheduled: Option<i64>,
    /// Seconds.
    started: Option<i64>,
    terminal: Option<i64>,
    removed: Option<i64>,
    deletion: Option<PackedAsked<'a>>,
    eviction: Option<PackedAsked<'a>>,
    forced: Option<PackedAsked<'a>>,
    disrupted: Option<(i64, &'a str)>,
    status_reason: &'a str,
    waiting: Option<Waiting<'a>>,
    instances: Vec<PackedInstance<'a>>,
    past: Vec<(&'a str, Past)>,
}

#[derive(Serialize, Deserialize)]
struct PackedInstance<'a> {
    container: &'a str,
    key: [u8; 32],
    kind: ContainerKind,
    id_text: &'a str,
    runtime: &'a str,
    image: &'a str,
    image_id: &'a str,
    restart: u32,
    /// Seconds.
    started: Option<i64>,
    ended: Option<(Option<i64>, i32, i32, &'a str)>,
    /// Microseconds, where the start is not known.
    first_seen: Option<i64>,
    /// Microseconds, where the end is not known.
    last_seen: Option<i64>,
    not_after: NotAfter,
}

/// From what times are counted: seconds.
fn base(created_at: u32, first_seen: Option<i64>) -> i64 {
    match created_at {
        0 => first_seen.map_or(0, |at| at.div_euclid(1_000_000)),
        created => i64::from(created),
    }
}

fn distance(at: i64, base: i64) -> Option<i64> {
    (at != 0).then(|| at - base)
}

impl<'a> Life<'a> {
    /// Bytes to be stored.
    pub fn encode(&self) -> Vec<u8> {
        let first_seen = (self.created_at == 0).then_some(self.seen.first);
        let second = base(self.created_at, first_seen);
        let millis = second * 1_000;
        let asked = |asked: &Option<Asked<'a>>| {
            let asked = asked.as_ref()?;
            let at = asked.at - millis;
            Some(PackedAsked(at, asked.user, asked.acting_as, asked.audit_id))
        };
        let ips = self.pod_ips.iter();
        let ips = ips.map(|(ip, (at, place))| (ip.to_canonical(), at - millis, *place));
        let instances = self.instances.iter();
        let packed = Packed {
            created_at: self.created_at,
            first_seen,
            timely: self.timely,
            host_network: self.host_network,
            truncated: self.truncated,
            phase: self.phase,
            node: self.node,
            service_account: self.service_account,
            metadata: self.metadata.clone(),
            pod_ips: ips.collect(),
            restarts: self
                .restarts
                .iter()
                .map(|(name, it)| (*name, *it))
                .collect(),
            created_by: self.created_by,
            scheduled: distance(self.scheduled_at, millis),
            started: distance(i64::from(self.started_at), second),
            terminal: self.terminal_at.map(|at| at - millis),
            removed: distance(self.removed_at, millis),
            deletion: asked(&self.delete_asked),
            eviction: asked(&self.evict_asked),
            forced: asked(&self.force_asked),
            disrupted: self.disrupted.map(|(at, why)| (at - millis, why)),
            status_reason: self.status_reason,
            waiting: self.waiting.clone(),
            instances: instances.map(|(key, it)| it.pack(key, second)).collect(),
            past: self
                .past
                .iter()
                .map(|(name, it)| (*name, it.clone()))
                .collect(),
        };
        postcard::to_extend(&packed, vec![STATE_VERSION]).expect("a buffer that grows")
    }

    /// Reads stored bytes; `last_seen` is a column of its own.
    ///
    /// # Errors
    ///
    /// [`UnreadableState`] where a newer build wrote them.
    pub fn decode(bytes: &'a [u8], last_seen: i64) -> Result<Life<'a>, UnreadableState> {
        let (version, rest) = bytes.split_first().ok_or(UnreadableState(0))?;
        if *version != STATE_VERSION {
            return Err(UnreadableState(*version));
        }
        let packed: Packed =
            postcard::from_bytes(rest).map_err(|_| UnreadableState(STATE_VERSION))?;
        Ok(Life::unpack(packed, last_seen))
    }

    fn unpack(packed: Packed<'a>, last_seen: i64) -> Life<'a> {
        let second = base(packed.created_at, packed.first_seen);
        let millis = second * 1_000;
        let asked = |asked: Option<PackedAsked<'a>>| {
            asked.map(|PackedAsked(at, user, acting_as, audit_id)| Asked {
                at: at + millis,
                user,
                acting_as,
                audit_id,
            })
        };
        let at = |distance: Option<i64>| distance.map_or(0, |distance| distance + millis);
        let ips = packed.pod_ips.into_iter();
        let ips = ips.map(|(ip, at, place)| (mapped(ip), (at + millis, place)));
        let instances = packed.instances.into_iter();
        Life {
            timely: packed.timely,
            seen: Seen {
                first: packed.first_seen.unwrap_or(i64::MAX),
                last: last_seen,
            },
            node: packed.node,
            host_network: packed.host_network,
            service_account: packed.service_account,
            metadata: packed.metadata,
            phase: packed.phase,
            pod_ips: ips.collect(),
            restarts: packed.restarts.into_iter().collect(),
            created_at: packed.created_at,
            created_by: packed.created_by,
            scheduled_at: at(packed.scheduled),
            started_at: seconds(packed.started, second),
            terminal_at: packed.terminal.map(|at| at + millis),
            delete_asked: asked(packed.deletion),
            evict_asked: asked(packed.eviction),
            force_asked: asked(packed.forced),
            disrupted: packed.disrupted.map(|(at, why)| (at + millis, why)),
            status_reason: packed.status_reason,
            waiting: packed.waiting,
            truncated: packed.truncated,
            removed_at: at(packed.removed),
            instances: instances.map(|it| Instance::unpack(it, second)).collect(),
            past: packed.past.into_iter().collect(),
        }
    }
}

fn seconds(distance: Option<i64>, base: i64) -> u32 {
    let second = distance.map_or(0, |distance| distance + base);
    u32::try_from(second).unwrap_or_default()
}

fn mapped(ip: IpAddr) -> Ipv6Addr {
    match ip {
        IpAddr::V4(ip) => ip.to_ipv6_mapped(),
        IpAddr::V6(ip) => ip,
    }
}

impl<'a> Instance<'a> {
    fn pack(&self, key: &InstanceKey<'a>, base: i64) -> PackedInstance<'a> {
        let micros = base * 1_000_000;
        let ended = self.ended.map(|ended| {
            let at = distance(i64::from(ended.finished_at), base);
            (at, ended.exit_code, ended.signal, ended.reason)
        });
        let has_end = self.reported_end().is_some();
        PackedInstance {
            container: key.0,
            key: key.1,
            kind: self.kind,
            id_text: self.id_text,
            runtime: self.runtime,
            image: self.image,
            image_id: self.image_id,
            restart: self.restart,
            started: distance(i64::from(self.started_at), base),
            ended,
            first_seen: (self.started_at == 0).then(|| self.seen.first - micros),
            last_seen: (!has_end).then(|| self.seen.last - micros),
            not_after: self.not_after,
        }
    }

    fn unpack(packed: PackedInstance<'a>, base: i64) -> (InstanceKey<'a>, Instance<'a>) {
        let micros = base * 1_000_000;
        let ended = packed.ended.map(|(at, exit_code, signal, reason)| Ended {
            finished_at: seconds(at, base),
            exit_code,
            signal,
            reason,
        });
        let instance = Instance {
            seen: Seen {
                first: packed.first_seen.map_or(i64::MAX, |at| at + micros),
                last: packed.last_seen.map_or(i64::MIN, |at| at + micros),
            },
            kind: packed.kind,
            id_text: packed.id_text,
            runtime: packed.runtime,
            image: packed.image,
            image_id: packed.image_id,
            restart: packed.restart,
            started_at: seconds(packed.started, base),
            ended,
            not_after: packed.not_after,
        };
        ((packed.container, packed.key), instance)
    }
}
