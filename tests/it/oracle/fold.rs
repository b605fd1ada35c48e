//! All that facts say of one pod, kept as it was told.

use std::collections::BTreeMap;
use std::net::Ipv6Addr;

use crate::lives::Text;
use crate::lives::fact::{About, Ended, Fact, InstanceFact, PodFact};
use crate::lives::object::{Basis, Kind};

/// All that facts say of one pod. Times are milliseconds where not said, as the answers have them.
#[derive(Clone, Debug, Default)]
pub struct Pod {
    /// Whether any fact about it was stored in time.
    pub timely: bool,
    pub node: Text,
    pub host_network: bool,
    pub is_mirror: bool,
    pub config_hash: Text,
    pub service_account: Text,
    /// Each time that labels, owner and finalizers were told.
    pub descriptions: Vec<Described>,
    /// The furthest that it came: its place in [`PHASES`].
    pub phase: usize,
    /// Each time that addresses were told, or that there are none.
    pub addresses: Vec<Addresses>,
    /// For each container that started, how often it was started again.
    pub restarts: BTreeMap<Text, u32>,
    /// Seconds.
    pub created_at: u32,
    pub created_by: (Text, Text),
    pub scheduled_at: i64,
    /// Seconds.
    pub started_at: u32,
    /// The first event that told that.
    pub started_told: Option<i64>,
    pub delete_asked: Asked,
    pub evict_asked: Asked,
    pub force_asked: Asked,
    /// The request with the earliest deadline, which is in seconds.
    pub hurried: Option<(u32, (i64, Text, Text))>,
    pub asked_before: Option<i64>,
    /// Seconds.
    pub deadline: u32,
    pub emptied_at: Option<i64>,
    pub by_kubelet: bool,
    pub reporter: Text,
    pub disrupted: Option<(i64, Text)>,
    pub reason: Text,
    /// The containers that could not start when that was last said, and why.
    pub waiting: Option<(AsOf, Vec<(Text, Text)>)>,
    pub truncated: bool,
    /// The first and the last event that told of its removal, and of its being done.
    pub removed: Option<(i64, i64)>,
    pub terminal: Option<(i64, i64)>,
    /// The last event after which it was there.
    pub alive_at: Option<i64>,
    /// Of the pod and its instances; microseconds.
    pub seen: Seen,
    pub reports: Vec<Report>,
}

/// Labels, owner and workload, and whether finalizers keep it.
pub type Description = (Labels, Owner, bool);

/// What one event says of that.
#[derive(Clone, Debug)]
pub struct Described {
    pub as_of: AsOf,
    pub at: i64,
    pub what: Description,
    /// Whose write it was, if it was one that may have changed it.
    pub by: (Text, Text),
}

/// What one event says of addresses.
#[derive(Clone, Debug)]
pub struct Addresses {
    pub at: i64,
    pub ips: Vec<Ipv6Addr>,
    pub are_all: bool,
    pub lost: Vec<Ipv6Addr>,
    /// Seconds since the creation that it tells of; `None` where it tells none.
    pub age: Option<i64>,
}

/// What one event says of a container instance.
#[derive(Clone, Debug)]
pub struct Report {
    pub container: Text,
    /// Zeros where it tells no ID.
    pub key: [u8; 32],
    pub id_text: Text,
    pub runtime: Text,
    pub kind: Kind,
    pub image: (Text, Text),
    pub restart: u32,
    pub is_guess: bool,
    /// Seconds; 0 is not known.
    pub started_at: u32,
    pub is_running: bool,
    pub ended: Option<Ended>,
    /// When the event was; microseconds.
    pub at: i64,
}

/// When something was spoken of.
#[derive(Clone, Copy, Debug)]
pub struct Seen {
    pub first: i64,
    pub last: i64,
}

/// When, in milliseconds, who, and the account that was impersonated.
pub type Asked = Option<(i64, Text, Text)>;

/// How new a state is: those with a resourceVersion are newer than those without.
pub type AsOf = (bool, u64);

pub type Labels = Vec<(Text, Text)>;

/// Kind, name, kind and name of the workload, how that is known; empty without an owner.
pub type Owner = (Text, Text, Text, Text, Basis);

/// What `status.phase` may be, by how far a pod came.
pub const PHASES: [&str; 6] = ["", "Unknown", "Pending", "Running", "Succeeded", "Failed"];

fn millis(micros: i64) -> i64 {
    micros.div_euclid(1_000)
}

impl Default for Seen {
    fn default() -> Seen {
        Seen {
            first: i64::MAX,
            last: i64::MIN,
        }
    }
}

impl Pod {
    pub fn add(&mut self, fact: &Fact, timely: bool) {
        self.timely |= timely;
        self.seen.first = self.seen.first.min(fact.event_at);
        self.seen.last = self.seen.last.max(fact.event_at);
        match &fact.about {
            About::Pod(pod) => {
                let as_of = match fact.version {
                    0 => (false, fact.event_at as u64),
                    version => (true, version),
                };
                let at = millis(fact.event_at);
                self.add_description(pod, as_of, at);
                self.add_addresses(pod, at);
                self.add_end(pod);
                self.add_pod(pod, as_of, at);
            }
            About::Instance(told) => self.reports.push(Report::of(told, fact.event_at)),
            About::Name(_) => {}
        }
    }

    fn add_description(&mut self, pod: &PodFact, as_of: AsOf, at: i64) {
        let Some(labels) = &pod.labels else { return };
        let owner = pod.owner.as_deref().map_or_else(Owner::default, |owner| {
            let (kind, name) = (owner.kind.clone(), owner.name.clone());
            let above = (owner.workload_kind.clone(), owner.workload.clone());
            (kind, name, above.0, above.1, owner.basis)
        });
        self.descriptions.push(Described {
            as_of,
            at,
            what: (labels.to_vec(), owner, pod.is_held),
            by: pod.changed_by.clone().unwrap_or_default(),
        });
    }

    fn add_addresses(&mut self, pod: &PodFact, at: i64) {
        if pod.are_all_ips || !pod.ips.is_empty() || !pod.lost_ips.is_empty() {
            let created = i64::from(pod.created_at);
            self.addresses.push(Addresses {
                at,
                ips: pod.ips.clone(),
                are_all: pod.are_all_ips,
                lost: pod.lost_ips.clone(),
                age: (created != 0).then(|| at.div_euclid(1_000) - created),
            });
        }
    }

    /// What is said of its end.
    fn add_end(&mut self, pod: &PodFact) {
        let asked = |told: &Option<(i64, Text, Text)>| {
            let told = told.clone();
            told.map(|(at, user, acting_as)| (millis(at), user, acting_as))
        };
        let deletion = asked(&pod.delete_asked);
        if let Some(asked) = deletion.clone().filter(|_| pod.deadline != 0) {
            self.hurried = earlier(self.hurried.take(), Some((pod.deadline, asked)));
        }
        for (first, told) in [
            (&mut self.delete_asked, deletion),
            (&mut self.evict_asked, asked(&pod.evict_asked)),
            (&mut self.force_asked, asked(&pod.force_asked)),
        ] {
            *first = earlier(first.take(), told);
        }
        let disrupted = pod.disrupted.as_ref();
        self.disrupted = earlier(
            self.disrupted.take(),
            disrupted.map(|(since, reason)| (millis(*since), reason.clone())),
        );
        let known = |micros: i64| (micros != 0).then(|| millis(micros));
        self.asked_before = earlier(self.asked_before, known(pod.asked_before));
        self.emptied_at = earlier(self.emptied_at, known(pod.emptied_at));
        self.deadline = self.deadline.max(pod.deadline);
        self.by_kubelet |= pod.by_kubelet;
        for (both, told) in [
            (&mut self.removed, known(pod.removed_at)),
            (&mut self.terminal, known(pod.terminal_at)),
        ] {
            if let Some(at) = told {
                let (first, last) = both.unwrap_or((at, at));
                *both = Some((first.min(at), last.max(at)));
            }
        }
    }

    fn add_pod(&mut self, pod: &PodFact, as_of: AsOf, at: i64) {
        greatest(&mut self.node, &pod.node);
        self.host_network |= pod.host_network;
        self.is_mirror |= pod.is_mirror;
        greatest(&mut self.config_hash, &pod.config_hash);
        greatest(&mut self.service_account, &pod.service_account);
        let phase = PHASES.iter().position(|phase| **phase == *pod.phase);
        self.phase = self.phase.max(phase.expect("a phase"));
        for (container, times) in &pod.restarts {
            let most = self.restarts.entry(container.clone()).or_default();
            *most = (*most).max(*times);
        }
        self.created_at = self.created_at.max(pod.created_at);
        if let Some(accounts) = &pod.created_by {
            greatest(&mut self.created_by, accounts);
        }
        self.scheduled_at = self.scheduled_at.max(millis(pod.scheduled_at));
        self.started_at = self.started_at.max(pod.started_at);
        if pod.started_at != 0 {
            self.started_told = earlier(self.started_told, Some(at));
        }
        greatest(&mut self.reporter, &pod.reporter);
        greatest(&mut self.reason, &pod.reason);
        let waiting = (!pod.waiting.is_empty()).then(|| (as_of, pod.waiting.clone()));
        greatest(&mut self.waiting, &waiting);
        self.truncated |= pod.truncated;
        if pod.is_alive {
            self.alive_at = self.alive_at.max(Some(at));
        }
    }

    /// The first event with phase Succeeded or Failed.
    pub fn terminal_at(&self) -> Option<i64> {
        self.terminal.map(|(first, _)| first)
    }

    /// The first event that told of its removal.
    pub fn removed_first(&self) -> Option<i64> {
        self.removed.map(|(first, _)| first)
    }
}

impl Report {
    fn of(told: &InstanceFact, at: i64) -> Report {
        Report {
            container: told.container.clone(),
            key: told.key,
            id_text: told.id_text.clone(),
            runtime: told.runtime.clone(),
            kind: told.kind,
            image: told.image.clone().unwrap_or_default(),
            restart: told.restart,
            is_guess: told.is_guess,
            started_at: told.started_at,
            is_running: told.is_running,
            ended: told.ended.clone(),
            at,
        }
    }
}

/// The smaller of what there is.
pub fn earlier<T: Ord>(one: Option<T>, other: Option<T>) -> Option<T> {
    [one, other].into_iter().flatten().min()
}

fn greatest<T: Ord + Clone>(kept: &mut T, told: &T) {
    if told > kept {
        *kept = told.clone();
    }
}
