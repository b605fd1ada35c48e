//! `bygone reconcile`: in peace, twice at once, killed.
//!
//! Readers go by the server's clock, so rows are made old rather than the clock moved: what is filed then is what
//! readers know may have been.

use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};

use super::world::World;
use crate::lives::{HOUR, SECOND};
use crate::oracle::compare::Outcome;
use crate::support::{self, Random, on_shared};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reconciling {
    InPeace,
    TwoAtOnce,
    /// So many times, before one goes through.
    Killed(u64),
    /// What is due is filed while the next facts arrive.
    WhileFactsArrive,
}

/// A run that takes longer has failed.
const RUN_MAX: Duration = Duration::from_secs(300);

impl Reconciling {
    pub fn random(random: &mut Random) -> Reconciling {
        match random.below(4) {
            0 => Reconciling::InPeace,
            1 => Reconciling::TwoAtOnce,
            2 => Reconciling::Killed(1 + random.below(3)),
            _ => Reconciling::WhileFactsArrive,
        }
    }
}

impl World {
    /// Files what is over and deletes what was filed, while questions are asked. Nothing else may be under way.
    pub fn reconcile(&mut self, reconciling: Reconciling, random: &mut Random) -> Outcome {
        self.grow_old();
        let mut outcome = Outcome::default();
        // How many questions are asked depends on the machine; all else follows from the seed.
        let mut asking = Random(random.next());
        let (killed, at_once) = match reconciling {
            Reconciling::InPeace => (0, 1),
            Reconciling::TwoAtOnce => (0, 2),
            Reconciling::Killed(times) => (times, 1),
            Reconciling::WhileFactsArrive => return outcome,
        };
        for _ in 0..killed {
            let mut process = self.start(Timestamp::now());
            let begun = Instant::now();
            let life = Duration::from_millis(random.below(300));
            while begun.elapsed() < life {
                outcome.add(self.ask_one(&mut asking).when("while one is killed"));
            }
            // It may have ended already.
            _ = process.kill();
            process.wait().expect("it ends");
        }
        // What the first files a later one deletes. No question is as long under way as the clock says.
        for (minutes, at_once) in [(0, at_once), (2, at_once)] {
            let clock = Timestamp::now() + SignedDuration::from_mins(minutes);
            let mut processes: Vec<Child> = (0..at_once).map(|_| self.start(clock)).collect();
            let begun = Instant::now();
            while processes.iter_mut().any(is_running) {
                assert!(begun.elapsed() < RUN_MAX, "reconcile does not end");
                outcome.add(self.ask_one(&mut asking).when("while lives are filed"));
            }
            for process in processes {
                done(process);
            }
        }
        outcome
    }

    /// Folds once more what several processes wrote about. By the real clock all slots are closed.
    pub fn fold_what_raced(&mut self) {
        let outcome = done(self.start(Timestamp::now()));
        self.corrected += corrected(&outcome);
    }

    /// Starts one by the clock of this world, by which only rows that were made old are due, and the slot that is
    /// written to is open.
    pub fn start_meanwhile(&self) -> Child {
        self.start(Timestamp::from_microsecond(self.now).expect("a time"))
    }

    fn start(&self, clock: Timestamp) -> Child {
        let clock = clock.to_string();
        let mut command = on_shared(&self.servers.database, &["reconcile", "--clock", &clock]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().expect("bygone starts")
    }

    /// Makes every recent row one that may be filed, by the clock of this world too.
    fn grow_old(&self) {
        let old = (self.now - HOUR) / SECOND;
        for table in ["recent_pods", "recent_containers"] {
            let update = format!(
                "ALTER TABLE {table} UPDATE read_at = toDateTime({old}, 'UTC') WHERE 1 SETTINGS mutations_sync = 2"
            );
            support::sql(&self.servers.database, &update);
        }
    }
}

fn is_running(process: &mut Child) -> bool {
    process.try_wait().expect("a child").is_none()
}

/// Returns what it said. 1 says that there was nothing to do.
pub fn done(process: Child) -> String {
    let output = process.wait_with_output().expect("it ended");
    let fine = matches!(output.status.code(), Some(0 | 1));
    assert!(fine, "{}", support::stderr(&output));
    support::stdout(&output)
}

/// The number behind "corrected".
fn corrected(outcome: &str) -> u64 {
    let mut words = outcome
        .split([' ', ','])
        .skip_while(|it| *it != "corrected");
    words.nth(1).and_then(|it| it.parse().ok()).unwrap_or(0)
}
