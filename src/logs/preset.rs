//! What log agents write by default, as data: `presets.toml`.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;

use super::layout::{Fields, Kind, TimeIs};

/// One agent with one store.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preset {
    /// For people: which agent, in which configuration.
    pub about: String,
    pub kind: Kind,
    /// The table, index pattern or selector by default.
    #[serde(default)]
    pub from: String,
    #[serde(default)]
    pub time_is: TimeIs,
    /// Whether its container ID may be that of another instance of the container, so that a better identity goes first.
    #[serde(default)]
    pub container_id_is_uncertain: bool,
    /// Whether records have a container ID in some configurations of the agent only.
    #[serde(default)]
    pub container_id_is_optional: bool,
    #[serde(default)]
    pub fields: Fields,
}

static PRESETS: LazyLock<BTreeMap<String, Preset>> = LazyLock::new(|| {
    toml::from_str(include_str!("presets.toml")).expect("a test parses presets.toml")
});

impl Preset {
    /// All of them by name.
    pub fn all() -> &'static BTreeMap<String, Preset> {
        &PRESETS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_preset_can_find_and_show_lines() {
        for (name, preset) in Preset::all() {
            let fields = &preset.fields;
            assert!(
                !fields.line.is_empty() || preset.kind == Kind::Loki,
                "{name}: no line"
            );
            let names = [&fields.namespace, &fields.pod, &fields.container];
            assert!(
                fields.container_id.is_some()
                    || fields.file.is_some()
                    || fields.uid.is_some()
                    || names.iter().all(|field| field.is_some()),
                "{name}: no identity"
            );
        }
    }
}
