//! Medians, spreads and goals, as they are printed.

use std::fmt;
use std::time::Duration;

/// The median of some measurements, the lowest and the highest.
#[derive(Clone, Copy)]
pub struct Spread {
    pub median: f64,
    lowest: f64,
    highest: f64,
}

impl Spread {
    pub fn of(values: impl IntoIterator<Item = f64>) -> Spread {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        Spread {
            median: values[values.len() / 2],
            lowest: values[0],
            highest: values[values.len() - 1],
        }
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let digits = f.precision().unwrap_or(1);
        let Spread {
            median,
            lowest,
            highest,
        } = self;
        write!(
            f,
            "{median:.digits$} ({lowest:.digits$} to {highest:.digits$})"
        )
    }
}

/// What a median should be.
#[derive(Clone, Copy)]
pub enum Goal {
    AtMost(f64),
    AtLeast(f64),
}

impl Goal {
    pub fn held_by(self, spread: Spread) -> String {
        let (held, words) = match self {
            Goal::AtMost(most) => (spread.median <= most, format!("at most {most}")),
            Goal::AtLeast(least) => (spread.median >= least, format!("at least {least}")),
        };
        let verdict = if held { "held" } else { "MISSED" };
        format!("- goal {words}: {verdict}")
    }
}

/// The value below which so many hundredths of `times` are.
pub fn percentile(times: &[Duration], hundredths: usize) -> Duration {
    let mut times = times.to_vec();
    times.sort_unstable();
    times[(times.len() * hundredths / 100).min(times.len() - 1)]
}

/// A gauge or counter without labels, from the text of `/metrics`.
pub fn metric(text: &str, name: &str) -> f64 {
    let value = text
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    value
        .and_then(|value| value.parse().ok())
        .unwrap_or_else(|| panic!("no {name} in the metrics"))
}
