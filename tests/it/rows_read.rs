//! How many rows the documented questions read over 300 days of history, and whether more where there is
//! more of it.
//!
//!     BYGONE_LIVES=5000000 cargo test --release --test it rows_read:: -- --nocapture
//!
//! measures over so many container instances, 100,000 at least, and over a tenth of them. The lives are
//! made by SQL from the hash of a number, arrive as facts, a month at a time, and are settled by
//! `bygone settle`. "History" is what is read of the history tables; "facts" is what the same question
//! reads where history is empty: open lives, and facts since the checkpoint.
//!
//! The default is small and is one size. A look-up that lost its projection fails there as well: it would
//! read a month or all of history, and may read four granules. Of the goals for a window only those of
//! container instances in the busiest namespace are less than the namespace has in all (some 5,000).
//! The others show there that no other namespace is read, not that no other time is.

/// Pods and container instances, made from numbers.
mod made;
/// Questions, and what was read.
mod measure;

use crate::support::{self, setting};
use made::Made;

/// Container instances, where nobody says how many.
const LIVES: u64 = 30_000;

#[test]
fn of_a_long_history() {
    let _alone = support::alone();
    let lives = setting("BYGONE_LIVES", LIVES);
    if lives == LIVES {
        measured(lives, 5);
        return;
    }
    let tenth = measured(lives / 10, 20);
    measure::is_flat(&tenth, &measured(lives, 20));
}

/// Prints the tables of so many lives, and holds them against the goals. Look-ups are made of so many of them.
fn measured(lives: u64, probes: usize) -> measure::Medians {
    let made = Made::new(lives);
    measure::sizes(&made);
    measure::overlaps(&made);
    measure::look_ups(&made, probes)
}
