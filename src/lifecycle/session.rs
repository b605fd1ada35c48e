//! Requests to an existing pod that change nothing in its object, or that change what runs in it: exec, attach and
//! port-forward sessions, added ephemeral containers, resizes. Who, when, from where, and the outcome.
//!
//! - A session is two events of one audit ID: `ResponseStarted` when the stream opens, and `ResponseComplete` when it
//!   is over. Each is a row, and rows of one request merge. Its verb is `create` (SPDY) or `get` (WebSocket).
//! - Rejected requests count, with their code: who tried is as interesting as who succeeded.
//! - Of the URL only the name of the container is kept, if it is a valid name. A command, its arguments and the rest
//!   of the query are not.
//! - A dry run does not count, where dry runs exist. Sessions ignore `dryRun`: an exec with it in the query runs the
//!   command all the same.

use std::collections::BTreeSet;

use super::limits::cut;
use super::request::{is_dry_run, sent};
use super::uri::query;
use super::{EventContext, Unreadable};
use crate::audit::words::SessionKind;
use crate::audit::{Event, Object, Stage, Verb};
use crate::rows::{Session, microseconds};

/// Names of containers are labels of DNS.
const NAME_BYTES_MAX: usize = 63;

/// The names of containers that one request added, together.
const NAMES_BYTES_MAX: usize = 1_024;

/// Emits the row of a request to an existing pod; nothing for other events.
///
/// # Errors
///
/// [`Unreadable`] when its time is invalid.
pub fn session(
    cluster: &str,
    event: &Event,
    emit: &mut dyn FnMut(&Session),
) -> Result<(), Unreadable> {
    let Some(kind) = kind(event) else {
        return Ok(());
    };
    let context = EventContext {
        cluster,
        event,
        at: microseconds(Some(event.at)),
    };
    if context.at == 0 {
        return Err(Unreadable("stageTimestamp is not between 1970 and 2200"));
    }
    let (began_at, user, acting_as) = context.asked();
    let container = match kind {
        SessionKind::EphemeralContainers => added(event),
        SessionKind::Exec | SessionKind::Attach => named(event),
        // Of the pod as a whole.
        SessionKind::PortForward | SessionKind::Resize => String::new(),
    };
    let sources = event.sources();
    emit(&Session {
        cluster,
        namespace: cut(&event.object_ref.namespace),
        pod: cut(&event.object_ref.name),
        kind,
        began_at,
        over_at: match event.stage {
            Stage::ResponseStarted => 0,
            _ => context.at,
        },
        container: &container,
        user: cut(user),
        acting_as: cut(acting_as),
        source: sources.first,
        via: sources.last,
        code: event
            .response_status
            .and_then(|status| status.code)
            .unwrap_or(0),
        audit_id: context.audit_id(),
    });
    Ok(())
}

/// What was asked for; nothing where it was something else, or nothing was to come of it.
fn kind(event: &Event) -> Option<SessionKind> {
    let named = &event.object_ref;
    let is_pod = *named.resource == *"pods" && named.api_group.is_empty() && !named.name.is_empty();
    let kind = SessionKind::of_word(&named.subresource).filter(|_| is_pod)?;
    let counts = match kind.is_stream() {
        true => matches!(event.verb, Verb::Create | Verb::Other),
        // They can be read, too.
        false => {
            matches!(event.verb, Verb::Patch | Verb::Update) && is_dry_run(event) != Some(true)
        }
    };
    let is_answered = matches!(
        event.stage,
        Stage::ResponseStarted | Stage::ResponseComplete | Stage::Panic
    );
    (counts && is_answered).then_some(kind)
}

/// The container that the query names; of several the API server takes the first.
fn named(event: &Event) -> String {
    let name = query(event).find(|(key, _)| key == "container");
    let name = name.map(|(_, name)| name.into_owned());
    name.filter(|name| is_name(name)).unwrap_or_default()
}

/// The ephemeral containers that were added: those that the request lists (a patch only the new ones; else all, as the
/// answer does), without those that a kubelet had reported before.
fn added(event: &Event) -> String {
    let request = sent(event);
    let listed = request
        .as_ref()
        .map(listed)
        .filter(|names| !names.is_empty());
    let answer = event.response_object.as_ref();
    let listed_now = || answer.map(self::listed).unwrap_or_default();
    let reported = answer.map(reported).unwrap_or_default();
    let mut names = String::new();
    for name in listed.unwrap_or_else(listed_now) {
        let is_new = is_name(name) && !reported.contains(name);
        if is_new && names.len() + name.len() < NAMES_BYTES_MAX {
            let separator = if names.is_empty() { "" } else { "," };
            names = names + separator + name;
        }
    }
    names
}

fn listed<'o>(object: &'o Object) -> Vec<&'o str> {
    let spec = object.spec.0.as_ref();
    let containers = spec.and_then(|spec| spec.ephemeral_containers.as_ref());
    let names = containers.into_iter().flatten();
    names.map(|container| &*container.name).collect()
}

fn reported<'o>(object: &'o Object) -> BTreeSet<&'o str> {
    let status = object.status.0.as_ref();
    let statuses = status.and_then(|status| status.ephemeral_container_statuses.as_ref());
    let names = statuses.into_iter().flatten();
    names.map(|status| &*status.name).collect()
}

/// Whether it can be the name of a container, and so is not a slip that put something else there.
fn is_name(name: &str) -> bool {
    let is_of_label = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=NAME_BYTES_MAX).contains(&name.len()) && name.bytes().all(is_of_label)
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};
    use serde_json::{Value, json};

    const SECRET: &str = "CANARY-in-a-command";

    fn event(subresource: &str, change: Value) -> String {
        let query = format!("command=login&command={SECRET}&container=main&container=b&stdin=true");
        let mut event = json!({
            "level": "Metadata", "auditID": "a-1", "stage": "ResponseComplete", "verb": "get",
            "requestURI": format!("/api/v1/namespaces/n/pods/web/{subresource}?{query}"),
            "user": {"username": "alice"}, "sourceIPs": ["203.0.113.9", "10.0.0.1"],
            "objectRef": {"resource": "pods", "namespace": "n", "name": "web",
                "apiVersion": "v1", "subresource": subresource},
            "responseStatus": {"metadata": {}, "code": 101},
            "requestReceivedTimestamp": "1970-01-01T00:01:00.000001Z",
            "stageTimestamp": "1970-01-01T00:02:00.000002Z",
        });
        for (key, value) in change.as_object().unwrap() {
            event[key] = value.clone();
        }
        event.to_string()
    }

    fn kinds(text: &str) -> String {
        let event: Event = serde_json::from_str(text).expect("an event");
        let mut kinds = String::new();
        let outcome = session("c", &event, &mut |session| {
            let Session {
                cluster,
                namespace,
                pod,
                kind,
                began_at,
                over_at,
                container,
                user,
                acting_as,
                code,
                audit_id,
                ..
            } = session;
            let from = [session.source, session.via]
                .map(|address| address.map_or("-".to_owned(), |address| address.to_string()));
            let [source, via] = from;
            kinds += &format!(
                "{cluster}/{namespace}/{pod} {} in {container:?} {began_at}..{over_at} by {user} as {acting_as:?} \
                 from {source} via {via}: {code} {audit_id:?}\n",
                kind.word()
            );
        });
        if let Err(Unreadable(why)) = outcome {
            kinds += &format!("unreadable: {why}\n");
        }
        assert!(!kinds.contains(SECRET), "{kinds}");
        kinds
    }

    fn check(subresource: &str, change: Value, expected: Expect) {
        expected.assert_eq(&kinds(&event(subresource, change)));
    }

    #[test]
    fn a_stream_opens_and_is_over() {
        check(
            "exec",
            json!({"stage": "ResponseStarted"}),
            expect![[r#"
                c/n/web exec in "main" 60000001..0 by alice as "" from 203.0.113.9 via 10.0.0.1: 101 "a-1"
            "#]],
        );
        check(
            "exec",
            json!({}),
            expect![[r#"
                c/n/web exec in "main" 60000001..120000002 by alice as "" from 203.0.113.9 via 10.0.0.1: 101 "a-1"
            "#]],
        );
        check(
            "attach",
            json!({"verb": "create", "impersonatedUser": {"username": "bob"}}),
            expect![[r#"
                c/n/web attach in "main" 60000001..120000002 by alice as "bob" from 203.0.113.9 via 10.0.0.1: 101 "a-1"
            "#]],
        );
        check(
            "portforward",
            json!({"stage": "Panic", "responseStatus": {"code": 500}, "sourceIPs": null,
                "requestURI": "/api/v1/namespaces/n/pods/web/portforward?ports=80&container=main"}),
            expect![[r#"
                c/n/web portforward in "" 60000001..120000002 by alice as "" from - via -: 500 "a-1"
            "#]],
        );
    }

    /// Parameters that an exec ignores do not hide it, and rejected requests are recorded.
    #[test]
    fn nothing_hides_a_session() {
        let uri = "/api/v1/namespaces/n/pods/web/exec?dryRun=All&container=main";
        check(
            "exec",
            json!({ "requestURI": uri }),
            expect![[r#"
                c/n/web exec in "main" 60000001..120000002 by alice as "" from 203.0.113.9 via 10.0.0.1: 101 "a-1"
            "#]],
        );
        check(
            "exec",
            json!({"responseStatus": {"code": 403, "status": "Failure", "reason": "Forbidden"},
                "requestReceivedTimestamp": null}),
            expect![[r#"
                c/n/web exec in "main" 120000002..120000002 by alice as "" from 203.0.113.9 via 10.0.0.1: 403 "a-1"
            "#]],
        );
        // Invalid names of containers and audit IDs, and a pod's name that is too long.
        let long = "x".repeat(2_000);
        let odd = json!({"auditID": SECRET.repeat(9), "verb": "create",
            "requestURI": format!("/api/v1/namespaces/n/pods/web/exec?container={SECRET}"),
            "objectRef": {"resource": "pods", "namespace": "n", "name": long, "subresource": "exec"}});
        let kinds = kinds(&event("exec", odd));
        let shown = kinds.replace(&"x".repeat(1_024), "(1024)");
        expect![[r#"
            c/n/(1024) exec in "" 60000001..120000002 by alice as "" from 203.0.113.9 via 10.0.0.1: 101 ""
        "#]]
        .assert_eq(&shown);
    }

    #[test]
    fn what_is_none() {
        let other = |resource: &str, group: &str| {
            json!({"objectRef": {"resource": resource, "namespace": "n", "name": "web",
                "apiGroup": group, "subresource": "exec"}})
        };
        for (subresource, change) in [
            ("exec", json!({"stage": "RequestReceived"})),
            ("exec", other("pods", "example.com")),
            ("exec", other("virtualmachines", "")),
            ("log", json!({})),
            ("status", json!({"verb": "patch"})),
            ("resize", json!({})),
            ("ephemeralcontainers", json!({})),
            (
                "resize",
                json!({"verb": "patch", "requestURI": "/api/v1/namespaces/n/pods/web/resize?dryRun=All"}),
            ),
        ] {
            assert_eq!(kinds(&event(subresource, change)), "", "{subresource}");
        }
        check(
            "exec",
            json!({"stageTimestamp": "2250-01-01T00:00:00Z"}),
            expect![[r#"
                unreadable: stageTimestamp is not between 1970 and 2200
            "#]],
        );
    }

    #[test]
    fn a_resize() {
        let body = json!({"spec": {"containers": [{"name": "main", "env": [{"value": SECRET}]}]}});
        check(
            "resize",
            json!({"verb": "patch", "responseStatus": {"code": 200}, "requestObject": body}),
            expect![[r#"
                c/n/web resize in "" 60000001..120000002 by alice as "" from 203.0.113.9 via 10.0.0.1: 200 "a-1"
            "#]],
        );
    }

    /// Which containers were added: a patch lists the new ones, a PUT and an answer all of them, and those that a
    /// kubelet had reported were there before.
    #[test]
    fn ephemeral_containers_that_were_added() {
        let listed = |names: &[&str]| -> Vec<Value> {
            let containers = names
                .iter()
                .map(|name| json!({"name": name, "command": ["login", SECRET]}));
            containers.collect()
        };
        let object = |names: &[&str]| json!({"spec": {"ephemeralContainers": listed(names)}});
        let answer = |names: &[&str], reported: &[&str]| {
            let mut answer = object(names);
            answer["kind"] = json!("Pod");
            answer["status"] = json!({"ephemeralContainerStatuses": listed(reported)});
            answer
        };
        let json_patch =
            json!([{"op": "add", "path": "/spec/ephemeralContainers/-", "value": {"name": "two"}}]);
        let many: Vec<String> = (0..100)
            .map(|n| format!("a-name-of-twenty-{n:03}"))
            .collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        let mut shown = String::new();
        for (verb, request, answer) in [
            ("patch", object(&["two"]), answer(&["one", "two"], &["one"])),
            ("patch", object(&["two"]), Value::Null),
            (
                "patch",
                json_patch.clone(),
                answer(&["one", "two"], &["one"]),
            ),
            ("patch", json_patch, Value::Null),
            ("patch", Value::Null, answer(&["one"], &[])),
            (
                "update",
                object(&["one", "two", "three"]),
                answer(&["one", "two", "three"], &["one"]),
            ),
            ("patch", object(&["Not A Name"]), Value::Null),
            ("patch", object(&many), Value::Null),
        ] {
            let change = json!({"verb": verb, "requestObject": request, "responseObject": answer,
                "responseStatus": {"code": 200}});
            let kinds = kinds(&event("ephemeralcontainers", change));
            let container = kinds.split('"').nth(1).expect("a container");
            assert!(container.len() < NAMES_BYTES_MAX);
            shown += &format!("{verb} {}\n", container.get(..41).unwrap_or(container));
        }
        expect![[r#"
            patch two
            patch two
            patch two
            patch 
            patch one
            update two,three
            patch 
            patch a-name-of-twenty-000,a-name-of-twenty-001
        "#]]
        .assert_eq(&shown);
    }
}
