//! All facts, and the answers.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Window;
use super::answer::{Container, Pod as PodRow};
use super::described::Gap;
use super::fold::Pod;
use super::life::{Beyond, Life, Told, start_of, tell, uid_text};
use super::names::is_about;
use super::views::time;
use crate::lives::fact::{About, Fact, NameFact};
use crate::lives::{MINUTE, SECOND, Text};

/// Cluster, namespace and name; of a namespace without a name, of a node without a namespace.
type Name = (Text, Text, Text);

/// All facts that were ever stored.
#[derive(Default)]
pub struct Oracle {
    names: BTreeMap<Name, Known>,
    /// What was said of names, namespaces and nodes.
    said: BTreeMap<Name, Vec<Arc<Fact>>>,
}

/// The pods that had a name.
#[derive(Default)]
struct Known {
    pods: BTreeMap<u128, (Pod, Vec<Heard>)>,
    told: BTreeMap<u128, Told>,
}

struct Heard {
    fact: Arc<Fact>,
    late: bool,
}

impl Oracle {
    /// A fact was stored; `late`: over five minutes after its event.
    pub fn hear(&mut self, fact: &Arc<Fact>, late: bool) {
        let name = (
            fact.cluster.clone(),
            fact.namespace.clone(),
            fact.pod.clone(),
        );
        if let About::Name(_) = &fact.about {
            self.said.entry(name).or_default().push(fact.clone());
            return;
        }
        let known = self.names.entry(name).or_default();
        let (pod, heard) = known.pods.entry(fact.pod_uid).or_default();
        pod.add(fact, !late);
        let fact = fact.clone();
        heard.push(Heard { fact, late });
    }

    /// Brings the answers up to date.
    pub fn tell(&mut self) {
        let said = &self.said;
        for (name, known) in &mut self.names {
            known.tell(name, said);
        }
    }

    /// Forgets what the table `said` does not keep: of what is said of one name again and again only the first and the
    /// last of a minute count.
    pub fn thin(&mut self) {
        for facts in self.said.values_mut() {
            let mut kept: BTreeMap<NameFact, (i64, i64)> = BTreeMap::new();
            for said in facts.iter().filter_map(|fact| fact_said(fact)) {
                let (first, last) = kept.entry(minute_of(said)).or_insert((said.at, said.at));
                (*first, *last) = (said.at.min(*first), said.at.max(*last));
            }
            facts.retain(|fact| {
                fact_said(fact).is_none_or(|said| {
                    let (first, last) = kept[&minute_of(said)];
                    !FREQUENT.contains(&said.what) || said.at == first || said.at == last
                })
            });
        }
    }

    /// Any instance, as it stands in answers.
    pub fn some_instance(&self, random: u64) -> Option<&Container> {
        let place = random as usize % self.told().count().max(1);
        let mut told = self.told().skip(place);
        let (_, instance) = told.find_map(|told| told.instances.first())?;
        Some(&instance.row)
    }

    /// All lives, with what the rows leave out.
    pub fn told(&self) -> impl Iterator<Item = &Told> {
        self.names.values().flat_map(|known| known.told.values())
    }

    /// All that was heard of the pods that have the name of this one.
    pub fn describe(&self, cluster: &str, uid: &str) -> Vec<String> {
        let found = self.names.iter().find(|((of, ..), known)| {
            **of == *cluster && known.pods.keys().any(|known| uid_text(*known) == uid)
        });
        let Some((name, known)) = found else {
            return vec![format!("nothing was heard of {cluster} {uid}")];
        };
        let pods = known.pods.values();
        let mut heard: Vec<(&Fact, bool)> = pods
            .clone()
            .flat_map(|(_, heard)| heard)
            .map(|heard| (&*heard.fact, heard.late))
            .collect();
        let nodes = pods.map(|(pod, _)| &pod.node);
        let places = places(name)
            .into_iter()
            .chain(nodes.map(|node| of_node(name, node)));
        for place in places {
            let said = self.said.get(&place).into_iter().flatten();
            heard.extend(said.map(|fact| (&**fact, false)));
        }
        heard.sort_by_key(|(fact, _)| fact.event_at);
        let mut lines = vec![format!("{cluster} {uid} {}", name.2)];
        lines.extend(heard.into_iter().map(|(fact, late)| describe(fact, late)));
        lines
    }

    /// Rows of `containers`, or of those that overlap the window.
    pub fn containers(
        &self,
        window: Option<Window>,
        wanted: impl Fn(&Container) -> bool,
    ) -> Vec<&Container> {
        let all = self.told().flat_map(|told| &told.instances);
        let all = all.map(|(_, life)| life);
        rows(all, window).filter(|row| wanted(row)).collect()
    }

    /// Rows of `pods`, or of those that overlap the window.
    pub fn pods(&self, window: Option<Window>, wanted: impl Fn(&PodRow) -> bool) -> Vec<&PodRow> {
        let all = self.told().map(|told| &told.pod);
        rows(all, window).filter(|row| wanted(row)).collect()
    }

    /// Rows of `pods_with_ip`.
    pub fn pods_with_ip(
        &self,
        cluster: &str,
        ip: std::net::Ipv6Addr,
        window: Window,
    ) -> Vec<&PodRow> {
        let had_it = self.told().filter(|told| {
            let mut leases = told.leases.iter();
            let has_it_not = |(of, from, until): &Gap| {
                let until = until.map_or(i64::MAX, |until| until * 1_000);
                *of == ip && from * 1_000 <= window.since && window.until <= until
            };
            told.pod.row.cluster == cluster
                && leases.any(|(leased, span)| *leased == ip && span.overlaps(window))
                && !told.gaps.iter().any(has_it_not)
        });
        had_it.map(|told| &told.pod.row).collect()
    }
}

fn rows<'r, R: 'r>(
    lives: impl Iterator<Item = &'r Life<R>>,
    window: Option<Window>,
) -> impl Iterator<Item = &'r R> {
    let within = lives.filter(move |life| window.is_none_or(|window| life.span.overlaps(window)));
    within.map(|life| &life.row)
}

/// A name, and its namespace.
fn places(name: &Name) -> [Name; 2] {
    [
        name.clone(),
        (name.0.clone(), name.1.clone(), Text::default()),
    ]
}

fn of_node(name: &Name, node: &Text) -> Name {
    (name.0.clone(), Text::default(), node.clone())
}

impl Known {
    fn tell(&mut self, name: &Name, said: &BTreeMap<Name, Vec<Arc<Fact>>>) {
        let of = |place: &Name| {
            said.get(place)
                .into_iter()
                .flatten()
                .filter_map(|fact| fact_said(fact))
        };
        let mut says: Vec<&NameFact> = places(name).iter().flat_map(of).collect();
        says.sort();
        let of_namespace: Vec<&NameFact> = of(&places(name)[1]).collect();
        self.told.clear();
        for (uid, (pod, _)) in &self.pods {
            let key = (name.0.clone(), name.1.clone(), name.2.clone(), *uid);
            let of_node = match pod.node.is_empty() {
                true => Vec::new(),
                false => of(&of_node(name, &pod.node)).collect(),
            };
            let says = says.iter().copied().filter(|say| is_about(say, *uid, pod));
            let beyond = Beyond {
                replaced: replaced(&self.pods, *uid),
                says: says.collect(),
                of_namespace: of_namespace.clone(),
                of_node,
            };
            self.told.insert(*uid, tell(&key, pod, &beyond));
        }
    }
}

/// When pods of the same name prove that `uid` was gone. A name is unique at one time; the creation of
/// another one is known to the second, and had happened when that was over.
fn replaced(pods: &BTreeMap<u128, (Pod, Vec<Heard>)>, uid: u128) -> Option<i64> {
    let start = start_of(&pods[&uid].0);
    let others = pods.iter().filter(|(other, _)| **other != uid);
    others
        .map(|(_, (pod, _))| i64::from(pod.created_at) * SECOND)
        .filter(|created| *created != 0 && *created > start)
        .map(|created| created + SECOND)
        .min()
}

/// What is said of one name again and again.
const FREQUENT: [&str; 4] = ["status", "gone", "truncated", "unresolved"];

/// The same for all that is said within a minute.
fn minute_of(said: &NameFact) -> NameFact {
    NameFact {
        at: said.at.div_euclid(MINUTE),
        ..said.clone()
    }
}

fn fact_said(fact: &Fact) -> Option<&NameFact> {
    match &fact.about {
        About::Name(said) => Some(said),
        _ => None,
    }
}

/// One line; times of days are enough.
pub fn describe(fact: &Fact, late: bool) -> String {
    let at = &time(fact.event_at)[8..];
    let late = if late { "late" } else { "timely" };
    let of = match fact.pod_uid {
        0 => format!("{}/{}", fact.namespace, fact.pod),
        uid => format!("{} {:08x}", fact.pod, (uid >> 96) as u32),
    };
    format!("{at} {late:6} {of}: {}", what(fact))
}

fn what(fact: &Fact) -> String {
    match &fact.about {
        About::Pod(pod) => {
            let mut said: Vec<String> = vec![pod.phase.to_string()];
            let words = [
                (pod.created_by.is_some(), "create"),
                (pod.scheduled_at != 0, "bind"),
                (pod.delete_asked.is_some(), "delete asked"),
                (pod.evict_asked.is_some(), "evict asked"),
                (pod.force_asked.is_some(), "force asked"),
                (pod.removed_at != 0, "removed"),
                (pod.truncated, "truncated"),
            ];
            let held = words.into_iter().filter(|(holds, _)| *holds);
            said.extend(held.map(|(_, word)| word.to_owned()));
            said.extend(pod.disrupted.as_ref().map(|(_, why)| why.to_string()));
            said.extend((!pod.reason.is_empty()).then(|| pod.reason.to_string()));
            said.extend(pod.labels.as_ref().map(|labels| format!("{labels:?}")));
            said.extend((!pod.ips.is_empty()).then(|| format!("{:?}", pod.ips)));
            let (node, restarts) = (&pod.node, &pod.restarts);
            format!(
                "pod on {node:?}, created {} {restarts:?} {}",
                pod.created_at,
                said.join(", ")
            )
        }
        About::Name(said) => format!(
            "{} {} by {} at {} uid {:x}",
            said.what,
            said.selector,
            said.user,
            time(said.at),
            said.uid >> 96
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
