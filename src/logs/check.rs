//! Which `[[logs]]` block finds the lines of a store: for an operator who sets one up.
//!
//! In: a block, and container instances that likely have lines. Out: what each way to read the store found, the block
//! that finds most with the strongest identity, and, where none finds anything, what the store has, by its names.
//!
//! Tried are the block as it is, every preset of its kind with the block's `from` or the preset's, and, if none of these
//! finds a line, every preset in the other places that look alike: all indices, tables with the preset's columns.
//!
//! Never here: the text of a line.

mod block;
mod candidates;

use std::sync::Arc;

use jiff::Timestamp;

pub use self::block::block;
pub use self::candidates::candidates;
use super::config::Config;
use super::identity::Identity;
use super::instance::Instance;
use super::preset::Preset;
use super::probe::{self, End};
use super::seen::{Seen, pattern_of};
use super::span::later;
use super::store::Store;
use super::{Error, OwnStore};

/// Places that look alike and are tried, each with every preset.
const PLACES_MAX: usize = 10;

/// A store, and what was found in it.
#[derive(Debug)]
pub struct Checked {
    pub tries: Vec<Try>,
    /// The number of the try that finds most.
    pub best: Option<usize>,
    /// Why nothing was tried, or no more; in one line.
    pub error: Option<String>,
    /// What it has instead, where nothing was found.
    pub seen: Vec<Seen>,
}

/// One way to read it.
#[derive(Debug)]
pub struct Try {
    /// A block that reads it so.
    pub config: Config,
    /// Whether this is the block as it is.
    pub is_configured: bool,
    /// Index pattern, table or selector.
    pub from: String,
    pub outcome: Result<Outcome, String>,
}

/// What one way to read it found.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Of so many instances.
    pub instances: usize,
    pub best: Option<Lines>,
}

/// The instance that was found by the strongest identity.
#[derive(Debug)]
pub struct Lines {
    pub of: Arc<Instance>,
    pub identity: Identity,
    /// Less is better.
    strength: u8,
    /// The newest of its lines.
    pub at: Timestamp,
    /// The index that has it.
    pub place: Option<String>,
}

impl Checked {
    /// Whether the block as it is finds lines.
    #[must_use]
    pub fn is_good(&self) -> bool {
        let configured = self.tries.iter().find(|one| one.is_configured);
        configured.is_some_and(|one| one.lines().is_some())
    }
}

impl Try {
    #[must_use]
    pub fn lines(&self) -> Option<&Lines> {
        self.outcome.as_ref().ok()?.best.as_ref()
    }

    /// Less is better: the strongest identity, then the most instances, then the block as it is, then the agent whose
    /// index it is.
    fn rank(&self) -> Option<(u8, usize, bool, bool)> {
        let outcome = self.outcome.as_ref().ok()?;
        let lines = outcome.best.as_ref()?;
        let preset = self.config.preset.as_deref().unwrap_or_default();
        let is_foreign = !Preset::fits(preset, lines.place.as_deref());
        let missed = usize::MAX - outcome.instances;
        Some((lines.strength, missed, !self.is_configured, is_foreign))
    }
}

/// Looks for the lines of these instances in a store. `own` is the ClickHouse of the history, for a block without an
/// address.
pub async fn check(
    config: &Config,
    own: Option<&Arc<OwnStore>>,
    instances: &[Arc<Instance>],
    now: Timestamp,
) -> Checked {
    let mut check = Check {
        instances,
        now,
        tries: Vec::new(),
        error: None,
    };
    let is_complete = config.preset.is_some() || config.fields != Config::default().fields;
    let mut opened = None;
    if is_complete {
        match Store::open(config, own) {
            Ok(store) => {
                check.attempt(&store, true).await;
                opened = Some(store);
            }
            Err(error) => check.error = Some(error.to_string()),
        }
    }
    let base = opened.or_else(|| any_preset(config, own, &mut check.error));
    let mut seen = Vec::new();
    if let Some(base) = &base
        && check.error.is_none()
    {
        check.presets(base, config.from.as_deref()).await;
        if check.best().is_none() && check.error.is_none() {
            check.elsewhere(base).await;
        }
        if check.best().is_none() && check.error.is_none() {
            let ends = instances.iter().map(|of| of.ended.unwrap_or(now));
            let until = ends.max().map_or(now, |end| later(end, base.slack));
            match base.seen(until).await {
                Ok(names) => seen = names,
                Err(error) => check.error = Some(error.to_string()),
            }
        }
    }
    Checked {
        best: check.best(),
        tries: check.tries,
        error: check.error,
        seen,
    }
}

/// The store with a preset of its kind that fits its configuration: the others are tried by way of it.
fn any_preset(
    config: &Config,
    own: Option<&Arc<OwnStore>>,
    error: &mut Option<String>,
) -> Option<Store> {
    let kind = config.kind?;
    for name in Preset::of_kind(kind) {
        let config = Config {
            preset: Some(name.to_owned()),
            ..config.clone()
        };
        match Store::open(&config, own) {
            Ok(store) => {
                *error = None;
                return Some(store);
            }
            Err(cause) => *error = Some(cause.to_string()),
        }
    }
    None
}

struct Check<'a> {
    instances: &'a [Arc<Instance>],
    now: Timestamp,
    tries: Vec<Try>,
    error: Option<String>,
}

impl Check<'_> {
    /// Every preset of the kind, but the one that was tried.
    async fn presets(&mut self, base: &Store, from: Option<&str>) {
        for name in Preset::of_kind(base.kind) {
            let Ok(store) = base.with_preset(name, from) else {
                continue;
            };
            let is_new = self.tries.iter().all(|one| {
                let Config { preset, fields, .. } = &one.config;
                (preset, fields, &one.from)
                    != (&store.config.preset, &store.config.fields, &store.from)
            });
            if is_new {
                self.attempt(&store, false).await;
            }
            if self.error.is_some() {
                return;
            }
        }
    }

    /// In other places of the store.
    async fn elsewhere(&mut self, base: &Store) {
        let places = match base.alike().await {
            Ok(places) => places,
            Err(error) => {
                self.error = Some(error.to_string());
                return;
            }
        };
        for place in places.iter().take(PLACES_MAX) {
            let begun = self.tries.len();
            self.presets(base, Some(place)).await;
            for one in &mut self.tries[begun..] {
                one.narrow();
            }
            if self.error.is_some() {
                return;
            }
        }
    }

    async fn attempt(&mut self, store: &Store, is_configured: bool) {
        let outcome = match self.outcome(store).await {
            Ok(outcome) => Ok(outcome),
            Err(error) => {
                if !is_of_the_form(&error) {
                    self.error = Some(error.to_string());
                }
                Err(error.to_string())
            }
        };
        self.tries.push(Try {
            config: store.config.clone(),
            is_configured,
            from: store.from.clone(),
            outcome,
        });
    }

    async fn outcome(&self, store: &Store) -> Result<Outcome, Error> {
        let mut outcome = Outcome::default();
        for of in self.instances.iter().filter(|of| store.holds(&of.cluster)) {
            let identities = store.identities(of);
            let life = |identity| of.span(identity, store.slack, self.now);
            let found = probe::instance(store, of, &identities, life, End::Newest).await?;
            let Some(found) = found else {
                continue;
            };
            outcome.instances += 1;
            let strength = store.strength(found.identity);
            if outcome
                .best
                .as_ref()
                .is_none_or(|best| strength < best.strength)
            {
                outcome.best = Some(Lines {
                    of: of.clone(),
                    identity: found.identity,
                    strength,
                    at: found.line.at,
                    place: found.line.place,
                });
            }
        }
        Ok(outcome)
    }

    fn best(&self) -> Option<usize> {
        let tries = self.tries.iter().enumerate();
        let ranked = tries.filter_map(|(number, one)| Some((one.rank()?, number)));
        ranked.min().map(|(_, number)| number)
    }
}

impl Try {
    /// Of all indices only those that have the lines.
    fn narrow(&mut self) {
        let place = self.lines().and_then(|lines| lines.place.as_deref());
        if let Some(pattern) = place.map(pattern_of) {
            self.config.from = Some(pattern.clone());
            self.from = pattern;
        }
    }
}

/// Whether another preset or place can do better: the store itself answers.
fn is_of_the_form(error: &Error) -> bool {
    matches!(
        error,
        Error::Missing { .. } | Error::Refused { .. } | Error::Answer { .. }
    )
}
