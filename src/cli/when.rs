//! Times as people write them.
//!
//! In: the texts of flags, a zone, and now. Out: instants. A text that could mean two instants, or
//! none, is refused, and the error says how to write what was meant.
//!
//! Never here: the clock. Now comes in as a value.

use std::ops::RangeInclusive;
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::{DateTime, Time};
use jiff::fmt::temporal::DateTimeParser;
use jiff::tz::{AmbiguousOffset, TimeZone};

use crate::query::Window;

/// Ten years. Kubernetes is hardly older, so more is a slip of the finger.
const SINCE_DAYS_MAX: u64 = 3_650;

/// ClickHouse's calendar goes from 1900 to 2299. A year's distance to its ends makes up for zones.
const YEARS: RangeInclusive<i16> = 1901..=2298;

/// A time that could not be read: one line that names it and says what to write instead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadTime(pub String);

/// The flags that choose a time, as they were written. None of them means ever.
#[derive(Clone, Copy, Debug, Default)]
pub struct Args<'a> {
    pub since: Option<&'a str>,
    pub from: Option<&'a str>,
    pub to: Option<&'a str>,
    pub at: Option<&'a str>,
}

/// The window that the flags mean. Times without an offset are times of `zone`.
///
/// # Errors
///
/// When a text is no time, means none or two, or when the flags contradict each other.
pub fn window(args: Args, zone: &TimeZone, now: Timestamp) -> Result<Window, BadTime> {
    let Args {
        since,
        from,
        to,
        at,
    } = args;
    exclude(
        "--at",
        at,
        [("--since", since), ("--from", from), ("--to", to)],
    )?;
    exclude("--since", since, [("--from", from)])?;
    if let Some(text) = at {
        return Ok(Window::at(instant("--at", text, zone, now)?));
    }
    let start = match (since, from) {
        (Some(text), _) => Some(("--since", text, ago("--since", text, now)?)),
        (None, Some(text)) => Some(("--from", text, instant("--from", text, zone, now)?)),
        (None, None) => None,
    };
    let end = match to {
        Some(text) => Some((text, instant("--to", text, zone, now)?)),
        None => None,
    };
    if let (Some((flag, text, since)), Some((to, until))) = (start, end)
        && since >= until
    {
        return bad(format!(
            "{flag} {text:?} is not before --to {to:?}: write a later --to"
        ));
    }
    Ok(Window {
        since: start.map(|(.., since)| since),
        until: end.map(|(_, until)| until),
    })
}

fn exclude<const N: usize>(
    flag: &str,
    value: Option<&str>,
    others: [(&str, Option<&str>); N],
) -> Result<(), BadTime> {
    match others
        .iter()
        .find(|(_, other)| value.is_some() && other.is_some())
    {
        Some((other, _)) => bad(format!(
            "{flag} and {other} exclude each other: write one of them"
        )),
        None => Ok(()),
    }
}

fn bad<T>(text: String) -> Result<T, BadTime> {
    Err(BadTime(text))
}

/// Reads `--zone`: an IANA name, `UTC`, `local`, or an offset like `+02:00`. A machine that does not
/// tell its zone, as most containers, is in UTC, as it is for the C library.
///
/// # Errors
///
/// When there is no such zone.
pub fn zone(text: &str) -> Result<TimeZone, BadTime> {
    let told = |zone: &TimeZone| !zone.is_unknown();
    let zone = if text == "local" {
        Some(TimeZone::system())
            .filter(told)
            .or(Some(TimeZone::UTC))
    } else if text.starts_with(['+', '-']) {
        DateTimeParser::new().parse_time_zone(text).ok()
    } else {
        TimeZone::get(text).ok().filter(told)
    };
    zone.ok_or_else(|| {
        let instead = "a name like Europe/Berlin, UTC, local, or an offset like +02:00";
        BadTime(format!("--zone {text:?} is no time zone: write {instead}"))
    })
}

/// The name that [`zone`] takes; `local` for one that has none.
pub fn zone_name(zone: &TimeZone) -> String {
    match (zone.iana_name(), zone.to_fixed_offset()) {
        (Some(name), _) => name.to_owned(),
        (None, Ok(_)) => Timestamp::UNIX_EPOCH
            .to_zoned_datetime(zone.clone())
            .strftime("%:z")
            .to_string(),
        (None, Err(_)) => "local".to_owned(),
    }
}

/// So long before now.
fn ago(flag: &str, text: &str, now: Timestamp) -> Result<Timestamp, BadTime> {
    let Some(seconds) = seconds(text.trim()).filter(|seconds| *seconds > 0) else {
        let instead = "90s, 15m, 2h, 1d, 1w or 1h30m";
        return bad(format!("{flag} {text:?} is no duration: write {instead}"));
    };
    if seconds > SINCE_DAYS_MAX * 86_400 {
        return bad(format!(
            "{flag} {text:?} is too long: write at most {SINCE_DAYS_MAX}d"
        ));
    }
    now.checked_sub(Duration::from_secs(seconds))
        .or_else(|_| out_of_range(flag, text))
}

/// Counts and units, as often as you like; a day has 24 hours. What is too large is the largest.
fn seconds(mut text: &str) -> Option<u64> {
    let mut sum = 0_u64;
    while !text.is_empty() {
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (count, rest) = text.split_at(digits);
        let seconds: u64 = match rest.bytes().next().filter(|_| digits > 0)? {
            b's' => 1,
            b'm' => 60,
            b'h' => 3_600,
            b'd' => 86_400,
            b'w' => 7 * 86_400,
            _ => return None,
        };
        let count = count.parse().unwrap_or(u64::MAX);
        sum = sum.saturating_add(seconds.saturating_mul(count));
        text = &rest[1..];
    }
    Some(sum)
}

/// Reads one time.
fn instant(flag: &str, text: &str, zone: &TimeZone, now: Timestamp) -> Result<Timestamp, BadTime> {
    let text = text.trim();
    let instant = if text == "now" {
        now
    } else if let Some(instant) = with_offset(text) {
        instant
    } else if let Some(local) = without_offset(text, zone, now) {
        in_zone(flag, text, local, zone)?
    } else {
        let instead = "2026-11-23T06:15:00Z, \"2026-11-23 06:15\" or 06:15";
        return bad(format!("{flag} {text:?} is no time: write {instead}"));
    };
    if YEARS.contains(&zone.to_datetime(instant).year()) {
        Ok(instant)
    } else {
        out_of_range(flag, text)
    }
}

fn out_of_range<T>(flag: &str, text: &str) -> Result<T, BadTime> {
    let (first, last) = (YEARS.start(), YEARS.end());
    bad(format!(
        "{flag} {text:?} is out of range: write a year from {first} to {last}"
    ))
}

/// RFC 3339. A zone's name in brackets is more than that and might contradict the offset.
fn with_offset(text: &str) -> Option<Timestamp> {
    if text.contains('[') {
        None
    } else {
        text.parse().ok()
    }
}

/// A date and a time, a date, or a time of today.
///
/// The parsers would take more: offsets, which they drop, weeks, and digits without marks between.
fn without_offset(text: &str, zone: &TimeZone, now: Timestamp) -> Option<DateTime> {
    let plain = |c: char| c.is_ascii_digit() || "-:. Tt".contains(c);
    if !text.starts_with(|c: char| c.is_ascii_digit()) || !text.chars().all(plain) {
        return None;
    }
    match (text.contains('-'), text.contains(':')) {
        (true, _) => text.parse().ok(),
        (false, true) => Some(
            zone.to_datetime(now)
                .date()
                .to_datetime(text.parse::<Time>().ok()?),
        ),
        (false, false) => None,
    }
}

/// The one instant at which the clocks of a zone show this. Near a change of the clocks there are
/// none or two; then the error writes out the two that may be meant.
fn in_zone(flag: &str, text: &str, local: DateTime, zone: &TimeZone) -> Result<Timestamp, BadTime> {
    let there = zone.to_ambiguous_timestamp(local);
    let name = zone_name(zone);
    let trouble = match there.offset() {
        AmbiguousOffset::Unambiguous { .. } => String::new(),
        AmbiguousOffset::Gap { .. } => format!("does not exist in {name}, whose clocks skip it"),
        AmbiguousOffset::Fold { .. } => format!("comes twice in {name}, whose clocks go back"),
    };
    let (Ok(one), Ok(other)) = (there.earlier(), there.later()) else {
        return out_of_range(flag, text);
    };
    if trouble.is_empty() {
        return Ok(one);
    }
    let [one, other] =
        [one, other].map(|instant| instant.display_with_offset(zone.to_offset(instant)));
    bad(format!("{flag} {text:?} {trouble}: write {one} or {other}"))
}

#[cfg(test)]
mod tests;
