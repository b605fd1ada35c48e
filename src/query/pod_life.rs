//! What a page says of its pod beyond the columns of `pods`.

use std::collections::BTreeMap;

use super::model::Time;

/// What a page says of its pod beyond the columns of `pods`.
pub(super) struct PodLife {
    pub owner_kind: Option<String>,
    pub owner: Option<String>,
    pub first_seen: Option<Time>,
    pub ips: Vec<(String, Time)>,
    pub restart_counts: Vec<(String, u32)>,
    pub waiting: Vec<(String, String)>,
    pub status_reason: Option<String>,
    pub terminal_at: Option<Time>,
    pub deletion: Option<Asked>,
    pub eviction: Option<Asked>,
    pub forced: Option<Asked>,
    /// The request that left it the least time, where that is another one.
    pub hurried: Option<Asked>,
    pub hurried_deadline: Option<Time>,
    pub gaps: Vec<AddressGap>,
    /// What it was before, oldest first.
    pub former: Vec<Former>,
    pub disrupted: Option<(Time, Option<String>)>,
    /// If the removal was not observed: when it was gone at the latest, and the word for the proof.
    pub gone: Option<(Time, String)>,
}

/// A time in which it had not an address that it had before.
pub(super) struct AddressGap {
    pub ip: String,
    pub from: Time,
    /// When it had it again.
    pub until: Option<Time>,
}

/// Labels and workload that it had before a change.
pub(super) struct Former {
    pub until: Time,
    pub by: Option<String>,
    /// Kind and name.
    pub workload: Option<(String, String)>,
    pub labels: BTreeMap<String, String>,
}

/// A request for a pod's end.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Asked {
    pub at: Time,
    /// The account.
    pub by: Option<String>,
    /// The audit ID, where Kubernetes itself was not the one that asked.
    pub event: Option<String>,
}
