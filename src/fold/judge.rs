//! Judges a life: when it ended, what proves that, and why.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use crate::audit::words::{EndedWhy, NameEvent, Proof};
use crate::rows::{NEVER, Said};

use super::columns::{account, addresses, workload, workload_of};
use super::life::Life;
use super::names::{self, Named};
use super::why::{self, Requests, Why};

const SECOND: i64 = 1_000_000;

/// Events of one moment may have times that differ by so much, as API servers have clocks of their own. Microseconds.
const APART: i64 = 2 * SECOND;

/// A pod seen this long after its removal came back: its cluster was restored from a backup. Milliseconds.
const CAME_BACK_AFTER: i64 = 300_000;

/// A pod whose containers had ended is gone this long after its deadline. Milliseconds.
const GONE_AFTER: i64 = 600_000;

/// A deadline further in the future is ignored. Seconds.
const DEADLINE_MAX: i64 = 86_400;

/// All known pods that had one name, and the events about the name.
pub(super) struct Name<'n, 'a> {
    pub cluster: &'a str,
    pub namespace: &'a str,
    pub pod: &'a str,
    pub lives: &'n BTreeMap<u128, Box<Life<'a>>>,
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
    /// Whether the first of them is known by what came of it alone.
    pub(super) request_unseen: bool,
    /// The account whose request led to its end, if it has ended.
    pub(super) cause: Option<String>,
    pub(super) why: Why<'a>,
    /// When it was removed, in milliseconds: by an event about it, or by the removal of its name.
    pub(super) removed: Option<i64>,
    /// If no event reports that: the first proof that it was gone, in microseconds.
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
        let alive_at = life.alive_at * 1_000;
        // A later sign of life undoes every proof.
        let holds = |proof: &(i64, Proof)| alive_at <= proof.0 + APART;
        let proven = proven.filter(holds);
        let proofs = [replaced.filter(holds), proven, lost];
        let proof = proofs.into_iter().flatten().min();
        let reported = removed(life);
        let by_name = proof.filter(|(_, proof)| *proof == Proof::NameRemoved);
        let removed = reported.or(by_name.map(|(at, _)| at.div_euclid(1_000)));
        let until = [
            reported.map(|at| (at + 1) * 1_000),
            proof.map(|(at, _)| at),
            proven.map(|(at, _)| at),
        ];
        let until = until.into_iter().flatten().min().unwrap_or(NEVER);
        let named = names::named(life, &says, until);
        let (requests, request_unseen) = why::requests(life, &named);
        let over = grace_over(life, &requests).filter(holds);
        let proof = [proof, over].into_iter().flatten().min();
        let proof = proof.filter(|_| removed.is_none());
        let end = removed.map(|at| at * 1_000).or(proof.map(|(at, _)| at));
        let has_node = !life.node.is_empty() || !named.node.is_empty();
        let why = why::of_pod(
            life,
            &requests,
            end,
            proof.map(|(_, proof)| proof),
            has_node,
        );
        Judged {
            uid,
            cause: cause(name, life, why.why, end),
            named,
            requests,
            request_unseen,
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
        (self.why.why, &self.why.by, self.why.since, &self.cause).hash(&mut hash);
        (life.is_mirror, life.config_hash, life.terminal).hash(&mut hash);
        for former in life.described.former() {
            (former.until, workload_of(former.owner)).hash(&mut hash);
        }
        hash.finish()
    }
}

/// When it was removed, in milliseconds, unless it was seen again long after that.
fn removed(life: &Life) -> Option<i64> {
    let last = life.removed?.last;
    (life.alive_at <= last + CAME_BACK_AFTER).then_some(last)
}

/// Whether it was seen again after it was removed.
pub(super) fn came_back(life: &Life) -> bool {
    let removed = life.removed.map(|removed| removed.first + CAME_BACK_AFTER);
    removed.is_some_and(|gone| life.alive_at > gone)
}

/// Its end was requested, and its containers ended: it is gone as soon as its kubelet has cleaned up. No event
/// reported that, but it holds long after its deadline.
fn grace_over(life: &Life, requests: &Requests) -> Option<(i64, Proof)> {
    let deadline = i64::from(life.deadline) * 1_000;
    let has_ended = life.emptied_at.is_some() || life.terminal.is_some();
    let is_near = deadline <= life.seen.last.div_euclid(1_000) + DEADLINE_MAX * 1_000;
    let is_to_end = requests.any.is_some() && deadline != 0 && is_near && has_ended;
    let gone_at = (deadline + GONE_AFTER) * 1_000;
    (is_to_end && !names::is_held(life) && life.seen.last <= gone_at)
        .then_some((gone_at, Proof::GraceOver))
}

/// The account that deleted its node or its namespace, if it ended with that.
fn cause(name: &Name, life: &Life, why: Option<EndedWhy>, end: Option<i64>) -> Option<String> {
    let (what, says, word) = match why? {
        EndedWhy::NodeLost => {
            let of_node = name.nodes.get(life.node)?;
            (NameEvent::NodeGone, &of_node[..], "node deleted by")
        }
        EndedWhy::NamespaceDeleted => (NameEvent::Close, name.space, "namespace deleted by"),
        _ => return None,
    };
    let (user, acting_as) = names::cause(life, says, what, end?)?;
    account(user, acting_as).map(|by| format!("{word} {by}"))
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
