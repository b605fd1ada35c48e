//! The API server's time, by ours: its answers have a date, to the second.

use jiff::Timestamp;

const SECOND: i64 = 1_000_000;

/// How far the API server's clock is ahead of ours, as far as its dates prove that. Microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Clock {
    ahead: i64,
}

impl Clock {
    /// Takes the date of an answer that was asked for at `sent` and came at `came`, by our clock.
    pub fn see(&mut self, sent: i64, came: i64, date: Option<Timestamp>) {
        let Some(date) = date.map(Timestamp::as_microsecond) else {
            return;
        };
        // It was written in that second.
        self.ahead = match () {
            () if date > came => date - came,
            () if date + SECOND < sent => date + SECOND - sent,
            () => 0,
        };
    }

    /// How far, in microseconds.
    pub fn ahead(self) -> i64 {
        self.ahead
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_date_proves_counts() {
        for (sent, came, date, ahead) in [
            (10_900_000, 11_100_000, 10, 0),
            (10_900_000, 11_100_000, 11, 0),
            (10_900_000, 11_100_000, 12, 900_000),
            (10_900_000, 11_100_000, 9, -900_000),
            (10_900_000, 11_100_000, 3_600, 3_588_900_000),
        ] {
            let mut clock = Clock { ahead: 7 };
            clock.see(sent, came, None);
            assert_eq!(clock.ahead(), 7);
            clock.see(sent, came, Some(Timestamp::from_second(date).unwrap()));
            assert_eq!(clock.ahead(), ahead, "{date}");
        }
    }
}
