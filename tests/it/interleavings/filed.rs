//! The scenarios about lives that are filed, and about replicas.

use super::facts;
use super::scenario::{Before, Jump, Load, Scenario};
use super::scenarios::{filed, life, sinks, stored};
use super::store::{ALL, Replicas};

/// A process stalls while a newer row is written, filed, and deleted.
pub fn stale() -> Scenario {
    Scenario {
        name: "a stale row",
        facts: life(),
        before: vec![filed(&[0, 1, 4], 10)],
        sinks: sinks([&[&[3], &[2]]]),
        ahead: 1,
        reconciles: vec![(ALL, 3)],
        jumps: &[Jump::Due],
        jumps_max: 3,
        merged: true,
        ..Scenario::default()
    }
}

/// A life is filed, and a late fact comes.
pub fn filing() -> Scenario {
    Scenario {
        name: "a life is filed",
        facts: life(),
        before: vec![stored(&[0, 1], 0), stored(&[4], 800)],
        sinks: sinks([&[&[3]]]),
        reconciles: vec![(ALL, 2)],
        readers: vec![ALL],
        jumps: &[Jump::By(50), Jump::Due],
        jumps_max: 2,
        ..Scenario::default()
    }
}

/// A life is filed, and what is written meanwhile was read as long ago as it may be.
pub fn marked() -> Scenario {
    Scenario {
        name: "a row is replaced that is filed",
        facts: life(),
        before: vec![stored(&[0, 1, 4], 540)],
        sinks: sinks([&[&[3]]]),
        reconciles: vec![(ALL, 1)],
        jumps: &[Jump::By(60), Jump::By(120), Jump::Due],
        jumps_max: 3,
        merged: true,
        ..Scenario::default()
    }
}

/// A life was filed, and two processes have late facts about it.
pub fn corrected() -> Scenario {
    Scenario {
        name: "a filed life is corrected",
        facts: {
            let mut facts = life();
            facts.push(facts::started(1, -200, 2));
            facts
        },
        before: vec![filed(&[0, 1, 4], 600)],
        sinks: sinks([&[&[3]], &[&[6]]]),
        readers: vec![ALL],
        ..Scenario::default()
    }
}

/// Two versions of a row know what the other does not, and no log does.
pub fn healed() -> Scenario {
    let half = |load: Load, replica: Replicas| Before {
        load,
        replica,
        ..Before::default()
    };
    Scenario {
        name: "a cluster that was in two parts",
        facts: life(),
        before: vec![
            half(&[0, 1], 1),
            Before {
                log_lost: true,
                ..half(&[0, 3], 2)
            },
        ],
        sinks: sinks([&[&[4]]]),
        replicated: true,
        ..Scenario::default()
    }
}

/// Of two replicas one has what the other does not have for an hour, and its process is gone.
pub fn lagging() -> Scenario {
    Scenario {
        name: "a lagging replica",
        facts: life(),
        before: vec![
            stored(&[0], 0),
            Before {
                died: true,
                replica: 2,
                ..stored(&[1], 4_300)
            },
        ],
        sinks: vec![(2, vec![&[4]])],
        reconciles: vec![(1, 1)],
        replicated: true,
        ..Scenario::default()
    }
}
