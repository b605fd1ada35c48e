//! One container instance: its merged reports, and when it ran according to them.
//!
//! Nodes have clocks of their own. The starts and ends that they report are compared with the API server's times of
//! the events: where the two contradict each other, the API server's times count.

use super::merge::{Seen, greatest};
use super::past::NotAfter;
use crate::rows::{ContainerKind, Ended, InstancePiece};

const SECOND: i64 = 1_000_000;

/// An end is reported within this many microseconds. An instance that is seen running this much longer than its
/// reported end has a different clock.
const IN_TIME: i64 = 60 * SECOND;

/// One container instance.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Instance<'a> {
    pub seen: Seen,
    pub kind: ContainerKind,
    pub id_text: &'a str,
    pub runtime: &'a str,
    pub image: &'a str,
    pub image_id: &'a str,
    pub restart: u32,
    /// Whether that number was ever reported for this instance itself.
    pub is_counted: bool,
    /// Seconds; 0 is unknown.
    pub started_at: u32,
    /// When it started for the last time: Docker starts a container again.
    pub restarted_at: u32,
    /// The first event that reported that start; microseconds.
    pub start_reported: Option<i64>,
    /// The last event that reported it as running.
    pub ran_at: Option<i64>,
    pub ended: Option<End<'a>>,
    /// An end without a time, which a kubelet made up.
    pub missing: Option<Missing<'a>>,
    /// What the pruned instances of its pod prove about its end.
    pub not_after: NotAfter,
}

/// One report of an end, whole: never the exit code of one and the reason of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct End<'a> {
    /// Of which start; 0 is unknown.
    pub started_at: u32,
    pub report: Ended<'a>,
    /// The first event that reported it; microseconds.
    pub reported: i64,
    /// Whether another report differs.
    pub differs: bool,
}

/// The kubelet did not find it any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Missing<'a> {
    pub seen: Seen,
    pub report: Ended<'a>,
}

/// What is known of a pod that tells how far its node's clock is behind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PodClock {
    /// Seconds, by the API server's clock.
    pub created_at: u32,
    /// Milliseconds, by the API server's clock; 0 where it is not known.
    pub scheduled_at: i64,
    /// When its node accepted it: seconds, by the node's clock; 0 where it is not known.
    pub started_at: u32,
    /// Whether it is the API's image of a static pod, which may be older.
    pub is_mirror: bool,
}

impl PodClock {
    /// By how much the clock of the node is behind at least: a node accepts a pod after it was bound to it.
    fn behind(self) -> Option<i64> {
        let accepted = i64::from(self.started_at) * SECOND;
        let bound = (self.scheduled_at * 1_000).max(i64::from(self.created_at) * SECOND);
        let is_known = self.started_at != 0 && self.scheduled_at != 0;
        (is_known && accepted < bound).then_some(bound - accepted)
    }
}

/// When it ran. Microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    pub began: i64,
    /// When it was over, if its end was reported.
    pub over: Option<i64>,
    /// By how much the node's clock differs from the API server's, as far as that shows.
    pub clock_off: i64,
}

/// The earlier of what there is.
fn earliest(kept: &mut Option<i64>, other: Option<i64>) {
    *kept = [*kept, other].into_iter().flatten().min();
}

impl<'a> Instance<'a> {
    /// The report of one event, at `at` in microseconds.
    pub(super) fn of_piece(piece: &InstancePiece<'a>, at: i64) -> Instance<'a> {
        let seen = Seen {
            first: at,
            last: at,
        };
        let image = piece.image.unwrap_or_default();
        let (real, missing) = match piece.ended {
            Some(report) if report.finished_at == 0 => (None, Some(report)),
            report => (report, None),
        };
        Instance {
            seen,
            kind: piece.kind,
            id_text: piece.id_text,
            runtime: piece.runtime,
            image: image.image,
            image_id: image.image_id,
            restart: piece.restart,
            is_counted: !piece.is_guess,
            started_at: piece.started_at,
            restarted_at: piece.started_at,
            start_reported: (piece.started_at != 0).then_some(at),
            ran_at: piece.is_running.then_some(at),
            ended: real.map(|report| End {
                started_at: piece.started_at,
                report,
                reported: at,
                differs: false,
            }),
            missing: missing.map(|report| Missing { seen, report }),
            not_after: NotAfter::default(),
        }
    }

    /// Adds all that another state of this instance knows.
    pub fn merge(&mut self, other: Instance<'a>) {
        self.seen.merge(other.seen);
        greatest(&mut self.kind, other.kind);
        greatest(&mut self.id_text, other.id_text);
        greatest(&mut self.runtime, other.runtime);
        greatest(&mut self.image, other.image);
        greatest(&mut self.image_id, other.image_id);
        // A reported number beats a guessed one.
        (self.is_counted, self.restart) =
            (self.is_counted, self.restart).max((other.is_counted, other.restart));
        match (self.started_at, other.started_at) {
            (_, 0) => {}
            (own, start) if own == start => {
                earliest(&mut self.start_reported, other.start_reported)
            }
            (own, start) if own == 0 || start < own => {
                (self.started_at, self.start_reported) = (start, other.start_reported);
            }
            _ => {}
        }
        greatest(&mut self.restarted_at, other.restarted_at);
        greatest(&mut self.ran_at, other.ran_at);
        self.ended = match (self.ended, other.ended) {
            (Some(one), Some(other)) => Some(one.and(other)),
            (one, other) => one.or(other),
        };
        self.missing = match (self.missing, other.missing) {
            (Some(one), Some(other)) => Some(one.and(other)),
            (one, other) => one.or(other),
        };
        self.not_after.merge(other.not_after);
    }

    /// The report of its end, unless it started again since.
    pub fn end(&self) -> Option<&End<'a>> {
        let ended = self.ended.as_ref();
        ended.filter(|end| end.started_at == 0 || end.started_at >= self.restarted_at)
    }

    /// The second in which it ended, if a report has that.
    pub fn reported_end(&self) -> Option<u32> {
        self.end().map(|end| end.report.finished_at)
    }

    /// Whether it is known to have started more than once.
    pub fn started_again(&self) -> bool {
        self.restarted_at != self.started_at
    }

    /// When it was there for the first time: its start, unless the API server's times contradict that. Where it is not
    /// known, the first event about it, or its end if that was before. Microseconds; `created_at` is that of its pod,
    /// in seconds.
    pub fn began(&self, created_at: u32) -> i64 {
        if self.started_at == 0 {
            let ended = self.reported_end();
            let ended = ended.map(|finished| i64::from(finished) * SECOND);
            return ended.unwrap_or(i64::MAX).min(self.seen.first);
        }
        let start = i64::from(self.started_at) * SECOND;
        let created = i64::from(created_at) * SECOND;
        match self.start_reported {
            Some(reported) if reported < start => reported,
            Some(reported) if start < created && reported > start + IN_TIME => reported,
            _ => start.max(created),
        }
    }

    /// The same as answers have it. A start before the pod was created may be reported long after it, where nobody watched.
    /// It was as long after the node accepted the pod as its clock says; and a container of a mirror pod that was never
    /// restarted may be older than the mirror pod.
    fn shown(&self, pod: PodClock) -> i64 {
        let began = self.began(pod.created_at);
        let start = i64::from(self.started_at) * SECOND;
        let created = i64::from(pod.created_at) * SECOND;
        if self.started_at == 0 || start >= created || began <= created {
            return began;
        }
        match pod.is_mirror {
            true if self.restart == 0 => created,
            true => began,
            false => pod
                .behind()
                .map_or(began, |behind| began.min(start + behind).max(created)),
        }
    }

    /// When its start was reported, where that counts; `created_at` may become known later.
    pub(super) fn start_told_apart(&self, created_at: u32) -> Option<i64> {
        let start = i64::from(self.started_at) * SECOND;
        let may_be_before = created_at == 0 || self.started_at < created_at;
        let is_apart =
            |reported: &i64| *reported < start || may_be_before && *reported > start + IN_TIME;
        self.start_reported.filter(is_apart)
    }

    /// The same in seconds, to order the instances of a container.
    pub(super) fn began_second(&self, created_at: u32) -> u32 {
        if self.started_at == 0 {
            return 0;
        }
        u32::try_from(self.began(created_at).div_euclid(SECOND)).unwrap_or(self.started_at)
    }

    /// Its place among the instances of its container whose starts are known; `key` is that of its ID.
    pub(super) fn sort_key(&self, key: &[u8; 32], created_at: u32) -> (u32, u32, [u8; 32]) {
        (self.began_second(created_at), self.restart, *key)
    }

    /// Whether the other instance of the same container is a later one: it began later, or in the same second with a
    /// higher restart count. Counts may restart at zero when a node lost its state; so they decide only where one of
    /// the starts is not known.
    pub fn is_before(
        &self,
        key: &[u8; 32],
        other: &Instance,
        other_key: &[u8; 32],
        created_at: u32,
    ) -> bool {
        match (self.started_at, other.started_at) {
            (0, _) => other.restart > self.restart,
            (_, 0) => {
                other.restart > self.restart && other.began(created_at) >= self.began(created_at)
            }
            _ => other.sort_key(other_key, created_at) > self.sort_key(key, created_at),
        }
    }

    /// When it ran.
    pub fn times(&self, pod: PodClock) -> Times {
        let PodClock {
            created_at,
            is_mirror,
            ..
        } = pod;
        let began = self.began(created_at);
        let start = i64::from(self.started_at) * SECOND;
        let mut off = 0;
        if self.started_at != 0 {
            off = (start - began).max(0);
            if !is_mirror {
                off = off.max(i64::from(created_at) * SECOND - start);
            }
        }
        let over = self.end().map(|end| {
            let (over, by) = end.over(began, self.ran_at);
            off = off.max(by);
            over
        });
        Times {
            began: self.shown(pod),
            over,
            clock_off: off,
        }
    }

    /// Whether the times of a stored row show that the node's clock is off, and so when the facts were reported.
    pub(super) fn has_other_clock(&self, end: &End) -> bool {
        let finished = i64::from(end.report.finished_at) * SECOND;
        let is_seen_later = self.ran_at.is_some_and(|ran_at| !end.is_after(ran_at));
        finished > end.reported || is_seen_later
    }

    /// When a kubelet missed it for the first time after it was seen to run, in microseconds, and what it made of that.
    pub fn missed(&self) -> Option<(i64, Ended<'a>)> {
        let missing = self.missing?;
        let at = missing.seen.after(self.ran_at)?;
        Some((at, missing.report))
    }
}

impl<'a> End<'a> {
    /// Both are reports of ends: the one of the later start counts, of one start the earlier end. A container ends
    /// once.
    fn and(self, other: End<'a>) -> End<'a> {
        if self.started_at != other.started_at {
            return match self.started_at > other.started_at {
                true => self,
                false => other,
            };
        }
        End {
            started_at: self.started_at,
            report: self.report.min(other.report),
            reported: self.reported.min(other.reported),
            differs: self.differs || other.differs || self.report != other.report,
        }
    }

    /// When it was over, and by how much the node's clock is off. Kubernetes keeps ends in whole seconds: it may have
    /// run until that second was over.
    fn over(&self, began: i64, ran_at: Option<i64>) -> (i64, i64) {
        let finished = i64::from(self.report.finished_at) * SECOND;
        let over = finished + SECOND;
        // Reports that differ say nothing of clocks.
        if self.differs {
            return (over.max(began), 0);
        }
        // Reported in time, so the clock is right: if it was seen running after that, that sighting was itself
        // reported late.
        let is_seen_later = ran_at.is_some_and(|ran_at| !self.is_after(ran_at));
        match self.reported {
            reported if finished > reported => (reported.max(began), finished - reported),
            reported if is_seen_later && !self.is_in_time() => {
                let over = reported.max(began);
                (over, over - finished)
            }
            _ if over <= began => {
                let reported = if self.is_in_time() {
                    finished
                } else {
                    self.reported
                };
                let over = reported.max(began + 1);
                (over, over - finished)
            }
            _ => (over, 0),
        }
    }

    /// Whether it was reported neither before it happened nor long after.
    fn is_in_time(&self) -> bool {
        let finished = i64::from(self.report.finished_at) * SECOND;
        (finished..=finished + IN_TIME).contains(&self.reported)
    }

    /// Whether this sign of life adds nothing.
    pub(super) fn is_after(&self, ran_at: i64) -> bool {
        let finished = i64::from(self.report.finished_at) * SECOND;
        self.differs || ran_at < finished + IN_TIME
    }

    /// What is kept of it in a state: the time of a report counts only where it is unusual.
    pub(super) fn reported_apart(&self) -> Option<i64> {
        (!self.differs && !self.is_in_time()).then_some(self.reported)
    }

    /// An end as stored in a row, for an instance that ran from `began` to `over`, and when it was seen running, if
    /// that was long after its reported end.
    pub(super) fn of_row(
        report: Ended<'a>,
        started_at: u32,
        began: i64,
        over: i64,
    ) -> (End<'a>, Option<i64>) {
        let finished = i64::from(report.finished_at) * SECOND;
        let plain = finished + SECOND;
        // An end before the start was reported in time.
        let is_plain = over == plain || over > plain && over == began + 1;
        let end = End {
            started_at,
            report,
            reported: if is_plain { finished } else { over },
            differs: false,
        };
        let ran_at = (over > plain && !is_plain).then_some(finished + IN_TIME);
        (end, ran_at)
    }
}

impl<'a> Missing<'a> {
    fn and(self, other: Missing<'a>) -> Missing<'a> {
        let mut seen = self.seen;
        seen.merge(other.seen);
        Missing {
            seen,
            report: self.report.min(other.report),
        }
    }
}
