//! What `bygone get` shows, and how far back it looks: `get` asks for it, and completion names it.

use clap::ValueEnum;
use jiff::SignedDuration;

use crate::query::Group;

/// How far back a question without a time goes: what is asked about has mostly just happened, and all of the history is
/// too much for a terminal.
pub const RECENT: SignedDuration = SignedDuration::from_hours(24);

#[derive(Clone, Copy, ValueEnum)]
pub enum What {
    #[value(aliases = ["container", "co"])]
    Containers,
    #[value(aliases = ["pod", "po"])]
    Pods,
    #[value(alias = "session")]
    Sessions,
    #[value(alias = "cluster")]
    Clusters,
    #[value(aliases = ["namespace", "ns"])]
    Namespaces,
    #[value(alias = "workload")]
    Workloads,
    #[value(aliases = ["node", "no"])]
    Nodes,
    #[value(alias = "image")]
    Images,
}

impl What {
    /// Where it is a summary: of what.
    pub fn group(self) -> Option<Group> {
        match self {
            What::Containers | What::Pods | What::Sessions => None,
            What::Clusters => Some(Group::Clusters),
            What::Namespaces => Some(Group::Namespaces),
            What::Workloads => Some(Group::Workloads),
            What::Nodes => Some(Group::Nodes),
            What::Images => Some(Group::Images),
        }
    }
}
