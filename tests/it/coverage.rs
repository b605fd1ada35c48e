//! `bygone coverage`: what came and what is missing, from recordings of a real API server.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::{Value, json};

use crate::support::{self, BYGONE, Bygone, plain, run, stderr, stdout};

/// Long enough to reach the recordings.
const SINCE: &str = "390d";

/// Counts are about right: so far off, in thousandths.
const OFF_MAX: u64 = 20;

fn bodies(folder: &Path) -> Vec<String> {
    let text = support::read(folder, "bodies.jsonl");
    text.lines().map(str::to_owned).collect()
}

fn ask(bygone: &Bygone, args: &[&str]) -> (i32, String) {
    let output = run(plain(BYGONE)
        .args(["coverage", "--since", SINCE, "--server", &bygone.api])
        .args(args));
    let told = stdout(&output) + &stderr(&output);
    (output.status.code().unwrap(), told)
}

fn days(bygone: &Bygone) -> Vec<Value> {
    let (code, told) = ask(bygone, &["-o", "json"]);
    assert_eq!(code, 0, "{told}");
    let mut answer: Value = serde_json::from_str(&told).unwrap();
    serde_json::from_value(answer["items"].take()).unwrap()
}

/// Different events by what they are about, level and stage, counted by hand.
fn counted(bodies: &[String]) -> BTreeMap<[String; 3], u64> {
    let mut ids = BTreeSet::new();
    let mut counts = BTreeMap::new();
    for body in bodies {
        let list: Value = serde_json::from_str(body).unwrap();
        for event in list["items"].as_array().unwrap() {
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let [level, stage] = ["level", "stage"].map(|key| text(&event[key]));
            if !ids.insert((text(&event["auditID"]), stage.clone())) {
                continue;
            }
            let of = &event["objectRef"];
            let writes = ["create", "update", "patch", "delete", "deletecollection"];
            let sessions = ["exec", "attach", "portforward", "proxy", "log"];
            let is_write = writes.contains(&&*text(&event["verb"]));
            let about = if of["resource"] == "pods"
                && is_write
                && !sessions.contains(&&*text(&of["subresource"]))
            {
                "pods"
            } else if text(&of["name"]).starts_with("apiserver-")
                && event["user"]["username"] == "system:apiserver"
                && matches!(&*text(&event["verb"]), "create" | "update")
            {
                "heartbeat"
            } else {
                "other"
            };
            *counts.entry([about.to_owned(), level, stage]).or_default() += 1;
        }
    }
    counts
}

fn told(day: &Value) -> BTreeMap<[String; 3], u64> {
    let events = day["events"].as_array().unwrap().iter();
    let counts = events.map(|one| {
        let key = ["about", "level", "stage"].map(|key| one[key].as_str().unwrap().to_owned());
        (key, one["events"].as_u64().unwrap())
    });
    counts.collect()
}

fn about_right(told: &BTreeMap<[String; 3], u64>, counted: &BTreeMap<[String; 3], u64>) {
    let keys = |counts: &BTreeMap<[String; 3], u64>| counts.keys().cloned().collect::<Vec<_>>();
    assert_eq!(keys(told), keys(counted));
    for (key, count) in counted {
        let off = told[key].abs_diff(*count) * 1000 / count;
        assert!(off <= OFF_MAX, "{key:?}: {} for {count}", told[key]);
    }
}

fn whys(day: &Value) -> Vec<&str> {
    let advice = day["advice"].as_array().unwrap().iter();
    advice.map(|one| one["why"].as_str().unwrap()).collect()
}

#[test]
fn a_full_recording_sent_once_and_again() {
    let bodies = bodies(&support::recording_a());
    let bygone = Bygone::start();
    assert_eq!(ask(&bygone, &[]).0, 1);
    bygone.post_all(bodies.clone());
    let once = days(&bygone);
    let [day] = &once[..] else {
        panic!("{once:?}");
    };
    assert_eq!(
        (&day["cluster"], &day["day"]),
        (&json!("demo"), &json!("2026-11-23"))
    );
    about_right(&told(day), &counted(&bodies));
    assert_eq!(day["api_servers"].as_array().unwrap().len(), 1);
    let server = &day["api_servers"][0];
    // Its last renewal; nobody was heard since.
    let ended = json!({"api_server": server, "from": "2026-11-23T06:19:07Z", "to": null, "others_heard": false});
    assert_eq!(day["silences"], json!([ended]));
    assert_eq!(day["advice"], json!([]));
    assert_eq!(day["pods"]["lives"], 157);
    assert_eq!(day["pods"]["unknown"]["workload inferred"], 23);
    assert_eq!(day["dead_letters"], json!({}));
    // Again, in other deliveries: the same answer.
    bygone.post_all(bodies.iter().rev().map(|body| {
        let mut list: Value = serde_json::from_str(body).unwrap();
        list["items"].as_array_mut().unwrap().reverse();
        list.to_string()
    }));
    assert_eq!(days(&bygone), once);
    assert_eq!(once[0]["containers"]["lives"], 232);
    bygone.reconciled();
    assert_eq!(days(&bygone), once, "filed");
    let (code, table) = ask(&bygone, &["--cluster", "demo"]);
    let rows: Vec<&str> = table.lines().collect();
    assert_eq!((code, rows.len()), (0, 2), "{table}");
    assert!(
        rows[1].starts_with("demo      2026-11-23   RequestResponse 14"),
        "{table}"
    );
    assert_eq!(ask(&bygone, &["--cluster", "elsewhere"]).0, 1);
}

/// At level Metadata alone, and with a delivery that holds something unreadable.
#[test]
fn a_lean_recording_and_what_would_mend_it() {
    let Some(folder) = support::corpus("recording-metadata") else {
        return;
    };
    let bodies = bodies(&folder);
    let bygone = Bygone::start();
    bygone.post_all(bodies.clone());
    bygone.post_all([r#"[{"kind": "Event", "auditID": 1}]"#.to_owned()]);
    let days = days(&bygone);
    let with_events: Vec<&Value> = days
        .iter()
        .filter(|day| day["events"] != json!([]))
        .collect();
    let [day] = with_events[..] else {
        panic!("{days:?}");
    };
    let counted = counted(&bodies);
    about_right(&told(day), &counted);
    assert!(counted.keys().all(|[_, level, _]| level == "Metadata"));
    let writes = told(day)[&["pods", "Metadata", "ResponseComplete"].map(str::to_owned)];
    let why = format!("{writes} of {writes} writes to pods were recorded at level Metadata");
    assert_eq!(whys(day)[0], why);
    assert!(
        day["pods"]["unknown"]["metadata only"].as_u64().unwrap() > 0,
        "{day}"
    );
    let letters: u64 = days
        .iter()
        .filter_map(|day| day["dead_letters"].as_object())
        .flat_map(|reasons| reasons.values().filter_map(Value::as_u64))
        .sum();
    assert_eq!(letters, 1);
    let (_, told) = ask(&bygone, &[]);
    assert!(told.contains("\n    - level: RequestResponse\n"), "{told}");
}

/// A second API server, made of the first one's heartbeats, of which most are missing.
#[test]
fn one_api_server_is_silent() {
    let bodies = bodies(&support::recording_a());
    let bygone = Bygone::start();
    let second = |body: &String| {
        let mut list: Value = serde_json::from_str(body).unwrap();
        let items = list["items"].as_array_mut().unwrap();
        items.retain_mut(|event| {
            event["auditID"] = json!(format!("second-{}", event["auditID"]));
            let name = event["objectRef"]["name"].as_str().unwrap_or_default();
            let renews = name.starts_with("apiserver-");
            event["objectRef"]["name"] = json!("apiserver-second");
            renews && event["stageTimestamp"].as_str().unwrap() < "2026-11-23T06:16"
        });
        list.to_string()
    };
    bygone.post_all(bodies.iter().map(second));
    bygone.post_all(bodies.clone());
    let days = days(&bygone);
    let silences = days[0]["silences"].as_array().unwrap();
    let of_second: Vec<&Value> = silences
        .iter()
        .filter(|silence| silence["api_server"] == "apiserver-second")
        .collect();
    let expected = json!({"api_server": "apiserver-second", "from": "2026-11-23T06:15:54Z",
        "to": "2026-11-23T06:19:07Z", "others_heard": true});
    assert_eq!(of_second, [&expected], "{silences:?}");
    assert_eq!(days[0]["api_servers"].as_array().unwrap().len(), 2);
}

/// The only API server of a cluster is away for a minute: nothing of it comes.
#[test]
fn an_outage_of_the_only_api_server_is_a_silence() {
    let bygone = Bygone::start();
    let away = "2026-11-23T06:16:20".."2026-11-23T06:17:10";
    let bodies = bodies(&support::recording_a());
    bygone.post_all(bodies.iter().map(|body| {
        let mut list: Value = serde_json::from_str(body).unwrap();
        let items = list["items"].as_array_mut().unwrap();
        items.retain(|event| !away.contains(&event["stageTimestamp"].as_str().unwrap()));
        list.to_string()
    }));
    let days = days(&bygone);
    let silences = days[0]["silences"].as_array().unwrap();
    assert_eq!(silences.len(), 2, "{silences:?}");
    let times = ["from", "to", "others_heard"].map(|key| &silences[0][key]);
    let expected = [
        json!("2026-11-23T06:16:14Z"),
        json!("2026-11-23T06:17:15Z"),
        json!(false),
    ];
    assert_eq!(times, expected.each_ref());
    let (_, table) = ask(&bygone, &[]);
    assert!(table.contains("61s, since 06:19:07"), "{table}");
}

/// Who may ask about one cluster is told of no other.
#[test]
fn readers_are_told_of_their_clusters() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(
        folder.path().join("token"),
        "let-me-in-please-0123456789abcdef",
    )
    .unwrap();
    std::fs::write(
        folder.path().join("other"),
        "and-me-too-please-0123456789abcdef",
    )
    .unwrap();
    let config = "[[access.api]]\ntoken_file = \"{dir}/token\"\nclusters = [\"demo\"]\n\
        namespaces = [\"crash-3a2\"]\n\
        [[access.api]]\ntoken_file = \"{dir}/other\"\nclusters = [\"elsewhere\"]\n\
        namespaces = [\"*\"]\n";
    let bygone = Bygone::start_configured(config, folder);
    bygone.post_all(bodies(&support::recording_a()));
    let token = |name: &str| bygone.folder.path().join(name).display().to_string();
    let (code, told) = ask(&bygone, &["-o", "ndjson", "--token-file", &token("token")]);
    assert_eq!(code, 0, "{told}");
    let day: Value = serde_json::from_str(told.lines().next().unwrap()).unwrap();
    assert_eq!(
        (&day["cluster"], &day["pods"]["lives"]),
        (&json!("demo"), &json!(7))
    );
    let other = token("other");
    assert_eq!(ask(&bygone, &["--token-file", &other]).0, 1);
    let (code, told) = ask(&bygone, &["--token-file", &other, "--cluster", "demo"]);
    assert_eq!(code, 2, "{told}");
    assert_eq!(ask(&bygone, &[]).0, 2);
}

#[test]
fn too_long_a_time_is_refused() {
    let bygone = Bygone::start();
    let (code, told) = ask(&bygone, &["-o", "json"]);
    assert_eq!(code, 1, "{told}");
    let long = run(plain(BYGONE).args(["coverage", "--since", "500d", "--server", &bygone.api]));
    assert_eq!(long.status.code(), Some(2));
    assert!(
        stderr(&long).contains("use a shorter one"),
        "{}",
        stderr(&long)
    );
}
