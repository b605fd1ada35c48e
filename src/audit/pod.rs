//! The parts of a Pod that its history needs (`k8s.io/api/core/v1/types.go`).

use std::fmt;

use jiff::Timestamp;
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::json::{Capped, LIST_MAX, Lenient, Text, time, whole};

/// A response object: a Pod, a PartialObjectMetadata, or another kind; see `kind`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Object<'a> {
    #[serde(borrow)]
    pub kind: Text<'a>,
    #[serde(borrow)]
    pub metadata: Option<Metadata<'a>>,
    #[serde(borrow)]
    pub spec: Lenient<PodSpec<'a>>,
    #[serde(borrow)]
    pub status: Lenient<PodStatus<'a>>,
    /// Of a list (`PodList`, `PartialObjectMetadataList`). The items have no kind of their own.
    /// A list may hold far more than would fit in memory at once: see [`Items`].
    #[serde(borrow)]
    pub items: Option<&'a RawValue>,
    /// Of a `Table`.
    #[serde(borrow)]
    pub rows: Capped<TableRow<'a>>,
}

/// Reads the items of a list, one after the other.
pub struct Items<'t, 'a>(pub &'t mut dyn FnMut(Object<'a>));

impl<'de> DeserializeSeed<'de> for Items<'_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Items<'_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a list of objects")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while let Some(Lenient(item)) = seq.next_element()? {
            if let Some(item) = item {
                (self.0)(item);
            }
        }
        Ok(())
    }
}

/// `metav1.TableRow` without its cells: mostly it brings the object's metadata along.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct TableRow<'a> {
    #[serde(borrow)]
    pub object: Lenient<Object<'a>>,
}

/// `metav1.ObjectMeta`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Metadata<'a> {
    #[serde(borrow)]
    pub name: Text<'a>,
    #[serde(borrow)]
    pub namespace: Text<'a>,
    #[serde(borrow)]
    pub uid: Text<'a>,
    #[serde(borrow)]
    pub resource_version: Text<'a>,
    #[serde(deserialize_with = "time")]
    pub creation_timestamp: Option<Timestamp>,
    /// Not when the pod goes: the deadline of a graceful deletion.
    #[serde(deserialize_with = "time")]
    pub deletion_timestamp: Option<Timestamp>,
    #[serde(deserialize_with = "whole")]
    pub deletion_grace_period_seconds: Option<i64>,
    #[serde(borrow)]
    pub finalizers: Capped<Text<'a>>,
    /// Pairs in the order of the input.
    #[serde(borrow, deserialize_with = "pairs")]
    pub labels: Capped<(Text<'a>, Text<'a>)>,
    /// Of annotations, which have nothing else that is kept.
    #[serde(rename = "annotations", borrow, deserialize_with = "mirror")]
    pub mirror: Option<Mirror<'a>>,
    #[serde(borrow)]
    pub owner_references: Capped<OwnerReference<'a>>,
}

/// The annotation `kubernetes.io/config.mirror`: the pod is the API's image of a static pod, which its kubelet runs from
/// a file. The API server lets nobody add, change or remove it later (`ValidatePodSpecificAnnotationUpdates`).
#[derive(Clone, Debug, Default)]
pub struct Mirror<'a> {
    /// Under which UID its node knows the static pod, as in the names of its folders: a hash of 32 hex digits, or the UUID
    /// that the file gives. Empty where the annotation is anything else.
    pub config_hash: Text<'a>,
}

/// When an object was written, of its metadata alone. `managedFields` has when each client changed what it manages, to
/// the second and by the API server's clock; what it manages is not read.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Written {
    #[serde(deserialize_with = "time")]
    pub(super) creation_timestamp: Option<Timestamp>,
    pub(super) managed_fields: Capped<Change>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Change {
    #[serde(deserialize_with = "time")]
    pub(super) time: Option<Timestamp>,
}

impl Written {
    /// The last write that it knows of.
    pub fn at(&self) -> Option<Timestamp> {
        let changes = self.managed_fields.iter().flatten();
        let changes = changes.filter_map(|change| change.time);
        changes.chain(self.creation_timestamp).max()
    }
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct OwnerReference<'a> {
    #[serde(borrow)]
    pub kind: Text<'a>,
    #[serde(borrow)]
    pub name: Text<'a>,
    #[serde(borrow)]
    pub uid: Text<'a>,
    pub controller: Option<bool>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PodSpec<'a> {
    #[serde(borrow)]
    pub node_name: Text<'a>,
    #[serde(borrow)]
    pub service_account_name: Text<'a>,
    pub host_network: Option<bool>,
    /// 0: its deletion needs no kubelet.
    #[serde(deserialize_with = "whole")]
    pub termination_grace_period_seconds: Option<i64>,
    #[serde(borrow)]
    pub init_containers: Capped<InitContainer<'a>>,
    #[serde(borrow)]
    pub ephemeral_containers: Capped<EphemeralContainer<'a>>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct EphemeralContainer<'a> {
    #[serde(borrow)]
    pub name: Text<'a>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct InitContainer<'a> {
    #[serde(borrow)]
    pub name: Text<'a>,
    /// `Always` makes it a sidecar.
    #[serde(borrow)]
    pub restart_policy: Text<'a>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PodStatus<'a> {
    #[serde(borrow)]
    pub phase: Text<'a>,
    /// `Evicted`, `DeadlineExceeded`, `NodeLost`, ... Its message is not read.
    #[serde(borrow)]
    pub reason: Text<'a>,
    #[serde(borrow)]
    pub conditions: Capped<Condition<'a>>,
    #[serde(borrow, rename = "podIP")]
    pub pod_ip: Text<'a>,
    #[serde(borrow, rename = "podIPs")]
    pub pod_ips: Capped<PodIp<'a>>,
    #[serde(deserialize_with = "time")]
    pub start_time: Option<Timestamp>,
    #[serde(borrow)]
    pub init_container_statuses: Capped<ContainerStatus<'a>>,
    #[serde(borrow)]
    pub container_statuses: Capped<ContainerStatus<'a>>,
    #[serde(borrow)]
    pub ephemeral_container_statuses: Capped<ContainerStatus<'a>>,
}

/// `PodCondition` without its message.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Condition<'a> {
    #[serde(borrow, rename = "type")]
    pub kind: Text<'a>,
    #[serde(borrow)]
    pub status: Text<'a>,
    #[serde(borrow)]
    pub reason: Text<'a>,
    #[serde(deserialize_with = "time")]
    pub last_transition_time: Option<Timestamp>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct PodIp<'a> {
    #[serde(borrow)]
    pub ip: Text<'a>,
    /// `delete` in a strategic merge patch: the address goes.
    #[serde(borrow, rename = "$patch")]
    pub patch: Text<'a>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ContainerStatus<'a> {
    #[serde(borrow)]
    pub name: Text<'a>,
    #[serde(borrow)]
    pub image: Text<'a>,
    #[serde(borrow, rename = "imageID")]
    pub image_id: Text<'a>,
    /// `runtime://id`; empty until the container was created.
    #[serde(borrow, rename = "containerID")]
    pub container_id: Text<'a>,
    #[serde(deserialize_with = "count")]
    pub restart_count: Count,
    #[serde(borrow)]
    pub state: Option<ContainerState<'a>>,
    #[serde(borrow)]
    pub last_state: Option<ContainerState<'a>>,
}

/// At most one of the three is there.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct ContainerState<'a> {
    #[serde(borrow)]
    pub waiting: Option<Waiting<'a>>,
    pub running: Option<Running>,
    #[serde(borrow)]
    pub terminated: Option<Terminated<'a>>,
}

/// `ContainerStateWaiting` without its message.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Waiting<'a> {
    #[serde(borrow)]
    pub reason: Text<'a>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Running {
    #[serde(deserialize_with = "time")]
    pub started_at: Option<Timestamp>,
}

/// `ContainerStateTerminated` without its message, which is the container's own text.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Terminated<'a> {
    #[serde(deserialize_with = "whole")]
    pub exit_code: Option<i32>,
    #[serde(deserialize_with = "whole")]
    pub signal: Option<i32>,
    #[serde(borrow)]
    pub reason: Text<'a>,
    #[serde(deserialize_with = "time")]
    pub started_at: Option<Timestamp>,
    #[serde(deserialize_with = "time")]
    pub finished_at: Option<Timestamp>,
    #[serde(borrow, rename = "containerID")]
    pub container_id: Text<'a>,
}

/// The request of `pods/binding`: which node the scheduler chose.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Binding<'a> {
    #[serde(borrow)]
    pub metadata: Metadata<'a>,
    #[serde(borrow)]
    pub target: BindingTarget<'a>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct BindingTarget<'a> {
    #[serde(borrow)]
    pub name: Text<'a>,
}

/// `metav1.DeleteOptions`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DeleteOptions<'a> {
    #[serde(borrow)]
    pub dry_run: Capped<Text<'a>>,
    #[serde(deserialize_with = "whole")]
    pub grace_period_seconds: Option<i64>,
    #[serde(borrow)]
    pub preconditions: Option<Preconditions<'a>>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Preconditions<'a> {
    #[serde(borrow)]
    pub uid: Text<'a>,
    #[serde(borrow)]
    pub resource_version: Text<'a>,
}

/// The request of `pods/eviction`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Eviction<'a> {
    #[serde(borrow)]
    pub delete_options: Lenient<DeleteOptions<'a>>,
}

/// A number of times. The API server takes negative ones, which nothing has happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Count {
    #[default]
    Absent,
    Times(u32),
    Impossible,
}

impl Count {
    pub(super) fn of(number: i64) -> Count {
        u32::try_from(number).map_or(Count::Impossible, Count::Times)
    }

    /// 0 where it is not known.
    pub fn times(self) -> u32 {
        match self {
            Count::Times(times) => times,
            Count::Absent | Count::Impossible => 0,
        }
    }
}

fn count<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Count, D::Error> {
    let number: Option<i64> = whole(deserializer)?;
    Ok(number.map_or(Count::Absent, Count::of))
}

/// Reads `metadata.labels`.
fn pairs<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Capped<(Text<'de>, Text<'de>)>, D::Error> {
    struct Pairs;
    impl<'de> Visitor<'de> for Pairs {
        type Value = Capped<(Text<'de>, Text<'de>)>;

        fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
            f.write_str("an object of strings")
        }

        fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
            Ok(Capped::default())
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut pairs = Vec::new();
            while pairs.len() < LIST_MAX {
                let Some(pair) = map.next_entry()? else {
                    return Ok(Capped::of(pairs, false));
                };
                pairs.push(pair);
            }
            let mut is_cut = false;
            while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {
                is_cut = true;
            }
            Ok(Capped::of(pairs, is_cut))
        }
    }
    deserializer.deserialize_any(Pairs)
}

/// Of `metadata.annotations` reads the keys, and the value of the one that is kept.
fn mirror<'de: 'a, 'a, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Mirror<'a>>, D::Error> {
    struct Annotations;
    impl<'de> Visitor<'de> for Annotations {
        type Value = Option<Mirror<'de>>;

        fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
            Ok(None)
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut mirror = None;
            while let Some(key) = map.next_key::<Text>()? {
                match &*key {
                    Mirror::ANNOTATION => mirror = Some(Mirror::of_raw(map.next_value()?)),
                    _ => _ = map.next_value::<IgnoredAny>()?,
                }
            }
            Ok(mirror)
        }
    }
    deserializer.deserialize_any(Annotations)
}

impl<'a> Mirror<'a> {
    pub(super) const ANNOTATION: &'static str = "kubernetes.io/config.mirror";

    fn of_raw(value: &'a RawValue) -> Mirror<'a> {
        Mirror::of(serde_json::from_str(value.get()).unwrap_or_default())
    }

    pub(super) fn of(hash: Text<'a>) -> Mirror<'a> {
        let is_hash = matches!(hash.len(), 32 | 36) && uuid::Uuid::try_parse(&hash).is_ok();
        Mirror {
            config_hash: if is_hash { hash } else { Text::default() },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is kept of annotations, `None` where it is no mirror pod.
    fn check(annotations: &str, expected: Option<&str>) {
        let text = format!("{{\"annotations\":{annotations}}}");
        let metadata: Metadata = serde_json::from_str(&text).expect("metadata");
        let kept = metadata.mirror.map(|mirror| mirror.config_hash);
        assert_eq!(kept.as_deref(), expected, "{annotations}");
    }

    #[test]
    fn one_annotation_is_kept_where_it_is_a_hash() {
        let mirror = |value: &str| {
            let value = serde_json::to_string(value).expect("a text");
            format!("{{\"a\":\"b\",\"kubernetes.io/config.mirror\":{value},\"c\":[{{}}]}}")
        };
        let hash = "a07cde91bf6d35a331615330d5530d60";
        check(&mirror(hash), Some(hash));
        let uid = "8b6f1c0e-8e0f-4a1e-9f43-2d5f0c6d5f8a";
        check(&mirror(uid), Some(uid));
        let long = hash.repeat(2);
        for other in [
            "",
            "mirror",
            "password",
            &hash[1..],
            &long,
            "a07cde91bf6d35a331615330d5530d6g",
            "a07cde91-bf6d35a331615330d55-30d60ab",
            "../../../../../../../../etc/passwd",
            "{a07cde91bf6d35a331615330d5530d6}",
        ] {
            check(&mirror(other), Some(""));
        }
        check("{\"kubernetes.io/config.mirror\":{\"a\":1}}", Some(""));
        check("{\"kubernetes.io/config.mirror\":null}", Some(""));
        // Anybody may set it, on any pod and at any time.
        let other = format!("{{\"kubernetes.io/config.hash\":\"{hash}\"}}");
        check(&other, None);
        check("{}", None);
        check("null", None);
    }
}
