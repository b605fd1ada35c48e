//! Wrappers: the shapes in which relays and clouds deliver audit events, and what is in each.

use jiff::Timestamp;
use serde_json::value::RawValue;

use super::encodings::Utf16;
use super::fields::{Fields, text_of};
use super::holds::names_event;
use super::inside::Inside;
use super::limits::Packing;
use super::members::{How, open_cells, open_members};
use super::{Reason, flat, gke, otlp, table};

/// The longest name of a cluster that is taken from a wrapper: an Azure resource's is the longest.
const CLUSTER_BYTES_MAX: usize = 512;

/// Members that say when a record was made.
pub const TIMES: [&str; 5] = ["time", "@timestamp", "timestamp", "TimeGenerated", "date"];

/// A wrapper, not yet unwrapped.
#[derive(Clone, Debug)]
pub enum Wrapper<'a> {
    Packed(Packing, &'a [u8]),
    Utf16(Utf16, &'a [u8]),
    Base64(&'a [u8]),
    /// A string that holds a delivery.
    Text(&'a RawValue),
    /// A record with a line of text, in this member.
    Line(Fields<'a>, &'a RawValue),
    /// A record with a decoded line.
    Decoded(Fields<'a>, &'a RawValue),
    /// A list of records, in this member.
    Records(Fields<'a>, &'a RawValue),
    /// An object some members of which hold events.
    Members(Fields<'a>, &'a str, How),
    /// A list in a list, some cells of which hold events.
    Row(&'a str, How),
    /// Rows, and apart from them the names of their columns.
    Table(Fields<'a>),
    /// An event whose members are columns.
    Columns(Fields<'a>),
    CloudWatch(Fields<'a>),
    LogEntry(Fields<'a>),
    Otlp(Fields<'a>),
    OtlpRecord(Fields<'a>),
    /// Elastic Agent's, which lacks the metadata of objects.
    Stripped,
}

/// One part of what was wrapped.
pub struct Content<'c> {
    pub inside: Inside<'c>,
    /// The smallest complete value around it, where that is not the whole wrapper.
    pub part: Option<&'c str>,
    pub cluster: Option<String>,
    /// When it was wrapped, in RFC 3339.
    pub time: Option<String>,
}

impl<'c> Content<'c> {
    pub fn of(inside: Inside<'c>) -> Content<'c> {
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

    /// With what the members around it say.
    fn within(fields: &Fields, inside: Inside<'c>) -> Content<'c> {
        Content {
            cluster: cluster(fields),
            time: time(fields),
            ..Content::of(inside)
        }
    }
}

/// What takes the parts, one by one.
type Take<'t> = &'t mut dyn FnMut(Content);

impl Wrapper<'_> {
    /// Hands out what is wrapped, part by part.
    pub fn unwrap(&self, take: Take) {
        match self {
            Wrapper::Packed(packing, packed) => take(Content::of(Inside::Packed(*packing, packed))),
            Wrapper::Utf16(order, text) => take(Content::of(Inside::Utf16(*order, text))),
            Wrapper::Base64(text) => take(Content::of(Inside::Base64(text))),
            Wrapper::Text(text) => take(Content::of(Inside::Quoted(text))),
            Wrapper::Line(fields, text) => take(Content::within(fields, Inside::Quoted(text))),
            Wrapper::Decoded(fields, text) | Wrapper::Records(fields, text) => {
                let text = Inside::Text(text.get().as_bytes().into());
                take(Content::within(fields, text));
            }
            Wrapper::Members(fields, object, how) => {
                // Reported once: there may be many members, and this has to read some.
                let (cluster, time) = (cluster(fields), time(fields));
                open_members(object, *how, &mut |inside| {
                    take(Content {
                        cluster: cluster.clone(),
                        time: time.clone(),
                        ..Content::of(inside)
                    });
                });
            }
            Wrapper::Row(row, how) => open_cells(row, *how, &mut |inside| {
                take(Content::of(inside));
            }),
            Wrapper::Table(table) => table::rows(table, &mut |part, row| {
                take(Content {
                    part: Some(part),
                    ..Content::owned(row)
                });
            }),
            Wrapper::Columns(row) => take(columns(row)),
            Wrapper::CloudWatch(message) => cloud_watch(message, take),
            Wrapper::LogEntry(entry) => take(Content {
                cluster: gke::cluster(entry).and_then(cluster_name),
                ..Content::owned(gke::event(entry))
            }),
            Wrapper::Otlp(logs) => otlp_logs(logs, take),
            Wrapper::OtlpRecord(record) => take(otlp_record(record)),
            Wrapper::Stripped => take(Content::of(Inside::Unreadable(Reason::Stripped))),
        }
    }
}

fn columns<'c>(row: &Fields) -> Content<'c> {
    let event = match flat::event(row) {
        Ok(event) => Inside::Text(event.into()),
        Err(reason) => Inside::Unreadable(reason),
    };
    Content::within(row, event)
}

/// The log group of a cluster has streams of other components too.
fn cloud_watch(message: &Fields, take: Take) {
    let is_audit = message
        .text("logStream")
        .is_none_or(|stream| stream.starts_with("kube-apiserver-audit"));
    let cluster = cluster(message);
    for event in message.items("logEvents") {
        let fields = Fields::of(event);
        let text = fields.as_ref().and_then(|fields| fields.get("message"));
        let inside = match text {
            _ if !is_audit && !names_event(event.as_bytes()) => Inside::OtherLog,
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
            let content = otlp_record(&record);
            let is_other = matches!(content.inside, Inside::OtherLog);
            let content = match is_other && names_event(part.as_bytes()) {
                true => Content::of(Inside::Unreadable(Reason::NotAnEvent)),
                false => content,
            };
            take(Content {
                part: Some(part),
                cluster: cluster.clone(),
                ..content
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

/// The cluster in a wrapper's members: OpenShift's ID, Azure's resource, the log group of CloudWatch.
fn cluster(fields: &Fields) -> Option<String> {
    let openshift = fields.object("openshift");
    let cluster = openshift.and_then(|openshift| openshift.text("cluster_id"));
    let names = ["resourceId", "ResourceId", "_ResourceId", "logGroup"];
    let cluster = cluster.or_else(|| fields.any_text(&names))?;
    cluster_name(cluster.into_owned())
}

/// A name from a wrapper, if it is valid.
pub fn cluster_name(name: String) -> Option<String> {
    let is_name =
        !name.is_empty() && name.len() <= CLUSTER_BYTES_MAX && !name.contains(char::is_control);
    is_name.then_some(name)
}

/// When the record was made: RFC 3339, or a number of seconds (Fluent Bit) or milliseconds
/// (CloudWatch) since 1970.
fn time(fields: &Fields) -> Option<String> {
    let time = TIMES.iter().find_map(|name| fields.get(name))?;
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
