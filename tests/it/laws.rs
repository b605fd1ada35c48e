//! The laws of the fold, over made-up histories, against the oracle, in process.
//!
//! The rows of a name are the oracle's, whatever the order of its facts, however often each arrives, late or
//! not, and in however many steps, of which each sees what the ones before have stored and no older fact.
//! Versions of a row only go up, and a row that did not change is not written.
//!
//!     BYGONE_HISTORIES=1000000 cargo test --release --test it laws:: -- --nocapture
//!
//! `BYGONE_SEED` chooses other histories. A counterexample is made small before it is shown.

/// Rows of lives as answers.
mod answers;
/// The laws, for one world.
mod check;
/// The stored rows of one name.
mod store;
/// A history on its way to the tables.
mod world;

use std::time::Instant;

use crate::lives::fact::{About, Fact};
use crate::oracle::state::describe;
use crate::support::setting;
use check::{Counts, check};
use world::World;

const HISTORIES: u64 = 3_000;

#[test]
fn the_laws_of_the_fold_hold() {
    let first = setting("BYGONE_SEED", 1).wrapping_mul(1 << 40);
    let histories = setting("BYGONE_HISTORIES", HISTORIES);
    let begun = Instant::now();
    let mut counts = Counts::default();
    for number in 0..histories {
        let world = World::random(first + number);
        if let Err(what) = check(&world, &mut counts) {
            panic!("{}", counterexample(&world, &what));
        }
    }
    println!("{counts:?} in {:.1?}", begun.elapsed());
    assert!(counts.pruned > 0, "no instance was let go of");
}

/// A smaller world that breaks a law, and which.
fn counterexample(world: &World, what: &str) -> String {
    let (mut smallest, mut why) = (world.clone(), what.to_owned());
    let mut still_breaks = |world: &World, smallest: &mut World| {
        let broken = check(world, &mut Counts::default());
        let breaks = broken.is_err();
        if let Err(what) = broken {
            (*smallest, why) = (world.clone(), what);
        }
        breaks
    };
    let mut length = smallest.arrivals.len() / 2;
    while length > 0 {
        let mut place = 0;
        while place < smallest.arrivals.len() {
            let mut smaller = smallest.clone();
            let end = (place + length).min(smaller.arrivals.len());
            smaller.arrivals.drain(place..end);
            if !still_breaks(&smaller, &mut smallest) {
                place += length;
            }
        }
        length /= 2;
    }
    // No event speaks of an instance and not of its pod.
    let is_pod = |fact: &Fact| matches!(fact.about, About::Pod(_));
    for place in 0..smallest.arrivals.len() {
        for fact in (0..smallest.arrivals[place].facts.len()).rev() {
            if is_pod(&smallest.arrivals[place].facts[fact]) {
                continue;
            }
            let mut smaller = smallest.clone();
            smaller.arrivals[place].facts.remove(fact);
            still_breaks(&smaller, &mut smallest);
        }
    }
    let lines = smallest.arrivals.iter().flat_map(|arrival| {
        let (step, late) = (arrival.step, arrival.late);
        let facts = arrival.facts.iter();
        facts.map(move |fact| format!("step {step} {}\n", describe(fact, late)))
    });
    let lines: String = lines.collect();
    format!("history {}: {why}\n{lines}", world.seed)
}
