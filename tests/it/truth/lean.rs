//! Recordings of which the audit policy kept less: what can be known is right, the rest is marked.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use super::{Pods, REMOVAL_MICROSECONDS_MAX, compare_containers, expect, json_lines, micros, text};
use crate::support::Bygone;

/// Removals of recording-a that level Request tells, of 151, and of recording-metadata that level
/// Metadata tells.
const REMOVALS_TOLD_AT_REQUEST: usize = 119;
const REMOVALS_TOLD_AT_METADATA: usize = 38;

/// Pods that were never bound have no uid without answers. Of a container in an init list only the spec,
/// which is in answers, knows whether it is a sidecar.
pub(super) fn compare_without_answers(folder: &Path, bygone: &Bygone) {
    let pods = Pods::read(bygone);
    let mut differences = Vec::new();
    compare_containers(folder, bygone, &pods, &mut differences);
    differences.retain(|difference| {
        // Its pod's removal is not told, but what proves it.
        let is_proven =
            difference.contains("ended_at is") && difference.ends_with("should be null");
        !is_proven && !difference.ends_with("kind is \"init\", should be \"sidecar\"")
    });
    let told = compare_what_is_told(folder, &pods, &mut differences);
    for truth in json_lines(folder, "truth-pods.jsonl") {
        let is_there = pods.0.contains_key(&text(&truth["uid"]));
        if !is_there && truth["node"] != "" {
            differences.push(format!("{} is missing", truth["name"]));
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    assert_eq!(told, REMOVALS_TOLD_AT_REQUEST);
}

pub(super) fn compare_metadata(folder: &Path, bygone: &Bygone) {
    let pods = Pods::read(bygone);
    let mut differences = Vec::new();
    let told = compare_what_is_told(folder, &pods, &mut differences);
    for row in pods.0.values() {
        if !has(row, "metadata only") {
            differences.push(format!("{} is not marked", row["pod"]));
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    assert_eq!(bygone.rows(&["containers", "-A"]), Vec::<Value>::new());
    assert_eq!(told, REMOVALS_TOLD_AT_METADATA);
}

fn has(row: &Value, unknown: &str) -> bool {
    row["unknown"]
        .as_array()
        .unwrap()
        .iter()
        .any(|word| word == unknown)
}

/// Each pod that is told is a real one, and what is told of it is right or marked. Returns how many removals
/// are told.
fn compare_what_is_told(folder: &Path, pods: &Pods, differences: &mut Vec<String>) -> usize {
    let truth = json_lines(folder, "truth-pods.jsonl");
    let truth: BTreeMap<String, &Value> =
        truth.iter().map(|pod| (text(&pod["uid"]), pod)).collect();
    let mut told = 0;
    for (uid, row) in &pods.0 {
        let at = format!("{}/{}", text(&row["namespace"]), text(&row["pod"]));
        let Some(truth) = truth.get(uid) else {
            differences.push(format!("{at} is invented"));
            continue;
        };
        expect(&at, "pod", &row["pod"], &truth["name"], differences);
        if !row["node"].is_null() {
            expect(&at, "node", &row["node"], &truth["node"], differences);
        }
        if row["created_by"].is_null() != has(row, "created unseen") {
            differences.push(format!("{at}: created_by is not marked"));
        }
        match (micros(&row["removed_at"]), micros(&truth["removed_at"])) {
            (Some(ours), Some(true_)) if (ours - true_).abs() <= REMOVAL_MICROSECONDS_MAX => {
                told += 1;
            }
            (None, Some(true_)) if has(row, "removal unseen") => {
                // What proves that it was gone came after.
                let over = micros(&row["over_at"]).unwrap_or(i64::MAX);
                if over < true_ - REMOVAL_MICROSECONDS_MAX {
                    differences.push(format!("{at} was over at {over}, removed at {true_}"));
                }
            }
            (None, None) => {}
            // Without a grace period nobody knows whether it went at once.
            (None, Some(_)) if has(row, "metadata only") => {}
            // What was held by a finalizer goes when that is cleared: only answers tell.
            _ if text(&row["pod"]) == "held" => {}
            (ours, _) => differences.push(format!(
                "{at}: removed_at is {ours:?}, should be {}; {}",
                truth["removed_at"], row["unknown"]
            )),
        }
    }
    told
}
