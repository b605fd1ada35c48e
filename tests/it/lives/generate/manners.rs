//! How impolite a kubelet, its node and its cluster are.

use super::chance::Chance;
use crate::lives::object::{Id, Object, State, Status, Terminated, Verb};
use crate::lives::{HOUR, MINUTE, SECOND};
use crate::support::Random;

/// Most are polite, and the others have one or two of these manners.
#[derive(Clone, Debug)]
pub struct Manners {
    pub are_odd: bool,
    pub accounts: Accounts,
    ids: Ids,
    ends: Ends,
    /// By how much the node's clock is ahead, in microseconds.
    pub clock: i64,
    loss: Loss,
}

/// What kubelets are called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accounts {
    OfNodes,
    /// `kubelet`, which is in no group of Kubernetes'.
    Common,
}

/// Which container IDs are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ids {
    Own,
    None,
    /// All instances of a container have the ID of the first.
    Shared,
}

/// Which ends have an ID.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ends {
    WithId,
    /// The status names it still.
    WithoutOwn,
    /// Nor does the status.
    WithoutAny,
}

/// Which events are lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Loss {
    Nothing,
    /// Who asked for the end.
    Requests,
    /// The kubelet's last word.
    Removals,
    Both,
}

impl Manners {
    pub fn random(random: &mut Random) -> Manners {
        let mut manners = Manners {
            are_odd: false,
            accounts: Accounts::OfNodes,
            ids: Ids::Own,
            ends: Ends::WithId,
            clock: 0,
            loss: Loss::Nothing,
        };
        if random.chance(75) {
            return manners;
        }
        manners.are_odd = true;
        for _ in 0..random.below(3) {
            match random.below(6) {
                0 => manners.accounts = Accounts::Common,
                1 => manners.ids = *random.pick(&[Ids::None, Ids::Shared]),
                2 => manners.ends = *random.pick(&[Ends::WithoutOwn, Ends::WithoutAny]),
                3 | 4 => manners.clock = clock(random),
                _ => {
                    let losses = [Loss::Requests, Loss::Removals, Loss::Both];
                    manners.loss = *random.pick(&losses);
                }
            }
        }
        manners
    }

    /// The object as the kubelet tells it.
    pub fn told(&self, object: &Object) -> Object {
        let mut told = object.clone();
        for status in &mut told.statuses {
            self.tell(status);
        }
        told
    }

    fn tell(&self, status: &mut Status) {
        let shared = Id::Other(format!("of-{}", status.name).into());
        let told = |id: &mut Option<Id>| match self.ids {
            Ids::Own => {}
            Ids::None => *id = None,
            Ids::Shared => *id = id.take().map(|_| shared.clone()),
        };
        told(&mut status.id);
        let ends_here = matches!(status.state, State::Terminated(_));
        for end in ends_of(status) {
            told(&mut end.id);
            if self.ends != Ends::WithId {
                end.id = None;
            }
        }
        if self.ends == Ends::WithoutAny && ends_here {
            status.id = None;
        }
    }

    /// Whether nobody records this.
    pub fn loses(&self, random: &mut Random, verb: Verb, is_of_kubelet: bool) -> bool {
        let requests = matches!(self.loss, Loss::Requests | Loss::Both);
        let removals = matches!(self.loss, Loss::Removals | Loss::Both);
        let is_request = matches!(verb, Verb::Delete | Verb::Evict) && !is_of_kubelet;
        let is_last = verb == Verb::Delete && is_of_kubelet;
        (is_request && requests || is_last && removals) && random.chance(80)
    }
}

fn ends_of(status: &mut Status) -> impl Iterator<Item = &mut Terminated> {
    let current = match &mut status.state {
        State::Terminated(end) => Some(end),
        _ => None,
    };
    current.into_iter().chain(&mut status.last)
}

/// Ahead or behind, by seconds or by hours.
pub fn clock(random: &mut Random) -> i64 {
    let most = *random.pick(&[40 * SECOND, 5 * MINUTE, 5 * HOUR]);
    random.below(2 * most as u64) as i64 - most
}
