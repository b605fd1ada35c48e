//! What stays with a pod of the instances that it lets go of, so that the state of one that restarts for ever
//! stays small.
//!
//! Their own rows say what is known of them. The pod keeps their restart numbers, which one was the newest, and what
//! they prove of the instances that it has not let go of.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::life::{Instance, InstanceKey, Life, least};
use super::runs::Runs;

/// Of the instances of a container so many are kept in the state of a pod; of one that has ended, none.
/// See [`Life::let_go`].
pub const INSTANCES_KEPT: usize = 16;

/// Start, restart number, and the beginning of the ID: what orders the instances of a container.
type ShortPlace = (u32, u32, [u8; 4]);

/// The instances of one container that its pod has let go of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Past {
    pub restarts: Runs,
    /// The place of the newest.
    newest: ShortPlace,
}

/// By when an instance had ended, since an instance that its pod has let go of is a later one.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct NotAfter {
    /// Start and restart number as they were known when this was found out: both only grow, and decide which
    /// instances are later. What was found out with less knowledge does not count.
    known: Option<(u32, u32)>,
    /// Microseconds.
    at: Option<i64>,
}

impl NotAfter {
    pub(super) fn merge(&mut self, other: NotAfter) {
        if other.known > self.known {
            *self = other;
        } else if other.known == self.known {
            least(&mut self.at, other.at);
        }
    }
}

impl Past {
    pub(super) fn merge(&mut self, other: &Past) {
        self.restarts.merge(&other.restarts);
        self.newest = self.newest.max(other.newest);
    }

    fn add(&mut self, key: &InstanceKey, instance: &Instance) {
        self.restarts.insert(instance.restart);
        self.newest = self.newest.max(short_place(instance, key));
    }

    /// Whether none of them is later than this one.
    fn is_before(&self, key: &InstanceKey, instance: &Instance) -> bool {
        match instance.started_at {
            0 => self.restarts.last() <= Some(instance.restart),
            _ => self.newest <= short_place(instance, key),
        }
    }
}

fn short_place(instance: &Instance, key: &InstanceKey) -> ShortPlace {
    let [first, second, third, fourth, ..] = key.1;
    let head = [first, second, third, fourth];
    (instance.started_at, instance.restart, head)
}

impl Instance<'_> {
    /// By when it had ended, as the instances prove that its pod has let go of. Microseconds.
    pub fn not_after(&self) -> Option<i64> {
        self.not_after.at.filter(|_| self.is_up_to_date())
    }

    /// Drops what a report outdoes, so that of the same facts comes the same state, whatever was known in between.
    pub(super) fn drop_needless(&mut self) {
        if self.reported_end().is_some() {
            self.not_after = NotAfter::default();
        }
    }

    fn is_up_to_date(&self) -> bool {
        self.not_after.known == Some((self.started_at, self.restart))
    }

    /// A report of its end outdoes it.
    fn is_not_after(&mut self, at: Option<i64>) {
        if self.reported_end().is_some() {
            return;
        }
        self.not_after.merge(NotAfter {
            known: Some((self.started_at, self.restart)),
            at,
        });
    }
}

impl<'a> Life<'a> {
    /// Whether it has let go of instances, of which their own rows say all then.
    pub fn has_let_go(&self) -> bool {
        !self.past.is_empty()
    }

    /// Whether the rows of the instances that it has let go of are needed: where one of the others may have
    /// ended when one of them began, and that was not found out before.
    pub fn is_in_doubt(&self) -> bool {
        self.instances.iter().any(|(key, instance)| {
            let past = self.past.get(key.0);
            instance.reported_end().is_none()
                && !instance.is_up_to_date()
                && past.is_some_and(|past| !past.is_before(key, instance))
        })
    }

    /// Takes the oldest instances out, until at most `keep` of each container are left of those of which all is
    /// known: they started, and their end was reported. What they prove of others stays.
    pub fn let_go(&mut self, keep: usize) {
        let mut gone = Vec::new();
        let containers: Vec<&str> = self.crowded(keep).collect();
        for container in containers {
            let range = (container, [0; 32])..=(container, [u8::MAX; 32]);
            let of = self.instances.range(range);
            let mut complete: Vec<_> = of
                .filter(|(_, one)| one.started_at != 0 && one.reported_end().is_some())
                .map(|(key, one)| (one.place(key), *key))
                .collect();
            let surplus = complete.len().saturating_sub(keep);
            complete.sort_unstable();
            for (_, key) in complete.drain(..surplus) {
                let Some(instance) = self.instances.remove(&key) else {
                    continue;
                };
                let past = self.past.entry(container).or_default();
                past.add(&key, &instance);
                gone.push((key, instance));
            }
        }
        for (key, instance) in &gone {
            for (other_key, other) in &mut self.instances {
                if other_key.0 == key.0 && other.is_before(other_key, instance, key) {
                    other.is_not_after(Some(instance.start()));
                }
            }
        }
        for (key, instance) in &mut self.instances {
            if self.past.contains_key(key.0) {
                instance.is_not_after(None);
            }
        }
    }

    /// The containers that have more instances than are kept.
    fn crowded(&self, keep: usize) -> impl Iterator<Item = &'a str> + use<'a> {
        let mut counts: BTreeMap<&'a str, usize> = BTreeMap::new();
        for (container, _) in self.instances.keys() {
            *counts.entry(container).or_default() += 1;
        }
        counts
            .into_iter()
            .filter(move |(_, count)| *count > keep)
            .map(|(container, _)| container)
    }
}
