//! Values in JSON, which the parser of audit events reads.

use serde::Deserialize;

use super::{NotStored, Stored, StoredKind};
use crate::audit::json::{Lenient, Text};
use crate::audit::pod::{Object, Written};

/// What is beside the object's own fields.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Beside<'a> {
    #[serde(borrow)]
    api_version: Text<'a>,
    metadata: Option<Written>,
}

pub(super) fn read(value: &[u8]) -> Result<Stored<'_>, NotStored> {
    let beside: Beside = serde_json::from_slice(value).map_err(reason)?;
    let mut object: Object = serde_json::from_slice(value).map_err(reason)?;
    let kind = StoredKind::of(&beside.api_version, &object.kind)?;
    if kind != StoredKind::Pod {
        object.spec = Lenient::default();
        object.status = Lenient::default();
    }
    Ok(Stored {
        kind,
        object,
        written: beside.metadata.and_then(|metadata| metadata.at()),
    })
}

/// Without the parser's own words, which may have some of the value in them.
fn reason(error: serde_json::Error) -> &'static str {
    match error.is_eof() {
        true => "JSON that ends too early",
        false => "damaged JSON",
    }
}
