//! `audit.k8s.io` Event, v1 and v1beta1 (`k8s.io/apiserver/pkg/apis/audit/v1/types.go`).

use std::fmt;

use jiff::Timestamp;
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::json::{Lenient, Text, time, whole};
use super::pod::Object;
use super::sources::Sources;

/// The parser's error for an object without the keys of an event.
pub const NOT_AN_EVENT: &str = "not an audit event: auditID, stage or verb is missing";
/// The parser's error for an event without any time.
pub const NO_TIME: &str = "an audit event without a time";

/// Reads one JSON document of a delivery, an Event or a list of them (known by its `items`), and emits each event as
/// soon as it is read: a list may hold far more than would fit in memory at once.
/// Returns whether it was one; an object without the keys of an event is neither.
pub struct Document<'t, 'a>(pub &'t mut dyn FnMut(Event<'a>));

/// Reads a list of events in the same way. `null` is an empty one.
pub struct Events<'t, 'a>(pub &'t mut dyn FnMut(Event<'a>));

/// One audit event. Objects are kept only where `objectRef` names core pods.
#[derive(Clone, Debug)]
pub struct Event<'a> {
    /// Made by the API server, or named by the client. Each stage of a request has the same.
    pub audit_id: Text<'a>,
    pub level: Level,
    pub stage: Stage,
    pub verb: Verb,
    /// Path and query as the client sent it. May hold secrets (an exec's command).
    pub request_uri: Text<'a>,
    /// The account that authenticated.
    pub user: Actor<'a>,
    /// The account that it acted as, where it impersonated one.
    pub impersonated_user: Option<Actor<'a>>,
    /// Unparsed: see [`Event::sources`].
    source_ips: Option<&'a RawValue>,
    pub object_ref: ObjectRef<'a>,
    pub response_status: Option<ResponseStatus>,
    /// As sent, unparsed: most events need only their response.
    pub request_object: Option<&'a RawValue>,
    pub response_object: Option<Object<'a>>,
    pub request_received: Option<Timestamp>,
    /// Whether the API server cut both objects off, because the event was too large.
    pub is_truncated: bool,
    /// When this stage was reached, by the API server's clock, to the microsecond.
    pub at: Timestamp,
    /// The cluster, where a relay wrote it into the event: OpenShift's `openshift.cluster_id`.
    pub cluster: Text<'a>,
}

impl Event<'_> {
    /// What was seen of an object at `at`, without the request that changed it: of no account and no verb.
    pub fn of_no_request(at: Timestamp) -> Event<'static> {
        Event {
            audit_id: Text::default(),
            level: Level::Other,
            stage: Stage::Other,
            verb: Verb::Other,
            request_uri: Text::default(),
            user: Actor::default(),
            impersonated_user: None,
            source_ips: None,
            object_ref: ObjectRef::default(),
            response_status: None,
            request_object: None,
            response_object: None,
            request_received: None,
            is_truncated: false,
            at,
            cluster: Text::default(),
        }
    }

    /// From where the request came. Read when it is asked for: most events are not about that.
    pub fn sources(&self) -> Sources {
        let raw = self.source_ips.map(RawValue::get);
        raw.map(Sources::parse).unwrap_or_default()
    }
}

/// A request's verb. `Other` is every verb that changes no pod (`get`, `list`, `watch`, ...).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verb {
    Create,
    Update,
    Patch,
    Delete,
    DeleteCollection,
    #[serde(other)]
    Other,
}

/// How much of the request the policy has recorded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Level {
    /// Unknown: relays use the name of the field for a level of their own.
    #[default]
    Other,
    Metadata,
    Request,
    RequestResponse,
}

impl Level {
    /// The audit level, if it is one of the policy. A relay's own may be beside it under the same name.
    fn or(self, other: Level) -> Level {
        match self {
            Level::Other => other,
            level => level,
        }
    }
}

impl<'de> Deserialize<'de> for Level {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match <&RawValue>::deserialize(deserializer)?.get() {
            "\"Metadata\"" => Level::Metadata,
            "\"Request\"" => Level::Request,
            "\"RequestResponse\"" => Level::RequestResponse,
            _ => Level::Other,
        })
    }
}

/// How far the request had come when the event was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum Stage {
    RequestReceived,
    ResponseStarted,
    ResponseComplete,
    Panic,
    #[serde(other)]
    Other,
}

/// What the request was about, from its URL (`ObjectReference`). Empty text is absent.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ObjectRef<'a> {
    #[serde(borrow)]
    pub resource: Text<'a>,
    #[serde(borrow)]
    pub namespace: Text<'a>,
    #[serde(borrow)]
    pub name: Text<'a>,
    /// Only on PUT and on `pods/binding`.
    #[serde(borrow)]
    pub uid: Text<'a>,
    /// Empty for the core group, also where a relay writes `core`: no group has that name.
    #[serde(borrow, deserialize_with = "group")]
    pub api_group: Text<'a>,
    #[serde(borrow)]
    pub subresource: Text<'a>,
}

fn group<'de: 'a, 'a, D: Deserializer<'de>>(deserializer: D) -> Result<Text<'a>, D::Error> {
    let group = Text::deserialize(deserializer)?;
    Ok(match &*group {
        "core" => Text::default(),
        _ => group,
    })
}

impl ObjectRef<'_> {
    /// Whether this is a pod, a part of one, or a binding (the older form of `pods/binding`), of the
    /// core group: `metrics.k8s.io` has a resource `pods` too.
    pub fn is_pod(&self) -> bool {
        matches!(&*self.resource, "pods" | "bindings") && self.api_group.is_empty()
    }

    /// Whether this is a node itself.
    pub fn is_node(&self) -> bool {
        *self.resource == *"nodes"
            && self.subresource.is_empty()
            && self.api_group.is_empty()
            && self.namespace.is_empty()
    }
}

/// `metav1.Status` without its texts: `message` and the causes in `details` print objects, secrets included.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
pub struct ResponseStatus {
    #[serde(deserialize_with = "whole")]
    pub code: Option<u16>,
    /// Whether the client disconnected before the response: then a code of 200 proves nothing.
    #[serde(rename = "message", deserialize_with = "is_closed_early")]
    pub is_closed_early: bool,
    /// A rejected eviction may have code 201, and a status with the failure.
    #[serde(rename = "status", deserialize_with = "is_failure")]
    pub is_failure: bool,
    /// Whether a `metav1.Status` has the reason of the failure. Without one it is unknown whether it was tried.
    #[serde(rename = "reason", deserialize_with = "is_there")]
    pub has_reason: bool,
    /// Whether an admission plugin did not find the pod, and not the storage, whose message has `pods`: just after
    /// its start an API server's NodeRestriction reads a cache that is still incomplete
    /// (`plugin/pkg/admission/noderestriction`).
    #[serde(rename = "details", deserialize_with = "is_of_cache")]
    pub is_of_cache: bool,
}

/// Compares `details.kind` and forgets the rest.
fn is_of_cache<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Details<'a> {
        #[serde(borrow)]
        kind: Text<'a>,
    }
    let details = Lenient::<Details>::deserialize(deserializer)?.0;
    Ok(details.is_some_and(|details| &*details.kind == "pod"))
}

fn is_there<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    Text::deserialize(deserializer).map(|text| !text.is_empty())
}

/// Compares the message and forgets it.
fn is_closed_early<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    Text::deserialize(deserializer).map(|message| &*message == "Connection closed early")
}

fn is_failure<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    Text::deserialize(deserializer).map(|status| &*status == "Failure")
}

/// `authenticationv1.UserInfo`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Actor<'a> {
    #[serde(borrow)]
    pub username: Text<'a>,
    /// Whether it is a kubelet: a member of the group `system:nodes`. The name alone proves
    /// nothing.
    #[serde(rename = "groups", deserialize_with = "has_nodes_group")]
    pub is_node: bool,
}

fn has_nodes_group<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    struct Groups;
    impl<'de> Visitor<'de> for Groups {
        type Value = bool;

        fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
            f.write_str("a list of group names")
        }

        fn visit_unit<E: Error>(self) -> Result<bool, E> {
            Ok(false)
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<bool, A::Error> {
            let mut found = false;
            while let Some(group) = seq.next_element::<Text>()? {
                found |= &*group == "system:nodes";
            }
            Ok(found)
        }
    }
    deserializer.deserialize_any(Groups)
}

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "camelCase")]
enum Key {
    #[serde(rename = "auditID")]
    AuditId,
    Level,
    #[serde(rename = "k8s_audit_level", alias = "openshift_audit_level")]
    RelayedLevel,
    Annotations,
    Stage,
    Verb,
    #[serde(rename = "requestURI")]
    RequestUri,
    User,
    ImpersonatedUser,
    #[serde(rename = "sourceIPs")]
    SourceIps,
    ObjectRef,
    ResponseStatus,
    RequestObject,
    ResponseObject,
    RequestReceivedTimestamp,
    StageTimestamp,
    Metadata,
    Timestamp,
    Items,
    Openshift,
    #[serde(other)]
    Other,
}

/// Whether the annotation `audit.k8s.io/truncated` is there and "true". Others are not read.
struct Annotations(bool);

impl<'de> Deserialize<'de> for Annotations {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Default, Deserialize)]
        #[serde(default)]
        struct Read<'a> {
            #[serde(borrow, rename = "audit.k8s.io/truncated")]
            truncated: Text<'a>,
        }
        let read = Lenient::<Read>::deserialize(deserializer)?.0;
        Ok(Annotations(
            read.is_some_and(|read| &*read.truncated == "true"),
        ))
    }
}

/// `Option<Timestamp>` by [`time`].
#[derive(Deserialize)]
struct Time(#[serde(deserialize_with = "time")] Option<Timestamp>);

/// What OpenShift's log forwarder adds to each record.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Openshift<'a> {
    #[serde(borrow)]
    cluster_id: Text<'a>,
}

/// The event while its keys come in, in any order.
#[derive(Default)]
struct Parts<'a> {
    audit_id: Text<'a>,
    level: Level,
    /// Where OpenShift's log forwarder keeps the level, whose member it uses for its own.
    relayed_level: Level,
    is_truncated: bool,
    stage: Option<Stage>,
    verb: Option<Verb>,
    request_uri: Text<'a>,
    user: Option<Actor<'a>>,
    impersonated_user: Option<Actor<'a>>,
    source_ips: Option<&'a RawValue>,
    object_ref: Option<ObjectRef<'a>>,
    response_status: Option<ResponseStatus>,
    request_object: Option<&'a RawValue>,
    response_object: Option<Object<'a>>,
    /// The response where it came before `objectRef`, which decides whether it is read.
    response_unread: Option<&'a RawValue>,
    request_received: Option<Timestamp>,
    stage_timestamp: Option<Timestamp>,
    /// Before Kubernetes 1.9: the time of the stage, and that of the receipt, in whole seconds.
    creation: Option<Timestamp>,
    timestamp: Option<Timestamp>,
    cluster: Text<'a>,
}

/// The `ObjectMeta` that events had before Kubernetes 1.9.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct OldMetadata {
    #[serde(deserialize_with = "time")]
    creation_timestamp: Option<Timestamp>,
}

impl<'a> Parts<'a> {
    fn read<A: MapAccess<'a>>(&mut self, key: Key, map: &mut A) -> Result<(), A::Error> {
        let of_pod = self.object_ref.as_ref().map(ObjectRef::is_pod);
        let of_node = self.object_ref.as_ref().is_some_and(ObjectRef::is_node);
        match key {
            Key::AuditId => self.audit_id = map.next_value()?,
            Key::Level => self.level = self.level.or(map.next_value()?),
            Key::RelayedLevel => self.relayed_level = map.next_value()?,
            Key::Annotations => self.is_truncated = map.next_value::<Annotations>()?.0,
            Key::Stage => self.stage = Some(map.next_value()?),
            Key::Verb => self.verb = Some(map.next_value()?),
            Key::RequestUri => self.request_uri = map.next_value()?,
            Key::User => self.user = map.next_value()?,
            Key::ImpersonatedUser => self.impersonated_user = map.next_value()?,
            Key::SourceIps => self.source_ips = Some(map.next_value()?),
            Key::ObjectRef => self.object_ref = map.next_value()?,
            Key::ResponseStatus => {
                self.response_status = map.next_value::<Lenient<ResponseStatus>>()?.0;
            }
            Key::RequestObject if of_pod != Some(false) || of_node => {
                self.request_object = Some(map.next_value()?);
            }
            Key::ResponseObject if of_pod == Some(true) || of_node => {
                self.response_object = map.next_value::<Lenient<Object>>()?.0;
            }
            Key::ResponseObject if of_pod.is_none() => {
                self.response_unread = Some(map.next_value()?);
            }
            Key::RequestReceivedTimestamp => {
                self.request_received = map.next_value::<Time>()?.0;
            }
            Key::StageTimestamp => self.stage_timestamp = map.next_value::<Time>()?.0,
            Key::Metadata => {
                let metadata = map.next_value::<Lenient<OldMetadata>>()?.0;
                self.creation = metadata.and_then(|metadata| metadata.creation_timestamp);
            }
            Key::Timestamp => {
                // Relays use the name too, for a time in a form of their own.
                let raw = map.next_value::<&RawValue>()?.get();
                self.timestamp = serde_json::from_str::<Time>(raw)
                    .ok()
                    .and_then(|time| time.0);
            }
            Key::Openshift => {
                let openshift = map.next_value::<Lenient<Openshift>>()?.0;
                self.cluster = openshift.unwrap_or_default().cluster_id;
            }
            Key::RequestObject | Key::ResponseObject | Key::Items | Key::Other => {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }

    fn is_event(&self) -> bool {
        !self.audit_id.is_empty() && self.stage.is_some() && self.verb.is_some()
    }

    fn finish<E: Error>(mut self) -> Result<Event<'a>, E> {
        let (false, Some(stage), Some(verb)) = (self.audit_id.is_empty(), self.stage, self.verb)
        else {
            return Err(E::custom(NOT_AN_EVENT));
        };
        let at = self
            .stage_timestamp
            .or(self.request_received)
            .or(self.creation);
        let Some(at) = at.or(self.timestamp) else {
            return Err(E::custom(NO_TIME));
        };
        let object_ref = self.object_ref.unwrap_or_default();
        if !object_ref.is_pod() {
            // Of a node, whether it was a dry run, and whether it is still there.
            self.request_object = self.request_object.filter(|_| object_ref.is_node());
        }
        if !object_ref.is_pod() && !object_ref.is_node() {
            self.response_object = None;
        } else if let Some(raw) = self.response_unread {
            self.response_object = serde_json::from_str::<Lenient<Object>>(raw.get())
                .map_err(E::custom)?
                .0;
        }
        Ok(Event {
            audit_id: self.audit_id,
            level: self.relayed_level.or(self.level),
            is_truncated: self.is_truncated,
            stage,
            verb,
            request_uri: self.request_uri,
            user: self.user.unwrap_or_default(),
            impersonated_user: self.impersonated_user,
            source_ips: self.source_ips,
            object_ref,
            response_status: self.response_status,
            request_object: self.request_object,
            response_object: self.response_object,
            request_received: self.request_received,
            at,
            cluster: self.cluster,
        })
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Event<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(EventVisitor)
    }
}

struct EventVisitor;

impl<'de> Visitor<'de> for EventVisitor {
    type Value = Event<'de>;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("an audit event")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Event<'de>, A::Error> {
        let mut parts = Parts::default();
        while let Some(key) = map.next_key()? {
            parts.read(key, &mut map)?;
        }
        parts.finish()
    }
}

impl<'de> DeserializeSeed<'de> for Document<'_, 'de> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Document<'_, 'de> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("an audit event or a list of them")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<bool, A::Error> {
        let mut parts = Parts::default();
        let mut is_list = false;
        while let Some(key) = map.next_key()? {
            match key {
                Key::Items => {
                    is_list = true;
                    map.next_value_seed(Events(&mut *self.0))?;
                }
                key => parts.read(key, &mut map)?,
            }
        }
        if !is_list {
            if !parts.is_event() {
                return Ok(false);
            }
            (self.0)(parts.finish()?);
        }
        Ok(true)
    }
}

impl<'de> DeserializeSeed<'de> for Events<'_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Events<'_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a list of audit events")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while let Some(event) = seq.next_element()? {
            (self.0)(event);
        }
        Ok(())
    }
}
