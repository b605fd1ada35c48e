//! Instances that likely have lines in a store.

use std::collections::HashSet;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use crate::logs::instance::{Instance, set_borders};
use crate::query::Container;

/// So many are looked for in each store.
const CANDIDATES_MAX: usize = 5;

/// What lived shorter may have written nothing, and agents may have missed it.
const LIVED_MIN: SignedDuration = SignedDuration::from_secs(60);

/// Of these rows the instances that likely have lines: those that run, and of them those that ran longest; of every
/// workload one. `is_named`: the rows are what was asked for, so all of them are as good.
#[must_use]
pub fn candidates(rows: Vec<Container>, is_named: bool, now: Timestamp) -> Vec<Arc<Instance>> {
    let all: Vec<Instance> = rows.iter().cloned().map(Instance::of).collect();
    let mut rows: Vec<(Likely, Container)> = rows
        .into_iter()
        .filter_map(|row| Some((Likely::of(&row, is_named, now)?, row)))
        .collect();
    rows.sort_by(|(one, _), (other, _)| one.cmp(other));
    let mut seen = HashSet::new();
    rows.retain(|(_, row)| {
        let workload = row.workload.as_ref().unwrap_or(&row.pod);
        let key = (
            row.cluster.clone(),
            row.namespace.clone(),
            workload.clone(),
            row.container.clone(),
        );
        is_named || seen.insert(key)
    });
    rows.truncate(CANDIDATES_MAX);
    let instance = |row| {
        let instance = Instance::of(row);
        set_borders(&instance, &all);
        Arc::new(instance)
    };
    rows.into_iter().map(|(_, row)| instance(row)).collect()
}

/// How likely an instance has lines: less is likelier.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Likely {
    is_over: bool,
    /// Often quiet.
    is_of_the_system: bool,
    /// In the files' paths they have another UID.
    is_static: bool,
    shorter: SignedDuration,
}

impl Likely {
    fn of(row: &Container, is_named: bool, now: Timestamp) -> Option<Likely> {
        let began = row.started_at.as_ref()?.instant;
        let ended = row.ended_at.as_ref().map(|ended| ended.instant);
        let lived = ended.unwrap_or(now).duration_since(began);
        // Its own lines are about what it is asked now.
        let is_own = row.container.starts_with("bygone") || row.pod.starts_with("bygone");
        let is_likely = row.kind == "app" && lived >= LIVED_MIN && !is_own;
        (is_named || is_likely).then(|| Likely {
            is_over: ended.is_some(),
            is_of_the_system: row.namespace == "kube-system",
            is_static: row.workload_kind.as_deref() == Some("Node"),
            shorter: SignedDuration::ZERO - lived,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::Time;

    /// `namespace pod container began ended`, in seconds; `-` while it runs.
    fn rows(text: &str) -> Vec<Container> {
        let row = |line: &str| {
            let parts: Vec<&str> = line.split_whitespace().collect();
            let time = |text: &str| {
                let second = text.parse().ok()?;
                Some(Time {
                    instant: Timestamp::from_second(second).unwrap(),
                    whole_seconds: true,
                })
            };
            Container {
                namespace: parts[0].to_owned(),
                pod: parts[1].to_owned(),
                container: parts[2].to_owned(),
                kind: "app".to_owned(),
                started_at: time(parts[3]),
                ended_at: time(parts[4]),
                ..Container::default()
            }
        };
        text.split(", ").map(row).collect()
    }

    fn check(text: &str, is_named: bool, expected: &str) {
        let now = Timestamp::from_second(1_000).unwrap();
        let chosen = candidates(rows(text), is_named, now);
        let chosen: Vec<&str> = chosen.iter().map(|instance| &*instance.pod).collect();
        assert_eq!(chosen.join(" "), expected, "{text}");
    }

    #[test]
    fn what_runs_longest_is_likeliest() {
        check(
            "a over c 0 900, a runs c 500 -, kube-system dns c 0 -, a long c 100 -, a new c 990 -, \
             b bygone-0 bygone 0 -, a none c - -",
            false,
            "long runs dns over",
        );
        check(
            "a short c 0 1, b bygone-0 bygone 0 1",
            true,
            "short bygone-0",
        );
        let many: Vec<String> = (0..9).map(|number| format!("a p{number} c 0 -")).collect();
        check(&many.join(", "), false, "p0 p1 p2 p3 p4");
    }
}
