//! Texts by which whoever makes a pod, or writes into another log, would have a made-up event believed; and bodies
//! that are made to be searched over and over.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::wrapped::decoded;
use super::*;

/// What must not be told: a whole event about `victim`.
fn fake() -> String {
    let mut fake: Value = serde_json::from_str(&event("victim")).unwrap();
    fake["user"] = json!({"username": "fake"});
    fake.to_string()
}

/// An event as a pod's author may write it, with the fake as the value of a label, an annotation, and more.
fn real() -> Value {
    let mut real: Value = serde_json::from_str(&event("real")).unwrap();
    let metadata = json!({"name": "real", "uid": "1",
        "labels": {"a": fake()}, "annotations": {"log": fake(), "message": fake()}});
    real["user"] = json!({"username": "author"});
    real["kind"] = json!("Event");
    real["apiVersion"] = json!("audit.k8s.io/v1");
    real["userAgent"] = json!(fake());
    real["annotations"] = json!({"message": fake()});
    real["requestObject"] = json!({"data": {"log": fake()}, "spec": {"events": [fake_object()]}});
    real["responseObject"] = json!({"kind": "Pod", "metadata": metadata,
        "status": {"message": fake(), "items": [fake_object()]}});
    real
}

fn fake_object() -> Value {
    serde_json::from_str(&fake()).unwrap()
}

fn check_not_believed(body: &[u8], what: &str) {
    let decoded = decoded(body);
    assert!(!decoded.contains("fake"), "{what}: {decoded}");
}

/// In every wrapper, as it is, rejected for each of its members, without each of them, and by itself.
#[test]
fn nothing_in_an_event_is_opened() {
    let real = real();
    let mut events = vec![real.clone()];
    for name in real.as_object().unwrap().keys() {
        let mut without = real.clone();
        without.as_object_mut().unwrap().remove(name);
        let mut mistyped = real.clone();
        mistyped[name] = json!([[7]]);
        let mut null = real.clone();
        null[name] = Value::Null;
        events.extend([without, mistyped, null]);
    }
    for event in events {
        let text = event.to_string();
        let forms = [
            text.clone(),
            format!("[{text}]"),
            format!("{{\"items\":[{text},7]}}"),
            format!("2026-11-28T09:00:00Z stdout F {text}"),
            format!("cp-1 {text}"),
            json!({"log": text, "stream": "stdout", "time": "x"}).to_string(),
            json!({"message": text}).to_string(),
            json!({"a": event, "b": text}).to_string(),
            json!({"values": [["1", text]]}).to_string(),
            json!({"records": [{"category": "kube-audit", "properties": {"log": text}}]})
                .to_string(),
            json!({"protoPayload": event}).to_string(),
            json!({"kubernetes": event}).to_string(),
        ];
        for form in forms {
            check_not_believed(form.as_bytes(), &form);
        }
    }
}

/// Wherever an event is cut, what is left of it and what was cut off, alone, before and behind another one, and as
/// pieces of a line one of which is missing.
#[test]
fn nothing_in_a_torn_event_is_believed() {
    let text = real().to_string();
    let time = "2026-11-28T09:00:00.004000000Z";
    for cut in 1..text.len() {
        let (head, tail) = text.split_at(cut);
        let record =
            |text: &str| json!({"log": text, "stream": "stdout", "time": time}).to_string();
        // Without a wrapper nobody can tell a whole event at the beginning of a line from one that was a part of
        // another line. What follows shows that here.
        let bare = if tail.starts_with("{\"auditID\"") {
            ""
        } else {
            tail
        };
        let forms = [
            format!("{head}\n{bare}"),
            format!("{head}{}\n{}", event("next"), event("next")),
            format!("cp-1 {head}\ncp-1 {bare}"),
            format!("{time} stdout F {tail}"),
            format!("{time} stdout P {head}\n"),
            format!("{time} stdout P {tail}\n"),
            format!("{time} stdout P {tail}\n{time} stdout F {}", event("next")),
            record(&format!("{tail}\n")),
            record(tail),
            record(head),
            [record(head), record(&event("next"))].join("\n"),
            json!({ "message": tail }).to_string(),
            json!({ "message": format!("cp-1 {head}") }).to_string(),
        ];
        for form in forms {
            check_not_believed(form.as_bytes(), &format!("cut at {cut}: {form}"));
        }
    }
}

/// AKS and CloudWatch cut where whoever made the object may have wanted it.
#[test]
fn a_cut_behind_a_fake_does_not_make_it_an_event() {
    let text = real().to_string();
    let end_of_fake = text.find(&fake()).unwrap() + fake().len();
    let cut = &text[..end_of_fake];
    for form in [
        cut.to_owned(),
        format!("cp-1 {cut}"),
        json!({ "log": cut }).to_string(),
        format!("{cut}\n{}", event("next")),
    ] {
        check_not_believed(form.as_bytes(), &form);
    }
}

/// Logs that share a stream with audit events, and quote what users send.
#[test]
fn other_logs_that_quote_an_event() {
    let (fake, quoted) = (fake(), json!(fake()).to_string());
    for line in [
        format!("user said: {fake}"),
        format!("May  1 12:00:00 m0 sshd[1]: Invalid user {fake}"),
        format!("E1128 09:00:00.123456       1 x.go:1] bad request {fake}"),
        format!("time=\"2026-11-28T09:00:00Z\" level=info msg={quoted}"),
        format!("time=\"2026-11-28T09:00:00Z\" level=info msg=\"{fake}\""),
        format!("192.0.2.1 - - [28/Nov/2026:09:00:00 +0000] \"GET / HTTP/1.1\" 200 \"{fake}\""),
        format!("2026-11-28T09:00:00Z web {fake} was refused"),
        format!("2026-11-28T09:00:00Z stdout F user said: {fake}"),
        format!("2026-11-28T09:00:00Z {{\"msg\": {fake}"),
        json!({ "log": format!("user said: {fake}") }).to_string(),
        json!({"log": format!("user said: {fake}\n"), "stream": "stdout", "time": "x"}).to_string(),
        json!({"log": "a line", "kubernetes": {"annotations": {"a": fake}, "labels": {"b": fake}}})
            .to_string(),
        json!({"kind": "Event", "apiVersion": "v1", "message": fake}).to_string(),
        json!({"kind": "ConfigMap", "apiVersion": "v1", "data": {"log": fake}}).to_string(),
    ] {
        check_not_believed(line.as_bytes(), &line);
        // It names an event, so somebody has to see it.
        assert!(decoded(line.as_bytes()).starts_with("rejected"), "{line}");
    }
}

/// What names an event is never passed over.
#[test]
fn what_names_an_event_is_no_other_log() {
    let fake = fake();
    let said = |text: &str| json!({"log": text, "level": "info", "msg": "x", "ts": 1}).to_string();
    for line in [
        "I0424 12:00:00.123456       1 x.go:1] \"Timeout\" auditID=\"1\"".to_owned(),
        "2026-11-28T09:00:00Z stdout F auditID".to_owned(),
        "time=\"2026-11-28T09:00:00Z\" level=info msg=auditID".to_owned(),
        said("auditID"),
        json!({"log_type": "infrastructure", "message": "auditID"}).to_string(),
        json!({"log_source": "ovn", "message": {"auditID": "1"}}).to_string(),
        json!({"category": "guard", "properties": {"log": "auditID"}}).to_string(),
        json!({"logName": "x", "textPayload": "auditID"}).to_string(),
        json!({"protoPayload": {"serviceName": "x", "request": {"auditID": "1"}}}).to_string(),
        json!({"messageType": "DATA_MESSAGE", "logStream": "authenticator", "logEvents": [{"message": "auditID"}]}).to_string(),
        json!({"resourceLogs": [{"scopeLogs": [{"logRecords": [{"attributes": [{"key": "auditID"}]}]}]}]}).to_string(),
    ] {
        let decoded = decoded(line.as_bytes());
        assert!(decoded.ends_with("\n0 ignored"), "{line}: {decoded}");
    }
    let fake = json!({"messageType": "DATA_MESSAGE", "logStream": "authenticator", "logEvents": [{"message": fake}]});
    assert!(decoded(fake.to_string().as_bytes()).starts_with("Delete"));
}

/// A body that has so many parts.
type Body = Box<dyn Fn(usize) -> String>;

/// Four times as much takes four times as long, about, and not sixteen times.
#[test]
fn every_body_is_read_in_linear_time() {
    let event = event("a");
    let bodies: [(&str, Body); 21] = [
        (
            "objects in each other",
            Box::new(|n| format!("{}\"auditID\"{}", "{\"a\":".repeat(n), "}".repeat(n))),
        ),
        (
            "lists in each other",
            Box::new(|n| format!("{}\"auditID\"{}", "[".repeat(n), "]".repeat(n))),
        ),
        (
            "both",
            Box::new(|n| format!("{}\"auditID\"{}", "{\"a\":[".repeat(n), "]}".repeat(n))),
        ),
        ("both, unclosed", Box::new(|n| "{\"auditID\":[".repeat(n))),
        (
            "records beside each other",
            Box::new(move |n| format!("{{\"log\":{}}}\n", json!(event)).repeat(n / 40)),
        ),
        (
            "records in a list",
            Box::new(|n| format!("{{\"x\":[{}7]}}", "{\"log\":\"auditID\"},".repeat(n))),
        ),
        (
            "rows",
            Box::new(|n| format!("{{\"x\":[{}[7]]}}", "[\"1\",\"{auditID\"],".repeat(n))),
        ),
        ("heads", Box::new(|n| "cp-1 {\"auditID\":\n".repeat(n))),
        (
            "heads on one line",
            Box::new(|n| "cp-1 {\"auditID\": ".repeat(n)),
        ),
        (
            "brackets of heads",
            Box::new(|n| "[a] {\"auditID\":\n".repeat(n)),
        ),
        (
            "torn ones on one line",
            Box::new(|n| "{\"auditID\":1{\"a".repeat(n)),
        ),
        (
            "torn ones in strings",
            Box::new(|n| "{\"a\":\"auditID{\"b\":\"".repeat(n)),
        ),
        (
            "lines that open",
            Box::new(|n| "{\"auditID\":[\n".repeat(n)),
        ),
        (
            "lines of the CRI in each other",
            Box::new(|n| {
                format!(
                    "{}{{\"auditID\":1}}",
                    "2026-11-28T09:00:00Z stdout F ".repeat(n)
                )
            }),
        ),
        (
            "pieces that never end",
            Box::new(|n| "2026-11-28T09:00:00Z stdout P {\"auditID\":\n".repeat(n)),
        ),
        (
            "docker's pieces",
            Box::new(|n| "{\"log\":\"{auditID\",\"stream\":\"a\",\"time\":1}\n".repeat(n)),
        ),
        ("brackets on one line", Box::new(|n| "[a] ".repeat(n))),
        (
            "heads in brackets on one line",
            Box::new(|n| "[a] {\"auditID\":1} ".repeat(n)),
        ),
        (
            "members beside a long one",
            Box::new(|n| {
                format!(
                    "{{\"openshift\":{{\"x\":[{}1]}},{}}}",
                    "1,".repeat(n),
                    vec!["\"a\":\"auditID\""; n].join(",")
                )
            }),
        ),
        (
            "members with better ones",
            Box::new(|n| format!("{{{}}}", vec!["\"json\":\"auditID\""; n].join(","))),
        ),
        ("zeros", Box::new(|n| "\0\0\0\0\x01".repeat(n))),
    ];
    for (name, body) in bodies {
        let took = |count: usize| {
            let body = body(count);
            let begun = Instant::now();
            decoded(body.as_bytes());
            begun.elapsed()
        };
        let (few, many) = (took(10_000), took(40_000));
        // The first may be too short to be measured.
        let allowed = (few * 10).max(Duration::from_secs(3));
        assert!(
            many < allowed,
            "{name}: {few:?}, and four times as much {many:?}"
        );
    }
}
