//! Histories that arrive in any order, twice, late, in other batches, at two processes of which one is killed now and
//! then, while lives are filed: the documented views answer as the oracle does.
//!
//! Many small histories share one database, each in a namespace of its own; three clusters get the same histories in
//! different ways. More of them:
//!
//!     BYGONE_HISTORIES=1000 cargo test --release --test it confluence:: -- --nocapture
//!
//! `BYGONE_SEED` chooses other ones, `BYGONE_ROUNDS` in how many steps they arrive.

/// What arrives: histories as events, late or not, in bodies.
mod arrivals;
/// Questions, asked of the views and of the oracle.
mod questions;
/// `bygone reconcile`: in peace, twice at once, killed.
mod reconciling;
/// Two processes that serve one database.
mod servers;
/// A database that histories arrive in.
mod world;

use std::time::Instant;

use crate::oracle::compare::Outcome;
use crate::support::{self, Random, setting};
use reconciling::Reconciling;
use servers::Posting;
use world::World;

/// How many histories, and in how many steps they arrive.
const HISTORIES: u64 = 60;
const ROUNDS: u64 = 5;

#[test]
fn every_order_ends_in_the_same_answers() {
    let _alone = support::alone();
    let seed = setting("BYGONE_SEED", 1);
    let histories = setting("BYGONE_HISTORIES", HISTORIES);
    let rounds = setting("BYGONE_ROUNDS", ROUNDS).max(1);
    let begun = Instant::now();
    let mut random = Random(seed);
    let mut world = World::new(histories, rounds, &mut random);
    let mut all = Outcome::default();
    for round in 0..rounds {
        let mut arrived = world.arrive(round, &mut random);
        let mut outcome = Outcome::default();
        let mut postings = Vec::new();
        for late in [false, true] {
            let posting = Posting::random(&mut random);
            world.post(arrived.take(late), late, posting, &mut random);
            outcome.add(world.ask(&mut random).when(&format!("after {posting:?}")));
            postings.push(posting);
        }
        let reconciling = Reconciling::random(&mut random);
        outcome.add(world.reconcile(reconciling, &mut random));
        let when = format!("after {reconciling:?}");
        outcome.add(world.ask(&mut random).when(&when));
        println!(
            "round {round}: {} facts, {postings:?}, {reconciling:?}, {} rows compared, {} wrong, {:.1?}",
            world.facts,
            outcome.rows,
            outcome.wrong.len(),
            begun.elapsed()
        );
        world.explain(&outcome);
        all.add(outcome);
    }
    let last = world.last_of_each_pod();
    world.post(last, false, Posting::One, &mut random);
    let outcome = world.ask(&mut random).when("in the end");
    world.explain(&outcome);
    all.add(outcome);
    println!(
        "{histories} histories, each in {} ways: {} facts, {} kills, {} rows corrected by reconcile, {} rows compared, {} wrong",
        arrivals::CLUSTERS.len(),
        world.facts,
        world.servers.kills,
        world.corrected,
        all.rows,
        all.wrong.len()
    );
    assert!(all.wrong.is_empty(), "{} wrong", all.wrong.len());
    world.ways_agree();
}
