//! Lives: what is stored of names is read, folded with what the log has, and what changed is written.
//!
//! In: names whose facts are in the log. Out: rows in `recent_pods` and `recent_containers`. The sink folds the
//! names that a load touched, reconcile those that raced.
//!
//! The order makes several writers agree: the log is read first, then the lives, then the events about the names. The
//! writer that reads the log last has seen everything and has the highest version. Containers are written before
//! their pod, whose row tells how far they are. Every row carries the server's time before the first read; the tables
//! reject rows that were read over two minutes ago, so a writer that stalled reads again.
//!
//! A name that can't be folded, since a newer build wrote its state, or whose rows are refused, is handed back:
//! its facts stay in the log.
//!
//! Never here: what facts mean (`fold`), when to fold (`sink`, `reconcile`).

pub mod open;
pub mod plan;
pub mod read;
mod round;
mod write;

use crate::clickhouse::{Error, Store};
use plan::{Answer, Answers, Plan, Step};

/// Names folded at a time: all that is known of them is held in memory.
pub const NAMES_MAX: usize = 2_000;

/// The name of a pod; without a pod the namespace, without a namespace a node.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name {
    pub cluster: String,
    pub namespace: String,
    pub pod: String,
}

/// An event about all pods of a namespace, or of a node.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scope {
    /// The namespace, or the node.
    pub name: Name,
    /// When, in microseconds.
    pub at: i64,
    /// Pods that were filed may be meant.
    pub late: bool,
}

impl Name {
    /// Whether this is a node, as the name of a scope.
    fn is_node(&self) -> bool {
        self.namespace.is_empty()
    }

    /// As rows have it.
    fn key(&self) -> (&str, &str, &str) {
        (&self.cluster, &self.namespace, &self.pod)
    }

    fn of_key((cluster, namespace, pod): (&str, &str, &str)) -> Name {
        Name {
            cluster: cluster.to_owned(),
            namespace: namespace.to_owned(),
            pod: pod.to_owned(),
        }
    }

    /// Whether an event about this scope may concern a pod of that name. An event about a node may concern any pod of
    /// the cluster.
    pub fn may_cover(&self, pod: &Name) -> bool {
        self.cluster == pod.cluster && (self.is_node() || self.namespace == pod.namespace)
    }
}

/// What a fold did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Folded {
    /// Rows that were written.
    pub rows: u64,
    /// Those of them that were stored just so before.
    pub unchanged: u64,
    /// Names that could not be folded, and why.
    pub refused: Vec<(Name, String)>,
}

/// Folds on one shard.
#[derive(Clone, Copy, Debug)]
pub struct Lives<'s> {
    pub store: &'s Store,
    /// Other processes may have folded the same names at the same time, or this process did and failed half-way: then
    /// all rows are written again, see [`crate::fold::Fold::raced`].
    pub raced: bool,
}

/// How often what came too late to be written is read and folded again.
const TRIES_MAX: usize = 5;

impl Lives<'_> {
    /// Folds the names, with the events about `scopes` to which some of them belong.
    ///
    /// # Errors
    ///
    /// When ClickHouse can't be reached or refuses to read or write: then nothing or a part was written, and
    /// the same may be folded again.
    pub async fn fold(&self, names: &[Name], scopes: &[Name]) -> Result<Folded, Error> {
        let mut folded = Folded::default();
        for names in names.chunks(NAMES_MAX) {
            let mut pieces = vec![names];
            while let Some(names) = pieces.pop() {
                match self.fold_piece(names, scopes, &mut folded).await {
                    // Whatever is not known to be the rows' own fault is ClickHouse's, and is waited for.
                    Err(Error::Refused { code, message, .. }) if write::is_about_rows(code) => {
                        if let [name] = names {
                            folded.refused.push((name.clone(), message));
                            continue;
                        }
                        let (first, second) = names.split_at(names.len() / 2);
                        pieces.extend([second, first]);
                    }
                    outcome => outcome?,
                }
            }
        }
        Ok(folded)
    }

    async fn fold_piece(
        &self,
        names: &[Name],
        scopes: &[Name],
        folded: &mut Folded,
    ) -> Result<(), Error> {
        for tries in 1.. {
            // What was refused may have come after INSERTs that were not.
            let raced = self.raced || tries > 1;
            match self.fold_once(names, scopes, raced, folded).await {
                Err(Error::Refused { code, .. })
                    if write::is_too_old(code) && tries < TRIES_MAX => {}
                outcome => return outcome,
            }
        }
        Ok(())
    }

    async fn fold_once(
        &self,
        names: &[Name],
        scopes: &[Name],
        raced: bool,
        folded: &mut Folded,
    ) -> Result<(), Error> {
        let answers = Answers::new();
        let mut plan = Plan::new(&answers, names, scopes, raced);
        loop {
            let answer = match plan.next() {
                Step::Log(names) => Answer::Log(self.log(&names).await?),
                Step::Recent(names) => Answer::Recent(self.recent(&names).await?),
                Step::Now => Answer::Now(self.now().await?),
                Step::Ended(names) => Answer::Ended(self.ended(&names).await?),
                Step::Said(names) => Answer::Said(self.said(&names).await?),
                Step::Instances(pods) => {
                    let rows = self.instances(&pods).await?;
                    Answer::Instances(pods, rows)
                }
                Step::Write(mut changed) => {
                    folded.refused.append(&mut changed.refused);
                    folded.rows += changed.count();
                    folded.unchanged += changed.unchanged();
                    self.write(changed).await?;
                    Answer::Wrote
                }
                Step::Done => return Ok(()),
            };
            plan.take(answer);
        }
    }
}
