//! A life as its row carries it: small, since there are millions of them.
//!
//! Times are distances from the creation of the pod. Values that the row's other columns have, or that can no longer
//! count, are not kept: when a pod with a known creation was first seen, the ID of a pruned instance.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};

use serde::{Deserialize, Serialize};

use super::addresses::{Addresses, Reported};
use super::described::{Description, Descriptions, Sights};
use super::instance::{End, Instance, Missing};
use super::life::{Asked, InstanceKey, Life, Waiting};
use super::merge::{AsOf, Seen};
use super::past::{NotAfter, Past};
use crate::rows::{ContainerKind, Ended, Phase};

/// The layout. It is increased with every change of this format.
pub const STATE_VERSION: u8 = 3;

/// A stored state that this build can't read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a state is of version {0}, this build reads {STATE_VERSION}: run the newest bygone that writes to this database"
)]
pub struct UnreadableState(pub u8);

/// A request, by its distance in milliseconds.
#[derive(Serialize, Deserialize)]
struct PackedAsked<'a>(i64, &'a str, &'a str, &'a str);

/// First and last, as distances in milliseconds.
type PackedSeen = (i64, i64);

#[derive(Serialize, Deserialize)]
struct Packed<'a> {
    created_at: u32,
    /// Microseconds, where the creation is not known.
    first_seen: Option<i64>,
    flags: u8,
    phase: Phase,
    config_hash: &'a str,
    #[serde(borrow)]
    node: &'a str,
    service_account: &'a str,
    described: Vec<PackedDescription<'a>>,
    addresses: Vec<(Vec<IpAddr>, PackedReport, u8, PackedSeen)>,
    restarts: Vec<(&'a str, u32)>,
    created_by: Option<(&'a str, &'a str)>,
    scheduled: Option<i64>,
    /// Seconds.
    started: Option<i64>,
    /// Where that was before.
    started_reported: Option<i64>,
    /// How long before the newest event.
    alive: Option<i64>,
    terminal: Option<PackedSeen>,
    removed: Option<PackedSeen>,
    deletion: Option<PackedAsked<'a>>,
    eviction: Option<PackedAsked<'a>>,
    forced: Option<PackedAsked<'a>>,
    /// Its deadline in seconds.
    hurried: Option<(i64, PackedAsked<'a>)>,
    asked_before: Option<i64>,
    /// Seconds.
    deadline: Option<i64>,
    emptied: Option<i64>,
    reporter: &'a str,
    disrupted: Option<(i64, &'a str)>,
    status_reason: &'a str,
    waiting: Option<Waiting<'a>>,
    instances: Vec<PackedInstance<'a>>,
    past: Vec<(&'a str, Past)>,
}

/// Whether these are all addresses, and the ones that were lost.
type PackedReport = (bool, Vec<IpAddr>);

/// Labels, owner and finalizers with the first and the last sight: each the version, or how much it went up, and the
/// distance in milliseconds.
#[derive(Serialize, Deserialize)]
struct PackedDescription<'a> {
    #[serde(borrow)]
    description: Description<'a>,
    first: (AsOf, i64),
    by: (&'a str, &'a str),
    last: Option<(AsOf, i64)>,
}

#[derive(Serialize, Deserialize)]
struct PackedInstance<'a> {
    container: &'a str,
    key: [u8; 32],
    restart: u32,
    kind: ContainerKind,
    id_text: &'a str,
    runtime: &'a str,
    image: &'a str,
    image_id: &'a str,
    /// Seconds.
    started: Option<i64>,
    ended: Option<(Option<i64>, i32, i32, &'a str)>,
    /// Microseconds, where the start is not known.
    first_seen: Option<i64>,
    /// Microseconds, where its life is known from late facts alone.
    last_seen: Option<i64>,
    /// How long before that it was seen to run; else when.
    ran: Option<i64>,
    odd: Option<PackedOdd<'a>>,
    not_after: NotAfter,
}

/// Rare fields of instances. Microseconds unless noted.
#[derive(Default, PartialEq, Serialize, Deserialize)]
struct PackedOdd<'a> {
    is_guessed: bool,
    /// Seconds.
    restarted: Option<i64>,
    /// Of the report of the end; seconds.
    end_started: Option<i64>,
    start_reported: Option<i64>,
    end_reported: Option<i64>,
    end_differs: bool,
    /// With exit code, signal and reason.
    #[serde(borrow)]
    missing: Option<(i64, i64, i32, i32, &'a str)>,
}

const TIMELY: u8 = 1;
const HOST_NETWORK: u8 = 2;
const TRUNCATED: u8 = 4;
const MIRROR: u8 = 8;
const BY_KUBELET: u8 = 16;

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

fn pack_seen(seen: Seen, base: i64) -> PackedSeen {
    (seen.first - base, seen.last - seen.first)
}

fn unpack_seen((first, more): PackedSeen, base: i64) -> Seen {
    Seen {
        first: first + base,
        last: first + base + more,
    }
}

impl<'a> Life<'a> {
    fn flags(&self) -> u8 {
        let flags = [
            (self.timely, TIMELY),
            (self.host_network, HOST_NETWORK),
            (self.truncated, TRUNCATED),
            (self.is_mirror, MIRROR),
            (self.by_kubelet, BY_KUBELET),
        ];
        let set = flags.into_iter().filter(|(is_set, _)| *is_set);
        set.map(|(_, flag)| flag).sum()
    }

    /// Bytes to be stored.
    pub fn encode(&self) -> Vec<u8> {
        let first_seen = (self.created_at == 0).then_some(self.seen.first);
        let second = base(self.created_at, first_seen);
        let millis = second * 1_000;
        let asked = |asked: &Option<Asked<'a>>| asked.as_ref().map(|it| it.pack(millis));
        let instances = self.instances.iter();
        let hurried = self.hurried.as_ref();
        let packed = Packed {
            created_at: self.created_at,
            first_seen,
            flags: self.flags(),
            phase: self.phase,
            config_hash: self.config_hash,
            node: self.node,
            service_account: self.service_account,
            described: self.described.pack(millis),
            addresses: self.addresses.pack(millis),
            restarts: self
                .restarts
                .iter()
                .map(|(name, it)| (*name, *it))
                .collect(),
            created_by: self.created_by,
            scheduled: distance(self.scheduled_at, millis),
            started: distance(i64::from(self.started_at), second),
            started_reported: self.started_reported_before().map(|at| at - millis),
            alive: (self.alive_at != 0).then(|| self.seen.last.div_euclid(1_000) - self.alive_at),
            terminal: self.terminal.map(|seen| pack_seen(seen, millis)),
            removed: self.removed.map(|seen| pack_seen(seen, millis)),
            deletion: asked(&self.delete_asked),
            eviction: asked(&self.evict_asked),
            forced: asked(&self.force_asked),
            hurried: hurried.map(|(deadline, it)| (i64::from(*deadline) - second, it.pack(millis))),
            asked_before: self.asked_before.map(|at| at - millis),
            deadline: distance(i64::from(self.deadline), second),
            emptied: self.emptied_at.map(|at| at - millis),
            reporter: self.reporter,
            disrupted: self.disrupted.map(|(at, why)| (at - millis, why)),
            status_reason: self.status_reason,
            waiting: self.waiting.clone(),
            instances: instances
                .map(|(key, it)| it.pack(key, second, self))
                .collect(),
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
        let asked = |asked: Option<PackedAsked<'a>>| asked.map(|it| Asked::unpack(it, millis));
        let at = |distance: Option<i64>| distance.map_or(0, |distance| distance + millis);
        let has = |flag: u8| packed.flags & flag != 0;
        let instances = packed.instances.into_iter();
        Life {
            timely: has(TIMELY),
            seen: Seen {
                first: packed.first_seen.unwrap_or(i64::MAX),
                last: last_seen,
            },
            alive_at: packed
                .alive
                .map_or(0, |before| last_seen.div_euclid(1_000) - before),
            node: packed.node,
            host_network: has(HOST_NETWORK),
            is_mirror: has(MIRROR),
            config_hash: packed.config_hash,
            service_account: packed.service_account,
            described: Descriptions::unpack(packed.described, millis),
            phase: packed.phase,
            addresses: Addresses::unpack(packed.addresses, millis),
            restarts: packed.restarts.into_iter().collect(),
            created_at: packed.created_at,
            created_by: packed.created_by,
            scheduled_at: at(packed.scheduled),
            started_at: seconds(packed.started, second),
            started_reported: packed.started_reported.map(|at| at + millis),
            terminal: packed.terminal.map(|seen| unpack_seen(seen, millis)),
            delete_asked: asked(packed.deletion),
            evict_asked: asked(packed.eviction),
            force_asked: asked(packed.forced),
            hurried: packed
                .hurried
                .map(|(deadline, it)| (seconds(Some(deadline), second), Asked::unpack(it, millis))),
            asked_before: packed.asked_before.map(|at| at + millis),
            by_kubelet: has(BY_KUBELET),
            deadline: seconds(packed.deadline, second),
            emptied_at: packed.emptied.map(|at| at + millis),
            reporter: packed.reporter,
            disrupted: packed.disrupted.map(|(at, why)| (at + millis, why)),
            status_reason: packed.status_reason,
            waiting: packed.waiting,
            truncated: has(TRUNCATED),
            removed: packed.removed.map(|seen| unpack_seen(seen, millis)),
            instances: instances
                .map(|it| Instance::unpack(it, second))
                .map(|(key, it)| (key, Box::new(it)))
                .collect(),
            past: packed.past.into_iter().collect(),
        }
    }
}

impl<'a> Asked<'a> {
    fn pack(&self, base: i64) -> PackedAsked<'a> {
        PackedAsked(self.at - base, self.user, self.acting_as, self.audit_id)
    }

    fn unpack(PackedAsked(at, user, acting_as, audit_id): PackedAsked<'a>, base: i64) -> Self {
        Asked {
            at: at + base,
            user,
            acting_as,
            audit_id,
        }
    }
}

impl<'a> Descriptions<'a> {
    fn pack(&self, base: i64) -> Vec<PackedDescription<'a>> {
        let all = self.0.iter().map(|(description, sights)| {
            let ((first, first_at), (last, last_at)) = (sights.first, sights.last);
            let is_again = sights.first != sights.last;
            PackedDescription {
                description: description.clone(),
                first: (first, first_at - base),
                by: sights.by,
                last: is_again.then(|| (last.since(first), last_at - first_at)),
            }
        });
        all.collect()
    }

    fn unpack(packed: Vec<PackedDescription<'a>>, base: i64) -> Descriptions<'a> {
        let all = packed.into_iter().map(|it| {
            let first = (it.first.0, it.first.1 + base);
            let last = it.last.map(|(more, at)| (more.from(first.0), first.1 + at));
            let sights = Sights {
                first,
                by: it.by,
                last: last.unwrap_or(first),
            };
            (it.description, sights)
        });
        Descriptions(all.collect())
    }
}

impl AsOf {
    /// Of two with versions, by how much it went up.
    fn since(self, first: AsOf) -> AsOf {
        match self.has_version == first.has_version {
            true => AsOf {
                at: self.at.wrapping_sub(first.at),
                ..self
            },
            false => self,
        }
    }

    fn from(self, first: AsOf) -> AsOf {
        match self.has_version == first.has_version {
            true => AsOf {
                at: self.at.wrapping_add(first.at),
                ..self
            },
            false => self,
        }
    }
}

impl Addresses {
    fn pack(&self, base: i64) -> Vec<(Vec<IpAddr>, PackedReport, u8, PackedSeen)> {
        let short = |ips: &[Ipv6Addr]| ips.iter().map(Ipv6Addr::to_canonical).collect();
        let all = self.0.iter().map(|((reported, span), seen)| {
            let more = (reported.are_all, short(&reported.lost));
            (short(&reported.ips), more, *span, pack_seen(*seen, base))
        });
        all.collect()
    }

    fn unpack(packed: Vec<(Vec<IpAddr>, PackedReport, u8, PackedSeen)>, base: i64) -> Addresses {
        let long = |ips: Vec<IpAddr>| ips.into_iter().map(mapped).collect();
        let all = packed
            .into_iter()
            .map(|(ips, (are_all, lost), span, seen)| {
                let reported = Reported {
                    ips: long(ips),
                    are_all,
                    lost: long(lost),
                };
                ((reported, span), unpack_seen(seen, base))
            });
        Addresses(all.collect::<BTreeMap<_, _>>())
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
    fn pack(&self, key: &InstanceKey<'a>, base: i64, life: &Life<'a>) -> PackedInstance<'a> {
        let micros = base * 1_000_000;
        let created_at = life.created_at;
        let ended = self.ended.map(|End { report, .. }| {
            let at = distance(i64::from(report.finished_at), base);
            (at, report.exit_code, report.signal, report.reason)
        });
        let odd = self.pack_odd(base, created_at);
        // While its end is reported, an earlier sign of life adds nothing, whatever a kubelet made up of it meanwhile.
        let ran_at = self.ran_at.filter(|ran_at| {
            let end = self.end();
            end.is_none_or(|end| !end.is_after(*ran_at))
        });
        // Only a life that is known from late facts alone may be over when it was seen last. What only a later instance
        // reported was never seen itself.
        let keeps_last = !life.timely && self.seen.last != i64::MIN;
        PackedInstance {
            container: key.0,
            key: key.1,
            restart: self.restart,
            kind: self.kind,
            id_text: self.id_text,
            runtime: self.runtime,
            image: self.image,
            image_id: self.image_id,
            started: distance(i64::from(self.started_at), base),
            ended,
            first_seen: (self.started_at == 0).then(|| self.seen.first - micros),
            last_seen: keeps_last.then(|| self.seen.last - micros),
            ran: ran_at.map(|ran_at| match keeps_last {
                true => self.seen.last - ran_at,
                false => ran_at - micros,
            }),
            odd: (odd != PackedOdd::default()).then_some(odd),
            not_after: self.not_after,
        }
    }

    fn pack_odd(&self, base: i64, created_at: u32) -> PackedOdd<'a> {
        let micros = base * 1_000_000;
        let end = self.ended.as_ref();
        let end_started = end.filter(|end| end.started_at != self.started_at);
        let missing = self.missing.map(|Missing { seen, report }| {
            let (exit_code, signal, reason) = (report.exit_code, report.signal, report.reason);
            (
                seen.first - micros,
                seen.last - seen.first,
                exit_code,
                signal,
                reason,
            )
        });
        PackedOdd {
            is_guessed: !self.is_counted,
            restarted: self
                .started_again()
                .then(|| i64::from(self.restarted_at) - base),
            end_started: end_started.map(|end| i64::from(end.started_at) - base),
            start_reported: self.start_told_apart(created_at).map(|at| at - micros),
            end_reported: end.and_then(End::reported_apart).map(|at| at - micros),
            end_differs: end.is_some_and(|end| end.differs),
            missing,
        }
    }

    fn unpack(packed: PackedInstance<'a>, base: i64) -> (InstanceKey<'a>, Instance<'a>) {
        let micros = base * 1_000_000;
        let started_at = seconds(packed.started, base);
        let odd = packed.odd.unwrap_or_default();
        let at = |distance: Option<i64>, else_at: i64| distance.map_or(else_at, |at| at + micros);
        let ended = packed.ended.map(|(at_second, exit_code, signal, reason)| {
            let finished_at = seconds(at_second, base);
            End {
                started_at: odd
                    .end_started
                    .map_or(started_at, |at| seconds(Some(at), base)),
                report: Ended {
                    finished_at,
                    exit_code,
                    signal,
                    reason,
                },
                reported: at(odd.end_reported, i64::from(finished_at) * 1_000_000),
                differs: odd.end_differs,
            }
        });
        let last = packed.last_seen.map(|at| at + micros);
        let starts = i64::from(started_at) * 1_000_000;
        let instance = Instance {
            seen: Seen {
                first: at(packed.first_seen, i64::MAX),
                last: last.unwrap_or(i64::MIN),
            },
            kind: packed.kind,
            id_text: packed.id_text,
            runtime: packed.runtime,
            image: packed.image,
            image_id: packed.image_id,
            restart: packed.restart,
            is_counted: !odd.is_guessed,
            started_at,
            restarted_at: odd
                .restarted
                .map_or(started_at, |at| seconds(Some(at), base)),
            // Marks that nothing was reported in time.
            start_reported: (started_at != 0).then(|| at(odd.start_reported, starts)),
            ran_at: packed.ran.map(|ran| match last {
                Some(last) => last - ran,
                None => ran + micros,
            }),
            ended,
            missing: odd
                .missing
                .map(|(first, more, exit_code, signal, reason)| Missing {
                    seen: Seen {
                        first: first + micros,
                        last: first + micros + more,
                    },
                    report: Ended {
                        finished_at: 0,
                        exit_code,
                        signal,
                        reason,
                    },
                }),
            not_after: packed.not_after,
        };
        ((packed.container, packed.key, packed.restart), instance)
    }
}
