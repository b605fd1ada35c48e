//! What events said that named a pod and not its uid: which pod they meant.

use super::fold::{Asked, Pod, earlier};
use super::life::start_of;
use crate::lives::fact::NameFact;
use crate::lives::{SECOND, Text};

/// Why a pod that nobody saw go must have gone, the better evidence first where they tell the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Proof {
    /// Whatever had its name was removed.
    Removed,
    /// Another pod of its name was created.
    Replaced,
    /// Its namespace was empty.
    NamespaceGone,
    /// It was not found.
    NotFound,
}

/// What is known of a pod by its name.
#[derive(Clone, Debug, Default)]
pub struct Meant {
    pub created_by: (Text, Text),
    pub node: Text,
    pub truncated: bool,
    pub asked: Asked,
    pub evict_asked: Asked,
    pub force_asked: Asked,
    pub gone: Option<(i64, Proof)>,
}

/// How much of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Joined {
    Nothing,
    /// Before the first settling: who asked for its end.
    Asks,
    /// All of it.
    All,
}

impl Meant {
    /// `says` is what was said of the name and of its namespace, by time; `gone` what proves the pod's end without it.
    pub fn of(pod: &Pod, says: &[NameFact], gone: Option<(i64, Proof)>, joined: Joined) -> Meant {
        if joined == Joined::Nothing {
            return Meant::default();
        }
        let start = start_of(pod);
        let proven = match joined {
            Joined::All => proven(pod, says),
            _ => None,
        };
        let removed = (pod.removed_at != 0).then(|| (pod.removed_at + 1) * 1_000);
        let until = [removed, earlier(gone, proven).map(|(at, _)| at)];
        let until = until.into_iter().flatten().min().unwrap_or(i64::MAX);
        let creation = creation(pod, says).filter(|_| joined == Joined::All);
        let from = match (pod.created_at, creation) {
            (0, Some(creation)) => creation.at,
            _ => start,
        };
        let within = says.iter().filter(|say| (from..=until).contains(&say.at));
        let said: Vec<&NameFact> = within
            .filter(|say| joined == Joined::All || !say.pod.is_empty())
            .collect();
        let first = |whats: &[&str]| -> Asked {
            let asks = said.iter().filter(|say| whats.contains(&say.what));
            asks.map(|say| {
                (
                    say.at.div_euclid(1_000),
                    say.user.clone(),
                    say.acting_as.clone(),
                )
            })
            .min()
        };
        let asks = Meant {
            asked: first(&["ask", "force", "evict", "collect"]),
            evict_asked: first(&["evict"]),
            force_asked: first(&["force"]),
            ..Meant::default()
        };
        if joined == Joined::Asks {
            return asks;
        }
        let status = said.iter().find(|say| say.what == "status");
        Meant {
            created_by: creation
                .map(|say| (say.user.clone(), say.acting_as.clone()))
                .unwrap_or_default(),
            node: status.map_or_else(Text::default, |say| say.user["system:node:".len()..].into()),
            truncated: said.iter().any(|say| say.what == "truncated"),
            gone: proven.filter(|_| pod.removed_at == 0),
            ..asks
        }
    }
}

/// An instant at which it had been created.
fn alive(pod: &Pod) -> i64 {
    match pod.created_at {
        0 => pod.seen.first,
        created => i64::from(created) * SECOND + SECOND - 1,
    }
}

/// The first proof that it was gone.
fn proven(pod: &Pod, says: &[NameFact]) -> Option<(i64, Proof)> {
    let alive = alive(pod);
    let after = says.iter().filter(|say| say.at > alive);
    let proofs = after.filter_map(|say| {
        // Who has finished goes when that is asked.
        let finished = pod.terminal_at.is_some_and(|at| say.at > at * 1_000);
        let proof = match say.what {
            "remove" | "force" => Proof::Removed,
            "create" => Proof::Replaced,
            "finalize" => Proof::NamespaceGone,
            "gone" => Proof::NotFound,
            "ask" | "evict" | "collect" if finished => Proof::NotFound,
            _ => return None,
        };
        Some((say.at, proof))
    });
    proofs.min()
}

/// What created it, if that named it.
fn creation<'s>(pod: &Pod, says: &'s [NameFact]) -> Option<&'s NameFact> {
    let alive = alive(pod);
    let before = || says.iter().filter(|say| say.at <= alive);
    let newest = before()
        .filter(|say| say.what == "create")
        .max_by_key(|say| say.at)?;
    let fits = match pod.created_at {
        0 => before()
            .filter(|say| matches!(say.what, "remove" | "force"))
            .all(|say| say.at < newest.at),
        created => newest.at >= i64::from(created) * SECOND - SECOND,
    };
    fits.then_some(newest)
}
