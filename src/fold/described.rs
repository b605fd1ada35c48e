//! Labels, owner and finalizers of a pod, as they were and as they are.
//!
//! Of each description the first and the last sight are kept, by the version of the object. So facts may come in any
//! order. What comes back to a former description had it from its last sight on.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::merge::AsOf;
use crate::rows::{Owner, PodPiece};

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
            // Of two sights at once the write counts.
            if (sights.first, Reverse(sights.by)) < (kept.first, Reverse(kept.by)) {
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

    /// The ones before the newest, in their order.
    pub fn former(&self) -> Vec<Former<'_, 'a>> {
        let mut seen: Vec<(Stamp, &Description<'a>, (&'a str, &'a str))> = Vec::new();
        for (description, sights) in &self.0 {
            seen.push((sights.first, description, sights.by));
            seen.push((sights.last, description, ("", "")));
        }
        seen.sort_by_key(|(stamp, description, by)| (*stamp, *description, Reverse(*by)));
        let pairs = seen.iter().zip(seen.iter().skip(1));
        let changes = pairs.filter(|((_, before, _), (_, after, _))| {
            (&before.labels, &before.owner) != (&after.labels, &after.owner)
        });
        let former = changes.map(|((_, description, _), ((_, until), _, by))| Former {
            description,
            until: *until,
            by: *by,
        });
        former.collect()
    }
}
