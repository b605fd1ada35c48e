//! What events said that named a pod and not its uid: which pod they meant.

use super::described::newest;
use super::fold::{Asked, PHASES, Pod, earlier};
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
    /// Its node was deleted.
    NodeGone,
    /// Its namespace was empty.
    NamespaceGone,
    /// It was not found.
    NotFound,
    /// It was to end, its containers had, and its time was over for long.
    GraceOver,
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

impl Meant {
    /// `says` is what was said of the name and of its namespace that may be about this pod, by time; `gone`
    /// what proves the pod's end without it, `removed` when an event told that, in milliseconds.
    pub fn of(
        pod: &Pod,
        says: &[&NameFact],
        (gone, removed): (Option<(i64, Proof)>, Option<i64>),
    ) -> Meant {
        let proven = proven(pod, says).filter(|proof| holds(pod, *proof));
        let told = removed.map(|at| (at + 1) * 1_000);
        let until = [told, earlier(gone, proven).map(|(at, _)| at)];
        let until = until.into_iter().flatten().min().unwrap_or(i64::MAX);
        let creation = creation(pod, says);
        let from = match (pod.created_at, creation) {
            (0, Some(creation)) => creation.at,
            _ => start_of(pod),
        };
        let within = says.iter().filter(|say| (from..=until).contains(&say.at));
        let said: Vec<&NameFact> = within.copied().collect();
        let first = |whats: &[&str]| -> Asked {
            let asks = said.iter().filter(|say| whats.contains(&say.what));
            let asks = asks.map(|say| (millis(say.at), say.user.clone(), say.acting_as.clone()));
            asks.min()
        };
        let status = said.iter().find(|say| say.what == "status");
        Meant {
            created_by: creation
                .map(|say| (say.user.clone(), say.acting_as.clone()))
                .unwrap_or_default(),
            node: status.map_or_else(Text::default, |say| say.user["system:node:".len()..].into()),
            truncated: said.iter().any(|say| {
                let who = (say.user.clone(), say.acting_as.clone());
                let is_creation = say.at.div_euclid(SECOND) == i64::from(pod.created_at);
                say.what == "truncated" && !(is_creation && who == pod.created_by)
            }),
            asked: first(&["ask", "force", "evict", "collect", "purge"]),
            evict_asked: first(&["evict"]),
            force_asked: first(&["force", "purge"]),
            gone: proven,
        }
    }
}

/// A sign of life over two seconds after it undoes a proof.
pub fn holds(pod: &Pod, (at, _): (i64, Proof)) -> bool {
    pod.alive_at
        .is_none_or(|alive| alive * 1_000 <= at + 2 * SECOND)
}

/// Who did this last to what the pod was on, or in, while it was there; `end` is when it was gone.
pub fn cause(pod: &Pod, says: &[&NameFact], (what, end): (&str, i64)) -> Option<(Text, Text)> {
    let start = start_of(pod);
    let within = says
        .iter()
        .filter(|say| say.what == what && start < say.at && say.at <= end);
    let last = within.max()?;
    Some((last.user.clone(), last.acting_as.clone()))
}

/// Whether something can be about this pod.
pub fn is_about(say: &NameFact, uid: u128, pod: &Pod) -> bool {
    let is_its = say.uid == 0 || say.uid == uid;
    let labels = newest(pod).map(|(labels, ..)| &labels[..]);
    is_its && (say.selector.is_empty() || selects(&say.selector, labels.unwrap_or_default()))
}

/// Only `key=value,..` is understood; of anything else nobody knows whom it selects.
fn selects(selector: &str, labels: &[(Text, Text)]) -> bool {
    selector.split(',').all(|term| {
        let Some((key, value)) = term.split_once("==").or_else(|| term.split_once('=')) else {
            return false;
        };
        let is_plain = !term.contains(['!', '(', ')', ' ', '\t', '\n']) && !value.contains('=');
        let has_it = labels
            .iter()
            .any(|(has, it)| **has == *key && **it == *value);
        is_plain && !key.is_empty() && has_it
    })
}

/// How long after its node a pod is gone, and within which time a node comes back.
const PODS_LEFT: i64 = 60 * SECOND;
const BACK_WITHIN: i64 = 600 * SECOND;

/// By the deletion of its node; `says` is what was said of that.
pub fn node_gone(pod: &Pod, says: &[&NameFact]) -> Option<(i64, Proof)> {
    let mut ends: Vec<i64> = Vec::new();
    for gone in says.iter().filter(|say| say.what == "node gone") {
        let back = says
            .iter()
            .any(|say| say.what == "node came" && (1..=BACK_WITHIN).contains(&(say.at - gone.at)));
        let end = gone.at + PODS_LEFT;
        if !back && gone.at > start_of(pod) && pod.seen.last <= end {
            ends.push(end);
        }
    }
    ends.into_iter().min().map(|end| (end, Proof::NodeGone))
}

fn millis(micros: i64) -> i64 {
    micros.div_euclid(1_000)
}

/// An instant at which it had been created.
fn alive(pod: &Pod) -> i64 {
    match pod.created_at {
        0 => pod.seen.first,
        created => i64::from(created) * SECOND + SECOND - 1,
    }
}

/// A kubelet knows the pods of its node.
fn is_by_another_node(say: &NameFact, pod: &Pod) -> bool {
    say.user.starts_with("system:node:")
        && !pod.node.is_empty()
        && *say.user != format!("system:node:{}", pod.node)
}

/// The first proof that it was gone.
fn proven(pod: &Pod, says: &[&NameFact]) -> Option<(i64, Proof)> {
    let alive = alive(pod);
    let held = matches!(newest(pod), Some((.., true)));
    let proofs = says.iter().filter_map(|say| {
        // Nothing came after it.
        let is_last_word = say.at >= pod.seen.last;
        let after = say.at > alive;
        let ends = after || is_last_word && say.at > pod.seen.first;
        // Who has finished goes when that is asked, and so does who never had a node.
        let finished = pod.terminal_at().is_some_and(|at| say.at > at * 1_000);
        let nowhere = pod.node.is_empty()
            && pod.scheduled_at == 0
            && newest(pod).is_some()
            && PHASES[pod.phase] == "Pending"
            && !says
                .iter()
                .any(|say| ["status", "remove"].contains(&say.what) && say.at > pod.seen.first);
        let by_kubelet = say.user.starts_with("system:node:") && say.acting_as.is_empty();
        let proof = match say.what {
            "remove" if ends && (by_kubelet || !held) => Proof::Removed,
            "force" | "purge" if ends && !held => Proof::Removed,
            "ask" | "evict" | "collect"
                if ends && !held && (finished || nowhere && is_last_word) =>
            {
                Proof::NotFound
            }
            _ if !after => return None,
            "create" => Proof::Replaced,
            "finalize" => Proof::NamespaceGone,
            "gone" if is_last_word && !is_by_another_node(say, pod) => Proof::NotFound,
            _ => return None,
        };
        Some((say.at, proof))
    });
    proofs.min()
}

/// What created it, if that named it.
fn creation<'s>(pod: &Pod, says: &[&'s NameFact]) -> Option<&'s NameFact> {
    let alive = alive(pod);
    let before = || says.iter().copied().filter(|say| say.at <= alive);
    let newest = before()
        .filter(|say| say.what == "create")
        .max_by_key(|say| say.at)?;
    let fits = match pod.created_at {
        0 => before()
            .filter(|say| matches!(say.what, "remove" | "force" | "purge"))
            .all(|say| say.at < newest.at),
        created => newest.at >= i64::from(created) * SECOND - SECOND,
    };
    fits.then_some(newest)
}
