//! Which addresses a pod had, and when.
//!
//! Each status lists the current addresses. Of equal statuses, the first and the last within each span of the pod's
//! age are kept (spans grow by powers of four), so the state of a pod that lives for a year stays small. Between two
//! statuses the earlier one holds. So facts may arrive in any order and give the same answer.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv6Addr;

use super::bucket;
use super::merge::Seen;
use crate::rows::PodPiece;

/// The addresses in one status.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reported {
    /// In the order of the status.
    pub ips: Vec<Ipv6Addr>,
    /// Whether there were no others.
    pub are_all: bool,
    /// Those that were there before, and not any more.
    pub lost: Vec<Ipv6Addr>,
}

/// Addresses from statuses, by the span of the pod's age (see [`bucket::BOUNDS`]). Milliseconds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Addresses(pub BTreeMap<(Reported, u8), Seen>);

/// A time during which an address that the pod had before was not its own. Milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    pub ip: Ipv6Addr,
    pub from: i64,
    /// When it was there again.
    pub until: Option<i64>,
}

/// In which span an event of this age lies; `created_at` in seconds, 0 where it is not known.
fn span(created_at: u32, at: i64) -> u8 {
    if created_at == 0 {
        return 0;
    }
    let age = at.div_euclid(1_000) - i64::from(created_at);
    let bound = bucket::BOUNDS.partition_point(|bound| i64::from(*bound) < age);
    bound as u8
}

impl Addresses {
    pub(super) fn of_piece(piece: &PodPiece, at: i64) -> Addresses {
        let reported = Reported {
            ips: piece.pod_ips.clone(),
            are_all: piece.are_all_ips,
            lost: piece.lost_ips.clone(),
        };
        if reported == Reported::default() {
            return Addresses::default();
        }
        let key = (reported, span(piece.created_at, at));
        Addresses(BTreeMap::from([(key, Seen::at(at))]))
    }

    pub(super) fn merge(&mut self, other: Addresses) {
        for (key, seen) in other.0 {
            self.0.entry(key).or_default().merge(seen);
        }
    }

    /// Each address with its first sight, in their order; of one event, in that of the status.
    pub fn sights(&self) -> Vec<(Ipv6Addr, i64)> {
        let mut first: BTreeMap<Ipv6Addr, (i64, usize)> = BTreeMap::new();
        for ((reported, _), seen) in &self.0 {
            for (place, ip) in reported.ips.iter().enumerate() {
                let sight = first.entry(*ip).or_insert((seen.first, place));
                *sight = (*sight).min((seen.first, place));
            }
        }
        let mut sights: Vec<_> = first.into_iter().collect();
        sights.sort_by_key(|(ip, sight)| (*sight, *ip));
        let sights = sights.into_iter();
        sights.map(|(ip, (at, _))| (ip, at)).collect()
    }

    /// When it had not what it had had before.
    pub fn gaps(&self) -> Vec<Gap> {
        // If reports of one millisecond differ, presence is sorted last.
        let mut reported: BTreeSet<(i64, bool, Ipv6Addr)> = BTreeSet::new();
        let sights = self.sights();
        for ((what, _), seen) in &self.0 {
            for (ip, _) in &sights {
                let is_there = what.ips.contains(ip);
                if is_there || what.are_all || what.lost.contains(ip) {
                    reported.extend([(seen.first, is_there, *ip), (seen.last, is_there, *ip)]);
                }
            }
        }
        let gaps = sights.into_iter().flat_map(|(ip, first)| {
            let of_ip = reported
                .iter()
                .filter(|(at, _, of)| *of == ip && *at >= first);
            gaps_of(ip, of_ip.map(|(at, is_there, _)| (*at, *is_there)))
        });
        gaps.collect()
    }
}

fn gaps_of(ip: Ipv6Addr, reported: impl Iterator<Item = (i64, bool)>) -> Vec<Gap> {
    let mut gaps: Vec<Gap> = Vec::new();
    for (at, is_there) in reported {
        let open = gaps.last_mut().filter(|gap| gap.until.is_none());
        match (open, is_there) {
            (Some(gap), true) => gap.until = Some(at),
            (None, false) => gaps.push(Gap {
                ip,
                from: at,
                until: None,
            }),
            _ => {}
        }
    }
    // What was lost and found in the same instant was not lost.
    gaps.retain(|gap| gap.until != Some(gap.from));
    gaps
}
