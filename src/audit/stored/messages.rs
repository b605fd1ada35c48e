//! Which fields of protobuf the parts of an object are, by the numbers of `k8s.io/api/core/v1/generated.proto` and
//! `k8s.io/apimachinery/pkg/apis/meta/v1/generated.proto`. Kubernetes never changes a number.
//!
//! The API server writes fields that are no pointers also when they are zero, where its JSON leaves some out
//! (`omitempty`); those are absent here too.

use super::wire::{Damage, Message, Value, text};
use crate::audit::pod::{
    Change, Condition, ContainerState, ContainerStatus, Count, EphemeralContainer, InitContainer,
    Metadata, Mirror, OwnerReference, PodIp, PodSpec, PodStatus, Running, Terminated, Waiting,
    Written,
};

/// `ObjectMeta`.
impl<'a> Message<'a> for Metadata<'a> {
    fn field(&mut self, number: u32, value: Value<'a>) -> Result<(), Damage> {
        match number {
            1 => self.name = value.text()?,
            3 => self.namespace = value.text()?,
            5 => self.uid = value.text()?,
            6 => self.resource_version = value.text()?,
            8 => self.creation_timestamp = value.time()?,
            9 => self.deletion_timestamp = value.time()?,
            10 => self.deletion_grace_period_seconds = Some(value.int64()?),
            11 => {
                let label: Entry = value.message()?;
                self.labels.push((text(label.key), text(label.value)));
            }
            12 => {
                let annotation: Entry = value.message()?;
                if annotation.key == Mirror::ANNOTATION.as_bytes() {
                    self.mirror = Some(Mirror::of(text(annotation.value)));
                }
            }
            13 => self.owner_references.push(value.message()?),
            14 => self.finalizers.push(value.text()?),
            _ => {}
        }
        Ok(())
    }
}

/// An entry of a map of texts.
#[derive(Default)]
struct Entry<'a> {
    key: &'a [u8],
    value: &'a [u8],
}

impl<'a> Message<'a> for Entry<'a> {
    fn field(&mut self, number: u32, value: Value<'a>) -> Result<(), Damage> {
        match number {
            1 => self.key = value.bytes()?,
            2 => self.value = value.bytes()?,
            _ => {}
        }
        Ok(())
    }
}

/// `ObjectMeta`.
impl<'a> Message<'a> for Written {
    fn field(&mut self, number: u32, value: Value<'a>) -> Result<(), Damage> {
        match number {
            8 => self.creation_timestamp = value.time()?,
            17 => self.managed_fields.push(value.message()?),
            _ => {}
        }
        Ok(())
    }
}

/// `ManagedFieldsEntry`.
impl<'a> Message<'a> for Change {
    fn field(&mut self, number: u32, value: Value<'a>) -> Result<(), Damage> {
        if number == 4 {
            self.time = value.time()?;
        }
        Ok(())
    }
}

impl<'a> Message<'a> for OwnerReference<'a> {
    fn field(&mut self, number: u32, value: Value<'a>) -> Result<(), Damage> {
        match number {
            1 => self.kind = value.text()?,
            3 => self.name = value.text()?,
            4 => self.uid = value.text()?,
            6 => self.controller = Some(value.bool()?),
            _ => {}
        }
        Ok(())
    }
}

impl<'a> Message<'a> for PodSpec<'a> {
    fn field(&mut self, number: u32, value: Value<'a>) -> Result<(), Damage> {
        match number {
            4 => self.termination_grace_period_seconds = Some(value.int64()?),
            8 => self.service_account_name = value.text()?,
            10 => self.node_name = value.text()?,
            11 => self.host_network = value.bool()?.then_some(true),
            20 => self.init_containers.push(value.message()?),
            34 => self.ephemeral_containers.push(value.message()?),
            _ => {}
        }
        Ok(())
    }
}

/// `Container`.
impl<'a> Message<'a> for InitContainer<'a> {
    fn field(&mut self, number: u32, value: Value<'a>) -> Result<(), Damage> {
        match number {
            1 => self.name = value.text()?,
            24 => self.restart_policy = value.text()?,
            _ => {}
        }
        Ok(())
    }
}

/// Its first field, `EphemeralContainerCommon`, has those of `Container`.
impl<'a> Message<'a> for EphemeralContainer<'a> {
    fn field(&mut self, number: u32, value: Value<'a>) -> Result<(), Damage> {
        if number == 1 {
            self.name = value.message::<InitContainer>()?.name;
        }
        Ok(())
    }
}

impl<'a> Message<'a> for PodStatus<'a> {
    fn field(&mut self, number: u32, value: Value<'a>) -> Result<(), Damage> {
        match number {
            1 => self.phase = value.text()?,
            2 => self.conditions.push(value.message()?),
            4 => self.reason = value.text()?,
            6 => self.pod_ip = value.text()?,
            7 => self.start_time = value.time()?,
            8 => self.container_statuses.push(value.message()?),
            10 => self.init_container_statuses.push(value.message()?),
            12 => self.pod_ips.push(value.message()?),
            13 => self.ephemeral_container_statuses.push(value.message()?),
            _ => {}
        }
        Ok(())
    }
}

/// `PodCondition`.
impl<'a> Message<'a> for Condition<'a> {
    fn field(&mut self, number: u32, value: Value<'a>) -> Result<(), Damage> {
        match number {
            1 => self.kind = value.text()?,
            2 => self.status = value.text()?,
            4 => self.last_transition_time = value.time()?,
            5 => self.reason = value.text()?,
            _ => {}
        }
        Ok(())
    }
}

impl<'a> Message<'a> for PodIp<'a> {
    fn field(&mut self, number: u32, value: Value<'a>) -> Result<(), Damage> {
        if number == 1 {
            self.ip = value.text()?;
        }
        Ok(())
    }
}

impl<'a> Message<'a> for ContainerStatus<'a> {
    fn field(&mut self, number: u32, value: Value<'a>) -> Result<(), Damage> {
        match number {
            1 => self.name = value.text()?,
            2 => value.merge_into(&mut self.state)?,
            3 => value.merge_into(&mut self.last_state)?,
            5 => self.restart_count = Count::of(value.int32()?.into()),
            6 => self.image = value.text()?,
            7 => self.image_id = value.text()?,
            8 => self.container_id = value.text()?,
            _ => {}
        }
        Ok(())
    }
}

impl<'a> Message<'a> for ContainerState<'a> {
    fn field(&mut self, number: u32, value: Value<'a>) -> Result<(), Damage> {
        match number {
            1 => value.merge_into(&mut self.waiting)?,
            2 => value.merge_into(&mut self.running)?,
            3 => value.merge_into(&mut self.terminated)?,
            _ => {}
        }
        Ok(())
    }
}

/// `ContainerStateWaiting`.
impl<'a> Message<'a> for Waiting<'a> {
    fn field(&mut self, number: u32, value: Value<'a>) -> Result<(), Damage> {
        if number == 1 {
            self.reason = value.text()?;
        }
        Ok(())
    }
}

/// `ContainerStateRunning`.
impl<'a> Message<'a> for Running {
    fn field(&mut self, number: u32, value: Value<'a>) -> Result<(), Damage> {
        if number == 1 {
            self.started_at = value.time()?;
        }
        Ok(())
    }
}

/// `ContainerStateTerminated`.
impl<'a> Message<'a> for Terminated<'a> {
    fn field(&mut self, number: u32, value: Value<'a>) -> Result<(), Damage> {
        match number {
            1 => self.exit_code = Some(value.int32()?),
            2 => self.signal = Some(value.int32()?).filter(|signal| *signal != 0),
            3 => self.reason = value.text()?,
            5 => self.started_at = value.time()?,
            6 => self.finished_at = value.time()?,
            7 => self.container_id = value.text()?,
            _ => {}
        }
        Ok(())
    }
}
