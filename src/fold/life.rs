//! What is known of one pod and its container instances: everything that facts about its uid say, merged.
//!
//! Merging is commutative, associative and idempotent: each field is a maximum, a minimum, a union, or the
//! newest of versioned states. So facts may come in any order and any number of times, and what was
//! merged before may be merged again.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use serde::{Deserialize, Serialize};

use super::addresses::Addresses;
use super::described::Descriptions;
use super::instance::{Instance, PodClock};
use super::merge::{AsOf, Seen, both, greatest, least};
use super::past::Past;
use crate::rows::{Phase, Piece, PodPiece};

/// A request for the end of a pod. The first counts; `at` is in milliseconds.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Asked<'a> {
    pub at: i64,
    pub user: &'a str,
    pub acting_as: &'a str,
    pub audit_id: &'a str,
}

/// The first of these requests.
pub(super) fn first<'a, const N: usize>(asked: [&Option<Asked<'a>>; N]) -> Option<Asked<'a>> {
    asked.into_iter().flatten().min().cloned()
}

/// The containers that had not started at the last report, and why.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Waiting<'a> {
    pub as_of: AsOf,
    #[serde(borrow)]
    pub containers: Vec<(&'a str, &'a str)>,
}

/// Facts about instances are kept by the name of the container, the key of the ID (zeros where none was reported) and
/// the restart number.
pub type InstanceKey<'a> = (&'a str, [u8; 32], u32);

/// One pod. Empty texts, zeros and `None` carry no information. Times are milliseconds unless noted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Life<'a> {
    /// Whether some fact about it was stored in time.
    pub timely: bool,
    /// Of the pod and its instances; microseconds.
    pub seen: Seen,
    /// When it was still there.
    pub alive_at: i64,
    pub node: &'a str,
    pub host_network: bool,
    /// Whether it is the API's image of a static pod.
    pub is_mirror: bool,
    /// Then: under which UID its node knows the static pod.
    pub config_hash: &'a str,
    pub service_account: &'a str,
    pub described: Descriptions<'a>,
    pub phase: Phase,
    pub addresses: Addresses,
    /// For each container that started, how often it was started again.
    pub restarts: BTreeMap<&'a str, u32>,
    /// Seconds, as `started_at`.
    pub created_at: u32,
    pub created_by: Option<(&'a str, &'a str)>,
    pub scheduled_at: i64,
    pub started_at: u32,
    /// The first event that reported that.
    pub started_reported: Option<i64>,
    /// Events with phase Succeeded or Failed.
    pub terminal: Option<Seen>,
    pub delete_asked: Option<Asked<'a>>,
    pub evict_asked: Option<Asked<'a>>,
    pub force_asked: Option<Asked<'a>>,
    /// The request with the earliest deadline, which is in seconds.
    pub hurried: Option<(u32, Asked<'a>)>,
    /// By when its end was asked for, by whomever.
    pub asked_before: Option<i64>,
    /// Whether a kubelet deleted it: then there was an earlier request.
    pub by_kubelet: bool,
    /// The end of its grace period, in seconds.
    pub deadline: u32,
    /// When all its containers had ended while it was to end.
    pub emptied_at: Option<i64>,
    /// The account that sent statuses, where its name is not one of Kubernetes'.
    pub reporter: &'a str,
    pub disrupted: Option<(i64, &'a str)>,
    pub status_reason: &'a str,
    pub waiting: Option<Waiting<'a>>,
    pub truncated: bool,
    pub removed: Option<Seen>,
    pub instances: BTreeMap<InstanceKey<'a>, Box<Instance<'a>>>,
    /// What is kept of the pruned instances, by container.
    pub past: BTreeMap<&'a str, Past>,
}

/// When a fact was stored, and whether that was late.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// Microseconds, by the API server's clock.
    pub event_at: i64,
    /// Over five minutes after its event, by the clock of the server that stored it.
    pub late: bool,
}

fn millis(micros: i64) -> i64 {
    micros.div_euclid(1_000)
}

fn known(at: i64) -> Option<i64> {
    (at != 0).then_some(at)
}

impl<'a> Life<'a> {
    /// Adds one fact. An event about a name is not part of a life.
    pub fn add(&mut self, piece: &Piece<'a>, arrival: Arrival) {
        match piece {
            Piece::Pod(piece) => self.merge(Life::of_piece(piece, arrival)),
            Piece::Instance(piece) => {
                self.timely |= !arrival.late;
                self.seen.merge(Seen::at(arrival.event_at));
                let key = (piece.container, piece.key, piece.restart);
                let instance = Instance::of_piece(piece, arrival.event_at);
                match self.instances.entry(key) {
                    Entry::Vacant(place) => {
                        place.insert(Box::new(instance));
                    }
                    Entry::Occupied(mut kept) => kept.get_mut().merge(instance),
                }
            }
            Piece::Said(_) => {}
        }
    }

    fn of_piece(piece: &PodPiece<'a>, arrival: Arrival) -> Life<'a> {
        let Arrival { event_at, late } = arrival;
        let at = millis(event_at);
        let as_of = AsOf {
            has_version: piece.version != 0,
            at: match piece.version {
                0 => event_at.unsigned_abs(),
                version => version,
            },
        };
        let asked = |asked: Option<(i64, &'a str, &'a str)>| {
            asked.map(|(at, user, acting_as)| Asked {
                at: millis(at),
                user,
                acting_as,
                audit_id: piece.audit_id,
            })
        };
        let delete_asked = asked(piece.delete_asked);
        let hurried = delete_asked.clone().filter(|_| piece.deadline != 0);
        Life {
            timely: !late,
            seen: Seen::at(event_at),
            alive_at: if piece.is_alive { at } else { 0 },
            node: piece.node,
            host_network: piece.host_network,
            is_mirror: piece.is_mirror,
            config_hash: piece.config_hash,
            service_account: piece.service_account,
            described: Descriptions::of_piece(piece, as_of, at),
            phase: piece.phase,
            addresses: Addresses::of_piece(piece, at),
            restarts: piece.restarts.iter().copied().collect(),
            created_at: piece.created_at,
            created_by: piece.created_by,
            scheduled_at: millis(piece.scheduled_at),
            started_at: piece.pod_started_at,
            started_reported: (piece.pod_started_at != 0).then_some(at),
            terminal: known(piece.terminal_at).map(millis).map(Seen::at),
            hurried: hurried.map(|asked| (piece.deadline, asked)),
            delete_asked,
            evict_asked: asked(piece.evict_asked),
            force_asked: asked(piece.force_asked),
            asked_before: known(piece.asked_before).map(millis),
            by_kubelet: piece.by_kubelet,
            deadline: piece.deadline,
            emptied_at: known(piece.emptied_at).map(millis),
            reporter: piece.reporter,
            disrupted: piece.disrupted.map(|(at, why)| (millis(at), why)),
            status_reason: piece.status_reason,
            waiting: (!piece.waiting.is_empty()).then(|| Waiting {
                as_of,
                containers: piece.waiting.clone(),
            }),
            truncated: piece.truncated,
            removed: known(piece.removed_at).map(millis).map(Seen::at),
            instances: BTreeMap::new(),
            past: BTreeMap::new(),
        }
    }

    /// Adds all that another state of this life knows.
    pub fn merge(&mut self, other: Life<'a>) {
        self.timely |= other.timely;
        self.seen.merge(other.seen);
        greatest(&mut self.alive_at, other.alive_at);
        greatest(&mut self.node, other.node);
        self.host_network |= other.host_network;
        self.is_mirror |= other.is_mirror;
        greatest(&mut self.config_hash, other.config_hash);
        greatest(&mut self.service_account, other.service_account);
        self.described.merge(other.described);
        greatest(&mut self.phase, other.phase);
        self.addresses.merge(other.addresses);
        for (container, times) in other.restarts {
            greatest(self.restarts.entry(container).or_default(), times);
        }
        greatest(&mut self.created_at, other.created_at);
        greatest(&mut self.created_by, other.created_by);
        greatest(&mut self.scheduled_at, other.scheduled_at);
        greatest(&mut self.started_at, other.started_at);
        least(&mut self.started_reported, other.started_reported);
        both(&mut self.terminal, other.terminal);
        least(&mut self.delete_asked, other.delete_asked);
        least(&mut self.evict_asked, other.evict_asked);
        least(&mut self.force_asked, other.force_asked);
        least(&mut self.hurried, other.hurried);
        least(&mut self.asked_before, other.asked_before);
        self.by_kubelet |= other.by_kubelet;
        greatest(&mut self.deadline, other.deadline);
        least(&mut self.emptied_at, other.emptied_at);
        greatest(&mut self.reporter, other.reporter);
        least(&mut self.disrupted, other.disrupted);
        greatest(&mut self.status_reason, other.status_reason);
        greatest(&mut self.waiting, other.waiting);
        self.truncated |= other.truncated;
        both(&mut self.removed, other.removed);
        for (key, instance) in other.instances {
            match self.instances.entry(key) {
                Entry::Vacant(place) => {
                    place.insert(instance);
                }
                Entry::Occupied(mut kept) => kept.get_mut().merge(*instance),
            }
        }
        for (container, past) in other.past {
            self.past.entry(container).or_default().merge(&past);
        }
    }

    /// When its start was reported, if that was before the start by the node's clock.
    pub(super) fn started_reported_before(&self) -> Option<i64> {
        let start = i64::from(self.started_at) * 1_000;
        self.started_reported.filter(|reported| *reported < start)
    }

    /// What tells how far the clock of its node is behind.
    pub(super) fn clock(&self) -> PodClock {
        PodClock {
            created_at: self.created_at,
            scheduled_at: self.scheduled_at,
            started_at: self.started_at,
            is_mirror: self.is_mirror,
        }
    }

    /// By how much the clock of its node differs from the API server's, as far as its own start shows that.
    /// Microseconds.
    pub(super) fn clock_off(&self) -> i64 {
        let start = i64::from(self.started_at) * 1_000;
        let created = i64::from(self.created_at) * 1_000;
        let ahead = self
            .started_reported_before()
            .map_or(0, |reported| start - reported);
        let behind = match self.started_at == 0 || self.is_mirror {
            true => 0,
            false => created - start,
        };
        ahead.max(behind) * 1_000
    }

    /// The first report of phase Succeeded or Failed.
    pub fn terminal_at(&self) -> Option<i64> {
        self.terminal.map(|terminal| terminal.first)
    }
}
