//! Labels, owner and finalizers of a pod, as they were and as they are.
//!
//! Of each description the first and the last sight are kept, by the version of the object. So facts may come in any
//! order. What comes back to a former description had it from its last sight on.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::merge::AsOf;
use crate::rows::{Basis, Owner, PodPiece};

/// More descriptions of one pod are not kept: the oldest go.
const DESCRIPTIONS_MAX: usize = 32;

/// Fields that are always reported together.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Description<'a> {
    #[serde(borrow)]
    pub labels: Vec<(&'a str, &'a str)>,
    pub owner: Option<Owner<'a>>,
    /// Whether finalizers keep it.
    pub is_held: bool,
}

/// When, in milliseconds.
pub type Stamp = (AsOf, i64);

/// The first and the last sight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Sights<'a> {
    pub first: Stamp,
    /// The account whose write was the first, and the one that it impersonated; empty where that was no write to the
    /// pod itself.
    pub by: (&'a str, &'a str),
    pub last: Stamp,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Descriptions<'a>(pub BTreeMap<Description<'a>, Sights<'a>>);

/// A description that no longer holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Former<'d, 'a> {
    pub description: &'d Description<'a>,
    /// Its owner, as it is known best.
    pub owner: Option<&'d Owner<'a>>,
    /// Milliseconds.
    pub until: i64,
    /// The account that changed it.
    pub by: (&'a str, &'a str),
}

impl<'a> Descriptions<'a> {
    pub(super) fn of_piece(piece: &PodPiece<'a>, as_of: AsOf, at: i64) -> Descriptions<'a> {
        let Some(labels) = &piece.labels else {
            return Descriptions::default();
        };
        let description = Description {
            labels: labels.clone(),
            owner: piece.owner.clone(),
            is_held: piece.is_held,
        };
        let sights = Sights {
            first: (as_of, at),
            by: piece.changed_by.unwrap_or_default(),
            last: (as_of, at),
        };
        Descriptions(BTreeMap::from([(description, sights)]))
    }

    pub(super) fn merge(&mut self, other: Descriptions<'a>) {
        for (description, sights) in other.0 {
            let kept = self.0.entry(description).or_insert(sights);
            if first_rank(sights.first, sights.by) < first_rank(kept.first, kept.by) {
                (kept.first, kept.by) = (sights.first, sights.by);
            }
            kept.last = kept.last.max(sights.last);
        }
        while self.0.len() > DESCRIPTIONS_MAX {
            let oldest = self.0.iter().min_by_key(|(of, sights)| (sights.last, *of));
            let Some(oldest) = oldest.map(|(of, _)| of.clone()) else {
                return;
            };
            self.0.remove(&oldest);
        }
    }

    /// The newest.
    pub fn newest(&self) -> Option<&Description<'a>> {
        let newest = self.0.iter().max_by_key(|(of, sights)| (sights.last, *of));
        newest.map(|(of, _)| of)
    }

    /// The owner of a description, as it is known best: whoever read the owner itself knows what its name only lets one
    /// infer. Of several such the newest counts: an owner may be adopted.
    pub fn best<'d>(&'d self, owner: &'d Owner<'a>) -> &'d Owner<'a> {
        if owner.basis == Basis::Read {
            return owner;
        }
        let owners = self.0.iter().filter_map(|(of, sights)| {
            let read = of.owner.as_ref()?;
            let is_same = (read.kind, read.name) == (owner.kind, owner.name);
            (is_same && read.basis == Basis::Read).then_some((sights.last, read))
        });
        owners.max().map_or(owner, |(_, read)| read)
    }

    /// The owner, as it is known best.
    pub fn owner(&self) -> Option<&Owner<'a>> {
        let owner = self.newest()?.owner.as_ref()?;
        Some(self.best(owner))
    }

    /// The ones before the newest, in their order.
    pub fn former(&self) -> Vec<Former<'_, 'a>> {
        let mut seen: Vec<(Stamp, &Description<'a>, (&'a str, &'a str))> = Vec::new();
        for (description, sights) in &self.0 {
            seen.push((sights.first, description, sights.by));
            seen.push((sights.last, description, ("", "")));
        }
        seen.sort_by_key(|(stamp, description, by)| (first_rank(*stamp, *by), *description));
        let pairs = seen.iter().zip(seen.iter().skip(1));
        let former = pairs.filter_map(|((_, before, _), ((_, until), after, by))| {
            let former = before.owner.as_ref().map(|owner| self.best(owner));
            let next = after.owner.as_ref().map(|owner| self.best(owner));
            ((&before.labels, former) != (&after.labels, next)).then_some(Former {
                description: before,
                owner: former,
                until: *until,
                by: *by,
            })
        });
        former.collect()
    }
}

/// By which of several sights is the first. Of one version the write counts, before what only saw the object: a watch
/// may be quicker than the event of the request.
type FirstRank<'a> = (AsOf, bool, i64, Reverse<(&'a str, &'a str)>);

fn first_rank<'a>((as_of, at): Stamp, by: (&'a str, &'a str)) -> FirstRank<'a> {
    (as_of, by.0.is_empty(), at, Reverse(by))
}
