//! What can be asked for on recording-a, and how: each filter against the rows that it must find, on the command line and
//! by the API.

use serde_json::{Value, json};

use crate::get::RECORDED;
use crate::support::{self, Bygone, stderr, stdout};

pub fn rows(args: &[&str]) -> Vec<Value> {
    sorted(RECORDED.rows(args))
}

/// In an order that is none of an answer's: here only what is found counts.
fn sorted(mut rows: Vec<Value>) -> Vec<Value> {
    rows.sort_by_cached_key(Value::to_string);
    rows
}

pub fn text<'r>(row: &'r Value, field: &str) -> &'r str {
    row[field].as_str().unwrap_or_default()
}

/// Status and body.
fn api_get(path: &str) -> (u16, String) {
    support::block_on(async {
        let url = format!("{}{path}", RECORDED.api);
        let mut response = support::client().get(url).send().await.expect("an answer");
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.expect("a body") {
            body.extend_from_slice(&chunk);
        }
        (
            response.status().as_u16(),
            String::from_utf8(body).expect("text"),
        )
    })
}

/// The same question to the API: its rows.
pub fn api_rows(what: &str, query: &[(&str, &str)]) -> Vec<Value> {
    let query: String = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(query)
        .append_pair("limit", "1000000")
        .finish();
    let (status, text) = api_get(&format!("/api/v1/{what}?{query}"));
    assert_eq!(status, 200, "{text}");
    let answer: Value = serde_json::from_str(&text).expect("JSON");
    sorted(answer["items"].as_array().expect("items").clone())
}

/// A filter finds what belongs, which is some and not all, on both surfaces.
fn check(what: &str, parameter: &str, value: &str, belongs: impl Fn(&Value) -> bool) {
    let all = rows(&[what]);
    let expected: Vec<Value> = all.iter().filter(|row| belongs(row)).cloned().collect();
    assert!(
        !expected.is_empty() && expected.len() < all.len(),
        "{what} {parameter} {value} proves nothing: {} of {}",
        expected.len(),
        all.len()
    );
    let flag = format!("--{}={value}", parameter.replace('_', "-"));
    assert_eq!(rows(&[what, &flag]), expected, "{what} {flag}");
    assert_eq!(
        api_rows(what, &[(parameter, value)]),
        expected,
        "{what} {parameter}={value}"
    );
}

#[test]
fn how_containers_ended() {
    let check = |parameter: &str, value: &str, belongs: &dyn Fn(&Value) -> bool| {
        check("containers", parameter, value, belongs);
    };
    let code = |row: &Value| row["exit_code"].as_i64();
    check("reason", "Completed", &|row| {
        text(row, "reason") == "Completed"
    });
    check("reason", "OOM*,Err?r", &|row| {
        ["OOMKilled", "Error"].contains(&text(row, "reason"))
    });
    check("exit_code", "137", &|row| code(row) == Some(137));
    check("exit_code", "137,143", &|row| {
        [Some(137), Some(143)].contains(&code(row))
    });
    check("exit_code", "!=0", &|row| {
        code(row).is_some_and(|code| code != 0)
    });
    check("exit_code", ">=1,<137", &|row| {
        code(row).is_some_and(|code| (1..137).contains(&code))
    });
    check("restarts", ">0", &|row| row["restart"].as_i64() > Some(0));
    check("state", "ended", &|row| !row["ended_at"].is_null());
    check("why", "exited", &|row| text(row, "ended_why") == "exited");
    let all = rows(&["containers"]);
    check("why", "deleted,Namespace-Deleted", &|row| {
        ["deleted", "namespace-deleted"].contains(&text(row, "ended_why"))
    });
    let failed = rows(&["containers", "--state", "failed"]);
    assert!(!failed.is_empty());
    for row in &failed {
        let is_oom = text(row, "reason") == "OOMKilled";
        let nobody_asked =
            ["exited", "node-pressure", "deadline-exceeded"].contains(&text(row, "ended_why"));
        assert!(is_oom || code(row) > Some(0) && nobody_asked, "{row}");
    }
    let exited_badly = |row: &&Value| text(row, "ended_why") == "exited" && code(row) > Some(0);
    assert!(
        all.iter()
            .filter(exited_badly)
            .all(|row| failed.contains(row))
    );
}

/// Whether one of the accounts, or of the two of an impersonation, is this.
fn is_by(row: &Value, fields: &[&str], account: &str) -> bool {
    let accounts = fields.iter().map(|field| text(row, field));
    accounts
        .flat_map(|text| text.split(" as "))
        .any(|it| it == account)
}

#[test]
fn how_pods_ended_and_who_asked() {
    let check = |parameter: &str, value: &str, belongs: &dyn Fn(&Value) -> bool| {
        check("pods", parameter, value, belongs);
    };
    let asked = ["ended_by", "ended_cause", "delete_asked_by"];
    let all = rows(&["pods"]);
    let by = all.iter().map(|row| text(row, "ended_by"));
    let by = by
        .filter(|by| !by.is_empty() && !by.contains(" as "))
        .max()
        .expect("somebody");
    check("by", by, &|row| is_by(row, &asked, by));
    check("by", "system:serviceaccount:*", &|row| {
        let accounts = asked
            .iter()
            .flat_map(|field| text(row, field).split(" as "));
        accounts
            .into_iter()
            .any(|by| by.starts_with("system:serviceaccount:"))
    });
    let creator = text(&all[0], "created_by");
    check("created_by", creator, &|row| {
        is_by(row, &["created_by"], creator)
    });
    check("restarts", ">0", &|row| row["restarts"].as_u64() > Some(0));
    for pod in rows(&["pods", "--state", "failed"]) {
        assert_eq!(text(&pod, "phase"), "Failed", "{pod}");
        assert_ne!(text(&pod, "ended_why"), "deleted", "{pod}");
    }
    // What their containers ended with.
    let of = |args: &[&str]| -> std::collections::BTreeSet<String> {
        let containers = rows(&[&["containers"], args].concat());
        containers
            .iter()
            .map(|row| text(row, "pod_uid").to_owned())
            .collect()
    };
    let with_137 = of(&["--exit-code", "137"]);
    check("exit_code", "137", &|row| {
        with_137.contains(text(row, "pod_uid"))
    });
    let with_error = of(&["--reason", "Error"]);
    check("reason", "Error", &|row| {
        with_error.contains(text(row, "pod_uid"))
    });
    let both = of(&["--reason", "Error", "--exit-code", "1"]);
    let found = rows(&["pods", "--reason", "Error", "--exit-code", "1"]);
    assert!(!both.is_empty());
    assert_eq!(found.len(), both.len());
}

/// Containers are found by what their pods are.
#[test]
fn containers_by_their_pods() {
    let creator = rows(&["pods"])[0]["created_by"]
        .as_str()
        .expect("one")
        .to_owned();
    for flag in [
        format!("--created-by={creator}"),
        "--service-account=default".to_owned(),
    ] {
        let pods = rows(&["pods", &flag]);
        let mut expected = rows(&["containers"]);
        expected.retain(|row| pods.iter().any(|pod| pod["pod_uid"] == row["pod_uid"]));
        assert!(!expected.is_empty(), "{flag}");
        assert_eq!(rows(&["containers", &flag]), expected, "{flag}");
    }
}

/// So many seconds ago.
fn ago(seconds: i64) -> jiff::Timestamp {
    jiff::Timestamp::now() - jiff::SignedDuration::from_secs(seconds)
}

/// A request about a pod, so many seconds ago.
fn event(seconds: i64, (verb, user): (&str, &str), pod: &Value) -> Value {
    let now = format!("{:.6}", ago(seconds));
    let subresource = if verb == "patch" { "status" } else { "" };
    let name = &pod["metadata"]["name"];
    json!({
        "level": "RequestResponse", "auditID": uuid::Uuid::new_v4(), "stage": "ResponseComplete", "verb": verb,
        "requestURI": "/api/v1/namespaces/shop/pods", "user": {"username": user}, "sourceIPs": ["192.0.2.1"],
        "objectRef": {"resource": "pods", "namespace": "shop", "name": name, "apiVersion": "v1", "subresource": subresource},
        "responseStatus": {"metadata": {}, "code": 200}, "requestReceivedTimestamp": now, "stageTimestamp": now,
        "responseObject": pod,
    })
}

/// A pod in a phase, and the state of its only container.
fn pod(name: &str, version: u32, phase: &str, state: &Value) -> Value {
    let began = format!("{:.0}", ago(60));
    let statuses = match state {
        Value::Null => json!([]),
        state => {
            json!([{"name": "main", "containerID": format!("containerd://{:064x}", name.len()), "image": "web:1",
            "imageID": "", "restartCount": 0, "ready": false, "state": state}])
        }
    };
    let number = name.len();
    json!({
        "kind": "Pod", "apiVersion": "v1",
        "metadata": {"name": name, "namespace": "shop", "uid": format!("77777777-0000-4000-8000-{number:012}"),
            "resourceVersion": version.to_string(), "creationTimestamp": began},
        "spec": {"nodeName": "worker-1", "serviceAccountName": "shop", "containers": [{"name": "main"}]},
        "status": {"phase": phase, "startTime": began, "containerStatuses": statuses},
    })
}

/// The state is that of now. A pod that was stopped has not failed, whatever its process exited with.
#[test]
fn states() {
    let at = |seconds| format!("{:.0}", ago(seconds));
    let ended = |code: u8| json!({"terminated": {"exitCode": code, "reason": "Error", "startedAt": at(50), "finishedAt": at(1)}});
    let running = json!({"running": {"startedAt": at(50)}});
    let mut stopped = pod("stopped", 2, "Running", &running);
    stopped["metadata"]["deletionTimestamp"] = json!(at(-10));
    stopped["metadata"]["deletionGracePeriodSeconds"] = json!(30);
    let mut over = pod("stopped", 3, "Failed", &ended(143));
    over["metadata"] = stopped["metadata"].clone();
    over["metadata"]["resourceVersion"] = json!("3");
    let (alice, kubelet) = (("create", "alice"), ("patch", "system:node:worker-1"));
    let new = |name: &str| event(55, alice, &pod(name, 1, "Pending", &Value::Null));
    let events = [
        new("waits"),
        new("runs"),
        new("breaks"),
        new("stopped"),
        event(45, kubelet, &pod("runs", 2, "Running", &running)),
        event(20, ("delete", "alice"), &stopped),
        event(0, kubelet, &pod("breaks", 2, "Failed", &ended(1))),
        event(0, kubelet, &over),
    ];
    let bygone = Bygone::start();
    bygone.post_all([events
        .iter()
        .map(Value::to_string)
        .collect::<Vec<_>>()
        .join("\n")]);
    let names = |args: &[&str]| {
        let mut names: Vec<String> = bygone
            .rows(args)
            .iter()
            .map(|row| text(row, "pod").to_owned())
            .collect();
        names.sort();
        names.join(" ")
    };
    let mut lines = String::new();
    for args in [
        &["pods"] as &[&str],
        &["pods", "--state", "pending"],
        &["pods", "--state", "running"],
        &["pods", "--state", "ended"],
        &["pods", "--state", "failed"],
        &["containers", "--state", "running"],
        &["containers", "--state", "ended"],
        &["containers", "--state", "failed"],
        &["pods", "--service-account", "sh?p"],
        &["containers", "--service-account", "other"],
    ] {
        lines += &format!("{}: {}\n", args.join(" "), names(args));
    }
    expect_test::expect![[r#"
        pods: breaks runs stopped waits
        pods --state pending: waits
        pods --state running: runs
        pods --state ended: breaks stopped
        pods --state failed: breaks
        containers --state running: runs
        containers --state ended: breaks stopped
        containers --state failed: breaks
        pods --service-account sh?p: breaks runs stopped waits
        containers --service-account other: 
    "#]]
    .assert_eq(&lines);
}

#[test]
fn names_with_wildcards_and_namespaces() {
    let all = rows(&["containers"]);
    let check = |name: &str, belongs: &dyn Fn(&Value) -> bool| {
        let expected: Vec<&Value> = all.iter().filter(|row| belongs(row)).collect();
        assert!(
            !expected.is_empty() && expected.len() < all.len(),
            "{name} proves nothing"
        );
        assert_eq!(
            rows(&["containers", name]).iter().collect::<Vec<_>>(),
            expected,
            "{name}"
        );
    };
    check("*-0", &|row| text(row, "pod").ends_with("-0"));
    check("w?b-*", &|row| text(row, "pod").starts_with("web-"));
    let one = all
        .iter()
        .find(|row| text(row, "pod") == "web-0")
        .expect("web-0");
    let namespace = text(one, "namespace");
    let is_it = |row: &Value| text(row, "namespace") == namespace;
    check(&format!("{namespace}/web-0"), &|row| {
        is_it(row) && text(row, "pod") == "web-0"
    });
    check(&format!("{namespace}/*"), &is_it);
    // What -o name prints can be asked for again.
    for what in ["pods", "containers"] {
        let names = stdout(&RECORDED.get(&[what, "-n", namespace, "-o", "name"]));
        let args: Vec<&str> = [what].into_iter().chain(names.lines()).collect();
        assert_eq!(rows(&args), rows(&[what, "-n", namespace]));
    }
}

#[test]
fn workloads_in_every_spelling() {
    let pods = rows(&["pods"]);
    let of_deployment = |row: &&Value| text(row, "workload_kind") == "Deployment";
    let workload = text(pods.iter().find(of_deployment).expect("one"), "workload");
    let expected = rows(&["pods", "--workload", &format!("deploy/{workload}")]);
    assert!(!expected.is_empty() && expected.len() < pods.len());
    for kind in [
        "deployment",
        "deployments",
        "Deployment",
        "deployment.apps",
        "deployments.v1.apps",
    ] {
        assert_eq!(
            rows(&["pods", "--workload", &format!("{kind}/{workload}")]),
            expected,
            "{kind}"
        );
    }
    // A ReplicaSet is named after its Deployment, and its pods after it.
    let of_one = |row: &&Value| of_deployment(row) && text(row, "workload") == workload;
    let pod = text(pods.iter().find(of_one).expect("one"), "pod");
    let (replica_set, _) = pod.rsplit_once('-').expect("a suffix");
    let expected: Vec<&Value> = pods
        .iter()
        .filter(|row| text(row, "pod").starts_with(&format!("{replica_set}-")))
        .collect();
    let found = rows(&["pods", "--workload", &format!("rs/{replica_set}")]);
    assert_eq!(found.iter().collect::<Vec<_>>(), expected);
    let containers = rows(&["containers", "--workload", &format!("rs/{replica_set}")]);
    assert!(!containers.is_empty());
    assert!(
        containers
            .iter()
            .all(|row| text(row, "pod").starts_with(replica_set))
    );
}

#[test]
fn what_cannot_be_asked() {
    let mut lines = String::new();
    for args in [
        &["pods", "--workload", "deplyoment/web"] as &[&str],
        &["pods", "--workload", "svc/web"],
        &["pods", "--container-id", "web/0"],
        &["pods", "--ip", "10.0.3.17/24"],
        &["pods", "--uid", "7"],
        &["pods", "a/b/c/d"],
        &["pods", "shop/web-0/app"],
        &["pods", "--state", "dead"],
        &["pods", "--exit-code", "high"],
        &["pods", "--by", ""],
        &["pods", "--user", "alice"],
        &["containers", "--state", "pending"],
        &["sessions", "--by", "alice"],
        &["sessions", "--exit-code", "1"],
    ] {
        let output = RECORDED.get(args);
        assert_eq!(output.status.code(), Some(64), "{args:?}");
        lines += &stderr(&output);
    }
    expect_test::expect![[r#"
        bygone: --workload: unknown kind "deplyoment": did you mean deployment? write a custom kind as in its manifest (Rollout/web) or with its group (rollouts.argoproj.io/web)
        bygone: --workload: "svc" is not a kind that owns pods: use one like deploy, sts, ds, job or rs
        bygone: --container-id: invalid container ID "web/0": use its hex digits, or the first of them
        bygone: --ip: invalid IP address "10.0.3.17/24": use one like 10.0.3.17
        bygone: --uid: invalid uid "7": use the UUID of a pod
        bygone: NAME: invalid name "a/b/c/d": use POD, NAMESPACE/POD or NAMESPACE/POD/CONTAINER, with * and ? as wildcards
        bygone: pods cannot be filtered by the name of a container
        bygone: --state: invalid state "dead": use running, ended, failed or pending
        bygone: --exit-code: invalid number "high": use 137, 137,143, !=0 or '>3'
        bygone: --by: must not be empty
        bygone: pods cannot be filtered by user
        bygone: containers cannot be filtered by state pending
        bygone: sessions cannot be filtered by who requested an end: use user
        bygone: sessions cannot be filtered by exit_code
    "#]].assert_eq(&lines);
    let said = stderr(&RECORDED.get(&["pods", "--why", "bored"]));
    assert!(
        said.starts_with("bygone: --why: unknown word \"bored\": use exited, "),
        "{said}"
    );
    for query in [
        "workload=svc/web",
        "container_id=web/0",
        "exit_code=high",
        "state=dead",
        "user=x",
    ] {
        let (status, text) = api_get(&format!("/api/v1/pods?{query}"));
        assert_eq!(status, 400, "{query}: {text}");
    }
}

/// Each question, and what is on stderr, where nothing is found.
fn nothing_found(questions: &[&str]) -> String {
    let mut lines = String::new();
    for question in questions {
        let output = RECORDED.get(&question.split(' ').collect::<Vec<_>>());
        assert_eq!(output.status.code(), Some(1), "{question}");
        lines += &format!("{question}\n");
        for line in stderr(&output).lines() {
            lines += &format!("    {line}\n");
        }
    }
    lines
}

/// An empty answer says what was searched, and which names are not known there.
#[test]
fn names_that_are_not_known() {
    let said = nothing_found(&[
        "pods --cluster dmeo",
        "pods --cluster prod",
        "pods -n kube-sytem",
        "pods -n demo,kube-sytem --at 2026-11-23T06:15:30Z --zone UTC",
        "containers --node worker-33",
        "pods web0",
        "pods wbe-* -n statefulset-38e",
        "pods nowhere/web-0",
        "pods --workload deploy/wbe -n statefulset-38e",
        "pods --image ngnix",
    ]);
    expect_test::expect![[r#"
        pods --cluster dmeo
            no pods found: searched cluster dmeo, all namespaces, any time
            no cluster "dmeo"; similar: demo
        pods --cluster prod
            no pods found: searched cluster prod, all namespaces, any time
            no cluster "prod"; known: demo
        pods -n kube-sytem
            no pods found: searched all clusters, namespace kube-sytem, any time
            no namespace "kube-sytem" in this scope; similar: kube-system
        pods -n demo,kube-sytem --at 2026-11-23T06:15:30Z --zone UTC
            no pods found: searched all clusters, namespaces demo, kube-sytem, at 2026-11-23 06:15:30 (UTC)
            no namespace "demo" in this scope
            no namespace "kube-sytem" in this scope; similar: kube-system
        containers --node worker-33
            no containers found: searched all clusters, all namespaces, any time
            no node "worker-33" in this scope; similar: worker-3, worker-0, worker-1, worker-2, worker-4
        pods web0
            no pods found: searched all clusters, all namespaces, any time
            no pod "web0" in this scope; similar: web-0, web-1, web-2
        pods wbe-* -n statefulset-38e
            no pods found: searched all clusters, namespace statefulset-38e, any time
            no pod "wbe-*" in this scope; similar: web-0, web-1, web-2
        pods nowhere/web-0
            no pods found: searched all clusters, all namespaces, any time
            no namespace "nowhere" in this scope
        pods --workload deploy/wbe -n statefulset-38e
            no pods found: searched all clusters, namespace statefulset-38e, any time
            no workload "deployment/wbe" in this scope; similar: StatefulSet/web
        pods --image ngnix
            no pods found: searched all clusters, all namespaces, any time
            no image "ngnix" in this scope; similar: docker.io/library/nginx:1.27.3, docker.io/library/nginx:1.27.4
    "#]]
    .assert_eq(&said);
    let hints = |query: &str| {
        let (_, answer) = api_get(&format!("/api/v1/pods?{query}"));
        let answer: Value = serde_json::from_str(&answer).expect("JSON");
        answer["hints"].clone()
    };
    assert_eq!(
        hints("cluster=dmeo"),
        json!(["no cluster \"dmeo\"; similar: demo"])
    );
    assert_eq!(hints("cluster=demo&limit=1&fields=pod"), Value::Null);
}

/// What is known, and was not there then, or does not fit the rest of the question.
#[test]
fn names_that_are_known() {
    let said = nothing_found(&[
        "pods web-0 --to 2026-11-23T06:00:00Z --zone Europe/Berlin",
        "pods web-0 --from 2026-11-24T06:00:00Z --to 2026-11-24T07:00:00Z --zone UTC",
        "sessions web0",
        "pods web-0 --ip 192.0.2.77",
    ]);
    expect_test::expect![[r#"
        pods web-0 --to 2026-11-23T06:00:00Z --zone Europe/Berlin
            no pods found: searched all clusters, all namespaces, before 2026-11-23 07:00:00 (Europe/Berlin)
            pod "web-0" is known from 2026-11-23T06:15:08Z to 2026-11-23T06:15:38Z, outside the requested time
        pods web-0 --from 2026-11-24T06:00:00Z --to 2026-11-24T07:00:00Z --zone UTC
            no pods found: searched all clusters, all namespaces, from 2026-11-24 06:00:00 to 2026-11-24 07:00:00 (UTC)
            pod "web-0" is known from 2026-11-23T06:15:08Z to 2026-11-23T06:15:38Z, outside the requested time
        sessions web0
            no sessions found: searched all clusters, all namespaces, any time
            no pod "web0" in this scope; similar: web-0, web-1, web-2
        pods web-0 --ip 192.0.2.77
            no pods found: searched all clusters, all namespaces, any time
            no pod with the address "192.0.2.77" in this scope
    "#]]
    .assert_eq(&said);
}
