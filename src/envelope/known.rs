//! Classifies a value that is not an audit event itself: a wrapper, a record of another log, or unknown.

use serde_json::value::RawValue;

use super::encodings::Utf16;
use super::fields::Fields;
use super::holds::{may_hold, names_event};
use super::limits::Packing;
use super::members::{self, How};
use super::wrapper::Wrapper;
use super::{flat, gke, other_logs, table};

/// How gzip begins in base64.
const GZIP_BASE64: &[u8] = b"H4sI";

/// How much of a text is looked at to know what it is.
const HEAD_CHARS_MAX: usize = 512;

/// Members that hold a line of text: Fluent Bit's, Fluentd's (Filebeat's, Vector's, Logstash's,
/// CloudWatch's), and others'.
const LINES: [&str; 5] = ["log", "message", "MESSAGE", "body", "msg"];

/// Members that hold the decoded line: Filebeat's, Fluent Bit's.
const DECODED: [&str; 2] = ["json", "log_processed"];

/// Lists of records that are opened although none of these holds an event, so that they are known for other logs:
/// Azure's and Firehose's, CloudWatch's answers.
const LISTS: [&str; 3] = ["records", "Records", "events"];

/// The class of a value that is not an audit event.
pub enum Known<'a> {
    Wrapper(Wrapper<'a>),
    OtherLog,
}

/// Recognises a JSON string, object or list in a list, or what is packed.
pub fn recognise(value: &[u8]) -> Option<Known<'_>> {
    let base64 = || {
        value
            .starts_with(GZIP_BASE64)
            .then_some(Wrapper::Base64(value))
    };
    if let Some(wrapper) = encoded(value).or_else(base64) {
        return Some(Known::Wrapper(wrapper));
    }
    let text = std::str::from_utf8(value).ok()?;
    match value.first()? {
        b'"' => {
            let raw = serde_json::from_str(text).ok()?;
            known_text(raw, || Wrapper::Text(raw))
        }
        b'[' => How::of(text).map(|how| Known::Wrapper(Wrapper::Row(text, how))),
        _ => known_object(text, Fields::of(text)?),
    }
}

/// What is packed, or not UTF-8, by how it begins.
pub fn encoded(value: &[u8]) -> Option<Wrapper<'_>> {
    if let Some(packing) = Packing::of(value) {
        return Some(Wrapper::Packed(packing, value));
    }
    Utf16::of(value).map(|order| Wrapper::Utf16(order, value))
}

fn known_object<'a>(text: &'a str, fields: Fields<'a>) -> Option<Known<'a>> {
    let names_event = names_event(text.as_bytes());
    if gke::payload(&fields).is_some() {
        return match gke::is_kubernetes(&fields) {
            true => Some(Known::Wrapper(Wrapper::LogEntry(fields))),
            false => (!names_event).then_some(Known::OtherLog),
        };
    }
    if flat::is_row(&fields) {
        return Some(Known::Wrapper(Wrapper::Columns(fields)));
    }
    if members::is_kubernetes(&fields) {
        let is_other = !names_event && other_logs::is_other_record(&fields);
        return is_other.then_some(Known::OtherLog);
    }
    if !names_event && other_logs::is_other_source(&fields) {
        return Some(Known::OtherLog);
    }
    if let Some(wrapper) = told_of(&fields) {
        return Some(Known::Wrapper(wrapper));
    }
    let how = How::of(text);
    let wrapper = |how| Known::Wrapper(Wrapper::Members(fields.clone(), text, how));
    let is_held = |how: &How| members::open_members(text, *how, &mut |_| {}) > 0;
    if names_event {
        return how.filter(is_held).map(wrapper);
    }
    match known_record(&fields) {
        Some(Known::OtherLog) => Some(Known::OtherLog),
        known => how
            .filter(is_held)
            .map(wrapper)
            .or_else(|| list_of(&fields).map(Known::Wrapper))
            .or(known),
    }
}

/// Wrappers whose members need translation, or have information that the rule for members ignores.
fn told_of<'a>(fields: &Fields<'a>) -> Option<Wrapper<'a>> {
    let own = || fields.clone();
    let kubernetes = fields.object("kubernetes");
    if kubernetes.is_some_and(|kubernetes| kubernetes.has("audit")) {
        Some(Wrapper::Stripped)
    } else if fields.has("messageType") && fields.list("logEvents").is_some() {
        Some(Wrapper::CloudWatch(own()))
    } else if table::is_table(fields) {
        Some(Wrapper::Table(own()))
    } else if fields.list("resourceLogs").is_some() {
        Some(Wrapper::Otlp(own()))
    } else if fields.object("body").is_some_and(|body| has_value(&body)) {
        Some(Wrapper::OtlpRecord(own()))
    } else {
        None
    }
}

fn list_of<'a>(fields: &Fields<'a>) -> Option<Wrapper<'a>> {
    let list = LISTS.iter().find_map(|name| fields.list(name))?;
    Some(Wrapper::Records(fields.clone(), list))
}

fn has_value(body: &Fields) -> bool {
    body.has("stringValue") || body.has("kvlistValue")
}

/// What agents make of a line that names no event.
fn known_record<'a>(fields: &Fields<'a>) -> Option<Known<'a>> {
    let decoded = DECODED.iter().find_map(|name| fields.get(name));
    if let Some(decoded) = decoded.filter(|decoded| decoded.get().starts_with('{')) {
        return Some(Known::Wrapper(Wrapper::Decoded(fields.clone(), decoded)));
    }
    let original = fields
        .object("event")
        .and_then(|event| event.get("original"));
    let lines = LINES.iter().filter_map(|name| fields.get(name));
    let mut is_other = false;
    for line in lines.chain(original) {
        match known_text(line, || Wrapper::Line(fields.clone(), line)) {
            Some(Known::OtherLog) => is_other = true,
            Some(known) => return Some(known),
            None => {}
        }
    }
    (is_other || other_logs::is_other_record(fields)).then_some(Known::OtherLog)
}

/// A string that holds JSON, or what is packed, or a line of another log.
fn known_text<'a>(raw: &'a RawValue, wrapper: impl Fn() -> Wrapper<'a>) -> Option<Known<'a>> {
    let head = head_of(raw)?;
    let begin = head.trim_start_matches('\u{feff}').trim_start();
    let is_open = begin.starts_with(['{', '[', '"']) || may_hold(raw.get().as_bytes());
    if is_open || begin.as_bytes().starts_with(GZIP_BASE64) {
        Some(Known::Wrapper(wrapper()))
    } else {
        other_logs::is_other_line(begin.as_bytes()).then_some(Known::OtherLog)
    }
}

/// The beginning of a string; escapes that don't matter there are treated alike.
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
