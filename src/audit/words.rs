//! The closed lists of words that answers and tables use. Each stands here and nowhere else; a test holds
//! `schema/README.md` against them.

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
    /// Why a pod or a container instance ended: the values of `ended_why`.
    pub enum EndedWhy {
        /// Of a container instance: its process ended before anybody asked for it.
        Exited = "exited",
        /// All its containers finished.
        Done = "done",
        /// An account asked for the deletion.
        Asked = "asked",
        /// The eviction API was asked.
        Evicted = "evicted",
        /// A DELETE with a grace period of 0.
        Forced = "forced",
        /// The controller of its workload deleted it: scaled down, rolled out, finished.
        Scaled = "scaled",
        /// The garbage collector: its owner was deleted.
        OwnerGone = "owner gone",
        NamespaceDeleted = "namespace deleted",
        /// A taint of its node.
        Tainted = "tainted",
        /// The kubelet reclaimed resources.
        NodePressure = "node pressure",
        /// For a pod of higher priority.
        Preempted = "preempted",
        NodeLost = "node lost",
        /// Another pod of its name was created; why this one went is not known.
        Replaced = "replaced",
        Unknown = "unknown",
    }
}

words! {
    /// What is not known of a life: the values of `unknown`. Two more are made of numbers and names:
    /// [`instances_unseen`] and [`not_started`].
    pub enum Unknown {
        CreatedUnseen = "created unseen",
        EndNotConfirmed = "end not confirmed",
        MetadataOnly = "metadata only",
        RemovalUnseen = "removal unseen",
        Truncated = "truncated",
        WorkloadInferred = "workload inferred",
    }
}

/// How the count of instances that no event reported ends, in `unknown`.
pub const INSTANCES_UNSEEN: &str = "instances unseen";

/// What stands between a container that never started and why.
pub const NOT_STARTED: &str = " not started: ";

/// `3 instances unseen`.
pub fn instances_unseen(count: u64) -> String {
    format!("{count} {INSTANCES_UNSEEN}")
}

/// `main not started: ImagePullBackOff`.
pub fn not_started(container: &str, reason: &str) -> String {
    format!("{container}{NOT_STARTED}{reason}")
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
    }
}

words! {
    /// What an event says about a name, where it does not say which pod had it: the values of `what` in the
    /// table `said`.
    pub enum Saying {
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
        /// What an event about it held, or what became of a request, was not told.
        Truncated = "truncated",
        /// The namespace was empty, and went.
        Finalize = "finalize",
        /// A node of this name was created.
        NodeCame = "node came",
        /// A node of this name was deleted.
        NodeGone = "node gone",
        /// What a deletecollection did was not told: to the namespace, or to what `selector` selects.
        Obscure = "obscure",
    }
}

impl Saying {
    /// Its number in the table.
    pub fn number(self) -> u8 {
        self as u8
    }

    /// By its number; nothing for a number of a newer build.
    pub fn of_number(number: u8) -> Option<Saying> {
        Saying::ALL.get(usize::from(number)).copied()
    }

    /// Whether it asks for the end of one pod.
    pub fn asks(self) -> bool {
        matches!(self, Saying::Ask | Saying::Force | Saying::Evict)
    }

    /// Whether it is said of one name again and again: kubelets send statuses, clients ask for what is gone.
    pub fn is_frequent(self) -> bool {
        matches!(
            self,
            Saying::Status | Saying::Gone | Saying::Truncated | Saying::Obscure
        )
    }

    /// Whether it is about every pod of a namespace, or of a node, rather than about one name.
    pub fn is_of_scope(self) -> bool {
        matches!(
            self,
            Saying::Collect
                | Saying::Purge
                | Saying::Obscure
                | Saying::Finalize
                | Saying::NodeCame
                | Saying::NodeGone
        )
    }
}
