//! `bygone get` on recording-a: filters, times, limits, formats, exit codes.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::Stdio;
use std::sync::LazyLock;
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use expect_test::{Expect, expect};
use serde_json::{Value, json};

use crate::support::{self, BYGONE, Bygone, on_shared, plain, run, stderr, stdout};

/// One bygone with the recording, for all tests that only ask.
pub static RECORDED: LazyLock<Bygone> = LazyLock::new(|| {
    let bygone = Bygone::start();
    let folder = support::recording_a();
    bygone.post_all(
        support::read(&folder, "bodies.jsonl")
            .lines()
            .map(str::to_owned),
    );
    bygone.ends_with_the_tests();
    bygone
});

fn rows(args: &[&str]) -> Vec<Value> {
    RECORDED.rows(args)
}

/// All instances of the recording, to filter by hand.
fn all() -> Vec<Value> {
    rows(&["containers", "-A"])
}

fn check(args: &[&str], belongs: impl Fn(&Value) -> bool) {
    let expected: Vec<Value> = all().into_iter().filter(|row| belongs(row)).collect();
    assert!(
        !expected.is_empty() && expected.len() < 232,
        "{args:?} proves nothing"
    );
    assert_eq!(
        rows(&[&["containers"], args].concat()),
        expected,
        "{args:?}"
    );
}

#[test]
fn filters() {
    let of = |field: &'static str, value: &'static str| move |row: &Value| row[field] == value;
    let namespaces: Vec<String> = all()
        .iter()
        .map(|row| row["namespace"].as_str().unwrap().to_owned())
        .collect();
    let shop = namespaces[0].clone();
    check(&["-n", &shop], |row| row["namespace"] == *shop);
    check(&["-n", &format!("{shop},{}", namespaces[200])], |row| {
        row["namespace"] == *shop || row["namespace"] == *namespaces[200]
    });
    check(&["--node", "worker-3"], of("node", "worker-3"));
    check(&["web-0"], of("pod", "web-0"));
    check(&["web-*"], |row| {
        row["pod"].as_str().unwrap().starts_with("web-")
    });
    check(&["web-0", "doomed-*"], |row| {
        row["pod"] == "web-0" || row["pod"].as_str().unwrap().starts_with("doomed-")
    });
    check(&["--image", "nginx"], |row| {
        row["image"]
            .as_str()
            .is_some_and(|image| image.contains("nginx"))
    });
    let owned = all()
        .into_iter()
        .find(|row| row["workload_kind"] == "Deployment")
        .expect("one");
    let workload = owned["workload"].as_str().unwrap();
    check(&["--workload", &format!("deploy/{workload}")], |row| {
        row["workload_kind"] == "Deployment" && row["workload"] == workload
    });
    let uid = owned["pod_uid"].as_str().unwrap();
    check(&["--uid", uid], |row| row["pod_uid"] == uid);
    let id = owned["container_id"].as_str().unwrap();
    check(&["--container-id", &id[..12].to_uppercase()], |row| {
        row["container_id"] == id
    });
    check(&["--container-id", &format!("containerd://{id}")], |row| {
        row["container_id"] == id
    });
    let ip = owned["pod_ips"][0].as_str().unwrap();
    check(&["--ip", ip], |row| {
        row["pod_ips"]
            .as_array()
            .unwrap()
            .iter()
            .any(|other| other == ip)
    });
    let with_ip = rows(&["pods", "--ip", ip]);
    assert!(
        with_ip.iter().any(|pod| pod["pod_uid"] == uid),
        "{with_ip:?}"
    );
    assert_eq!(rows(&["containers", "--cluster", "demo"]).len(), 232);
    assert_eq!(rows(&["containers", "--cluster", "other"]).len(), 0);
}

/// The rows of a question that are of the same pods as others.
fn of_pods(others: &[Value], args: &[&str]) -> Vec<Value> {
    let mut found = rows(args);
    found.retain(|row| {
        others
            .iter()
            .any(|other| other["pod_uid"] == row["pod_uid"])
    });
    found
}

/// Pods have the IDs and the images of their containers, whenever these ran.
#[test]
fn pods_by_their_containers() {
    let nginx = rows(&["containers", "--image", "nginx"]);
    let began_later = |row: &&Value| {
        // Whole seconds of the same form.
        row["restart"] == 0 && row["pod_created_at"].as_str() < row["started_at"].as_str()
    };
    let one = nginx.iter().find(began_later).expect("one");
    let text = |field: &str| one[field].as_str().expect("a text").to_owned();
    let (id, namespace, started) = (text("container_id"), text("namespace"), text("started_at"));
    for filter in [
        &["--container-id", &id] as &[&str],
        &["--container-id", &id[..8]],
        // Too short to be looked up.
        &["--container-id", &id[..7]],
        &["--image", "nginx"],
        &["--image", "nginx", "-n", &namespace],
        &["--image", "nginx", "--cluster", "demo,other"],
    ] {
        let containers = rows(&[&["containers"], filter].concat());
        for time in [&[] as &[&str], &["--to", &started]] {
            let expected = of_pods(&containers, &[&["pods"], time].concat());
            let found = rows(&[&["pods"], filter, time].concat());
            assert_eq!(found, expected, "{filter:?} {time:?}");
            let has_it = found.iter().any(|pod| pod["pod_uid"] == one["pod_uid"]);
            assert!(has_it && found.len() < 157, "{filter:?} {time:?}");
        }
    }
    let elsewhere = ["pods", "--container-id", &id, "--cluster", "other"];
    assert_eq!(rows(&elsewhere), Vec::<Value>::new());
}

/// Containers by an address are those of the pods that had it then.
#[test]
fn containers_by_a_leased_address() {
    let whole = all();
    let of_deployment = |row: &&Value| row["workload_kind"] == "Deployment";
    let one = whole.iter().find(of_deployment).expect("one");
    let ip = one["pod_ips"][0].as_str().expect("an address");
    let started = one["started_at"].as_str().expect("a time");
    for time in [
        &[] as &[&str],
        &["--at", started],
        &["--from", started],
        &["--to", started],
        &["--from", started, "--cluster", "demo,other"],
    ] {
        let pods = rows(&[&["pods", "--ip", ip], time].concat());
        let expected = of_pods(&pods, &[&["containers"], time].concat());
        let found = rows(&[&["containers", "--ip", ip], time].concat());
        assert_eq!(found, expected, "{time:?}");
        // Its container ran before anybody saw the address.
        let too_early = time.contains(&"--at") || time.contains(&"--to");
        assert_eq!(found.contains(one), !too_early, "{time:?}");
    }
    assert!(rows(&["containers", "--at", started]).contains(one));
}

#[test]
fn explain_tells_what_was_read() {
    let read = |args: &[&str]| -> (u64, u64) {
        let said = stderr(&RECORDED.get(&[args, &["--explain"]].concat()));
        let numbers = said.lines().find_map(|line| {
            let line = line.strip_prefix("clickhouse read ")?;
            let (rows, rest) = line.split_once(" rows, ")?;
            let (bytes, rest) = rest.split_once(" bytes, ")?;
            let cpu: u64 = rest.strip_suffix(" ms of CPU")?.parse().ok()?;
            assert!((1..60_000).contains(&cpu), "{line}");
            Some((rows.parse().ok()?, bytes.parse().ok()?))
        });
        numbers.unwrap_or_else(|| panic!("{args:?}: {said}"))
    };
    let (all_rows, all_bytes) = read(&["containers"]);
    let (rows, bytes) = read(&["containers", "-n", "crash-3a2", "--cluster", "demo"]);
    assert!(0 < rows && rows < all_rows, "{rows} of {all_rows} rows");
    assert!(
        0 < bytes && bytes < all_bytes,
        "{bytes} of {all_bytes} bytes"
    );
}

#[test]
fn label_selectors() {
    let pods = rows(&["pods"]);
    let select = |selector: &str, belongs: &dyn Fn(&Value) -> bool| {
        let expected: Vec<&Value> = pods.iter().filter(|pod| belongs(&pod["labels"])).collect();
        let found = rows(&["pods", "-l", selector]);
        assert!(
            !expected.is_empty() && expected.len() < pods.len(),
            "{selector} proves nothing"
        );
        assert_eq!(found.iter().collect::<Vec<_>>(), expected, "{selector}");
    };
    select("app=doomed", &|labels| labels["app"] == "doomed");
    select("app!=doomed", &|labels| labels["app"] != "doomed");
    select("app", &|labels| !labels["app"].is_null());
    select("!app", &|labels| labels["app"].is_null());
    select("component=node-agent,tier in (node,other)", &|labels| {
        labels["tier"] == "node"
    });
    select("app notin (doomed)", &|labels| labels["app"] != "doomed");
    // Containers have the labels of their pods.
    let doomed = rows(&["pods", "-l", "app=doomed"]);
    for time in [&[] as &[&str], &["--at", "2026-11-23T06:16:00Z"]] {
        let expected = of_pods(&doomed, &[&["containers"], time].concat());
        let found = rows(&[&["containers", "-l", "app=doomed"], time].concat());
        assert_eq!(found, expected, "{time:?}");
    }
}

/// Overlap, not "began in": against a plain reading of the rules.
#[test]
fn times() {
    let at = |second: u32| format!("2026-11-23T06:{:02}:{:02}Z", 15 + second / 60, second % 60);
    let time = |row: &Value, field: &str| {
        row[field]
            .as_str()
            .map(|text| text.parse::<jiff::Timestamp>().unwrap())
    };
    // The recording is days old. Of what only late events spoke, and none of its end, the last sign counts, and no
    // field says when that was.
    let is_unconfirmed = |row: &Value| {
        let unknown = row["unknown"].as_array().expect("words");
        let words = ["end not confirmed", "mirror removed"];
        row["ended_at"].is_null() && unknown.iter().any(|word| words.iter().any(|it| word == it))
    };
    let overlaps = |row: &Value, from: &str, to: &str| {
        let (from, to): (jiff::Timestamp, jiff::Timestamp) =
            (from.parse().unwrap(), to.parse().unwrap());
        let whole = if row["end_seen"] == true { 1 } else { 0 };
        let end = time(row, "ended_at").map(|end| end + jiff::SignedDuration::from_secs(whole));
        time(row, "started_at").unwrap() < to && end.is_none_or(|end| end > from)
    };
    for (from, to) in [(10, 11), (20, 50), (0, 600), (100, 101), (170, 180)] {
        let (from, to) = (at(from), at(to));
        let mut expected = all();
        expected.retain(|row| overlaps(row, &from, &to) && !is_unconfirmed(row));
        let mut found = rows(&["containers", "--from", &from, "--to", &to]);
        found.retain(|row| !is_unconfirmed(row));
        assert_eq!(found, expected, "{from} {to}");
    }
    // Two hours hold the first sign and the last one.
    let whole = rows(&[
        "containers",
        "--from",
        &at(0),
        "--to",
        "2026-11-23T08:15:00Z",
    ]);
    let unconfirmed = |rows: &[Value]| rows.iter().filter(|row| is_unconfirmed(row)).count();
    assert!(unconfirmed(&whole) > 0);
    assert_eq!(unconfirmed(&whole), unconfirmed(&all()));
    let instant = at(30);
    let just_after = instant.replace('Z', ".000001Z");
    let mut expected = all();
    expected.retain(|row| overlaps(row, &instant, &just_after) && !is_unconfirmed(row));
    assert!(!expected.is_empty() && expected.len() < 232);
    let then = rows(&["containers", "--at", &instant]);
    let known: Vec<Value> = then
        .iter()
        .filter(|row| !is_unconfirmed(row))
        .cloned()
        .collect();
    assert_eq!(known, expected);
    // The same instant in other words.
    let local = [
        "containers",
        "--at",
        "2026-11-23 07:15:30",
        "--zone",
        "Europe/Berlin",
    ];
    assert_eq!(rows(&local), then);
    assert_eq!(
        rows(&["containers", "--to", "2026-11-23T06:00:00Z"]),
        Vec::<Value>::new()
    );
}

#[test]
fn limits_keep_the_newest_and_cursors_go_on_to_the_older() {
    let whole = all();
    let mut pages: Vec<Value> = Vec::new();
    let mut cursor: Option<String> = None;
    loop {
        let mut args = vec!["containers", "--limit", "50", "-o", "json"];
        args.extend(cursor.iter().flat_map(|cursor| ["--cursor", cursor]));
        let output = RECORDED.get(&args);
        let page: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        let items = page["items"].as_array().expect("items");
        pages.splice(0..0, items.iter().cloned());
        assert_eq!(page["more"], !page["cursor"].is_null());
        assert_eq!(
            stderr(&output).contains("older rows follow"),
            page["more"] == true
        );
        cursor = page["cursor"].as_str().map(str::to_owned);
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(pages, whole);
    let exact = RECORDED.get(&["containers", "--limit", "232"]);
    assert_eq!(stderr(&exact), "", "nothing is missing");
    let pods = rows(&["pods"]);
    let newest = &pods[pods.len() - 3..];
    assert_eq!(rows(&["pods", "--limit", "3"]), newest);
    let mut reversed = newest.to_vec();
    reversed.reverse();
    assert_eq!(rows(&["pods", "--limit", "3", "--reverse"]), reversed);
    let created = pods.iter().filter_map(|row| row["created_at"].as_str());
    assert!(created.is_sorted(), "the newest come last");
}

/// The API streams the newest first, or the oldest: in both orders the pages make the whole.
#[test]
fn the_api_pages_in_both_orders() {
    let mut whole = all();
    for order in ["oldest", "newest"] {
        let mut pages: Vec<Value> = Vec::new();
        let mut cursor: Option<String> = None;
        loop {
            let mut path = format!("/api/v1/containers?limit=50&order={order}");
            path.extend(
                cursor
                    .iter()
                    .flat_map(|cursor| ["&cursor=", cursor.as_str()]),
            );
            let (_, text) = api(&path);
            let page: Value = serde_json::from_str(&text).expect("JSON");
            pages.extend(page["items"].as_array().expect("items").iter().cloned());
            cursor = page["cursor"].as_str().map(str::to_owned);
            if cursor.is_none() {
                break;
            }
        }
        assert_eq!(pages, whole, "{order}");
        whole.reverse();
    }
}

/// A look-up chooses the newest rows by itself; all of them are chosen by ClickHouse.
#[test]
fn a_look_up_tells_what_the_whole_history_does() {
    let items = |path: &str| {
        let (status, text) = api(path);
        assert_eq!(status, 200, "{path}: {text}");
        let page: Value = serde_json::from_str(&text).expect("JSON");
        page["items"].as_array().expect("items").clone()
    };
    for kind in ["pods", "containers"] {
        for order in ["oldest", "newest"] {
            let whole = items(&format!("/api/v1/{kind}?order={order}"));
            let uids: BTreeSet<&str> = whole
                .iter()
                .filter_map(|row| row["pod_uid"].as_str())
                .collect();
            assert!(uids.len() >= 150);
            for uid in uids {
                let found = items(&format!("/api/v1/{kind}?uid={uid}&order={order}"));
                let expected = whole.iter().filter(|row| row["pod_uid"] == uid);
                assert!(found.iter().eq(expected), "{kind} of {uid}, {order}");
            }
        }
    }
    for name in ["web-0", "crash"] {
        let found = items(&format!("/api/v1/containers?name={name}"));
        let named = |row: &&Value| row["pod"] == name;
        let whole = items("/api/v1/containers");
        assert!(
            found.len() > 1 && found.iter().eq(whole.iter().filter(named)),
            "{name}"
        );
    }
    let named = items("/api/v1/containers?namespace=crash-*&name=*/crash/main");
    let uid = named[0]["pod_uid"].as_str().unwrap();
    let of = |scope: &str| {
        items(&format!(
            "/api/v1/containers?uid={uid}&fields=container{scope}"
        ))
    };
    assert_eq!(
        of("&namespace=crash-*&name=*/crash/main")[0],
        json!({"container": "main"})
    );
    assert_eq!(of("&namespace=shop-*"), Vec::<Value>::new());
    assert_eq!(of("&name=*/crash/other"), Vec::<Value>::new());
    assert_eq!(of("&limit=1").len(), 1);
}

#[test]
fn sorted_by_a_field() {
    let sorted = rows(&["pods", "--sort-by", "{.restarts}"]);
    let restarts = |row: &Value| row["restarts"].as_u64().expect("a number");
    assert!(sorted.is_sorted_by_key(restarts));
    let mut reversed = rows(&["pods", "--sort-by", "restarts", "--reverse"]);
    reversed.reverse();
    assert_eq!(reversed, sorted);
    let by_end = rows(&["containers", "--sort-by", "ended_at"]);
    let time = |row: &Value| {
        let text = row["ended_at"].as_str()?;
        text.parse::<jiff::Timestamp>().ok()
    };
    let ends = by_end
        .iter()
        .map(|row| time(row).unwrap_or(jiff::Timestamp::MAX));
    assert!(ends.is_sorted());
}

/// `(exit code, stdout, stderr)` of a question.
fn said(args: &[&str]) -> (Option<i32>, String, String) {
    let output = RECORDED.get(args);
    (output.status.code(), stdout(&output), stderr(&output))
}

/// What a question that is right prints.
fn shown(args: &[&str], expected: &Expect) {
    let (code, out, err) = said(args);
    assert_eq!((code, &*err), (Some(0), ""), "{args:?}");
    expected.assert_eq(&out);
}

#[test]
fn states() {
    shown(
        &["pods", "-n", "crash-3a2", "--zone", "UTC"],
        &expect![[r#"
            CLUSTER   POD          STATE     RESTARTS   CREATED (UTC)         REMOVED (UTC)         LIFETIME   NODE       WHY             BY
            demo      heals        Deleted   2          2026-11-23 06:15:40   2026-11-23 06:16:14   34s        worker-6   deleted         kubernetes-admin
            demo      crash        Deleted   4          2026-11-23 06:15:40   2026-11-23 06:16:14   34s        worker-4   deleted         kubernetes-admin
            demo      blink        Deleted   2          2026-11-23 06:15:40   2026-11-23 06:16:13   33s        worker-3   deleted         kubernetes-admin
            demo      instant      Deleted   5          2026-11-23 06:15:40   2026-11-23 06:16:13   33s        worker-0   deleted         kubernetes-admin
            demo      done         Deleted   4          2026-11-23 06:15:40   2026-11-23 06:16:13   33s        worker-6   deleted         kubernetes-admin
            demo      oom          Deleted   3          2026-11-23 06:15:40   2026-11-23 06:15:58   18s        worker-1   taint-evicted   system:serviceaccount:kube-system:node-controller
            demo      init-crash   Deleted   4          2026-11-23 06:15:40   2026-11-23 06:16:13   33s        worker-0   deleted         kubernetes-admin
        "#]],
    );
    shown(
        &["containers", "oom", "-n", "crash-3a2", "--zone", "UTC"],
        &expect![[r#"
            CLUSTER   POD   CONTAINER   RESTART   STATE       EXIT   STARTED (UTC)         LIFETIME   NODE       WHY      BY
            demo      oom   main        0         OOMKilled   137    2026-11-23 06:15:41   1s         worker-1   exited   <none>
            demo      oom   main        1         OOMKilled   137    2026-11-23 06:15:43   1s         worker-1   exited   <none>
            demo      oom   main        2         OOMKilled   137    2026-11-23 06:15:46   1s         worker-1   exited   <none>
            demo      oom   main        3         OOMKilled   137    2026-11-23 06:15:51   1s         worker-1   exited   <none>
        "#]],
    );
}

#[test]
fn columns_and_templates() {
    shown(
        &[
            "pods",
            "-n",
            "rollout-3a6",
            "-L",
            "app,tier",
            "--no-headers",
            "--zone",
            "UTC",
        ],
        &expect![[r#"
            demo   web-544d5696fd-ns2rp   Deleted   0   2026-11-23 06:15:48   2026-11-23 06:15:56   8s    worker-6   scaled-or-rolled-out   system:serviceaccount:kube-system:replicaset-controller       web   <none>
            demo   web-544d5696fd-wh7w4   Deleted   0   2026-11-23 06:15:48   2026-11-23 06:15:57   9s    worker-2   scaled-or-rolled-out   system:serviceaccount:kube-system:replicaset-controller       web   <none>
            demo   web-544d5696fd-xl4l8   Deleted   0   2026-11-23 06:15:48   2026-11-23 06:15:52   4s    worker-4   scaled-or-rolled-out   system:serviceaccount:kube-system:replicaset-controller       web   <none>
            demo   web-544d5696fd-5kvtz   Deleted   0   2026-11-23 06:15:49   2026-11-23 06:16:01   12s   worker-0   scaled-or-rolled-out   system:serviceaccount:kube-system:replicaset-controller       web   <none>
            demo   web-79c7f8477f-jr256   Deleted   0   2026-11-23 06:15:51   2026-11-23 06:15:59   8s    worker-1   taint-evicted          system:serviceaccount:kube-system:node-controller             web   <none>
            demo   web-79c7f8477f-h9rhl   Deleted   0   2026-11-23 06:15:51   2026-11-23 06:16:07   16s   worker-2   garbage-collected      system:serviceaccount:kube-system:generic-garbage-collector   web   <none>
            demo   web-79c7f8477f-rhqrp   Deleted   0   2026-11-23 06:15:55   2026-11-23 06:16:05   10s   worker-6   scaled-or-rolled-out   system:serviceaccount:kube-system:replicaset-controller       web   <none>
            demo   web-79c7f8477f-dsr5c   Deleted   0   2026-11-23 06:15:55   2026-11-23 06:16:06   11s   worker-4   scaled-or-rolled-out   system:serviceaccount:kube-system:replicaset-controller       web   <none>
            demo   web-79c7f8477f-n8wdm   Deleted   0   2026-11-23 06:15:57   2026-11-23 06:16:05   8s    worker-3   scaled-or-rolled-out   system:serviceaccount:kube-system:replicaset-controller       web   <none>
        "#]],
    );
    shown(
        &[
            "pods",
            "web-0",
            "-o",
            "custom-columns=POD:.pod,APP:.labels.app,WHY:.ended_why",
        ],
        &expect![[r#"
            POD     APP   WHY
            web-0   web   deleted
            web-0   web   scaled-or-rolled-out
            web-0   web   force-deleted
            web-0   web   garbage-collected
        "#]],
    );
    shown(
        &[
            "pods",
            "web-0",
            "-o",
            r#"jsonpath={range .items[*]}{.namespace}/{.pod}{"\t"}{.ended_by}{"\n"}{end}"#,
        ],
        &expect![[r#"
            statefulset-38e/web-0	kubernetes-admin
            statefulset-38e/web-0	system:serviceaccount:kube-system:statefulset-controller
            statefulset-38e/web-0	kubernetes-admin
            statefulset-38e/web-0	system:serviceaccount:kube-system:generic-garbage-collector
        "#]],
    );
}

#[test]
fn colours_where_they_are_asked_for() {
    let colours = |when: &str| {
        let args = ["containers", "oom", "-n", "crash-3a2", "--color", when];
        let shown = said(&args).1;
        shown.matches("\u{1b}[31mOOMKilled\u{1b}[0m").count()
    };
    assert_eq!(colours("always"), 4);
    assert_eq!(colours("never"), 0);
    assert_eq!(colours("auto"), 0, "this is no terminal");
}

/// An event of this moment about a pod.
fn event(verb: &str, name: &str) -> String {
    let now = jiff::Timestamp::now();
    let mut metadata = json!({
        "name": name, "namespace": "shop", "creationTimestamp": format!("{now:.0}"),
        "resourceVersion": "101",
        "uid": format!("00000000-0000-4000-8000-00000000000{}", &name[name.len() - 1..]),
    });
    if verb == "delete" {
        let deadline = now + jiff::SignedDuration::from_secs(30);
        metadata["deletionTimestamp"] = format!("{deadline:.0}").into();
        metadata["deletionGracePeriodSeconds"] = 30.into();
    }
    let event = json!({
        "kind": "Event", "apiVersion": "audit.k8s.io/v1", "level": "RequestResponse",
        "auditID": format!("{verb}-{name}"), "stage": "ResponseComplete", "verb": verb,
        "requestURI": format!("/api/v1/namespaces/shop/pods/{name}"), "user": {"username": "alice"},
        "objectRef": {"resource": "pods", "namespace": "shop", "name": name, "apiVersion": "v1"},
        "responseStatus": {"code": 200}, "requestReceivedTimestamp": format!("{now:.6}"),
        "stageTimestamp": format!("{now:.6}"),
        "responseObject": {"kind": "Pod", "apiVersion": "v1", "metadata": metadata,
            "spec": {"nodeName": "n1", "containers": [{"name": "main"}]}, "status": {"phase": "Pending"}},
    });
    event.to_string()
}

#[test]
fn watch_shows_what_is_new_and_what_changes() {
    let bygone = Bygone::start();
    bygone.post_all([event("create", "web-0")]);
    let columns = "custom-columns=POD:.pod,ASKED:.delete_asked_by";
    let args = [
        "get",
        "pods",
        "-w",
        "--no-headers",
        "-o",
        columns,
        "--server",
    ];
    let mut watch = plain(BYGONE)
        .args(args)
        .arg(&bygone.api)
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let out = BufReader::new(watch.stdout.take().expect("a pipe"));
    let (line, lines) = sync_channel(10);
    std::thread::spawn(move || {
        for text in out.lines().map_while(Result::ok) {
            if line.send(text).is_err() {
                break;
            }
        }
    });
    let next = || lines.recv_timeout(Duration::from_secs(60)).expect("a line");
    assert_eq!(next(), "web-0   <none>");
    bygone.post_all([event("create", "web-1")]);
    assert_eq!(next(), "web-1   <none>");
    bygone.post_all([event("delete", "web-0")]);
    assert_eq!(next(), "web-0   alice");
    watch.kill().expect("it runs");
    watch.wait().expect("it ends");
    let refused = bygone.get(&["pods", "-w", "--at", "2026-11-23T06:15:00Z"]);
    assert_eq!(refused.status.code(), Some(64), "{}", stderr(&refused));
    let refused = bygone.get(&["pods", "-w", "-o", "json"]);
    assert_eq!(refused.status.code(), Some(64), "{}", stderr(&refused));
}

/// In the order in which they come, rows are printed before the last one came. (The newest come first and are printed last,
/// unless it is reversed.)
#[test]
fn rows_are_printed_as_they_come() {
    // More than is gathered before it is written.
    let pod = bygone::query::Pod {
        pod: "web-0".to_owned(),
        labels: [("long".to_owned(), "x".repeat(20_000))].into(),
        ..Default::default()
    };
    let row = serde_json::to_string(&pod).expect("JSON") + "\n";
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let (seen, is_seen) = sync_channel::<()>(1);
    std::thread::spawn(move || {
        let (mut client, _) = listener.accept().expect("a client");
        let mut head = [0; 4096];
        _ = client.read(&mut head).expect("a request");
        let answer =
            "HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nConnection: close\r\n\r\n";
        client.write_all(answer.as_bytes()).expect("written");
        client.write_all(row.as_bytes()).expect("written");
        // The rest follows when the row was read.
        _ = is_seen.recv_timeout(Duration::from_secs(60));
        _ = client.write_all(b"{\"end\":{\"more\":false,\"cursor\":null}}\n");
    });
    let server = format!("http://{address}");
    let args = [
        "get",
        "pods",
        "--reverse",
        "-o",
        "ndjson",
        "--server",
        &server,
    ];
    let mut get = plain(BYGONE)
        .args(args)
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut out = get.stdout.take().expect("a pipe");
    let (begun, has_begun) = sync_channel(1);
    let reading = std::thread::spawn(move || {
        let mut first = [0; 16];
        out.read_exact(&mut first).expect("the beginning of a row");
        begun.send(()).expect("somebody waits");
        std::io::read_to_string(out).expect("the rest")
    });
    let begun = has_begun.recv_timeout(Duration::from_secs(30));
    seen.send(()).expect("the server waits");
    assert!(begun.is_ok(), "nothing was printed before the end");
    assert!(get.wait().expect("it ends").success());
    assert_eq!(reading.join().expect("read").lines().count(), 1);
}

#[test]
fn shapes_that_do_not_fit() {
    let mut all = String::new();
    for args in [
        &["containers", "--show-labels"] as &[&str],
        &["pods", "-L", "app", "-o", "json"],
        &["pods", "--sort-by", "restart"],
        &["pods", "-o", "custom-columns=A:.name"],
        &["pods", "-o", "custom-columns=A"],
        &["pods", "-o", "jsonpath={.items[*"],
        &["pods", "-o", "tabel"],
    ] {
        let (code, out, err) = said(args);
        assert_eq!((code, &*out), (Some(64), ""), "{args:?}");
        all.push_str(&err);
    }
    expect![[r#"
        bygone: --show-labels and -L show labels of pods, and containers have none: use "bygone get pods"
        bygone: --show-labels and -L are columns of tables: use -o table or -o wide
        bygone: pods have no field "restart": use one of cluster, namespace, workload_kind, workload, pod, pod_uid, node, pod_ips, labels, service_account, created_at, created_by, scheduled_at, started_at, delete_asked_at, delete_asked_by, removed_at, over_at, gone_proof, phase, status_reason, ended_by, ended_why, ended_cause, containers, restarts, unknown
        bygone: pods have no field "name": use one of cluster, namespace, workload_kind, workload, pod, pod_uid, node, pod_ips, labels, service_account, created_at, created_by, scheduled_at, started_at, delete_asked_at, delete_asked_by, removed_at, over_at, gone_proof, phase, status_reason, ended_by, ended_why, ended_cause, containers, restarts, unknown
        bygone: invalid column "A": write it like POD:.pod: see "bygone help"
        bygone: jsonpath "{.items[*": a { is not closed: see "bygone help"
        bygone: unknown output format "tabel": use one of table, wide, json, yaml, csv, ndjson, name, custom-columns=, jsonpath=: see "bygone help"
    "#]].assert_eq(&all);
}

#[test]
fn exit_codes() {
    let code = |args: &[&str]| RECORDED.get(args).status.code();
    assert_eq!(code(&["pods"]), Some(0));
    assert_eq!(code(&["pods", "no-such-pod"]), Some(1));
    assert_eq!(
        stderr(&RECORDED.get(&["pods", "no-such-pod"])),
        "no pods found: searched all clusters, all namespaces, any time\nno pod \"no-such-pod\" in this scope\n"
    );
    assert_eq!(code(&["pods", "--at", "noon"]), Some(64));
}

#[test]
fn formats_agree() {
    let whole = all();
    let json: Value =
        serde_json::from_slice(&RECORDED.get(&["containers", "-o", "json"]).stdout).unwrap();
    assert_eq!(json["items"], Value::Array(whole.clone()));
    let lines = |format: &str| {
        stdout(&RECORDED.get(&["containers", "-o", format]))
            .lines()
            .count()
    };
    assert_eq!(lines("csv"), 233);
    assert_eq!(lines("table"), 233);
    assert_eq!(lines("wide"), 233);
    assert_eq!(lines("name"), 232);
    let names: Vec<&String> = whole[0].as_object().unwrap().keys().collect();
    let header = stdout(&RECORDED.get(&["containers", "-o", "csv"]));
    let mut header: Vec<&str> = header.lines().next().unwrap().split(',').collect();
    header.sort_unstable();
    assert_eq!(header, names);
}

/// The fields and their order are promised.
#[test]
fn fields_in_their_order() {
    let header = |what| {
        let text = stdout(&RECORDED.get(&[what, "-o", "csv"]));
        text.lines().next().unwrap().replace(',', " ")
    };
    assert_eq!(
        header("containers"),
        "cluster namespace workload_kind workload pod pod_uid container kind container_id runtime \
         image image_id node pod_ips restart started_at ended_at end_seen exit_code signal reason \
         pod_created_at pod_removed_at ended_by ended_why ended_cause config_hash unknown logs"
    );
    assert_eq!(
        header("sessions"),
        "cluster namespace pod kind container began_at over_at asked_by source via code audit_id id"
    );
    assert_eq!(
        header("pods"),
        "cluster namespace workload_kind workload pod pod_uid node pod_ips labels service_account \
         created_at created_by scheduled_at started_at delete_asked_at delete_asked_by removed_at \
         over_at gone_proof phase status_reason ended_by ended_why ended_cause containers restarts unknown"
    );
}

/// A ClickHouse that is asked directly says what the server says.
#[test]
fn directly_or_through_the_server() {
    let direct = |what| {
        run(&mut on_shared(
            &RECORDED.database,
            &["get", what, "--all", "-o", "ndjson"],
        ))
    };
    for what in ["containers", "pods", "sessions"] {
        let through = RECORDED.get(&[what, "-o", "ndjson"]);
        assert_eq!(stdout(&direct(what)), stdout(&through));
    }
}

/// A question without a time is about the last day, and says so; who names one life finds it whenever it was.
#[test]
fn without_a_time_the_last_day_is_searched() {
    let bare = |args: &[&str]| {
        let output = run(plain(BYGONE)
            .arg("get")
            .args(args)
            .args(["--server", &RECORDED.api]));
        let code = output.status.code().expect("a code");
        (code, stdout(&output).lines().count(), stderr(&output))
    };
    const SAID: &str = "only the last 24 hours were searched: use --all for all of the history\n";
    for what in ["pods", "containers", "sessions", "nodes", "namespaces"] {
        let (code, _, said) = bare(&[what]);
        assert_eq!(code, 1, "{what}: {said}");
        assert!(said.starts_with(&format!("no {what} found: ")), "{said}");
        assert!(said.contains(", since ") && said.ends_with(SAID), "{said}");
    }
    let (_, _, said) = bare(&["pods", "web-0"]);
    assert!(said.contains("outside the requested time"), "{said}");
    assert!(said.ends_with(SAID), "{said}");

    assert_eq!(
        bare(&["pods", "--all", "-o", "name"]),
        (0, 157, String::new())
    );
    let row = &RECORDED.rows(&["containers", "--limit", "1"])[0];
    let uid = row["pod_uid"].as_str().expect("a uid");
    let (code, _, said) = bare(&["pods", "--uid", uid]);
    assert_eq!((code, &*said), (0, ""));
    let id = row["container_id"].as_str().expect("an ID");
    let (code, _, said) = bare(&["containers", "--container-id", &id[..12]]);
    assert_eq!((code, &*said), (0, ""));

    let (code, _, said) = bare(&["pods", "--all", "--since", "1h"]);
    assert_eq!(code, 64, "{said}");
    assert!(
        said.contains("'--all' cannot be used with '--since"),
        "{said}"
    );
}

/// Without any address, the bygone that the data folder names is asked.
#[test]
fn the_running_one_is_found() {
    let folder = RECORDED.data_dir();
    let args = [
        "get",
        "pods",
        "--all",
        "-o",
        "name",
        "--data-dir",
        folder.to_str().unwrap(),
    ];
    let output = run(plain(BYGONE).args(args));
    assert_eq!(stdout(&output).lines().count(), 157, "{}", stderr(&output));
}

/// Status and body of a path of the API.
fn api(path: &str) -> (u16, String) {
    support::block_on(async {
        let request = support::client().get(format!("{}{path}", RECORDED.api));
        let mut response = request.send().await.expect("an answer");
        let mut text = Vec::new();
        while let Some(chunk) = response.chunk().await.expect("a body") {
            text.extend_from_slice(&chunk);
        }
        let text = String::from_utf8(text).expect("text");
        (response.status().as_u16(), text)
    })
}

#[test]
fn the_api_answers_json() {
    let (status, text) = api("/api/v1/pods?namespace=kube-system&limit=1");
    let answer: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(
        (status, answer["items"].as_array().unwrap().len()),
        (200, 1)
    );
    assert_eq!(answer["items"][0]["namespace"], "kube-system");
    // Fields that are asked for, and a filter by one that is not.
    let few = "/api/v1/containers?fields=container,pod&namespace=crash-3a2&image=cache&limit=1";
    let (status, text) = api(few);
    assert_eq!(status, 200, "{text}");
    assert!(
        text.contains("{\"container\":\"main\",\"pod\":\"crash\"}"),
        "{text}"
    );
    for (path, word) in [
        ("/api/v1/pods?namspace=x", "namspace"),
        ("/api/v1/pods?from=noon", "from"),
        ("/api/v1/pods?limit=1000001", "limit"),
        ("/api/v1/pods?limit=-1", "limit"),
        ("/api/v1/pods?workload=web", "kind/name"),
        ("/api/v1/pods?fields=pod,image", "unknown field"),
    ] {
        let (status, text) = api(path);
        assert_eq!(status, 400, "{path}: {text}");
        assert!(text.contains(word), "{path}: {text}");
    }
    assert_eq!(api("/api/v1/services").0, 404);
    assert_eq!(api("/livez"), (200, "ok\n".to_owned()));
    assert_eq!(api("/readyz"), (200, "ok\n".to_owned()));
    assert!(api("/metrics").1.contains("bygone_api_questions_total"));
}
