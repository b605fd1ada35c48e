//! Events that hold no answer, or none that is a pod: levels Request and Metadata, old servers, refusals.

use super::*;

/// An event about the pod `n/web` at level Request: what was sent, no answer.
fn sent(verb: &str, subresource: &str, request: Value) -> Value {
    let mut event = event(verb, subresource, Value::Null);
    event["level"] = json!("Request");
    event["requestObject"] = request;
    event
}

fn by_kubelet(mut event: Value) -> Value {
    event["user"] = json!({"username": "system:node:node-7", "groups": ["system:nodes", "system:authenticated"]});
    event
}

#[test]
fn a_status_patch_without_its_answer() {
    let patch = json!({
        "metadata": {"uid": UID},
        "status": {
            "$setElementOrder/conditions": [{"type": "Ready"}, {"type": "DisruptionTarget"}],
            "conditions": [
                {"type": "Ready", "status": "False", "reason": null, "lastTransitionTime": null},
                {"type": "DisruptionTarget", "status": "True", "reason": "TerminationByKubelet", "lastTransitionTime": "1970-01-01T00:00:50Z"},
            ],
            "containerStatuses": [{"name": "main", "image": "i", "imageID": "", "containerID": id("aa"), "restartCount": 1,
                "state": {"terminated": {"exitCode": 143, "reason": "Error", "startedAt": "1970-01-01T00:00:10Z", "finishedAt": "1970-01-01T00:00:20Z", "containerID": id("aa")}},
                "lastState": {}}],
            "message": null, "phase": "Failed", "reason": "Evicted",
            "podIP": "10.0.0.1",
            "podIPs": [{"ip": "10.0.0.1"}, {"$patch": "delete", "ip": "10.0.0.2"}],
        },
    });
    check(
        &by_kubelet(sent("patch", "status", patch)),
        expect![[r#"
            n/web node=node-7 phase=Failed ips=::ffff:10.0.0.1 restarts=main:1 terminal=60000002 disrupted=(50000000, "TerminationByKubelet") reason=Evicted
            App main aa00 #1 runtime=containerd image=i started=10 ended=20 143 0 Error
        "#]],
    );
    // Nothing but a condition.
    let patch = json!({"metadata": {"uid": UID}, "status": {"conditions": null, "containerStatuses": null}});
    check(
        &by_kubelet(sent("patch", "status", patch.clone())),
        expect![[r#"
            n/web node=node-7
        "#]],
    );
    // Not a kubelet's: the node is not told.
    check(
        &sent("patch", "status", patch),
        expect![[r#"
        n/web
    "#]],
    );
    // A JSON patch names no pod.
    check(
        &sent("patch", "status", json!([{"op": "add"}])),
        expect![[""]],
    );
}

#[test]
fn a_whole_status_that_was_put() {
    let mut put = by_kubelet(sent(
        "update",
        "status",
        pod(
            json!({"labels": {"a": "1"}, "deletionTimestamp": "1970-01-01T00:01:00Z", "deletionGracePeriodSeconds": 0}),
            json!({"phase": "Running"}),
        ),
    ));
    put["objectRef"]["uid"] = json!(UID);
    check(
        &put,
        expect![[r#"
        n/web node=node-1 labels=[("a", "1")] phase=Running
    "#]],
    );
    // At level Metadata the uid and the kubelet's node are left.
    put["requestObject"] = Value::Null;
    check(
        &put,
        expect![[r#"
        n/web node=node-7
    "#]],
    );
}

#[test]
fn a_name_without_a_uid() {
    for (verb, subresource, code) in [
        ("create", "", 201),
        ("patch", "", 201),
        ("patch", "", 200),
        ("delete", "", 200),
        ("create", "eviction", 201),
        ("create", "eviction", 429),
        ("create", "eviction", 404),
        ("delete", "", 404),
        ("delete", "proxy", 404),
        ("create", "exec", 200),
    ] {
        let mut event = changed(
            sent(verb, subresource, Value::Null),
            "/responseStatus/code",
            json!(code),
        );
        event["impersonatedUser"] = json!({"username": "bob"});
        let expected = match (verb, subresource, code) {
            ("create" | "patch", "", 201) => "create=60000001",
            ("delete", "", 200) => "ask=60000001",
            ("create", "eviction", 201) => "evict=60000001",
            ("create", "eviction", 404) | ("delete", "", 404) => "gone=60000002",
            _ => "",
        };
        let line = if expected.is_empty() {
            String::new()
        } else {
            format!("n/web {expected} alice as=bob\n")
        };
        let mut told = String::new();
        let text = event.to_string();
        let parsed: Event = serde_json::from_str(&text).unwrap();
        facts("c", &parsed, &mut |fact| {
            told += &format!("{}\n", super::line(fact))
        })
        .unwrap();
        assert_eq!(told, line, "{verb} {subresource} {code}");
    }
    check(
        &by_kubelet(sent("delete", "", Value::Null)),
        expect![[r#"
            n/web remove=60000002 system:node:node-7
        "#]],
    );
    check(
        &by_kubelet(sent("patch", "status", Value::Null)),
        expect![[r#"
            n/web status=60000002 system:node:node-7
        "#]],
    );
    // generateName: no name either.
    check(
        &changed(
            sent("create", "", Value::Null),
            "/objectRef/name",
            Value::Null,
        ),
        expect![[""]],
    );
}

#[test]
fn deletes_without_their_answer() {
    let delete = |options: Value| sent("delete", "", options);
    check(
        &delete(json!({"gracePeriodSeconds": 0})),
        expect![[r#"
        n/web force=60000001 alice
    "#]],
    );
    let uri = json!("/api/v1/namespaces/n/pods/web?gracePeriodSeconds=0");
    check(
        &changed(delete(Value::Null), "/requestURI", uri),
        expect![[r#"
            n/web force=60000001 alice
        "#]],
    );
    let final_one = json!({"gracePeriodSeconds": 0, "preconditions": {"uid": UID}});
    check(
        &by_kubelet(delete(final_one.clone())),
        expect![[r#"
        n/web node=node-7 removed=60000002
    "#]],
    );
    check(
        &delete(final_one),
        expect![[r#"
            n/web asked=(60000001, "alice", "") force=(60000001, "alice", "") removed=60000002
        "#]],
    );
    check(
        &delete(json!({"gracePeriodSeconds": 30, "preconditions": {"uid": UID}})),
        expect![[r#"
            n/web ask=60000001 alice
            n/web asked=(60000001, "alice", "")
        "#]],
    );
}

#[test]
fn refusals_that_prove_an_end() {
    let refused = |mut event: Value, code: u16| {
        event["responseStatus"]["reason"] = json!("NotFound, or Conflict");
        changed(event, "/responseStatus/code", json!(code))
    };
    let by = |event: Value, user: &str| changed(event, "/user/username", json!(user));
    const COLLECTOR: &str = "system:serviceaccount:kube-system:generic-garbage-collector";
    let delete = sent("delete", "", json!({"preconditions": {"uid": UID}}));
    let gone = || {
        expect![[r#"
            n/web gone=60000002 system:serviceaccount:kube-system:generic-garbage-collector uid=082bb149-e306-41c8-ac78-83da63ba8413
        "#]]
    };
    check(&refused(by(delete.clone(), COLLECTOR), 404), gone());
    check(&refused(by(delete.clone(), COLLECTOR), 409), gone());
    let patch = sent("patch", "status", json!({"metadata": {"uid": UID}}));
    check(
        &refused(by(patch.clone(), "system:node:n1"), 404),
        expect![[r#"
            n/web gone=60000002 system:node:n1 uid=082bb149-e306-41c8-ac78-83da63ba8413
        "#]],
    );
    check(&refused(patch.clone(), 409), expect![[""]]);
    // Whoever may delete in a namespace may name the uid of a pod of another name, which lives.
    let of_the_name = || {
        expect![[r#"
            n/web gone=60000002 alice
        "#]]
    };
    check(&refused(delete.clone(), 404), of_the_name());
    check(&refused(patch, 404), of_the_name());
    check(&refused(delete.clone(), 409), expect![""]);
    let mut acting = by(delete, COLLECTOR);
    acting["impersonatedUser"] = json!({"username": "bob"});
    check(&refused(acting, 409), expect![""]);
    // It may be the version that did not fit.
    let both = sent(
        "delete",
        "",
        json!({"preconditions": {"uid": UID, "resourceVersion": "1"}}),
    );
    check(&refused(by(both, COLLECTOR), 409), expect![[""]]);
    check(
        &refused(sent("create", "", Value::Null), 404),
        expect![[""]],
    );
    check(
        &refused(sent("create", "", Value::Null), 409),
        expect![[""]],
    );
}

#[test]
fn a_client_that_went_away() {
    let mut event = event("delete", "", pod(json!({}), json!({})));
    event["responseStatus"]["message"] = json!("Connection closed early");
    check(
        &event,
        expect![[r#"
        n/web truncated=yes
    "#]],
    );
}

#[test]
fn what_was_cut_off() {
    let mut event = sent("create", "", Value::Null);
    event["annotations"] = json!({"audit.k8s.io/truncated": "true", "other": {"any": 1}});
    check(
        &changed(event.clone(), "/responseStatus/code", json!(201)),
        expect![[r#"
            n/web truncated=60000002 alice
            n/web create=60000001 alice
        "#]],
    );
    event["objectRef"]["uid"] = json!(UID);
    event["verb"] = json!("update");
    check(
        &event,
        expect![[r#"
        n/web truncated=yes
    "#]],
    );
    event["annotations"] = json!({"audit.k8s.io/truncated": "false"});
    check(&event, expect![[""]]);
}
