//! Events about a name, and which of the pods that had it they were about.
//!
//! This is evaluated again at each fold and never stored: a predecessor that becomes known later takes back events
//! that were attributed to its successor.

use crate::audit::words::{NameEvent, Proof};
use crate::rows::{Phase, Said};

use super::life::{Asked, Life};

/// What is known of a life by the name of its pod, its namespace, and its node.
#[derive(Clone, Debug, Default)]
pub struct Named<'a> {
    pub created_by: Option<(&'a str, &'a str)>,
    pub node: &'a str,
    pub truncated: bool,
    pub asked: Option<Asked<'a>>,
    /// The first DELETE, forced or not.
    pub deletion: Option<Asked<'a>>,
    pub eviction: Option<Asked<'a>>,
    pub forced: Option<Asked<'a>>,
}

/// A node that is back within this many microseconds was only registered again.
const NODE_BACK: i64 = 600_000_000;

/// The pod garbage collector removes the pods of a deleted node within a minute.
const NODE_LOST_AFTER: i64 = 60_000_000;

const SECOND: i64 = 1_000_000;

/// The start of a life: its creation; where that is not known, the first event about it. Microseconds.
pub(super) fn start_of(life: &Life) -> i64 {
    match life.created_at {
        0 => life.seen.first,
        created => i64::from(created) * SECOND,
    }
}

/// An instant at which it had surely been created.
fn alive_at(life: &Life) -> i64 {
    match life.created_at {
        0 => life.seen.first,
        created => i64::from(created) * SECOND + SECOND - 1,
    }
}

/// The events about the name of a pod and about its namespace that may concern this life, by time.
pub(super) fn of_life<'s, 'a>(
    uid: u128,
    life: &Life,
    name: &'s [Said<'a>],
    space: &'s [Said<'a>],
) -> Vec<&'s Said<'a>> {
    let name = name.iter().filter(|said| said.uid == 0 || said.uid == uid);
    let space = space.iter().filter(|said| selects(said, life));
    let mut says: Vec<&Said> = name.chain(space).collect();
    says.sort_unstable_by_key(|said| (said.at, *said));
    says
}

/// Whether a deletecollection selects a pod with these labels, where that is known: its selector is a list of
/// `key=value`.
fn selects(said: &Said, life: &Life) -> bool {
    let is_of_selector = matches!(
        said.what,
        NameEvent::Collect | NameEvent::Purge | NameEvent::Unresolved
    );
    if !is_of_selector || said.selector.is_empty() {
        return true;
    }
    let labels = life.described.newest().map_or(&[][..], |it| &it.labels);
    said.selector.split(',').all(|pair| {
        let Some((key, value)) = pair.split_once('=') else {
            return false;
        };
        let value = value.strip_prefix('=').unwrap_or(value);
        let odd = |c: char| "=!()".contains(c) || c.is_whitespace();
        !key.is_empty()
            && !key.contains(odd)
            && !value.contains(odd)
            && labels.contains(&(key, value))
    })
}

/// Whether finalizers keep it.
pub(super) fn is_held(life: &Life) -> bool {
    life.described.newest().is_some_and(|it| it.is_held)
}

/// The last account that requested the deletion of a pod's namespace or node between its start and its end at `end`
/// (microseconds).
pub(super) fn cause<'a>(
    life: &Life,
    says: &[Said<'a>],
    what: NameEvent,
    end: i64,
) -> Option<(&'a str, &'a str)> {
    let start = start_of(life);
    // A watch saw it too, and knows nobody.
    let asks = says
        .iter()
        .filter(|said| said.what == what && !said.user.is_empty());
    let within = asks.filter(|said| said.at > start && said.at <= end);
    let last = within.max_by_key(|said| (said.at, *said))?;
    Some((last.user, last.acting_as))
}

/// The first proof, by events about names, that the life had ended.
pub(super) fn proven(life: &Life, says: &[&Said]) -> Option<(i64, Proof)> {
    let alive = alive_at(life);
    let is_held = is_held(life);
    let has_no_node = has_no_node(life, says);
    let proofs = says.iter().filter_map(|said| {
        let after = said.at > alive;
        // Within the second of its creation the event may be about its predecessor: not if the pod had been seen
        // before, and was not seen since.
        let removes = after || (said.at > life.seen.first && said.at >= life.seen.last);
        let proof = match said.what {
            // A kubelet's is the last one, which comes when nothing holds it any more.
            NameEvent::Remove if removes && (is_by_kubelet(said) || !is_held) => Proof::NameRemoved,
            NameEvent::Force | NameEvent::Purge if removes && !is_held => Proof::NameRemoved,
            NameEvent::Ask | NameEvent::Evict | NameEvent::Collect
                if removes && !is_held && (is_finished(life, said) || has_no_node(said)) =>
            {
                Proof::NotFound
            }
            NameEvent::Create if after => Proof::Replaced,
            NameEvent::Finalize if after => Proof::NamespaceEmpty,
            NameEvent::Gone if after && is_gone(life, said) => Proof::NotFound,
            _ => return None,
        };
        Some((said.at, proof))
    });
    proofs.min()
}

fn is_by_kubelet(said: &Said) -> bool {
    said.user.starts_with("system:node:") && said.acting_as.is_empty()
}

/// Whether it had finished: then it is gone as soon as that is asked, since no kubelet has to end it
/// (`pkg/registry/core/pod/strategy.go`, `CheckGracefulDelete`).
fn is_finished(life: &Life, said: &Said) -> bool {
    life.terminal_at().is_some_and(|at| said.at > at * 1_000)
}

/// The same for a pod without a node. That is known where it was seen whole (its phase tells), and no kubelet sent
/// anything about it, and it was not seen after the request.
fn has_no_node(life: &Life, says: &[&Said]) -> impl Fn(&Said) -> bool {
    let is_of_kubelet = |said: &&&Said| matches!(said.what, NameEvent::Status | NameEvent::Remove);
    let mut of_kubelets = says.iter().filter(is_of_kubelet);
    let is_whole = life.described.newest().is_some() && life.phase == Phase::Pending;
    let is_seen = is_whole && life.node.is_empty() && life.scheduled_at == 0;
    let holds = is_seen && !of_kubelets.any(|said| said.at > life.seen.first);
    let last = life.seen.last;
    move |said| holds && said.at >= last
}

/// Whether a request that did not find it proves that it was gone. Not if it was seen since, nor if the kubelet of
/// another node looked for it, which knows no more than its name.
fn is_gone(life: &Life, said: &Said) -> bool {
    let kubelet = said.user.strip_prefix("system:node:");
    said.at >= life.seen.last
        && kubelet.is_none_or(|node| life.node.is_empty() || node == life.node)
}

/// The first deletion of its node that it did not survive, by the events about that node: the pod was gone a minute
/// later. Not if the node came back within ten minutes, nor if the pod was seen since.
pub(super) fn node_lost(life: &Life, node: &[Said]) -> Option<(i64, Proof)> {
    let start = start_of(life);
    let came_back = |at: i64| {
        let mut came = node.iter().filter(|said| said.what == NameEvent::NodeCame);
        came.any(|came| came.at > at && came.at <= at + NODE_BACK)
    };
    let losses = node.iter().filter(|said| {
        said.what == NameEvent::NodeGone
            && said.at > start
            && said.at + NODE_LOST_AFTER >= life.seen.last
            && !came_back(said.at)
    });
    let first = losses.map(|said| said.at + NODE_LOST_AFTER).min()?;
    Some((first, Proof::NodeDeleted))
}

/// What created it, if an event named that.
fn creation<'s, 'a>(life: &Life, says: &[&'s Said<'a>]) -> Option<&'s Said<'a>> {
    let alive = alive_at(life);
    let before = || says.iter().copied().filter(|said| said.at <= alive);
    let newest = before()
        .filter(|said| said.what == NameEvent::Create)
        .max_by_key(|said| said.at)?;
    let fits = match life.created_at {
        0 => before()
            .filter(|said| {
                matches!(
                    said.what,
                    NameEvent::Remove | NameEvent::Force | NameEvent::Purge
                )
            })
            .all(|said| said.at < newest.at),
        created => newest.at >= i64::from(created) * SECOND - SECOND,
    };
    fits.then_some(newest)
}

/// Whether what was cut off of an event is lost. It is not where the event is there whole as well: of two senders one
/// may cut less, and the log backend nothing. That is known of the creation, the one request of its account in that
/// second.
fn is_lost(life: &Life, said: &Said) -> bool {
    let is_creation = life.created_by == Some((said.user, said.acting_as))
        && said.at.div_euclid(1_000_000) == i64::from(life.created_at);
    match said.what {
        NameEvent::Truncated => !is_creation,
        what => what == NameEvent::Unresolved,
    }
}

/// The events about this life, which had the name until `until`.
pub(super) fn named<'a>(life: &Life<'a>, says: &[&Said<'a>], until: i64) -> Named<'a> {
    let creation = creation(life, says);
    let from = match (life.created_at, creation) {
        (0, Some(creation)) => creation.at,
        _ => start_of(life),
    };
    let within = says.iter().filter(|said| (from..=until).contains(&said.at));
    let said: Vec<&Said> = within.copied().collect();
    let first = |of: fn(NameEvent) -> bool| {
        let asks = said.iter().filter(|said| of(said.what));
        let asks = asks.map(|said| Asked {
            at: said.at.div_euclid(1_000),
            user: said.user,
            acting_as: said.acting_as,
            audit_id: said.audit_id,
        });
        asks.min()
    };
    let status = said.iter().find(|said| said.what == NameEvent::Status);
    Named {
        created_by: creation.map(|said| (said.user, said.acting_as)),
        node: status.map_or("", |said| {
            let account = match said.acting_as {
                "" => said.user,
                acting_as => acting_as,
            };
            account.strip_prefix("system:node:").unwrap_or_default()
        }),
        truncated: said.iter().any(|said| is_lost(life, said)),
        asked: first(|what| what.asks() || matches!(what, NameEvent::Collect | NameEvent::Purge)),
        deletion: first(|what| matches!(what, NameEvent::Ask | NameEvent::Force)),
        eviction: first(|what| what == NameEvent::Evict),
        forced: first(|what| matches!(what, NameEvent::Force | NameEvent::Purge)),
    }
}
