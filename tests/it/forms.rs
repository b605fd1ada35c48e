//! The five events of `fixtures/envelopes` in the forms in which people and relays hand logs on, made here: each is a
//! line or two of code where a file would be fifty kilobytes. Used by the tests of `envelope`, by `envelopes`, and as
//! seeds for the fuzzer.

#[path = "forms/containers.rs"]
mod containers;
#[path = "forms/lines.rs"]
mod lines;
#[path = "forms/packings.rs"]
mod packings;

use serde_json::{Value, json};

/// Something to post, and what becomes of it.
pub struct Form {
    pub name: &'static str,
    pub body: Vec<u8>,
    pub expected: Expected,
}

#[derive(Clone, Copy)]
pub enum Expected {
    /// All five events, and so many records of other logs.
    Life(usize),
    /// So many parts are rejected, all for this reason, and the rest of the events are read.
    Rejected(usize, &'static str),
}

use Expected::{Life, Rejected};

/// The events, each a line of JSON, and the same as entries of Google's logs.
pub struct Source<'s> {
    pub events: Vec<&'s str>,
    pub entries: Vec<&'s str>,
}

impl<'s> Source<'s> {
    /// Of the files `bare.jsonl` and `gke-log-entries...`, whose last five entries are the events.
    pub fn of(bare: &'s str, entries: &'s str) -> Source<'s> {
        let entries: Vec<&str> = entries.lines().collect();
        Source {
            events: bare.lines().collect(),
            entries: entries[entries.len() - 5..].to_vec(),
        }
    }

    /// A line of each event.
    fn lines(&self, line: impl FnMut(&str) -> String) -> String {
        lines(&self.events, line)
    }

    fn values(&self) -> Vec<Value> {
        let parse = |event: &&str| serde_json::from_str(event).expect("JSON");
        self.events.iter().map(parse).collect()
    }
}

fn lines(of: &[&str], mut line: impl FnMut(&str) -> String) -> String {
    of.iter().map(|text| line(text) + "\n").collect()
}

fn life(name: &'static str, body: impl Into<Vec<u8>>) -> Form {
    Form {
        name,
        body: body.into(),
        expected: Life(0),
    }
}

fn expect(name: &'static str, body: impl Into<Vec<u8>>, expected: Expected) -> Form {
    Form {
        expected,
        ..life(name, body)
    }
}

/// Every form.
pub fn forms(source: &Source) -> Vec<Form> {
    let mut forms = lines::forms(source);
    forms.extend(packings::forms(source));
    forms.extend(containers::forms(source));
    forms.extend(values(source));
    forms
}

/// Where the events themselves are written otherwise.
fn values(source: &Source) -> Vec<Form> {
    let each = |change: fn(&mut Value)| {
        let mut events = source.values();
        events.iter_mut().for_each(change);
        events
            .iter()
            .map(|event| format!("{event}\n"))
            .collect::<String>()
    };
    vec![
        life("numbers as floats", each(|event| numbers(event, |number| json!(number as f64)))),
        life("numbers as text", each(|event| numbers(event, |number| json!(number.to_string())))),
        life("the core group by name", each(|event| event["objectRef"]["apiGroup"] = json!("core"))),
        life(
            "members that are null",
            each(|event| {
                for name in ["annotations", "sourceIPs", "impersonatedUser", "metadata"] {
                    event[name] = Value::Null;
                }
            }),
        ),
        life("slashes escaped", source.lines(|event| event.replace('/', "\\/"))),
        life(
            "pretty-printed",
            source.values().iter().map(|event| format!("{event:#}\n")).collect::<String>(),
        ),
        life(
            "level twice",
            source.lines(|event| event.replacen('}', "},\"level\":\"info\"", 1)),
        ),
        life(
            "a list of a shoot, with annotations of its own",
            json!({"kind": "EventList", "apiVersion": "audit.k8s.io/v1", "items": source.values()})
                .to_string(),
        ),
        expect(
            "auditID without quotes",
            source.lines(|event| match event.contains("pods/holder/binding") {
                true => event.replacen("\"auditID\":\"", "\"auditID\":0a4376d5,\"x\":\"", 1),
                false => event.to_owned(),
            }),
            Rejected(1, "mistyped field"),
        ),
        expect(
            "of Rancher, without stage and verb",
            r#"{"auditID":"1","requestURI":"/v3/clusters","user":{"name":"u"},"method":"GET","responseCode":200}"#,
            Rejected(1, "not an audit event"),
        ),
        expect(
            "an AdmissionReview",
            json!({"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1",
                "request": {"uid": "1", "object": source.values()[0]["responseObject"]}})
            .to_string(),
            Rejected(1, "not an audit event"),
        ),
        expect(
            "times without a zone",
            source.lines(|event| event.replace("T06:", " 06:").replace("Z\"", "\"")),
            Rejected(5, "unreadable object"),
        ),
        expect(
            "the legacy text",
            source.lines(|_| "2026-11-28T09:00:00.004Z AUDIT: id=\"1\" ip=\"192.0.2.1\" method=\"create\"".to_owned()),
            Rejected(5, "not json"),
        ),
        expect(
            "a Ruby hash in LTSV",
            source.lines(|_| "2026-11-28T09:00:00+00:00 fluentd: kind:Event#011auditID:1#011user:{\"username\"=>\"a\"}".to_owned()),
            Rejected(5, "not json"),
        ),
    ]
}

/// Writes each number anew.
fn numbers(value: &mut Value, write: fn(i64) -> Value) {
    match value {
        Value::Number(number) => *value = number.as_i64().map_or_else(|| value.clone(), write),
        Value::Array(items) => items.iter_mut().for_each(|item| numbers(item, write)),
        Value::Object(members) => members
            .values_mut()
            .for_each(|member| numbers(member, write)),
        _ => {}
    }
}
