//! Labels, owner and addresses of a pod, as they were and as they are.
//!
//! Of what is told again and again the first and the last time count; what was in between is as it was told last.

use std::collections::BTreeMap;
use std::net::Ipv6Addr;

use super::fold::{Addresses, AsOf, Described, Description, Owner, Pod};
use crate::lives::Text;
use crate::lives::object::Basis;

/// A description that no longer holds: until when, in milliseconds, and who changed it.
pub struct Former<'p> {
    pub what: &'p Description,
    /// The owner, as it is known best.
    pub owner: &'p Owner,
    pub until: i64,
    pub by: (Text, Text),
}

/// Of what was told: in which order, what, and by whose write. Of one version a write comes first.
type Sight<'p> = ((AsOf, bool, i64), &'p Description, (Text, Text));

/// Whoever read an owner knows what is above it, and the last one to do so knows best.
pub fn best<'p>(pod: &'p Pod, owner: &'p Owner) -> &'p Owner {
    if owner.4 == Basis::Read {
        return owner;
    }
    let told = pod.descriptions.iter();
    let read = told.filter(|told| {
        let other = &told.what.1;
        (&other.0, &other.1, other.4) == (&owner.0, &owner.1, Basis::Read)
    });
    let last = read.max_by_key(|told| (told.as_of, told.at, &told.what.1));
    last.map_or(owner, |told| &told.what.1)
}

/// The newest description.
pub fn newest(pod: &Pod) -> Option<&Description> {
    let told = pod.descriptions.iter();
    let newest = told.max_by_key(|told| (told.as_of, told.at, &told.what));
    newest.map(|told| &told.what)
}

/// Those before the newest, in their order.
pub fn former(pod: &Pod) -> Vec<Former<'_>> {
    let mut sights: Vec<Sight> = Vec::new();
    let mut whats: Vec<&Description> = pod.descriptions.iter().map(|told| &told.what).collect();
    whats.sort();
    whats.dedup();
    for what in whats {
        let of_it = || pod.descriptions.iter().filter(|told| told.what == *what);
        let rank = |told: &Described| (told.as_of, told.by.0.is_empty(), told.at);
        let first = of_it().map(rank).min();
        let last = of_it().map(|told| (told.as_of, told.at)).max();
        let (Some(first), Some(last)) = (first, last) else {
            continue;
        };
        let at_first = of_it().filter(|told| rank(told) == first);
        let by = at_first.map(|told| told.by.clone()).max();
        sights.push((first, what, by.unwrap_or_default()));
        if (first.0, first.2) != last {
            sights.push(((last.0, true, last.1), what, <(Text, Text)>::default()));
        }
    }
    sights.sort();
    let mut former = Vec::new();
    for (before, after) in sights.iter().zip(&sights[1.min(sights.len())..]) {
        let ((_, one, _), ((_, _, until), other, by)) = (before, after);
        let (owner, next) = (best(pod, &one.1), best(pod, &other.1));
        if (&one.0, owner) != (&other.0, next) {
            former.push(Former {
                what: one,
                owner,
                until: *until,
                by: by.clone(),
            });
        }
    }
    former
}

/// The addresses in order of first sight, with its time in milliseconds.
pub fn sights(pod: &Pod) -> Vec<(Ipv6Addr, i64)> {
    let mut first: BTreeMap<Ipv6Addr, (i64, usize)> = BTreeMap::new();
    for told in &pod.addresses {
        for (place, ip) in told.ips.iter().enumerate() {
            let sight = first.entry(*ip).or_insert((told.at, place));
            *sight = (*sight).min((told.at, place));
        }
    }
    let mut sights: Vec<_> = first.into_iter().map(|(ip, sight)| (sight, ip)).collect();
    sights.sort();
    sights.into_iter().map(|((at, _), ip)| (ip, at)).collect()
}

/// An address, and from when until when the pod had it not, in milliseconds, after it had had it.
pub type Gap = (Ipv6Addr, i64, Option<i64>);

pub fn gaps(pod: &Pod) -> Vec<Gap> {
    let mut gaps: Vec<Gap> = Vec::new();
    let kept = kept(pod);
    for (ip, first) in sights(pod) {
        let mut told: Vec<(i64, bool)> = Vec::new();
        for one in &kept {
            let is_there = one.ips.contains(&ip);
            if one.at >= first && (is_there || one.are_all || one.lost.contains(&ip)) {
                told.push((one.at, is_there));
            }
        }
        // In one instant, that it is there counts.
        told.sort();
        let mut lost_at = None;
        for (at, is_there) in told {
            match (lost_at, is_there) {
                (None, false) => lost_at = Some(at),
                (Some(from), true) => {
                    if from != at {
                        gaps.push((ip, from, Some(at)));
                    }
                    lost_at = None;
                }
                _ => {}
            }
        }
        gaps.extend(lost_at.map(|from| (ip, from, None)));
    }
    gaps
}

/// Which statuses are remembered: of those that say the same in the same part of the pod's life the first and the last.
fn kept(pod: &Pod) -> Vec<&Addresses> {
    let mut ends: BTreeMap<_, [&Addresses; 2]> = BTreeMap::new();
    for told in &pod.addresses {
        let same = (&told.ips, told.are_all, &told.lost, part_of_life(told.age));
        let [first, last] = ends.entry(same).or_insert([told, told]);
        if told.at < first.at {
            *first = told;
        }
        if told.at > last.at {
            *last = told;
        }
    }
    ends.into_values().flatten().collect()
}

/// Lives are parted at 64 s, and then at four times the age, eleven times.
fn part_of_life(age: Option<i64>) -> usize {
    let Some(age) = age else { return 0 };
    let mut bound = 64;
    for part in 0..11 {
        if age <= bound {
            return part;
        }
        bound *= 4;
    }
    11
}
