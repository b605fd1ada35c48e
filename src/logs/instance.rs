//! A container instance, and who stands before and after it.

use std::collections::HashSet;
use std::sync::OnceLock;

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::identity::Identity;
use super::span::{Span, earlier, later};
use crate::query::Container;

/// A container instance whose lines are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Instance {
    pub cluster: String,
    pub namespace: String,
    pub pod: String,
    pub uid: Uuid,
    /// Of a static pod: what its node has in place of the UID.
    pub config_hash: Option<String>,
    pub container: String,
    pub restart: u32,
    /// Without `runtime://`.
    pub container_id: Option<String>,
    pub runtime: Option<String>,
    pub node: Option<String>,
    /// The start of the container, else of the pod. Whole seconds.
    pub began: Option<Timestamp>,
    /// `None` while it runs.
    pub ended: Option<Timestamp>,
    /// Whether its end was reported; else `ended` is when it was over at the latest.
    pub end_seen: bool,
    /// Set when the first identity needs it.
    pub around: OnceLock<Around>,
}

/// When the instances of a container before and after one ended and began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Around {
    /// In its pod.
    pub in_pod: Borders,
    /// Among all pods of its name.
    pub in_name: Borders,
}

/// Where others begin and end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Borders {
    /// When the one before had ended, or began where its end is not known.
    pub before: Option<Timestamp>,
    /// When the next one began.
    pub after: Option<Timestamp>,
}

impl Instance {
    pub fn of(row: Container) -> Instance {
        let began = row.started_at.or(row.pod_created_at);
        let ended = row.ended_at.or(row.pod_removed_at);
        Instance {
            cluster: row.cluster,
            namespace: row.namespace,
            pod: row.pod,
            uid: row.pod_uid,
            config_hash: row.config_hash,
            container: row.container,
            restart: row.restart,
            container_id: row.container_id,
            runtime: row.runtime,
            node: row.node,
            began: began.map(|time| time.instant),
            ended: ended.map(|time| time.instant),
            end_seen: row.end_seen,
            around: OnceLock::new(),
        }
    }

    /// Where the lines of this instance may lie, found by this identity. `now` bounds what still runs.
    pub fn span(&self, identity: Identity, slack: SignedDuration, now: Timestamp) -> Span {
        // A second that Kubernetes writes stands for all of it.
        let second = SignedDuration::from_secs(1);
        let ended = self.ended.map_or(now, |ended| later(ended, second));
        let span = Span {
            from: self
                .began
                .map_or(Timestamp::MIN, |began| earlier(began, slack)),
            until: later(ended, slack),
        };
        let Some(borders) = self.borders(identity) else {
            return span;
        };
        // The last second of the one before is not its own, its own first second is.
        let before = borders.before.map(|before| {
            let over = later(before, second);
            self.began.map_or(over, |began| over.min(began))
        });
        // A second in which it ended and the next one began may hold lines of both.
        let ended = self
            .ended
            .filter(|_| self.end_seen)
            .map(Timestamp::as_second);
        let after = borders
            .after
            .map(|after| match ended >= Some(after.as_second()) {
                true => later(after, second),
                false => after,
            });
        span.within(before, after)
    }

    /// Whether both are of one container of pods of one name.
    pub fn shares_names(&self, other: &Instance) -> bool {
        self.cluster == other.cluster
            && self.namespace == other.namespace
            && self.pod == other.pod
            && self.container == other.container
    }

    /// What an identity can't tell apart.
    fn borders(&self, identity: Identity) -> Option<Borders> {
        let around = self.around.get().copied().unwrap_or_default();
        match identity {
            Identity::ContainerId | Identity::Restart => None,
            Identity::Uid => Some(around.in_pod),
            Identity::Names => Some(around.in_name),
        }
    }

    /// Whether lines at its borders may belong to another instance, found by this identity: both stand in one second,
    /// or one of the times is not known.
    pub fn has_blurred_border(&self, identity: Identity) -> bool {
        let Some(Borders { before, after }) = self.borders(identity) else {
            return false;
        };
        let blurred = |one: Option<Timestamp>, other: Option<Timestamp>| match (one, other) {
            (None, _) => false,
            (Some(one), Some(other)) => one.as_second() == other.as_second(),
            (Some(_), None) => true,
        };
        blurred(before, self.began) || blurred(after, self.ended)
    }
}

/// Gives an instance its borders, from all instances of its pod's name.
pub fn set_borders(instance: &Instance, all: &[Instance]) {
    let same_name = all
        .iter()
        .filter(|other| other.shares_names(instance) && !is_same(other, instance));
    let others: Vec<&Instance> = same_name.collect();
    let in_pod: Vec<&Instance> = others
        .iter()
        .copied()
        .filter(|other| is_same_pod(other, instance))
        .collect();
    instance.around.get_or_init(|| Around {
        in_pod: borders(instance, &in_pod),
        in_name: borders(instance, &others),
    });
}

/// Whether their node has one folder for both: of a static pod each of its mirror pods has another UID.
fn is_same_pod(one: &Instance, other: &Instance) -> bool {
    one.uid == other.uid || (one.config_hash.is_some() && one.config_hash == other.config_hash)
}

/// Leaves out what is there twice: the container of a static pod runs on when its mirror pod is deleted and comes again
/// under another UID. `instances` are oldest first; the newest mirror pod knows the end.
pub fn once(mut instances: Vec<Instance>) -> Vec<Instance> {
    let mut seen = HashSet::new();
    instances.reverse();
    instances.retain(|instance| {
        let Instance {
            cluster,
            namespace,
            pod,
            config_hash,
            container,
            container_id,
            ..
        } = instance;
        let (Some(hash), Some(id)) = (config_hash, container_id) else {
            return true;
        };
        let texts = [cluster, namespace, pod, hash, container, id];
        seen.insert(texts.map(String::clone))
    });
    instances.reverse();
    instances
}

fn is_same(one: &Instance, other: &Instance) -> bool {
    one.uid == other.uid && one.restart == other.restart && one.container_id == other.container_id
}

/// Those next to it in time; of one second, by the number of the restart.
fn borders(of: &Instance, others: &[&Instance]) -> Borders {
    let key = |instance: &Instance| (instance.began, instance.restart);
    let before = others.iter().filter(|other| key(other) < key(of));
    let after = others.iter().filter(|other| key(other) > key(of));
    Borders {
        before: before.max_by_key(|other| key(other)).and_then(|other| {
            let ended = other.ended.filter(|_| other.end_seen);
            ended.or(of.began)
        }),
        after: after
            .min_by_key(|other| key(other))
            .and_then(|other| other.began),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    /// `uid restart began ended`, ended `-` while it runs.
    fn instance(text: &str) -> Instance {
        let parts: Vec<&str> = text.split(' ').collect();
        Instance {
            pod: "web-0".to_owned(),
            uid: Uuid::from_u128(parts[0].parse().unwrap()),
            restart: parts[1].parse().unwrap(),
            began: parts[2].parse().ok().map(at),
            ended: parts[3].parse().ok().map(at),
            end_seen: parts[3] != "-",
            ..Instance::default()
        }
    }

    fn check(which: usize, all: &[&str], expected: Expect) {
        let all: Vec<Instance> = all.iter().map(|text| instance(text)).collect();
        let of = [all[which].clone()];
        set_borders(&of[0], &all);
        let spans = [Identity::ContainerId, Identity::Uid, Identity::Names].map(|identity| {
            let span = of[0].span(identity, SignedDuration::from_secs(30), at(1000));
            let blurred = of[0].has_blurred_border(identity);
            let mark = if blurred { " blurred" } else { "" };
            format!(
                "{} to {}{mark}",
                span.from.as_second(),
                span.until.as_second()
            )
        });
        expected.assert_eq(&spans.join(", "));
    }

    #[test]
    fn weaker_identities_end_at_borders() {
        // One alone: the slack on both sides.
        check(
            0,
            &["1 0 100 200"],
            expect!["70 to 231, 70 to 231, 70 to 231"],
        );
        check(
            0,
            &["1 0 100 -"],
            expect!["70 to 1030, 70 to 1030, 70 to 1030"],
        );
        // The next instance of the pod begins ten seconds later.
        let restarted = ["1 0 100 200", "1 1 210 300"];
        check(0, &restarted, expect!["70 to 231, 70 to 210, 70 to 210"]);
        check(1, &restarted, expect!["180 to 331, 201 to 331, 201 to 331"]);
        // Another pod of this name, which UIDs tell apart.
        let reused = ["1 0 100 200", "2 0 205 300"];
        check(0, &reused, expect!["70 to 231, 70 to 231, 70 to 205"]);
        check(1, &reused, expect!["175 to 331, 175 to 331, 201 to 331"]);
        // One ends and the next begins within a second.
        let at_once = ["1 0 100 200", "1 1 200 300"];
        check(
            0,
            &at_once,
            expect!["70 to 231, 70 to 201 blurred, 70 to 201 blurred"],
        );
        check(
            1,
            &at_once,
            expect!["170 to 331, 200 to 331 blurred, 200 to 331 blurred"],
        );
    }

    #[test]
    fn the_container_of_a_static_pod_is_shown_once() {
        let of = |uid, config_hash: &str, container_id: &str| Instance {
            uid: Uuid::from_u128(uid),
            config_hash: Some(config_hash.to_owned()),
            container_id: Some(container_id.to_owned()),
            ..Instance::default()
        };
        let plain = Instance {
            config_hash: None,
            ..of(4, "", "a")
        };
        let all = [
            of(1, "h", "a"),
            of(2, "h", "a"),
            of(2, "h", "b"),
            of(3, "i", "b"),
            plain,
        ];
        let left = once(all.to_vec());
        assert_eq!(left, all[1..]);
    }

    #[test]
    fn mirror_pods_of_a_static_pod_have_one_folder() {
        let mut all = [instance("1 0 100 200"), instance("2 1 210 300")];
        for instance in &mut all {
            instance.config_hash = Some("h".to_owned());
        }
        let of = [all[0].clone()];
        set_borders(&of[0], &all);
        let span = of[0].span(Identity::Uid, SignedDuration::from_secs(30), at(1000));
        assert_eq!(span.until, at(210));
    }
}
