//! Spans of time as `kubectl get` writes them in AGE.
//!
//! The rule is that of `HumanDuration` in `k8s.io/apimachinery/pkg/util/duration`: two or three
//! digits that matter, and a second unit only where the first alone would be too coarse.

use jiff::SignedDuration;

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
const YEAR: i64 = 365 * DAY;

/// Spans under this many seconds are written in this unit, and the rest in the next.
const STEPS: [(i64, Unit, Option<Unit>); 9] = [
    (2 * MINUTE, (1, "s"), None),
    (10 * MINUTE, (MINUTE, "m"), Some((1, "s"))),
    (3 * HOUR, (MINUTE, "m"), None),
    (8 * HOUR, (HOUR, "h"), Some((MINUTE, "m"))),
    (2 * DAY, (HOUR, "h"), None),
    (8 * DAY, (DAY, "d"), Some((HOUR, "h"))),
    (2 * YEAR, (DAY, "d"), None),
    (8 * YEAR, (YEAR, "y"), Some((DAY, "d"))),
    (i64::MAX, (YEAR, "y"), None),
];

/// Its seconds and its letter.
type Unit = (i64, &'static str);

/// A second less than nothing may be a clock that is a little off; more can't be.
pub fn human(span: SignedDuration) -> String {
    let seconds = span.as_secs();
    if seconds < -1 {
        return "<invalid>".to_owned();
    }
    let seconds = seconds.max(0);
    let step = STEPS.iter().find(|(below, ..)| seconds < *below);
    let (_, (unit, letter), rest) = step.expect("the last step takes all but the largest number");
    let first = format!("{}{letter}", seconds / unit);
    match rest.map(|(small, letter)| (seconds % unit / small, letter)) {
        Some((count, letter)) if count > 0 => format!("{first}{count}{letter}"),
        _ => first,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    /// Each border, from both sides.
    #[test]
    fn spans() {
        let spans = [
            (-2, 0),
            (-1, 0),
            (0, 0),
            (5, 0),
            (119, 0),
            (120, 0),
            (200, 0),
            (300, 0),
            (599, 0),
            (600, 0),
            (3 * HOUR - 1, 0),
            (3 * HOUR, 0),
            (2 * HOUR, 13 * MINUTE),
            (3 * HOUR, 13 * MINUTE),
            (8 * HOUR - 1, 0),
            (8 * HOUR, 0),
            (26 * HOUR, 0),
            (2 * DAY - 1, 0),
            (2 * DAY, 0),
            (3 * DAY, 4 * HOUR),
            (8 * DAY - 1, 0),
            (8 * DAY, 0),
            (12 * DAY, 0),
            (2 * YEAR - 1, 0),
            (2 * YEAR, 0),
            (2 * YEAR, 30 * DAY),
            (8 * YEAR - 1, 0),
            (8 * YEAR, 0),
            (300 * YEAR, 0),
        ];
        let text = spans
            .map(|(a, b)| human(SignedDuration::from_secs(a + b)))
            .join(" ");
        expect!["<invalid> 0s 0s 5s 119s 2m 3m20s 5m 9m59s 10m 179m 3h 133m 3h13m 7h59m 8h 26h 47h 2d 3d4h 7d23h 8d 12d 729d 2y 2y30d 7y364d 8y 300y"].assert_eq(&text);
        assert_eq!(human(SignedDuration::from_millis(-1_999)), "0s");
        assert_eq!(human(SignedDuration::from_millis(999)), "0s");
        assert_eq!(
            human(SignedDuration::from_secs(i64::MAX - 1)),
            "292471208677y"
        );
    }
}
