//! Clusters that are read from a real etcd: what it tells, what is made up for, and what is refused.

mod refusals;
mod server;

use serde_json::{Value, json};

use crate::objects::{
    ago, away_for_long, begin_again, node, pod, state_of, told, until, until_positioned,
    until_watching,
};
use crate::support::{Bygone, sql, wait_for};
use server::{Etcd, bytes_below, kube_system};

fn config(endpoints: &[String], more: &str) -> String {
    format!(
        "[[etcd]]\ncluster = \"prod\"\nendpoints = {endpoints:?}\nsilence_seconds_max = 3\n{more}"
    )
}

fn started(etcd: &Etcd, more: &str) -> Bygone {
    let folder = tempfile::tempdir().expect("a folder");
    Bygone::start_configured(&config(&[etcd.url()], more), folder)
}

fn put_pod(etcd: &Etcd, name: &str, number: u32, age: i64) {
    etcd.put(&format!("pods/shop/{name}"), &pod(name, number, age));
}

fn delete_pod(etcd: &Etcd, name: &str) {
    etcd.delete(&format!("pods/shop/{name}"));
}

fn pods_that_came(bygone: &Bygone) -> Option<f64> {
    bygone.metric("bygone_etcd_objects_total{cluster=\"prod\",resource=\"pods\"}")
}

#[test]
fn an_etcd_tells_lives_from_before_it_and_their_ends() {
    let etcd = Etcd::start();
    etcd.put("minions/node-1", &node("node-1"));
    let pods = (0..1_201).map(|number| {
        let name = format!("web-{number}");
        (format!("pods/shop/{name}"), pod(&name, number, 7_200))
    });
    etcd.put_all(&pods.collect::<Vec<_>>());
    etcd.put_bytes("secrets/shop/s", b"never-read-canary");
    let folder = tempfile::tempdir().expect("a folder");
    let trace = [("BYGONE_LOG", "trace")];
    let bygone = Bygone::start_configured(&config(&[etcd.url()], ""), folder);
    until_watching(&bygone, "etcd");
    wait_for("all pods", || {
        let found = bygone.rows(&["pods", "--cluster", "prod", "--limit", "2000"]);
        (found.len() == 1_201).then_some(())
    });
    assert_eq!(pods_that_came(&bygone), Some(1_201.0));
    until(&bygone, "web-7", "unknown", "['created unseen']");

    let mut ending = pod("web-7", 7, 7_200);
    ending["metadata"]["deletionTimestamp"] = json!(ago(-30));
    ending["metadata"]["deletionGracePeriodSeconds"] = json!(30);
    etcd.put("pods/shop/web-7", &ending);
    delete_pod(&etcd, "web-7");
    until(&bygone, "web-7", "removed_at IS NOT NULL", "1");
    assert_eq!(told(&bygone, "web-7", "ended_why"), "unknown");
    assert_eq!(
        told(&bygone, "web-7", "unknown"),
        "['created unseen','request unseen']"
    );
    let status = state_of(&bygone, "etcd", "prod pods");
    assert!(status["facts"].as_i64() > Some(2_402), "{status}");
    assert_eq!(status["state"], "watching", "{status}");
    assert_eq!(status["last_error"], Value::Null, "{status}");

    // A second one changes nothing, and says and writes no value.
    let folder = tempfile::tempdir().expect("a folder");
    let beside = config(&[etcd.url()], "");
    let other = Bygone::start_beside(bygone.database.clone(), &beside, folder, &trace);
    until_watching(&other, "etcd");
    delete_pod(&etcd, "web-8");
    until(&bygone, "web-8", "removed_at IS NOT NULL", "1");
    other.drained();
    let counts = sql(
        &bygone.database,
        "SELECT count(), uniqExact(pod_uid) FROM pods",
    );
    assert_eq!(counts.trim(), "1201\t1201");
    let written = bytes_below(other.folder.path());
    let has = |text: &str| memchr::memmem::find(&written, text.as_bytes()).is_some();
    assert!(has("web-8"), "the spool and the log are searched");
    assert!(!has("canary"));
}

#[test]
fn a_name_that_is_used_again_at_once_is_two_pods() {
    let etcd = Etcd::start();
    put_pod(&etcd, "db-0", 1, 7_200);
    let bygone = started(&etcd, "");
    until_watching(&bygone, "etcd");
    delete_pod(&etcd, "db-0");
    put_pod(&etcd, "db-0", 2, 0);
    wait_for("both", || {
        let lives = told(&bygone, "db-0", "toString(pod_uid), removed_at IS NOT NULL");
        let mut lives: Vec<&str> = lives.lines().collect();
        lives.sort_unstable();
        let expected = [
            "00000000-0000-0000-0001-000000000001\t1",
            "00000000-0000-0000-0001-000000000002\t0",
        ];
        (lives == expected).then_some(())
    });
}

#[test]
fn what_happened_while_nobody_read_is_made_up_for() {
    let etcd = Etcd::start();
    for number in 0..4 {
        put_pod(&etcd, &format!("web-{number}"), number, 7_200);
    }
    let mut bygone = started(&etcd, "");
    until_watching(&bygone, "etcd");
    until_positioned(&bygone, "etcd", etcd.revision());
    bygone.kill();
    // Created and deleted while nobody read; another one stays.
    put_pod(&etcd, "brief", 10, 60);
    delete_pod(&etcd, "brief");
    put_pod(&etcd, "stays", 11, 60);
    delete_pod(&etcd, "web-0");
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
    until(&bygone, "stays", "unknown", "['created unseen']");
    assert_eq!(pods_that_came(&bygone), Some(4.0), "nothing was listed");

    until_watching(&bygone, "etcd");
    until_positioned(&bygone, "etcd", etcd.revision());
    bygone.kill();
    delete_pod(&etcd, "web-1");
    put_pod(&etcd, "later", 12, 60);
    etcd.compact();
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
    let log = bygone.log();
    assert!(
        log.contains("etcd prod: pods: the revision is compacted: listing"),
        "{log}"
    );
    assert!(
        log.contains("etcd prod: 1 pods had ended while nobody watched"),
        "{log}"
    );
    until_watching(&bygone, "etcd");

    // An endpoint of another cluster must not end everything.
    until_positioned(&bygone, "etcd", etcd.revision());
    bygone.kill();
    etcd.put("namespaces/kube-system", &kube_system('b'));
    for name in ["web-2", "web-3"] {
        delete_pod(&etcd, name);
    }
    etcd.compact();
    begin_again(&mut bygone);
    wait_for("it is refused", || {
        let error = state_of(&bygone, "etcd", "prod pods")["last_error"].to_string();
        error
            .contains("is another cluster than prod: its kube-system has uid")
            .then_some(())
    });
    assert_eq!(told(&bygone, "web-2", "gone_at IS NULL"), "1");
    assert_eq!(told(&bygone, "web-3", "gone_at IS NULL"), "1");
}

#[test]
fn an_old_snapshot_in_its_place_is_listed() {
    let mut etcd = Etcd::start();
    for number in 0..9 {
        put_pod(&etcd, &format!("web-{number}"), number, 7_200);
    }
    let bygone = started(&etcd, "");
    until_watching(&bygone, "etcd");
    until_positioned(&bygone, "etcd", etcd.revision());
    etcd.stop();
    etcd.forget();
    etcd.run();
    put_pod(&etcd, "web-0", 0, 7_200);
    etcd.put("namespaces/kube-system", &kube_system('a'));
    wait_for("it is listed", || {
        let listed = "pods: http";
        let log = bygone.log();
        (log.contains(listed) && log.contains("was restored: its revision is")).then_some(())
    });
    until(&bygone, "web-1", "gone_proof", "not found");
    assert_eq!(told(&bygone, "web-0", "gone_at IS NULL"), "1");
    until_watching(&bygone, "etcd");
    delete_pod(&etcd, "web-0");
    until(&bygone, "web-0", "removed_at IS NOT NULL", "1");
}

#[test]
fn a_member_that_is_away_and_one_that_comes_back() {
    let mut etcd = Etcd::start();
    put_pod(&etcd, "web-0", 1, 7_200);
    put_pod(&etcd, "web-1", 2, 7_200);
    let away = format!("http://{}", crate::support::free_address());
    let folder = tempfile::tempdir().expect("a folder");
    let bygone = Bygone::start_configured(&config(&[away.clone(), etcd.url()], ""), folder);
    until_watching(&bygone, "etcd");
    let line = format!(
        "etcd prod: {away} cannot be reached: connection refused: check the address, firewalls, and the member; \
         trying the next endpoint"
    );
    assert!(bygone.log().contains(&line), "{}", bygone.log());
    delete_pod(&etcd, "web-0");
    until(&bygone, "web-0", "removed_at IS NOT NULL", "1");

    etcd.stop();
    wait_for("that it is away", || {
        let state = state_of(&bygone, "etcd", "prod pods")["state"].clone();
        (state == "disconnected").then_some(())
    });
    etcd.run();
    delete_pod(&etcd, "web-1");
    until(&bygone, "web-1", "over_at IS NOT NULL", "1");
    until_watching(&bygone, "etcd");
    assert_eq!(
        pods_that_came(&bygone),
        Some(4.0),
        "nothing was listed again"
    );
}

#[test]
fn encrypted_values_are_said_once_and_end_nothing() {
    let etcd = Etcd::start();
    put_pod(&etcd, "web-0", 1, 7_200);
    put_pod(&etcd, "web-1", 2, 7_200);
    put_pod(&etcd, "web-2", 3, 7_200);
    let mut bygone = started(&etcd, "");
    until_watching(&bygone, "etcd");
    until_positioned(&bygone, "etcd", etcd.revision());
    until(&bygone, "web-1", "node", "node-1");
    bygone.kill();
    for name in ["web-0", "web-1"] {
        etcd.put_bytes(
            &format!("pods/shop/{name}"),
            b"k8s:enc:aescbc:v1:key1:\x01\x02canary",
        );
    }
    delete_pod(&etcd, "web-2");
    etcd.compact();
    begin_again(&mut bygone);
    until(&bygone, "web-2", "gone_proof", "not found");
    let line = "etcd prod: pods: values are encrypted at rest (aescbc), and only the API server has the key: use \
                [[watch]] or audit events for this cluster";
    assert_eq!(bygone.log().matches(line).count(), 1, "{}", bygone.log());
    assert_eq!(told(&bygone, "web-0", "gone_at IS NULL"), "1");
    assert_eq!(told(&bygone, "web-1", "gone_at IS NULL"), "1");
    until_watching(&bygone, "etcd");
    let state = state_of(&bygone, "etcd", "prod pods");
    assert_eq!(state["state"], "watching, encrypted (aescbc)", "{state}");
    // Its key still says which name it had.
    delete_pod(&etcd, "web-0");
    until(&bygone, "web-0", "gone_proof", "not found");
    assert_eq!(told(&bygone, "web-1", "gone_at IS NULL"), "1");
    assert_eq!(bygone.log().matches("encrypted at rest").count(), 1);
}

#[test]
fn a_restored_snapshot_is_read_as_it_was() {
    let etcd = Etcd::start();
    for number in 0..501 {
        put_pod(&etcd, &format!("web-{number}"), number, 7_200);
    }
    put_pod(&etcd, "last", 2_000, 3_600);
    let bygone = started(&etcd, "once = true");
    wait_for("that it is read", || {
        let state = state_of(&bygone, "etcd", "prod pods");
        (state["state"] == "read").then_some(())
    });
    bygone.drained();
    assert_eq!(pods_that_came(&bygone), Some(502.0));
    // Everything was there when the last was written, and nothing is said of the time since.
    let age = "count(), min(dateDiff('second', last_seen, now())) >= 3590, max(dateDiff('second', last_seen, now())) < 3900";
    let statement = format!("SELECT {age}, countIf(gone_at IS NOT NULL) FROM pods");
    let counts = sql(&bygone.database, &statement);
    assert_eq!(counts.trim(), "502\t1\t1\t0");
    let positions = "SELECT count() FROM positions WHERE key = 'pods'";
    assert_eq!(sql(&bygone.database, positions).trim(), "0");
}
