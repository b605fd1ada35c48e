//! What must hold of the reader of etcd's values for any bytes: it does not panic, an error has nothing of the value in
//! it, and whatever k8s-pb reads too is the same object as its JSON is.

use std::collections::BTreeMap;
use std::path::Path;

use bygone::audit::{self, NotStored, Stored, StoredKind};
use bygone::lifecycle::watched::{self, Moment, Sight};
use jiff::Timestamp;
use k8s_pb::api::core::v1::{
    ContainerState, ContainerStatus, Namespace, Node, Pod, PodCondition, PodSpec, PodStatus,
};
use k8s_pb::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use k8s_pb::apimachinery::pkg::runtime::{TypeMeta, Unknown};
use prost::Message;
use serde_json::{Value, json};

const MAGIC: &[u8] = b"k8s\0";

/// Longer ones are no name of a provider.
const PROVIDER_BYTES_MAX: usize = 24;

/// Values to begin with: those of real API servers, and some of each other sort.
pub fn seeds(repository: &Path) -> Vec<Vec<u8>> {
    let mut seeds = vec![
        b"k8s:enc:aescbc:v1:key1:\x01\x02".to_vec(),
        b"k8s:enc:kms:v2:name:\x01\x02".to_vec(),
        b"\xd9\xd9\xf7\xa1".to_vec(),
    ];
    for entry in std::fs::read_dir(repository.join("fixtures/etcd")).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path
            .extension()
            .is_some_and(|it| it == "bin" || it == "json")
        {
            seeds.push(std::fs::read(path).expect("a file"));
        }
    }
    seeds
}

pub fn check(value: &[u8]) {
    let read = match audit::stored(value) {
        Ok(read) => read,
        Err(NotStored::Encrypted(provider)) => {
            assert!(provider.len() <= PROVIDER_BYTES_MAX, "{provider}");
            return;
        }
        Err(NotStored::Unreadable(_)) => return,
    };
    if read.kind == StoredKind::Pod {
        let moment = Moment {
            since: 0,
            until: 1_800_000_000_000_000,
        };
        for sight in [Sight::There, Sight::Listed, Sight::Deleted] {
            _ = watched::pod("c", &read.object, sight, moment, &mut |_| {});
        }
    }
    if let Some(json) = reference(value) {
        let expected = audit::stored(json.as_bytes()).expect("JSON of an object");
        assert_eq!(shown(read), shown(expected), "{json}");
    }
}

/// Everything that was read. Of labels that come twice, the last, as in a map.
pub fn shown(mut stored: Stored) -> String {
    let metadata = stored.object.metadata.as_mut();
    let labels = metadata.map(|metadata| std::mem::take(&mut metadata.labels));
    let labels = labels.filter(|labels| !labels.is_cut()).unwrap_or_default();
    let labels: BTreeMap<String, String> = labels
        .iter()
        .flatten()
        .map(|(key, value)| (key.to_string(), value.to_string()))
        .collect();
    format!("{stored:#?} {labels:#?}")
}

/// As an API server stores an object of the core group.
pub fn envelope(kind: &str, object: &impl Message) -> Vec<u8> {
    let envelope = Unknown {
        type_meta: Some(TypeMeta {
            api_version: Some("v1".to_owned()),
            kind: Some(kind.to_owned()),
        }),
        raw: Some(object.encode_to_vec()),
        content_encoding: Some(String::new()),
        content_type: Some(String::new()),
    };
    [MAGIC, &envelope.encode_to_vec()].concat()
}

/// The fields that bygone keeps, as the API server writes them in JSON; nothing where k8s-pb does not read the value.
pub fn reference(value: &[u8]) -> Option<String> {
    let envelope = Unknown::decode(value.strip_prefix(MAGIC)?).ok()?;
    let raw = envelope.raw.unwrap_or_default();
    let type_meta = envelope.type_meta.unwrap_or_default();
    let mut object = match type_meta.kind.as_deref() {
        Some("Pod") => pod(&Pod::decode(&*raw).ok()?),
        Some("Node") => json!({"metadata": Node::decode(&*raw).ok()?.metadata.map(metadata)}),
        _ => json!({"metadata": Namespace::decode(&*raw).ok()?.metadata.map(metadata)}),
    };
    object["apiVersion"] = json!(type_meta.api_version);
    object["kind"] = json!(type_meta.kind);
    Some(object.to_string())
}

fn pod(pod: &Pod) -> Value {
    json!({
        "metadata": pod.metadata.clone().map(metadata),
        "spec": pod.spec.as_ref().map(spec),
        "status": pod.status.as_ref().map(status),
    })
}

fn metadata(it: ObjectMeta) -> Value {
    json!({
        "name": it.name,
        "namespace": it.namespace,
        "uid": it.uid,
        "resourceVersion": it.resource_version,
        "creationTimestamp": time(&it.creation_timestamp),
        "deletionTimestamp": time(&it.deletion_timestamp),
        "deletionGracePeriodSeconds": it.deletion_grace_period_seconds,
        "finalizers": list(&it.finalizers, |finalizer| json!(finalizer)),
        "labels": Some(it.labels).filter(|labels| !labels.is_empty()),
        "annotations": it.annotations,
        "ownerReferences": list(&it.owner_references, |owner| json!({
            "kind": owner.kind,
            "name": owner.name,
            "uid": owner.uid,
            "controller": owner.controller,
        })),
        "managedFields": list(&it.managed_fields, |entry| json!({"time": time(&entry.time)})),
    })
}

fn spec(it: &PodSpec) -> Value {
    json!({
        "nodeName": it.node_name,
        "serviceAccountName": it.service_account_name,
        "hostNetwork": it.host_network.filter(|it| *it),
        "terminationGracePeriodSeconds": it.termination_grace_period_seconds,
        "initContainers": list(&it.init_containers, |container| json!({
            "name": container.name,
            "restartPolicy": container.restart_policy,
        })),
        "ephemeralContainers": list(&it.ephemeral_containers, |container| json!({
            "name": container.ephemeral_container_common.as_ref().map(|it| &it.name),
        })),
    })
}

fn status(it: &PodStatus) -> Value {
    json!({
        "phase": it.phase,
        "reason": it.reason,
        "conditions": list(&it.conditions, condition),
        "podIP": it.pod_ip,
        "podIPs": list(&it.pod_ips, |address| json!({"ip": address.ip})),
        "startTime": time(&it.start_time),
        "initContainerStatuses": list(&it.init_container_statuses, container),
        "containerStatuses": list(&it.container_statuses, container),
        "ephemeralContainerStatuses": list(&it.ephemeral_container_statuses, container),
    })
}

fn condition(it: &PodCondition) -> Value {
    json!({
        "type": it.r#type,
        "status": it.status,
        "reason": it.reason,
        "lastTransitionTime": time(&it.last_transition_time),
    })
}

fn container(it: &ContainerStatus) -> Value {
    json!({
        "name": it.name,
        "image": it.image,
        "imageID": it.image_id,
        "containerID": it.container_id,
        "restartCount": it.restart_count,
        "state": it.state.as_ref().map(state),
        "lastState": it.last_state.as_ref().map(state),
    })
}

fn state(it: &ContainerState) -> Value {
    json!({
        "waiting": it.waiting.as_ref().map(|it| json!({"reason": it.reason})),
        "running": it.running.as_ref().map(|it| json!({"startedAt": time(&it.started_at)})),
        "terminated": it.terminated.as_ref().map(|it| json!({
            "exitCode": it.exit_code,
            "signal": it.signal.filter(|signal| *signal != 0),
            "reason": it.reason,
            "startedAt": time(&it.started_at),
            "finishedAt": time(&it.finished_at),
            "containerID": it.container_id,
        })),
    })
}

fn list<T>(items: &[T], each: impl Fn(&T) -> Value) -> Option<Vec<Value>> {
    (!items.is_empty()).then(|| items.iter().map(each).collect())
}

/// To the second, whatever nanoseconds there are.
fn time(time: &Option<Time>) -> Option<String> {
    let seconds = time.as_ref()?.seconds.unwrap_or_default();
    match Timestamp::from_second(seconds) {
        Ok(time) => Some(time.to_string()),
        Err(_) => (seconds > 0).then(|| "a year of five digits".to_owned()),
    }
}
