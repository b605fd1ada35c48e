//! How far a watch is, and what follows from that for the time of what it brings. Nothing here waits or asks.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::failure::Failure;
use super::resource::{Emit, Resource, uid};
use crate::audit::Object;
use crate::lifecycle::watched::{self, Moment, Sight};
use crate::rows::Fact;

const SECOND: i64 = 1_000_000;

/// An object that was written this shortly before it came shows that the watch keeps up. Microseconds.
const FRESH: i64 = 3 * SECOND;

/// Pods that changed while nobody watched and are to be confirmed. More are not: their own next change does that.
const UNCONFIRMED_MAX: usize = 100_000;

/// How far a watch is.
#[derive(Clone, Debug, Default)]
pub struct Progress {
    /// Whether what comes is new. Before that it is what happened while nobody watched.
    pub keeps_up: bool,
    /// When the last item was written, at the earliest.
    since: i64,
    /// Namespaces and names of the pods that were there at their last change, while it does not keep up.
    unconfirmed: BTreeMap<u128, (String, String)>,
}

/// What was in a page or in the items of a watch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// The version behind it.
    pub version: Option<String>,
    /// Of a page of pods.
    pub uids: BTreeSet<u128>,
    /// Of a page of pods: namespaces and names of those that are there and could not be read.
    pub unread: BTreeSet<(String, String)>,
    pub facts: u64,
    pub objects: u64,
    /// Objects that could not be read, and why the first could not.
    pub unreadable: u64,
    pub reason: Option<&'static str>,
    /// How values are encrypted, where some are.
    pub encrypted: Option<String>,
    /// Why the server ended the watch.
    pub ended: Option<Failure>,
    /// The items from the first on that has an owner that has to be asked for.
    pub left: usize,
}

impl Found {
    /// What `read` finds. The facts that it emits are counted here.
    pub fn counting<T>(
        emit: Emit,
        read: impl FnOnce(&mut Found, &mut dyn FnMut(&Fact)) -> T,
    ) -> (Found, T) {
        let (mut found, mut facts) = (Found::default(), 0);
        let outcome = read(&mut found, &mut |fact| {
            facts += 1;
            emit(fact);
        });
        found.facts = facts;
        (found, outcome)
    }

    pub fn refuse(&mut self, reason: &'static str) {
        self.unreadable += 1;
        self.reason.get_or_insert(reason);
    }
}

/// An object of a watch.
pub struct Seen<'s, 'o> {
    pub object: &'s Object<'o>,
    pub sight: Sight,
    /// Between which moments the item was written, by when it came.
    pub moment: Moment,
    /// When the object was written, by what it says itself. It may be costly to find out.
    pub written: &'s dyn Fn() -> Option<Timestamp>,
}

impl Progress {
    /// Of a watch that goes on where everything is known that was written until `at`.
    pub fn from(at: i64) -> Progress {
        Progress {
            since: at,
            ..Progress::default()
        }
    }

    /// When the last item was written, at the earliest.
    pub fn since(&self) -> i64 {
        self.since
    }

    /// A mark that comes behind everything that was written before it came, at `at`.
    pub fn bookmark(&mut self, cluster: &str, at: i64, emit: Emit) {
        if !self.keeps_up {
            self.catch_up(cluster, at, emit);
        }
    }

    /// Everything that happened while nobody watched has come by `at`: what was there at its last change, is there
    /// now.
    pub fn catch_up(&mut self, cluster: &str, at: i64, emit: Emit) {
        self.keeps_up = true;
        self.since = self.since.max(at);
        for (uid, (namespace, name)) in std::mem::take(&mut self.unconfirmed) {
            // The only failure is a time that no clock has.
            _ = watched::alive(cluster, (&namespace, &name, uid), at, emit);
        }
    }

    /// Emits what an object proves.
    pub fn object(
        &mut self,
        (cluster, resource): (&str, Resource),
        seen: &Seen,
        found: &mut Found,
        emit: Emit,
    ) {
        found.objects += 1;
        let moment = self.moment(cluster, (seen.moment, seen.written), emit);
        if let Err(reason) = resource.facts(cluster, seen.object, (seen.sight, moment), emit) {
            found.refuse(reason.0);
        }
        if resource == Resource::Pods && !self.keeps_up {
            self.remember(seen.object, seen.sight);
        }
    }

    /// When an item was written. While nobody watched, that is known by what objects say of it: they come in the order
    /// in which they were written.
    pub fn moment(
        &mut self,
        cluster: &str,
        (came, written): (Moment, &dyn Fn() -> Option<Timestamp>),
        emit: Emit,
    ) -> Moment {
        let Moment { since, until } = came;
        if self.keeps_up && came.is_exact() {
            self.since = since;
            return came;
        }
        let written = written().map(Timestamp::as_microsecond);
        let written = written.filter(|written| *written <= until);
        if self.keeps_up {
            // It waited here, or on its way.
            self.since = since.max(written.unwrap_or_default());
        } else if let Some(written) = written {
            self.since = self.since.max(written);
            if until - written <= FRESH {
                self.catch_up(cluster, written, emit);
            }
        }
        Moment {
            since: self.since.min(until),
            until,
        }
    }

    /// The pod of this name is deleted, and its uid is not known.
    pub fn forget(&mut self, namespace: &str, name: &str) {
        self.unconfirmed
            .retain(|_, of| (&*of.0, &*of.1) != (namespace, name));
    }

    fn remember(&mut self, object: &Object, sight: Sight) {
        let (Some(uid), Some(metadata)) = (uid(object), &object.metadata) else {
            return;
        };
        match sight {
            Sight::Deleted => {
                self.unconfirmed.remove(&uid);
            }
            Sight::There | Sight::Listed if self.unconfirmed.len() < UNCONFIRMED_MAX => {
                let name = (metadata.namespace.to_string(), metadata.name.to_string());
                self.unconfirmed.insert(uid, name);
            }
            Sight::There | Sight::Listed => {}
        }
    }
}
