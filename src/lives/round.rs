//! One look at what is known of some names: what is missing, and the rows that come of it.

use std::collections::{BTreeMap, BTreeSet};

use super::Name;
use super::read::{self, InstanceRow, LogRow, PodRow, SaidRow, Wanted};
use crate::fold::{self, Fold, LoggedFact, MAY_BE_FILED_SECONDS, Sayings, StoredPod};

/// What was read of the names.
#[derive(Debug, Default)]
pub(super) struct Known {
    pub log: Option<Vec<LogRow>>,
    pub recent: Option<Vec<PodRow>>,
    pub ended: Option<Vec<PodRow>>,
    pub said: Option<Vec<SaidRow>>,
    pub instances: Vec<InstanceRow>,
    /// The pods whose instances were asked for.
    pub recalled: BTreeSet<Wanted>,
    pub read_at: Option<u32>,
}

/// What the log says of a scope: the highest place of it, and whether some of it came late.
#[derive(Default)]
struct Scoped {
    place: u64,
    late: bool,
}

/// One look at what is known of some names.
pub(super) struct Round<'k> {
    pub folds: BTreeMap<&'k Name, Fold<'k>>,
    /// Of which something came late.
    late: BTreeSet<&'k Name>,
    known: &'k Known,
    read_at: u32,
    pub refused: Vec<(Name, String)>,
}

impl<'k> Round<'k> {
    pub fn new(names: &'k [Name], scopes: &'k [Name], known: &'k Known, read_at: u32) -> Round<'k> {
        let folds = names.iter().map(|name| {
            let fold = Fold::new(&name.cluster, &name.namespace, &name.pod);
            (name, fold)
        });
        let mut round = Round {
            folds: folds.collect(),
            late: BTreeSet::new(),
            known,
            read_at,
            refused: Vec::new(),
        };
        let scopes: BTreeSet<&Name> = scopes.iter().collect();
        let mut said: BTreeMap<Name, Scoped> = BTreeMap::new();
        for row in known.log.iter().flatten() {
            let name = row.name();
            if scopes.contains(&name) {
                let scoped = said.entry(name).or_default();
                scoped.place = scoped.place.max(row.place);
                scoped.late |= row.late != 0;
            } else {
                round.add_fact(&name, row);
            }
        }
        for row in known.recent.iter().chain(&known.ended).flatten() {
            round.add(&row.name(), |fold| {
                fold.add_stored(StoredPod {
                    pod_uid: row.pod_uid.as_u128(),
                    version: row.version,
                    read_at: row.read_at,
                    over_at: row.over_at,
                    last_seen: row.last_seen,
                    returned: row.returned != 0,
                    judged: row.judged,
                    copied: row.copied,
                    state: &row.state,
                })
            });
        }
        round.add_scopes(&said);
        round
    }

    /// Adds what was said of scopes, when all that is known of the names was added: which nodes they have.
    fn add_scopes(&mut self, said: &BTreeMap<Name, Scoped>) {
        if said.is_empty() {
            return;
        }
        let late_nodes = said
            .iter()
            .filter(|(scope, scoped)| scope.is_node() && scoped.late);
        let late_nodes: BTreeSet<&str> = late_nodes.map(|(scope, _)| &*scope.cluster).collect();
        for (name, fold) in &mut self.folds {
            let nodes = fold.nodes().map(|node| name.of_node(node));
            let scopes: Vec<Name> = nodes.chain([name.of_namespace()]).collect();
            // Pods that were filed are not known yet: any of the cluster may be one of that node.
            let mut is_late = late_nodes.contains(&*name.cluster);
            for scoped in scopes.iter().filter_map(|scope| said.get(scope)) {
                is_late |= scoped.late;
                fold.add_place(scoped.place);
            }
            if is_late {
                self.late.insert(name);
            }
        }
    }

    /// Adds a fact about a name.
    fn add_fact(&mut self, name: &Name, row: &'k LogRow) {
        if row.late != 0
            && let Some((name, _)) = self.folds.get_key_value(name)
        {
            self.late.insert(name);
        }
        self.add(name, |fold| {
            fold.add_fact(&LoggedFact {
                pod_uid: row.pod_uid.as_u128(),
                event_at: row.event_at,
                late: row.late != 0,
                place: row.place,
                body: &row.body,
            })
        });
    }

    /// Adds to the fold of a name; a name that can't be folded is set aside.
    fn add(&mut self, name: &Name, add: impl FnOnce(&mut Fold<'k>) -> Result<(), fold::Error>) {
        let Some(fold) = self.folds.get_mut(name) else {
            return;
        };
        if let Err(failure) = add(fold) {
            self.folds.remove(name);
            self.refused.push((name.clone(), failure.to_string()));
        }
    }

    /// Names that may have had pods that were filed, and that these bear on.
    pub fn may_be_filed(&self) -> Vec<Name> {
        let second = self.read_at.saturating_sub(MAY_BE_FILED_SECONDS);
        let may = self
            .folds
            .iter()
            .filter(|(name, fold)| self.late.contains(*name) || fold.may_be_filed(second));
        may.map(|(name, _)| (*name).clone()).collect()
    }

    /// The names, with their namespaces and their nodes.
    pub fn about(&self) -> Vec<Name> {
        let mut about: Vec<Name> = Vec::new();
        for (name, fold) in &self.folds {
            about.push((*name).clone());
            about.push(name.of_namespace());
            about.extend(fold.nodes().map(|node| name.of_node(node)));
        }
        about.sort_unstable();
        about.dedup();
        about
    }

    /// The rows that changed; or which instances have to be read before that can be said.
    pub fn rows(&mut self) -> (fold::Rows<'k>, Vec<Wanted>) {
        let said = read::sayings(self.known.said.as_deref().unwrap_or_default());
        let instances = read::by_pod(&self.known.instances);
        let mut changed = fold::Rows::default();
        let mut wanted = Vec::new();
        for (name, fold) in &mut self.folds {
            recall(name, fold, self.known, &instances);
            match fold.rows(&said_of(&said, name, fold), self.read_at) {
                Ok(rows) => {
                    changed.containers.extend(rows.containers);
                    changed.pods.extend(rows.pods);
                    changed.unchanged += rows.unchanged;
                }
                Err(missing) => {
                    wanted.extend(missing.into_iter().map(|uid| ((*name).clone(), uid)));
                }
            }
        }
        (changed, wanted)
    }
}

/// Gives a fold the instances that were read for it.
fn recall<'k>(
    name: &Name,
    fold: &mut Fold<'k>,
    known: &Known,
    instances: &BTreeMap<(&str, u128), Vec<&'k InstanceRow>>,
) {
    for uid in fold.uids().collect::<Vec<_>>() {
        if !known.recalled.contains(&(name.clone(), uid)) {
            continue;
        }
        let rows = instances.get(&(&*name.cluster, uid)).into_iter().flatten();
        fold.recall(uid, rows.map(|row| row.stored()));
    }
}

/// Picks what was said of a name out of what was said of all.
fn said_of<'k>(said: &read::Sayings<'k>, name: &Name, fold: &Fold<'k>) -> Sayings<'k> {
    let of = |namespace: &str, name_: &str| {
        let key = (&*name.cluster, namespace, name_);
        said.get(&key).cloned().unwrap_or_default()
    };
    let nodes = fold.nodes().map(|node| (node, of("", node)));
    Sayings {
        of_name: of(&name.namespace, &name.pod),
        of_namespace: of(&name.namespace, ""),
        of_nodes: nodes.filter(|(_, said)| !said.is_empty()).collect(),
    }
}
