//! The borrowed structs say of every Pod in the recordings what k8s-openapi's `Pod` says.

use std::path::Path;

use bygone::audit::{self, Object};
use k8s_openapi::api::core::v1::{ContainerState, ContainerStatus, Pod};
use serde_json::{Value, json};

use crate::support;

#[test]
fn the_pods_of_recording_a() {
    assert!(compare(&support::recording_a()) > 1_000);
}

#[test]
fn the_pods_of_the_whole_corpus() {
    for name in ["recording-load", "recording-metadata"] {
        if let Some(folder) = support::corpus(name) {
            println!("{name}: {} pods compared", compare(&folder));
        }
    }
}

/// Returns how many pods were compared.
fn compare(folder: &Path) -> usize {
    let mut pods = 0;
    for body in support::read(folder, "bodies.jsonl").lines() {
        let body: Value = serde_json::from_str(body).expect("JSON");
        for event in body["items"].as_array().expect("items") {
            let object = &event["responseObject"];
            if object["kind"] != "Pod" {
                continue;
            }
            let text = object.to_string();
            let ours: Object = serde_json::from_str(&text).expect("our structs");
            let theirs: Pod = serde_json::from_str(&text).expect("k8s-openapi's Pod");
            assert_eq!(of_ours(&ours), of_theirs(&theirs));
            pods += 1;
        }
    }
    pods
}

/// Everything that our structs hold, as JSON; absent is what its absence means.
fn of_ours(object: &Object) -> Value {
    let metadata = object.metadata.clone().unwrap_or_default();
    let spec = object.spec.0.clone().unwrap_or_default();
    let status = object.status.0.clone().unwrap_or_default();
    let owners = metadata.owner_references.iter().flatten();
    let init = spec.init_containers.iter().flatten();
    let mut labels: Vec<(&str, &str)> = metadata
        .labels
        .iter()
        .flatten()
        .map(|(k, v)| (&**k, &**v))
        .collect();
    labels.sort_unstable();
    json!({
        "metadata": [&*metadata.name, &*metadata.namespace, &*metadata.uid, &*metadata.resource_version],
        "times": [metadata.creation_timestamp, metadata.deletion_timestamp, status.start_time],
        "grace": metadata.deletion_grace_period_seconds,
        "finalizers": metadata.finalizers.iter().flatten().map(|text| &**text).collect::<Vec<_>>(),
        "labels": labels,
        "mirror": metadata.mirror.as_ref().map(|mirror| &*mirror.config_hash),
        "owners": owners.map(|o| (&*o.kind, &*o.name, o.controller)).collect::<Vec<_>>(),
        "spec": (&*spec.node_name, &*spec.service_account_name, spec.host_network),
        "init": init.map(|c| (&*c.name, &*c.restart_policy)).collect::<Vec<_>>(),
        "status": (&*status.phase, &*status.pod_ip),
        "ips": status.pod_ips.iter().flatten().map(|ip| &*ip.ip).collect::<Vec<_>>(),
        "init_statuses": our_statuses(&status.init_container_statuses),
        "statuses": our_statuses(&status.container_statuses),
        "ephemeral_statuses": our_statuses(&status.ephemeral_container_statuses),
    })
}

fn our_statuses(statuses: &Option<Vec<audit::ContainerStatus>>) -> Vec<Value> {
    let state = |state: &Option<audit::ContainerState>| {
        let state = state.clone().unwrap_or_default();
        let ended = state.terminated.map(|ended| {
            json!([
                ended.exit_code,
                ended.signal,
                &*ended.reason,
                ended.started_at,
                ended.finished_at,
                &*ended.container_id
            ])
        });
        json!([state.running.map(|running| running.started_at), ended])
    };
    let one = |status: &audit::ContainerStatus| {
        json!([
            &*status.name,
            &*status.image,
            &*status.image_id,
            &*status.container_id,
            status.restart_count.times(),
            state(&status.state),
            state(&status.last_state)
        ])
    };
    statuses.iter().flatten().map(one).collect()
}

/// The annotation's value where it is a hash, else "".
fn hash_of(value: &str) -> &str {
    let is_hash = value.len() == 32 && value.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_hash { value } else { "" }
}

fn of_theirs(pod: &Pod) -> Value {
    let metadata = &pod.metadata;
    let spec = pod.spec.clone().unwrap_or_default();
    let status = pod.status.clone().unwrap_or_default();
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let owners = metadata.owner_references.iter().flatten();
    let init = spec.init_containers.iter().flatten();
    let mirror = "kubernetes.io/config.mirror";
    json!({
        "metadata": [text(&metadata.name), text(&metadata.namespace), text(&metadata.uid), text(&metadata.resource_version)],
        "times": [metadata.creation_timestamp, metadata.deletion_timestamp, status.start_time],
        "grace": metadata.deletion_grace_period_seconds,
        "finalizers": metadata.finalizers.iter().flatten().collect::<Vec<_>>(),
        "labels": metadata.labels.iter().flatten().collect::<Vec<_>>(),
        "mirror": metadata.annotations.iter().flatten().find(|(key, _)| *key == mirror).map(|(_, hash)| hash_of(hash)),
        "owners": owners.map(|o| (&o.kind, &o.name, o.controller)).collect::<Vec<_>>(),
        "spec": (text(&spec.node_name), text(&spec.service_account_name), spec.host_network),
        "init": init.map(|c| (&c.name, text(&c.restart_policy))).collect::<Vec<_>>(),
        "status": (text(&status.phase), text(&status.pod_ip)),
        "ips": status.pod_ips.iter().flatten().map(|ip| &ip.ip).collect::<Vec<_>>(),
        "init_statuses": their_statuses(&status.init_container_statuses),
        "statuses": their_statuses(&status.container_statuses),
        "ephemeral_statuses": their_statuses(&status.ephemeral_container_statuses),
    })
}

fn their_statuses(statuses: &Option<Vec<ContainerStatus>>) -> Vec<Value> {
    let state = |state: &Option<ContainerState>| {
        let state = state.clone().unwrap_or_default();
        let ended = state.terminated.map(|ended| {
            json!([
                ended.exit_code,
                ended.signal,
                ended.reason.unwrap_or_default(),
                ended.started_at,
                ended.finished_at,
                ended.container_id.unwrap_or_default()
            ])
        });
        json!([state.running.map(|running| running.started_at), ended])
    };
    let one = |status: &ContainerStatus| {
        json!([
            status.name,
            status.image,
            status.image_id,
            status.container_id.clone().unwrap_or_default(),
            status.restart_count,
            state(&status.state),
            state(&status.last_state)
        ])
    };
    statuses.iter().flatten().map(one).collect()
}
