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

    /// Whether an index is one of those that a preset's agent writes by default.
    pub(super) fn fits(name: &str, index: Option<&str>) -> bool {
        let from = Preset::all().get(name).map_or("", |preset| &preset.from);
        let Some(index) = index else {
            return false;
        };
        let index = index.strip_prefix(".ds-").unwrap_or(index);
        // A part of a pattern before, between and behind asterisks.
        let fits = |pattern: &str| {
            let mut parts = pattern.split('*');
            let mut rest = index.strip_prefix(parts.next().unwrap_or_default());
            for part in parts {
                rest = rest.and_then(|rest| Some(&rest[rest.find(part)? + part.len()..]));
            }
            rest.is_some_and(|rest| rest.is_empty() || pattern.ends_with('*'))
        };
        from.split(',').any(fits)
    }

    /// The names of those for a kind of store.
    pub(super) fn of_kind(kind: Kind) -> impl Iterator<Item = &'static str> {
        let all = Preset::all().iter();
        let of_kind = all.filter(move |(_, preset)| preset.kind.is_like(kind));
        of_kind.map(|(name, _)| name.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_is_of_the_agent_that_names_it_so() {
        for (preset, index, fits) in [
            ("filebeat", "filebeat-8.1-2026.11.24", true),
            ("filebeat", "logs-x", false),
            (
                "elastic-agent",
                ".ds-logs-kubernetes.container_logs-default-2026.11.24-000001",
                true,
            ),
            (
                "otel-elasticsearch",
                ".ds-logs-generic.otel-default-2026.11.24-000001",
                true,
            ),
            ("otel-elasticsearch", "logs-generic-default", false),
            ("viaq-elasticsearch", "infra-000001", true),
        ] {
            assert_eq!(Preset::fits(preset, Some(index)), fits, "{preset} {index}");
        }
        assert!(!Preset::fits("filebeat", None));
    }

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
