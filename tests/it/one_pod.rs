//! One pod, made by somebody with ordinary rights, must not stop the work for all: it is answered as far as it can be,
//! and others are stored, asked about and filed as ever.
//!
//!     BYGONE_REFUSALS=120000 cargo test --release --test it one_pod:: -- --nocapture

use serde_json::{Value, json};

use crate::support::{self, Bygone, alone, on_shared, run, setting, stderr};

fn event(verb: &str, name: &str, part: &str, at: i64) -> Value {
    let subresource = if part.is_empty() {
        String::new()
    } else {
        format!("/{part}")
    };
    json!({
        "level": "RequestResponse", "auditID": format!("{name}-{at}"), "stage": "ResponseComplete", "verb": verb,
        "requestURI": format!("/api/v1/namespaces/n/pods/{name}{subresource}"),
        "user": {"username": "mallory", "groups": ["system:authenticated"]},
        "objectRef": {"resource": "pods", "namespace": "n", "name": name, "apiVersion": "v1", "subresource": part},
        "responseStatus": {"code": 200},
        "stageTimestamp": time(at),
    })
}

fn time(micros: i64) -> String {
    jiff::Timestamp::from_microsecond(micros)
        .unwrap()
        .to_string()
}

const SECOND: i64 = 1_000_000;

fn uid(number: u64) -> String {
    format!("00000000-0000-4000-8000-{number:012x}")
}

fn pod(name: &str, number: u64, created: i64, status: Value) -> Value {
    json!({"kind": "Pod", "metadata": {"name": name, "namespace": "n", "uid": uid(number), "resourceVersion": "7",
        "creationTimestamp": time(created / SECOND * SECOND)}, "spec": {"nodeName": "node-1"}, "status": status})
}

fn created(name: &str, number: u64, at: i64) -> Value {
    let mut event = event("create", name, "", at);
    event["responseStatus"]["code"] = json!(201);
    event["responseObject"] = pod(name, number, at, json!({"phase": "Pending"}));
    event
}

fn status(name: &str, number: u64, at: i64, status: Value) -> Value {
    let mut event = event("patch", name, "status", at);
    event["responseObject"] = pod(name, number, at, status);
    event
}

/// A container that ended in each of so many months, as whoever may write `pods/status` can say.
fn of_all_months(months: i64, at: i64) -> Value {
    let statuses = (0..months).map(|month| {
        let ended = at - (month + 1) * 30 * 86_400 * SECOND;
        json!({"name": format!("c{month}"), "containerID": format!("containerd://{month:064x}"), "restartCount": 0,
            "state": {"terminated": {"containerID": format!("containerd://{month:064x}"), "exitCode": 0,
                "startedAt": time(ended - SECOND), "finishedAt": time(ended)}}})
    });
    json!({"phase": "Succeeded", "containerStatuses": statuses.collect::<Vec<_>>()})
}

fn list(events: &[Value]) -> String {
    json!({"kind": "EventList", "apiVersion": "audit.k8s.io/v1", "items": events}).to_string()
}

/// A pod whose containers are of 150 months; one whose owner's name takes a megabyte, with two thousand labels; one
/// with a number and a time that can't be; one whose name many accounts ask for again and again before it is created.
fn odd_pods(now: i64) -> Vec<String> {
    let begin = now - 3_600 * SECOND;
    let mut removed = event("delete", "months", "", now - 60 * SECOND);
    removed["responseObject"] = pod("months", 1, begin, json!({"phase": "Succeeded"}));
    let metadata = &mut removed["responseObject"]["metadata"];
    metadata["deletionTimestamp"] = json!(time(now));
    metadata["deletionGracePeriodSeconds"] = json!(0);
    let months = of_all_months(150, begin);
    let months = status("months", 1, begin + SECOND, months);
    let mut bodies = vec![list(&[created("months", 1, begin), months, removed])];

    let mut long = created("long", 2, begin);
    let metadata = &mut long["responseObject"]["metadata"];
    let name = "\u{7}".repeat(1_300_000);
    metadata["ownerReferences"] = json!([{"kind": "Job", "name": name, "controller": true}]);
    let labels = (0..2_000).map(|number| (format!("l{number}"), json!("v")));
    metadata["labels"] = Value::Object(labels.collect());
    bodies.push(list(&[long]));

    let odd = json!({"name": "main", "containerID": "containerd://aa", "restartCount": -1,
        "state": {"running": {"startedAt": "9999-12-31T23:59:59Z"}}});
    let odd = json!({"phase": "Running", "containerStatuses": [odd]});
    let odd = status("odd", 3, begin + SECOND, odd);
    bodies.push(list(&[created("odd", 3, begin), odd]));

    let refused = |number: u64| {
        let mut refused = event("delete", "asked-for", "", begin + number as i64 * 10_000);
        refused["responseStatus"]["code"] = json!(404);
        refused["user"]["username"] = json!(format!("mallory-{number}"));
        refused
    };
    // The same of requests that were granted, of which no answer was recorded.
    let granted = |number: u64| {
        let mut granted = refused(number);
        granted["responseStatus"]["code"] = json!(200);
        granted["level"] = json!("Metadata");
        granted
    };
    let all: Vec<Value> = (0..setting("BYGONE_REFUSALS", 5_000))
        .map(refused)
        .collect();
    bodies.extend(all.chunks(1_000).map(list));
    let all: Vec<Value> = (0..5_000).map(granted).collect();
    bodies.extend(all.chunks(1_000).map(list));
    bodies.push(list(&[created("asked-for", 4, now - SECOND)]));
    bodies
}

#[test]
fn others_go_on() {
    let _alone = alone();
    let bygone = Bygone::start();
    let now = jiff::Timestamp::now().as_microsecond();
    let good = (0..20).map(|number| {
        list(&[created(
            &format!("good-{number}"),
            100 + number,
            now - SECOND,
        )])
    });
    bygone.post_all(odd_pods(now).into_iter().chain(good));
    check(&bygone, "at once");
    // Ten thousand accounts spoke of it, within a minute or two: what is kept grows with the time, not with them.
    let said = "SELECT count() FROM said FINAL WHERE name = 'asked-for'";
    let seconds = setting("BYGONE_REFUSALS", 5_000) / 100;
    let said = support::number(&bygone.database, said);
    assert!((50..=60 + seconds / 60).contains(&said), "{said} rows");
    let later = jiff::Timestamp::now() + jiff::SignedDuration::from_mins(40);
    let later = later.to_string();
    for _ in 0..2 {
        let outcome = run(&mut on_shared(
            &bygone.database,
            &["reconcile", "--clock", &later],
        ));
        let code = outcome.status.code();
        assert!(matches!(code, Some(0 | 1)), "{}", stderr(&outcome));
    }
    let filed = "SELECT count() FROM ended_pods FINAL WHERE pod = 'months'";
    assert_eq!(support::number(&bygone.database, filed), 1);
    check(&bygone, "when it was filed");
}

fn check(bygone: &Bygone, when: &str) {
    let rows = bygone.rows(&["pods", "-n", "n", "--limit", "1000"]);
    let of = |name: &str| {
        let row = rows.iter().find(|row| row["pod"] == name);
        row.unwrap_or_else(|| panic!("{name}: {when}"))
    };
    for number in 0..20 {
        assert_eq!(of(&format!("good-{number}"))["removed_at"], Value::Null);
    }
    for name in ["long", "odd"] {
        let unknown = of(name)["unknown"].to_string();
        assert!(unknown.contains("truncated"), "{name}: {unknown}");
        assert_eq!(of(name)["removed_at"], Value::Null, "{name}");
    }
    assert!(of("long")["workload"].as_str().expect("text").len() <= 1_024);
    assert_ne!(of("months")["removed_at"], Value::Null);
    let unknown = of("asked-for")["unknown"].to_string();
    assert!(!unknown.contains("removal unseen"), "{when}");
    let instances = bygone.rows(&["containers", "--uid", &uid(1), "--limit", "1000"]);
    assert_eq!(instances.len(), 150, "{when}");
    let alive = bygone.rows(&["containers", "--uid", &uid(3)]);
    assert_eq!(alive[0]["ended_at"], Value::Null, "{when}: {alive:?}");
}
