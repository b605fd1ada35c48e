//! Events that hold secrets wherever Kubernetes may put some, at level RequestResponse.

use serde_json::{Value, json};

/// How many canaries all events have together, in their readable and their unreadable form.
pub const CANARIES: usize = 2 * 27;

/// A pod's name, which may be told.
pub const POD: &str = "made-up-pod";

/// How canaries begin where they can be read, and where not.
const READABLE: &str = "CANARY-made-up-";
pub const UNREADABLE: &str = "CANARY-unreadable-";

fn event(verb: &str, resource: &str, code: u16, more: Value) -> Value {
    let mut event = json!({
        "level": "RequestResponse", "auditID": format!("{verb}-{resource}"),
        "stage": "ResponseComplete", "verb": verb,
        "requestURI": format!("/api/v1/namespaces/n/{resource}"),
        "user": {"username": "alice"},
        "objectRef": {"resource": resource, "namespace": "n", "name": "x", "apiVersion": "v1"},
        "responseStatus": {"metadata": {}, "code": code},
        "requestReceivedTimestamp": "2026-11-23T06:15:04.100000Z",
        "stageTimestamp": "2026-11-23T06:15:04.239741Z",
    });
    for (key, value) in more.as_object().expect("an object") {
        event[key] = value.clone();
    }
    event
}

fn pod(canary: &str) -> Value {
    let secret = |what: &str| format!("{READABLE}{canary}-{what}");
    json!({"kind": "Pod", "apiVersion": "v1",
        "metadata": {"name": POD, "namespace": "n", "resourceVersion": "5",
            "uid": "00000000-0000-4000-8000-0000000000aa",
            "creationTimestamp": "2026-11-23T06:15:04Z",
            "annotations": {"a": secret("annotation"), "kubernetes.io/config.hash": secret("hash"),
                "kubernetes.io/config.mirror": secret("mirror")},
            "managedFields": [{"manager": secret("manager")}]},
        "spec": {"containers": [{"name": "main", "command": [secret("command")],
            "env": [{"name": "PASSWORD", "value": secret("env")}]}]},
        "status": {"phase": "Running", "message": secret("message"), "containerStatuses": [{
            "name": "main", "restartCount": 1, "containerID": "containerd://0a",
            "lastState": {"terminated": {"exitCode": 1, "containerID": "containerd://0b",
                "message": secret("last-words")}},
            "state": {"waiting": {"message": secret("waiting")}}}]}})
}

pub fn events() -> Vec<Value> {
    let mut events = Vec::new();
    for (resource, kind) in [("secrets", "Secret"), ("configmaps", "ConfigMap")] {
        for verb in ["create", "update", "patch"] {
            let object = |place: &str| {
                let secret = format!("{READABLE}{verb}-{resource}-{place}");
                json!({"kind": kind, "metadata": {"name": "x"}, "data": {"key": secret}})
            };
            let both =
                json!({"requestObject": object("request"), "responseObject": object("response")});
            events.push(event(verb, resource, 200, both));
        }
    }
    let mut token = event(
        "create",
        "serviceaccounts",
        201,
        json!({"responseObject": {"kind": "TokenRequest",
            "status": {"token": format!("{READABLE}token")}}}),
    );
    token["objectRef"]["subresource"] = "token".into();
    events.push(token);

    let causes = json!([{"reason": "FieldValueInvalid", "field": "spec.containers[0].env[0].value",
        "message": format!("Invalid value: \"{READABLE}cause\"")}]);
    let status = |message: &str| {
        json!({"kind": "Status", "code": 422, "reason": "Invalid",
            "message": format!("Pod is invalid: env: Invalid value: \"{READABLE}{message}\""),
            "details": {"name": POD, "kind": "Pod", "causes": causes}})
    };
    let refused = json!({"responseStatus": status("status-message"),
        "responseObject": status("object-message")});
    events.push(event("create", "pods", 422, refused));

    let command = format!("/api/v1/namespaces/n/pods/x/exec?command=login&command={READABLE}exec");
    let mut exec = event("create", "pods", 101, json!({"requestURI": command}));
    exec["objectRef"]["subresource"] = "exec".into();
    events.push(exec);

    let told = json!({"requestObject": {"spec": {"env": format!("{READABLE}patch")}},
        "responseObject": pod("pod")});
    events.push(event("patch", "pods", 200, told));
    events
}

pub fn list(events: &[Value]) -> String {
    json!({"kind": "EventList", "apiVersion": "audit.k8s.io/v1", "items": events}).to_string()
}

/// The same events with canaries of their own, each with a mistyped field.
pub fn unreadable(events: &[Value]) -> String {
    let items: Vec<Value> = events
        .iter()
        .map(|event| {
            let text = event.to_string().replace(READABLE, UNREADABLE);
            let mut event: Value = serde_json::from_str(&text).expect("JSON");
            event["user"] = json!({"username": 7});
            event
        })
        .collect();
    list(&items)
}

/// All of them: those of the readable events and those of the unreadable ones.
pub fn canaries(events: &[Value]) -> Vec<String> {
    let readable = list(events);
    let ends = |c: char| !(c.is_ascii_alphanumeric() || c == '-');
    let mut found: Vec<String> = readable
        .match_indices(READABLE)
        .map(|(at, _)| readable[at..].split(ends).next().expect("a part"))
        .flat_map(|canary| [canary.to_owned(), canary.replace(READABLE, UNREADABLE)])
        .collect();
    found.sort();
    found.dedup();
    found
}
