//! Clusters that are watched: what a watch tells, what it makes up for, and what it refuses.

mod standin;

use serde_json::json;
use tempfile::TempDir;

use crate::support::objects::{
    ago, away_for_long, begin_again, node, pod, state_of, told, until, until_positioned,
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
