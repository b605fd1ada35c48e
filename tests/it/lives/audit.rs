//! Events as the JSON of an `EventList`, as an API server posts it.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::object::{Event, Id, Kind, Object, State, Status, Terminated, Verb};

/// One body.
pub fn list<'a>(events: impl IntoIterator<Item = &'a Event>) -> String {
    let items: Vec<Value> = events.into_iter().map(event).collect();
    json!({"kind": "EventList", "apiVersion": "audit.k8s.io/v1", "metadata": {}, "items": items})
        .to_string()
}

fn event(event: &Event) -> Value {
    let object = &event.object;
    let (verb, subresource, code) = match event.verb {
        Verb::Create => ("create", None, 201),
        Verb::Bind => ("create", Some("binding"), 201),
        Verb::PatchStatus => ("patch", Some("status"), 200),
        Verb::Patch => ("patch", None, 200),
        Verb::Delete => ("delete", None, 200),
    };
    let mut json = json!({
        "level": "RequestResponse",
        "auditID": format!("{:032x}", object.uid ^ u128::from(event.at as u64)),
        "stage": "ResponseComplete",
        "requestURI": format!("/api/v1/namespaces/{}/pods/{}", object.namespace, object.name),
        "verb": verb,
        "user": {
            "username": &*event.user,
            "groups": if event.by_node() { json!(["system:nodes"]) } else { json!(["system:authenticated"]) },
        },
        "objectRef": {
            "resource": "pods", "namespace": &*object.namespace, "name": &*object.name,
            "apiVersion": "v1", "subresource": subresource,
        },
        "responseStatus": {"metadata": {}, "code": code},
        "requestReceivedTimestamp": micro(event.received),
        "stageTimestamp": micro(event.at),
    });
    if !event.acting_as.is_empty() {
        json["impersonatedUser"] = json!({"username": &*event.acting_as});
    }
    if event.verb == Verb::Bind {
        json["objectRef"]["uid"] = uid(object);
        json["requestObject"] = json!({
            "kind": "Binding", "apiVersion": "v1",
            "metadata": {"name": &*object.name, "namespace": &*object.namespace, "uid": uid(object)},
            "target": {"kind": "Node", "name": &*object.node},
        });
        json["responseObject"] = json!({"kind": "Status", "status": "Success", "code": 201});
    } else {
        json["responseObject"] = pod(object);
    }
    json
}

fn uid(object: &Object) -> Value {
    uuid::Uuid::from_u128(object.uid).to_string().into()
}

fn micro(at: i64) -> String {
    let at = Timestamp::from_microsecond(at).expect("a time");
    at.strftime("%Y-%m-%dT%H:%M:%S%.6fZ").to_string()
}

/// Whole seconds; 0 is unknown.
fn whole(at: u32) -> Value {
    if at == 0 {
        return Value::Null;
    }
    let at = Timestamp::from_second(at.into()).expect("a time");
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string().into()
}

fn pod(object: &Object) -> Value {
    let labels: serde_json::Map<String, Value> = object
        .labels
        .iter()
        .map(|(key, value)| (key.to_string(), (&**value).into()))
        .collect();
    let of = |wanted: &[Kind]| -> Vec<Value> {
        let statuses = object.statuses.iter();
        statuses
            .filter(|status| wanted.contains(&status.kind))
            .map(status)
            .collect()
    };
    let sidecars: Vec<Value> = object
        .statuses
        .iter()
        .filter(|status| matches!(status.kind, Kind::Init | Kind::Sidecar))
        .map(|status| match status.kind {
            Kind::Sidecar => json!({"name": &*status.name, "restartPolicy": "Always"}),
            _ => json!({"name": &*status.name}),
        })
        .collect();
    let ips: Vec<String> = object
        .ips
        .iter()
        .map(|ip| ip.to_canonical().to_string())
        .collect();
    let mut metadata = json!({
        "name": &*object.name, "namespace": &*object.namespace, "uid": uid(object),
        "resourceVersion": object.version.to_string(),
        "creationTimestamp": whole(object.created),
        "labels": labels,
    });
    if let Some(owner) = &object.owner {
        metadata["ownerReferences"] =
            json!([{"kind": &*owner.kind, "name": &*owner.name, "controller": true}]);
    }
    if let Some((at, grace)) = object.deletion {
        metadata["deletionTimestamp"] = whole(at);
        metadata["deletionGracePeriodSeconds"] = grace.into();
    }
    if object.finalizer {
        metadata["finalizers"] = json!(["batch.kubernetes.io/job-tracking"]);
    }
    if object.mirror {
        metadata["annotations"] = json!({"kubernetes.io/config.mirror": "x"});
    }
    json!({
        "kind": "Pod", "apiVersion": "v1", "metadata": metadata,
        "spec": {
            "nodeName": &*object.node, "serviceAccountName": &*object.service_account,
            "hostNetwork": object.host_network, "initContainers": sidecars,
        },
        "status": {
            "phase": &*object.phase, "startTime": whole(object.started),
            "podIP": ips.first(),
            "podIPs": ips.iter().map(|ip| json!({"ip": ip})).collect::<Vec<_>>(),
            "initContainerStatuses": of(&[Kind::Init, Kind::Sidecar]),
            "containerStatuses": of(&[Kind::App]),
            "ephemeralContainerStatuses": of(&[Kind::Ephemeral]),
        },
    })
}

fn status(status: &Status) -> Value {
    json!({
        "name": &*status.name, "image": &*status.image, "imageID": &*status.image_id,
        "containerID": status.id.as_ref().map_or(String::new(), id),
        "restartCount": status.restart,
        "state": match &status.state {
            State::Waiting => json!({"waiting": {"reason": "ContainerCreating"}}),
            State::Running { started } => json!({"running": {"startedAt": whole(*started)}}),
            State::Terminated(terminated) => json!({"terminated": end(terminated)}),
        },
        "lastState": match &status.last {
            Some(terminated) => json!({"terminated": end(terminated)}),
            None => json!({}),
        },
    })
}

fn end(terminated: &Terminated) -> Value {
    json!({
        "containerID": id(&terminated.id), "exitCode": terminated.exit_code,
        "signal": terminated.signal, "reason": &*terminated.reason,
        "startedAt": whole(terminated.started), "finishedAt": whole(terminated.finished),
    })
}

fn id(id: &Id) -> String {
    match id {
        Id::Hex(bytes) => {
            let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            format!("containerd://{hex}")
        }
        Id::Other(text) => format!("containerd://{text}"),
    }
}
