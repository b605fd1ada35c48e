//! Time zones by their names, and the instants of what their clocks show.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::fmt::temporal::DateTimeParser;
use jiff::tz::{AmbiguousOffset, TimeZone};

use crate::query::ParseError;

/// Reads a zone: an IANA name, `UTC`, `local`, or an offset like `+02:00`. A machine whose zone is not known, as in most
/// containers, is in UTC, as it is for the C library.
///
/// # Errors
///
/// When the zone does not exist.
pub fn zone(text: &str) -> Result<TimeZone, ParseError> {
    let is_known = |zone: &TimeZone| !zone.is_unknown();
    let zone = if text == "local" {
        Some(TimeZone::system())
            .filter(is_known)
            .or(Some(TimeZone::UTC))
    } else if text.starts_with(['+', '-']) {
        DateTimeParser::new().parse_time_zone(text).ok()
    } else {
        TimeZone::get(text).ok().filter(is_known)
    };
    zone.ok_or_else(|| {
        let instead = "a name like Europe/Berlin, UTC, local, or an offset like +02:00";
        ParseError::value("zone", format!("invalid time zone {text:?}: use {instead}"))
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

/// The one instant at which the clocks of a zone show this.
///
/// # Errors
///
/// Near a change of the clocks there are none or two; then the error has the two candidates. It has none if the
/// instant is out of the calendar's range.
pub fn instant_of(local: DateTime, zone: &TimeZone) -> Result<Timestamp, String> {
    let there = zone.to_ambiguous_timestamp(local);
    let name = zone_name(zone);
    let trouble = match there.offset() {
        AmbiguousOffset::Unambiguous { .. } => String::new(),
        AmbiguousOffset::Gap { .. } => format!("does not exist in {name}, whose clocks skip it"),
        AmbiguousOffset::Fold { .. } => {
            format!("is ambiguous in {name}, whose clocks go back then")
        }
    };
    let (Ok(one), Ok(other)) = (there.earlier(), there.later()) else {
        return Err(String::new());
    };
    if trouble.is_empty() {
        return Ok(one);
    }
    let [one, other] =
        [one, other].map(|instant| instant.display_with_offset(zone.to_offset(instant)));
    Err(format!("{trouble}: use {one} or {other}"))
}
