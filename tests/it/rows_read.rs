//! How many rows the documented questions read over 300 days of history, and a tenth of it.
//!
//!     BYGONE_LIVES=5000000 cargo test --release --test it rows_read:: -- --nocapture
//!
//! The lives are made by SQL from the hash of a number, arrive as facts, a month at a time, and are
//! settled by `bygone settle`. "History" is what is read of the history tables; "facts" is what the
//! same question reads where history is empty: open lives, and facts since the checkpoint.

/// Pods and container instances, made from numbers.
mod made;
/// Questions, and what was read.
mod measure;

use crate::support::{self, setting};
use made::Made;

#[test]
fn of_a_long_history() {
    let _alone = support::alone();
    let lives = setting("BYGONE_LIVES", 0);
    if lives == 0 {
        eprintln!("SKIPPED: BYGONE_LIVES says of how many container instances");
        return;
    }
    for lives in [lives / 10, lives] {
        let made = Made::new(lives);
        measure::sizes(&made);
        measure::overlaps(&made);
        measure::look_ups(&made);
    }
}
