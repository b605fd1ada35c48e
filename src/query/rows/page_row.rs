//! What a page takes from its row beyond the columns of `pods`.

use super::{PageRow, micros, millis, seconds};
use crate::query::model::{Pod, Time};
use crate::query::pod_life::{AddressGap, Asked, Former, PodLife};
use crate::query::statement::NEVER_MICROS;

impl PageRow {
    fn gaps(&mut self) -> Vec<AddressGap> {
        let gaps = std::mem::take(&mut self.ip_gaps).into_iter();
        let gaps = gaps.filter_map(|(ip, (from, until))| {
            let until = Some(until).filter(|until| *until < NEVER_MICROS / 1_000);
            Some(AddressGap {
                ip,
                from: millis(Some(from))?,
                until: millis(until),
            })
        });
        gaps.collect()
    }

    fn former(&mut self) -> Vec<Former> {
        let mut by = std::mem::take(&mut self.former_by).into_iter();
        let mut kinds = std::mem::take(&mut self.former_workload_kind).into_iter();
        let mut names = std::mem::take(&mut self.former_workload).into_iter();
        let mut labels = std::mem::take(&mut self.former_labels).into_iter();
        let until = std::mem::take(&mut self.former_until).into_iter();
        let former = until.filter_map(|until| {
            let workload = Some((kinds.next()?, names.next()?));
            Some(Former {
                by: by.next().filter(|by| !by.is_empty()),
                workload: workload.filter(|(_, name)| !name.is_empty()),
                labels: labels.next()?.into_iter().collect(),
                until: millis(Some(until))?,
            })
        });
        former.collect()
    }

    /// The pod, and what a page says of it beyond that.
    pub(in crate::query) fn split(mut self) -> (Pod, PodLife) {
        let asked = |at, by, event| {
            let at = millis(at)?;
            Some(Asked { at, by, event })
        };
        let sights = self.pod_ips.iter().cloned().zip(&self.ip_seen_at);
        let sights = sights.filter_map(|(ip, seen)| Some((ip, millis(Some(*seen))?)));
        // The time of a condition, unless it had none.
        let is_whole = self.disrupted_at.is_some_and(|at| at % 1_000 == 0);
        let disrupted = millis(self.disrupted_at).map(|at| Time {
            whole_seconds: is_whole,
            ..at
        });
        let life = PodLife {
            first_seen: micros(Some(self.began_at)),
            ips: sights.collect(),
            owner_kind: self.owner_kind.take(),
            owner: self.owner.take(),
            restart_counts: std::mem::take(&mut self.restart_counts),
            waiting: std::mem::take(&mut self.waiting),
            status_reason: self.status_reason.clone(),
            terminal_at: millis(self.terminal_at),
            // Mostly it is the first request of all.
            deletion: asked(
                self.deletion_at,
                self.deletion_by.take(),
                self.deletion_event.take(),
            )
            .or_else(|| {
                asked(
                    self.delete_asked_at,
                    self.delete_asked_by.clone(),
                    self.delete_asked_event.take(),
                )
            }),
            eviction: asked(
                self.eviction_at,
                self.eviction_by.take(),
                self.eviction_event.take(),
            ),
            forced: asked(
                self.forced_at,
                self.forced_by.take(),
                self.forced_event.take(),
            ),
            disrupted: disrupted.map(|at| (at, self.disrupted_why.take())),
            hurried: asked(
                self.hurried_at,
                self.hurried_by.take(),
                self.hurried_event.take(),
            ),
            hurried_deadline: seconds(self.hurried_deadline),
            gaps: self.gaps(),
            former: self.former(),
            gone: micros(self.gone_at).zip(self.gone_proof.clone()),
        };
        (self.pod(), life)
    }
}
