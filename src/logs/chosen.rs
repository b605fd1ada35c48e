//! What a `[[logs]]` block comes to, with its preset.

use jiff::SignedDuration;

use super::Error;
use super::config::Config;
use super::identity::Identity;
use super::layout::{Fields, Kind, TimeIs};
use super::preset::Preset;

/// How a store keeps lines.
pub struct Chosen {
    /// `None` where neither it nor a preset is named.
    pub kind: Option<Kind>,
    /// The table, index pattern or selector.
    pub from: String,
    pub fields: Fields,
    pub time_is: TimeIs,
    /// As in [`Preset`].
    pub container_id_is_uncertain: bool,
    pub container_id_is_optional: bool,
    pub slack: SignedDuration,
}

impl Chosen {
    /// # Errors
    ///
    /// When the block has no name, or one of a preset that there is not.
    pub fn of(config: &Config) -> Result<Chosen, Error> {
        let wrong = |cause: String| Error::Config {
            store: config.name.clone(),
            cause,
        };
        if config.name.is_empty() {
            return Err(wrong("a [[logs]] block needs a name".to_owned()));
        }
        let preset = match &config.preset {
            Some(name) => Some(Preset::all().get(name).ok_or_else(|| {
                let known: Vec<&str> = Preset::all().keys().map(String::as_str).collect();
                wrong(format!(
                    "no preset {name:?}; there are {}",
                    known.join(", ")
                ))
            })?),
            None => None,
        };
        let is = |flag: fn(&Preset) -> bool| preset.is_some_and(flag);
        let from = config.from.clone();
        Ok(Chosen {
            kind: config.kind.or(preset.map(|preset| preset.kind)),
            from: from
                .or_else(|| Some(preset?.from.clone()))
                .unwrap_or_default(),
            fields: match preset {
                Some(preset) => config.fields.clone().or(&preset.fields),
                None => config.fields.clone(),
            },
            time_is: config
                .time_is
                .or(preset.map(|preset| preset.time_is))
                .unwrap_or_default(),
            container_id_is_uncertain: is(|preset| preset.container_id_is_uncertain),
            container_id_is_optional: is(|preset| preset.container_id_is_optional),
            slack: SignedDuration::from_secs(config.slack_seconds.into()),
        })
    }

    /// The identities by which something is looked for once, where nobody sees that it finds nothing: the first of them
    /// that the instance and the fields have.
    pub fn identities(&self) -> Vec<Identity> {
        let mut identities = Identity::ALL.to_vec();
        if self.container_id_is_uncertain || self.container_id_is_optional {
            identities.sort_by_key(|identity| (*identity == Identity::ContainerId, *identity));
        }
        identities
    }
}
