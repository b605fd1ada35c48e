#![allow(
    clippy::too_many_lines,
    reason = "a table of cases is as long as its cases"
)]

use super::*;
use crate::audit::Verb;
use expect_test::{Expect, expect};
use jiff::Timestamp;

/// A small event with a distinct name.
fn event(name: &str) -> String {
    format!(
        r#"{{"level":"Metadata","auditID":"1","stage":"ResponseComplete","verb":"delete","objectRef":{{"resource":"pods","name":"{name}"}},"stageTimestamp":"2026-11-23T06:15:04.239741Z"}}"#
    )
}

/// What is asserted of a delivery, and of an event in it.
struct Opened {
    events: Vec<FoundEvent>,
    rejected: Vec<Rejected>,
}

struct FoundEvent {
    verb: Verb,
    name: String,
    at: Timestamp,
}

fn open(body: &[u8]) -> Opened {
    let mut events = Vec::new();
    let rejected = read_bare(body, &mut |found| {
        events.push(FoundEvent {
            verb: found.event.verb,
            name: found.event.object_ref.name.to_string(),
            at: found.event.at,
        });
        Ok(())
    });
    Opened { events, rejected }
}

/// Without memory for wrappers.
fn read_bare(body: &[u8], emit: Emit) -> Vec<Rejected> {
    let limits = Limits {
        unpacked_bytes_max: 0,
        held_bytes_max: 0,
        reserve: &mut |_| true,
    };
    read(body, limits, emit).rejected
}

fn check(body: &str, expected: Expect) {
    check_bytes(body.as_bytes(), expected);
}

fn check_bytes(body: &[u8], expected: Expect) {
    let opened = open(body);
    let mut text = String::new();
    for event in &opened.events {
        text += &format!("event {:?} {}\n", event.verb, event.name);
    }
    for Rejected { at, reason } in &opened.rejected {
        text += &format!("rejected {} bytes at {}: {reason}\n", at.len(), at.start);
    }
    expected.assert_eq(&text);
}

#[test]
fn every_form() {
    let (a, b) = (event("a"), event("b"));
    let forms = [
        format!(
            r#"{{"kind":"EventList","apiVersion":"audit.k8s.io/v1","metadata":{{}},"items":[{a},{b}]}}"#
        ),
        format!(r#"{{"items":[{a},{b}]}}"#),
        format!("[{a},{b}]"),
        format!("{a}\n{b}\n"),
        format!("{a}{b}"),
        format!("\u{feff} {{\"items\":[{a}]}}\r\n\r\n[{b}]"),
    ];
    for form in forms {
        let names: Vec<String> = open(form.as_bytes())
            .events
            .iter()
            .map(|event| event.name.clone())
            .collect();
        assert_eq!(names, ["a", "b"], "{form}");
        assert_eq!(open(form.as_bytes()).rejected, []);
    }
    check(
        &a,
        expect![[r#"
        event Delete a
    "#]],
    );
}

#[test]
fn nothing_is_nothing() {
    check("", expect![""]);
    check(" \n", expect![""]);
    check("[]", expect![""]);
    check(r#"{"items":[]}"#, expect![""]);
    check(r#"{"kind":"EventList","items":null}"#, expect![""]);
}

#[test]
fn not_json_at_all() {
    check(
        "hello",
        expect![[r#"
        rejected 5 bytes at 0: not json
    "#]],
    );
    check(
        "null",
        expect![[r#"
        rejected 4 bytes at 0: not json
    "#]],
    );
    check(
        "<html>",
        expect![[r#"
        rejected 6 bytes at 0: not json
    "#]],
    );
    check_bytes(
        &[0xff, 0xff, 0x00],
        expect![[r#"
        rejected 3 bytes at 0: not json
    "#]],
    );
    check(
        "{",
        expect![[r#"
        rejected 1 bytes at 0: cut off
    "#]],
    );
    check(
        "[",
        expect![[r#"
        rejected 0 bytes at 1: cut off
    "#]],
    );
}

#[test]
fn one_bad_item_among_good_ones() {
    let (a, b) = (event("a"), event("b"));
    let deep = format!("{}1{}", "[".repeat(200), "]".repeat(200));
    let context = |bad: &str| format!(r#"{{"kind":"EventList","items":[{a},{bad},{b}]}}"#);
    check(
        &context("null"),
        expect![[r#"
        event Delete a
        event Delete b
        rejected 4 bytes at 197: mistyped field
    "#]],
    );
    check(
        &context("17"),
        expect![[r#"
        event Delete a
        event Delete b
        rejected 2 bytes at 197: mistyped field
    "#]],
    );
    check(
        &context("\"text\""),
        expect![[r#"
        event Delete a
        event Delete b
        rejected 6 bytes at 197: mistyped field
    "#]],
    );
    check(
        &context("{}"),
        expect![[r#"
        event Delete a
        event Delete b
        rejected 2 bytes at 197: not an audit event
    "#]],
    );
    check(
        &context(r#"{"auditID":"1","stage":"ResponseComplete","verb":"get"}"#),
        expect![[r#"
            event Delete a
            event Delete b
            rejected 55 bytes at 197: without a time
        "#]],
    );
    check(
        &context(&event(r"\ud800")),
        expect![[r#"
        event Delete a
        event Delete b
        rejected 172 bytes at 197: not json
    "#]],
    );
    check(
        &context(&event("x").replace("\"verb\":\"delete\"", "\"verb\":7")),
        expect![[r#"
            event Delete a
            event Delete b
            rejected 160 bytes at 197: not json
        "#]],
    );
    check(
        &context(&event("x").replace("\"Metadata\"", "1e999")),
        expect![[r#"
            event Delete a
            event Delete x
            event Delete b
        "#]],
    );
    check(
        &context(&event("x").replace("\"Metadata\"", &deep)),
        expect![[r#"
            event Delete a
            event Delete x
            event Delete b
        "#]],
    );
    check(
        &context(&event("x").replace("\"1\"", &deep)),
        expect![[r#"
        event Delete a
        event Delete b
        rejected 565 bytes at 197: mistyped field
    "#]],
    );
    check(
        &context(&event("x")[..90]),
        expect![[r#"
        event Delete a
        event Delete b
        rejected 91 bytes at 197: cut off
    "#]],
    );
}

/// A list may be written over several lines; each of its items is still an item.
#[test]
fn a_list_over_several_lines() {
    let (a, b) = (event("a"), event("b"));
    check(
        &format!("{{\"items\":[\n{a},\n{{}},\n{b}\n]}}\n{a}"),
        expect![[r#"
            event Delete a
            event Delete b
            event Delete a
            rejected 2 bytes at 180: not an audit event
        "#]],
    );
}

/// An event that `emit` refuses is rejected at its position, in every form of delivery.
#[test]
fn refused_events_have_their_places() {
    let (a, b) = (event("a"), event("b"));
    for body in [
        format!(r#"{{"items":[{a}, {b} ,{a}],"kind":"EventList"}}"#),
        format!("[{a},{b}, {a}]"),
        format!("{a}\n{b}\n{a}"),
        format!(r#"{{"items":[{a},{b},{a},null]}}"#),
        format!("[{a},{b},{a},{{"),
    ] {
        let rejected = read_bare(
            body.as_bytes(),
            &mut |found| match &*found.event.object_ref.name {
                "b" => Err(Reason::Unreadable),
                _ => Ok(()),
            },
        );
        assert_eq!(&body[rejected[0].at.clone()], b, "{body}");
        assert_eq!(rejected[0].reason, Reason::Unreadable, "{body}");
    }
}

/// What takes many times its bytes in memory has a maximum, and costs itself alone.
#[test]
fn long_lists_are_no_reason_to_refuse() {
    let pod = |status: &str| {
        event("a").replace(
            "\"stageTimestamp\"",
            &format!(
                r#""responseObject":{{"kind":"Pod","metadata":{{"uid":"1"}},"status":{status}}},"stageTimestamp""#
            ),
        )
    };
    let statuses = |count: usize| {
        let items = vec!["{}"; count].join(",");
        pod(&format!(r#"{{"containerStatuses":[{items}]}}"#))
    };
    assert_eq!(open(statuses(1024).as_bytes()).events.len(), 1);
    assert_eq!(open(statuses(1025).as_bytes()).events.len(), 1);
    let labels = |count: usize| {
        let labels = vec![r#""a":"b""#; count].join(",");
        pod("null").replace("\"uid\"", &format!("\"labels\":{{{labels}}},\"uid\""))
    };
    assert_eq!(open(labels(1024).as_bytes()).events.len(), 1);
    assert_eq!(open(labels(1025).as_bytes()).events.len(), 1);
}

#[test]
fn a_list_that_was_cut_off() {
    let (a, b) = (event("a"), event("b"));
    check(
        &format!(r#"{{"items":[{a},{}"#, &b[..60]),
        expect![[r#"
        event Delete a
        rejected 60 bytes at 178: cut off
    "#]],
    );
    check(
        &format!(r#"{{"items":[{a},{b}"#),
        expect![[r#"
            event Delete a
            event Delete b
            rejected 0 bytes at 345: cut off
        "#]],
    );
    check(
        &format!("[{a},{}", &b[..b.len() - 1]),
        expect![[r#"
        event Delete a
        rejected 166 bytes at 169: cut off
    "#]],
    );
}

#[test]
fn a_bad_line_among_good_ones() {
    let (a, b) = (event("a"), event("b"));
    check(
        &format!("{a}\n{}\n{b}\n", &a[..50]),
        expect![[r#"
        event Delete a
        event Delete b
        rejected 51 bytes at 168: not json
    "#]],
    );
    check(
        &format!("{a}\nklog text\n{b}\n"),
        expect![[r#"
        event Delete a
        event Delete b
        rejected 10 bytes at 168: not json
    "#]],
    );
    check(
        &format!("{a}\n{{\"kind\":\"Event\"}}\n{b}\n"),
        expect![[r#"
            event Delete a
            event Delete b
            rejected 16 bytes at 168: not an audit event
        "#]],
    );
}

#[test]
fn a_bad_line_takes_no_other_with_it() {
    let (a, b, c) = (event("a"), event("b"), event("c"));
    for line in [
        r#"[{"a"#,
        "[[[[",
        r#"["x"#,
        r#"[ "abc {"#,
        "[1,2",
        r#""abc"#,
        r#"{"a":"b"#,
        "{",
        "}",
        "]",
        "[INFO] {",
        "x [ {",
    ] {
        let body = format!("{a}\n{line}\n{b}\n{c}\n");
        let opened = open(body.as_bytes());
        let names: Vec<&str> = opened.events.iter().map(|it| &*it.name).collect();
        assert_eq!(names, ["a", "b", "c"], "{line}");
        let of_line = a.len() + 1..=a.len() + line.len() + 2;
        let rejected = opened.rejected.iter();
        let is_of_line =
            |part: &Rejected| of_line.contains(&part.at.start) && of_line.contains(&part.at.end);
        assert!(
            rejected.clone().all(is_of_line),
            "{line}: {:?}",
            opened.rejected
        );
    }
}

#[test]
fn text_inside_of_strings_is_no_structure() {
    let trap = event(r#"x\",{\"level\":\"]}"#);
    check(
        &format!(r#"{{"items":[{trap},null,{}]}}"#, event("b")),
        expect![[r#"
            event Delete x",{"level":"]}
            event Delete b
            rejected 4 bytes at 196: mistyped field
        "#]],
    );
}

/// A body that is made to be searched to its end again and again is given up in time.
#[test]
fn hostile_bodies_are_given_up() {
    for body in [
        format!("[{}", ",{{{{{{{{{".repeat(20_000)),
        "{\"a\":\"\n".repeat(50_000),
        "{\"items\":[\"".repeat(20_000),
        "x\n".repeat(100_000),
    ] {
        let begun = std::time::Instant::now();
        let opened = open(body.as_bytes());
        assert!(!opened.rejected.is_empty() && opened.events.is_empty());
        assert!(opened.rejected.len() <= 10_000, "{}", opened.rejected.len());
        let took = begun.elapsed();
        assert!(
            took < std::time::Duration::from_secs(5),
            "{} took {took:?}",
            &body[..12]
        );
    }
}

/// Wherever a line is cut, the lines around it are read.
#[test]
fn a_line_cut_anywhere_takes_no_other_with_it() {
    let lines: Vec<String> = (0..6).map(|number| event(&format!("p{number}"))).collect();
    for cut in 1..lines[2].len() {
        let mut lines = lines.clone();
        lines[2].truncate(cut);
        let body = lines.join("\n");
        let opened = open(body.as_bytes());
        assert_eq!(opened.events.len(), 5, "cut at {cut}");
        assert_eq!(opened.rejected.len(), 1, "cut at {cut}");
    }
}

/// Kubernetes 1.8 had no microseconds, and its events a metadata of their own.
#[test]
fn an_event_of_an_old_server() {
    let old = event("a").replace(
        "\"stageTimestamp\":\"2026-11-23T06:15:04.239741Z\"",
        "\"metadata\":{\"creationTimestamp\":\"2017-11-23T06:15:04Z\"},\"timestamp\":\"2017-11-23T06:15:03Z\"",
    );
    let opened = open(old.as_bytes());
    assert_eq!(opened.events[0].at.to_string(), "2017-11-23T06:15:04Z");
}

mod hostile;
mod levels;
mod made;
mod wrapped;
