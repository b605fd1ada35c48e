//! What is known of one pod and its container instances: everything that facts about its uid say, merged.
//!
//! Merging is commutative, associative and idempotent: each field is a maximum, a minimum, a union, or the
//! newest of versioned states. So facts may come in any order and any number of times, and what was
//! merged before may be merged again.

use std::collections::BTreeMap;
use std::net::Ipv6Addr;

use serde::{Deserialize, Serialize};

use super::past::{NotAfter, Past};
use crate::rows::{ContainerKind, Ended, InstancePiece, Owner, Phase, Piece, PodPiece};

/// How new a state is: those with a resourceVersion are newer than those without, which go by the time of
/// their event.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct AsOf {
    has_version: bool,
    at: u64,
}

/// A request for the end of a pod. The first counts; `at` is in milliseconds.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Asked<'a> {
    pub at: i64,
    pub user: &'a str,
    pub acting_as: &'a str,
    pub audit_id: &'a str,
}

/// Labels, owner and finalizers, which are always said together.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Metadata<'a> {
    pub as_of: AsOf,
    #[serde(borrow)]
    pub labels: Vec<(&'a str, &'a str)>,
    pub owner: Option<Owner<'a>>,
    /// Whether finalizers keep it.
    pub is_held: bool,
}

/// The containers that had not started when this was last said, and why.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Waiting<'a> {
    pub as_of: AsOf,
    #[serde(borrow)]
    pub containers: Vec<(&'a str, &'a str)>,
}

/// When something was spoken of, in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Seen {
    pub first: i64,
    pub last: i64,
}

impl Default for Seen {
    fn default() -> Seen {
        Seen {
            first: i64::MAX,
            last: i64::MIN,
        }
    }
}

impl Seen {
    fn merge(&mut self, other: Seen) {
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
    }
}

/// A container instance by the name of its container and its container ID.
pub type InstanceKey<'a> = (&'a str, [u8; 32]);

/// One pod. Empty texts, zeros and `None` say nothing. Times are milliseconds where not said.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Life<'a> {
    /// Whether some fact about it was stored in time.
    pub timely: bool,
    /// Of the pod and its instances.
    pub seen: Seen,
    pub node: &'a str,
    pub host_network: bool,
    pub service_account: &'a str,
    pub metadata: Option<Metadata<'a>>,
    pub phase: Phase,
    /// With the first sight of each, and its place in the list then.
    pub pod_ips: BTreeMap<Ipv6Addr, (i64, u8)>,
    /// For each container that started, how often it was started again.
    pub restarts: BTreeMap<&'a str, u32>,
    /// Seconds, as `started_at`.
    pub created_at: u32,
    pub created_by: Option<(&'a str, &'a str)>,
    pub scheduled_at: i64,
    pub started_at: u32,
    pub terminal_at: Option<i64>,
    pub delete_asked: Option<Asked<'a>>,
    pub evict_asked: Option<Asked<'a>>,
    pub force_asked: Option<Asked<'a>>,
    pub disrupted: Option<(i64, &'a str)>,
    pub status_reason: &'a str,
    pub waiting: Option<Waiting<'a>>,
    pub truncated: bool,
    pub removed_at: i64,
    pub instances: BTreeMap<InstanceKey<'a>, Instance<'a>>,
    /// What stays of the instances that it has let go of, by container.
    pub past: BTreeMap<&'a str, Past>,
}

/// One container instance.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Instance<'a> {
    pub seen: Seen,
    pub kind: ContainerKind,
    pub id_text: &'a str,
    pub runtime: &'a str,
    pub image: &'a str,
    pub image_id: &'a str,
    pub restart: u32,
    /// Seconds.
    pub started_at: u32,
    /// One report, whole: never the exit code of one and the reason of another.
    pub ended: Option<Ended<'a>>,
    /// What the instances that its pod has let go of prove of its end.
    pub not_after: NotAfter,
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

/// Keeps the greater one.
fn greatest<T: PartialOrd>(kept: &mut T, said: T) {
    if said > *kept {
        *kept = said;
    }
}

/// Keeps the smaller one of what there is.
pub(super) fn least<T: PartialOrd>(kept: &mut Option<T>, said: Option<T>) {
    if let Some(said) = said
        && kept.as_ref().is_none_or(|kept| said < *kept)
    {
        *kept = Some(said);
    }
}

fn known(at: i64) -> Option<i64> {
    (at != 0).then_some(at)
}

impl<'a> Life<'a> {
    /// Adds what one fact says. A saying about a name is no part of a life.
    pub fn add(&mut self, piece: &Piece<'a>, arrival: Arrival) {
        match piece {
            Piece::Pod(said) => self.merge(Life::said(said, arrival)),
            Piece::Instance(said) => {
                let seen = Seen {
                    first: arrival.event_at,
                    last: arrival.event_at,
                };
                self.timely |= !arrival.late;
                self.seen.merge(seen);
                let key = (said.container, said.key);
                let instance = self.instances.entry(key).or_default();
                instance.merge(Instance::said(said, seen));
            }
            Piece::Said(_) => {}
        }
    }

    fn said(said: &PodPiece<'a>, arrival: Arrival) -> Life<'a> {
        let Arrival { event_at, late } = arrival;
        let at = millis(event_at);
        let as_of = AsOf {
            has_version: said.version != 0,
            at: match said.version {
                0 => event_at.unsigned_abs(),
                version => version,
            },
        };
        let asked = |asked: Option<(i64, &'a str, &'a str)>| {
            asked.map(|(at, user, acting_as)| Asked {
                at: millis(at),
                user,
                acting_as,
                audit_id: said.audit_id,
            })
        };
        let places = said.pod_ips.iter().zip(0_u8..=u8::MAX);
        Life {
            timely: !late,
            seen: Seen {
                first: event_at,
                last: event_at,
            },
            node: said.node,
            host_network: said.host_network,
            service_account: said.service_account,
            metadata: said.labels.as_ref().map(|labels| Metadata {
                as_of,
                labels: labels.clone(),
                owner: said.owner.clone(),
                is_held: said.is_held,
            }),
            phase: said.phase,
            pod_ips: places.map(|(ip, place)| (*ip, (at, place))).collect(),
            restarts: said.restarts.iter().copied().collect(),
            created_at: said.created_at,
            created_by: said.created_by,
            scheduled_at: millis(said.scheduled_at),
            started_at: said.pod_started_at,
            terminal_at: known(said.terminal_at).map(millis),
            delete_asked: asked(said.delete_asked),
            evict_asked: asked(said.evict_asked),
            force_asked: asked(said.force_asked),
            disrupted: said.disrupted.map(|(at, why)| (millis(at), why)),
            status_reason: said.status_reason,
            waiting: (!said.waiting.is_empty()).then(|| Waiting {
                as_of,
                containers: said.waiting.clone(),
            }),
            truncated: said.truncated,
            removed_at: millis(said.removed_at),
            instances: BTreeMap::new(),
            past: BTreeMap::new(),
        }
    }

    /// Adds all that another state of this life knows.
    pub fn merge(&mut self, other: Life<'a>) {
        self.timely |= other.timely;
        self.seen.merge(other.seen);
        greatest(&mut self.node, other.node);
        self.host_network |= other.host_network;
        greatest(&mut self.service_account, other.service_account);
        greatest(&mut self.metadata, other.metadata);
        greatest(&mut self.phase, other.phase);
        for (ip, sight) in other.pod_ips {
            let kept = self.pod_ips.entry(ip).or_insert(sight);
            *kept = (*kept).min(sight);
        }
        for (container, times) in other.restarts {
            greatest(self.restarts.entry(container).or_default(), times);
        }
        greatest(&mut self.created_at, other.created_at);
        greatest(&mut self.created_by, other.created_by);
        greatest(&mut self.scheduled_at, other.scheduled_at);
        greatest(&mut self.started_at, other.started_at);
        least(&mut self.terminal_at, other.terminal_at);
        least(&mut self.delete_asked, other.delete_asked);
        least(&mut self.evict_asked, other.evict_asked);
        least(&mut self.force_asked, other.force_asked);
        least(&mut self.disrupted, other.disrupted);
        greatest(&mut self.status_reason, other.status_reason);
        greatest(&mut self.waiting, other.waiting);
        self.truncated |= other.truncated;
        greatest(&mut self.removed_at, other.removed_at);
        for (key, instance) in other.instances {
            self.instances.entry(key).or_default().merge(instance);
        }
        for (container, past) in other.past {
            self.past.entry(container).or_default().merge(&past);
        }
    }

    /// How many instances its restart numbers tell of, and no event.
    pub fn unseen(&self) -> u64 {
        let missing = self.restarts.iter().map(|(container, times)| {
            let past = self.past.get(container);
            let mut seen = past.map(|past| past.restarts.clone()).unwrap_or_default();
            let range = (*container, [0; 32])..=(*container, [u8::MAX; 32]);
            for (_, instance) in self.instances.range(range) {
                seen.insert(instance.restart);
            }
            (u64::from(*times) + 1).saturating_sub(seen.count())
        });
        missing.sum()
    }
}

impl<'a> Instance<'a> {
    fn said(said: &InstancePiece<'a>, seen: Seen) -> Instance<'a> {
        let image = said.image.unwrap_or_default();
        Instance {
            seen,
            kind: said.kind,
            id_text: said.id_text,
            runtime: said.runtime,
            image: image.image,
            image_id: image.image_id,
            restart: said.restart,
            started_at: said.started_at,
            ended: said.ended,
            not_after: NotAfter::default(),
        }
    }

    /// Adds all that another state of this instance knows.
    pub fn merge(&mut self, other: Instance<'a>) {
        self.seen.merge(other.seen);
        greatest(&mut self.kind, other.kind);
        greatest(&mut self.id_text, other.id_text);
        greatest(&mut self.runtime, other.runtime);
        greatest(&mut self.image, other.image);
        greatest(&mut self.image_id, other.image_id);
        greatest(&mut self.restart, other.restart);
        greatest(&mut self.started_at, other.started_at);
        greatest(&mut self.ended, other.ended);
        self.not_after.merge(other.not_after);
    }

    /// Its start; where that is not known, the first event about it. Microseconds.
    pub fn start(&self) -> i64 {
        match self.started_at {
            0 => self.seen.first,
            started => i64::from(started) * 1_000_000,
        }
    }

    /// The second in which it ended, where a report says that.
    pub fn reported_end(&self) -> Option<u32> {
        self.ended
            .map(|ended| ended.finished_at)
            .filter(|finished| *finished != 0)
    }

    /// Its place among the instances of its container whose starts are known.
    pub(super) fn place(&self, key: &InstanceKey) -> (u32, u32, [u8; 32]) {
        (self.started_at, self.restart, key.1)
    }

    /// Whether the other instance of the same container is a later one: it started later, or in the same
    /// second with a higher restart count. Counts may begin anew, when a node forgot what ran; so they decide
    /// only where one of the starts is not known.
    pub fn is_before(&self, key: &InstanceKey, other: &Instance, other_key: &InstanceKey) -> bool {
        match (self.started_at, other.started_at) {
            (0, _) => other.restart > self.restart,
            (_, 0) => other.restart > self.restart && other.start() >= self.start(),
            _ => other.place(other_key) > self.place(key),
        }
    }
}
