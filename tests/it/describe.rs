//! `bygone describe` on recording-a: pages, names that mean several, and every way to ask.

/// Pods of many fates.
mod fates;

use std::process::Output;

use expect_test::{Expect, expect};

use serde_json::Value;

use crate::get::RECORDED;
use crate::support::{self, BYGONE, Bygone, json_lines, on_shared, plain, run, stderr, stdout};

fn post(bygone: &Bygone) {
    let folder = support::recording_a();
    let bodies = support::read(&folder, "bodies.jsonl");
    bygone.post_all(bodies.lines().map(str::to_owned));
}

fn describe(args: &[&str]) -> Output {
    run(plain(BYGONE)
        .arg("describe")
        .args(args)
        .args(["--zone", "UTC", "--server", &RECORDED.api]))
}

fn check(args: &[&str], expected: Expect) {
    let output = describe(args);
    assert_eq!(
        (output.status.code(), stderr(&output)),
        (Some(0), String::new())
    );
    expected.assert_eq(&stdout(&output));
}

/// At an instant, another life of the name.
#[test]
fn the_life_that_was_asked_for() {
    let uid = |args: &[&str]| {
        let output = describe(&[args, &["-o", "json"]].concat());
        let page: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        page["pod"]["pod_uid"].as_str().expect("a uid").to_owned()
    };
    let newest = "d9c1f0c5";
    assert!(uid(&["pod", "flip"]).starts_with(newest));
    let at = |at: &str| uid(&["pod", "flip", "-n", "reuse-3aa", "--at", at]);
    assert!(at("2026-11-23T06:16:00Z").starts_with("daf7e8fa"));
    assert!(at("2026-11-23 06:16:06").starts_with("9f08bcac"));
    let until = uid(&[
        "pod",
        "reuse-3aa/flip",
        "--from",
        "2026-11-23 06:16:00",
        "--to",
        "2026-11-23 06:16:03",
    ]);
    assert!(until.starts_with("a2a4fd16"));
    // An instance of a container, in the same way.
    let instance = |args: &[&str]| {
        let output = describe(&[&["container", "crash-3a2/oom/main", "-o", "json"], args].concat());
        let page: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        let restarts = page["containers"].as_array().expect("containers").iter();
        restarts
            .map(|row| row["restart"].as_u64().expect("a number"))
            .collect::<Vec<_>>()
    };
    assert_eq!(instance(&[]), [3]);
    assert_eq!(instance(&["--at", "2026-11-23 06:15:43"]), [1]);
}

#[test]
fn what_is_not_there_or_means_several() {
    let said = |args: &[&str]| {
        let output = describe(args);
        assert_eq!(stdout(&output), "");
        format!("{:?} {}", output.status.code(), stderr(&output))
    };
    let mut all = String::new();
    for args in [
        &["pod", "no-such-pod"][..],
        &["pod", "flip", "-n", "rollout-3a6"],
        &["pod", "flip", "--at", "2026-11-23T07:00:00Z"],
        &["pod", "lone"],
        &["pod", "flip", "--at", "noon"],
        &["pod", "shop/flip", "-n", "reuse-3aa"],
        &["pod", "fl*"],
        &["pod", "--uid", "abc"],
        &["pod"],
        &["container", "no-such-container"],
        &["container", "lone/main"],
        &["container", "0"],
    ] {
        all += &format!("{}: {}", args.join(" "), said(args));
    }
    expect![[r#"
        pod no-such-pod: Some(1) no pods found: searched all clusters, all namespaces, any time
        no pod "no-such-pod" in this scope
        pod flip -n rollout-3a6: Some(1) no pods found: searched all clusters, namespace rollout-3a6, any time
        no pod "flip" in this scope
        pod flip --at 2026-11-23T07:00:00Z: Some(1) no pods found: searched all clusters, all namespaces, at 2026-11-23 07:00:00 (UTC)
        pod "flip" is known from 2026-11-23T06:15:59Z to 2026-11-23T06:16:10Z, outside the requested time
        pod lone: Some(64) bygone: "lone" is a pod in demo/evict-39e, demo/nsdelete-392: choose one with --namespace, --cluster or --uid
        pod flip --at noon: Some(64) bygone: --at: invalid time "noon": use 2026-11-23T06:15:00Z, '2026-11-23 06:15', 06:15, 'yesterday 14:00', 'monday 06:15', now, or seconds since 1970
        pod shop/flip -n reuse-3aa: Some(64) bygone: the namespace is given twice, as "shop" and with --namespace: leave one out
        pod fl*: Some(64) bygone: "fl*" matches several pods: describe one, or list them with "bygone get pods"
        pod --uid abc: Some(64) bygone: --uid: invalid uid "abc": use the UUID of a pod
        pod: Some(64) bygone: the following required arguments were not provided: <NAME>: see "bygone help"
        container no-such-container: Some(1) no containers found: searched all clusters, all namespaces, any time
        no container with the ID "no-such-container" in this scope
        container lone/main: Some(64) bygone: "lone/main" matches containers in demo/evict-39e, demo/nsdelete-392: choose one with --namespace, --cluster or more of the ID
        container 0: Some(64) bygone: "0" matches containers in demo/binding-39b/03a0224d52b9, demo/crash-3a2/0efae3dcf7f2, demo/daemonset-399/03e4a504235a, demo/ephemeral-39f/0efe1f4b9c06, demo/exitcodes-39d/0153aab500c3, demo/exitcodes-39d/0fb7997b7d43, demo/force-391/01c54077008f, demo/nsdelete-392/0bb01acbce8f, demo/reboot-398/0cefb2d0b599, demo/statefulset-38e/035c7302c150, ...: choose one with --namespace, --cluster or more of the ID
    "#]].assert_eq(&all);
}

/// The same page from the API, from ClickHouse alone, and of another bygone that was sent the same.
#[test]
fn one_page_by_every_way() {
    let other = Bygone::start();
    post(&other);
    let page = |bygone: &Bygone, uid: &str| {
        support::block_on(async {
            let url = format!("{}/api/v1/pods/{uid}", bygone.api);
            let mut response = support::client().get(url).send().await.expect("an answer");
            let mut text = Vec::new();
            while let Some(chunk) = response.chunk().await.expect("a body") {
                text.extend_from_slice(&chunk);
            }
            let page: Value = serde_json::from_slice(&text).expect("JSON");
            (response.status().as_u16(), page)
        })
    };
    let truth = json_lines(&support::recording_a(), "truth-pods.jsonl");
    assert_eq!(truth.len(), 157);
    for pod in truth.iter().step_by(12) {
        let uid = pod["uid"].as_str().expect("a uid");
        let (status, recorded) = page(&RECORDED, uid);
        assert_eq!((status, &recorded["pod"]["pod"]), (200, &pod["name"]));
        assert_eq!(page(&other, uid).1, recorded);
    }
    let uid = truth[1]["uid"].as_str().expect("a uid");
    let args = ["describe", "pod", "--uid", uid, "-o", "json"];
    let direct = run(&mut on_shared(&RECORDED.database, &args));
    let through = describe(&args[1..]);
    assert_eq!(stdout(&direct), stdout(&through));
    let direct: Value = serde_json::from_slice(&direct.stdout).expect("JSON");
    assert_eq!(direct, page(&RECORDED, uid).1);
    assert_eq!(page(&RECORDED, "abc").0, 400);
    let (status, error) = page(&RECORDED, "00000000-0000-4000-8000-000000000000");
    assert_eq!(
        (status, &*error["detail"].to_string()),
        (404, "\"no pod with this uid is known\"")
    );
}

/// Nothing that was planted as a secret is on any page.
#[test]
fn no_secret_is_on_a_page() {
    let canaries = support::read(&support::recording_a(), "canaries.txt");
    for name in ["holder", "shell", "big-env", "big-both"] {
        for form in ["text", "json"] {
            let text = stdout(&describe(&["pod", name, "-o", form]));
            assert!(text.contains(name));
            for canary in canaries.lines().filter_map(|line| line.split('\t').next()) {
                assert!(canary.starts_with("CANARY-"), "{canary}");
                assert!(!text.contains(canary), "{name}: {canary}");
            }
        }
    }
}
