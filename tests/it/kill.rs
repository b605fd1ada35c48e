//! What was answered 200 is there, once, whenever bygone and its ClickHouse are killed.
//!
//! Senders post numbered batches and keep a ledger, while bygone, its engine, or both are killed
//! (SIGKILL) at random instants, also while they start. The small run is part of every test run. The
//! full one, 1,000 kills in about half an hour:
//!
//!     BYGONE_KILLS=1000 cargo test --release --test it kill:: -- --nocapture
//!
//! `BYGONE_SEED` gives other instants.

use std::time::{Duration, Instant};

use crate::guard;
use crate::load::{Load, Plan};
use crate::support::{Bygone, Random, alone, kill_at_once, setting, wait_for};

/// The longest life between two kills. A start with the engine takes most of a second, so some
/// kills come before it serves and most while it works.
const LIFE_MAX: Duration = Duration::from_millis(2_000);

/// What is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Victim {
    Bygone,
    Engine,
    /// The engine first, so that it cannot end in good order when bygone is gone.
    Both,
}

#[derive(Debug, Default)]
struct Kills {
    bygone: u64,
    engine: u64,
    both: u64,
    /// Of these, how many came before bygone served.
    while_starting: u64,
    /// Starts that failed by themselves and were repeated, as a service manager does.
    starts_failed: u64,
}

#[test]
fn acknowledged_is_there_once_after_every_kill() {
    let _alone = alone();
    let (kills_max, seed) = (setting("BYGONE_KILLS", 30), setting("BYGONE_SEED", 1));
    let begun = Instant::now();
    let mut bygone = Bygone::start_embedded(&guard::arguments());
    let mut load = Load::start(
        &bygone,
        Plan {
            senders: 4,
            seed,
            give_up_one_in: 8,
            pause: Duration::from_millis(20),
        },
    );
    let mut random = Random(seed);
    let mut kills = Kills::default();
    for _ in 0..kills_max {
        let life = Duration::from_millis(random.below(LIFE_MAX.as_millis() as u64));
        live(&mut bygone, life, &mut kills);
        let victim = match random.below(10) {
            0..4 => Victim::Bygone,
            4..7 => Victim::Engine,
            _ => Victim::Both,
        };
        kill(&mut bygone, victim, &mut kills);
    }
    wait_for("bygone to serve again", || {
        keep_up(&mut bygone, &mut kills);
        bygone.serves().then_some(())
    });
    load.finish();
    load.check(&bygone);
    let tally = load.tally();
    println!(
        "{kills:?} in {} s; {} posted, {} acknowledged, {:?}; {} restarts of the engine by bygone",
        begun.elapsed().as_secs(),
        tally.posted,
        tally.acknowledged,
        tally.answers,
        bygone.log().matches("the engine answers again").count(),
    );
    assert!(
        tally.acknowledged >= kills_max,
        "too little was acknowledged to prove anything: {tally:?}"
    );
    assert!(bygone.stop().success(), "{}", bygone.log());
    bygone.spawn_again();
    wait_for("bygone to serve", || bygone.serves().then_some(()));
    load.check(&bygone);
}

/// Lets it run so long.
fn live(bygone: &mut Bygone, life: Duration, kills: &mut Kills) {
    let end = Instant::now() + life;
    wait_for("the end of this life", || {
        keep_up(bygone, kills);
        (Instant::now() >= end).then_some(())
    });
}

/// Starts it again if it ended by itself.
fn keep_up(bygone: &mut Bygone, kills: &mut Kills) {
    if let Some(status) = bygone.ended() {
        let log = bygone.log();
        let last = log.lines().last().unwrap_or_default();
        eprintln!("bygone ended by itself with {status}: {last}");
        kills.starts_failed += 1;
        bygone.spawn_again();
    }
}

fn kill(bygone: &mut Bygone, victim: Victim, kills: &mut Kills) {
    kills.while_starting += u64::from(!bygone.serves());
    if victim != Victim::Bygone
        && let Some(engine) = bygone.engine_pid()
    {
        kill_at_once(engine);
    }
    match victim {
        Victim::Engine => {
            kills.engine += 1;
            return;
        }
        Victim::Bygone => kills.bygone += 1,
        Victim::Both => kills.both += 1,
    }
    bygone.kill();
    bygone.spawn_again();
}
