//! What is explored: who does what, and how often the clock jumps or a process dies.

use super::facts::Fact;
use super::store::Replicas;

/// Facts by their number that one process stores together.
pub type Load = &'static [u8];

/// What happens before.
#[derive(Clone, Copy, Debug, Default)]
pub struct Before {
    pub load: Load,
    /// Where it is stored and folded.
    pub replica: Replicas,
    /// Its process died when the facts were stored.
    pub died: bool,
    /// Everything is reconciled and filed, and the log is dropped.
    pub filed: bool,
    /// The log is lost, and what the replicas do not have of each other they get.
    pub log_lost: bool,
    /// Then so many seconds go by.
    pub then: u32,
}

/// How the clock jumps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Jump {
    /// So many seconds on.
    By(u32),
    /// To when reconcile has something to do next.
    Due,
    /// The server's clock is set back by so many seconds; once.
    Back(u32),
}

#[derive(Clone, Debug, Default)]
pub struct Scenario {
    pub name: &'static str,
    pub facts: Vec<Fact>,
    pub before: Vec<Before>,
    /// The loads of each process, and the replica that it writes to.
    pub sinks: Vec<(Replicas, Vec<Load>)>,
    /// Loads whose facts may be in the log while the one before is folded.
    pub ahead: u8,
    /// The replica of each that reconciles, and how many rounds it begins.
    pub reconciles: Vec<(Replicas, u8)>,
    /// The replica of each reader.
    pub readers: Vec<Replicas>,
    pub jumps: &'static [Jump],
    pub jumps_max: u8,
    pub crashes_max: u8,
    /// Whoever crashes never comes back, and its spool is lost.
    pub for_good: bool,
    /// Nothing is wrong even before something is reconciled, where nobody crashed.
    pub at_once: bool,
    /// ClickHouse merges recent rows at once; else never.
    pub merged: bool,
    /// There are two replicas, and each gets later what the other has.
    pub replicated: bool,
}
