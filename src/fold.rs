//! The fold: from facts about the pods that had one name to the rows of their lives.
//!
//! In: facts from the log, all stored versions of the rows of these lives, and the events about the name, its
//! namespace and its nodes (table `said`). Out: the rows that have changed.
//!
//! Facts about a uid are merged (`life`) in any order, any number of times. A stored row carries the merged state, so
//! folded facts may be dropped. Events about names are evaluated again each time (`names`), as is what other pods of
//! the name prove (`judge`).
//!
//! Never here: I/O, a clock, SQL. Time comes in as a value.

mod addresses;
pub mod bucket;
mod columns;
mod described;
mod group;
mod instance;
mod judge;
pub mod life;
mod merge;
mod names;
mod past;
pub mod prune;
mod row;
mod runs;
mod state;
mod stored;
#[cfg(test)]
mod tests;
mod why;

use std::collections::{BTreeMap, BTreeSet};

use crate::rows::{ContainerRow, NEVER, PodRow, Said, Seconds, UnreadableBody, pieces};
use group::{NONE, runs};
use instance::Instance;
use judge::{Judged, Name};
use life::{Arrival, InstanceKey, Life};
use prune::INSTANCES_KEPT;
use row::Whole;
pub use state::UnreadableState;
pub use stored::{LoggedFact, StoredInstance, StoredPod};

/// All events about a name, its namespace and its nodes.
#[derive(Clone, Debug, Default)]
pub struct NameEvents<'a> {
    pub of_name: Vec<Said<'a>>,
    pub of_namespace: Vec<Said<'a>>,
    /// By the name of the node.
    pub of_nodes: BTreeMap<&'a str, Vec<Said<'a>>>,
}

/// Rows that have changed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rows<'a> {
    pub pods: Vec<PodRow<'a>>,
    pub containers: Vec<ContainerRow<'a>>,
    /// How many of them are stored just so, and are written because of a race: see [`Fold::raced`].
    pub unchanged: u64,
}

/// What the rows of a life are made of.
#[derive(Clone, Copy)]
struct Known<'k, 'a> {
    judged: &'k Judged<'a>,
    whole: Whole<'k, 'a>,
    /// What the rows of its instances repeat of the pod, they have already.
    is_copied: bool,
}

/// Why a name can't be folded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    State(#[from] UnreadableState),
    #[error(transparent)]
    Fact(#[from] UnreadableBody),
}

/// A life without changes for this long may have been filed, in seconds: three minutes less than reconcile waits,
/// because a row may be written two minutes after its sources were read.
pub const MAY_BE_FILED_SECONDS: u32 = 540;

/// Container and key of an instance's row.
type RowKey<'a> = (&'a str, [u8; 32]);

/// The fold of one name.
#[derive(Clone, Debug, Default)]
pub struct Fold<'a> {
    cluster: &'a str,
    namespace: &'a str,
    pod: &'a str,
    /// Boxed, as below: a node of the map has room for eleven, and most names have one.
    lives: BTreeMap<u128, Box<Life<'a>>>,
    /// The newest version of each that is stored.
    stored: BTreeMap<u128, Box<(StoredPod<'a>, Life<'a>)>>,
    /// The highest place of a fact about any of it.
    place: u64,
    /// The instances of pods whose rows were read, with the version of the newest: see [`Fold::recall`].
    recalled: BTreeMap<u128, BTreeMap<InstanceKey<'a>, (u64, Box<Instance<'a>>)>>,
    /// The rows of instances that any stored version had: containers and keys, with the newest such version.
    had: BTreeMap<u128, BTreeMap<RowKey<'a>, u64>>,
    raced: bool,
}

impl<'a> Fold<'a> {
    pub fn new(cluster: &'a str, namespace: &'a str, pod: &'a str) -> Fold<'a> {
        Fold {
            cluster,
            namespace,
            pod,
            ..Fold::default()
        }
    }

    /// Adds a fact. A fact about the name alone only counts by its position in the log: its content comes with
    /// [`NameEvents`].
    ///
    /// # Errors
    ///
    /// Where this build can't read it.
    pub fn add_fact(&mut self, fact: &LoggedFact<'a>) -> Result<(), Error> {
        self.place = self.place.max(fact.place);
        if fact.pod_uid == 0 {
            return Ok(());
        }
        let arrival = Arrival {
            event_at: fact.event_at,
            late: fact.late,
        };
        let life = self.lives.entry(fact.pod_uid).or_default();
        for piece in &pieces(fact.body)? {
            life.add(piece, arrival);
        }
        Ok(())
    }

    /// Counts the place of a fact about the scope of the name: its namespace, or a node.
    pub fn add_place(&mut self, place: u64) {
        self.place = self.place.max(place);
    }

    /// Marks that several processes may have written rows of this name at once. Then the pod's row does not tell
    /// which rows count: the other process may have written rows of instances that its own newer row of the pod does
    /// not include. So all rows are written again.
    pub fn raced(&mut self) {
        self.raced = true;
    }

    /// Adds a stored row. All versions of it are merged, so that none has to be the right one.
    ///
    /// # Errors
    ///
    /// Where this build can't read its state.
    pub fn add_stored(&mut self, row: StoredPod<'a>) -> Result<(), Error> {
        let life = Life::decode(row.state, row.last_seen)?;
        let had = self.had.entry(row.pod_uid).or_default();
        for run in &runs(&life) {
            let version = had.entry((run.container, run.key)).or_default();
            *version = row.version.max(*version);
        }
        self.lives
            .entry(row.pod_uid)
            .or_default()
            .merge(life.clone());
        let newest = self.stored.entry(row.pod_uid);
        newest
            .and_modify(|newest| {
                let returned = newest.0.returned || row.returned;
                if newest.0.version < row.version {
                    **newest = (row, life.clone());
                }
                newest.0.returned = returned;
            })
            .or_insert_with(|| Box::new((row, life)));
        Ok(())
    }

    /// The uids that are known.
    pub fn uids(&self) -> impl Iterator<Item = u128> {
        self.lives.keys().copied()
    }

    /// Whether filed lives may matter for this name. They cannot where each pod is stored among the recent ones, or
    /// was created after `second`: all filed lives ended before that, by earlier proofs. Where no pod is known, an
    /// event was about the name or its scope: it may confirm the end of a pod that is known from late facts only and
    /// was filed without an end.
    pub fn may_be_filed(&self, second: u32) -> bool {
        let mut unknown = self.lives.iter();
        self.lives.is_empty()
            || unknown.any(|(uid, life)| !self.stored.contains_key(uid) && life.created_at < second)
    }

    /// The nodes of its pods.
    pub fn nodes(&self) -> impl Iterator<Item = &'a str> {
        let nodes = self.lives.values().map(|life| life.node);
        nodes.filter(|node| !node.is_empty())
    }

    /// Adds the stored rows of all instances that a pod has pruned from its state.
    pub fn recall(&mut self, pod_uid: u128, rows: impl IntoIterator<Item = StoredInstance<'a>>) {
        let recalled = self.recalled.entry(pod_uid).or_default();
        let had = self.had.entry(pod_uid).or_default();
        for row in rows {
            let (key, instance) = row.instance();
            had.insert((row.container, row.key), u64::MAX);
            recalled
                .entry(key)
                .and_modify(|(version, kept)| {
                    *version = row.version.max(*version);
                    kept.merge(instance.clone());
                })
                .or_insert_with(|| (row.version, Box::new(instance)));
        }
    }

    /// Whether there are facts about instances that this pod may have pruned: their rows have the earlier facts. One
    /// that is kept, and that has started at another time than was known, may be one that was reported without an ID.
    fn speaks_of_past(&self, uid: u128, life: &Life) -> bool {
        let kept = self.stored.get(&uid).map(|of| &of.1.instances);
        let starts = |instance: &Instance| (instance.started_at, instance.restarted_at);
        let mut instances = life.instances.iter();
        let mut are_kept = || {
            instances.all(|(key, instance)| {
                let kept = kept.and_then(|kept| kept.get(key));
                kept.is_some_and(|kept| starts(kept) == starts(instance))
            })
        };
        life.has_pruned() && !are_kept()
    }

    /// The rows that have changed; `read_at` is the server's time, in seconds, before the first of what came in
    /// was read.
    ///
    /// # Errors
    ///
    /// The pods for which the rows of all instances are needed, because something that they repeat has changed, or
    /// because there are facts about a pruned instance: recall them and try again.
    pub fn rows(&self, name_events: &NameEvents<'a>, read_at: u32) -> Result<Rows<'a>, Vec<u128>> {
        let name = Name {
            cluster: self.cluster,
            namespace: self.namespace,
            pod: self.pod,
            lives: &self.lives,
            said: &name_events.of_name,
            space: &name_events.of_namespace,
            nodes: &name_events.of_nodes,
            read_at,
        };
        let mut rows = Rows::default();
        let mut missing = Vec::new();
        for (uid, life) in &self.lives {
            // A uid with only a part of a name is not a life yet.
            let judged = Judged::of(&name, *uid, life);
            let stored = self.stored.get(uid);
            let is_copied = stored.is_some_and(|of| of.0.copied == judged.copied(life));
            let whole = self.whole(*uid, life);
            let runs = runs(&whole);
            let needs_all = self.speaks_of_past(*uid, life)
                || whole.has_pruned() && (self.raced || !is_copied || whole.is_in_doubt(&runs));
            if needs_all && !self.recalled.contains_key(uid) {
                missing.push(*uid);
                continue;
            }
            let whole = Whole {
                life: &whole,
                runs: &runs,
            };
            let known = Known {
                judged: &judged,
                whole,
                is_copied,
            };
            self.rows_of(&name, known, &mut rows);
        }
        match missing.is_empty() {
            true => Ok(rows),
            false => Err(missing),
        }
    }

    /// All that is known of a life and its instances, those included that the pod no longer keeps.
    fn whole(&self, uid: u128, life: &Life<'a>) -> Life<'a> {
        let mut whole = life.clone();
        let recalled = self.recalled.get(&uid).into_iter().flatten();
        // Of those that its state has, that knows more than their rows.
        let pruned = recalled.filter(|(key, _)| !self.keeps(uid, key));
        for (key, (_, instance)) in pruned {
            let kept = whole.instances.entry(*key);
            kept.and_modify(|kept| kept.merge((**instance).clone()))
                .or_insert_with(|| instance.clone());
        }
        whole
            .instances
            .values_mut()
            .for_each(|instance| instance.drop_needless());
        whole
    }

    /// Whether the newest state has the facts about an instance, under any restart number.
    fn keeps(&self, uid: u128, key: &InstanceKey<'a>) -> bool {
        let stored = self.stored.get(&uid).map(|of| &of.1.instances);
        stored.is_some_and(|stored| match key.1 {
            NONE => stored.contains_key(key),
            id => {
                let of_id = (key.0, id, 0)..=(key.0, id, u32::MAX);
                stored.range(of_id).next().is_some()
            }
        })
    }

    fn rows_of(&self, name: &Name<'_, 'a>, known: Known<'_, 'a>, rows: &mut Rows<'a>) {
        let Known { judged, whole, .. } = known;
        let mut pod = judged.pod_row(name, whole.life);
        let uid = pod.pod_uid.0;
        let stored = self.stored.get(&uid);
        let recalled = self.recalled.get(&uid);
        let recalled_rows = recalled.into_iter().flat_map(BTreeMap::values);
        let versions = recalled_rows.map(|(version, _)| *version);
        let version = versions
            .chain(stored.map(|of| of.0.version))
            .max()
            .unwrap_or(0);
        let mut kept = whole.life.clone();
        let keep = match judged.has_ended() {
            false => INSTANCES_KEPT,
            true => 0,
        };
        kept.prune_runs(whole.runs, keep);
        let before = rows.containers.len();
        self.containers_of(name, known, &kept, rows);
        pod.state.0 = kept.encode();
        let is_same =
            stored.is_some_and(|of| of.0.judged == pod.judged && of.0.state == &pod.state.0[..]);
        if self.raced {
            rows.unchanged += u64::from(is_same);
        } else if is_same && rows.containers.len() == before {
            return;
        }
        // Two more than the newest: the one between is for the row that reconcile leaves at a former place.
        let version = self.place.max(version + 2);
        for row in &mut rows.containers[before..] {
            row.version = version;
            row.read_at = Seconds(name.read_at);
        }
        let filed = |row: &StoredPod| {
            row.returned
                || row.over_at != NEVER
                    && row.read_at.saturating_add(MAY_BE_FILED_SECONDS) < name.read_at
        };
        pod.version = version;
        pod.read_at = Seconds(name.read_at);
        pod.returned = stored.is_some_and(|of| filed(&of.0));
        rows.pods.push(pod);
    }

    /// The rows of instances that have changed: of all, `kept` is what stays in the state of their pod.
    fn containers_of(
        &self,
        name: &Name<'_, 'a>,
        known: Known<'_, 'a>,
        kept: &Life<'a>,
        rows: &mut Rows<'a>,
    ) {
        let Known { judged, whole, .. } = known;
        let stored = self.stored.get(&judged.uid);
        // Whatever was over once may be among the filed rows from then on, also when it was open in between.
        let was_over = stored.is_some_and(|of| of.0.returned || of.0.over_at != NEVER);
        let recalled = self.recalled.get(&judged.uid);
        let old = self.old_rows(name, judged, whole.life);
        let mut had = self.shown(judged.uid);
        for run in whole.runs {
            had.remove(&(run.container, run.key));
            let is_kept = run
                .alone
                .is_none_or(|key| kept.instances.contains_key(&key));
            let row = judged.container_row(name, whole, run, !is_kept);
            let is_recalled =
                recalled.is_some_and(|rows| run.alone.is_none_or(|key| rows.contains_key(&key)));
            let is_same = known.is_copied && old.get(&(run.container, run.key)) == Some(&row);
            if self.raced && is_same {
                rows.unchanged += 1;
            }
            if self.raced || !is_same {
                rows.containers.push(ContainerRow {
                    returned: was_over || is_recalled,
                    ..row
                });
            }
        }
        for key in had {
            rows.containers.push(ContainerRow {
                returned: true,
                ..judged.void_row(name, key)
            });
        }
    }

    /// The rows of instances that the newest stored version shows. What older ones had is hidden, unless that version
    /// knew nothing of them.
    fn shown(&self, uid: u128) -> BTreeSet<RowKey<'a>> {
        let newest = self.stored.get(&uid).map_or(0, |of| of.0.version);
        let had = self.had.get(&uid).into_iter().flatten();
        let shown = had.filter(|(_, version)| self.raced || **version >= newest);
        shown.map(|(key, _)| *key).collect()
    }

    /// The rows of the instances that the newest stored version refers to, as they would be judged now.
    fn old_rows(
        &self,
        name: &Name<'_, 'a>,
        judged: &Judged<'a>,
        whole: &Life<'a>,
    ) -> BTreeMap<(&'a str, [u8; 32]), ContainerRow<'a>> {
        let mut rows = BTreeMap::new();
        let Some(stored) = self.stored.get(&judged.uid).map(|of| &of.1) else {
            return rows;
        };
        let recalled = self.recalled.get(&judged.uid).into_iter().flatten();
        let pruned = Life {
            instances: recalled
                .filter(|(key, _)| !stored.instances.contains_key(*key))
                .map(|(key, (_, instance))| (*key, instance.clone()))
                .collect(),
            ..whole.clone()
        };
        let kept = runs(stored);
        for (life, runs, is_pruned) in [(&pruned, &runs(&pruned), true), (stored, &kept, false)] {
            let whole = Whole { life, runs };
            for run in runs {
                let row = judged.container_row(name, whole, run, is_pruned);
                rows.insert((run.container, run.key), row);
            }
        }
        rows
    }
}
