//! Pods that are created, run, fail and go, in one namespace.
//!
//! Seven of ten are short jobs, the rest services that live for hours or months, both log-normal.
//! Some began before anybody listened, some events are lost for good.

mod chance;
mod life;
mod manners;
mod spec;

use super::object::{Event, Level, Verb};
use super::{DAY, HOUR, MINUTE, SECOND, Text};
use crate::support::Random;
use chance::Chance;
use life::Life;
use spec::Spec;

/// How large a history is, and when it happens.
#[derive(Clone, Debug)]
pub struct Plan {
    pub cluster: Text,
    /// When the receiver began to listen, in microseconds.
    pub begin: i64,
    /// Nothing happens from here on.
    pub end: i64,
    pub pods_max: u64,
}

/// What no receiver ever got.
#[derive(Clone, Copy, Debug)]
struct Loss {
    /// Of every hundred events.
    percent: u64,
    /// Whether events before the beginning are lost.
    before: bool,
}

/// The events of one namespace that ever arrive, in the order in which they happened.
pub fn history(seed: u64, namespace: &str, plan: &Plan) -> Vec<Event> {
    let mut random = Random(seed);
    let mut events = Vec::new();
    // Skewed: most namespaces are small, some are large.
    let pods = 1 + (plan.pods_max as f64 * random.unit().powi(3)) as u64;
    let mut left = pods;
    while left > 0 {
        let mut spec = Spec::random(&mut random, namespace);
        let mut begin = beginning(&mut random, &spec, plan);
        // It still runs when somebody begins to listen.
        spec.run += (plan.begin - begin).max(0);
        for incarnation in 0..spec.incarnations.min(left).max(1) {
            left = left.saturating_sub(1);
            let object = spec.object(&mut random, &plan.cluster, incarnation);
            let mut life = Life::new(&mut random, &mut events, object, begin);
            life.run(&spec);
            begin = life.now() + SECOND + life.random().below(3 * SECOND as u64) as i64;
        }
    }
    finish(&mut random, &mut events, plan);
    let loss = Loss {
        percent: *random.pick(&[0, 0, 0, 0, 0, 0, 2, 2, 10, 30]),
        before: random.chance(70),
    };
    events.retain(|event| event.at < plan.end && !loss.takes(event, plan, &mut random));
    events.sort_by_key(|event| event.at);
    events
}

/// How much the audit policy keeps of it, and whether the namespace goes in the end.
fn finish(random: &mut Random, events: &mut Vec<Event>, plan: &Plan) {
    use Level::{Full, Metadata, Request};
    let level = *random.pick(&[
        Full, Full, Full, Full, Full, Full, Request, Request, Metadata,
    ]);
    let large = level == Full && random.chance(10);
    for event in &mut *events {
        event.level = match large && random.chance(5) {
            true => Level::Truncated,
            false => level,
        };
    }
    if random.chance(5)
        && let Some(last) = events.iter().max_by_key(|event| event.at)
        && last.at < plan.end - MINUTE
    {
        let at = last.at + SECOND;
        events.push(Event {
            received: at,
            at: at + 7_000,
            verb: Verb::Finalize,
            user: "system:serviceaccount:kube-system:namespace-controller".into(),
            acting_as: Text::default(),
            forced: false,
            ..last.clone()
        });
    }
}

fn beginning(random: &mut Random, spec: &Spec, plan: &Plan) -> i64 {
    if !spec.job && random.chance(15) {
        let age = random.log_normal(10.0 * DAY as f64, 1.5);
        return plan.begin - age.clamp(MINUTE, 200 * DAY);
    }
    let span = (plan.end - plan.begin - HOUR).max(HOUR);
    plan.begin + random.below(span as u64) as i64
}

impl Loss {
    fn takes(self, event: &Event, plan: &Plan, random: &mut Random) -> bool {
        random.chance(self.percent) || (self.before && event.at < plan.begin)
    }
}
