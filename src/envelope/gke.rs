//! A LogEntry of Google Cloud with the audit payload of a Kubernetes API server (GKE), as the
//! audit event that it was made of: in the JSON of sinks and of Pub/Sub, as a row of BigQuery's, and of Log Analytics.
//!
//! It has no `requestURI`, `stage`, `level` and `objectRef`: these follow from `methodName`
//! (`io.k8s.GROUP.VERSION.RESOURCE[.SUBRESOURCE].VERB`), `resourceName`, `operation`, and what objects there are. Its
//! status is a `google.rpc.Code`, its labels are the annotations of the event. Groups of the account are absent.

use std::borrow::Cow;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::value::RawValue;

use super::fields::{Fields, text_of};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AsEvent<'a> {
    #[serde(rename = "auditID")]
    audit_id: &'a str,
    stage: &'static str,
    verb: &'a str,
    #[serde(rename = "requestURI")]
    request_uri: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    level: Option<&'static str>,
    annotations: Annotations,
    user: User<'a>,
    object_ref: ObjectRef<'a>,
    response_status: Status,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_object: Option<Cow<'a, RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_object: Option<Cow<'a, RawValue>>,
    stage_timestamp: String,
}

#[derive(Serialize)]
struct Annotations {
    #[serde(
        rename = "audit.k8s.io/truncated",
        skip_serializing_if = "Option::is_none"
    )]
    truncated: Option<&'static str>,
}

#[derive(Serialize)]
struct User<'a> {
    username: &'a str,
    groups: &'static [&'static str],
}

#[derive(Serialize)]
struct Status {
    code: u16,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ObjectRef<'a> {
    api_group: &'a str,
    resource: &'a str,
    subresource: &'a str,
    namespace: &'a str,
    name: &'a str,
}

/// The audit payload, under the name that it has in JSON, BigQuery, or Log Analytics.
pub fn payload<'a>(entry: &Fields<'a>) -> Option<Fields<'a>> {
    if let Some(payload) = entry.object("proto_payload") {
        return Some(payload.object("audit_log").unwrap_or(payload));
    }
    let names = ["protoPayload", "protopayload_auditlog"];
    names.iter().find_map(|name| entry.object(name))
}

/// Whether it is from an API server of Kubernetes, as far as its fields tell.
pub fn is_kubernetes(entry: &Fields) -> bool {
    payload(entry)
        .and_then(|payload| payload.any_text(&["serviceName", "service_name"]))
        .is_none_or(|service| service == "k8s.io")
}

/// The audit event as JSON; nothing where the entry lacks what makes one.
pub fn event(entry: &Fields) -> Option<Vec<u8>> {
    let payload = payload(entry)?;
    let method = payload.any_text(&["methodName", "method_name"])?;
    let method = Method::parse(&method)?;
    let resource_name = payload.any_text(&["resourceName", "resource_name"]);
    let resource_name = resource_name.unwrap_or_default();
    let (namespace, name) = place(&resource_name, method.resource);
    let username = username(&payload);
    let request = object(&payload, ["request", "requestJson", "request_json"]);
    let response = object(&payload, ["response", "responseJson", "response_json"]);
    let event = AsEvent {
        audit_id: &entry.any_text(&["insertId", "insert_id"])?,
        stage: stage(entry),
        verb: method.verb,
        request_uri: request_uri(&resource_name, is_dry_run(entry)),
        level: level(entry, request.is_some(), response.is_some()),
        annotations: Annotations {
            truncated: is_truncated(entry).then_some("true"),
        },
        user: User {
            // The name comes from the API server's own authentication, which alone gives out
            // names that begin with `system:`.
            groups: if username.starts_with("system:node:") {
                &["system:nodes"]
            } else {
                &[]
            },
            username: &username,
        },
        object_ref: ObjectRef {
            api_group: method.group,
            resource: method.resource,
            subresource: method.subresource,
            namespace,
            name,
        },
        response_status: Status {
            code: http_status(&payload),
        },
        request_object: request.filter(|_| !is_dry_run(entry)),
        response_object: response.map(with_kind),
        stage_timestamp: rfc_3339(&entry.text("timestamp")?),
    };
    serde_json::to_vec(&event).ok()
}

fn username<'a>(payload: &Fields<'a>) -> Cow<'a, str> {
    let caller = ["authenticationInfo", "authentication_info"];
    let caller = caller.iter().find_map(|name| payload.object(name));
    caller
        .and_then(|caller| caller.any_text(&["principalEmail", "principal_email"]))
        .unwrap_or_default()
}

/// The first of these members that is there: an object, or in BigQuery a text that holds one.
fn object<'a>(payload: &Fields<'a>, names: [&str; 3]) -> Option<Cow<'a, RawValue>> {
    let value = names.iter().find_map(|name| payload.get(name))?;
    match text_of(value) {
        None => Some(Cow::Borrowed(value)),
        Some(text) => RawValue::from_string(text.into_owned())
            .ok()
            .map(Cow::Owned),
    }
}

/// The recorded members are present, so they show the level. For a dry run the label has the options, wherever they
/// were sent.
fn level(entry: &Fields, has_request: bool, has_response: bool) -> Option<&'static str> {
    if has_response {
        Some("RequestResponse")
    } else {
        (has_request || is_dry_run(entry)).then_some("Request")
    }
}

/// BigQuery writes `2026-11-23 06:15:04.239741 UTC`, or seconds since 1970.
fn rfc_3339(time: &str) -> String {
    let seconds = time.parse::<f64>().ok();
    let told = seconds.and_then(|seconds| Timestamp::from_microsecond((seconds * 1e6) as i64).ok());
    if let Some(told) = told {
        return told.to_string();
    }
    match time.strip_suffix(" UTC") {
        Some(time) => time.replacen(' ', "T", 1) + "Z",
        None => time.to_owned(),
    }
}

/// `project/location/cluster`.
pub fn cluster(entry: &Fields) -> Option<String> {
    let labels = entry.object("resource")?.object("labels")?;
    let label = |name| labels.text(name).unwrap_or_default();
    let cluster = labels.text("cluster_name")?;
    Some(format!(
        "{}/{}/{cluster}",
        label("project_id"),
        label("location")
    ))
}

struct Method<'a> {
    group: &'a str,
    resource: &'a str,
    subresource: &'a str,
    verb: &'a str,
}

impl<'a> Method<'a> {
    fn parse(name: &'a str) -> Option<Method<'a>> {
        let name = name
            .strip_prefix("io.k8s.")
            .or_else(|| name.strip_prefix("io."))?;
        let mut at = 0;
        let version = name.split('.').find_map(|part| {
            let from = at;
            at += part.len() + 1;
            is_version(part).then_some((from, at))
        })?;
        let group = name[..version.0].trim_end_matches('.');
        let (what, verb) = name.get(version.1..)?.rsplit_once('.')?;
        let (resource, subresource) = what.split_once('.').unwrap_or((what, ""));
        Some(Method {
            group: if group == "core" { "" } else { group },
            resource,
            subresource,
            verb,
        })
    }
}

/// `v1`, `v2beta1`.
fn is_version(part: &str) -> bool {
    part.strip_prefix('v')
        .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}

/// Namespace and name from `core/v1/namespaces/NAMESPACE/pods/NAME/SUBRESOURCE`.
fn place<'a>(resource_name: &'a str, resource: &str) -> (&'a str, &'a str) {
    let mut parts = resource_name.split('/').skip(2).peekable();
    let mut namespace = "";
    if resource != "namespaces" && parts.peek() == Some(&"namespaces") {
        namespace = parts.nth(1).unwrap_or_default();
    }
    (namespace, parts.nth(1).unwrap_or_default())
}

/// The path, as far as the name of the resource has it.
fn request_uri(resource_name: &str, is_dry_run: bool) -> String {
    let path = match resource_name.strip_prefix("core/") {
        Some(rest) => format!("/api/{rest}"),
        None => format!("/apis/{resource_name}"),
    };
    match is_dry_run {
        true => path + "?dryRun=All",
        false => path,
    }
}

/// Long-running requests have an entry for their begin and one for their end.
fn stage(entry: &Fields) -> &'static str {
    let operation = entry.object("operation");
    let is = |name| {
        let value = operation.as_ref().and_then(|operation| operation.get(name));
        value.is_some_and(|value| value.get().trim_matches('"') == "true")
    };
    if is("first") && !is("last") {
        "ResponseStarted"
    } else {
        "ResponseComplete"
    }
}

fn is_dry_run(entry: &Fields) -> bool {
    entry.object("labels").is_some_and(|labels| {
        labels.has("command.gke.io/dryRun") || labels.has("command_gke_io_dryRun")
    })
}

fn is_truncated(entry: &Fields) -> bool {
    let names = ["audit.k8s.io/truncated", "audit_k8s_io_truncated"];
    let labels = entry.object("labels");
    labels.is_some_and(|labels| {
        labels
            .any_text(&names)
            .is_some_and(|truncated| truncated == "true")
    })
}

/// The HTTP status for a `google.rpc.Code`.
fn http_status(payload: &Fields) -> u16 {
    let status = payload.object("status");
    let code = status.and_then(|status| {
        let code = status.get("code")?.get().trim_matches('"');
        code.parse::<u16>().ok()
    });
    match code {
        None | Some(0) => 200,
        Some(code @ 100..) => code,
        Some(1) => 499,
        Some(3 | 11) => 400,
        Some(4) => 504,
        Some(5) => 404,
        Some(6 | 9 | 10) => 409,
        Some(7) => 403,
        Some(8) => 429,
        Some(16) => 401,
        Some(14) => 503,
        Some(_) => 500,
    }
}

/// An object whose type is only in `@type` (`core.k8s.io/v1.Pod`) gets its `kind`.
fn with_kind(object: Cow<'_, RawValue>) -> Cow<'_, RawValue> {
    let told = || -> Option<Box<RawValue>> {
        let fields = Fields::of(object.get())?;
        let kind = fields.text("@type").filter(|_| !fields.has("kind"))?;
        let kind = serde_json::to_string(kind.rsplit('.').next()?).ok()?;
        let rest = object.get().strip_prefix('{')?;
        RawValue::from_string(format!("{{\"kind\":{kind},{rest}")).ok()
    };
    match told() {
        Some(told) => Cow::Owned(told),
        None => object,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn methods() {
        let parsed = |name| {
            Method::parse(name)
                .map(|m| format!("{}|{}|{}|{}", m.group, m.resource, m.subresource, m.verb))
        };
        assert_eq!(
            parsed("io.k8s.core.v1.pods.create").unwrap(),
            "|pods||create"
        );
        assert_eq!(
            parsed("io.k8s.core.v1.pods.status.patch").unwrap(),
            "|pods|status|patch"
        );
        assert_eq!(
            parsed("io.k8s.core.v1.pods.binding.create").unwrap(),
            "|pods|binding|create"
        );
        assert_eq!(
            parsed("io.k8s.metrics.v1beta1.pods.get").unwrap(),
            "metrics|pods||get"
        );
        assert_eq!(
            parsed("io.k8s.authorization.rbac.v1.roles.update").unwrap(),
            "authorization.rbac|roles||update"
        );
        assert_eq!(
            parsed("google.container.v1.ClusterManager.GetCluster"),
            None
        );
        assert_eq!(parsed("io.k8s.get"), None);
    }

    #[test]
    fn places() {
        assert_eq!(
            place("core/v1/namespaces/ns/pods/web-1", "pods"),
            ("ns", "web-1")
        );
        assert_eq!(
            place("core/v1/namespaces/ns/pods/web-1/status", "pods"),
            ("ns", "web-1")
        );
        assert_eq!(place("core/v1/namespaces/ns/pods", "pods"), ("ns", ""));
        assert_eq!(place("core/v1/nodes/n", "nodes"), ("", "n"));
        assert_eq!(place("core/v1/namespaces/ns", "namespaces"), ("", "ns"));
        assert_eq!(place("", "pods"), ("", ""));
    }

    #[test]
    fn times() {
        for (time, expected) in [
            ("2026-11-23T06:15:04.239741Z", "2026-11-23T06:15:04.239741Z"),
            (
                "2026-11-23 06:15:04.239741 UTC",
                "2026-11-23T06:15:04.239741Z",
            ),
            ("2026-11-23 06:15:04 UTC", "2026-11-23T06:15:04Z"),
            ("1.795414504E9", "2026-11-23T06:15:04Z"),
            ("yesterday", "yesterday"),
        ] {
            assert_eq!(rfc_3339(time), expected);
        }
    }
}
