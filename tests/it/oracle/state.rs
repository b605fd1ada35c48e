//! What has been heard and joined, and so how strictly a pod is compared.
//!
//! A pod's answers are *certain* when a settling has joined every fact of it that came late, or
//! when none of it has been settled yet and all lies in the slots that readers see. Otherwise a
//! late fact may still be missing in part, and the weaker rule holds: what is shown must be what
//! some part of the facts says. A pod without certainty takes it from all pods of its name.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::Window;
use super::answer::{Container, Pod as PodRow};
use super::compare::Expected;
use super::fold::Pod;
use super::life::{Beyond, Life, PodKey, Span, Told, gone_without_name, start_of, tell};
use super::names::{Joined, Meant};
use super::views::time;
use crate::lives::encode::SLOT_SECONDS;
use crate::lives::fact::{About, Fact, NameFact};
use crate::lives::{SECOND, Text};

/// A fact that is heard longer than this after its event is late.
const TIMELY_MICROSECONDS_MAX: i64 = 300 * SECOND;

/// All facts that were ever inserted.
#[derive(Default)]
pub struct Oracle {
    pods: BTreeMap<PodKey, Known>,
    /// The uids of each cluster, namespace and name.
    names: BTreeMap<(Text, Text, Text), BTreeSet<u128>>,
    /// What was said of each of these, or of a namespace where the name is empty.
    said: BTreeMap<(Text, Text, Text), Vec<Heard>>,
    /// How many settlings have ended.
    settlings: u32,
    /// Where the newest settling ended; readers see the slots from there on.
    checkpoint: i64,
    /// Where a settling ends that has begun and may not have ended.
    settling: Option<i64>,
}

#[derive(Default)]
struct Known {
    name: Text,
    heard: Vec<Heard>,
    /// What the pod's answers may be; one that is certain.
    told: Option<Vec<Arc<Told>>>,
    /// Whether what was said of its name may be joined in part.
    loose: bool,
    /// Where it is not certain: the instances that readers see, by container and ID.
    visible: BTreeSet<(String, String)>,
}

struct Heard {
    fact: Arc<Fact>,
    /// By the server's clock, in microseconds.
    slot: i64,
    late: bool,
    place: Place,
    /// Which settling read it.
    joined_by: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// In a slot that was read before it came.
    Hidden,
    /// In a slot that readers see.
    Open,
    /// Read by a settling.
    Joined,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Certainty {
    /// All that came late is joined.
    Joined,
    /// All of it lies in slots that readers see.
    Open,
    None,
}

impl Oracle {
    /// A fact was inserted, into the slot of the time at which its INSERT began.
    pub fn hear(&mut self, fact: &Arc<Fact>, heard_at: i64) {
        let key = (fact.cluster.clone(), fact.namespace.clone(), fact.pod_uid);
        let slot = heard_at - heard_at.rem_euclid(i64::from(SLOT_SECONDS) * SECOND);
        let heard = heard_at - heard_at.rem_euclid(SECOND);
        let heard = Heard {
            fact: fact.clone(),
            slot,
            late: heard - fact.event_at > TIMELY_MICROSECONDS_MAX,
            place: if slot < self.checkpoint {
                Place::Hidden
            } else {
                Place::Open
            },
            joined_by: 0,
        };
        if let About::Name(said) = &fact.about {
            let name = (key.0, key.1, said.pod.clone());
            self.said.entry(name).or_default().push(heard);
            return;
        }
        let known = self.pods.entry(key).or_default();
        known.heard.push(heard);
        known.told = None;
        if let About::Pod(pod) = &fact.about
            && known.name.is_empty()
            && !pod.pod.is_empty()
        {
            known.name = pod.pod.clone();
            let name = (
                fact.cluster.clone(),
                fact.namespace.clone(),
                pod.pod.clone(),
            );
            self.names.entry(name).or_default().insert(fact.pod_uid);
        }
    }

    /// A settling up to this slot has begun; whether it ends is not known yet.
    pub fn settling(&mut self, until: i64) {
        self.settling = Some(until);
        for known in self.pods.values_mut() {
            if known.certainty(true) != Certainty::Joined {
                known.told = None;
            }
        }
    }

    /// A settling up to this slot has ended.
    pub fn settled(&mut self, until: i64) {
        self.settling = None;
        self.settlings += 1;
        let by = self.settlings;
        self.checkpoint = self.checkpoint.max(until);
        for known in self.pods.values_mut() {
            if known.certainty(true) != Certainty::Joined {
                known.told = None;
            }
            known
                .heard
                .iter_mut()
                .for_each(|heard| heard.settled(until, by));
        }
        for heard in self.said.values_mut().flatten() {
            heard.settled(until, by);
        }
    }

    /// How many pods are not certain.
    pub fn uncertain(&self) -> usize {
        let pods = self.pods.values();
        pods.filter(|known| known.loose || known.told.as_ref().is_some_and(|told| told.len() > 1))
            .count()
    }

    /// Any instance, as it stands in answers.
    pub fn some_instance(&self, random: u64) -> Option<&Container> {
        let place = random as usize % self.pods.len().max(1);
        let from = self.pods.values().skip(place);
        let mut told = from.filter_map(|known| known.told.as_ref()?.first());
        let instance = told.find_map(|told| told.instances.first())?;
        Some(&instance.row)
    }

    /// All that was heard of the pods that have the name of this one.
    pub fn describe(&self, cluster: &str, uid: &str) -> Vec<String> {
        let found = self
            .pods
            .iter()
            .find(|((of, _, known), _)| **of == *cluster && super::life::uid_text(*known) == uid);
        let Some(((_, namespace, _), known)) = found else {
            return vec![format!("nothing was heard of {cluster} {uid}")];
        };
        let name = (Text::from(cluster), namespace.clone(), known.name.clone());
        let Some(uids) = self.names.get(&name) else {
            return vec![format!("{uid} has no name")];
        };
        let heard = uids.iter().flat_map(|uid| &self.pod(&name, *uid).heard);
        let mut heard: Vec<&Heard> = heard.collect();
        heard.extend(self.of_name(&name));
        heard.sort_by_key(|heard| heard.fact.event_at);
        let mut lines = vec![format!(
            "{cluster} {uid} {}, checkpoint {}",
            known.name,
            time(self.checkpoint)
        )];
        lines.extend(heard.into_iter().map(Heard::describe));
        lines
    }

    /// Brings the expected answers up to date.
    pub fn tell(&mut self) {
        let names: Vec<_> = self
            .names
            .iter()
            .filter(|(name, uids)| {
                self.of_name(name).next().is_some()
                    || uids.iter().any(|uid| self.pod(name, *uid).told.is_none())
            })
            .map(|(name, uids)| (name.clone(), uids.clone()))
            .collect();
        for (name, uids) in names {
            self.tell_name(&name, &uids);
        }
    }

    fn pod(&self, (cluster, namespace, _): &(Text, Text, Text), uid: u128) -> &Known {
        &self.pods[&(cluster.clone(), namespace.clone(), uid)]
    }

    /// What was said of a name and of its namespace.
    fn of_name(&self, name: &(Text, Text, Text)) -> impl Iterator<Item = &Heard> {
        let space = (name.0.clone(), name.1.clone(), Text::default());
        let said = [self.said.get(name), self.said.get(&space)];
        said.into_iter().flatten().flatten()
    }

    /// How much of that is joined; `None` where that is not certain.
    fn joined(&self, name: &(Text, Text, Text), uids: &BTreeSet<u128>) -> Option<Joined> {
        if self.of_name(name).next().is_none() {
            return Some(Joined::Nothing);
        }
        let all = |held: &dyn Fn(&Heard) -> bool| {
            let mut pods = uids.iter().flat_map(|uid| &self.pod(name, *uid).heard);
            pods.all(held) && self.of_name(name).all(held)
        };
        // What one settling finds out is joined with history by the next.
        if all(&|heard| heard.place == Place::Joined && heard.joined_by < self.settlings) {
            Some(Joined::All)
        } else if self.settling.is_none() && all(&|heard| heard.place == Place::Open) {
            Some(Joined::Asks)
        } else {
            None
        }
    }

    fn tell_name(&mut self, name: &(Text, Text, Text), uids: &BTreeSet<u128>) {
        let folds: BTreeMap<u128, Pod> = uids
            .iter()
            .map(|uid| (*uid, self.pod(name, *uid).fold(|_| true)))
            .collect();
        let certain = uids
            .iter()
            .all(|uid| self.pod(name, *uid).certainty(self.settling.is_some()) != Certainty::None);
        let names_joined = self.joined(name, uids);
        let mut says: Vec<NameFact> = self.of_name(name).filter_map(Heard::said).collect();
        says.sort_by_key(|say| say.at);
        for uid in uids {
            let key = (name.0.clone(), name.1.clone(), *uid);
            let gone = gone_by(&folds, *uid);
            let known = &self.pods[&key];
            let (told, visible) = if let Some(names_joined) = names_joined
                && certain
            {
                let joined = known.certainty(self.settling.is_some()) == Certainty::Joined;
                let proven = gone_without_name(&folds[uid], gone);
                let beyond = Beyond {
                    gone_by: gone,
                    meant: Meant::of(&folds[uid], &says, proven, names_joined),
                    joined,
                    in_part: false,
                };
                let told = tell(&key, &folds[uid], &beyond);
                (vec![Arc::new(told)], BTreeSet::new())
            } else {
                (known.possible(&key, gone, self.settling), known.shown(&key))
            };
            let known = self.pods.get_mut(&key).expect("it was just read");
            known.told = Some(told);
            known.loose = names_joined.is_none();
            known.visible = visible;
        }
    }

    /// Expected rows of `containers`, or of those that overlap the window.
    pub fn containers(
        &self,
        window: Option<Window>,
        wanted: impl Fn(&Container) -> bool,
    ) -> Vec<Expected<'_, Container>> {
        let mut expected = Vec::new();
        for known in self.pods.values() {
            let told = known.told.as_deref().unwrap_or_default();
            let mut by_id: BTreeMap<(&str, &str), Vec<&Life<Container>>> = BTreeMap::new();
            for life in told.iter().flat_map(|told| &told.instances) {
                let id = (&*life.row.container, &*life.row.container_id);
                by_id.entry(id).or_default().push(life);
            }
            let sure = told.len() == 1;
            for lives in by_id.into_values() {
                let row = &lives[0].row;
                let id = (row.container.clone(), row.container_id.clone());
                let visible = sure || known.visible.contains(&id);
                let spans: Vec<(Span, bool)> = lives
                    .iter()
                    .map(|life| (life.span, wanted(&life.row)))
                    .collect();
                let rows = lives.iter().map(|life| &life.row);
                let row = if known.loose {
                    Some(Expected::loose(rows.collect()))
                } else {
                    Expected::of(&spans, window, visible, rows)
                };
                let mut siblings = Vec::new();
                if !sure {
                    let all = told.iter().flat_map(|told| &told.instances);
                    siblings.extend(all.map(|life| &life.row));
                }
                expected.extend(row.map(|row| Expected { siblings, ..row }));
            }
        }
        expected
    }

    /// Expected rows of `pods`, or of those that overlap the window.
    pub fn pods(
        &self,
        window: Option<Window>,
        wanted: impl Fn(&PodRow) -> bool,
    ) -> Vec<Expected<'_, PodRow>> {
        let mut expected = Vec::new();
        for known in self.pods.values() {
            let told = known.told.as_deref().unwrap_or_default();
            let spans: Vec<(Span, bool)> = told
                .iter()
                .map(|told| (told.pod.span, wanted(&told.pod.row)))
                .collect();
            let rows = told.iter().map(|told| &told.pod.row);
            if known.loose && !told.is_empty() {
                expected.push(Expected::loose(rows.collect()));
                continue;
            }
            expected.extend(Expected::of(&spans, window, known.is_visible(), rows));
        }
        expected
    }

    /// Expected rows of `pods_with_ip`.
    pub fn pods_with_ip(
        &self,
        cluster: &str,
        ip: std::net::Ipv6Addr,
        window: Window,
    ) -> Vec<Expected<'_, PodRow>> {
        let mut expected = Vec::new();
        for ((of, ..), known) in &self.pods {
            if **of != *cluster {
                continue;
            }
            let told = known.told.as_deref().unwrap_or_default();
            let spans: Vec<(Span, bool)> = told
                .iter()
                .map(|told| {
                    let lease = told.leases.iter().find(|(leased, _)| *leased == ip);
                    lease.map_or((told.pod.span, false), |(_, span)| (*span, true))
                })
                .collect();
            let rows = told.iter().map(|told| &told.pod.row);
            if known.loose && !told.is_empty() {
                expected.push(Expected::loose(rows.collect()));
                continue;
            }
            expected.extend(Expected::of(&spans, Some(window), known.is_visible(), rows));
        }
        expected
    }
}

/// When pods of the same name prove that `uid` was gone. A name is unique at one time; the creation of
/// another one is known to the second, and had happened when that was over.
fn gone_by(folds: &BTreeMap<u128, Pod>, uid: u128) -> Option<i64> {
    let start = start_of(&folds[&uid]);
    let others = folds.iter().filter(|(other, _)| **other != uid);
    others
        .map(|(_, pod)| i64::from(pod.created_at) * SECOND)
        .filter(|created| *created != 0 && *created > start)
        .map(|created| created + SECOND)
        .min()
}

impl Heard {
    /// A settling up to this slot has read it, or will see it.
    fn settled(&mut self, until: i64, by: u32) {
        match self.place {
            Place::Open if self.slot < until => {
                self.place = Place::Joined;
                self.joined_by = by;
            }
            Place::Hidden => {
                self.place = Place::Open;
                self.slot = until;
                self.late = true;
            }
            Place::Open | Place::Joined => {}
        }
    }

    fn said(&self) -> Option<NameFact> {
        match &self.fact.about {
            About::Name(said) => Some((**said).clone()),
            _ => None,
        }
    }

    /// One line; times of days are enough.
    fn describe(&self) -> String {
        let (slot, at) = (time(self.slot), time(self.fact.event_at));
        let late = if self.late { "late" } else { "timely" };
        let uid = (self.fact.pod_uid >> 96) as u32;
        let (slot, at) = (&slot[8..16], &at[8..23]);
        format!(
            "{uid:08x} at {at} slot {slot} {late} {:?}: {}",
            self.place,
            what(&self.fact)
        )
    }
}

fn what(fact: &Fact) -> String {
    match &fact.about {
        About::Pod(pod) => {
            let mut said: Vec<String> = vec![pod.phase.to_string()];
            said.extend(pod.created_by.is_some().then(|| "create".to_owned()));
            said.extend((pod.scheduled_at != 0).then(|| "bind".to_owned()));
            said.extend(
                pod.delete_asked
                    .is_some()
                    .then(|| "delete asked".to_owned()),
            );
            said.extend((pod.not_after != 0).then(|| "gone".to_owned()));
            said.extend(pod.disrupted.as_ref().map(|(_, why)| why.to_string()));
            said.extend((pod.removed_at != 0).then(|| "removed".to_owned()));
            said.extend(pod.labels.as_ref().map(|labels| format!("{labels:?}")));
            said.extend((!pod.ips.is_empty()).then(|| format!("{:?}", pod.ips)));
            format!("pod, created {} {}", pod.created_at, said.join(", "))
        }
        About::Name(said) => format!(
            "{:?} {} by {} at {}",
            said.pod,
            said.what,
            said.user,
            time(said.at)
        ),
        About::Instance(told) => {
            let id = told.key[0];
            let ended = told
                .ended
                .as_ref()
                .map(|ended| (ended.finished_at, ended.exit_code));
            let (container, restart, started) = (&told.container, told.restart, told.started_at);
            format!("{container} {id:02x} restart {restart} started {started} ended {ended:?}")
        }
    }
}

impl Known {
    fn fold(&self, which: impl Fn(&Heard) -> bool) -> Pod {
        let mut pod = Pod::default();
        for heard in self.heard.iter().filter(|heard| which(heard)) {
            pod.add(&heard.fact, !heard.late);
        }
        pod
    }

    fn certainty(&self, settling: bool) -> Certainty {
        let all = |held: fn(&Heard) -> bool| self.heard.iter().all(held);
        if all(|heard| heard.place == Place::Joined || (heard.place == Place::Open && !heard.late))
        {
            Certainty::Joined
        } else if !settling && all(|heard| heard.place == Place::Open) {
            Certainty::Open
        } else {
            Certainty::None
        }
    }

    /// What parts of the facts say.
    fn possible(&self, key: &PodKey, gone: Option<i64>, settling: Option<i64>) -> Vec<Arc<Told>> {
        let parts: [&dyn Fn(&Heard) -> bool; 5] = [
            &|_| true,
            &|heard| heard.place == Place::Joined || (heard.place == Place::Open && !heard.late),
            &|heard| heard.place == Place::Open,
            &|heard| heard.place != Place::Hidden,
            // What the settling that runs joins; what came after it began may be late and not yet joined.
            &|heard| {
                heard.place == Place::Joined
                    || settling
                        .is_some_and(|until| heard.place == Place::Open && heard.slot < until)
            },
        ];
        let mut told = Vec::new();
        for part in parts {
            let pod = self.fold(part);
            if pod.seen.first == i64::MAX || pod.name.is_empty() {
                continue;
            }
            for gone_by in [gone, None] {
                for (joined, in_part) in [(true, false), (false, false), (false, true)] {
                    let beyond = Beyond {
                        gone_by,
                        joined,
                        in_part,
                        ..Beyond::default()
                    };
                    told.push(Arc::new(tell(key, &pod, &beyond)));
                }
            }
        }
        told
    }

    fn is_visible(&self) -> bool {
        self.heard.iter().any(|heard| {
            let is_named = matches!(&heard.fact.about, About::Pod(pod) if !pod.pod.is_empty());
            is_named && heard.place != Place::Hidden
        })
    }

    fn shown(&self, key: &PodKey) -> BTreeSet<(String, String)> {
        let visible = self.fold(|heard| heard.place != Place::Hidden);
        let told = tell(key, &visible, &Beyond::default());
        let rows = told.instances.into_iter().map(|life| life.row);
        rows.map(|row| (row.container, row.container_id)).collect()
    }
}
