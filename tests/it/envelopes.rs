//! Every wrapper of `fixtures/envelopes` through the webhook: the answers of the bare events.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::canaries::{contains, files_below, is_dead_letter};
use crate::forms::{self, Expected, Source};
use crate::support::{self, Bygone, block_on};

/// Fixtures that lack a part of the five events.
const PARTIAL: [&str; 3] = [
    "aks-where-log-is-cut-at-16-kib",
    "eks-truncated-message",
    "elastic-agent-without-metadata",
];

fn fixtures() -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/envelopes");
    let entries = std::fs::read_dir(folder).expect("the fixtures");
    let files: Vec<PathBuf> = entries
        .map(|entry| entry.expect("an entry").path())
        .collect();
    let is_body = |file: &&PathBuf| {
        let kind = file.extension().unwrap_or_default();
        kind != "py" && kind != "md"
    };
    let name = |file: &Path| {
        file.file_name()
            .expect("a name")
            .to_string_lossy()
            .into_owned()
    };
    files
        .iter()
        .filter(is_body)
        .map(|file| (name(file), std::fs::read(file).expect("a fixture")))
        .collect()
}

/// Posts it under a cluster's name; returns how many parts could not be read.
fn post(bygone: &Bygone, cluster: &str, body: Vec<u8>) -> u64 {
    let (status, answer) = answer(bygone, cluster, body);
    assert_eq!(status, 200, "{cluster}: {}", bygone.log());
    answer["rejected"].as_u64().expect("a number")
}

/// Posts it; returns the status and what is said of it.
fn answer(bygone: &Bygone, path: &str, body: Vec<u8>) -> (u16, Value) {
    let url = format!("{}/v1/audit/{path}", bygone.ingest);
    let request = support::client().post(url).body(body);
    let mut answer = block_on(request.send()).expect("an answer");
    let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
    assert_eq!(headers["content-type"], "application/json");
    let text = block_on(answer.chunk()).expect("a body").expect("a line");
    assert!(text.len() < 200 && text.ends_with(b"}\n"), "{text:?}");
    let said: Value = serde_json::from_slice(&text).expect("JSON");
    let rejected = headers["bygone-rejected"].to_str().expect("text");
    assert_eq!(rejected, said["rejected"].to_string());
    (status, said)
}

/// What is known of a cluster's pods and containers, without the cluster's name.
fn answers(bygone: &Bygone, cluster: &str) -> Vec<Value> {
    let mut rows = bygone.rows(&["pods", "-A", "--cluster", cluster]);
    rows.extend(bygone.rows(&["containers", "-A", "--cluster", cluster]));
    for row in &mut rows {
        row.as_object_mut().expect("a row").remove("cluster");
    }
    rows
}

#[test]
fn the_answers_are_those_of_the_bare_events() {
    let bygone = Bygone::start();
    let fixtures = fixtures();
    assert!(fixtures.len() >= 24, "{} fixtures", fixtures.len());
    for (name, body) in &fixtures {
        let rejected = post(&bygone, name, body.clone());
        if !PARTIAL.iter().any(|partial| name.starts_with(partial)) {
            assert_eq!(rejected, 0, "{name}: {}", bygone.log());
        }
    }
    bygone.drained();
    let bare = answers(&bygone, "bare.jsonl");
    assert_eq!(bare.len(), 2, "a pod and its container: {bare:?}");
    for (name, _) in &fixtures {
        let mut expected = bare.clone();
        if name.starts_with("gke-") {
            // It tells when a request was answered, not when it was received.
            let answered = "2026-11-23T06:15:20.727Z";
            expected[0]["delete_asked_at"] = answered.into();
        }
        if name.starts_with("aks-with-skipped") {
            // What stood in the request, by which it may have been a dry run, is not known.
            expected[0]["unknown"] = serde_json::json!(["truncated"]);
        }
        if !PARTIAL.iter().any(|partial| name.starts_with(partial)) {
            assert_eq!(answers(&bygone, name), expected, "{name}");
        }
    }
    let metrics = bygone.metrics();
    let ignored = metrics
        .lines()
        .find_map(|line| line.strip_prefix("bygone_pipeline_ignored_total "));
    assert!(
        ignored.expect("a count").parse::<u32>().expect("a number") >= 15,
        "{metrics}"
    );
    partial(&bygone);
}

/// Whatever people post of the same events, the answers are the same, and what can't be read is said.
#[test]
fn every_form_that_is_made() {
    let bygone = Bygone::start();
    let fixture = |name: &str| {
        let of_that_name = |(found, _): &(String, Vec<u8>)| found.starts_with(name);
        let (_, body) = fixtures().into_iter().find(of_that_name).expect("it");
        String::from_utf8(body).expect("text")
    };
    let (bare, entries) = (fixture("bare."), fixture("gke-"));
    post(&bygone, "bare", bare.clone().into());
    post(&bygone, "gke", entries.clone().into());
    let forms = forms::forms(&Source::of(&bare, &entries));
    for (number, form) in forms.iter().enumerate() {
        let path = format!("form-{number}?strict=true&timeout=30s");
        let (status, said) = answer(&bygone, &path, form.body.clone());
        let (rejected, reason, ignored) = match form.expected {
            Expected::Life(ignored) => (0, None, ignored),
            Expected::Rejected(parts, reason) => (parts, Some(reason), 0),
        };
        let name = form.name;
        assert_eq!(said["rejected"], rejected, "{name}: {said}");
        assert_eq!(said["ignored"], ignored, "{name}: {said}");
        assert_eq!(said["reason"].as_str(), reason, "{name}: {said}");
        let is_used = said["events"].as_u64() > Some(0);
        assert_eq!(status, if is_used { 200 } else { 422 }, "{name}: {said}");
    }
    bygone.drained();
    let (bare, of_google) = (answers(&bygone, "bare"), answers(&bygone, "gke"));
    assert_eq!((bare.len(), of_google.len()), (2, 2));
    for (number, form) in forms.iter().enumerate() {
        let answers = answers(&bygone, &format!("form-{number}"));
        let is_whole = matches!(form.expected, Expected::Life(_)) && !answers.is_empty();
        assert!(
            !is_whole || answers == bare || answers == of_google,
            "{}: {answers:?} and not {bare:?}",
            form.name
        );
    }
}

/// What a cut event proves is told, and no more.
fn partial(bygone: &Bygone) {
    let cluster = "eks-truncated-message.json";
    let rows = answers(bygone, cluster);
    assert_eq!(rows.len(), 1, "a pod, and none of its containers: {rows:?}");
    let pod = &rows[0];
    assert_eq!(
        (&pod["pod"], &pod["phase"]),
        (&"holder".into(), &"Failed".into())
    );
    assert_eq!(pod["node"], "worker-3");
    assert_eq!(pod["removed_at"], Value::Null);

    let cluster = "aks-where-log-is-cut-at-16-kib.json";
    let rows = answers(bygone, cluster);
    let names: Vec<&Value> = rows.iter().map(|row| &row["pod"]).collect();
    assert_eq!(names, ["holder", "big-env"], "{rows:?}");
    assert_eq!(rows[1]["phase"], Value::Null, "its status was cut off");
    assert_eq!(
        answers(bygone, "elastic-agent-without-metadata.json"),
        [0; 0]
    );
}

#[test]
fn a_bomb_inside_of_a_body_is_a_part_that_cannot_be_read() {
    use base64::Engine;
    use std::io::Write;
    let bygone = Bygone::start_set(&[("BYGONE_WEBHOOK_BODY_BYTES_MAX", "1000000")]);
    let mut bomb = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    bomb.write_all(&vec![b' '; 50_000_000]).expect("packed");
    let bomb = bomb.finish().expect("packed");
    let packed = base64::engine::general_purpose::STANDARD.encode(bomb);
    let bomb = serde_json::json!({"awslogs": {"data": packed}}).to_string();
    let (_, bare) = fixtures()
        .into_iter()
        .find(|(name, _)| name == "bare.jsonl")
        .expect("it");
    let before = bygone.rss_bytes();
    let body = [bomb.as_bytes(), b"\n", &bare].concat();
    assert_eq!(post(&bygone, "demo", body), 1);
    bygone.drained();
    assert_eq!(answers(&bygone, "demo").len(), 2);
    let grown = bygone.rss_bytes().saturating_sub(before);
    assert!(grown < 30_000_000, "{grown} bytes for a body of 1 MB");
    assert!(
        bygone.log().contains("unpacks to too much"),
        "{}",
        bygone.log()
    );
}

/// The secrets of the pod that the fixtures wrap leave by no field, also where a part is rejected.
#[test]
fn no_secret_leaves_a_wrapper() {
    let canaries = support::read(&support::recording_a(), "canaries.txt");
    let canaries: Vec<&str> = canaries
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    let mut bygone = Bygone::start_args(&[], &["--log", "trace"]);
    let mut carriers = 0;
    for (name, body) in fixtures() {
        carriers += usize::from(canaries.iter().any(|canary| contains(&body, canary)));
        post(&bygone, &name, body.clone());
        // Cut in the middle of a secret, where one is in the open.
        let cut = canaries
            .iter()
            .find_map(|canary| memchr::memmem::find(&body, canary.as_bytes()));
        post(
            &bygone,
            &name,
            body[..cut.map_or(body.len() / 2, |cut| cut + 20)].to_vec(),
        );
    }
    assert!(
        carriers >= 18,
        "{carriers} fixtures carry a secret in the open"
    );
    bygone.drained();
    let mut said = bygone.metrics().into_bytes();
    for what in ["containers", "pods", "sessions"] {
        said.extend(bygone.get(&[what, "-A", "-o", "json"]).stdout);
    }
    for table in [
        "facts",
        "said",
        "recent_pods",
        "recent_containers",
        "session_events",
        "dead_letters",
    ] {
        let all = format!("SELECT * FROM {table} FORMAT RowBinary");
        said.extend(support::bytes(&bygone.database, &all));
    }
    assert!(
        contains(&said, "holder") && said.len() > 50_000,
        "too little was said"
    );
    assert!(bygone.stop().success(), "{}", bygone.log());
    let mut files = Vec::new();
    files_below(bygone.folder.path(), &mut files);
    for canary in canaries {
        assert!(!contains(&said, canary), "{canary} was said");
        for file in files.iter().filter(|file| !is_dead_letter(file)) {
            let bytes = std::fs::read(file).expect("a file");
            assert!(
                !contains(&bytes, canary),
                "{canary} is in {}",
                file.display()
            );
        }
    }
}
