//! Back-off: how long to wait before what failed is tried again.
//!
//! In: that it is tried again. Out: waits that double, from 100 ms to 10 s, each by up to a half longer at random:
//! several replicas do not come back at the same instant.
//!
//! Nothing can go wrong. Never here: how often it is tried, and whether at all.

use std::time::Duration;

const FIRST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub struct Backoff {
    /// Without what is added at random.
    base: Duration,
    next: Duration,
}

impl Default for Backoff {
    fn default() -> Backoff {
        Backoff::of(FIRST)
    }
}

impl Backoff {
    /// For what does not get better soon.
    pub fn at_its_longest() -> Backoff {
        Backoff::of(LONGEST)
    }

    fn of(base: Duration) -> Backoff {
        let next = base + base.mul_f64(random() / 2.0);
        Backoff { base, next }
    }

    /// How long the next wait is.
    pub fn next(&self) -> Duration {
        self.next
    }

    pub async fn wait(&mut self) {
        tokio::time::sleep(self.next).await;
        *self = Backoff::of((self.base * 2).min(LONGEST));
    }
}

/// From 0 to 1. A UUID's bits are random.
fn random() -> f64 {
    f64::from(uuid::Uuid::new_v4().as_u128() as u32) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn waits_double_up_to_the_longest() {
        let mut backoff = Backoff::default();
        for base in [100, 200, 400, 800, 1_600, 3_200, 6_400, 10_000, 10_000] {
            let (next, begun) = (backoff.next(), tokio::time::Instant::now());
            let base = Duration::from_millis(base);
            assert!((base..=base + base / 2).contains(&next), "{next:?}");
            backoff.wait().await;
            // The timer counts in milliseconds.
            assert!(begun.elapsed().abs_diff(next) <= Duration::from_millis(1));
        }
    }
}
