//! A way to see the objects of clusters: what it must be able to do.

use std::collections::BTreeSet;
use std::time::Duration;

use super::failure::Failure;
use super::ledger::{History, Mark};
use super::progress::{Found, Progress};
use super::resource::{Emit, Resource};
use crate::lifecycle::watched::Moment;

/// What a way is called.
#[derive(Debug)]
pub struct Kind {
    /// In the log, in `sources status`, and in the table of positions.
    pub name: &'static str,
    /// Whether versions are numbers that are counted up by one.
    pub counts_versions: bool,
    /// The metric of the objects that came.
    pub objects: &'static str,
    /// The metric of the age of the oldest that is not stored.
    pub oldest_seconds: &'static str,
}

/// A page of a list: what was found in it, and where the next one begins.
pub struct Page<C> {
    pub found: Found,
    pub next: Option<C>,
}

/// Receives lines about trouble that stops nothing.
pub type Aside<'a> = &'a mut (dyn FnMut(&str) + Send);

/// An item of a watch, and between which moments it was written.
pub type Dated<B> = (<B as Buffer>::Item, Moment);

/// Items, each with the moments between which it was written, and why so many others were left out.
pub type Taken<I> = (Vec<(I, Moment)>, Option<(u64, &'static str)>);

/// A cluster that is seen in one way. Everything that waits can be dropped while it waits.
pub trait Way: Send + Sync + 'static {
    const KIND: &'static Kind;

    type Client: Send + Sync;
    /// Where a page of a list begins.
    type Cursor: Default + Send + Sync;
    /// A page as it came.
    type Raw: Send + Sync + 'static;
    type Feed: Feed;
    type Buffer: Buffer<Part = <Self::Feed as Feed>::Part>;
    /// What controls the owners of pods, as far as it is known, where that is read.
    type Controllers: Send + Sync + 'static;

    /// The name of the cluster in answers.
    fn cluster(&self) -> &str;

    /// The uid of its namespace kube-system, where that is configured.
    fn cluster_uid(&self) -> Option<&str>;

    /// A watch without a message for this long is begun anew.
    fn silence_max(&self) -> Duration;

    /// Whether everything is read once, as it was when it was written, and nothing is watched.
    fn is_of_the_past(&self) -> bool {
        false
    }

    /// What to do where a resource may not be read.
    fn permit(&self, resource: Resource) -> String;

    /// What to do about values that are encrypted, and how they are.
    fn encrypted(how: &str) -> String {
        format!("values are encrypted ({how})")
    }

    /// A client, of files and variables as they are now. `aside` receives what another try made up for.
    fn connect(&self, aside: Aside) -> impl Future<Output = Result<Self::Client, Failure>> + Send;

    fn is_stale(client: &Self::Client) -> bool;

    fn url(client: &Self::Client) -> &str;

    /// What makes the connection unsafe.
    fn danger(client: &Self::Client) -> Option<&'static str>;

    /// How far the server's clock is ahead of ours, in microseconds.
    fn ahead(client: &Self::Client) -> i64;

    /// The uid of the namespace kube-system; none where that may not be read.
    fn uid(
        &self,
        client: &Self::Client,
    ) -> impl Future<Output = Result<Option<String>, Failure>> + Send;

    /// The uids of all pods.
    fn pod_uids(
        &self,
        client: &Self::Client,
    ) -> impl Future<Output = Result<BTreeSet<u128>, Failure>> + Send;

    /// The history that the server's versions are of now.
    fn history(_client: &Self::Client) -> Option<History> {
        None
    }

    /// Why the server cannot continue from a position, as far as it is known before that is tried.
    fn lost(_client: &Self::Client, _mark: &Mark) -> Option<String> {
        None
    }

    /// A page of at most so many objects.
    fn page(
        &self,
        client: &Self::Client,
        resource: Resource,
        cursor: &Self::Cursor,
        objects_max: usize,
    ) -> impl Future<Output = Result<Self::Raw, Failure>> + Send;

    /// Reads a page of a list that was made at `at`, or says what it is instead.
    fn read_page(
        of: (&str, Resource, &Self::Controllers),
        raw: &Self::Raw,
        at: i64,
        emit: Emit,
    ) -> Result<Page<Self::Cursor>, String>;

    /// Reads a page of a list as its objects were when they were written, where [`Way::is_of_the_past`]. Such pages come
    /// in the order of the writes.
    fn read_past(
        _of: (&str, Resource),
        _raw: &Self::Raw,
        _at: i64,
        _progress: &mut Progress,
        _emit: Emit,
    ) -> Page<Self::Cursor> {
        Page {
            found: Found::default(),
            next: None,
        }
    }

    /// What controls the owners that the pods of a page name.
    fn controllers_of_page(
        &self,
        client: &Self::Client,
        of: (Resource, &Self::Raw),
        aside: Aside,
    ) -> impl Future<Output = Result<Self::Controllers, Failure>> + Send;

    /// What is known of owners without asking for any.
    fn controllers(&self) -> impl Future<Output = Self::Controllers> + Send;

    /// What controls the owners that the pods of items name. Those that are still not known can't be.
    fn controllers_of_items(
        &self,
        client: &Self::Client,
        of: (Resource, &[Dated<Self::Buffer>]),
        aside: Aside,
    ) -> impl Future<Output = Result<Self::Controllers, Failure>> + Send;

    /// Reads items, in their order, until one ends the watch, or has an owner that has to be asked for: see
    /// [`Found::left`].
    fn read_items(
        of: (&str, Resource, &Self::Controllers),
        items: &[Dated<Self::Buffer>],
        progress: &mut Progress,
        emit: Emit,
    ) -> Found;

    /// Begins a watch from behind a position.
    fn watch(
        &self,
        client: &Self::Client,
        resource: Resource,
        mark: &Mark,
    ) -> impl Future<Output = Result<(Self::Feed, Self::Buffer), Failure>> + Send;
}

/// A watch under way. It is read by a task of its own.
pub trait Feed: Send + 'static {
    /// What comes at once.
    type Part: Send + 'static;

    /// Waits for the next part; none at a regular end. It may be dropped while it waits.
    fn next(&mut self) -> impl Future<Output = Option<Result<Self::Part, Failure>>> + Send;

    /// How large a part is, about.
    fn bytes(part: &Self::Part) -> usize;
}

/// What came of a watch and is not stored yet: parts are pushed, and their items read together.
pub trait Buffer: Send {
    type Part;
    type Item: Send + Sync + 'static;

    /// Whether everything that happened before has come, if nothing came for a second. Not where the server says so
    /// itself.
    fn is_quiet_enough(&self) -> bool;

    /// Adds a part, all of it written between the two moments.
    fn push(&mut self, part: Self::Part, moment: Moment);

    /// Whether the items should be taken before more is added.
    fn is_full(&self) -> bool;

    /// The items that came, and why so many others were left out.
    fn take(&mut self) -> Taken<Self::Item>;
}
