//! One look at some names: what was read of them so far, what is missing, and the rows that come of it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::Name;
use super::read::{self, InstanceRow, LogRow, PodRow, SaidRow, Wanted};
use crate::fold::{self, Fold, LoggedFact, MAY_BE_FILED_SECONDS, NameEvents, StoredPod};

/// Cluster, namespace and pod: a name as rows have it.
type Key<'k> = (&'k str, &'k str, &'k str);

/// The log of a scope: its highest position, and whether some of it was late.
#[derive(Debug, Default)]
struct Scoped {
    place: u64,
    late: bool,
}

/// One name.
#[derive(Debug)]
struct Folding<'k> {
    name: &'k Name,
    fold: Fold<'k>,
    /// Whether something came late.
    late: bool,
    /// Why it can't be folded.
    refused: Option<String>,
}

/// One look at some names.
#[derive(Debug, Default)]
pub(super) struct Round<'k> {
    /// By name.
    folds: Vec<Folding<'k>>,
    /// Where each of them is.
    indexes: HashMap<Key<'k>, usize>,
    /// Those of the scopes.
    scopes: BTreeMap<Key<'k>, Scoped>,
    pub has_log: bool,
    pub has_recent: bool,
    pub has_ended: bool,
    pub said: Option<read::NameEvents<'k>>,
    /// The server's time before the first of it was read; seconds.
    pub read_at: Option<u32>,
    /// The newest version of each pod that was read, by its uid.
    pub versions: BTreeMap<u128, u64>,
}

impl<'k> Round<'k> {
    pub fn new(names: &[&'k Name], scopes: &'k [Name], raced: bool) -> Round<'k> {
        let folds = names.iter().map(|name| {
            let mut fold = Fold::new(&name.cluster, &name.namespace, &name.pod);
            if raced {
                fold.raced();
            }
            Folding {
                name,
                fold,
                late: false,
                refused: None,
            }
        });
        let indexes = names.iter().map(|name| name.key()).zip(0..);
        let scopes = scopes.iter().map(|scope| (scope.key(), Scoped::default()));
        Round {
            folds: folds.collect(),
            indexes: indexes.collect(),
            scopes: scopes.collect(),
            ..Round::default()
        }
    }

    /// Adds facts about names, and about their scopes.
    pub fn add_log(&mut self, rows: &'k [LogRow]) {
        self.has_log = true;
        self.read_at = rows.first().map(|row| row.read_at);
        let mut last = None;
        for row in rows {
            let key = (&*row.cluster, &*row.namespace, &*row.pod);
            if let Some(scoped) = self.scopes.get_mut(&key) {
                scoped.place = scoped.place.max(row.place);
                scoped.late |= row.late != 0;
                continue;
            }
            // Rows of one name are mostly adjacent.
            let at = match last {
                Some((last, at)) if last == key => Some(at),
                _ => self.indexes.get(&key).copied(),
            };
            let Some(at) = at else { continue };
            last = Some((key, at));
            let folding = &mut self.folds[at];
            folding.late |= row.late != 0;
            let fact = LoggedFact {
                pod_uid: row.pod_uid.as_u128(),
                event_at: row.event_at,
                late: row.late != 0,
                place: row.place,
                body: &row.body,
            };
            let added = folding.fold.add_fact(&fact);
            folding.note(added);
        }
    }

    /// Adds recent lives.
    pub fn add_recent(&mut self, rows: &'k [PodRow]) {
        self.has_recent = true;
        let asked_at = rows.first().map(|row| row.asked_at);
        self.read_at = self.read_at.or(asked_at);
        self.add_pods(rows);
    }

    /// Adds lives that were filed.
    pub fn add_ended(&mut self, rows: &'k [PodRow]) {
        self.has_ended = true;
        self.add_pods(rows);
    }

    fn add_pods(&mut self, rows: &'k [PodRow]) {
        for row in rows {
            let version = self.versions.entry(row.pod_uid.as_u128()).or_default();
            *version = row.version.max(*version);
            let key = (&*row.cluster, &*row.namespace, &*row.pod);
            let Some(at) = self.indexes.get(&key) else {
                continue;
            };
            let folding = &mut self.folds[*at];
            let added = folding.fold.add_stored(StoredPod {
                pod_uid: row.pod_uid.as_u128(),
                version: row.version,
                read_at: row.read_at,
                over_at: row.over_at,
                last_seen: row.last_seen,
                returned: row.returned != 0,
                judged: row.judged,
                copied: row.copied,
                state: &row.state,
            });
            folding.note(added);
        }
        self.add_scopes();
    }

    /// Adds the events about scopes to the names whose nodes are known.
    fn add_scopes(&mut self) {
        if self.scopes.is_empty() {
            return;
        }
        let late = self
            .scopes
            .iter()
            .filter(|((_, namespace, _), scoped)| namespace.is_empty() && scoped.late);
        let late_nodes: BTreeSet<&str> = late.map(|((cluster, ..), _)| *cluster).collect();
        for folding in &mut self.folds {
            let (cluster, namespace, _) = folding.name.key();
            let nodes = folding.fold.nodes().map(|node| (cluster, "", node));
            let scopes: Vec<Key> = nodes.chain([(cluster, namespace, "")]).collect();
            // Pods that were filed are not known yet: any of the cluster may be one of that node.
            folding.late |= late_nodes.contains(cluster);
            for scoped in scopes.iter().filter_map(|scope| self.scopes.get(scope)) {
                folding.late |= scoped.late;
                folding.fold.add_place(scoped.place);
            }
        }
    }

    /// Adds the events about names, namespaces and nodes.
    pub fn add_said(&mut self, rows: &'k [SaidRow]) {
        self.said = Some(read::name_events(rows));
    }

    /// Adds all instances that some pods have pruned.
    pub fn add_instances(&mut self, pods: &[Wanted], rows: &'k [InstanceRow]) {
        let mut by_pod: BTreeMap<(&str, u128), Vec<&InstanceRow>> = BTreeMap::new();
        for row in rows {
            let key = (&*row.cluster, row.pod_uid.as_u128());
            by_pod.entry(key).or_default().push(row);
        }
        for (name, uid) in pods {
            let Some(at) = self.indexes.get(&name.key()) else {
                continue;
            };
            let rows = by_pod.get(&(&*name.cluster, *uid)).into_iter().flatten();
            self.folds[*at]
                .fold
                .recall(*uid, rows.map(|row| row.stored()));
        }
    }

    fn open(&self) -> impl Iterator<Item = &Folding<'k>> {
        self.folds.iter().filter(|it| it.refused.is_none())
    }

    /// Names that may have had pods that were filed, and that these bear on.
    pub fn may_be_filed(&self, read_at: u32) -> Vec<Name> {
        let second = read_at.saturating_sub(MAY_BE_FILED_SECONDS);
        let may = self
            .open()
            .filter(|it| it.late || it.fold.may_be_filed(second));
        may.map(|it| it.name.clone()).collect()
    }

    /// The names, with their namespaces and their nodes.
    pub fn about(&self) -> Vec<Name> {
        let mut about: BTreeSet<Key> = BTreeSet::new();
        for folding in self.open() {
            let (cluster, namespace, pod) = folding.name.key();
            about.extend([(cluster, namespace, pod), (cluster, namespace, "")]);
            about.extend(folding.fold.nodes().map(|node| (cluster, "", node)));
        }
        about.into_iter().map(Name::of_key).collect()
    }

    /// The rows that changed; or the instances that have to be read first.
    pub fn rows(&self, read_at: u32) -> (fold::Rows<'k>, Vec<Wanted>) {
        let mut changed = fold::Rows::default();
        let mut wanted = Vec::new();
        for folding in self.open() {
            let name_events = self.name_events_of(folding);
            match folding.fold.rows(&name_events, read_at) {
                Ok(rows) => {
                    changed.containers.extend(rows.containers);
                    changed.pods.extend(rows.pods);
                    changed.unchanged += rows.unchanged;
                }
                Err(missing) => {
                    let missing = missing.into_iter().map(|uid| (folding.name.clone(), uid));
                    wanted.extend(missing);
                }
            }
        }
        (changed, wanted)
    }

    /// The names that can't be folded, and why.
    pub fn refused(&self) -> Vec<(Name, String)> {
        let refused = self
            .folds
            .iter()
            .filter_map(|it| Some((it.name.clone(), it.refused.clone()?)));
        refused.collect()
    }

    /// Selects the events about a name from all of them.
    fn name_events_of(&self, folding: &Folding<'k>) -> NameEvents<'k> {
        let (cluster, namespace, pod) = folding.name.key();
        let of = |key: Key| {
            let said = self.said.as_ref().and_then(|said| said.get(&key));
            said.cloned().unwrap_or_default()
        };
        let nodes = folding.fold.nodes();
        let nodes = nodes.map(|node| (node, of((cluster, "", node))));
        NameEvents {
            of_name: of((cluster, namespace, pod)),
            of_namespace: of((cluster, namespace, "")),
            of_nodes: nodes.filter(|(_, said)| !said.is_empty()).collect(),
        }
    }
}

impl Folding<'_> {
    /// A name that can't be folded is set aside.
    fn note(&mut self, added: Result<(), fold::Error>) {
        if let Err(failure) = added {
            self.refused.get_or_insert(failure.to_string());
        }
    }
}
