//! The members of an object that wrappers are known by, borrowed and unread.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::split;
use crate::audit::Text;

/// All names that are looked at in wrappers. What is not here is skipped unread.
#[rustfmt::skip]
const NAMES: &[&str] = &[
    // Lines of text in a member.
    "log", "message", "msg", "MESSAGE", "body", "event", "original", "json", "log_processed",
    // Lists and tables of records.
    "records", "Records", "events", "columns", "rows", "name",
    // Of a container's log.
    "stream", "logtag", "partial_message", "partial_last", "container_id", "filename", "tag",
    // A record's fields about itself.
    "time", "timestamp", "@timestamp", "TimeGenerated", "date", "ts", "caller", "level", "kind", "apiVersion", "log_type",
    "log_source", "openshift", "cluster_id", "kubernetes", "audit",
    // Azure.
    "category", "Category", "properties", "log_s", "resourceId", "ResourceId", "_ResourceId",
    // AWS.
    "messageType", "logGroup", "logStream", "logStreamName", "logEvents",
    // Google.
    "protoPayload", "textPayload", "jsonPayload", "logName", "insertId", "resource", "labels",
    "operation", "first", "last", "project_id", "location", "cluster_name", "serviceName",
    "methodName", "resourceName", "authenticationInfo", "principalEmail", "status", "code",
    "request", "response", "@type", "command.gke.io/dryRun", "audit.k8s.io/truncated",
    // The same in BigQuery and Log Analytics.
    "protopayload_auditlog", "proto_payload", "audit_log", "insert_id", "service_name", "method_name",
    "resource_name", "authentication_info", "principal_email", "requestJson", "responseJson",
    "request_json", "response_json", "command_gke_io_dryRun", "audit_k8s_io_truncated",
    // OpenTelemetry.
    "resourceLogs", "attributes", "scopeLogs", "instrumentationLibraryLogs", "logRecords",
    "stringValue", "boolValue", "intValue", "doubleValue", "arrayValue", "kvlistValue", "values",
    "key", "value",
    // Audit events whose members are texts or have other names.
    "auditID", "stage", "verb", "requestURI", "user", "impersonatedUser", "objectRef",
    "responseStatus", "requestObject", "responseObject", "requestReceivedTimestamp",
    "stageTimestamp", "annotations", "AuditId", "Level", "Annotations", "Stage", "Verb", "RequestUri", "User", "ImpersonatedUser",
    "ObjectRef", "ResponseStatus", "RequestObject", "ResponseObject", "RequestReceivedTime",
    "StageReceivedTime",
];

/// Members of one object, by name. Of members with the same name the last counts.
#[derive(Clone, Debug)]
pub struct Fields<'a>(Vec<(&'static str, &'a RawValue)>);

impl<'a> Fields<'a> {
    /// `None` where `text` is not a JSON object.
    pub fn of(text: &'a str) -> Option<Fields<'a>> {
        serde_json::from_str(text).ok()
    }

    /// A member that is there and not `null`.
    pub fn get(&self, name: &str) -> Option<&'a RawValue> {
        debug_assert!(NAMES.contains(&name), "{name} is not looked for");
        let found = self.0.iter().find(|(key, _)| *key == name)?.1;
        (found.get() != "null").then_some(found)
    }

    pub fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// A member that is a string.
    pub fn text(&self, name: &str) -> Option<Cow<'a, str>> {
        text_of(self.get(name)?)
    }

    /// The first of these members that is a string.
    pub fn any_text(&self, names: &[&str]) -> Option<Cow<'a, str>> {
        names.iter().find_map(|name| self.text(name))
    }

    /// A member that is an object.
    pub fn object(&self, name: &str) -> Option<Fields<'a>> {
        Fields::of(self.get(name)?.get())
    }

    /// A member that is a list.
    pub fn list(&self, name: &str) -> Option<&'a RawValue> {
        self.get(name).filter(|value| value.get().starts_with('['))
    }

    /// The items of a member; empty where it is not a list.
    pub fn items(&self, name: &str) -> impl Iterator<Item = &'a str> + use<'a> {
        items(self.get(name).map_or("", RawValue::get))
    }
}

/// The items of a JSON list, one after another: a list of them would take more memory than the text.
pub fn items(list: &str) -> impl Iterator<Item = &str> {
    let mut at = if list.starts_with('[') { 1 } else { list.len() };
    std::iter::from_fn(move || {
        let start = split::next_value(list.as_bytes(), at)?;
        // The bracket at the end of the list is the end of nothing that began in it.
        let end = split::end_of(list.as_bytes(), start)?;
        at = end;
        Some(&list[start..end])
    })
}

/// The text of a JSON string; `None` for other values.
pub fn text_of(value: &RawValue) -> Option<Cow<'_, str>> {
    if !value.get().starts_with('"') {
        return None;
    }
    serde_json::from_str::<Text>(value.get())
        .ok()
        .map(|text| text.0)
}

impl<'de: 'a, 'a> Deserialize<'de> for Fields<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Fields<'de>;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields<'de>, A::Error> {
                let mut found: Vec<(&'static str, &'de RawValue)> = Vec::new();
                while let Some(key) = map.next_key::<Text>()? {
                    let Some(name) = NAMES.iter().find(|name| **name == &*key) else {
                        map.next_value::<IgnoredAny>()?;
                        continue;
                    };
                    let value = map.next_value()?;
                    match found.iter_mut().find(|(key, _)| key == name) {
                        Some(same) => same.1 = value,
                        None => found.push((*name, value)),
                    }
                }
                Ok(Fields(found))
            }
        }
        deserializer.deserialize_map(Members)
    }
}
