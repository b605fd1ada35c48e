//! Facts of one pod, merged.

use std::collections::BTreeMap;
use std::net::Ipv6Addr;

use crate::lives::Text;
use crate::lives::fact::{About, Ended, Fact, InstanceFact, PodFact};
use crate::lives::object::Kind;

/// All that facts say of one pod.
#[derive(Clone, Debug, Default)]
pub struct Pod {
    /// Whether any fact about it was stored in time.
    pub timely: bool,
    pub node: Text,
    pub host_network: bool,
    pub service_account: Text,
    /// Labels, owner and workload of the newest state that told them.
    /// The last: whether finalizers keep it.
    pub metadata: Option<(AsOf, Labels, Owner, bool)>,
    /// The furthest that it came: its place in [`PHASES`].
    pub phase: usize,
    /// With the first sight in milliseconds, and the place in the list then.
    pub ips: BTreeMap<Ipv6Addr, (i64, usize)>,
    /// For each container that started, how often it was started again.
    pub restarts: BTreeMap<Text, u32>,
    pub created_at: u32,
    pub created_by: (Text, Text),
    pub scheduled_at: i64,
    pub started_at: u32,
    pub delete_asked: Asked,
    pub evict_asked: Asked,
    pub force_asked: Asked,
    /// Milliseconds, as all times that an event itself tells.
    pub disrupted: Option<(i64, Text)>,
    pub reason: Text,
    /// The containers that could not start when that was last said, and why.
    pub waiting: Option<(AsOf, Vec<(Text, Text)>)>,
    pub truncated: bool,
    pub removed_at: i64,
    /// Milliseconds, as all times that an event itself tells.
    pub terminal_at: Option<i64>,
    /// Of the pod and its instances.
    pub seen: Seen,
    pub instances: BTreeMap<(Text, [u8; 32]), Instance>,
}

#[derive(Clone, Debug)]
pub struct Instance {
    pub id_text: Text,
    pub runtime: Text,
    pub kind: Kind,
    pub image: Text,
    pub image_id: Text,
    pub restart: u32,
    pub started_at: u32,
    /// One report: time, exit code, signal, reason.
    pub ended: Option<(u32, i32, i32, Text)>,
    pub seen: Seen,
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

/// Kind, name, kind and name of the workload, whether that was inferred; empty without an owner.
pub type Owner = (Text, Text, Text, Text, bool);

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

impl Seen {
    fn add(&mut self, event_at: i64) {
        self.first = self.first.min(event_at);
        self.last = self.last.max(event_at);
    }
}

impl Pod {
    pub fn add(&mut self, fact: &Fact, timely: bool) {
        let as_of = match fact.version {
            0 => (false, fact.event_at as u64),
            version => (true, version),
        };
        self.timely |= timely;
        self.seen.add(fact.event_at);
        match &fact.about {
            About::Pod(pod) => self.add_pod(pod, as_of, fact.event_at),
            About::Instance(told) => {
                let key = (told.container.clone(), told.key);
                let instance = self
                    .instances
                    .entry(key)
                    .or_insert_with(|| Instance::new(told));
                instance.seen.add(fact.event_at);
                instance.add(told);
            }
            About::Name(_) => {}
        }
    }

    fn add_pod(&mut self, pod: &PodFact, as_of: AsOf, event_at: i64) {
        greatest(&mut self.node, &pod.node);
        self.host_network |= pod.host_network;
        greatest(&mut self.service_account, &pod.service_account);
        if let Some(labels) = &pod.labels {
            let owner = pod.owner.as_deref().map_or_else(Owner::default, |owner| {
                let (kind, name) = (owner.kind.clone(), owner.name.clone());
                let above = (owner.workload_kind.clone(), owner.workload.clone());
                (kind, name, above.0, above.1, owner.inferred)
            });
            let told = Some((as_of, labels.to_vec(), owner, pod.is_held));
            greatest(&mut self.metadata, &told);
        }
        let phase = PHASES.iter().position(|phase| **phase == *pod.phase);
        self.phase = self.phase.max(phase.expect("a phase"));
        let told_at = millis(event_at);
        if matches!(&*pod.phase, "Succeeded" | "Failed") {
            self.terminal_at = Some(self.terminal_at.map_or(told_at, |at| at.min(told_at)));
        }
        for (place, ip) in pod.ips.iter().enumerate() {
            let sight = self.ips.entry(*ip).or_insert((told_at, place));
            *sight = (*sight).min((told_at, place));
        }
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
        for (first, told) in [
            (&mut self.delete_asked, &pod.delete_asked),
            (&mut self.evict_asked, &pod.evict_asked),
            (&mut self.force_asked, &pod.force_asked),
        ] {
            let asked = told.as_ref();
            *first = earlier(
                first.take(),
                asked.map(|(at, user, acting_as)| (millis(*at), user.clone(), acting_as.clone())),
            );
        }
        let disrupted = pod.disrupted.as_ref();
        self.disrupted = earlier(
            self.disrupted.take(),
            disrupted.map(|(since, reason)| (millis(*since), reason.clone())),
        );
        greatest(&mut self.reason, &pod.reason);
        let waiting = (!pod.waiting.is_empty()).then(|| (as_of, pod.waiting.clone()));
        greatest(&mut self.waiting, &waiting);
        self.truncated |= pod.truncated;
        self.removed_at = self.removed_at.max(millis(pod.removed_at));
    }

    /// The addresses in order of first sight, with its time.
    pub fn sights(&self) -> Vec<(Ipv6Addr, i64)> {
        let mut sights: Vec<_> = self.ips.iter().collect();
        sights.sort_by_key(|(ip, sight)| (**sight, **ip));
        sights.into_iter().map(|(ip, (at, _))| (*ip, *at)).collect()
    }
}

impl Instance {
    fn new(told: &InstanceFact) -> Instance {
        Instance {
            id_text: Text::default(),
            runtime: Text::default(),
            kind: told.kind,
            image: Text::default(),
            image_id: Text::default(),
            restart: 0,
            started_at: 0,
            ended: None,
            seen: Seen::default(),
        }
    }

    fn add(&mut self, told: &InstanceFact) {
        greatest(&mut self.id_text, &told.id_text);
        greatest(&mut self.runtime, &told.runtime);
        self.kind = self.kind.max(told.kind);
        if let Some(image) = &told.image {
            greatest(&mut self.image, &image.0);
            greatest(&mut self.image_id, &image.1);
        }
        self.restart = self.restart.max(told.restart);
        self.started_at = self.started_at.max(told.started_at);
        if let Some(Ended {
            finished_at,
            exit_code,
            signal,
            reason,
        }) = &told.ended
        {
            let report = (*finished_at, *exit_code, *signal, reason.clone());
            if self.ended.as_ref().is_none_or(|known| *known < report) {
                self.ended = Some(report);
            }
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
