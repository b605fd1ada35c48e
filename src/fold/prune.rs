//! A pod prunes instances from its state, so that the state of a pod that restarts forever stays small.
//!
//! Their own rows have what is known of them. The pod keeps their restart numbers, which one was the newest, and what
//! they prove about the instances that are still in its state.

use super::group::{Run, runs};
use super::instance::Instance;
use super::life::Life;
use super::past::{Known, NotAfter, Past, ShortKey};

/// Number of instances of a container kept in the state of a pod; none for a pod that has ended.
/// See [`Life::prune`].
pub const INSTANCES_KEPT: usize = 16;

impl Past {
    fn add(&mut self, run: &Run, created_at: u32) {
        self.restarts.insert(run.instance.restart);
        self.newest = self.newest.max(short_key(run, created_at));
    }

    /// Whether none of them is later than this one.
    fn is_before(&self, run: &Run, created_at: u32) -> bool {
        match run.instance.started_at {
            0 => self.restarts.last() <= Some(run.instance.restart),
            _ => self.newest <= short_key(run, created_at),
        }
    }
}

fn short_key(run: &Run, created_at: u32) -> ShortKey {
    let [first, second, third, fourth, ..] = run.key;
    let head = [first, second, third, fourth];
    let second = run.instance.began_second(created_at);
    (second, run.instance.restart, head)
}

impl Instance<'_> {
    /// When it had ended at the latest, by the pruned instances of its pod. Microseconds; `created_at` is that of the
    /// pod.
    pub fn not_after(&self, created_at: u32) -> Option<i64> {
        self.not_after.at.filter(|_| self.is_up_to_date(created_at))
    }

    /// Drops what a report outdoes, so that of the same facts comes the same state, whatever was known in between.
    pub(super) fn drop_needless(&mut self) {
        if self.reported_end().is_some() {
            self.not_after = NotAfter::default();
        }
    }

    fn known(&self, created_at: u32) -> Known {
        let start = match self.began_second(created_at) {
            0 => 0,
            second => u32::MAX - second,
        };
        (self.is_counted, start, self.restart)
    }

    fn is_up_to_date(&self, created_at: u32) -> bool {
        self.not_after.known == Some(self.known(created_at))
    }

    /// A report of its end outdoes it.
    fn is_not_after(&mut self, at: Option<i64>, created_at: u32) {
        if self.reported_end().is_some() {
            return;
        }
        self.not_after.merge(NotAfter {
            known: Some(self.known(created_at)),
            at,
        });
    }

    /// Whether its row has everything that is known of it.
    fn is_complete(&self, created_at: u32) -> bool {
        let is_told_whole = self.end().is_some_and(|end| {
            !end.differs
                && end.started_at == self.started_at
                && (end.reported_apart().is_none() || self.has_other_clock(end))
        });
        // If its clock is behind, an earlier event may have reported the same start.
        let start = i64::from(self.started_at) * 1_000_000;
        let start_reported = self.start_told_apart(created_at);
        is_told_whole
            && start_reported.is_none_or(|reported| reported < start)
            && self.started_at != 0
            && self.is_counted
            && !self.started_again()
            && self.missing.is_none()
    }
}

impl<'a> Life<'a> {
    /// Whether it has pruned instances, for which only their own rows have everything.
    pub fn has_pruned(&self) -> bool {
        !self.past.is_empty()
    }

    /// Whether the rows of the pruned instances are needed: one of the others may have ended when one of them began,
    /// and that was not found before.
    pub(super) fn is_in_doubt(&self, runs: &[Run<'a>]) -> bool {
        runs.iter().any(|run| {
            let past = self.past.get(run.container);
            run.instance.reported_end().is_none()
                && !run.instance.is_up_to_date(self.created_at)
                && past.is_some_and(|past| !past.is_before(run, self.created_at))
        })
    }

    /// Takes the oldest instances out, until at most `keep` of each container are left of those of which all is
    /// known: they started, and their end was reported. What they prove of others stays.
    pub fn prune(&mut self, keep: usize) {
        self.prune_runs(&runs(self), keep);
    }

    /// The same; `runs` are all its instances.
    pub(super) fn prune_runs(&mut self, runs: &[Run<'a>], keep: usize) {
        let created_at = self.created_at;
        let mut gone: Vec<&Run> = Vec::new();
        for of_container in runs.chunk_by(|one, other| one.container == other.container) {
            let complete = of_container
                .iter()
                .filter(|run| run.alone.is_some() && run.instance.is_complete(created_at));
            let mut complete: Vec<&Run> = complete.collect();
            complete.sort_unstable_by_key(|run| run.instance.sort_key(&run.key, created_at));
            let surplus = complete.len().saturating_sub(keep);
            gone.extend(&complete[..surplus]);
        }
        for run in &gone {
            if let Some(key) = run.alone {
                self.instances.remove(&key);
            }
            self.past
                .entry(run.container)
                .or_default()
                .add(run, created_at);
        }
        for run in &gone {
            for (key, other) in &mut self.instances {
                let is_before = other.is_before(&key.1, &run.instance, &run.key, created_at);
                if key.0 == run.container && is_before {
                    other.is_not_after(Some(run.instance.began(created_at)), created_at);
                }
            }
        }
        for (key, instance) in &mut self.instances {
            if self.past.contains_key(key.0) {
                instance.is_not_after(None, created_at);
            }
        }
    }
}
