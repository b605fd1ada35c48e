//! What is kept of one fact. A text of a megabyte, a thousand labels, a time in another century cost themselves: what can
//! be read is told, and that something was left out.

use std::borrow::Cow;

use jiff::Timestamp;

use super::Tell;
use crate::rows::{Ended, Fact, Image, Owner, seconds};

/// Longer texts are cut, in bytes. Kubernetes' own names have 253, an image reference 4,096 in theory and 300 in
/// practice.
const TEXT_BYTES_MAX: usize = 1_024;

/// A node's clock may go wrong by hours. What is said to have happened more than a day after it was said has not, and
/// the time is not known.
const AHEAD_SECONDS_MAX: i64 = 24 * 3_600;

/// A time that an object names, in seconds; 0 where it is not known. `at` is that of the event, in microseconds.
pub(super) fn seconds_at(time: Option<Timestamp>, at: i64) -> u32 {
    seconds(time.filter(|time| is_possible(*time, at)))
}

pub(super) fn is_possible(time: Timestamp, at: i64) -> bool {
    time.as_second() <= at.div_euclid(1_000_000) + AHEAD_SECONDS_MAX
}

/// Tells a fact with its texts cut to what is kept of them; of a pod also that something was cut.
pub(super) fn tell(fact: &Fact, tell: Tell) {
    let mut cut = Cut(false);
    let labels = cut.pairs(fact.labels.unwrap_or_default());
    let waiting = cut.pairs(fact.waiting);
    let restarts = fact
        .restarts
        .iter()
        .map(|(name, times)| (cut.text(name), *times));
    let restarts: Vec<(&str, u32)> = restarts.collect();
    let mut asked = |asked: Option<(i64, _, _)>| {
        asked.map(|(at, user, acting_as)| (at, cut.text(user), cut.text(acting_as)))
    };
    let (delete_asked, evict_asked, force_asked) = (
        asked(fact.delete_asked),
        asked(fact.evict_asked),
        asked(fact.force_asked),
    );
    let mut kept = Fact {
        namespace: cut.text(fact.namespace),
        container: cut.text(fact.container),
        pod: cut.text(fact.pod),
        node: cut.text(fact.node),
        service_account: cut.text(fact.service_account),
        owner: fact.owner.as_ref().map(|owner| Owner {
            kind: cut.text(owner.kind),
            name: cut.text(owner.name),
            workload_kind: cut.text(owner.workload_kind),
            workload: cut.text(owner.workload),
            inferred: owner.inferred,
        }),
        labels: fact.labels.map(|_| &*labels),
        restarts: &restarts,
        created_by: fact
            .created_by
            .map(|(user, acting_as)| (cut.text(user), cut.text(acting_as))),
        delete_asked,
        evict_asked,
        force_asked,
        disrupted: fact.disrupted.map(|(at, why)| (at, cut.text(why))),
        status_reason: cut.text(fact.status_reason),
        waiting: &waiting,
        runtime: cut.text(fact.runtime),
        container_id_text: cut.text(fact.container_id_text),
        image: fact.image.map(|image| Image {
            image: cut.text(image.image),
            image_id: cut.text(image.image_id),
        }),
        ended: fact.ended.map(|ended| Ended {
            reason: cut.text(ended.reason),
            ..ended
        }),
        said: fact.said.clone().map(|said| crate::rows::Said {
            user: cut.text(said.user),
            acting_as: cut.text(said.acting_as),
            // What a part of it selects is more than what it selects.
            selector: match said.selector.len() <= TEXT_BYTES_MAX {
                true => said.selector,
                false => "?",
            },
            ..said
        }),
        ..fact.clone()
    };
    let is_of_pod = kept.pod_uid != 0 && kept.container.is_empty();
    if cut.0 && is_of_pod {
        kept.truncated = true;
    }
    tell(&kept);
    if cut.0 && kept.pod_uid != 0 && !is_of_pod {
        tell(&Fact {
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

/// Whether something was cut.
struct Cut(bool);

impl Cut {
    fn text<'a>(&mut self, text: &'a str) -> &'a str {
        if text.len() <= TEXT_BYTES_MAX {
            return text;
        }
        self.0 = true;
        &text[..text.floor_char_boundary(TEXT_BYTES_MAX)]
    }

    fn pairs<'s, 'a>(&mut self, pairs: &'s [(&'a str, &'a str)]) -> Cow<'s, [(&'a str, &'a str)]> {
        let is_short = |text: &str| text.len() <= TEXT_BYTES_MAX;
        if pairs
            .iter()
            .all(|(key, value)| is_short(key) && is_short(value))
        {
            return Cow::Borrowed(pairs);
        }
        let pairs = pairs
            .iter()
            .map(|(key, value)| (self.text(key), self.text(value)));
        Cow::Owned(pairs.collect())
    }
}
