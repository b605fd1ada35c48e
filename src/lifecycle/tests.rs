//! Each rule by an event of its own. What whole recordings say is held against their truth in
//! `tests/it/truth.rs`.

use super::*;
use crate::rows::{Basis, Phase};
use expect_test::{Expect, expect};
use serde_json::{Value, json};

mod lean;
mod many;
mod odd;
mod options;
mod too_much;
mod watched;

fn check(event: &Value, expected: Expect) {
    let text = event.to_string();
    let event: Event = serde_json::from_str(&text).expect("a readable event");
    let mut lines = String::new();
    let outcome = facts("c", &event, &mut |fact| {
        lines += &format!("{}\n", line(fact))
    });
    if let Err(Unreadable(reason)) = outcome {
        lines += &format!("unreadable: {reason}\n");
    }
    expected.assert_eq(&lines);
}

fn pairs(restarts: &[(&str, u32)]) -> String {
    let pairs = restarts
        .iter()
        .map(|(name, times)| format!("{name}:{times}"));
    pairs.collect::<Vec<_>>().join(",")
}

/// What a fact has about a pod's end.
fn end(fact: &Fact, say: &mut dyn FnMut(&str, String)) {
    let asked = |asked: Option<(i64, &str, &str)>| {
        asked.map_or(String::new(), |asked| format!("{asked:?}"))
    };
    say("evict", asked(fact.evict_asked));
    say("force", asked(fact.force_asked));
    say(
        "disrupted",
        fact.disrupted
            .map_or(String::new(), |disrupted| format!("{disrupted:?}")),
    );
    say("reason", fact.status_reason.to_owned());
    if !fact.waiting.is_empty() {
        say("waiting", format!("{:?}", fact.waiting));
    }
    if fact.truncated {
        say("truncated", "yes".to_owned());
    }
    if let Some(said) = &fact.said {
        say(said.what.word(), format!("{} {}", said.at, said.user));
        say("as", said.acting_as.to_owned());
        say("selector", said.selector.to_owned());
        if said.uid != 0 {
            say("uid", uuid::Uuid::from_u128(said.uid).to_string());
        }
    }
}

/// What a fact has, without the fields that every fact of its event has.
fn line(fact: &Fact) -> String {
    let mut said = vec![format!("{}/{}", fact.namespace, fact.pod)];
    if !fact.container.is_empty() {
        let id = format!("{:02x}{:02x}", fact.container_id[0], fact.container_id[1]);
        said[0] = format!(
            "{:?} {} {id}{} #{}",
            fact.kind, fact.container, fact.container_id_text, fact.restart
        );
    }
    let mut say = |name: &str, value: String| {
        if !value.is_empty() && value != "0" {
            said.push(format!("{name}={value}"));
        }
    };
    say("version", fact.version.to_string());
    say("node", fact.node.to_owned());
    if let Some(owner) = &fact.owner {
        let inferred = if owner.basis == Basis::Name { "?" } else { "" };
        say("owner", format!("{}/{}", owner.kind, owner.name));
        say(
            "workload",
            format!("{}/{}{inferred}", owner.workload_kind, owner.workload),
        );
    }
    say(
        "labels",
        fact.labels
            .map_or(String::new(), |labels| format!("{labels:?}")),
    );
    if fact.phase != Phase::None {
        say("phase", format!("{:?}", fact.phase));
    }
    let ips: Vec<String> = fact.pod_ips.iter().map(ToString::to_string).collect();
    say("ips", ips.join(","));
    say("restarts", pairs(fact.restarts));
    say("created", fact.created_at.to_string());
    say(
        "by",
        fact.created_by
            .map_or(String::new(), |by| format!("{by:?}")),
    );
    say("scheduled", fact.scheduled_at.to_string());
    say("terminal", fact.terminal_at.to_string());
    say(
        "asked",
        fact.delete_asked
            .map_or(String::new(), |asked| format!("{asked:?}")),
    );
    end(fact, &mut say);
    say("removed", fact.removed_at.to_string());
    say("hash", fact.config_hash.to_owned());
    say("runtime", fact.runtime.to_owned());
    say(
        "image",
        fact.image
            .map_or(String::new(), |image| image.image.to_owned()),
    );
    say("started", fact.started_at.to_string());
    say(
        "ended",
        fact.ended.map_or(String::new(), |ended| {
            format!(
                "{} {} {} {}",
                ended.finished_at, ended.exit_code, ended.signal, ended.reason
            )
        }),
    );
    said.join(" ")
}

const UID: &str = "082bb149-e306-41c8-ac78-83da63ba8413";

/// An event about the pod `n/web`, which answered with `response`.
fn event(verb: &str, subresource: &str, response: Value) -> Value {
    let part = match subresource {
        "" => String::new(),
        part => format!("/{part}"),
    };
    json!({
        "level": "RequestResponse", "auditID": "1", "stage": "ResponseComplete", "verb": verb,
        "requestURI": format!("/api/v1/namespaces/n/pods/web{part}"),
        "user": {"username": "alice", "groups": ["system:authenticated"]},
        "objectRef": {"resource": "pods", "namespace": "n", "name": "web",
            "apiVersion": "v1", "subresource": subresource},
        "responseStatus": {"metadata": {}, "code": 200},
        "responseObject": response,
        "requestReceivedTimestamp": "1970-01-01T00:01:00.000001Z",
        "stageTimestamp": "1970-01-01T00:01:00.000002Z",
    })
}

fn pod(metadata: Value, status: Value) -> Value {
    let mut pod = json!({
        "kind": "Pod", "apiVersion": "v1",
        "metadata": {"name": "web", "namespace": "n", "uid": UID, "resourceVersion": "7"},
        "spec": {"nodeName": "node-1"},
        "status": status,
    });
    for (key, value) in metadata.as_object().unwrap() {
        pod["metadata"][key] = value.clone();
    }
    pod
}

fn changed(mut event: Value, path: &str, value: Value) -> Value {
    *event.pointer_mut(path).unwrap_or_else(|| panic!("{path}")) = value;
    event
}

/// A container ID of 64 digits that begin with `head`.
fn id(head: &str) -> String {
    format!("containerd://{head:0<64}")
}

#[test]
fn a_create_tells_who_made_it() {
    let created = pod(
        json!({"creationTimestamp": "1970-01-01T00:01:00Z", "labels": {"b": "2", "a": "1"}}),
        json!({"phase": "Pending"}),
    );
    let create = event("create", "", created);
    check(
        &create,
        expect![[r#"
            n/web version=7 node=node-1 labels=[("a", "1"), ("b", "2")] phase=Pending created=60 by=("alice", "")
        "#]],
    );
    // generateName: neither name nor uid in objectRef.
    check(
        &changed(create.clone(), "/objectRef/name", Value::Null),
        expect![[r#"
            n/web version=7 node=node-1 labels=[("a", "1"), ("b", "2")] phase=Pending created=60 by=("alice", "")
        "#]],
    );
    let mut impersonated = create.clone();
    impersonated["impersonatedUser"] = json!({"username": "bob"});
    check(
        &impersonated,
        expect![[r#"
            n/web version=7 node=node-1 labels=[("a", "1"), ("b", "2")] phase=Pending created=60 by=("alice", "bob")
        "#]],
    );
    // Server-side apply.
    let applied = changed(create, "/verb", json!("patch"));
    check(
        &changed(applied, "/responseStatus/code", json!(201)),
        expect![[r#"
            n/web version=7 node=node-1 labels=[("a", "1"), ("b", "2")] phase=Pending created=60 by=("alice", "")
        "#]],
    );
}

#[test]
fn what_does_not_count() {
    let delete = event("delete", "", pod(json!({}), json!({})));
    check(
        &changed(delete.clone(), "/stage", json!("RequestReceived")),
        expect![""],
    );
    check(
        &changed(delete.clone(), "/stage", json!("Panic")),
        expect![""],
    );
    check(
        &changed(delete.clone(), "/responseStatus/code", json!(403)),
        expect![""],
    );
    check(&changed(delete.clone(), "/verb", json!("get")), expect![""]);
    check(
        &changed(delete.clone(), "/objectRef/resource", json!("nodes")),
        expect![""],
    );
    let mut metrics = delete.clone();
    metrics["objectRef"]["apiGroup"] = json!("metrics.k8s.io");
    check(&metrics, expect![""]);
    check(
        &event(
            "delete",
            "",
            json!({"kind": "Status", "status": "Success", "metadata": {}}),
        ),
        expect![[r#"
            n/web ask=60000001 alice
        "#]],
    );
    check(
        &event("delete", "", json!("skipped-too-big-size-object")),
        expect![[r#"
            n/web ask=60000001 alice
        "#]],
    );
    check(
        &event("patch", "", json!(["an", {"array": 1}])),
        expect![""],
    );
}

#[test]
fn dry_runs() {
    let delete = event("delete", "", pod(json!({}), json!({})));
    for uri in ["/p?dryRun=All", "/p?a=b&dryRun=All&c=d", "/p?dry%52un=All"] {
        check(
            &changed(delete.clone(), "/requestURI", json!(uri)),
            expect![""],
        );
    }
    let mut in_body = delete.clone();
    in_body["requestObject"] = json!({"kind": "DeleteOptions", "dryRun": ["All"]});
    check(&in_body, expect![""]);
    let unversioned = pod(json!({"resourceVersion": null}), json!({}));
    check(&event("create", "", unversioned), expect![""]);
}

#[test]
fn a_binding_tells_the_node() {
    let mut binding = event(
        "create",
        "binding",
        json!({"kind": "Status", "status": "Success"}),
    );
    binding["requestObject"] = json!({"kind": "Binding", "metadata": {"name": "web", "uid": UID}, "target": {"kind": "Node", "name": "node-2"}});
    check(
        &binding,
        expect![[r#"
        n/web node=node-2 scheduled=60000002
    "#]],
    );
    // The older form.
    let mut old = changed(binding.clone(), "/objectRef/resource", json!("bindings"));
    old["objectRef"]["subresource"] = Value::Null;
    old["objectRef"]["name"] = Value::Null;
    check(
        &old,
        expect![[r#"
        n/web node=node-2 scheduled=60000002
    "#]],
    );
    check(
        &changed(binding.clone(), "/requestObject/metadata/uid", Value::Null),
        expect![""],
    );
    check(
        &changed(binding, "/requestObject/metadata/uid", json!("u")),
        expect![[r#"
            unreadable: the uid of a pod is not a UUID
        "#]],
    );
}

#[test]
fn asked_and_removed() {
    let graceful =
        json!({"deletionTimestamp": "1970-01-01T00:01:30Z", "deletionGracePeriodSeconds": 30});
    let now = json!({"deletionTimestamp": "1970-01-01T00:01:00Z", "deletionGracePeriodSeconds": 0});
    let asked = event("delete", "", pod(graceful, json!({})));
    check(
        &asked,
        expect![[r#"
        n/web version=7 node=node-1 labels=[] asked=(60000001, "alice", "")
    "#]],
    );
    let gone = event("delete", "", pod(now.clone(), json!({})));
    check(
        &gone,
        expect![[r#"
        n/web version=7 node=node-1 labels=[] asked=(60000001, "alice", "") removed=60000002
    "#]],
    );
    // The kubelet carries out what was asked before; only for its own mirror pods does it ask.
    let by_node = changed(
        gone,
        "/user",
        json!({"username": "system:node:n1", "groups": ["system:nodes"]}),
    );
    check(
        &by_node,
        expect![[r#"
        n/web version=7 node=node-1 labels=[] removed=60000002
    "#]],
    );
    let mut mirror = by_node.clone();
    mirror["responseObject"]["metadata"]["annotations"] =
        json!({"a": "secret", "kubernetes.io/config.mirror": "a07cde91bf6d35a331615330d5530d60"});
    check(
        &mirror,
        expect![[r#"
        n/web version=7 node=node-1 labels=[] asked=(60000001, "system:node:n1", "") removed=60000002 hash=a07cde91bf6d35a331615330d5530d60
    "#]],
    );
    // A finalizer defers it to the patch that clears the last one.
    let mut held = by_node;
    held["responseObject"]["metadata"]["finalizers"] = json!(["batch.kubernetes.io/job-tracking"]);
    check(
        &held,
        expect![[r#"
        n/web version=7 node=node-1 labels=[]
    "#]],
    );
    check(
        &event("patch", "", pod(now.clone(), json!({}))),
        expect![[r#"
            n/web version=7 node=node-1 labels=[] removed=60000002
        "#]],
    );
    let mut partial = event("patch", "", pod(now, json!({})));
    partial["responseObject"]["kind"] = json!("PartialObjectMetadata");
    check(
        &partial,
        expect![[r#"
        n/web version=7 node=node-1 labels=[] removed=60000002
    "#]],
    );
}

fn terminated(id: &str) -> Value {
    json!({"terminated": {"exitCode": 137, "signal": 9, "reason": "OOMKilled", "startedAt": "1970-01-01T00:00:10Z", "finishedAt": "1970-01-01T00:00:20Z", "containerID": id}})
}

/// The status of a container.
fn status(state: Value, last: Value, id: &str, restarts: u32) -> Value {
    let container = json!({"name": "main", "image": "i", "imageID": "i@sha256:1", "containerID": id, "restartCount": restarts, "state": state, "lastState": last});
    event(
        "patch",
        "status",
        pod(json!({}), json!({"containerStatuses": [container]})),
    )
}

#[test]
fn a_restart() {
    let (a, b) = (id("aa"), id("bb"));
    // Waiting for the restart: lastState is the one that containerID still names.
    check(
        &status(json!({"waiting": {}}), terminated(&a), &a, 1),
        expect![[r#"
            n/web version=7 node=node-1 labels=[] restarts=main:1
            App main aa00 #1 version=7 runtime=containerd image=i
            App main aa00 #1 version=7 runtime=containerd started=10 ended=20 137 9 OOMKilled
        "#]],
    );
    check(
        &status(
            json!({"running": {"startedAt": "1970-01-01T00:00:30Z"}}),
            terminated(&a),
            &b,
            2,
        ),
        expect![[r#"
            n/web version=7 node=node-1 labels=[] restarts=main:2
            App main bb00 #2 version=7 runtime=containerd image=i started=30
            App main aa00 #1 version=7 runtime=containerd started=10 ended=20 137 9 OOMKilled
        "#]],
    );
    check(
        &status(json!({"waiting": {}}), terminated(&a), "", 1),
        expect![[r#"
            n/web version=7 node=node-1 labels=[] restarts=main:1
            App main aa00 #1 version=7 runtime=containerd started=10 ended=20 137 9 OOMKilled
        "#]],
    );
    check(
        &status(terminated(&a), json!({}), &a, 0),
        expect![[r#"
            n/web version=7 node=node-1 labels=[] restarts=main:0
            App main aa00 #0 version=7 runtime=containerd image=i started=10 ended=20 137 9 OOMKilled
        "#]],
    );
}

#[test]
fn what_a_kubelet_knows_no_more_of() {
    let a = id("aa");
    let unknown = json!({"terminated": {"exitCode": 137, "reason": "ContainerStatusUnknown", "startedAt": null, "finishedAt": null}});
    check(
        &status(unknown.clone(), json!({}), "", 0),
        expect![[r#"
            n/web version=7 node=node-1 labels=[]
            App main 0000 #0 version=7 image=i ended=0 137 0 ContainerStatusUnknown
        "#]],
    );
    check(
        &status(unknown, json!({}), &a, 0),
        expect![[r#"
            n/web version=7 node=node-1 labels=[] restarts=main:0
            App main aa00 #0 version=7 runtime=containerd image=i ended=0 137 0 ContainerStatusUnknown
        "#]],
    );
    check(
        &status(
            json!({"waiting": {"reason": "ImagePullBackOff"}}),
            json!({}),
            "",
            0,
        ),
        expect![[r#"
            n/web version=7 node=node-1 labels=[] waiting=[("main", "ImagePullBackOff")]
        "#]],
    );
}

#[test]
fn kinds_of_containers_and_of_ids() {
    let status = |name: &str, id: &str| json!({"name": name, "containerID": id, "restartCount": 0, "state": {"running": {"startedAt": "1970-01-01T00:00:10Z"}}});
    let mut event = event(
        "patch",
        "status",
        pod(
            json!({}),
            json!({
                "initContainerStatuses": [status("init", &id("a1")), status("side", &id("a2"))],
                "containerStatuses": [status("main", &id("A3"))],
                "ephemeralContainerStatuses": [status("debug", "odd://not-hex")],
            }),
        ),
    );
    event["responseObject"]["spec"]["initContainers"] =
        json!([{"name": "init"}, {"name": "side", "restartPolicy": "Always"}]);
    check(
        &event,
        expect![[r#"
            n/web version=7 node=node-1 labels=[] restarts=init:0,side:0,main:0,debug:0
            Init init a100 #0 version=7 runtime=containerd started=10
            Sidecar side a200 #0 version=7 runtime=containerd started=10
            App main a300 #0 version=7 runtime=containerd started=10
            Ephemeral debug 9534not-hex #0 version=7 runtime=odd started=10
        "#]],
    );
}

#[test]
fn addresses() {
    let with = |status: Value| event("patch", "status", pod(json!({}), status));
    check(
        &with(json!({"podIP": "10.0.0.1", "podIPs": [{"ip": "10.0.0.1"}, {"ip": "fd00::1"}]})),
        expect![[r#"
            n/web version=7 node=node-1 labels=[] ips=::ffff:10.0.0.1,fd00::1
        "#]],
    );
    check(
        &with(json!({"podIP": "10.0.0.1"})),
        expect![[r#"
        n/web version=7 node=node-1 labels=[] ips=::ffff:10.0.0.1
    "#]],
    );
    check(
        &with(json!({"podIP": "", "podIPs": [{"ip": "ten"}]})),
        expect![[r#"
            n/web version=7 node=node-1 labels=[]
        "#]],
    );
}

#[test]
fn workloads() {
    let owned = |kind: &str, name: &str, labels: Value| {
        let owner = json!([{"kind": "Other", "name": "o"}, {"kind": kind, "name": name, "controller": true}]);
        let metadata = json!({"ownerReferences": owner, "labels": labels, "creationTimestamp": "2026-11-23T06:15:04Z"});
        event("patch", "", pod(metadata, json!({})))
    };
    check(
        &owned(
            "ReplicaSet",
            "web-6d4cf56db6",
            json!({"pod-template-hash": "6d4cf56db6"}),
        ),
        expect![[r#"
            n/web version=7 node=node-1 owner=ReplicaSet/web-6d4cf56db6 workload=Deployment/web? labels=[("pod-template-hash", "6d4cf56db6")] created=1795414504
        "#]],
    );
    check(
        &owned("ReplicaSet", "web-6d4cf56db6", json!({})),
        expect![[r#"
            n/web version=7 node=node-1 owner=ReplicaSet/web-6d4cf56db6 workload=ReplicaSet/web-6d4cf56db6 labels=[] created=1795414504
        "#]],
    );
    check(
        &owned("Job", "report-29923575", json!({})),
        expect![[r#"
            n/web version=7 node=node-1 owner=Job/report-29923575 workload=CronJob/report? labels=[] created=1795414504
        "#]],
    );
    // A date is no minute that it was scheduled for.
    check(
        &owned("Job", "migrate-20261123", json!({})),
        expect![[r#"
        n/web version=7 node=node-1 owner=Job/migrate-20261123 workload=Job/migrate-20261123 labels=[] created=1795414504
    "#]],
    );
    check(
        &owned("StatefulSet", "db", json!({})),
        expect![[r#"
        n/web version=7 node=node-1 owner=StatefulSet/db workload=StatefulSet/db labels=[] created=1795414504
    "#]],
    );
}

#[test]
fn what_can_not_be_told_is_named() {
    check(
        &event("patch", "", pod(json!({"uid": "web"}), json!({}))),
        expect![[r#"
            unreadable: the uid of a pod is not a UUID
        "#]],
    );
    let nil = "00000000-0000-0000-0000-000000000000";
    check(
        &event("patch", "", pod(json!({"uid": nil}), json!({}))),
        expect![[r#"
            unreadable: the uid of a pod is not a UUID
        "#]],
    );
    check(
        &event("patch", "", pod(json!({"uid": null}), json!({}))),
        expect![[r#"
            unreadable: a pod without a uid
        "#]],
    );
    check(
        &event(
            "patch",
            "",
            pod(json!({"namespace": "n".repeat(254)}), json!({})),
        ),
        expect![[r#"
            unreadable: the namespace of a pod is too long
        "#]],
    );
}
