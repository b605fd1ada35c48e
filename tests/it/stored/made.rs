//! Pods that k8s-pb writes.

use std::collections::BTreeMap;

use k8s_pb::api::core::v1::{
    Container, ContainerState, ContainerStateRunning, ContainerStateTerminated,
    ContainerStateWaiting, ContainerStatus, EnvVar, EphemeralContainer, EphemeralContainerCommon,
    HostPathVolumeSource, Pod, PodCondition, PodIp, PodSpec, PodStatus, Volume, VolumeSource,
};
use k8s_pb::apimachinery::pkg::apis::meta::v1::{
    FieldsV1, ManagedFieldsEntry, ObjectMeta, OwnerReference, Time,
};
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;

type Text = Option<String>;

fn text() -> BoxedStrategy<Text> {
    option::of(prop_oneof![
        Just(String::new()),
        "[a-z:/@.-]{1,20}",
        "\\PC{1,5}",
        Just("a07cde91bf6d35a331615330d5530d60".to_owned()),
    ])
    .boxed()
}

fn time() -> BoxedStrategy<Option<Time>> {
    let seconds = prop_oneof![
        4 => 1_500_000_000_i64..2_000_000_000,
        1 => -3_i64..3,
        1 => any::<i64>(),
    ];
    let time = (option::of(seconds), option::of(any::<i32>()));
    option::of(time.prop_map(|(seconds, nanos)| Time { seconds, nanos })).boxed()
}

fn number<T: Arbitrary + From<i8> + Clone + 'static>() -> BoxedStrategy<Option<T>> {
    option::of(prop_oneof![(-2_i8..100).prop_map(T::from), any::<T>(),]).boxed()
}

fn metadata() -> BoxedStrategy<ObjectMeta> {
    let annotation = prop_oneof![
        Just("kubernetes.io/config.mirror".to_owned()),
        "[a-z./]{0,10}",
    ];
    let value = || text().prop_map(Option::unwrap_or_default);
    let owner = (text(), text(), option::of(any::<bool>()), text()).prop_map(
        |(kind, name, controller, uid)| OwnerReference {
            kind,
            name,
            controller,
            uid,
            ..OwnerReference::default()
        },
    );
    let entry = time().prop_map(|time| ManagedFieldsEntry {
        time,
        ..ManagedFieldsEntry::default()
    });
    let names = (text(), text(), text(), text(), number());
    let times = (time(), time(), vec(entry, 0..4));
    let lists = (
        vec("[a-z/.]{0,10}", 0..3),
        btree_map("[a-z/.]{0,10}", value(), 0..4),
        btree_map(annotation, value(), 0..4),
        vec(owner, 0..3),
    );
    (names, times, lists)
        .prop_map(|(names, times, lists)| ObjectMeta {
            name: names.0,
            namespace: names.1,
            uid: names.2,
            resource_version: names.3,
            deletion_grace_period_seconds: names.4,
            creation_timestamp: times.0,
            deletion_timestamp: times.1,
            managed_fields: times.2,
            finalizers: lists.0,
            labels: lists.1,
            annotations: lists.2,
            owner_references: lists.3,
            ..ObjectMeta::default()
        })
        .boxed()
}

fn spec() -> BoxedStrategy<PodSpec> {
    let init = (text(), text()).prop_map(|(name, restart_policy)| Container {
        name,
        restart_policy,
        ..Container::default()
    });
    let ephemeral = option::of(text()).prop_map(|name| EphemeralContainer {
        ephemeral_container_common: name.map(|name| EphemeralContainerCommon {
            name,
            ..EphemeralContainerCommon::default()
        }),
        ..EphemeralContainer::default()
    });
    let one = (text(), text(), option::of(any::<bool>()), number());
    (one, vec(init, 0..3), vec(ephemeral, 0..3))
        .prop_map(|(one, init, ephemeral)| PodSpec {
            node_name: one.0,
            service_account_name: one.1,
            host_network: one.2,
            termination_grace_period_seconds: one.3,
            init_containers: init,
            ephemeral_containers: ephemeral,
            ..PodSpec::default()
        })
        .boxed()
}

fn state() -> BoxedStrategy<Option<ContainerState>> {
    let waiting = text().prop_map(|reason| ContainerStateWaiting {
        reason,
        ..ContainerStateWaiting::default()
    });
    let running = time().prop_map(|started_at| ContainerStateRunning { started_at });
    let terminated = (number(), number(), text(), time(), time(), text());
    let terminated = terminated.prop_map(|it| ContainerStateTerminated {
        exit_code: it.0,
        signal: it.1,
        reason: it.2,
        started_at: it.3,
        finished_at: it.4,
        container_id: it.5,
        ..ContainerStateTerminated::default()
    });
    let parts = (
        option::of(waiting),
        option::of(running),
        option::of(terminated),
    );
    option::of(
        parts.prop_map(|(waiting, running, terminated)| ContainerState {
            waiting,
            running,
            terminated,
        }),
    )
    .boxed()
}

fn container() -> BoxedStrategy<ContainerStatus> {
    (text(), text(), text(), text(), number(), state(), state())
        .prop_map(|it| ContainerStatus {
            name: it.0,
            image: it.1,
            image_id: it.2,
            container_id: it.3,
            restart_count: it.4,
            state: it.5,
            last_state: it.6,
            ..ContainerStatus::default()
        })
        .boxed()
}

fn status() -> BoxedStrategy<PodStatus> {
    let condition = (text(), text(), text(), time()).prop_map(|it| PodCondition {
        r#type: it.0,
        status: it.1,
        reason: it.2,
        last_transition_time: it.3,
        ..PodCondition::default()
    });
    let address = text().prop_map(|ip| PodIp { ip });
    let one = (text(), text(), text(), time());
    let lists = (vec(condition, 0..3), vec(address, 0..3));
    let containers = (
        vec(container(), 0..2),
        vec(container(), 0..3),
        vec(container(), 0..2),
    );
    (one, lists, containers)
        .prop_map(|(one, lists, containers)| PodStatus {
            phase: one.0,
            reason: one.1,
            pod_ip: one.2,
            start_time: one.3,
            conditions: lists.0,
            pod_ips: lists.1,
            init_container_statuses: containers.0,
            container_statuses: containers.1,
            ephemeral_container_statuses: containers.2,
            ..PodStatus::default()
        })
        .boxed()
}

/// Any, of the fields that are kept.
pub fn pod() -> BoxedStrategy<Pod> {
    let parts = (metadata(), option::of(spec()), option::of(status()));
    parts
        .prop_map(|(metadata, spec, status)| Pod {
            metadata: Some(metadata),
            spec,
            status,
        })
        .boxed()
}

/// What must not be kept of [`with_canaries`].
pub const CANARIES: [&str; 15] = [
    "canary-env",
    "canary-args",
    "canary-command",
    "canary-init-env",
    "canary-ephemeral-env",
    "canary-volume",
    "canary-annotation",
    "canary-mirror",
    "canary-managed",
    "canary-status-message",
    "canary-condition-message",
    "canary-waiting-message",
    "canary-terminated-message",
    "canary-last-message",
    "canary-node-selector",
];

/// Texts that are kept of it, which begin with `kept-`.
pub const KEPT: usize = 6;

fn some(text: &str) -> Text {
    Some(text.to_owned())
}

fn map(key: &str, value: &str) -> BTreeMap<String, String> {
    BTreeMap::from([(key.to_owned(), value.to_owned())])
}

fn env(value: &str) -> Vec<EnvVar> {
    vec![EnvVar {
        name: some("PASSWORD"),
        value: some(value),
        ..EnvVar::default()
    }]
}

fn ended(message: &str) -> Option<ContainerState> {
    Some(ContainerState {
        terminated: Some(ContainerStateTerminated {
            message: some(message),
            reason: some("kept-reason"),
            ..ContainerStateTerminated::default()
        }),
        waiting: Some(ContainerStateWaiting {
            message: some("canary-waiting-message"),
            ..ContainerStateWaiting::default()
        }),
        ..ContainerState::default()
    })
}

/// A pod with a marker in each place where secrets are, and texts that are kept.
pub fn with_canaries() -> Pod {
    let mut annotations = map("kept-by-nobody", "canary-annotation");
    annotations.extend(map("kubernetes.io/config.mirror", "canary-mirror"));
    Pod {
        metadata: Some(ObjectMeta {
            name: some("kept-name"),
            annotations,
            managed_fields: vec![ManagedFieldsEntry {
                fields_v1: Some(FieldsV1 {
                    raw: Some(b"canary-managed".to_vec()),
                }),
                ..ManagedFieldsEntry::default()
            }],
            ..ObjectMeta::default()
        }),
        spec: Some(spec_with_canaries()),
        status: Some(PodStatus {
            message: some("canary-status-message"),
            conditions: vec![PodCondition {
                message: some("canary-condition-message"),
                ..PodCondition::default()
            }],
            container_statuses: vec![ContainerStatus {
                name: some("kept-status"),
                state: ended("canary-terminated-message"),
                last_state: ended("canary-last-message"),
                ..ContainerStatus::default()
            }],
            ..PodStatus::default()
        }),
    }
}

fn spec_with_canaries() -> PodSpec {
    PodSpec {
        node_selector: map("a", "canary-node-selector"),
        containers: vec![Container {
            env: env("canary-env"),
            args: vec!["canary-args".to_owned()],
            command: vec!["canary-command".to_owned()],
            ..Container::default()
        }],
        init_containers: vec![Container {
            name: some("kept-init"),
            env: env("canary-init-env"),
            ..Container::default()
        }],
        ephemeral_containers: vec![EphemeralContainer {
            ephemeral_container_common: Some(EphemeralContainerCommon {
                name: some("kept-ephemeral"),
                env: env("canary-ephemeral-env"),
                ..EphemeralContainerCommon::default()
            }),
            ..EphemeralContainer::default()
        }],
        volumes: vec![Volume {
            name: some("data"),
            volume_source: Some(VolumeSource {
                host_path: Some(HostPathVolumeSource {
                    path: some("canary-volume"),
                    ..HostPathVolumeSource::default()
                }),
                ..VolumeSource::default()
            }),
        }],
        ..PodSpec::default()
    }
}
