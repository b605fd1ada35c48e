//! Writers, reconcile and readers in every order of their steps, over a model of the store; the folds are the
//! program's own (`bygone::lives::plan`).
//!
//! Nothing that was stored is lost, no life is in an answer twice or not at all, no version goes back, and once
//! reconcile has done its work every row is what all facts say. Each rule that the program follows is taken out
//! once, and something of this must fail then.
//!
//! `BYGONE_STEPS=n` allows n more jumps of the clock and n more crashes in each scenario.

mod check;
mod due;
mod explore;
mod facts;
mod filed;
mod fold;
mod hash;
mod model;
mod reader;
mod reconcile;
mod rows;
mod rule;
mod scenario;
mod scenarios;
mod seldom;
mod sink;
mod state;
mod store;

use explore::explore;

#[test]
fn every_order_ends_in_the_truth() {
    let more = std::env::var("BYGONE_STEPS").ok();
    let more = more.map_or(0, |more| more.parse().expect("BYGONE_STEPS is a number"));
    let mut ways = 0.0;
    for scenario in scenarios::all(more) {
        let begun = std::time::Instant::now();
        let explored = explore(&scenario, None).unwrap_or_else(|what| panic!("{what}"));
        println!(
            "{}: {:.2e} interleavings, {} states, {} folds, {:.1?}",
            scenario.name,
            explored.ways,
            explored.states,
            explored.folds,
            begun.elapsed()
        );
        ways += explored.ways;
    }
    println!("{ways:.2e} interleavings, every one of them right in the end");
}

/// Without any of the rules something goes wrong.
#[test]
fn every_rule_is_needed() {
    for (rule, scenario) in rule::NEEDED {
        match explore(&scenario(), Some(*rule)) {
            Ok(_) => panic!("{rule:?} is not needed: nothing goes wrong without it"),
            Err(what) => {
                let first = what.lines().next().unwrap_or_default();
                println!(
                    "{rule:?}: {}",
                    first.split(": Row").next().unwrap_or_default()
                );
            }
        }
    }
}
