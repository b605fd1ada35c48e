//! Wrappers: the shapes in which relays and clouds deliver audit events, known by their members.

use std::borrow::Cow;

use jiff::Timestamp;
use serde_json::value::RawValue;

use super::fields::{Fields, items, text_of};
use super::{Reason, flat, gke, other_logs, otlp};

/// How gzip begins, by itself and in base64.
pub const GZIP: &[u8] = b"\x1f\x8b\x08";
pub const GZIP_BASE64: &[u8] = b"H4sI";

/// How a JSON object begins in base64.
const OBJECT_BASE64: &str = "ey";

/// The longest name of a cluster that is taken from a wrapper: an Azure resource's is the longest.
const CLUSTER_BYTES_MAX: usize = 512;

/// How much of a text is looked at to know what it is.
const HEAD_CHARS_MAX: usize = 512;

/// Members that hold a line of text: Fluent Bit's, Fluentd's (Filebeat's, Vector's, Logstash's,
/// CloudWatch's), and others'.
const LINES: [&str; 5] = ["log", "message", "MESSAGE", "body", "msg"];

/// Members that hold the decoded line: Filebeat's, Fluent Bit's.
const DECODED: [&str; 2] = ["json", "log_processed"];

/// What a value that is no audit event is known to be.
pub enum Known<'a> {
    Wrapper(Wrapper<'a>),
    OtherLog,
}

/// A wrapper, not yet unwrapped.
#[derive(Clone, Debug)]
pub enum Wrapper<'a> {
    Gzip(&'a [u8]),
    Base64(&'a [u8]),
    /// A string that holds a delivery.
    Text(&'a RawValue),
    /// A record with a line of text, in this member.
    Line(Fields<'a>, &'a RawValue),
    /// A record with a decoded line.
    Decoded(Fields<'a>, &'a RawValue),
    /// Azure's and Firehose's lists.
    Records(&'a RawValue),
    /// One record of Azure's diagnostic settings.
    Azure(Fields<'a>),
    CloudWatch(Fields<'a>),
    LogEntry(Fields<'a>),
    Row(Fields<'a>),
    Otlp(Fields<'a>),
    OtlpRecord(Fields<'a>),
    /// Elastic Agent's, which lacks the metadata of objects.
    Stripped,
}

/// One part of what was wrapped.
pub struct Content<'c> {
    pub inside: Inside<'c>,
    /// The smallest value around it that stands by itself, where that is not the whole wrapper.
    pub part: Option<&'c str>,
    pub cluster: Option<String>,
    /// When it was wrapped, in RFC 3339.
    pub time: Option<String>,
}

pub enum Inside<'c> {
    Text(Cow<'c, [u8]>),
    /// A JSON string that holds the text.
    Quoted(&'c RawValue),
    Base64(&'c [u8]),
    Gzip(&'c [u8]),
    OtherLog,
    Unreadable(Reason),
}

impl<'c> Content<'c> {
    fn of(inside: Inside<'c>) -> Content<'c> {
        Content {
            inside,
            part: None,
            cluster: None,
            time: None,
        }
    }

    fn owned(text: Option<Vec<u8>>) -> Content<'c> {
        Content::of(text.map_or(Inside::Unreadable(Reason::NotAnEvent), |text| {
            Inside::Text(text.into())
        }))
    }
}

/// What takes the parts, one by one.
type Take<'t> = &'t mut dyn FnMut(Content);

/// Recognises a JSON string or object, or what is packed.
pub fn recognise(value: &[u8]) -> Option<Known<'_>> {
    if value.starts_with(GZIP) {
        return Some(Known::Wrapper(Wrapper::Gzip(value)));
    }
    if value.starts_with(GZIP_BASE64) {
        return Some(Known::Wrapper(Wrapper::Base64(value)));
    }
    let value = std::str::from_utf8(value).ok()?;
    if value.starts_with('"') {
        let raw = serde_json::from_str(value).ok()?;
        return known_text(raw, || Wrapper::Text(raw));
    }
    let fields = Fields::of(value)?;
    known_cloud(&fields).or_else(|| known_record(fields))
}

/// Clouds' own shapes, which need no guess.
fn known_cloud<'a>(fields: &Fields<'a>) -> Option<Known<'a>> {
    let own = || fields.clone();
    Some(Known::Wrapper(
        if let Some(payload) = fields.object("protoPayload") {
            if payload.text("serviceName")? != "k8s.io" {
                return Some(Known::OtherLog);
            }
            Wrapper::LogEntry(own())
        } else if let Some(kind) = fields.text("messageType") {
            // The first message of a subscription is a test.
            if kind == "CONTROL_MESSAGE" {
                return Some(Known::OtherLog);
            }
            fields.list("logEvents")?;
            Wrapper::CloudWatch(own())
        } else if let Some(packed) = fields.object("awslogs") {
            Wrapper::Base64(packed.get("data")?.get().as_bytes())
        } else if let Some(records) = fields.list("records").or_else(|| fields.list("Records")) {
            Wrapper::Records(records)
        } else if let (Some(category), true) = (fields.text("category"), fields.has("properties")) {
            if !category.starts_with("kube-audit") {
                return Some(Known::OtherLog);
            }
            Wrapper::Azure(own())
        } else if flat::is_row(fields) {
            Wrapper::Row(own())
        } else if fields.list("resourceLogs").is_some() {
            Wrapper::Otlp(own())
        } else if fields.object("body").is_some_and(|body| has_value(&body)) {
            Wrapper::OtlpRecord(own())
        } else if let Some(data) = packed_data(fields) {
            Wrapper::Base64(data)
        } else {
            return None;
        },
    ))
}

fn has_value(body: &Fields) -> bool {
    body.has("stringValue") || body.has("kvlistValue")
}

/// A record of Kinesis or Firehose: its data is base64, mostly of gzip.
fn packed_data<'a>(fields: &Fields<'a>) -> Option<&'a [u8]> {
    let data = match fields.object("kinesis") {
        Some(kinesis) => kinesis.get("data")?,
        None => fields.get("data")?,
    };
    let text = data.get().strip_prefix('"')?;
    let is_packed = text.as_bytes().starts_with(GZIP_BASE64) || text.starts_with(OBJECT_BASE64);
    is_packed.then_some(data.get().as_bytes())
}

/// What agents make of a line.
fn known_record(fields: Fields<'_>) -> Option<Known<'_>> {
    if fields
        .object("kubernetes")
        .is_some_and(|kubernetes| kubernetes.has("audit"))
    {
        return Some(Known::Wrapper(Wrapper::Stripped));
    }
    let decoded = DECODED.iter().find_map(|name| fields.get(name));
    if let Some(decoded) = decoded.filter(|decoded| decoded.get().starts_with('{')) {
        return Some(Known::Wrapper(Wrapper::Decoded(fields, decoded)));
    }
    let original = fields
        .object("event")
        .and_then(|event| event.get("original"));
    let lines: Vec<&RawValue> = LINES
        .iter()
        .filter_map(|name| fields.get(name))
        .chain(original)
        .collect();
    let mut is_other = false;
    for line in lines {
        match known_text(line, || Wrapper::Line(fields.clone(), line)) {
            Some(Known::OtherLog) => is_other = true,
            Some(known) => return Some(known),
            None => {}
        }
    }
    (is_other || other_logs::is_other_record(&fields)).then_some(Known::OtherLog)
}

/// A string that holds JSON, or what is packed, or a line of another log.
fn known_text<'a>(raw: &'a RawValue, wrapper: impl Fn() -> Wrapper<'a>) -> Option<Known<'a>> {
    let head = head_of(raw)?;
    let begin = head.trim_start_matches('\u{feff}').trim_start();
    if begin.starts_with(['{', '[', '"']) || begin.as_bytes().starts_with(GZIP_BASE64) {
        Some(Known::Wrapper(wrapper()))
    } else {
        let is_other =
            other_logs::is_other_line(begin.as_bytes()) && !raw.get().contains("auditID");
        is_other.then_some(Known::OtherLog)
    }
}

/// How a string begins; escapes that don't matter there are not told apart.
fn head_of(raw: &RawValue) -> Option<String> {
    let mut chars = raw.get().strip_prefix('"')?.chars().take(HEAD_CHARS_MAX);
    let mut head = String::new();
    while let Some(next) = chars.next().filter(|next| *next != '"') {
        if next != '\\' {
            head.push(next);
            continue;
        }
        match chars.next() {
            Some('n' | 'r' | 't') => head.push(' '),
            Some('u') => {
                chars.nth(3);
                head.push(char::REPLACEMENT_CHARACTER);
            }
            escaped => head.extend(escaped),
        }
    }
    Some(head)
}

impl Wrapper<'_> {
    /// Hands out what is wrapped, part by part.
    pub fn unwrap(&self, take: Take) {
        match self {
            Wrapper::Gzip(packed) => take(Content::of(Inside::Gzip(packed))),
            Wrapper::Base64(text) => take(Content::of(Inside::Base64(text))),
            Wrapper::Text(text) => take(Content::of(Inside::Quoted(text))),
            Wrapper::Line(fields, text) => take(Content {
                cluster: openshift_cluster(fields),
                time: time(fields),
                ..Content::of(Inside::Quoted(text))
            }),
            Wrapper::Decoded(fields, decoded) => take(Content {
                cluster: openshift_cluster(fields),
                ..Content::of(Inside::Text(decoded.get().as_bytes().into()))
            }),
            Wrapper::Records(records) => {
                for record in items(records.get()) {
                    take(Content {
                        part: Some(record),
                        ..Content::of(Inside::Text(record.as_bytes().into()))
                    });
                }
            }
            Wrapper::Azure(record) => take(azure(record)),
            Wrapper::CloudWatch(message) => cloud_watch(message, take),
            Wrapper::LogEntry(entry) => take(Content {
                cluster: gke::cluster(entry).and_then(cluster_name),
                ..Content::owned(gke::event(entry))
            }),
            Wrapper::Row(row) => take(Content {
                cluster: azure_cluster(row),
                ..match flat::event(row) {
                    Ok(event) => Content::owned(Some(event)),
                    Err(reason) => Content::of(Inside::Unreadable(reason)),
                }
            }),
            Wrapper::Otlp(logs) => otlp_logs(logs, take),
            Wrapper::OtlpRecord(record) => take(otlp_record(record)),
            Wrapper::Stripped => take(Content::of(Inside::Unreadable(Reason::Stripped))),
        }
    }
}

/// `properties` is an object, or one in a string.
fn azure<'c>(record: &Fields<'c>) -> Content<'c> {
    let log = record.get("properties").and_then(|properties| {
        let Some(text) = text_of(properties) else {
            return Some(inside(Fields::of(properties.get())?.get("log")?));
        };
        let log = Fields::of(&text)?.get("log")?;
        let log = text_of(log).unwrap_or(Cow::Borrowed(log.get()));
        Some(Inside::Text(log.into_owned().into_bytes().into()))
    });
    Content {
        cluster: azure_cluster(record),
        time: time(record),
        ..Content::of(log.unwrap_or(Inside::Unreadable(Reason::NotAnEvent)))
    }
}

/// The text of a string, or the value itself.
fn inside(value: &RawValue) -> Inside<'_> {
    if value.get().starts_with('"') {
        Inside::Quoted(value)
    } else {
        Inside::Text(value.get().as_bytes().into())
    }
}

fn azure_cluster(record: &Fields) -> Option<String> {
    let resource = record.any_text(&["resourceId", "ResourceId", "_ResourceId"])?;
    cluster_name(resource.into_owned())
}

/// The log group of a cluster has streams of other components too.
fn cloud_watch(message: &Fields, take: Take) {
    let is_audit = message
        .text("logStream")
        .is_none_or(|stream| stream.starts_with("kube-apiserver-audit"));
    let cluster = message
        .text("logGroup")
        .and_then(|group| cluster_name(group.into_owned()));
    for event in message.items("logEvents") {
        let fields = Fields::of(event);
        let text = fields.as_ref().and_then(|fields| fields.get("message"));
        let inside = match text {
            _ if !is_audit => Inside::OtherLog,
            Some(text) => Inside::Quoted(text),
            None => Inside::Unreadable(Reason::NotAnEvent),
        };
        take(Content {
            part: Some(event),
            cluster: cluster.clone(),
            time: fields.as_ref().and_then(time),
            inside,
        });
    }
}

fn otlp_logs(logs: &Fields, take: Take) {
    for logs in logs.items("resourceLogs").filter_map(Fields::of) {
        let cluster = otlp::cluster(&logs).and_then(cluster_name);
        for part in otlp::records(&logs) {
            let Some(record) = Fields::of(part) else {
                continue;
            };
            take(Content {
                part: Some(part),
                cluster: cluster.clone(),
                ..otlp_record(&record)
            });
        }
    }
}

fn otlp_record<'c>(record: &Fields<'c>) -> Content<'c> {
    let Some(body) = record.get("body") else {
        return Content::of(Inside::OtherLog);
    };
    let text = Fields::of(body.get()).and_then(|body| body.get("stringValue"));
    match text {
        Some(text) => Content::of(Inside::Quoted(text)),
        None => Content::owned(otlp::plain(body.get())),
    }
}

fn openshift_cluster(fields: &Fields) -> Option<String> {
    let cluster = fields.object("openshift")?.text("cluster_id")?;
    cluster_name(cluster.into_owned())
}

/// A name as a wrapper says it, unless it can't be one.
pub fn cluster_name(name: String) -> Option<String> {
    let is_name =
        !name.is_empty() && name.len() <= CLUSTER_BYTES_MAX && !name.contains(char::is_control);
    is_name.then_some(name)
}

/// When the record was made: RFC 3339, or a number of seconds (Fluent Bit) or milliseconds
/// (CloudWatch) since 1970.
fn time(fields: &Fields) -> Option<String> {
    let time = ["time", "@timestamp", "timestamp"]
        .iter()
        .find_map(|name| fields.get(name))?;
    let time = match text_of(time) {
        Some(text) => text.parse().ok()?,
        None => {
            let number: f64 = time.get().parse().ok()?;
            // As seconds this is the year 5138, as milliseconds 1973.
            let seconds = if number < 1e11 { number } else { number / 1e3 };
            Timestamp::from_microsecond((seconds * 1e6) as i64).ok()?
        }
    };
    Some(time.to_string())
}
