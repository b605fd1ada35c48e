//! `bygone get` on recording-a: filters, times, limits, formats, exit codes.

use std::sync::LazyLock;

use serde_json::Value;

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
fn limits_say_so_and_cursors_go_on() {
    let whole = all();
    let mut pages = Vec::new();
    let mut cursor: Option<String> = None;
    loop {
        let mut args = vec!["containers", "--limit", "50", "-o", "json"];
        args.extend(cursor.iter().flat_map(|cursor| ["--cursor", cursor]));
        let output = RECORDED.get(&args);
        let page: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        pages.extend(page["items"].as_array().expect("items").iter().cloned());
        assert_eq!(page["more"], !page["cursor"].is_null());
        assert_eq!(
            stderr(&output).contains("more follow"),
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
    let pods = rows(&["pods", "--limit", "3"]);
    assert_eq!(pods, rows(&["pods"])[..3]);
}

#[test]
fn exit_codes() {
    let code = |args: &[&str]| RECORDED.get(args).status.code();
    assert_eq!(code(&["pods"]), Some(0));
    assert_eq!(code(&["pods", "no-such-pod"]), Some(1));
    assert_eq!(
        stderr(&RECORDED.get(&["pods", "no-such-pod"])),
        "no pods found\n"
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
         pod_created_at pod_removed_at ended_by ended_why ended_cause unknown"
    );
    assert_eq!(
        header("sessions"),
        "cluster namespace pod kind container began_at over_at asked_by source via code audit_id id"
    );
    assert_eq!(
        header("pods"),
        "cluster namespace workload_kind workload pod pod_uid node pod_ips labels service_account \
         created_at created_by scheduled_at started_at delete_asked_at delete_asked_by removed_at \
         over_at gone_proof phase ended_by ended_why ended_cause containers restarts unknown"
    );
}

/// A ClickHouse that is asked directly says what the server says.
#[test]
fn directly_or_through_the_server() {
    let direct = |what| {
        run(&mut on_shared(
            &RECORDED.database,
            &["get", what, "-o", "ndjson"],
        ))
    };
    for what in ["containers", "pods", "sessions"] {
        let through = RECORDED.get(&[what, "-o", "ndjson"]);
        assert_eq!(stdout(&direct(what)), stdout(&through));
    }
}

/// Without any address, the bygone that the data folder names is asked.
#[test]
fn the_running_one_is_found() {
    let folder = RECORDED.data_dir();
    let args = [
        "get",
        "pods",
        "-o",
        "name",
        "--data-dir",
        folder.to_str().unwrap(),
    ];
    let output = run(plain(BYGONE).args(args));
    assert_eq!(stdout(&output).lines().count(), 157, "{}", stderr(&output));
}

#[test]
fn the_api_answers_json() {
    let get = |path: &str| {
        support::block_on(async {
            let mut response = support::client()
                .get(format!("{}{path}", RECORDED.api))
                .send()
                .await
                .expect("an answer");
            let mut text = Vec::new();
            while let Some(chunk) = response.chunk().await.expect("a body") {
                text.extend_from_slice(&chunk);
            }
            (
                response.status().as_u16(),
                String::from_utf8(text).expect("text"),
            )
        })
    };
    let (status, text) = get("/api/v1/pods?namespace=kube-system&limit=1");
    let answer: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(
        (status, answer["items"].as_array().unwrap().len()),
        (200, 1)
    );
    assert_eq!(answer["items"][0]["namespace"], "kube-system");
    // Fields that are asked for, and a filter by one that is not.
    let few = "/api/v1/containers?fields=container,pod&namespace=crash-3a2&image=cache&limit=1";
    let (status, text) = get(few);
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
        ("/api/v1/pods?fields=pod,image", "no field"),
    ] {
        let (status, text) = get(path);
        assert_eq!(status, 400, "{path}: {text}");
        assert!(text.contains(word), "{path}: {text}");
    }
    assert_eq!(get("/api/v1/nodes").0, 404);
    assert_eq!(get("/livez"), (200, "ok\n".to_owned()));
    assert_eq!(get("/readyz"), (200, "ok\n".to_owned()));
    assert!(get("/metrics").1.contains("bygone_api_questions_total"));
}
