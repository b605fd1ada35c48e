//! When and how often events arrive, by the clock of ClickHouse's server.

use super::object::Event;
use super::{DAY, HOUR, MINUTE, SECOND};
use crate::support::Random;

/// How the way to the table behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Temper {
    /// Everything within seconds, once.
    Prompt,
    /// Some twice, some late by minutes, few by up to a day.
    Usual,
    /// One of two replicas has a spool that is two hours behind.
    OneBehind,
    /// Half of it comes up to a day late.
    HalfLate,
    /// Everything comes at the end.
    Replay,
}

pub const TEMPERS: [Temper; 5] = [
    Temper::Prompt,
    Temper::Usual,
    Temper::OneBehind,
    Temper::HalfLate,
    Temper::Replay,
];

/// One arrival of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Place of the event in its history.
    pub event: usize,
    /// When it is stored, which decides on whether it is late.
    pub stored_at: i64,
}

/// From when until when rows arrive.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    pub begin: i64,
    pub end: i64,
}

/// All arrivals, in their order. Every event arrives at least once.
pub fn deliveries(
    events: &[Event],
    temper: Temper,
    window: Window,
    random: &mut Random,
) -> Vec<Delivery> {
    let mut deliveries = Vec::new();
    let most = window.end - 1;
    for (place, event) in events.iter().enumerate() {
        let arrival = |delay: i64| Delivery {
            event: place,
            stored_at: (event.at + delay).clamp(window.begin, most),
        };
        let first = delay(temper, window, event, random);
        deliveries.push(arrival(first));
        if temper != Temper::Prompt && random.below(10) == 0 {
            let again = usual_delay(random) + random.below(6 * HOUR as u64) as i64;
            deliveries.push(arrival(again));
        }
    }
    deliveries.sort_by_key(|delivery| delivery.stored_at);
    deliveries
}

fn delay(temper: Temper, window: Window, event: &Event, random: &mut Random) -> i64 {
    match temper {
        Temper::Prompt => random.below(5 * SECOND as u64) as i64,
        Temper::Usual => usual_delay(random),
        Temper::OneBehind if random.below(2) == 0 => 2 * HOUR + usual_delay(random),
        Temper::HalfLate if random.below(2) == 0 => random.below(DAY as u64) as i64,
        Temper::OneBehind | Temper::HalfLate => usual_delay(random),
        Temper::Replay => window.end - event.at - random.below(2 * HOUR as u64) as i64,
    }
}

fn usual_delay(random: &mut Random) -> i64 {
    let most = match random.below(100) {
        0..93 => 15 * SECOND,
        93..98 => 10 * MINUTE,
        _ => DAY,
    };
    random.below(most as u64) as i64
}
