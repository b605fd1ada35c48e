//! The vocabulary: the fields of an API server's events that bygone reads.
//!
//! In: bytes of one `audit.k8s.io` Event, or of an object in etcd. Out: an [`Event`] or a [`Stored`] object that borrows
//! from them. What is not named here is skipped by the parser and never built: environment values, arguments, volumes,
//! annotation values, messages, and of `managedFields` all but the times. A field that this room does not have cannot
//! leak; that is why it has so few. Of annotations one value is kept, and only if it is a hash or
//! a UUID: `config_hash` of [`Metadata`].
//!
//! Kubernetes writes `null` where it means "absent", so every field here takes both.
//!
//! Not here: which events count, what they mean (`lifecycle`), and how a delivery wraps
//! them (`envelope`). This room is a leaf: no I/O, no clock, no other room.

mod event;
mod json;
mod pod;
mod sources;
mod stored;
pub mod words;

pub use event::{
    Actor, Document, Event, Events, Level, NO_TIME, NOT_AN_EVENT, ObjectRef, ResponseStatus, Stage,
    Verb,
};
pub use json::{Capped, Lenient, Text, time};
pub use pod::{
    Binding, ContainerState, ContainerStatus, Count, DeleteOptions, Eviction, Items, Metadata,
    Object, OwnerReference, PodSpec, PodStatus, Preconditions, TableRow, Terminated, Written,
};
pub use sources::Sources;
pub use stored::{NotStored, Stored, StoredKind, stored};
