//! The scenarios, and in which of them each rule is needed.

use super::facts::{self, Fact};
use super::filed;
use super::scenario::{Before, Jump, Load, Scenario};
use super::store::{ALL, Replicas};

/// A pod and its container, and a successor of its name. It was created by the first fact, and is over with the last.
pub fn life() -> Vec<Fact> {
    vec![
        facts::created(1, 0),
        facts::started(1, 5, 1),
        facts::running(1, 6),
        facts::exited(1, 20, 1),
        facts::removed(1, 30),
        // A successor, which has the same name.
        facts::created(2, 40),
    ]
}

pub fn stored(load: Load, then: u32) -> Before {
    Before {
        load,
        replica: ALL,
        then,
        ..Before::default()
    }
}

pub fn filed(load: Load, then: u32) -> Before {
    Before {
        filed: true,
        ..stored(load, then)
    }
}

pub fn sinks<const N: usize>(sinks: [&[Load]; N]) -> Vec<(Replicas, Vec<Load>)> {
    sinks.iter().map(|loads| (ALL, loads.to_vec())).collect()
}

/// Two processes store what they know of a pod, and of its successor.
pub fn two_sinks() -> Scenario {
    Scenario {
        name: "two sinks",
        facts: life(),
        before: vec![stored(&[0], 10)],
        sinks: sinks([&[&[1], &[4]], &[&[2, 5]]]),
        jumps: &[Jump::By(50), Jump::By(130)],
        jumps_max: 1,
        at_once: true,
        ..Scenario::default()
    }
}

/// One of them stores what a request says of the name.
pub fn said() -> Scenario {
    Scenario {
        name: "what is said of a name",
        facts: vec![
            facts::created(1, 0),
            facts::started(1, 5, 1),
            facts::exited(1, 20, 1),
            facts::not_found(40),
        ],
        before: vec![stored(&[0, 1], 50)],
        sinks: sinks([&[&[3]], &[&[2]]]),
        jumps: &[Jump::By(130)],
        jumps_max: 1,
        at_once: true,
        ..Scenario::default()
    }
}

/// A process is killed, and comes back with what it did not confirm.
pub fn killed() -> Scenario {
    Scenario {
        name: "killed",
        facts: life(),
        sinks: sinks([&[&[0, 1], &[3, 4]]]),
        crashes_max: 2,
        ..Scenario::default()
    }
}

/// A process is killed, and its spool is lost.
pub fn lost() -> Scenario {
    Scenario {
        name: "killed for good",
        facts: life(),
        sinks: sinks([&[&[0, 1], &[3, 4]]]),
        ahead: 1,
        reconciles: vec![(ALL, 1)],
        jumps: &[Jump::Due],
        jumps_max: 1,
        crashes_max: 1,
        for_good: true,
        ..Scenario::default()
    }
}

/// The same, and the server's clock is set back: facts come to a slot that was checked.
pub fn set_back() -> Scenario {
    Scenario {
        name: "the clock is set back",
        facts: life(),
        before: vec![stored(&[0], 10)],
        sinks: sinks([&[&[1]]]),
        reconciles: vec![(ALL, 2)],
        jumps: &[Jump::Due, Jump::Back(250)],
        jumps_max: 3,
        crashes_max: 1,
        for_good: true,
        ..Scenario::default()
    }
}

/// A request does not find a pod, as one process says, and it is seen again, as the other does: the row of its container
/// is the same after as before, and another in between.
fn back_and_forth() -> Vec<Fact> {
    vec![
        facts::created(1, 0),
        facts::started(1, 5, 1),
        facts::not_found(20),
        facts::running(1, 30),
    ]
}

pub fn race() -> Scenario {
    Scenario {
        name: "a race",
        facts: back_and_forth(),
        before: vec![stored(&[0, 1], 10)],
        sinks: sinks([&[&[2]], &[&[3]]]),
        ..Scenario::default()
    }
}

/// The same while reconcile folds what a process left that died.
pub fn three() -> Scenario {
    let died = Before {
        died: true,
        ..stored(&[2], 790)
    };
    Scenario {
        name: "two sinks and reconcile",
        facts: back_and_forth(),
        before: vec![stored(&[0, 1], 0), died],
        sinks: sinks([&[&[2]], &[&[3]]]),
        reconciles: vec![(ALL, 1)],
        ..Scenario::default()
    }
}

/// A node is deleted, as one process says, and a pod on it lives on, as the other does.
pub fn lost_node() -> Scenario {
    Scenario {
        name: "a node is deleted",
        facts: vec![
            facts::created(1, 0),
            facts::started(1, 5, 1),
            facts::node_gone(20),
            facts::running(1, 100),
        ],
        before: vec![stored(&[0, 1], 110)],
        sinks: sinks([&[&[2]], &[&[3]]]),
        reconciles: vec![(ALL, 1)],
        jumps: &[Jump::Due],
        ..Scenario::default()
    }
}

/// A load is so slow that its slot is checked meanwhile.
pub fn slow() -> Scenario {
    Scenario {
        name: "a slow load",
        facts: back_and_forth(),
        before: vec![filed(&[0, 1], 10)],
        sinks: sinks([&[&[2], &[3]]]),
        ahead: 1,
        reconciles: vec![(ALL, 1)],
        jumps: &[Jump::Due],
        jumps_max: 1,
        ..Scenario::default()
    }
}

/// A process stalls for hours, while another is gone for good.
pub fn stalled() -> Scenario {
    Scenario {
        name: "a stalled process",
        facts: life(),
        before: vec![
            stored(&[0], 10),
            Before {
                died: true,
                ..stored(&[1], 0)
            },
        ],
        sinks: sinks([&[&[2], &[3]]]),
        ahead: 1,
        reconciles: vec![(ALL, 2)],
        jumps: &[Jump::Due],
        jumps_max: 2,
        merged: true,
        ..Scenario::default()
    }
}

/// All of them, with `more` jumps of the clock and crashes than they have by themselves.
pub fn all(more: u8) -> Vec<Scenario> {
    let mut all = vec![
        two_sinks(),
        said(),
        killed(),
        lost(),
        set_back(),
        race(),
        three(),
        lost_node(),
        slow(),
        stalled(),
        filed::stale(),
        filed::filing(),
        filed::marked(),
        filed::corrected(),
        filed::healed(),
        filed::lagging(),
    ];
    for scenario in &mut all {
        scenario.jumps_max += more;
        scenario.crashes_max += if scenario.crashes_max > 0 { more } else { 0 };
    }
    all
}
