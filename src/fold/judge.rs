//! A life is judged: when it ended, what proves that, and why.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use crate::audit::words::Proof;
use crate::rows::{NEVER, Said};

use super::life::{Asked, Life};
use super::names::{self, Named};
use super::row::{addresses, workload};
use super::why::{self, Requests, Why};

const SECOND: i64 = 1_000_000;

/// All pods that had one name, as far as they are known, and what was said of it.
pub(super) struct Name<'n, 'a> {
    pub cluster: &'a str,
    pub namespace: &'a str,
    pub pod: &'a str,
    pub lives: &'n BTreeMap<u128, Life<'a>>,
    /// Of the name, and of its namespace.
    pub said: &'n [Said<'a>],
    pub space: &'n [Said<'a>],
    /// By the name of the node.
    pub nodes: &'n BTreeMap<&'a str, Vec<Said<'a>>>,
    /// The server's time before any of it was read; seconds.
    pub read_at: u32,
}

/// What its container rows repeat of a pod, and what decides about them.
#[derive(Clone, Debug)]
pub(super) struct Judged<'a> {
    pub(super) uid: u128,
    pub(super) named: Named<'a>,
    pub(super) requests: Requests<'a>,
    pub(super) why: Why<'a>,
    /// When it was removed, in milliseconds: as an event says, or as the removal of its name does.
    pub(super) removed: Option<i64>,
    /// Where no event says that: the first proof that it was gone, in microseconds.
    pub(super) proof: Option<(i64, Proof)>,
    /// When it was gone, in microseconds.
    pub(super) end: Option<i64>,
    /// Known from late events alone, and without an end: whether it lives is not known.
    pub(super) unconfirmed: bool,
}

impl<'a> Judged<'a> {
    pub fn of(name: &Name<'_, 'a>, uid: u128, life: &Life<'a>) -> Judged<'a> {
        let says = names::of_life(uid, life, name.said, name.space);
        let proven = names::proven(life, &says);
        let lost = name
            .nodes
            .get(life.node)
            .and_then(|node| names::node_lost(life, node));
        let replaced = replaced(name, uid, life).map(|at| (at, Proof::Replaced));
        let proof = [replaced, proven, lost].into_iter().flatten().min();
        let told = (life.removed_at != 0).then_some(life.removed_at);
        let by_name = proof.filter(|(_, proof)| *proof == Proof::NameRemoved);
        let removed = told.or(by_name.map(|(at, _)| at.div_euclid(1_000)));
        let until = [
            told.map(|at| (at + 1) * 1_000),
            proof.map(|(at, _)| at),
            proven.map(|(at, _)| at),
        ];
        let until = until.into_iter().flatten().min().unwrap_or(NEVER);
        let named = names::named(life, &says, until);
        let proof = proof.filter(|_| removed.is_none());
        let end = removed.map(|at| at * 1_000).or(proof.map(|(at, _)| at));
        let requests = Requests {
            any: first([&life.delete_asked, &life.evict_asked, &named.asked]),
            eviction: first([&life.evict_asked, &named.eviction]),
            forced: first([&life.force_asked, &named.forced]),
        };
        let has_node = !life.node.is_empty() || !named.node.is_empty();
        let why = why::of_pod(
            life,
            &requests,
            (end, proof.map(|(_, proof)| proof)),
            has_node,
        );
        Judged {
            uid,
            named,
            requests,
            why,
            removed,
            proof,
            end,
            unconfirmed: end.is_none() && !life.timely,
        }
    }

    /// Whether it is known to have ended.
    pub fn has_ended(&self) -> bool {
        self.end.is_some()
    }

    /// When it was over at the latest.
    pub fn over_at(&self, life: &Life) -> i64 {
        match self.end {
            Some(end) => end,
            None if self.unconfirmed => life.seen.last + 1,
            None => NEVER,
        }
    }

    /// A hash of all that the rows of its containers are made of, but for the instances.
    pub fn copied(&self, life: &Life) -> u64 {
        let (kind, workload, inferred) = workload(life);
        let mut hash = DefaultHasher::new();
        (kind, workload, inferred, life.node, addresses(life)).hash(&mut hash);
        (life.created_at, life.host_network, life.timely).hash(&mut hash);
        (self.removed, self.end, self.unconfirmed).hash(&mut hash);
        (self.why.why, &self.why.by, self.why.since).hash(&mut hash);
        hash.finish()
    }
}

/// A name belongs to one pod at a time: the creation of a later one proves that this one was gone. A creation
/// is known to the second, and had happened when that was over.
fn replaced(name: &Name, uid: u128, life: &Life) -> Option<i64> {
    let second = names::start_of(life).div_euclid(SECOND);
    let others = name.lives.iter().filter(|(other, _)| **other != uid);
    others
        .map(|(_, other)| i64::from(other.created_at))
        .filter(|created| *created != 0 && *created > second)
        .map(|created| (created + 1) * SECOND)
        .min()
}

pub(super) fn first<'a, const N: usize>(asked: [&Option<Asked<'a>>; N]) -> Option<Asked<'a>> {
    asked.into_iter().flatten().min().cloned()
}
