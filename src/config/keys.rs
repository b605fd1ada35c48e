//! The keys and their types, derived from [`Config`] itself: there is no second list to maintain.
//!
//! A key is a leaf of the serialised defaults. Its type is what serde accepts at its place, so a
//! text from a flag or a variable is tried as a string, as a TOML value, and as a list.

use serde_json::Value as Json;
use toml::{Table, Value};

use super::{Config, Error, parse};
use crate::near;

/// Every key, as the path of its tables joined by dots.
pub(super) fn all() -> Vec<String> {
    let defaults = serde_json::to_value(Config::default()).expect("the defaults are plain data");
    let mut keys = Vec::new();
    leaves("", &defaults, &mut keys);
    keys
}

/// A table without entries is a key itself: its entries have names that users choose.
fn leaves(path: &str, value: &Json, keys: &mut Vec<String>) {
    match value {
        Json::Object(entries) if !entries.is_empty() => {
            for (name, value) in entries {
                let dot = if path.is_empty() { "" } else { "." };
                leaves(&format!("{path}{dot}{name}"), value, keys);
            }
        }
        _ => keys.push(path.to_owned()),
    }
}

/// The environment's name of a key.
pub(super) fn variable(key: &str) -> String {
    format!("BYGONE_{}", key.replace('.', "_").to_uppercase())
}

/// The error for an unknown key, which names the nearest of the known ones.
pub(super) fn unknown(place: String, key: &str, known: &[String]) -> Error {
    Error::Unknown {
        place,
        what: "key",
        nearest: near::nearest(key, known.iter().map(String::as_str)).map(str::to_owned),
    }
}

/// Sets a key to a text, in the type that the key has. `place` is named if it does not fit.
pub(super) fn set(table: &mut Table, key: &str, text: &str, place: &str) -> Result<(), Error> {
    let error = |cause| Error::Value {
        place: place.to_owned(),
        cause,
    };
    let value = typed(key, text).map_err(error)?;
    insert(table, key, value).map_err(error)
}

/// The text as the value that fits the key. If it does not fit, the error is serde's for the string.
fn typed(key: &str, text: &str) -> Result<Value, String> {
    let fits = |value: Value| {
        let mut alone = Table::new();
        insert(&mut alone, key, value.clone())?;
        parse(alone).map(|_| value)
    };
    let string = fits(Value::String(text.to_owned()));
    let toml = || {
        let document: Table = format!("value = {text}").parse().ok()?;
        fits(document.get("value")?.clone()).ok()
    };
    let list = || {
        let parts = text.split(',').map(|part| part.trim().to_owned());
        fits(parts.map(Value::String).collect::<Vec<_>>().into()).ok()
    };
    string.or_else(|cause| toml().or_else(list).ok_or(cause))
}

fn insert(table: &mut Table, key: &str, value: Value) -> Result<(), String> {
    let Some((room, rest)) = key.split_once('.') else {
        table.insert(key.to_owned(), value);
        return Ok(());
    };
    let inner = table
        .entry(room)
        .or_insert_with(|| Value::Table(Table::new()));
    match inner.as_table_mut() {
        Some(inner) => insert(inner, rest, value),
        None => Err(format!("{room} is not a table in the config file")),
    }
}
