//! One time as people write it.

use std::ops::RangeInclusive;

use jiff::civil::{Date, Time};
use jiff::fmt::strtime::BrokenDownTime;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

use super::zone::instant_of;
use crate::query::ParseError;

/// ClickHouse's calendar goes from 1900 to 2299. A year's distance to its ends makes up for zones.
const YEARS: RangeInclusive<i16> = 1901..=2298;

/// A time that was read.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Moment {
    Instant(Timestamp),
    /// A time of day without a date.
    Clock(Time),
}

/// Where and when a time is read, and what it is of.
#[derive(Clone, Copy)]
pub struct Reader<'a> {
    pub parameter: &'static str,
    pub text: &'a str,
    pub zone: &'a TimeZone,
    pub now: Timestamp,
}

impl Reader<'_> {
    /// The parsed text.
    ///
    /// # Errors
    ///
    /// When it is not a time, or one that does not exist, or exists twice, in the zone.
    pub fn moment(&self) -> Result<Moment, ParseError> {
        let text = self.text.trim().to_ascii_lowercase();
        if let Some(time) = clock(&text) {
            return Ok(Moment::Clock(time));
        }
        let instant = match (&*text, epoch(&text), with_offset(self.text.trim())) {
            ("now", ..) => self.now,
            (_, Some(instant), _) | (_, _, Some(instant)) => instant,
            _ => self.of_zone(&text)?,
        };
        self.in_range(instant).map(Moment::Instant)
    }

    /// The latest instant at which the clock showed this that is not in the future.
    pub fn latest(&self, time: Time) -> Result<Timestamp, ParseError> {
        let today = self.today();
        let instant = self.at(today, time)?;
        match instant <= self.now {
            true => Ok(instant),
            false => self.at(self.before(today, 1)?, time),
        }
    }

    pub fn today(&self) -> Date {
        self.zone.to_datetime(self.now).date()
    }

    pub fn before(&self, date: Date, days: i64) -> Result<Date, ParseError> {
        date.checked_sub(days.days())
            .map_err(|_| self.out_of_range())
    }

    /// The instant at which the zone's clocks show this.
    pub fn at(&self, date: Date, time: Time) -> Result<Timestamp, ParseError> {
        instant_of(date.to_datetime(time), self.zone).map_err(|trouble| match &*trouble {
            "" => self.out_of_range(),
            trouble => self.error(format!("{:?} {trouble}", self.text)),
        })
    }

    /// A day, by its date, its name or its weekday, and a time of day: midnight by default.
    fn of_zone(&self, text: &str) -> Result<Timestamp, ParseError> {
        let split = text.split_once(' ').or_else(|| text.split_once('t'));
        let (day, time) = match split {
            Some((day, time)) if !is_word(text) => (day, clock(time.trim())),
            _ => (text, Some(Time::midnight())),
        };
        let time = time.ok_or_else(|| self.no_time())?;
        let today = self.today();
        match day {
            "today" => self.at(today, time),
            "yesterday" => self.at(self.before(today, 1)?, time),
            day if is_word(day) => self.of_weekday(day, time),
            day => self.at(date(day).ok_or_else(|| self.no_time())?, time),
        }
    }

    /// The latest one that is not in the future.
    fn of_weekday(&self, day: &str, time: Time) -> Result<Timestamp, ParseError> {
        let parsed = BrokenDownTime::parse("%A", day).or_else(|_| BrokenDownTime::parse("%a", day));
        let weekday = parsed.ok().and_then(|parsed| parsed.weekday());
        let weekday = weekday.ok_or_else(|| self.no_time())?;
        let today = self.today();
        let date = self.before(today, i64::from(today.weekday().since(weekday)))?;
        let instant = self.at(date, time)?;
        match instant <= self.now {
            true => Ok(instant),
            false => self.at(self.before(date, 7)?, time),
        }
    }

    fn in_range(&self, instant: Timestamp) -> Result<Timestamp, ParseError> {
        match YEARS.contains(&self.zone.to_datetime(instant).year()) {
            true => Ok(instant),
            false => Err(self.out_of_range()),
        }
    }

    fn out_of_range(&self) -> ParseError {
        let (first, last) = (YEARS.start(), YEARS.end());
        self.error(format!(
            "time {:?} is out of range: use a year from {first} to {last}",
            self.text
        ))
    }

    fn no_time(&self) -> ParseError {
        let instead = "2026-11-23T06:15:00Z, '2026-11-23 06:15', 06:15, 'yesterday 14:00', 'monday 06:15', now, \
                       or seconds since 1970";
        self.error(format!("invalid time {:?}: use {instead}", self.text))
    }

    fn error(&self, problem: String) -> ParseError {
        ParseError::value(self.parameter, problem)
    }
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphabetic())
}

/// Seconds since 1970, or milliseconds, by the number of digits. (Eight are a date without its hyphens.)
fn epoch(text: &str) -> Option<Timestamp> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_digits(whole) || !is_digits(fraction) {
        return None;
    }
    match (whole.len(), fraction) {
        (9 | 10, "") => Timestamp::from_second(whole.parse().ok()?).ok(),
        (9 | 10, fraction) => {
            let micros = format!("{fraction:0<6}").get(..6)?.parse::<i64>().ok()?;
            Timestamp::from_microsecond(whole.parse::<i64>().ok()? * 1_000_000 + micros).ok()
        }
        (12 | 13, "") => Timestamp::from_millisecond(whole.parse().ok()?).ok(),
        _ => None,
    }
}

/// RFC 3339. A zone's name in brackets is more than that and might contradict the offset.
fn with_offset(text: &str) -> Option<Timestamp> {
    match text.contains('[') {
        true => None,
        false => text.parse().ok(),
    }
}

// jiff's parsers would take more: offsets, which they drop, weeks, and digits without marks between.

fn clock(text: &str) -> Option<Time> {
    let is_plain = |c: char| c.is_ascii_digit() || c == ':' || c == '.';
    let is_clock = text.get(2..3) == Some(":") && text.chars().all(is_plain);
    is_clock.then(|| text.parse().ok()).flatten()
}

fn date(text: &str) -> Option<Date> {
    let is_plain = |c: char| c.is_ascii_digit() || c == '-';
    let is_date = text.get(4..5) == Some("-") && text.chars().all(is_plain);
    is_date.then(|| text.parse().ok()).flatten()
}
