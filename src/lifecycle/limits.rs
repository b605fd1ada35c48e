//! Limits of one fact. A text of a megabyte, a thousand labels, a time in another century are dropped without losing
//! the event: the rest is stored and marked as truncated.

use std::borrow::Cow;

use jiff::Timestamp;

use super::Emit;
use crate::rows::{Ended, Fact, Image, Owner, Said, seconds};

/// Longer texts are cut, in bytes. Kubernetes' own names have 253, an image reference 4,096 in theory and 300 in
/// practice.
const TEXT_BYTES_MAX: usize = 1_024;

/// A node's clock may be wrong by hours. A time more than a day after its report is impossible and counts as unknown.
const AHEAD_SECONDS_MAX: i64 = 24 * 3_600;

/// A time that an object names, in seconds; 0 where it is not known. `at` is that of the event, in microseconds.
pub(super) fn seconds_at(time: Option<Timestamp>, at: i64) -> u32 {
    seconds(time.filter(|time| is_possible(*time, at)))
}

pub(super) fn is_possible(time: Timestamp, at: i64) -> bool {
    time.as_second() <= at.div_euclid(1_000_000) + AHEAD_SECONDS_MAX
}

/// Emits a fact with its texts cut to their limits; for a pod also that something was cut.
pub(super) fn emit(fact: &Fact, emit: Emit) {
    let mut cut = Cut(false);
    let pair = |cut: &mut Cut, (key, value)| (cut.text(key), cut.text(value));
    let labels = cut.list(fact.labels.unwrap_or_default(), pair);
    let waiting = cut.list(fact.waiting, pair);
    let restarts = cut.list(fact.restarts, |cut, (name, times)| (cut.text(name), times));
    let mut kept = Fact {
        labels: fact.labels.map(|_| &*labels),
        waiting: &waiting,
        restarts: &restarts,
        ..cut.texts(fact)
    };
    if cut.0 && kept.container.is_empty() && kept.pod_uid != 0 {
        kept.truncated = true;
    }
    emit(&kept);
    if cut.0 && !kept.container.is_empty() {
        emit(&Fact {
            cluster: kept.cluster,
            namespace: kept.namespace,
            pod: kept.pod,
            pod_uid: kept.pod_uid,
            event_at: kept.event_at,
            truncated: true,
            ..Fact::default()
        });
    }
}

/// As much of a text as is kept.
pub(super) fn cut(text: &str) -> &str {
    &text[..text.floor_char_boundary(TEXT_BYTES_MAX)]
}

/// Whether something was cut.
struct Cut(bool);

impl Cut {
    fn text<'a>(&mut self, text: &'a str) -> &'a str {
        let kept = cut(text);
        self.0 |= kept.len() < text.len();
        kept
    }

    /// The texts of a fact, but for those of its lists.
    fn texts<'a>(&mut self, fact: &Fact<'a>) -> Fact<'a> {
        let mut asked = |asked: Option<(i64, &'a str, &'a str)>| {
            asked.map(|(at, user, acting_as)| (at, self.text(user), self.text(acting_as)))
        };
        let delete_asked = asked(fact.delete_asked);
        let evict_asked = asked(fact.evict_asked);
        let force_asked = asked(fact.force_asked);
        let (by, changed_by) = (fact.created_by, fact.changed_by);
        Fact {
            delete_asked,
            evict_asked,
            force_asked,
            created_by: by.map(|(user, acting_as)| (self.text(user), self.text(acting_as))),
            namespace: self.text(fact.namespace),
            container: self.text(fact.container),
            pod: self.text(fact.pod),
            node: self.text(fact.node),
            service_account: self.text(fact.service_account),
            owner: fact.owner.as_ref().map(|owner| self.owner(owner)),
            disrupted: fact.disrupted.map(|(at, why)| (at, self.text(why))),
            status_reason: self.text(fact.status_reason),
            changed_by: changed_by.map(|(user, acting_as)| (self.text(user), self.text(acting_as))),
            reporter: self.text(fact.reporter),
            runtime: self.text(fact.runtime),
            container_id_text: self.text(fact.container_id_text),
            image: fact.image.map(|image| Image {
                image: self.text(image.image),
                image_id: self.text(image.image_id),
            }),
            ended: fact.ended.map(|ended| Ended {
                reason: self.text(ended.reason),
                ..ended
            }),
            said: fact.said.as_ref().map(|said| self.said(said)),
            ..fact.clone()
        }
    }

    fn owner<'a>(&mut self, owner: &Owner<'a>) -> Owner<'a> {
        Owner {
            kind: self.text(owner.kind),
            name: self.text(owner.name),
            workload_kind: self.text(owner.workload_kind),
            workload: self.text(owner.workload),
            basis: owner.basis,
        }
    }

    fn said<'a>(&mut self, said: &Said<'a>) -> Said<'a> {
        Said {
            user: self.text(said.user),
            acting_as: self.text(said.acting_as),
            // What a part of it selects is more than what it selects.
            selector: match said.selector.len() <= TEXT_BYTES_MAX {
                true => said.selector,
                false => "?",
            },
            ..said.clone()
        }
    }

    /// The items, as they are where nothing of them is too long.
    fn list<'s, T: Copy>(
        &mut self,
        items: &'s [T],
        cut: impl Fn(&mut Cut, T) -> T,
    ) -> Cow<'s, [T]> {
        let mut tried = Cut(false);
        for item in items {
            cut(&mut tried, *item);
        }
        if !tried.0 {
            return Cow::Borrowed(items);
        }
        Cow::Owned(items.iter().map(|item| cut(self, *item)).collect())
    }
}
