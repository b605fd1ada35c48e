//! Events as the JSON of an `EventList`, as an API server posts it.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::object::{Event, Id, Kind, Level, Object, State, Status, Terminated, Verb};

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
        Verb::Evict => ("create", Some("eviction"), 201),
        Verb::Collect | Verb::CollectItems => ("deletecollection", None, 200),
        Verb::Close => ("delete", None, 200),
        Verb::Finalize => ("update", Some("finalize"), 200),
        Verb::Missed => ("delete", None, 404),
        Verb::MissedStatus => ("patch", Some("status"), 404),
        Verb::MissedByCache => ("delete", None, 404),
        Verb::NodeCame => ("create", None, 201),
        Verb::NodeGone => ("delete", None, 200),
    };
    let part = subresource.map_or(String::new(), |part| format!("/{part}"));
    let uri = format!(
        "/api/v1/namespaces/{}/pods/{}{part}",
        object.namespace, object.name
    );
    let mut json = json!({
        "level": match event.level {
            Level::Full | Level::Truncated => "RequestResponse",
            Level::Request => "Request",
            Level::Metadata => "Metadata",
        },
        "auditID": audit_id(event),
        "stage": "ResponseComplete",
        "requestURI": uri,
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
    objects(event, &mut json);
    match event.level {
        Level::Full => return json,
        Level::Request => {}
        Level::Metadata => cut(&mut json, "requestObject"),
        Level::Truncated => {
            cut(&mut json, "requestObject");
            json["annotations"] = json!({"audit.k8s.io/truncated": "true"});
        }
    }
    cut(&mut json, "responseObject");
    // generateName: only the answer knows it.
    if event.verb == Verb::Create && event.is_unnamed() {
        json["objectRef"]["name"] = Value::Null;
    }
    json
}

fn cut(json: &mut Value, key: &str) {
    if let Some(members) = json.as_object_mut() {
        members.remove(key);
    }
}

/// What was sent and answered.
fn objects(event: &Event, json: &mut Value) {
    let object = &event.object;
    let gone = json!({"kind": "Status", "status": "Failure", "code": 404});
    match event.verb {
        Verb::Collect | Verb::CollectItems => {
            json["objectRef"]["name"] = Value::Null;
            let selector: String =
                form_urlencoded::byte_serialize(event.selector.as_bytes()).collect();
            json["requestURI"] = format!(
                "/api/v1/namespaces/{}/pods?labelSelector={selector}",
                object.namespace
            )
            .into();
            if event.forced {
                json["requestObject"] = json!({"gracePeriodSeconds": 0});
            }
            if event.verb == Verb::CollectItems {
                json["responseObject"] = json!({"kind": "PodList", "items": [pod(object)]});
            }
        }
        Verb::NodeCame | Verb::NodeGone => {
            json["objectRef"] =
                json!({"resource": "nodes", "name": &*object.node, "apiVersion": "v1"});
            json["responseObject"] = match event.verb {
                Verb::NodeCame => json!({"kind": "Node", "metadata": {"name": &*object.node}}),
                _ => json!({"kind": "Status", "status": "Success"}),
            };
        }
        Verb::Close => {
            json["objectRef"] = json!({"resource": "namespaces", "apiVersion": "v1",
                "namespace": &*object.namespace, "name": &*object.namespace});
            json["responseObject"] =
                json!({"kind": "Namespace", "metadata": {"name": &*object.namespace}});
        }
        Verb::Finalize => {
            json["objectRef"] = json!({"resource": "namespaces", "subresource": "finalize", "apiVersion": "v1",
                "namespace": &*object.namespace, "name": &*object.namespace});
            json["responseObject"] =
                json!({"kind": "Namespace", "metadata": {"name": &*object.namespace}});
        }
        Verb::Evict => {
            json["requestObject"] = eviction(event);
            json["responseObject"] = json!({"kind": "Status", "status": "Success", "code": 201})
        }
        Verb::Missed => {
            if event.by_collector() {
                json["requestObject"] = json!({"preconditions": {"uid": uid(object)}});
            }
            json["responseObject"] = gone;
        }
        Verb::MissedByCache => {
            json["responseStatus"]["details"] = json!({"name": &*object.name, "kind": "pod"});
            json["requestObject"] =
                json!({"gracePeriodSeconds": 0, "preconditions": {"uid": uid(object)}});
            json["responseObject"] = gone;
        }
        Verb::MissedStatus => {
            json["responseStatus"]["details"] = json!({"name": &*object.name, "kind": "pods"});
            json["requestObject"] = json!({"metadata": {"uid": uid(object)}, "status": {}});
            json["responseObject"] = gone;
        }
        Verb::Bind => bound(object, json),
        _ => json["responseObject"] = pod(object),
    }
    sent(event, json);
}

/// What was sent with what it was answered with.
fn sent(event: &Event, json: &mut Value) {
    let object = &event.object;
    match event.verb {
        Verb::Delete => json["requestObject"] = deletion(event),
        Verb::PatchStatus => {
            let mut patch = pod(object)["status"].clone();
            for ip in &event.lost_ips {
                let lost = json!({"ip": ip.to_canonical().to_string(), "$patch": "delete"});
                patch["podIPs"].as_array_mut().expect("a list").push(lost);
            }
            patch["$setElementOrder/conditions"] = json!([]);
            json["requestObject"] = json!({"metadata": {"uid": uid(object)}, "status": patch});
        }
        _ => {}
    }
}

/// The options of a DELETE; null where there are none.
fn deletion(event: &Event) -> Value {
    let mut options = json!({});
    if event.forced || event.by_node() {
        options["gracePeriodSeconds"] = 0.into();
    }
    if event.has_uid() {
        options["preconditions"] = json!({"uid": uid(&event.object)});
    }
    match options == json!({}) {
        true => Value::Null,
        false => options,
    }
}

fn eviction(event: &Event) -> Value {
    let mut options = json!({});
    if event.forced {
        options["gracePeriodSeconds"] = 0.into();
    }
    if event.names_uid {
        options["preconditions"] = json!({"uid": uid(&event.object)});
    }
    json!({"kind": "Eviction", "apiVersion": "policy/v1", "deleteOptions": options})
}

fn bound(object: &Object, json: &mut Value) {
    json["objectRef"]["uid"] = uid(object);
    json["requestObject"] = json!({
        "kind": "Binding", "apiVersion": "v1",
        "metadata": {"name": &*object.name, "namespace": &*object.namespace, "uid": uid(object)},
        "target": {"kind": "Node", "name": &*object.node},
    });
    json["responseObject"] = json!({"kind": "Status", "status": "Success", "code": 201});
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
        metadata["annotations"] = json!({"kubernetes.io/config.mirror": &*object.config_hash()});
    }
    json!({
        "kind": "Pod", "apiVersion": "v1", "metadata": metadata,
        "spec": {
            "nodeName": &*object.node, "serviceAccountName": &*object.service_account,
            "hostNetwork": object.host_network, "initContainers": sidecars,
        },
        "status": {
            "phase": &*object.phase, "reason": &*object.reason, "conditions": conditions(object), "startTime": whole(object.started),
            "podIP": ips.first(),
            "podIPs": ips.iter().map(|ip| json!({"ip": ip})).collect::<Vec<_>>(),
            "initContainerStatuses": of(&[Kind::Init, Kind::Sidecar]),
            "containerStatuses": of(&[Kind::App]),
            "ephemeralContainerStatuses": of(&[Kind::Ephemeral]),
        },
    })
}

fn conditions(object: &Object) -> Vec<Value> {
    let disrupted = object.disrupted.iter();
    let condition = |(since, reason): &(u32, super::Text)| json!({"type": "DisruptionTarget", "status": "True", "reason": &**reason, "lastTransitionTime": whole(*since)});
    disrupted.map(condition).collect()
}

fn status(status: &Status) -> Value {
    json!({
        "name": &*status.name, "image": &*status.image, "imageID": &*status.image_id,
        "containerID": status.id.as_ref().map_or(String::new(), id),
        "restartCount": status.restart,
        "state": match &status.state {
            State::Waiting => json!({"waiting": {"reason": "ContainerCreating"}}),
            State::Stuck(reason) => json!({"waiting": {"reason": &**reason}}),
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
        "containerID": terminated.id.as_ref().map_or(String::new(), id), "exitCode": terminated.exit_code,
        "signal": terminated.signal, "reason": &*terminated.reason,
        "startedAt": whole(terminated.started), "finishedAt": whole(terminated.finished),
    })
}

fn id(id: &Id) -> String {
    match id {
        Id::Hex(bytes) => format!("containerd://{}", hex::encode(bytes)),
        Id::Other(text) => format!("containerd://{text}"),
    }
}

/// The audit ID.
pub fn audit_id(event: &Event) -> String {
    format!("{:032x}", event.object.uid ^ u128::from(event.at as u64))
}
