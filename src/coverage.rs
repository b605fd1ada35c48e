//! Coverage: which events arrived, so that gaps can be found.
//!
//! In: each [`Event`] of a delivery, and the name of its cluster. Out: rows of `event_counts`, one for all events with
//! the same cluster, hour, level and stage, and one for each API server that renewed its lease. An event is a number
//! in its row's list: ClickHouse counts distinct numbers, so events that arrive twice, late or through several
//! receivers count once.
//!
//! Events do not say which API server made them. One kind does: since Kubernetes 1.26 each API server
//! renews a lease of its own, `apiserver-...` in `kube-system`, every ten seconds, as itself. No other account may.
//! The seconds of these renewals are kept: missing ones show that it was down.
//!
//! Limits: at most `KEYS_MAX` rows and `IDS_MAX` numbers are held; then the caller has to take them.
//! Never here: I/O, a clock, state between deliveries.

use crate::audit::{Event, Level, ObjectRef, Stage, Verb};
use crate::rows::{About, EventCount, EventCountRows};

/// Rows that are held at a time. An API server's body makes about six.
const KEYS_MAX: usize = 256;

/// Numbers of events that are held at a time: half a MiB of them.
const IDS_MAX: usize = 64 << 10;

/// The longest name of a lease that is taken for an API server's: Kubernetes' own maximum.
const NAME_BYTES_MAX: usize = 253;

/// The events that were seen.
#[derive(Default)]
pub struct Seen {
    groups: Vec<Group>,
    ids: usize,
}

/// Events of one row.
struct Group {
    key: Key,
    cluster: Box<str>,
    api_server: Box<str>,
    minutes: u64,
    /// Of heartbeats; as many as `ids` at most.
    seconds: Vec<u16>,
    ids: Vec<u64>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
struct Key {
    hour: u32,
    about: About,
    level: u8,
    stage: u8,
}

impl Seen {
    /// Takes up an event. Times that the table can't hold are left out.
    pub fn add(&mut self, cluster: &str, event: &Event) {
        let Ok(second) = u32::try_from(event.at.as_second()) else {
            return;
        };
        let api_server = api_server(event);
        let key = Key {
            hour: second - second % 3600,
            about: about(event, api_server),
            level: level(event.level),
            stage: stage(event.stage),
        };
        let group = self.group(key, cluster, api_server);
        let of_hour = (second % 3600) as u16;
        group.minutes |= 1 << (of_hour / 60);
        if key.about == About::Heartbeat {
            group.seconds.push(of_hour);
        }
        group.ids.push(number(event));
        self.ids += 1;
    }

    fn group(&mut self, key: Key, cluster: &str, api_server: &str) -> &mut Group {
        let known = self.groups.iter().position(|group| {
            group.key == key && *group.cluster == *cluster && *group.api_server == *api_server
        });
        let place = known.unwrap_or_else(|| {
            self.groups.push(Group {
                key,
                cluster: cluster.into(),
                api_server: api_server.into(),
                minutes: 0,
                seconds: Vec::new(),
                ids: Vec::new(),
            });
            self.groups.len() - 1
        });
        &mut self.groups[place]
    }

    /// Whether what is held should be taken before more is added.
    pub fn is_full(&self) -> bool {
        self.groups.len() >= KEYS_MAX || self.ids >= IDS_MAX
    }

    /// The rows of what was seen; nothing is held afterwards.
    pub fn take(&mut self) -> EventCountRows {
        let mut rows = EventCountRows::default();
        for group in &self.groups {
            rows.push(&EventCount {
                cluster: &group.cluster,
                hour: group.key.hour,
                about: group.key.about,
                api_server: &group.api_server,
                level: group.key.level,
                stage: group.key.stage,
                minutes: group.minutes,
                seconds: &group.seconds,
                ids: &group.ids,
            });
        }
        *self = Seen::default();
        rows
    }
}

/// What an event is about, and the lease that identifies its API server: empty for most.
pub fn subject<'e>(event: &'e Event) -> (About, &'e str) {
    let api_server = api_server(event);
    (about(event, api_server), api_server)
}

/// The lease that an API server renews as itself; empty for other events.
fn api_server<'e>(event: &'e Event) -> &'e str {
    let ObjectRef {
        resource,
        namespace,
        name,
        api_group,
        ..
    } = &event.object_ref;
    // Any API server deletes the leases of those that are gone.
    let renews = matches!(event.verb, Verb::Create | Verb::Update | Verb::Patch);
    let is_its_own = renews
        && &**resource == "leases"
        && &**api_group == "coordination.k8s.io"
        && &**namespace == "kube-system"
        && &*event.user.username == "system:apiserver"
        && event.impersonated_user.is_none()
        // Kubernetes 1.26 has the longer name.
        && (name.starts_with("apiserver-") || name.starts_with("kube-apiserver-"))
        && name.len() <= NAME_BYTES_MAX;
    if is_its_own { name } else { "" }
}

fn about(event: &Event, api_server: &str) -> About {
    let of_pod = &event.object_ref;
    // Sessions in a container are streams: no level has more of them than another.
    let is_session = matches!(
        &*of_pod.subresource,
        "exec" | "attach" | "portforward" | "proxy" | "log"
    );
    if !api_server.is_empty() {
        About::Heartbeat
    } else if of_pod.is_pod() && event.verb != Verb::Other && !is_session {
        About::Pods
    } else {
        About::Other
    }
}

/// The numbers of the column `level`.
fn level(level: Level) -> u8 {
    match level {
        Level::Other => 0,
        Level::Metadata => 1,
        Level::Request => 2,
        Level::RequestResponse => 3,
    }
}

/// The numbers of the column `stage`.
fn stage(stage: Stage) -> u8 {
    match stage {
        Stage::Other => 0,
        Stage::RequestReceived => 1,
        Stage::ResponseStarted => 2,
        Stage::ResponseComplete => 3,
        Stage::Panic => 4,
    }
}

/// FNV-1a over what identifies an event. A client may name the audit ID itself, so the time of the
/// request counts as well.
fn number(event: &Event) -> u64 {
    let received = event.request_received.unwrap_or(event.at).as_nanosecond();
    let bytes = event.audit_id.as_bytes().iter().copied();
    let bytes = bytes.chain([stage(event.stage)]);
    bytes
        .chain(received.to_le_bytes())
        .fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};
    use serde_json::{Value, json};

    fn event(change: Value) -> String {
        let mut event = json!({
            "auditID": "a", "level": "RequestResponse", "stage": "ResponseComplete", "verb": "patch",
            "user": {"username": "u"},
            "objectRef": {"resource": "pods", "namespace": "n", "name": "p", "subresource": "status"},
            "requestReceivedTimestamp": "2026-11-23T06:15:59.000001Z",
            "stageTimestamp": "2026-11-23T06:16:00.000001Z",
        });
        let changes = change.as_object().unwrap().clone();
        event.as_object_mut().unwrap().extend(changes);
        event.to_string()
    }

    fn seen(events: &[String]) -> Seen {
        let mut seen = Seen::default();
        for text in events {
            seen.add("c", &serde_json::from_str(text).unwrap());
        }
        seen
    }

    fn check(change: Value, expected: Expect) {
        let seen = seen(&[event(change)]);
        let [group] = &seen.groups[..] else {
            panic!("one group")
        };
        let Key {
            about,
            level,
            stage,
            ..
        } = group.key;
        let (server, seconds) = (&group.api_server, &group.seconds);
        expected.assert_eq(&format!("{about:?} {level} {stage} {server:?} {seconds:?}"));
    }

    #[test]
    fn what_an_event_is_about() {
        check(json!({}), expect![[r#"Pods 3 3 "" []"#]]);
        check(json!({"verb": "get"}), expect![[r#"Other 3 3 "" []"#]]);
        check(
            json!({"verb": "create", "objectRef": {"resource": "pods", "subresource": "exec"}}),
            expect![[r#"Other 3 3 "" []"#]],
        );
        let lease = json!({"resource": "leases", "apiGroup": "coordination.k8s.io",
            "namespace": "kube-system", "name": "apiserver-x"});
        let renewed = json!({"level": "Metadata", "verb": "update", "objectRef": lease,
            "user": {"username": "system:apiserver"}});
        let with = |key: &str, value: Value| {
            let mut changed = renewed.clone();
            changed[key] = value;
            changed
        };
        check(
            renewed.clone(),
            expect![[r#"Heartbeat 1 3 "apiserver-x" [960]"#]],
        );
        // Of another that is gone.
        check(
            with("verb", "delete".into()),
            expect![[r#"Other 1 3 "" []"#]],
        );
        let robot = json!({"username": "robot"});
        check(with("user", robot.clone()), expect![[r#"Other 1 3 "" []"#]]);
        check(
            with("impersonatedUser", robot),
            expect![[r#"Other 1 3 "" []"#]],
        );
        // A level that a relay made up does not count.
        check(
            json!({"level": "info", "stage": "Panic"}),
            expect![[r#"Pods 0 4 "" []"#]],
        );
        check(
            json!({"level": {"value": 30}}),
            expect![[r#"Pods 0 3 "" []"#]],
        );
    }

    #[test]
    fn an_event_is_the_same_number_whenever_it_comes() {
        let stage = json!({"stage": "RequestReceived"});
        let other = json!({"auditID": "b"});
        let seen = seen(&[
            event(json!({})),
            event(json!({})),
            event(stage),
            event(other),
        ]);
        let ids: Vec<&[u64]> = seen.groups.iter().map(|group| &group.ids[..]).collect();
        let [[first, again, other], [received]] = ids[..] else {
            panic!("two groups: {ids:?}")
        };
        assert_eq!(first, again);
        assert!(first != other && first != received);
        assert_eq!(seen.groups[0].minutes, 1 << 16);
    }

    #[test]
    fn what_is_held_is_limited() {
        let hour = |hour: usize| {
            let at = format!("2026-11-{:02}T{:02}:00:00Z", 1 + hour / 24, hour % 24);
            event(json!({ "stageTimestamp": at }))
        };
        let hours: Vec<String> = (0..KEYS_MAX).map(hour).collect();
        assert!(!seen(&hours[1..]).is_full());
        let mut full = seen(&hours);
        assert!(full.is_full());
        assert_eq!(full.take().rows(), KEYS_MAX);
        assert!(!full.is_full() && full.take().is_empty());
        let mut many = seen(&[event(json!({}))]);
        many.ids = IDS_MAX;
        assert!(many.is_full());
        // A DateTime ends in 2106.
        let late = json!({"stageTimestamp": "2150-01-01T00:00:00Z"});
        assert!(seen(&[event(late)]).take().is_empty());
    }
}
