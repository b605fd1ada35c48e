//! Oddities of deletions, restarts and old servers, each named by what is odd.

use super::*;

/// A DELETE by alice that answers with what is left of the pod's time.
fn delete(grace: u32, until: &str) -> Value {
    let metadata = json!({"deletionTimestamp": until, "deletionGracePeriodSeconds": grace});
    event("delete", "", pod(metadata, json!({"phase": "Running"})))
}

#[test]
fn a_deletion_that_is_repeated_and_shortened() {
    // Each asks; the first counts where they merge. None removes.
    for (grace, until) in [
        (30, "1970-01-01T00:01:30Z"),
        (30, "1970-01-01T00:01:30Z"),
        (1, "1970-01-01T00:01:01Z"),
    ] {
        check(
            &delete(grace, until),
            expect![[r#"
                n/web version=7 node=node-1 labels=[] phase=Running asked=(60000001, "alice", "")
            "#]],
        );
    }
}

/// The namespace's, the owner's and the pod garbage collector, and the scheduler ask as people do.
#[test]
fn a_controller_that_deletes() {
    for account in [
        "system:serviceaccount:kube-system:generic-garbage-collector",
        "system:serviceaccount:kube-system:pod-garbage-collector",
        "system:serviceaccount:kube-system:replicaset-controller",
        "system:kube-scheduler",
    ] {
        let event = changed(
            delete(0, "1970-01-01T00:01:00Z"),
            "/user/username",
            json!(account),
        );
        let parsed = event.to_string();
        let parsed: Event = serde_json::from_str(&parsed).unwrap();
        let mut told = Vec::new();
        facts("c", &parsed, &mut |fact| {
            let asked = fact.delete_asked.map(|(_, user, _)| user.to_owned());
            told.push((asked, fact.force_asked.is_some(), fact.removed_at));
        })
        .unwrap();
        assert_eq!(told, [(Some(account.to_owned()), false, 60_000_002)]);
    }
}

#[test]
fn the_job_controller_clears_the_last_finalizer() {
    let mut event = event(
        "patch",
        "",
        pod(
            json!({"deletionTimestamp": "1970-01-01T00:01:00Z", "deletionGracePeriodSeconds": 0}),
            json!({"phase": "Succeeded"}),
        ),
    );
    event["user"]["username"] = json!("system:serviceaccount:kube-system:job-controller");
    event["requestObject"] = json!({"metadata": {"$deleteFromPrimitiveList/finalizers": ["batch.kubernetes.io/job-tracking"]}});
    check(
        &event,
        expect![[r#"
            n/web version=7 node=node-1 labels=[] phase=Succeeded terminal=60000002 removed=60000002
        "#]],
    );
}

#[test]
fn the_garbage_collector_patches_metadata_alone() {
    let mut event = event("patch", "", pod(json!({"labels": {"a": "1"}}), json!({})));
    event["responseObject"]["kind"] = json!("PartialObjectMetadata");
    event["responseObject"]["apiVersion"] = json!("meta.k8s.io/v1");
    event["responseObject"]["spec"] = Value::Null;
    event["responseObject"]["status"] = Value::Null;
    check(
        &event,
        expect![[r#"
            n/web version=7 labels=[("a", "1")]
        "#]],
    );
}

/// Quick restarts fall into one status: the numbers between are of instances that nobody saw.
#[test]
fn a_restart_that_skipped_instances() {
    let container = json!({"name": "main", "containerID": id("dd"), "restartCount": 5,
        "state": {"running": {"startedAt": "1970-01-01T00:00:50Z"}},
        "lastState": {"terminated": {"exitCode": 1, "startedAt": "1970-01-01T00:00:40Z", "finishedAt": "1970-01-01T00:00:41Z", "containerID": id("cc")}}});
    check(
        &event(
            "patch",
            "status",
            pod(json!({}), json!({"containerStatuses": [container]})),
        ),
        expect![[r#"
            n/web version=7 node=node-1 labels=[] restarts=main:5
            App main dd00 #5 version=7 runtime=containerd started=50
            App main cc00 #4 version=7 runtime=containerd started=40 ended=41 1 0 
        "#]],
    );
}

/// A resize changes no instance; an ephemeral container joins.
#[test]
fn parts_of_a_pod_that_are_written() {
    let running = |name: &str, head: &str| json!({"name": name, "containerID": id(head), "restartCount": 0, "state": {"running": {"startedAt": "1970-01-01T00:00:10Z"}}});
    let status = json!({
        "containerStatuses": [running("main", "aa")],
        "ephemeralContainerStatuses": [running("debug", "bb")],
    });
    for subresource in ["resize", "ephemeralcontainers"] {
        check(
            &event("patch", subresource, pod(json!({}), status.clone())),
            expect![[r#"
                n/web version=7 node=node-1 labels=[] restarts=main:0,debug:0
                App main aa00 #0 version=7 runtime=containerd started=10
                Ephemeral debug bb00 #0 version=7 runtime=containerd started=10
            "#]],
        );
    }
}

/// Kubernetes 1.9: `v1beta1`, and the kubelet puts the whole pod.
#[test]
fn an_event_of_an_old_server() {
    let mut event = event(
        "update",
        "status",
        pod(
            json!({"creationTimestamp": "1970-01-01T00:00:30Z"}),
            json!({"phase": "Running", "podIP": "10.0.0.9"}),
        ),
    );
    event["apiVersion"] = json!("audit.k8s.io/v1beta1");
    event["metadata"] = json!({"creationTimestamp": "1970-01-01T00:01:00Z"});
    event["timestamp"] = json!("1970-01-01T00:01:00Z");
    event["objectRef"]["uid"] = json!(UID);
    event["user"] = json!({"username": "system:node:node-1", "groups": ["system:nodes"]});
    check(
        &event,
        expect![[r#"
            n/web version=7 node=node-1 labels=[] phase=Running ips=::ffff:10.0.0.9 created=30
        "#]],
    );
}
