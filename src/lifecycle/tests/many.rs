//! Deletions: of many pods, by the eviction API, forced; and what a status says about the end.

use super::*;

/// A deletecollection of pods in `n` that answered with `items`.
fn collection(kind: &str, items: Value) -> Value {
    let mut event = event(
        "deletecollection",
        "",
        json!({"kind": kind, "metadata": {"resourceVersion": "9"}, "items": items}),
    );
    event["objectRef"]["name"] = Value::Null;
    event["requestURI"] = json!("/api/v1/namespaces/n/pods?labelSelector=app%3Dmany");
    event
}

/// Items have no kind.
fn item(metadata: Value, status: Value, node: &str) -> Value {
    let mut item = pod(metadata, status);
    item["kind"] = Value::Null;
    item["spec"]["nodeName"] = json!(node);
    item
}

#[test]
fn a_collection_with_its_items() {
    let items = json!([
        item(
            json!({"name": "runs"}),
            json!({"phase": "Running"}),
            "node-1"
        ),
        item(json!({"name": "waits"}), json!({"phase": "Pending"}), ""),
        item(
            json!({"name": "done"}),
            json!({"phase": "Succeeded"}),
            "node-1"
        ),
        item(
            json!({"name": "held", "finalizers": ["x/y"]}),
            json!({"phase": "Failed"}),
            "node-1"
        ),
    ]);
    check(
        &collection("PodList", items.clone()),
        expect![[r#"
            n/runs version=7 node=node-1 labels=[] phase=Running asked=(60000001, "alice", "")
            n/waits version=7 labels=[] phase=Pending asked=(60000001, "alice", "") removed=60000002
            n/done version=7 node=node-1 labels=[] phase=Succeeded terminal=59999001 asked=(60000001, "alice", "") removed=60000002
            n/held version=7 node=node-1 labels=[] phase=Failed terminal=59999001 asked=(60000001, "alice", "")
        "#]],
    );
    let mut forced = collection("PodList", items.clone());
    forced["requestObject"] = json!({"kind": "DeleteOptions", "gracePeriodSeconds": 0});
    check(
        &forced,
        expect![[r#"
            n/runs version=7 node=node-1 labels=[] phase=Running asked=(60000001, "alice", "") force=(60000001, "alice", "") removed=60000002
            n/waits version=7 labels=[] phase=Pending asked=(60000001, "alice", "") force=(60000001, "alice", "") removed=60000002
            n/done version=7 node=node-1 labels=[] phase=Succeeded terminal=59999001 asked=(60000001, "alice", "") force=(60000001, "alice", "") removed=60000002
            n/held version=7 node=node-1 labels=[] phase=Failed terminal=59999001 asked=(60000001, "alice", "") force=(60000001, "alice", "")
        "#]],
    );
    forced["requestObject"]["dryRun"] = json!(["All"]);
    check(&forced, expect![[""]]);
    // A metadata client (the namespace controller) sees neither node nor phase: who knows.
    let bare = json!([{"metadata": {"name": "web", "namespace": "n", "uid": UID, "resourceVersion": "7"}}]);
    check(
        &collection("PartialObjectMetadataList", bare),
        expect![[r#"
            n/web ask=60000002 alice
            n/web version=7 labels=[] asked=(60000001, "alice", "")
        "#]],
    );
}

#[test]
fn a_collection_without_its_items() {
    let mut event = collection("PodList", Value::Null);
    event["responseObject"] = Value::Null;
    check(
        &event,
        expect![[r#"
        n/ collect=60000001 alice selector=app=many
    "#]],
    );
    event["requestObject"] = json!({"kind": "DeleteOptions", "gracePeriodSeconds": 0});
    check(
        &event,
        expect![[r#"
        n/ purge=60000001 alice selector=app=many
    "#]],
    );
    event["requestObject"] = Value::Null;
    event["requestURI"] = json!("/api/v1/namespaces/n/pods?fieldSelector=spec.nodeName%3Da");
    check(
        &event,
        expect![[r#"
        n/ collect=60000001 alice selector=?
    "#]],
    );
}

#[test]
fn an_eviction() {
    let mut event = event(
        "create",
        "eviction",
        json!({"kind": "Status", "status": "Success", "code": 201}),
    );
    event["requestObject"] = json!({"kind": "Eviction", "metadata": {"name": "web"}});
    check(
        &event,
        expect![[r#"
        n/web evict=60000001 alice
    "#]],
    );
    event["requestObject"]["deleteOptions"] = json!({"preconditions": {"uid": UID}});
    check(
        &event,
        expect![[r#"
            n/web evict=60000001 alice
            n/web asked=(60000001, "alice", "") evict=(60000001, "alice", "")
        "#]],
    );
    // Without any time it goes at once, and nothing else tells of it.
    event["requestObject"]["deleteOptions"]["gracePeriodSeconds"] = json!(0);
    check(
        &event,
        expect![[r#"
        n/web evict=60000001 alice
        n/web asked=(60000001, "alice", "") evict=(60000001, "alice", "") removed=60000002
    "#]],
    );
    event["requestObject"]["deleteOptions"] = json!({"gracePeriodSeconds": 0});
    check(
        &event,
        expect![[r#"
        n/web evict=60000001 alice
        n/web remove=60000002 alice
    "#]],
    );
    event["requestObject"]["deleteOptions"] = json!({"dryRun": ["All"]});
    check(&event, expect![[""]]);
}

/// Two disruption budgets of one pod: the status says 500, the answer is sent with 201.
#[test]
fn an_eviction_that_is_refused_with_201() {
    let status = json!({"kind": "Status", "status": "Failure", "code": 500});
    let mut event = event("create", "eviction", status);
    event["requestObject"] = json!({"kind": "Eviction", "metadata": {"name": "web"}});
    event["responseStatus"] = json!({"status": "Failure", "code": 201});
    check(&event, expect![[""]]);
    event["responseStatus"] = json!({"status": "Failure"});
    check(&event, expect![[""]]);
}

/// `terminationGracePeriodSeconds: 0` leaves a kubelet nothing to do, unless the request says otherwise.
#[test]
fn a_collection_of_pods_that_want_no_time() {
    let mut item = item(json!({}), json!({"phase": "Running"}), "node-1");
    item["spec"]["terminationGracePeriodSeconds"] = json!(0);
    let mut event = collection("PodList", json!([item]));
    check(
        &event,
        expect![[r#"
        n/web version=7 node=node-1 labels=[] phase=Running asked=(60000001, "alice", "") removed=60000002
    "#]],
    );
    event["requestObject"] = json!({"kind": "DeleteOptions", "gracePeriodSeconds": 5});
    check(
        &event,
        expect![[r#"
        n/web version=7 node=node-1 labels=[] phase=Running asked=(60000001, "alice", "")
    "#]],
    );
}

#[test]
fn a_forced_delete() {
    let now = json!({"deletionTimestamp": "1970-01-01T00:01:00Z", "deletionGracePeriodSeconds": 0});
    let mut event = event("delete", "", pod(now, json!({"phase": "Running"})));
    event["requestObject"] = json!({"kind": "DeleteOptions", "gracePeriodSeconds": 0});
    check(
        &event,
        expect![[r#"
        n/web version=7 node=node-1 labels=[] phase=Running asked=(60000001, "alice", "") force=(60000001, "alice", "") removed=60000002
    "#]],
    );
    // A kubelet's last delete has the same options, and forces nothing.
    event["user"] = json!({"username": "system:node:n1", "groups": ["system:nodes"]});
    check(
        &event,
        expect![[r#"
        n/web version=7 node=node-1 labels=[] phase=Running removed=60000002
    "#]],
    );
}

#[test]
fn a_table_for_an_answer() {
    let now = json!({"deletionTimestamp": "1970-01-01T00:01:00Z", "deletionGracePeriodSeconds": 0});
    let mut row = pod(now, json!({}));
    row["kind"] = json!("PartialObjectMetadata");
    let table = json!({"kind": "Table", "columnDefinitions": [], "rows": [{"cells": ["web", 1], "object": row}]});
    check(
        &event("delete", "", table),
        expect![[r#"
        n/web version=7 node=node-1 labels=[] asked=(60000001, "alice", "") removed=60000002
    "#]],
    );
    check(
        &event("delete", "", json!({"kind": "Table", "rows": []})),
        expect![[r#"
            n/web ask=60000001 alice
        "#]],
    );
}

#[test]
fn what_a_status_says_of_the_end() {
    let condition = |reason: &str, status: &str| {
        json!({"phase": "Failed", "reason": "Evicted", "conditions": [{"type": "Ready"}, {"type": "DisruptionTarget", "status": status,
            "reason": reason, "message": "secret", "lastTransitionTime": "1970-01-01T00:00:59Z"}]})
    };
    for reason in [
        "PreemptionByScheduler",
        "DeletionByTaintManager",
        "EvictionByEvictionAPI",
        "DeletionByPodGC",
        "TerminationByKubelet",
    ] {
        let event = event("patch", "status", pod(json!({}), condition(reason, "True")));
        let text = event.to_string();
        let parsed: Event = serde_json::from_str(&text).unwrap();
        let mut told = Vec::new();
        facts("c", &parsed, &mut |fact| {
            told.push((
                fact.disrupted.map(|(at, why)| (at, why.to_owned())),
                fact.status_reason.to_owned(),
            ))
        })
        .unwrap();
        assert_eq!(
            told,
            [(Some((59_000_000, reason.to_owned())), "Evicted".to_owned())]
        );
    }
    check(
        &event(
            "patch",
            "status",
            pod(json!({}), condition("DeletionByPodGC", "False")),
        ),
        expect![[r#"
            n/web version=7 node=node-1 labels=[] phase=Failed terminal=60000002 reason=Evicted
        "#]],
    );
}

#[test]
fn containers_that_wait() {
    let waits = |name: &str, reason: &str| json!({"name": name, "restartCount": 0, "containerID": "", "state": {"waiting": {"reason": reason, "message": "secret"}}});
    let statuses = json!({"containerStatuses": [waits("a", "ImagePullBackOff"), waits("b", "ContainerCreating"), waits("c", "CreateContainerConfigError")]});
    check(
        &event("patch", "status", pod(json!({}), statuses)),
        expect![[r#"
            n/web version=7 node=node-1 labels=[] waiting=[("a", "ImagePullBackOff"), ("c", "CreateContainerConfigError")]
        "#]],
    );
}

/// The namespace controller finalizes a namespace when it has found nothing left in it.
#[test]
fn a_namespace_that_went() {
    let mut event = event("update", "finalize", Value::Null);
    event["user"]["username"] = json!("system:serviceaccount:kube-system:namespace-controller");
    event["objectRef"] = json!({"resource": "namespaces", "namespace": "n", "name": "n",
        "apiVersion": "v1", "subresource": "finalize"});
    check(
        &event,
        expect![[r#"
            n/ finalize=60000002 system:serviceaccount:kube-system:namespace-controller
        "#]],
    );
    check(
        &changed(event.clone(), "/responseStatus/code", json!(409)),
        expect![[""]],
    );
    // Somebody tears the finalizer out: pods may be left.
    check(
        &changed(event.clone(), "/user/username", json!("alice")),
        expect![[""]],
    );
    check(
        &changed(event, "/objectRef/subresource", json!("status")),
        expect![[""]],
    );
}

/// A node that is deleted takes its pods along. A dry run, which shows in the options alone, does not.
#[test]
fn a_node_that_came_and_went() {
    let mut event = event("delete", "", json!({"kind": "Status"}));
    event["level"] = json!("Request");
    event["requestObject"] = json!({"kind": "DeleteOptions"});
    event["objectRef"] = json!({"resource": "nodes", "name": "node-1", "apiVersion": "v1"});
    check(
        &event,
        expect![[r#"
            /node-1 node gone=60000002 alice
        "#]],
    );
    // Finalizers keep it while it is drained: the answer holds it.
    let mut kept = event.clone();
    kept["level"] = json!("RequestResponse");
    kept["responseObject"] = json!({"kind": "Node", "apiVersion": "v1", "metadata": {"name": "node-1",
        "deletionTimestamp": "1970-01-01T00:01:00Z", "finalizers": ["karpenter.sh/termination"]},
        "status": {"conditions": [{"type": "Ready", "status": "True"}], "images": []}});
    check(&kept, expect![[""]]);
    let mut dry = event.clone();
    dry["requestObject"]["dryRun"] = json!(["All"]);
    check(&dry, expect![[""]]);
    check(
        &changed(event.clone(), "/level", json!("Metadata")),
        expect![[""]],
    );
    check(
        &changed(event.clone(), "/responseStatus/code", json!(404)),
        expect![[""]],
    );
    let came = changed(event.clone(), "/verb", json!("create"));
    check(
        &changed(came, "/level", json!("Metadata")),
        expect![[r#"
            /node-1 node came=60000002 alice
        "#]],
    );
    check(
        &changed(event, "/objectRef/resource", json!("leases")),
        expect![[""]],
    );
}

/// Which audit IDs go on: those of others than Kubernetes itself, if they look like one.
#[test]
fn an_audit_id() {
    let kept = |event: &Value| {
        let text = event.to_string();
        let event: Event = serde_json::from_str(&text).expect("a readable event");
        let mut ids = Vec::new();
        facts("c", &event, &mut |fact| {
            ids.extend(fact.said.as_ref().map(|said| said.audit_id.to_owned()));
        })
        .expect("facts");
        ids.join(",")
    };
    let mut event = event("delete", "", json!({"kind": "Status"}));
    let id = "5a0c2f2e-0d5a-4c7c-9d8b-000000000001";
    event["auditID"] = json!(id);
    assert_eq!(kept(&event), id);
    let controller = json!({"username": "system:serviceaccount:kube-system:replicaset-controller"});
    assert_eq!(kept(&changed(event.clone(), "/user", controller)), "");
    // A client may send any.
    for odd in [
        "a secret",
        &format!("x{}", "é".repeat(400)),
        &"a".repeat(65),
    ] {
        assert_eq!(kept(&changed(event.clone(), "/auditID", json!(odd))), "");
    }
}
