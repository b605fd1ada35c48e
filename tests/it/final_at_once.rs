//! A recording posted days after it was made: its answers equal the truth within seconds of the last acknowledgement, and
//! nothing changes after.
//!
//!     cargo test --release --test it final_at_once:: -- --nocapture

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::{self, Bygone};
use crate::truth::{self, Order, RECORDING_A_REMOVALS_MISSED};

/// Late facts are gathered for five seconds, and folded. A debug build takes its time for that, beside other tests.
const FINAL_WITHIN: Duration = Duration::from_secs(if cfg!(debug_assertions) { 30 } else { 6 });

/// For so long the answers are asked for again and again.
const WATCHED: Duration = Duration::from_secs(10);

#[test]
fn recording_a() {
    let _alone = support::alone();
    hold(&support::recording_a(), RECORDING_A_REMOVALS_MISSED);
}

#[test]
fn recording_load() {
    let _alone = support::alone();
    if let Some(folder) = support::corpus("recording-load") {
        hold(&folder, 0);
    }
}

fn hold(folder: &Path, removals_missed_max: usize) {
    let bygone = Bygone::start();
    bygone.acknowledges(truth::bodies(folder, Order::AsSent));
    is_final_soon(&bygone);
    truth::answers_equal(folder, &bygone, "posted days late", removals_missed_max);
    changes_no_more(&bygone, WATCHED);
}

/// What was acknowledged is in the lives within [`FINAL_WITHIN`] from now: whatever is asked afterwards gets the final
/// answer.
pub fn is_final_soon(bygone: &Bygone) {
    let acknowledged = Instant::now();
    bygone.drained();
    let took = acknowledged.elapsed();
    println!(
        "final {:.1} s after the last acknowledgement",
        took.as_secs_f64()
    );
    assert!(took <= FINAL_WITHIN, "{took:?}");
}

/// Asks again and again.
pub fn changes_no_more(bygone: &Bygone, watched: Duration) {
    let (first, end) = (answers(bygone), Instant::now() + watched);
    while Instant::now() < end {
        assert!(answers(bygone) == first, "an answer has changed");
        std::thread::park_timeout(Duration::from_millis(200));
    }
}

/// Everything.
pub fn answers(bygone: &Bygone) -> Vec<Value> {
    let both = ["pods", "containers"].map(|what| bygone.rows(&[what, "-A"]));
    both.concat()
}
