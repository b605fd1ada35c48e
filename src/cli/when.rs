//! Times as people write them.
//!
//! In: the texts of flags, a zone, and now. Out: instants. A text that could mean two instants, or
//! none, is refused, and the error says how to write what was meant.
//!
//! Never here: the clock. Now comes in as a value.

use std::ops::RangeInclusive;

use jiff::civil::{DateTime, Time};
use jiff::fmt::temporal::DateTimeParser;
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{SignedDuration, Timestamp};

use crate::query::Window;

/// No history of Kubernetes is longer than ten years' worth of answers need.
const SINCE_DAYS_MAX: u64 = 3_650;

/// What ClickHouse's times with microseconds can hold, with room at both ends.
const YEARS: RangeInclusive<i16> = 1970..=2199;

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
    let zone = if text == "local" {
        Some(TimeZone::system()).map(|zone| {
            if zone.is_unknown() {
                TimeZone::UTC
            } else {
                zone
            }
        })
    } else if text.starts_with(['+', '-']) {
        DateTimeParser::new().parse_time_zone(text).ok()
    } else {
        TimeZone::get(text).ok().filter(|zone| !zone.is_unknown())
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
    let seconds = match seconds(text.trim()) {
        Some(seconds) if seconds > 0 => seconds,
        _ => {
            let instead = "90s, 15m, 2h, 1d, 1w or 1h30m";
            return bad(format!("{flag} {text:?} is no duration: write {instead}"));
        }
    };
    let span = i64::try_from(seconds)
        .ok()
        .filter(|_| seconds <= SINCE_DAYS_MAX * 86_400);
    match span.and_then(|seconds| now.checked_sub(SignedDuration::from_secs(seconds)).ok()) {
        Some(instant) => Ok(instant),
        None => bad(format!(
            "{flag} {text:?} is too long: write at most {SINCE_DAYS_MAX}d"
        )),
    }
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
    if !YEARS.contains(&zone.to_datetime(instant).year()) {
        let (first, last) = (YEARS.start(), YEARS.end());
        return bad(format!(
            "{flag} {text:?} is out of range: write a year from {first} to {last}"
        ));
    }
    Ok(instant)
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
        return bad(format!("{flag} {text:?} is out of range"));
    };
    if trouble.is_empty() {
        return Ok(one);
    }
    let [one, other] =
        [one, other].map(|instant| instant.display_with_offset(zone.to_offset(instant)));
    bad(format!("{flag} {text:?} {trouble}: write {one} or {other}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    const NOW: &str = "2026-11-23T12:00:00Z";

    /// Reads flags as a shell would not have to split them, in the zone of the machine of the test.
    fn read(flags: &[(&str, &str)], zone_text: &str) -> String {
        let mut args = Args::default();
        for (flag, text) in flags {
            let slot = match *flag {
                "since" => &mut args.since,
                "from" => &mut args.from,
                "to" => &mut args.to,
                _ => &mut args.at,
            };
            *slot = Some(*text);
        }
        let show = |instant: Option<Timestamp>| instant.map_or("..".to_owned(), |i| i.to_string());
        match window(args, &zone(zone_text).unwrap(), NOW.parse().unwrap()) {
            Ok(Window { since, until }) => format!("{} {}", show(since), show(until)),
            Err(BadTime(text)) => text,
        }
    }

    fn check(flag: &str, zone: &str, texts: &[&str], expected: Expect) {
        let lines = texts
            .iter()
            .map(|text| format!("{}\n", read(&[(flag, text)], zone)));
        expected.assert_eq(&lines.collect::<String>());
    }

    #[test]
    fn times_with_an_offset() {
        let texts = [
            "now",
            " now ",
            "2026-11-23T06:15:00Z",
            "2026-11-23 06:15Z",
            "2026-11-23T06:15:00.123+05:30",
        ];
        check(
            "from",
            "America/New_York",
            &texts,
            expect![[r#"
            2026-11-23T12:00:00Z ..
            2026-11-23T12:00:00Z ..
            2026-11-23T06:15:00Z ..
            2026-11-23T06:15:00Z ..
            2026-11-23T00:45:00.123Z ..
        "#]],
        );
    }

    #[test]
    fn times_of_the_zone() {
        let texts = [
            "2026-11-23",
            "2026-07-23",
            "2026-11-23 06:15",
            "2026-11-23T06:15:05",
            "2026-11-23 06:15:05.123",
            "06:15",
            "06:15:05",
        ];
        check(
            "from",
            "Europe/Berlin",
            &texts,
            expect![[r#"
            2026-11-22T23:00:00Z ..
            2026-07-22T22:00:00Z ..
            2026-11-23T05:15:00Z ..
            2026-11-23T05:15:05Z ..
            2026-11-23T05:15:05.123Z ..
            2026-11-23T05:15:00Z ..
            2026-11-23T05:15:05Z ..
        "#]],
        );
        check(
            "from",
            "Pacific/Auckland",
            &["06:15", "2026-11-23"],
            expect![[r#"
                2026-11-23T17:15:00Z ..
                2026-11-22T11:00:00Z ..
            "#]],
        );
        check(
            "from",
            "-03:30",
            &["06:15"],
            expect![[r#"
            2026-11-23T09:45:00Z ..
        "#]],
        );
    }

    #[test]
    fn no_times() {
        let texts = [
            "yesterdayish",
            "",
            "2026",
            "20261123",
            "06",
            "0615",
            "25:00",
            "2026-02-30",
            "2026-W12",
            "2026-11-23T06:15:00+99:00",
            "2026-11-23T06:15[America/New_York]",
            "2026-11-23T06:15:00+01:00[America/New_York]",
            "-002026-11-23",
            "\u{1b}[31m",
            "0999-01-01",
            "9999-12-31 23:59",
            "2300-01-01T00:00:00Z",
        ];
        check(
            "to",
            "UTC",
            &texts,
            expect![[r#"
            --to "yesterdayish" is no time: write 2026-11-23T06:15:00Z, "2026-11-23 06:15" or 06:15
            --to "" is no time: write 2026-11-23T06:15:00Z, "2026-11-23 06:15" or 06:15
            --to "2026" is no time: write 2026-11-23T06:15:00Z, "2026-11-23 06:15" or 06:15
            --to "20261123" is no time: write 2026-11-23T06:15:00Z, "2026-11-23 06:15" or 06:15
            --to "06" is no time: write 2026-11-23T06:15:00Z, "2026-11-23 06:15" or 06:15
            --to "0615" is no time: write 2026-11-23T06:15:00Z, "2026-11-23 06:15" or 06:15
            --to "25:00" is no time: write 2026-11-23T06:15:00Z, "2026-11-23 06:15" or 06:15
            --to "2026-02-30" is no time: write 2026-11-23T06:15:00Z, "2026-11-23 06:15" or 06:15
            --to "2026-W12" is no time: write 2026-11-23T06:15:00Z, "2026-11-23 06:15" or 06:15
            --to "2026-11-23T06:15:00+99:00" is no time: write 2026-11-23T06:15:00Z, "2026-11-23 06:15" or 06:15
            --to "2026-11-23T06:15[America/New_York]" is no time: write 2026-11-23T06:15:00Z, "2026-11-23 06:15" or 06:15
            --to "2026-11-23T06:15:00+01:00[America/New_York]" is no time: write 2026-11-23T06:15:00Z, "2026-11-23 06:15" or 06:15
            --to "-002026-11-23" is no time: write 2026-11-23T06:15:00Z, "2026-11-23 06:15" or 06:15
            --to "\u{1b}[31m" is no time: write 2026-11-23T06:15:00Z, "2026-11-23 06:15" or 06:15
            --to "0999-01-01" is out of range: write a year from 1970 to 2199
            --to "9999-12-31 23:59" is out of range
            --to "2300-01-01T00:00:00Z" is out of range: write a year from 1970 to 2199
        "#]],
        );
    }

    #[test]
    fn clocks_that_change() {
        let spring = [
            "2026-03-29 01:59:59",
            "2026-03-29 02:30",
            "2026-03-29 03:00",
        ];
        check(
            "from",
            "Europe/Berlin",
            &spring,
            expect![[r#"
            2026-03-29T00:59:59Z ..
            --from "2026-03-29 02:30" does not exist in Europe/Berlin, whose clocks skip it: write 2026-03-29T01:30:00+01:00 or 2026-03-29T03:30:00+02:00
            2026-03-29T01:00:00Z ..
        "#]],
        );
        let autumn = [
            "2026-10-25 01:59:59",
            "2026-10-25 02:30",
            "2026-10-25 03:00",
            "2026-10-25T02:30:00+01:00",
        ];
        check(
            "from",
            "Europe/Berlin",
            &autumn,
            expect![[r#"
            2026-10-24T23:59:59Z ..
            --from "2026-10-25 02:30" comes twice in Europe/Berlin, whose clocks go back: write 2026-10-25T02:30:00+02:00 or 2026-10-25T02:30:00+01:00
            2026-10-25T02:00:00Z ..
            2026-10-25T01:30:00Z ..
        "#]],
        );
        check(
            "at",
            "Africa/Cairo",
            &["2026-04-24"],
            expect![[r#"
            --at "2026-04-24" does not exist in Africa/Cairo, whose clocks skip it: write 2026-04-23T23:00:00+02:00 or 2026-04-24T01:00:00+03:00
        "#]],
        );
    }

    #[test]
    fn durations() {
        let texts = ["90s", "15m", "2h", "1d", "1w", "1h30m", "3650d"];
        check(
            "since",
            "UTC",
            &texts,
            expect![[r#"
            2026-11-23T11:58:30Z ..
            2026-11-23T11:45:00Z ..
            2026-11-23T10:00:00Z ..
            2026-11-22T12:00:00Z ..
            2026-11-16T12:00:00Z ..
            2026-11-23T10:30:00Z ..
            2016-11-25T12:00:00Z ..
        "#]],
        );
        let texts = [
            "",
            "0s",
            "2",
            "h",
            "-2h",
            "1.5h",
            "2 hours",
            "1y",
            "2é",
            "3651d",
            "99999999999999999999w",
        ];
        check(
            "since",
            "UTC",
            &texts,
            expect![[r#"
            --since "" is no duration: write 90s, 15m, 2h, 1d, 1w or 1h30m
            --since "0s" is no duration: write 90s, 15m, 2h, 1d, 1w or 1h30m
            --since "2" is no duration: write 90s, 15m, 2h, 1d, 1w or 1h30m
            --since "h" is no duration: write 90s, 15m, 2h, 1d, 1w or 1h30m
            --since "-2h" is no duration: write 90s, 15m, 2h, 1d, 1w or 1h30m
            --since "1.5h" is no duration: write 90s, 15m, 2h, 1d, 1w or 1h30m
            --since "2 hours" is no duration: write 90s, 15m, 2h, 1d, 1w or 1h30m
            --since "1y" is no duration: write 90s, 15m, 2h, 1d, 1w or 1h30m
            --since "2é" is no duration: write 90s, 15m, 2h, 1d, 1w or 1h30m
            --since "3651d" is too long: write at most 3650d
            --since "99999999999999999999w" is too long: write at most 3650d
        "#]],
        );
    }

    #[test]
    fn windows() {
        let check = |flags: &[(&str, &str)], expected: Expect| {
            expected.assert_eq(&read(flags, "UTC"));
        };
        check(&[], expect![".. .."]);
        check(
            &[("at", "06:15")],
            expect!["2026-11-23T06:15:00Z 2026-11-23T06:15:00.000001Z"],
        );
        check(
            &[("from", "06:15"), ("to", "07:00")],
            expect!["2026-11-23T06:15:00Z 2026-11-23T07:00:00Z"],
        );
        check(
            &[("since", "2h"), ("to", "now")],
            expect!["2026-11-23T10:00:00Z 2026-11-23T12:00:00Z"],
        );
        check(&[("to", "06:15")], expect![".. 2026-11-23T06:15:00Z"]);
        check(
            &[("from", "07:00"), ("to", "06:15")],
            expect![[r#"--from "07:00" is not before --to "06:15": write a later --to"#]],
        );
        check(
            &[("from", "07:00"), ("to", "07:00")],
            expect![[r#"--from "07:00" is not before --to "07:00": write a later --to"#]],
        );
        check(
            &[("since", "2h"), ("to", "06:15")],
            expect![[r#"--since "2h" is not before --to "06:15": write a later --to"#]],
        );
        check(
            &[("at", "now"), ("to", "06:15")],
            expect!["--at and --to exclude each other: write one of them"],
        );
        check(
            &[("at", "now"), ("since", "2h")],
            expect!["--at and --since exclude each other: write one of them"],
        );
        check(
            &[("since", "2h"), ("from", "06:15")],
            expect!["--since and --from exclude each other: write one of them"],
        );
    }

    #[test]
    fn zones() {
        let texts = [
            "UTC",
            "utc",
            "Europe/Berlin",
            "europe/berlin",
            "+02:00",
            "-0330",
            "+00:00",
            "+05:00:01",
            "Mars/Olympus",
            "",
            "../../etc/passwd",
            "+99",
            "Etc/Unknown",
            "EST5EDT,M3.2.0,M11.1.0",
        ];
        let lines = texts.iter().map(|text| match zone(text) {
            Ok(zone) => format!("{text}: {}\n", zone_name(&zone)),
            Err(BadTime(text)) => format!("{text}\n"),
        });
        expect![[r#"
            UTC: UTC
            utc: UTC
            Europe/Berlin: Europe/Berlin
            europe/berlin: Europe/Berlin
            +02:00: +02:00
            -0330: -03:30
            +00:00: UTC
            +05:00:01: +05:00:01
            --zone "Mars/Olympus" is no time zone: write a name like Europe/Berlin, UTC, local, or an offset like +02:00
            --zone "" is no time zone: write a name like Europe/Berlin, UTC, local, or an offset like +02:00
            --zone "../../etc/passwd" is no time zone: write a name like Europe/Berlin, UTC, local, or an offset like +02:00
            --zone "+99" is no time zone: write a name like Europe/Berlin, UTC, local, or an offset like +02:00
            --zone "Etc/Unknown" is no time zone: write a name like Europe/Berlin, UTC, local, or an offset like +02:00
            --zone "EST5EDT,M3.2.0,M11.1.0" is no time zone: write a name like Europe/Berlin, UTC, local, or an offset like +02:00
        "#]].assert_eq(&lines.collect::<String>());
        assert_eq!(
            zone_name(&TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap()),
            "local"
        );
        zone("local").expect("there is always a zone");
    }
}
