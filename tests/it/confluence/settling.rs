//! `bygone settle`: in peace, twice at once, killed.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::world::World;
use crate::lives::SECOND;
use crate::oracle::compare::Outcome;
use crate::support::{self, Random, on_shared};

#[derive(Clone, Copy, Debug)]
pub enum Settling {
    InPeace,
    TwoAtOnce,
    /// So many times, before one goes through.
    Killed(u64),
    /// Two at once are killed, before one goes through.
    BothKilled,
}

/// Readers rely on a settling so long after it ended: longer than a question takes to begin, on a busy machine as well.
const LAG_SECONDS: u64 = 6;

/// A settling that takes longer has failed.
const SETTLING_MAX: Duration = Duration::from_secs(600);

impl Settling {
    pub fn random(random: &mut Random) -> Settling {
        match random.below(4) {
            0 => Settling::InPeace,
            1 => Settling::TwoAtOnce,
            2 => Settling::Killed(1 + random.below(3)),
            _ => Settling::BothKilled,
        }
    }
}

impl World {
    /// Settles what has been heard, and asks questions meanwhile.
    pub fn settle(&mut self, settling: Settling, random: &mut Random) -> Outcome {
        let until = self.until();
        self.oracle.settling(until);
        let mut outcome = Outcome::default();
        let (killed, at_once) = match settling {
            Settling::InPeace => (0, 1),
            Settling::TwoAtOnce => (0, 2),
            Settling::Killed(times) => (times, 1),
            Settling::BothKilled => (1, 2),
        };
        for _ in 0..killed {
            let mut processes: Vec<Child> = (0..at_once).map(|_| self.start()).collect();
            for process in &mut processes {
                let moment = Duration::from_millis(random.below(self.settling_ms.max(50)));
                std::thread::park_timeout(moment);
                // It may have ended already.
                _ = process.kill();
                process.wait().expect("it ends");
            }
            outcome.add(self.ask_one(random).when("after a killed one"));
        }
        let at_once = if killed > 0 { 1 } else { at_once };
        let begun = Instant::now();
        let mut processes: Vec<Child> = (0..at_once).map(|_| self.start()).collect();
        while processes
            .iter_mut()
            .any(|process| process.try_wait().expect("a child").is_none())
        {
            assert!(begun.elapsed() < SETTLING_MAX, "a settling does not end");
            outcome.add(self.ask_one(random).when("meanwhile"));
        }
        self.settling_ms = begun.elapsed().as_millis() as u64;
        processes.into_iter().for_each(done);
        self.wait_until_relied_on();
        // There is nothing to settle, but what nobody reads any more can be cleared away.
        done(self.start());
        if random.below(3) == 0 {
            for table in ["facts", "pod_history", "container_history"] {
                support::sql(&self.database, &format!("OPTIMIZE TABLE {table} FINAL"));
            }
        }
        self.oracle.settled(self.until());
        outcome
    }

    fn start(&self) -> Child {
        let until = jiff::Timestamp::from_microsecond(self.until()).expect("a time");
        let mut command: Command =
            on_shared(&self.database, &["settle", "--until", &until.to_string()]);
        let settings = [
            ("RETENTION_DAYS", 0),
            // What was said of names waits until all has arrived.
            ("NAMES_SECONDS", 400 * 86_400),
            ("PIECE_ROWS_MAX", self.piece_rows_max),
            ("CHANGEOVER_SECONDS", LAG_SECONDS),
        ];
        let settings = settings.map(|(name, value)| {
            let name = format!("BYGONE_SETTLE_{name}");
            (name, value.to_string())
        });
        command.envs(settings);
        command.stdout(Stdio::null()).stderr(Stdio::piped());
        command.spawn().expect("bygone starts")
    }

    fn wait_until_relied_on(&self) {
        support::wait_for("the checkpoint", || {
            let newest = "SELECT toUnixTimestamp(slot) FROM checkpoint";
            let newest = support::sql(&self.database, newest);
            let newest: i64 = newest.trim().parse().expect("a time");
            (newest * SECOND >= self.until()).then_some(())
        });
    }
}

/// 1 says that there was nothing to settle, since another one was faster.
fn done(process: Child) {
    let output = process.wait_with_output().expect("it ended");
    let fine = matches!(output.status.code(), Some(0 | 1));
    assert!(fine, "{}", support::stderr(&output));
}
