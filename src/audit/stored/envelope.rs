//! The envelope of a protobuf value: `runtime.Unknown`, behind four bytes.
//!
//! Field numbers are those of `k8s.io/apimachinery/pkg/runtime/generated.proto`.

use super::wire::{Damage, Message, Value};
use super::{NotStored, Stored, StoredKind};
use crate::audit::json::Text;
use crate::audit::pod::{Object, Written};

/// Begins every such value.
pub(super) const MAGIC: &[u8] = b"k8s\0";

/// The content type of an object in protobuf. The API server leaves it out.
const PROTOBUF: &str = "application/vnd.kubernetes.protobuf";

/// `runtime.Unknown`.
#[derive(Default)]
struct Unknown<'a> {
    type_meta: TypeMeta<'a>,
    raw: &'a [u8],
    content_encoding: Text<'a>,
    content_type: Text<'a>,
}

/// `runtime.TypeMeta`.
#[derive(Default)]
struct TypeMeta<'a> {
    api_version: Text<'a>,
    kind: Text<'a>,
}

/// The object in the envelope.
#[derive(Default)]
struct Raw<'a> {
    is_pod: bool,
    object: Object<'a>,
    written: Written,
}

/// Opens what is behind [`MAGIC`].
pub(super) fn open(message: &[u8]) -> Result<Stored<'_>, NotStored> {
    let mut envelope = Unknown::default();
    envelope.merge(message)?;
    if !envelope.content_encoding.is_empty() {
        return Err("protobuf that is compressed".into());
    }
    if !matches!(&*envelope.content_type, "" | PROTOBUF) {
        return Err("an envelope with something else than protobuf".into());
    }
    let type_meta = envelope.type_meta;
    let kind = StoredKind::of(&type_meta.api_version, &type_meta.kind)?;
    let mut raw = Raw {
        is_pod: kind == StoredKind::Pod,
        ..Raw::default()
    };
    raw.merge(envelope.raw)?;
    raw.object.kind = type_meta.kind;
    Ok(Stored {
        kind,
        object: raw.object,
        written: raw.written.at(),
    })
}

impl<'a> Message<'a> for Unknown<'a> {
    fn field(&mut self, number: u32, value: Value<'a>) -> Result<(), Damage> {
        match number {
            1 => self.type_meta.merge(value.bytes()?)?,
            2 => self.raw = value.bytes()?,
            3 => self.content_encoding = value.text()?,
            4 => self.content_type = value.text()?,
            _ => {}
        }
        Ok(())
    }
}

impl<'a> Message<'a> for TypeMeta<'a> {
    fn field(&mut self, number: u32, value: Value<'a>) -> Result<(), Damage> {
        match number {
            1 => self.api_version = value.text()?,
            2 => self.kind = value.text()?,
            _ => {}
        }
        Ok(())
    }
}

/// `Pod`; of `Node` and `Namespace` the first field is the same.
impl<'a> Message<'a> for Raw<'a> {
    fn field(&mut self, number: u32, value: Value<'a>) -> Result<(), Damage> {
        match number {
            1 => {
                value.merge_into(&mut self.object.metadata)?;
                self.written.merge(value.bytes()?)?;
            }
            2 if self.is_pod => value.merge_into(&mut self.object.spec.0)?,
            3 if self.is_pod => value.merge_into(&mut self.object.status.0)?,
            _ => {}
        }
        Ok(())
    }
}
