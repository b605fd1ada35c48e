//! Why an instance has no lines in a store: what the store has instead.
//!
//! In: an instance of which an answer had no line. Out: reasons in a few words, the ones that are certain first.
//!
//! A reader learns nothing of what it may not see. Each query is about the instance itself, about containers of its name
//! in its namespace and cluster, or about that namespace: so the beginning of a store is the beginning of the
//! namespace's lines in it. The one query about all of a store is whether any record of a month has a field that
//! `[[logs]]` names: that is its form and not its content.
//!
//! Limits are the caller's: it stops a look that takes too long, and keeps the reasons that were found by then. A query
//! that fails gives no reason.

use jiff::{SignedDuration, Timestamp};

use super::conditions::{Condition, conditions, namespace};
use super::identity::Identity;
use super::instance::Instance;
use super::preset::Preset;
use super::probe::{self, End, Found};
use super::span::{Span, earlier, later};
use super::store::Store;

/// How far before a life lines of its namespace count as a sign that the store reaches back so far, and how old a record
/// may be to show a field. Loki takes no longer time at once.
const BEFORE: SignedDuration = SignedDuration::from_hours(30 * 24);

/// How far the time of lines may be off: all time zones, and some.
const CLOCK: SignedDuration = SignedDuration::from_hours(26);

/// An instance, a store without lines of it, and what was asked.
pub struct Missed<'a> {
    pub of: &'a Instance,
    pub store: &'a Store,
    /// The time that was asked for.
    pub from: Option<Timestamp>,
    pub until: Option<Timestamp>,
    pub has_grep: bool,
    /// Whether lines came, and `grep` left them out.
    pub is_found: bool,
    /// The fields that no record has, as far as reading said so.
    pub absent: &'a [String],
    /// Whether other presets are tried.
    pub tries_presets: bool,
    pub now: Timestamp,
}

impl Missed<'_> {
    /// Looks for reasons, and adds them.
    pub async fn look(&self, why: &mut Vec<String>) {
        if let Some(reason) = self.of_the_question().await {
            why.push(reason);
            return;
        }
        if self.store.identities(self.of).is_empty() {
            why.push("its container ID is not known, and the store has nothing else".to_owned());
            return;
        }
        if let Some(reason) = self.of_the_clock().await {
            why.push(reason);
            return;
        }
        let absent = self.absent().await;
        let knows_namespaces = match &self.store.fields.namespace {
            Some(field) => !absent.contains(field),
            None => false,
        };
        let when = match self.store.has_mapping() {
            true => "the store",
            false => "those weeks",
        };
        why.extend(of_fields(&absent, when));
        let preset = match self.tries_presets {
            true => self.of_the_preset().await,
            false => None,
        };
        if let Some(reason) = preset {
            why.push(reason);
            return;
        }
        if knows_namespaces {
            why.extend(self.of_the_store().await);
        }
    }

    /// What the question left out.
    async fn of_the_question(&self) -> Option<String> {
        let life = |identity| self.life(identity);
        let asked = |identity| life(identity).within(self.from, self.until);
        if self.is_found || (self.has_grep && self.found(asked, End::Oldest).await.is_some()) {
            return Some("it has lines, but none that matches the regular expression".to_owned());
        }
        if self.from.is_none() && self.until.is_none() {
            return None;
        }
        let found = self.found(life, End::Newest).await?;
        let at = shown(found.line.at);
        Some(format!(
            "it has lines, but not in the time that was asked for: the last one is of {at}"
        ))
    }

    /// Lines that nobody else can have, at a time when it did not run.
    async fn of_the_clock(&self) -> Option<String> {
        let is_sure = |identity: &Identity| match identity {
            Identity::ContainerId => !self.store.container_id_is_uncertain,
            Identity::Restart => true,
            Identity::Uid | Identity::Names => false,
        };
        let mut identities = self.store.identities(self.of);
        identities.retain(is_sure);
        let wider = |identity| {
            let Span { from, until } = self.life(identity);
            Span {
                from: earlier(from, CLOCK),
                until: later(until, CLOCK),
            }
        };
        let found = probe::instance(self.store, self.of, &identities, wider, End::Newest).await;
        let at = shown(found.ok()??.line.at);
        Some(format!(
            "its lines have times outside of its life, like {at}: check clocks, and the time zone in which the agent reads times"
        ))
    }

    /// Fields without which not even the weakest identity finds a line. Reading says so of Elasticsearch, of all time;
    /// of others the weeks before and after the life are looked at.
    async fn absent(&self) -> Vec<String> {
        if self.store.has_mapping() {
            return self.absent.to_vec();
        }
        let weakest = self.store.identities(self.of).pop();
        let weakest =
            weakest.and_then(|identity| conditions(identity, &self.store.fields, self.of));
        let life = self.life(Identity::ContainerId);
        let span = Span {
            from: earlier(life.from, BEFORE / 2),
            until: later(life.until, BEFORE / 2),
        };
        let mut absent = Vec::new();
        for condition in weakest.unwrap_or_default() {
            // What may be absent is not missed.
            if matches!(&condition, Condition::Is { values, .. } if values.iter().any(String::is_empty))
            {
                continue;
            }
            let field = condition.field().to_owned();
            let present = Condition::Present {
                field: field.clone(),
            };
            let present = vec![present];
            let found = probe::any(self.store, present.clone(), present, span, End::Newest).await;
            if let Ok(None) = found {
                absent.push(field);
            }
        }
        absent
    }

    /// What another agent would have written.
    async fn of_the_preset(&self) -> Option<String> {
        let mut best: Option<((u8, bool), Found, &str)> = None;
        for name in Preset::of_kind(self.store.kind) {
            if self.store.config.preset.as_deref() == Some(name) {
                continue;
            }
            let from = self.store.config.from.as_deref();
            let Ok(store) = self.store.with_preset(name, from) else {
                continue;
            };
            let other = Missed {
                store: &store,
                ..*self
            };
            let Some(found) = other
                .found(|identity| other.life(identity), End::Newest)
                .await
            else {
                continue;
            };
            // Of agents that write the same, the one whose index it is.
            let is_foreign = !Preset::fits(name, found.line.place.as_deref());
            let rank = (store.strength(found.identity), is_foreign);
            if best.as_ref().is_none_or(|(best, _, _)| rank < *best) {
                best = Some((rank, found, name));
            }
        }
        let (_, found, name) = best?;
        let by = found.identity.words();
        Some(format!(
            "preset {name} finds lines of it, by {by}: set preset = {name:?}"
        ))
    }

    /// What there is of its namespace.
    async fn of_the_store(&self) -> Option<String> {
        let namespace = &self.of.namespace;
        let life = self.life(Identity::ContainerId);
        if self.of_namespace(life, End::Oldest).await?.is_some() {
            return self.of_the_container(life).await;
        }
        let before = Span {
            from: earlier(life.from, BEFORE),
            until: life.from,
        };
        let after = Span {
            from: life.until,
            until: self.now,
        };
        let before = self.of_namespace(before, End::Newest).await?.map(shown);
        let after = self.of_namespace(after, End::Oldest).await?.map(shown);
        Some(match (before, after) {
            (None, Some(after)) => format!(
                "what the store has of namespace {namespace} begins at {after}, after its life: its retention may be over"
            ),
            (Some(before), None) => format!(
                "what the store has of namespace {namespace} ends at {before}, before its life: does the agent still run?"
            ),
            (Some(before), Some(after)) => format!(
                "the store has nothing of namespace {namespace} from {before} to {after}: did the agent run?"
            ),
            (None, None) => format!(
                "the store has no lines of namespace {namespace}: check clusters of [[logs]], and what the agent collects"
            ),
        })
    }

    /// Others of its name.
    async fn of_the_container(&self, life: Span) -> Option<String> {
        let Instance {
            namespace: name,
            container,
            ..
        } = self.of;
        let mut conditions = namespace(&self.store.fields, self.of)?;
        let Some(field) = self.store.fields.container.clone() else {
            return Some(format!(
                "the store has other lines of namespace {name} of that time"
            ));
        };
        conditions.push(Condition::Is {
            field,
            values: vec![container.clone()],
        });
        let found = probe::any(
            self.store,
            conditions.clone(),
            conditions,
            life,
            End::Oldest,
        )
        .await;
        let of = match found.ok()? {
            Some(_) => {
                format!(
                    "containers {container} of namespace {name}, but of other pods or instances"
                )
            }
            None => format!("namespace {name}, but none of a container {container}"),
        };
        Some(format!(
            "the store has lines of that time of {of}: it may have written nothing"
        ))
    }

    /// `None` where it cannot be asked.
    async fn of_namespace(&self, span: Span, end: End) -> Option<Option<Timestamp>> {
        let conditions = namespace(&self.store.fields, self.of)?;
        let names = conditions.clone();
        let found = probe::any(self.store, conditions, names, span, end).await;
        Some(found.ok()?.map(|line| line.at))
    }

    async fn found(&self, span: impl Fn(Identity) -> Span, end: End) -> Option<Found> {
        let identities = self.store.identities(self.of);
        let found = probe::instance(self.store, self.of, &identities, span, end).await;
        found.ok().flatten()
    }

    fn life(&self, identity: Identity) -> Span {
        self.of.span(identity, self.store.slack, self.now)
    }
}

/// What it says of fields that no record has of a store, or of a time.
pub fn of_fields(absent: &[String], when: &str) -> Option<String> {
    let fields = match absent {
        [] => return None,
        [one] => format!("field {one}"),
        several => format!("fields {}", several.join(", ")),
    };
    Some(format!(
        "no record of {when} has {fields}: does its preset fit? \"bygone logs check\" tells"
    ))
}

/// A time in seconds: nobody needs more of it.
fn shown(at: Timestamp) -> Timestamp {
    at.round(jiff::Unit::Second).unwrap_or(at)
}
