//! Audit events of log stores with tables: a row has a column for each member of the event, and structured values are
//! JSON in a string there (Alibaba's SLS), under the store's own names (Azure's tables AKSAudit and AKSAuditAdmin).

use serde_json::value::RawValue;

use super::Reason;
use super::fields::{Fields, text_of};

/// A member of an event, its column in Azure's tables, and whether it is an object.
const COLUMNS: [(&str, &str, bool); 14] = [
    ("auditID", "AuditId", false),
    ("stage", "Stage", false),
    ("verb", "Verb", false),
    ("level", "Level", false),
    ("requestURI", "RequestUri", false),
    ("user", "User", true),
    ("impersonatedUser", "ImpersonatedUser", true),
    ("objectRef", "ObjectRef", true),
    ("responseStatus", "ResponseStatus", true),
    ("requestObject", "RequestObject", true),
    ("responseObject", "ResponseObject", true),
    ("annotations", "Annotations", true),
    ("requestReceivedTimestamp", "RequestReceivedTime", false),
    ("stageTimestamp", "StageReceivedTime", false),
];

fn column<'a>(row: &Fields<'a>, (name, azure, _): &(&str, &str, bool)) -> Option<&'a RawValue> {
    row.get(name).or_else(|| row.get(azure))
}

/// Whether it is such a row: the keys of an event, and an object in a string or names of Azure's.
pub fn is_row(row: &Fields) -> bool {
    let has_keys = COLUMNS[..3].iter().all(|key| column(row, key).is_some());
    let is_odd = |key: &&(&str, &str, bool)| {
        key.2
            && row
                .get(key.0)
                .is_some_and(|value| value.get().starts_with('"'))
    };
    has_keys && (row.has("AuditId") || COLUMNS.iter().any(|key| is_odd(&key)))
}

/// The row as an event in JSON.
pub fn event(row: &Fields) -> Result<Vec<u8>, Reason> {
    let mut event = String::from("{");
    for key in &COLUMNS {
        let Some(value) = column(row, key) else {
            continue;
        };
        let text = text_of(value).filter(|_| key.2);
        let value = match &text {
            None => value.get(),
            Some(text) if text.trim_start().starts_with(['{', '[']) => {
                serde_json::from_str::<&RawValue>(text)
                    .map_err(|error| Reason::of(&error))?
                    .get()
            }
            // Nothing, or a word in place of what was too large.
            Some(_) => continue,
        };
        if event.len() > 1 {
            event.push(',');
        }
        event.push_str(&format!("\"{}\":{value}", key.0));
    }
    event.push('}');
    Ok(event.into_bytes())
}
