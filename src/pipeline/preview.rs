//! What would come out of events, without storing anything.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{Details, RejectedPart};
use crate::audit::{Event, Level, Stage};
use crate::coverage;
use crate::envelope::{self, Limits, Reason};
use crate::lifecycle;
use crate::rows::About;

/// What a body may have when everything packed inside of it is unpacked.
const UNWRAPPED_BYTES_MAX: usize = 256 << 20;

/// Pods that are told apart. What is beyond is not counted.
const PODS_MAX: usize = 1_000_000;

/// Events by what they are about, by level and by stage.
pub type Levels = BTreeMap<(&'static str, &'static str, &'static str), u64>;

/// What was found so far.
#[derive(Default)]
pub struct Preview {
    pub events: u64,
    pub ignored: u64,
    pub rejected: u64,
    /// About pods, containers and names.
    pub facts: u64,
    /// When the first and the last of the events happened.
    pub span: Option<(Timestamp, Timestamp)>,
    pub levels: Levels,
    /// Whether an API server renewed its lease.
    pub has_heartbeats: bool,
    details: Details,
}

impl Preview {
    /// Reads a body. Returns the first parts that would be rejected.
    pub fn read(&mut self, cluster: &str, body: &[u8]) -> Vec<RejectedPart> {
        let limits = Limits {
            unpacked_bytes_max: UNWRAPPED_BYTES_MAX,
            held_bytes_max: UNWRAPPED_BYTES_MAX,
            reserve: &mut |_| true,
        };
        let rest = envelope::read(body, limits, &mut |found| {
            self.details.name_cluster(found.cluster);
            let outcome = lifecycle::facts(cluster, found.event, &mut |fact| {
                self.facts += 1;
                if self.details.pods.len() < PODS_MAX {
                    self.details.count_pod(fact.pod_uid);
                }
            });
            self.see(found.event);
            outcome.map_err(|_| Reason::Unreadable)
        });
        self.ignored += rest.ignored as u64;
        self.rejected += rest.rejected.len() as u64;
        self.details.rejected.clear();
        self.details.reject(&rest.rejected);
        std::mem::take(&mut self.details.rejected)
    }

    /// Adds what another found, in other files of the same kind.
    pub fn add(&mut self, other: Preview) {
        self.events += other.events;
        self.ignored += other.ignored;
        self.rejected += other.rejected;
        self.facts += other.facts;
        if let Some((first, last)) = other.span {
            self.widen(first, last);
        }
        for (key, events) in other.levels {
            *self.levels.entry(key).or_default() += events;
        }
        self.has_heartbeats |= other.has_heartbeats;
        let room = PODS_MAX.saturating_sub(self.details.pods.len());
        let pods = other.details.pods.into_iter().take(room);
        self.details.pods.extend(pods);
        for name in &other.details.clusters {
            self.details.name_cluster(Some(name));
        }
    }

    fn widen(&mut self, from: Timestamp, to: Timestamp) {
        let (first, last) = self.span.unwrap_or((from, to));
        self.span = Some((first.min(from), last.max(to)));
    }

    /// Counts a part that was too long to be read.
    pub fn reject(&mut self) {
        self.rejected += 1;
    }

    pub fn pods(&self) -> usize {
        self.details.pods.len()
    }

    /// The clusters that wrappers named.
    pub fn clusters(&self) -> impl Iterator<Item = &str> {
        self.details.clusters.iter().map(String::as_str)
    }

    fn see(&mut self, event: &Event) {
        self.events += 1;
        self.widen(event.at, event.at);
        let (about, api_server) = coverage::subject(event);
        self.has_heartbeats |= !api_server.is_empty();
        let about = match about {
            About::Pods => "pods",
            About::Heartbeat => "heartbeat",
            About::Other => "other",
        };
        let key = (about, level(event.level), stage(event.stage));
        *self.levels.entry(key).or_default() += 1;
    }
}

fn level(level: Level) -> &'static str {
    match level {
        Level::Metadata => "Metadata",
        Level::Request => "Request",
        Level::RequestResponse => "RequestResponse",
        Level::Other => "",
    }
}

fn stage(stage: Stage) -> &'static str {
    match stage {
        Stage::RequestReceived => "RequestReceived",
        Stage::ResponseStarted => "ResponseStarted",
        Stage::ResponseComplete => "ResponseComplete",
        Stage::Panic => "Panic",
        Stage::Other => "",
    }
}
