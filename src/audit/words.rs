//! The closed lists of words that answers and tables use. Each is defined only here; a test compares
//! `schema/README.md` with them.

use serde::{Deserialize, Serialize};

macro_rules! words {
    (
        $(#[$about:meta])*
        pub enum $name:ident { $($(#[$doc:meta])* $word:ident = $text:literal,)* }
    ) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum $name { $($(#[$doc])* $word,)* }

        impl $name {
            pub const ALL: &'static [$name] = &[$($name::$word,)*];

            /// As tables and answers have it.
            pub fn word(self) -> &'static str {
                match self { $($name::$word => $text,)* }
            }

            /// By its word; nothing for a word of a newer build.
            pub fn of_word(word: &str) -> Option<$name> {
                $name::ALL.iter().copied().find(|it| it.word() == word)
            }
        }
    };
}

words! {
    /// Why a pod or a container instance ended: the values of `ended_why`. One word each, with hyphens, so that it
    /// can be typed as a filter.
    pub enum EndedWhy {
        /// Of a container instance: its process ended before anybody asked for it.
        Exited = "exited",
        /// Of a pod: it was Succeeded or Failed before anybody asked for its end.
        Finished = "finished",
        /// An account asked for the deletion (`kubectl delete`).
        Deleted = "deleted",
        /// The eviction API was asked (`kubectl drain`).
        Evicted = "evicted",
        /// A DELETE with a grace period of 0 (`kubectl delete --force`).
        ForceDeleted = "force-deleted",
        /// The controller of its workload deleted it: scaled down, rolled out.
        ScaledOrRolledOut = "scaled-or-rolled-out",
        /// The controller of its Job deleted it: suspended, past its deadline, failed too often.
        JobStopped = "job-stopped",
        /// The garbage collector: its owner was deleted.
        GarbageCollected = "garbage-collected",
        NamespaceDeleted = "namespace-deleted",
        /// It does not tolerate a taint of its node.
        TaintEvicted = "taint-evicted",
        /// The kubelet reclaimed resources: a node-pressure eviction.
        NodePressure = "node-pressure",
        /// Its own `activeDeadlineSeconds` had passed.
        DeadlineExceeded = "deadline-exceeded",
        /// For a pod of higher priority.
        Preempted = "preempted",
        NodeLost = "node-lost",
        Unknown = "unknown",
    }
}

words! {
    /// What is not known of a life: the values of `unknown`. Three more are made of numbers and names:
    /// [`instances_unseen`], [`not_started`] and [`clock_off`].
    pub enum Unknown {
        /// It was removed, and seen again after that: its cluster was restored from a backup.
        CameBack = "came back",
        CreatedUnseen = "created unseen",
        EndNotConfirmed = "end not confirmed",
        /// Several ends of one start were reported; the first counts.
        EndsDiffer = "ends differ",
        MetadataOnly = "metadata only",
        /// A static pod's image in the API was removed: the container may run on.
        MirrorRemoved = "mirror removed",
        RemovalUnseen = "removal unseen",
        /// Its end was requested before the first known request: its deadline proves that.
        RequestUnseen = "request unseen",
        /// The runtime started the same container again.
        StartedAgain = "started again",
        Truncated = "truncated",
        WorkloadInferred = "workload inferred",
    }
}

/// How the count of instances that no event reported ends, in `unknown`.
pub const INSTANCES_UNSEEN: &str = "instances unseen";

/// Separates a container that never started from the reason.
pub const NOT_STARTED: &str = " not started: ";

/// `3 instances unseen`.
pub fn instances_unseen(count: u64) -> String {
    format!("{count} {INSTANCES_UNSEEN}")
}

/// `main not started: ImagePullBackOff`.
pub fn not_started(container: &str, reason: &str) -> String {
    format!("{container}{NOT_STARTED}{reason}")
}

/// Precedes a difference of clocks, in `unknown`.
pub const CLOCK_OFF: &str = "node clock off by ";

/// `node clock off by 1h30m`, to the minute.
pub fn clock_off(micros: i64) -> String {
    let minutes = (micros + 30_000_000).div_euclid(60_000_000);
    let (hours, minutes) = (minutes.div_euclid(60), minutes.rem_euclid(60));
    match (hours, minutes) {
        (0, minutes) => format!("{CLOCK_OFF}{minutes}m"),
        (hours, 0) => format!("{CLOCK_OFF}{hours}h"),
        (hours, minutes) => format!("{CLOCK_OFF}{hours}h{minutes}m"),
    }
}

words! {
    /// What proves the end of a pod whose removal no event reported: the values of `gone_proof`. The better
    /// evidence comes first; it wins where two prove the same instant.
    pub enum Proof {
        /// A request removed whatever had its name.
        NameRemoved = "name removed",
        /// A later pod of its name was created.
        Replaced = "replaced",
        /// Its node was deleted, and nothing was seen of the pod since.
        NodeDeleted = "node deleted",
        /// Its namespace was empty.
        NamespaceEmpty = "namespace empty",
        /// A request did not find it.
        NotFound = "not found",
        /// Its end was asked for, its containers had ended, and its grace period was over for long.
        GraceOver = "grace over",
    }
}

words! {
    /// An event about a name, without the uid of the pod: the values of `what` in the table `said`.
    pub enum NameEvent {
        /// A pod of this name was created.
        Create = "create",
        /// Its deletion was asked for.
        Ask = "ask",
        /// The same, with a grace period of 0.
        Force = "force",
        /// Its eviction was asked for and granted.
        Evict = "evict",
        /// A deletecollection without its items: of the namespace, or of what `selector` selects.
        Collect = "collect",
        /// The same with a grace period of 0.
        Purge = "purge",
        /// A kubelet's last DELETE.
        Remove = "remove",
        /// A request did not find it.
        Gone = "gone",
        /// A kubelet sent its status.
        Status = "status",
        /// The content of an event about it, or the result of a request, is unknown.
        Truncated = "truncated",
        /// The namespace was empty, and went.
        Finalize = "finalize",
        /// A node of this name was created.
        NodeCame = "node came",
        /// A node of this name was deleted.
        NodeGone = "node gone",
        /// The result of a deletecollection is unknown: for the namespace, or for the pods that `selector` selects.
        Unresolved = "unresolved",
        /// The deletion of the namespace was asked for.
        Close = "close",
    }
}

words! {
    /// What a request did in a pod that is there: the values of `kind` in `sessions`, by the names of the
    /// subresources of pods.
    pub enum SessionKind {
        /// A command was run in a container.
        Exec = "exec",
        /// A container's own streams were taken up.
        Attach = "attach",
        PortForward = "portforward",
        /// A container was added to debug the others (`kubectl debug`).
        EphemeralContainers = "ephemeralcontainers",
        /// CPU or memory of a container was changed in place.
        Resize = "resize",
    }
}

impl SessionKind {
    /// Whether it is a stream that lasts.
    pub fn is_stream(self) -> bool {
        matches!(
            self,
            SessionKind::Exec | SessionKind::Attach | SessionKind::PortForward
        )
    }
}

impl NameEvent {
    /// Its number in the table.
    pub fn number(self) -> u8 {
        self as u8
    }

    /// By its number; nothing for a number of a newer build.
    pub fn of_number(number: u8) -> Option<NameEvent> {
        NameEvent::ALL.get(usize::from(number)).copied()
    }

    /// Whether it asks for the end of one pod.
    pub fn asks(self) -> bool {
        matches!(self, NameEvent::Ask | NameEvent::Force | NameEvent::Evict)
    }

    /// Whether events of this kind repeat for one name: kubelets send statuses, clients request missing pods.
    pub fn is_frequent(self) -> bool {
        matches!(
            self,
            NameEvent::Status | NameEvent::Gone | NameEvent::Truncated | NameEvent::Unresolved
        )
    }

    /// Whether it is about every pod of a namespace, or of a node, rather than about one name.
    pub fn is_of_scope(self) -> bool {
        matches!(
            self,
            NameEvent::Collect
                | NameEvent::Purge
                | NameEvent::Unresolved
                | NameEvent::Finalize
                | NameEvent::Close
                | NameEvent::NodeCame
                | NameEvent::NodeGone
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The words in the first column of the table below a heading of schema/README.md.
    fn documented(head: &str) -> Vec<&'static str> {
        let text = include_str!("../../schema/README.md");
        let (_, table) = text.split_once(head).expect("the head of the table");
        let rows = table.lines().skip(2);
        let rows = rows.map_while(|row| row.strip_prefix("| `")?.split_once('`'));
        rows.map(|(word, _)| word).collect()
    }

    #[test]
    fn words_of_ended_why_are_documented() {
        let mut words = EndedWhy::ALL.to_vec();
        let mut told = documented("| `ended_why` | evidence |");
        words.sort_unstable_by_key(|it| it.word());
        told.sort_unstable();
        let words: Vec<&str> = words.into_iter().map(EndedWhy::word).collect();
        assert_eq!(words, told);
        // They are typed as filters.
        let is_typed = |c: char| c.is_ascii_lowercase() || c == '-';
        assert!(words.iter().all(|word| word.chars().all(is_typed)));
    }
}
