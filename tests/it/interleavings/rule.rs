//! The rules of which each may be taken out.

use super::filed;
use super::scenario::Scenario;
use super::scenarios;

/// A rule that may be taken out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rule {
    /// The log is read before the lives.
    LogFirst,
    /// Containers are written before the row of their pod.
    ContainersFirst,
    /// A version is the place in the log of the newest fact.
    VersionFromPlace,
    /// Places in the log leave room for the versions of rows without a new fact.
    RoomBetweenPlaces,
    /// Rows that were read over 120 s ago are refused.
    Fence,
    /// All stored versions are merged, not only the newest.
    AllVersions,
    /// Batches are confirmed when their lives are stored.
    ConfirmLast,
    /// What is said of a name is stored before its facts.
    SaidFirst,
    /// Names that several processes wrote about are folded once more.
    SeveralWriters,
    /// Names of loads that did not finish are folded once more.
    Unfinished,
    /// Whoever folds once more writes all rows anew.
    AllRowsAnew,
    /// The same where a fold failed and is tried again.
    AnewAfterFailure,
    /// Whoever folds once more looks whether something new came in meanwhile.
    LogAgain,
    /// A slot is dropped only as it was when it was checked.
    BlockNumber,
    /// A row is deleted only where this version of it was filed.
    SameVersion,
    /// A row is deleted a minute after it was filed.
    MinuteBeforeDelete,
    /// Rows that were replaced are deleted before the newest.
    OlderFirst,
    /// What is filed was quiet for longer than a row may take to be written.
    QuietBeforeFiling,
    /// Reconcile waits until its replica has what the others have.
    Sync,
    /// All replicas have the lives of a slot before it is dropped.
    SyncOthers,
    /// A reader sees the recent rows once, as they were at one instant.
    OneSnapshot,
}

type Needed = (Rule, fn() -> Scenario);

/// Without the rule something goes wrong in the scenario.
pub const NEEDED: &[Needed] = &[
    (Rule::LogFirst, scenarios::stalled),
    (Rule::ContainersFirst, scenarios::killed),
    (Rule::VersionFromPlace, scenarios::two_sinks),
    (Rule::RoomBetweenPlaces, scenarios::two_sinks),
    (Rule::Fence, filed::stale),
    (Rule::AllVersions, filed::healed),
    (Rule::ConfirmLast, scenarios::killed),
    (Rule::SaidFirst, scenarios::said),
    (Rule::SeveralWriters, scenarios::race),
    (Rule::Unfinished, scenarios::lost),
    (Rule::AllRowsAnew, scenarios::race),
    (Rule::AnewAfterFailure, scenarios::slow),
    (Rule::LogAgain, scenarios::slow),
    (Rule::BlockNumber, scenarios::set_back),
    (Rule::SameVersion, filed::filing),
    (Rule::MinuteBeforeDelete, filed::filing),
    (Rule::OlderFirst, filed::filing),
    (Rule::QuietBeforeFiling, filed::marked),
    (Rule::Sync, filed::lagging),
    (Rule::SyncOthers, filed::lagging),
    (Rule::OneSnapshot, filed::filing),
];
