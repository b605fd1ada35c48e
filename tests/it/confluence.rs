//! Histories that arrive in any order, twice, late, in other batches, and are settled at random
//! moments by processes that are killed: the documented views answer as the oracle does.
//!
//! Many small histories share one database, each in a namespace of its own; the clusters get the
//! same histories in different ways. More of them:
//!
//!     BYGONE_HISTORIES=10000 cargo test --release --test it confluence:: -- --nocapture
//!
//! `BYGONE_SEED` chooses other ones, `BYGONE_ROUNDS` how many settlings there are.

/// Questions, asked of the views and of the oracle.
mod questions;
/// `bygone settle`: in peace, twice at once, killed.
mod settling;
/// A database that histories arrive in.
mod world;

use crate::oracle::compare::Outcome;
use crate::support::{self, Random, setting};
use settling::Settling;
use world::World;

/// How many histories, and how often they are settled while they arrive.
const HISTORIES: u64 = 150;
const ROUNDS: u64 = 4;

/// After the last arrival: what came into a slot that was read needs two settlings, what names a pod one
/// more, and with one more nothing was heard for long.
const ROUNDS_IN_PEACE: u64 = 4;

#[test]
fn every_order_ends_in_the_same_answers() {
    let _alone = support::alone();
    let seed = setting("BYGONE_SEED", 1);
    let histories = setting("BYGONE_HISTORIES", HISTORIES);
    let rounds = setting("BYGONE_ROUNDS", ROUNDS);
    let mut random = Random(seed);
    let mut world = World::new(histories, rounds, &mut random);
    let mut all = Outcome::default();
    for round in 0..rounds + ROUNDS_IN_PEACE {
        world.arrive(round, &mut random);
        let mut outcome = world.ask(&mut random);
        let settling = Settling::random(&mut random);
        outcome.add(world.settle(settling, &mut random));
        outcome.add(world.ask(&mut random));
        println!(
            "round {round}: {} facts heard, {settling:?}, {} rows certain, {} not, {} wrong",
            world.heard(),
            outcome.certain,
            outcome.uncertain,
            outcome.wrong.len()
        );
        world.explain(&outcome);
        all.add(outcome);
    }
    println!(
        "{histories} histories, each in {} ways: {} rows compared, {} more by the weaker rule, {} wrong",
        world.ways(),
        all.certain,
        all.uncertain,
        all.wrong.len()
    );
    assert!(all.wrong.is_empty(), "{} wrong", all.wrong.len());
    assert_eq!(world.uncertain(), 0, "everything was joined");
    world.ways_agree();
}
