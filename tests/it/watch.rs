//! Clusters that are watched: what a watch tells, what it makes up for, and what it refuses.

mod standin;

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::objects::{
    ago, away_for_long, begin_again, node, pod, state_of, told, uid, until, until_positioned,
    until_watching,
};
use crate::support::{Bygone, sql, wait_for};
use standin::Standin;

fn config(standin: &Standin, more: &str) -> String {
    format!(
        "[[watch]]\ncluster = \"prod\"\naddress = \"http://{}\"\nsilence_seconds_max = 3\n{more}",
        standin.address
    )
}

fn started(standin: &Standin, more: &str) -> Bygone {
    let folder = tempfile::tempdir().expect("a folder");
    Bygone::start_configured(&config(standin, more), folder)
}

#[test]
fn a_watch_tells_lives_from_before_it_and_their_ends() {
    let standin = Standin::start();
    standin.put("nodes", node("node-1"));
    for number in 0..1_201 {
        standin.put("pods", pod(&format!("web-{number}"), number, 7_200));
    }
    let bygone = started(&standin, "");
    until_watching(&bygone, "watch");
    wait_for("all pods", || {
        (bygone
            .rows(&["pods", "--cluster", "prod", "--limit", "2000"])
            .len()
            == 1_201)
            .then_some(())
    });
    let pages = standin.asked();
    let pages = pages
        .iter()
        .filter(|path| path.starts_with("/api/v1/pods?limit=500"));
    assert_eq!(pages.count(), 3);
    until(&bygone, "web-7", "unknown", "['created unseen']");
    assert_eq!(
        told(
            &bygone,
            "web-7",
            "toUnixTimestamp(now()) - toUnixTimestamp(created_at) > 7000"
        ),
        "1"
    );

    let mut ending = pod("web-7", 7, 7_200);
    ending["metadata"]["deletionTimestamp"] = json!(ago(-30));
    ending["metadata"]["deletionGracePeriodSeconds"] = json!(30);
    standin.put("pods", ending);
    standin.delete("pods", "web-7");
    until(&bygone, "web-7", "removed_at IS NOT NULL", "1");
    assert_eq!(told(&bygone, "web-7", "ended_why"), "unknown");
    assert_eq!(
        told(&bygone, "web-7", "unknown"),
        "['created unseen','request unseen']"
    );
    let status = state_of(&bygone, "watch", "prod pods");
    assert!(status["facts"].as_i64() > Some(2_402), "{status}");
    assert_eq!(status["state"], "watching, no TLS");
    assert!(
        bygone
            .log()
            .contains("no TLS: anybody on the way can read and forge everything")
    );
    assert!(!bygone.log().contains("canary"));

    // A second one changes nothing.
    let folder: TempDir = tempfile::tempdir().expect("a folder");
    let other = Bygone::start_beside(bygone.database.clone(), &config(&standin, ""), folder, &[]);
    until_watching(&other, "watch");
    standin.delete("pods", "web-8");
    until(&bygone, "web-8", "removed_at IS NOT NULL", "1");
    other.drained();
    assert_eq!(
        sql(
            &bygone.database,
            "SELECT count(), uniqExact(pod_uid) FROM pods"
        )
        .trim(),
        "1201\t1201"
    );
}

#[test]
fn what_happened_while_nobody_watched_is_made_up_for() {
    let standin = Standin::start();
    for number in 0..4 {
        standin.put("pods", pod(&format!("web-{number}"), number, 7_200));
    }
    let mut bygone = started(&standin, "");
    until_watching(&bygone, "watch");
    until_positioned(&bygone, "watch", 104);
    bygone.kill();
    // Created and deleted while nobody watched; another one stays.
    standin.put("pods", pod("brief", 10, 60));
    standin.delete("pods", "brief");
    standin.put("pods", pod("stays", 11, 60));
    standin.delete("pods", "web-0");
    standin.asked();
    away_for_long(&bygone);
    begin_again(&mut bygone);
    until(&bygone, "brief", "gone_proof", "not found");
    until(&bygone, "web-0", "gone_proof", "not found");
    assert_eq!(
        told(
            &bygone,
            "brief",
            "removed_at IS NULL AND last_seen <= gone_at"
        ),
        "1"
    );
    // A minute old, and there since: its only facts are late.
    until(&bygone, "stays", "unknown", "['created unseen']");
    let asked = standin.asked();
    assert!(
        !asked.iter().any(|path| path.contains("limit=")),
        "{asked:?}"
    );

    until_watching(&bygone, "watch");
    until_positioned(&bygone, "watch", 108);
    bygone.kill();
    standin.delete("pods", "web-1");
    standin.compact();
    begin_again(&mut bygone);
    until(&bygone, "web-1", "gone_proof", "not found");
    assert_eq!(
        told(
            &bygone,
            "web-1",
            "has(unknown, 'removal unseen') AND last_seen < gone_at"
        ),
        "1"
    );
    assert_eq!(told(&bygone, "web-2", "gone_at IS NULL"), "1");
    assert!(
        bygone
            .log()
            .contains("watch prod: 1 pods had ended while nobody watched")
    );
    until_watching(&bygone, "watch");

    // A kubeconfig that leads elsewhere must not end everything.
    until_positioned(&bygone, "watch", 119);
    bygone.kill();
    standin.becomes("00000000-0000-0000-0000-00000000000b");
    for name in ["web-2", "web-3"] {
        standin.delete("pods", name);
    }
    standin.compact();
    begin_again(&mut bygone);
    wait_for("it is refused", || {
        let error = state_of(&bygone, "watch", "prod pods")["last_error"].to_string();
        error
            .contains("is another cluster than prod: its kube-system has uid")
            .then_some(())
    });
    assert_eq!(told(&bygone, "web-2", "gone_at IS NULL"), "1");
    assert_eq!(told(&bygone, "web-3", "gone_at IS NULL"), "1");
}

#[test]
fn refusals_and_silence_hold_up_nothing_else() {
    let standin = Standin::start();
    standin.put("pods", pod("web-0", 1, 7_200));
    standin.always_refuse(Some("nodes"));
    standin.refuse(
        "pods",
        &[
            "429 Too Many Requests\r\nRetry-After: 1",
            "503 Service Unavailable",
        ],
    );
    let bygone = started(&standin, "");
    until(&bygone, "web-0", "node", "node-1");
    let line = "nodes: bygone may not read this (403): apply deploy/watch-rbac.yaml for it; what is permitted is watched";
    wait_for("nodes are refused", || {
        let status = state_of(&bygone, "watch", "prod nodes");
        let is_refused = status["state"]
            .as_str()
            .is_some_and(|it| it.starts_with("not permitted"));
        (is_refused && status["last_error"].to_string().contains(line)).then_some(())
    });
    assert_eq!(bygone.log().matches(line).count(), 1);
    assert!(bygone.log().contains("has too many requests (429)"));

    standin.silence(true);
    standin.asked();
    wait_for("it begins anew", || {
        let asked = standin.asked();
        asked
            .iter()
            .any(|path| path.contains("pods?watch"))
            .then_some(())
    });
    assert!(bygone.log().contains("did not answer within 3 s"));
    standin.silence(false);
    standin.delete("pods", "web-0");
    until(&bygone, "web-0", "over_at < now() + 1", "1");
}

/// Bookmarks are a minute apart, and a force deletion changes nothing before it.
#[test]
fn a_deletion_after_a_long_silence_is_the_removal() {
    let standin = Standin::start();
    standin.put("pods", pod("web-0", 1, 7_200));
    let folder = tempfile::tempdir().expect("a folder");
    let config =
        config(&standin, "").replace("silence_seconds_max = 3", "silence_seconds_max = 60");
    let bygone = Bygone::start_configured(&config, folder);
    until_watching(&bygone, "watch");
    standin.quiet(true);
    let begun = Instant::now();
    wait_for("four seconds of silence", || {
        (begun.elapsed() > Duration::from_secs(4)).then_some(())
    });
    standin.delete("pods", "web-0");
    until(&bygone, "web-0", "removed_at IS NOT NULL", "1");
    assert_eq!(
        told(
            &bygone,
            "web-0",
            "removed_at > now() - 10 AND gone_at IS NULL"
        ),
        "1"
    );
}

/// A pod that seemed to be lost with its node is open again when the node is back: only the list shows that it is gone.
#[test]
fn pods_of_a_node_that_came_back_are_gone_if_a_list_lacks_them() {
    let standin = Standin::start();
    standin.put("nodes", node("node-1"));
    standin.put("pods", pod("web-0", 1, 7_200));
    standin.put("pods", pod("web-1", 2, 7_200));
    let mut bygone = started(&standin, "");
    until_watching(&bygone, "watch");
    standin.delete("nodes", "node-1");
    until(&bygone, "web-0", "gone_proof", "node deleted");
    until(&bygone, "web-1", "gone_proof", "node deleted");
    bygone.kill();
    standin.delete("pods", "web-0");
    let mut back = node("node-1");
    back["metadata"]["creationTimestamp"] = json!(ago(0));
    standin.put("nodes", back);
    standin.compact();
    begin_again(&mut bygone);
    until(&bygone, "web-0", "gone_proof", "not found");
    until(&bygone, "web-1", "gone_at IS NULL AND over_at IS NULL", "1");
    assert_eq!(told(&bygone, "web-0", "gone_proof"), "not found");
}

/// A pod of an owner.
fn owned(name: &str, number: u32, kind: &str, owner: &str, owner_number: u32) -> Value {
    let mut pod = pod(name, number, 7_200);
    pod["metadata"]["labels"] = json!({"pod-template-hash": "5d"});
    pod["metadata"]["ownerReferences"] =
        json!([{"kind": kind, "name": owner, "uid": uid(owner_number), "controller": true}]);
    pod
}

fn owner(name: &str, number: u32, above: Option<(&str, &str)>) -> Value {
    let above = above.map(|(kind, name)| json!({"kind": kind, "name": name, "controller": true}));
    let above: Vec<Value> = above.into_iter().collect();
    json!({"kind": "PartialObjectMetadata", "metadata": {"name": name, "namespace": "shop", "uid": uid(number),
        "ownerReferences": above}})
}

#[test]
fn workloads_are_read_from_the_owners_of_pods() {
    let standin = Standin::start();
    standin.put(
        "replicasets",
        owner("web-5d", 101, Some(("Rollout", "canary"))),
    );
    standin.put("replicasets", owner("alone-5d", 102, None));
    standin.put("jobs", owner("night-17", 103, Some(("CronJob", "night"))));
    // Another one than the pod's, of the same name.
    standin.put(
        "replicasets",
        owner("again-5d", 105, Some(("Rollout", "wrong"))),
    );
    let known = [
        ("web-5d-a", "ReplicaSet", "web-5d", 101, "Rollout/canary"),
        ("web-5d-b", "ReplicaSet", "web-5d", 101, "Rollout/canary"),
        (
            "alone-5d-a",
            "ReplicaSet",
            "alone-5d",
            102,
            "ReplicaSet/alone-5d",
        ),
        ("night-17-a", "Job", "night-17", 103, "CronJob/night"),
        (
            "gone-5d-a",
            "ReplicaSet",
            "gone-5d",
            104,
            "Deployment/gone?",
        ),
        (
            "again-5d-a",
            "ReplicaSet",
            "again-5d",
            106,
            "Deployment/again?",
        ),
    ];
    for (number, (name, kind, of, of_number, _)) in (1..).zip(known) {
        standin.put("pods", owned(name, number, kind, of, of_number));
    }
    let bygone = started(&standin, "");
    let workload =
        "concat(workload_kind, '/', workload, if(has(unknown, 'workload inferred'), '?', ''))";
    for (name, _, _, _, expected) in known {
        until(&bygone, name, workload, expected);
    }
    until_watching(&bygone, "watch");
    // One that comes later, and its owner was read before.
    let asked = standin.asked();
    let read = |asked: &[String]| asked.iter().filter(|path| path.contains("/apis/")).count();
    assert_eq!(read(&asked), 5, "{asked:?}");
    standin.put("pods", owned("web-5d-c", 20, "ReplicaSet", "web-5d", 101));
    until(&bygone, "web-5d-c", workload, "Rollout/canary");
    // And one whose owner is new.
    standin.put("jobs", owner("night-18", 107, Some(("CronJob", "night"))));
    standin.put("pods", owned("night-18-a", 21, "Job", "night-18", 107));
    until(&bygone, "night-18-a", workload, "CronJob/night");
    let asked = standin.asked();
    assert_eq!(read(&asked), 1, "{asked:?}");
    assert_eq!(told(&bygone, "web-5d-a", "length(former_until)"), "0");
}

#[test]
fn owners_that_may_not_be_read_leave_their_pods_watched() {
    let standin = Standin::start();
    standin.always_refuse(Some("replicasets"));
    standin.put(
        "replicasets",
        owner("web-5d", 101, Some(("Rollout", "canary"))),
    );
    standin.put("jobs", owner("night-17", 103, Some(("CronJob", "night"))));
    standin.put("pods", owned("web-5d-a", 1, "ReplicaSet", "web-5d", 101));
    standin.put("pods", owned("web-5e-b", 2, "ReplicaSet", "web-5e", 102));
    standin.put("pods", owned("night-17-a", 3, "Job", "night-17", 103));
    let bygone = started(&standin, "");
    until(&bygone, "web-5d-a", "workload", "web");
    until(&bygone, "night-17-a", "workload", "night");
    until_watching(&bygone, "watch");
    let line = "replicasets: bygone may not read this (403): apply deploy/watch-rbac.yaml for it; workloads are \
                inferred from names";
    assert_eq!(bygone.log().matches(line).count(), 1);
    let status = state_of(&bygone, "watch", "prod pods");
    assert!(status["last_error"].to_string().contains(line), "{status}");
    standin.asked();
    standin.delete("pods", "web-5d-a");
    until(&bygone, "web-5d-a", "removed_at IS NOT NULL", "1");
    let asked = standin.asked();
    assert!(
        !asked.iter().any(|path| path.contains("/apis/")),
        "{asked:?}"
    );
}
