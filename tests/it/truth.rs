//! The answers equal the truth: what an unbroken watch of the real API saw of every pod and
//! container instance, while the API server sent the recording that is posted here.
//!
//! Any recording can be held against its truth:
//!
//!     BYGONE_RECORDING=path/to/recording cargo test --test it truth::named -- --ignored --nocapture

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::{self, Bygone, json_lines};

mod lean;

/// A removal is right when it is that close to the one that the watch received, in microseconds.
const REMOVAL_MICROSECONDS_MAX: i64 = 1_000_000;

/// Lines of `audit.log` in one request.
const LINES_PER_CHUNK: usize = 500;

/// In which order and how often bodies arrive.
#[derive(Clone, Copy, Debug)]
pub enum Order {
    AsSent,
    Twice,
    Reversed,
    Shuffled(u64),
    AuditLog,
}

const ORDERS: [Order; 7] = [
    Order::AsSent,
    Order::Twice,
    Order::Reversed,
    Order::Shuffled(1),
    Order::Shuffled(2),
    Order::Shuffled(3),
    Order::AuditLog,
];

/// Those by a deletecollection, which leaves no event of their own, are told by its items.
pub const RECORDING_A_REMOVALS_MISSED: usize = 0;

#[test]
fn recording_a_in_every_order() {
    for order in ORDERS {
        hold(&support::recording_a(), order, RECORDING_A_REMOVALS_MISSED);
    }
}

#[test]
fn recording_load() {
    if let Some(folder) = support::corpus("recording-load") {
        hold(&folder, Order::Shuffled(4), 0);
    }
}

/// Level Request keeps what was sent and no answers. What that can tell is right: every instance, its node,
/// image, start, end and exit code, the removals that it tells of, and who asked for them.
#[test]
fn recording_a_without_answers() {
    let folder = support::recording_a();
    let bygone = Bygone::start();
    bygone.post_all(
        bodies(&folder, Order::AsSent)
            .iter()
            .map(|body| without_answers(body)),
    );
    lean::compare_without_answers(&folder, &bygone);
    bygone.reconciled();
    lean::compare_without_answers(&folder, &bygone);
}

/// Cuts every answer away, and the refusals' texts with them.
fn without_answers(body: &str) -> String {
    let mut list: Value = serde_json::from_str(body).unwrap();
    for event in list["items"].as_array_mut().unwrap() {
        event["level"] = "Request".into();
        event.as_object_mut().unwrap().remove("responseObject");
    }
    list.to_string()
}

/// Level Metadata keeps neither: what it can tell is right, everything else is marked.
#[test]
fn recording_metadata() {
    if let Some(folder) = support::corpus("recording-metadata") {
        let bygone = Bygone::start();
        bygone.post_all(bodies(&folder, Order::AsSent));
        lean::compare_metadata(&folder, &bygone);
        bygone.reconciled();
        lean::compare_metadata(&folder, &bygone);
    }
}

/// The recording that `BYGONE_RECORDING` names, in every order. Removals that were missed are
/// printed and fail the test.
#[test]
#[ignore = "BYGONE_RECORDING names the recording"]
fn named() {
    let folder = std::env::var_os("BYGONE_RECORDING").map(PathBuf::from);
    let folder = folder.expect("BYGONE_RECORDING names a recording");
    let missed = if folder.ends_with("recording-a") {
        RECORDING_A_REMOVALS_MISSED
    } else {
        0
    };
    for order in ORDERS {
        hold(&folder, order, missed);
    }
}

/// Posts a recording and compares all answers with its truth, while its lives are recent and when they are filed.
fn hold(folder: &Path, order: Order, removals_missed_max: usize) {
    let bygone = Bygone::start();
    bygone.post_all(bodies(folder, order));
    answers_equal(folder, &bygone, &format!("{order:?}"), removals_missed_max);
    bygone.reconciled();
    answers_equal(
        folder,
        &bygone,
        &format!("{order:?}, filed"),
        removals_missed_max,
    );
}

/// Compares all answers of a bygone with the truth of a recording that it was given.
pub fn answers_equal(folder: &Path, bygone: &Bygone, how: &str, removals_missed_max: usize) {
    let mut differences = Vec::new();
    let pods = Pods::read(bygone);
    let instances = compare_containers(folder, bygone, &pods, &mut differences);
    let (missed, unseen) = compare_pods(folder, &pods, &mut differences);
    println!(
        "{} {how}: {instances} instances, {} pods, {missed} removals missed, {unseen} pods with unseen instances, {} differences",
        folder.file_name().unwrap_or_default().to_string_lossy(),
        pods.0.len(),
        differences.len()
    );
    assert!(differences.is_empty(), "{how}:\n{}", differences.join("\n"));
    assert!(
        missed <= removals_missed_max,
        "{how}: {missed} removals missed"
    );
}

pub fn bodies(folder: &Path, order: Order) -> Vec<String> {
    let lines = |name| {
        support::read(folder, name)
            .lines()
            .map(str::to_owned)
            .collect()
    };
    let mut bodies: Vec<String> = match order {
        Order::AuditLog => {
            let lines: Vec<String> = lines("audit.log");
            return lines
                .chunks(LINES_PER_CHUNK)
                .map(|chunk| chunk.join("\n"))
                .collect();
        }
        _ => lines("bodies.jsonl"),
    };
    match order {
        Order::Twice => bodies.extend_from_within(..),
        Order::Reversed => bodies.reverse(),
        Order::Shuffled(seed) => shuffle(&mut bodies, seed),
        Order::AsSent | Order::AuditLog => {}
    }
    bodies
}

/// Fisher and Yates, by a generator that is the same everywhere (splitmix64).
fn shuffle<T>(items: &mut [T], mut seed: u64) {
    for last in (1..items.len()).rev() {
        seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut random = seed;
        random = (random ^ (random >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        random = (random ^ (random >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        items.swap(
            last,
            ((random ^ (random >> 31)) % (last as u64 + 1)) as usize,
        );
    }
}

/// `get pods`, by uid.
struct Pods(BTreeMap<String, Value>);

impl Pods {
    fn read(bygone: &Bygone) -> Pods {
        let rows = bygone.rows(&["pods", "-A"]);
        let count = rows.len();
        let by_uid: BTreeMap<String, Value> = rows
            .into_iter()
            .map(|row| (text(&row["pod_uid"]), row))
            .collect();
        assert_eq!(by_uid.len(), count, "a pod is there twice");
        Pods(by_uid)
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// `runtime://id` without the runtime.
fn bare(id: &Value) -> String {
    text(id)
        .split_once("://")
        .map_or(String::new(), |(_, id)| id.to_owned())
}

/// What follows the `@` of an image's ID.
fn digest(id: &Value) -> Option<String> {
    Some(text(id).split_once('@')?.1.to_owned())
}

/// Reports where one field differs.
fn expect(at: &str, field: &str, ours: &Value, truth: &Value, differences: &mut Vec<String>) {
    if ours != truth {
        differences.push(format!("{at}: {field} is {ours}, should be {truth}"));
    }
}

/// Returns how many instances the truth has.
fn compare_containers(
    folder: &Path,
    bygone: &Bygone,
    pods: &Pods,
    differences: &mut Vec<String>,
) -> usize {
    let key = |uid: &Value, container: &Value, id: String| (text(uid), text(container), id);
    let mut ours = BTreeMap::new();
    for row in bygone.rows(&["containers", "-A"]) {
        let key = key(
            &row["pod_uid"],
            &row["container"],
            text(&row["container_id"]),
        );
        if ours.insert(key.clone(), row).is_some() {
            differences.push(format!("{key:?} is there twice"));
        }
    }
    let truth = json_lines(folder, "truth.jsonl");
    for instance in &truth {
        let key = key(
            &instance["pod_uid"],
            &instance["container"],
            bare(&instance["container_id"]),
        );
        match ours.remove(&key) {
            None => differences.push(format!("{key:?} is missing")),
            Some(row) => {
                let next = next_start(instance, &truth);
                compare_instance(&row, (instance, next), pods, differences);
            }
        }
    }
    differences.extend(ours.keys().map(|key| format!("{key:?} is invented")));
    truth.len()
}

fn compare_instance(
    row: &Value,
    (truth, next): (&Value, Option<Value>),
    pods: &Pods,
    differences: &mut Vec<String>,
) {
    let at = format!(
        "{}/{}/{}",
        text(&truth["namespace"]),
        text(&truth["pod"]),
        text(&truth["container"])
    );
    for field in [
        "namespace",
        "pod",
        "container",
        "node",
        "restart",
        "started_at",
    ] {
        expect(&at, field, &row[field], &truth[field], differences);
    }
    // Of what its kubelet could not find the truth says nothing.
    if row["reason"] != "ContainerStatusUnknown" {
        expect(
            &at,
            "exit_code",
            &row["exit_code"],
            &truth["exit_code"],
            differences,
        );
    }
    let kind = if truth["kind"] == "container" {
        "app"
    } else {
        truth["kind"].as_str().unwrap()
    };
    expect(&at, "kind", &row["kind"], &kind.into(), differences);
    // An instance that was only ever seen as a lastState has neither image nor reason in the truth.
    if truth["image"] != "" {
        expect(&at, "image", &row["image"], &truth["image"], differences);
    }
    if let Some(wanted) = digest(&truth["image_id"]) {
        let ours = digest(&row["image_id"]);
        expect(&at, "image_id", &ours.into(), &wanted.into(), differences);
    }
    if !truth["reason"].is_null() {
        expect(&at, "reason", &row["reason"], &truth["reason"], differences);
    }
    let seen = !truth["finished_at"].is_null();
    expect(&at, "end_seen", &row["end_seen"], &seen.into(), differences);
    let end = if seen {
        micros(&truth["finished_at"])
    } else {
        // It had ended when its pod was gone, or when the next instance of the container began.
        let pod = &pods.0[&text(&truth["pod_uid"])];
        let later = next.as_ref().and_then(micros);
        [micros(&pod["removed_at"]), later]
            .into_iter()
            .flatten()
            .min()
    };
    let ours = micros(&row["ended_at"]);
    let pod = &pods.0[&text(&truth["pod_uid"])];
    let words = row["unknown"].as_array().expect("words");
    let may_run_on = words.iter().any(|word| word == "mirror removed");
    // At the latest when its pod had finished. What a static pod runs does not end with its image in the API.
    let has_finished = matches!(&*text(&pod["phase"]), "Failed" | "Succeeded");
    let ours = match (seen, ours) {
        (false, None) if may_run_on => end,
        (false, Some(at)) if has_finished && Some(at) <= end => end,
        (_, ours) => ours,
    };
    expect(&at, "ended_at", &ours.into(), &end.into(), differences);
}

/// When the next instance of the same container began.
fn next_start(instance: &Value, all: &[Value]) -> Option<Value> {
    let later = all.iter().filter(|other| {
        ["pod_uid", "container"]
            .iter()
            .all(|key| other[key] == instance[key])
            && other["restart"].as_u64() > instance["restart"].as_u64()
    });
    later
        .min_by_key(|other| other["restart"].as_u64())
        .map(|other| other["started_at"].clone())
}

/// Returns how many removals are missing from our answers, and how many pods have instances that nobody saw.
fn compare_pods(folder: &Path, pods: &Pods, differences: &mut Vec<String>) -> (usize, usize) {
    let (mut missed, mut unseen) = (0, 0);
    let seen = instances_seen(folder);
    let mut invented: BTreeSet<&String> = pods.0.keys().collect();
    for truth in json_lines(folder, "truth-pods.jsonl") {
        let (uid, at) = (
            text(&truth["uid"]),
            format!("{}/{}", text(&truth["namespace"]), text(&truth["name"])),
        );
        invented.remove(&uid);
        let Some(row) = pods.0.get(&uid) else {
            differences.push(format!("{at} {uid} is missing"));
            continue;
        };
        expect(
            &at,
            "namespace",
            &row["namespace"],
            &truth["namespace"],
            differences,
        );
        expect(&at, "pod", &row["pod"], &truth["name"], differences);
        expect(
            &at,
            "created_at",
            &row["created_at"],
            &truth["created"],
            differences,
        );
        let node = if truth["node"] == "" {
            &Value::Null
        } else {
            &truth["node"]
        };
        expect(&at, "node", &row["node"], node, differences);
        expect(
            &at,
            "labels",
            &row["labels"],
            &or_empty(&truth["labels"], "{}"),
            differences,
        );
        expect(
            &at,
            "pod_ips",
            &row["pod_ips"],
            &or_empty(&truth["pod_ips"], "[]"),
            differences,
        );
        let seen = seen.get(&uid).map_or(0, BTreeSet::len) as u64;
        unseen += usize::from(compare_unseen(&at, row, seen, differences));
        match (micros(&row["removed_at"]), micros(&truth["removed_at"])) {
            (None, Some(_)) => missed += 1,
            (Some(ours), Some(true_)) if (ours - true_).abs() <= REMOVAL_MICROSECONDS_MAX => {}
            (None, None) => {}
            _ => expect(
                &at,
                "removed_at",
                &row["removed_at"],
                &truth["removed_at"],
                differences,
            ),
        }
    }
    differences.extend(invented.iter().map(|uid| format!("pod {uid} is invented")));
    (missed, unseen)
}

/// The instances of each pod that the watch saw, by container and restart number.
fn instances_seen(folder: &Path) -> BTreeMap<String, BTreeSet<(String, u64)>> {
    let mut seen: BTreeMap<String, BTreeSet<(String, u64)>> = BTreeMap::new();
    for instance in json_lines(folder, "truth.jsonl") {
        let restart = instance["restart"].as_u64().expect("a restart number");
        let of_pod = seen.entry(text(&instance["pod_uid"])).or_default();
        of_pod.insert((text(&instance["container"]), restart));
    }
    seen
}

/// What not even the watch saw, restart numbers tell of. Returns whether there is any.
fn compare_unseen(at: &str, row: &Value, seen: u64, differences: &mut Vec<String>) -> bool {
    let told = row["containers"].as_u64().expect("a count");
    let missing = told.saturating_sub(seen);
    let word = (missing > 0).then(|| format!("{missing} instances unseen"));
    let unknown = row["unknown"].as_array().expect("words").iter();
    let ours = unknown
        .map(text)
        .find(|word| word.ends_with(" instances unseen"));
    expect(at, "unseen", &ours.into(), &word.into(), differences);
    missing > 0
}

fn or_empty(value: &Value, empty: &str) -> Value {
    if value.is_null() {
        empty.parse().expect("JSON")
    } else {
        value.clone()
    }
}

fn micros(time: &Value) -> Option<i64> {
    let time: jiff::Timestamp = time.as_str()?.parse().expect("RFC 3339");
    Some(time.as_microsecond())
}
