//! What the policy has recorded, and whether the API server cut it, survive each wrapper.

use serde_json::{Value, json};

use super::wrapped::fixture;
use super::*;
use crate::audit::Level::{self, Metadata, Other, Request, RequestResponse};

/// The levels of the events in a body, and whether they are truncated.
fn levels(body: &[u8]) -> Vec<(Level, bool)> {
    let mut levels = Vec::new();
    let limits = Limits {
        unpacked_bytes_max: 1 << 20,
        held_bytes_max: 1 << 20,
        reserve: &mut |_| true,
    };
    read(body, limits, &mut |found| {
        levels.push((found.event.level, found.event.is_truncated));
        Ok(())
    });
    levels
}

#[test]
fn of_the_fixtures() {
    for name in [
        "bare.jsonl",
        "openshift-viaq-with-overwritten-level-and-other-sources.jsonl",
        "aks-log-analytics-columns.json",
        "alibaba-sls-with-nested-strings.jsonl",
        "otlp-kvlist-value.json",
    ] {
        let all = vec![(RequestResponse, false); 5];
        assert_eq!(levels(&fixture(name)), all, "{name}");
    }
}

#[test]
fn of_members_with_other_names() {
    let truncated = json!({"audit.k8s.io/truncated": "true"});
    let event = || -> Value { serde_json::from_str(&event("a")).unwrap() };
    let with = |members: Value| {
        let mut event = event();
        let members = members.as_object().unwrap().clone();
        event.as_object_mut().unwrap().extend(members);
        event.to_string()
    };
    let row = |level: &str, annotations: &Value| {
        json!({"AuditId": "1", "Stage": "ResponseComplete", "Verb": "delete", "Level": level,
            "Annotations": annotations, "StageReceivedTime": "2026-11-23T06:15:04Z"})
        .to_string()
    };
    let text = json!(truncated.to_string());
    for (body, expected) in [
        (
            with(json!({"level": "default", "k8s_audit_level": "Request"})),
            (Request, false),
        ),
        (
            with(json!({"level": "default", "openshift_audit_level": "Metadata"})),
            (Metadata, false),
        ),
        (
            with(json!({"level": "info", "annotations": truncated})),
            (Other, true),
        ),
        (
            with(json!({"annotations": text, "user": "{}"})),
            (Metadata, true),
        ),
        (row("RequestResponse", &truncated), (RequestResponse, true)),
        (row("Request", &text), (Request, true)),
        (row("x", &Value::Null), (Other, false)),
    ] {
        assert_eq!(levels(body.as_bytes()), [expected], "{body}");
    }
    // The first of two that is one of the policy's.
    for twice in [
        "\"Request\",\"level\":\"info\"",
        "\"info\",\"level\":\"Request\"",
    ] {
        let body = event().to_string().replace("\"Metadata\"", twice);
        assert_eq!(levels(body.as_bytes()), [(Request, false)], "{body}");
    }
}

/// Google says no level: what was recorded is there.
#[test]
fn of_google() {
    let entry = |payload: Value, labels: Value| {
        let mut all = json!({"serviceName": "k8s.io", "methodName": "io.k8s.core.v1.pods.delete",
            "resourceName": "core/v1/namespaces/n/pods/p"});
        all.as_object_mut()
            .unwrap()
            .extend(payload.as_object().unwrap().clone());
        json!({"insertId": "1", "timestamp": "2026-11-23T06:15:04Z", "labels": labels, "protoPayload": all})
            .to_string()
    };
    let (none, object) = (json!({}), json!({"kind": "Pod"}));
    for (payload, labels, expected) in [
        (none.clone(), none.clone(), (Other, false)),
        (json!({"request": object}), none.clone(), (Request, false)),
        (
            json!({"response": object}),
            none.clone(),
            (RequestResponse, false),
        ),
        (
            none.clone(),
            json!({"audit.k8s.io/truncated": "true"}),
            (Other, true),
        ),
        (
            json!({"response": object}),
            json!({"audit_k8s_io_truncated": "true"}),
            (RequestResponse, true),
        ),
        (
            none.clone(),
            json!({"audit.k8s.io/truncated": "false"}),
            (Other, false),
        ),
        (
            none,
            json!({"command.gke.io/dryRun": "All"}),
            (Request, false),
        ),
    ] {
        let body = entry(payload, labels);
        assert_eq!(levels(body.as_bytes()), [expected], "{body}");
    }
}
