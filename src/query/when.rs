//! Times as people write them, on every surface.
//!
//! In: the texts of parameters, a zone, and now. Out: instants. An ambiguous or impossible text is rejected, and the
//! error shows the valid forms.
//!
//! A time of the day alone is the latest one that is not in the future, so `from` 23:00 `to` 01:00 is last night.
//!
//! Never here: the clock. Now comes in as a value.

mod duration;
mod moment;
mod zone;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

pub use zone::{zone, zone_name};

use super::{ParseError, Window};
use moment::{Moment, Reader};

/// Clocks of two machines may differ by this: a client's now is in no future.
const CLOCKS_DIFFER: SignedDuration = SignedDuration::from_secs(60);

/// The parameters that choose a time, as they were written. None of them: all of the history.
#[derive(Clone, Copy, Debug, Default)]
pub struct Args<'a> {
    pub since: Option<&'a str>,
    pub from: Option<&'a str>,
    pub to: Option<&'a str>,
    pub at: Option<&'a str>,
}

/// The window that the parameters choose. Times without an offset are times of `zone`. Its end may be in the future: see
/// [`is_future`].
///
/// # Errors
///
/// When a text is not a time or an ambiguous one, when the window would be empty or begins in the future, or when
/// parameters contradict each other.
pub fn window(args: Args, zone: &TimeZone, now: Timestamp) -> Result<Window, ParseError> {
    check_combined(args)?;
    let reader = |parameter, text| Reader {
        parameter,
        text,
        zone,
        now,
    };
    if let Some(text) = args.at {
        let at = reader("at", text);
        return Ok(Window::at(not_future(&at, instant(&at)?)?));
    }
    let from = args.from.map(|text| reader("from", text));
    let to = args.to.map(|text| reader("to", text));
    let (from, until) = match (from, to) {
        (Some(from), Some(to)) => pair(&from, &to)?,
        (from, to) => (
            from.as_ref().map(instant).transpose()?,
            to.as_ref().map(instant).transpose()?,
        ),
    };
    let since = match (args.since, from, args.from) {
        (Some(since), ..) => Some(ago(since, now)?),
        (None, Some(instant), Some(text)) => Some(not_future(&reader("from", text), instant)?),
        _ => None,
    };
    check_order(since, until)?;
    Ok(Window { since, until })
}

/// Whether an instant has not come yet, by any clock.
pub fn is_future(instant: Timestamp, now: Timestamp) -> bool {
    instant.duration_since(now) > CLOCKS_DIFFER
}

fn check_combined(args: Args) -> Result<(), ParseError> {
    let Args {
        since,
        from,
        to,
        at,
    } = args;
    let pairs = [
        (("at", at), ("since", since)),
        (("at", at), ("from", from)),
        (("at", at), ("to", to)),
        (("since", since), ("from", from)),
    ];
    let both = pairs
        .iter()
        .find(|((_, one), (_, other))| one.is_some() && other.is_some());
    match both {
        Some(((one, _), (other, _))) => Err(ParseError::Combined(one, other)),
        None => Ok(()),
    }
}

fn check_order(since: Option<Timestamp>, until: Option<Timestamp>) -> Result<(), ParseError> {
    match (since, until) {
        (Some(since), Some(until)) if since >= until => {
            let problem = format!("the end {until} is not after the start {since}");
            Err(ParseError::value("to", problem))
        }
        _ => Ok(()),
    }
}

fn not_future(reader: &Reader, instant: Timestamp) -> Result<Timestamp, ParseError> {
    if !is_future(instant, reader.now) {
        return Ok(instant);
    }
    let (text, now) = (reader.text, reader.now);
    let problem = format!("{text:?} is in the future: it is {now:.0} now");
    Err(ParseError::value(reader.parameter, problem))
}

/// This long before now.
fn ago(text: &str, now: Timestamp) -> Result<Timestamp, ParseError> {
    let duration = duration::parse("since", text)?;
    now.checked_sub(duration)
        .map_err(|_| ParseError::value("since", format!("duration {text:?} is too long")))
}

fn instant(reader: &Reader) -> Result<Timestamp, ParseError> {
    match reader.moment()? {
        Moment::Instant(instant) => Ok(instant),
        Moment::Clock(time) => reader.latest(time),
    }
}

/// The beginning and the end of a range. Two times of the day are the latest pair of them that has begun.
fn pair(from: &Reader, to: &Reader) -> Result<(Option<Timestamp>, Option<Timestamp>), ParseError> {
    let (Moment::Clock(first), Moment::Clock(last)) = (from.moment()?, to.moment()?) else {
        return Ok((Some(instant(from)?), Some(instant(to)?)));
    };
    let since = from.latest(first)?;
    let day = from.zone.to_datetime(since).date();
    let is_next_day = last < first;
    let day = to.before(day, -i64::from(is_next_day))?;
    Ok((Some(since), Some(to.at(day, last)?)))
}

#[cfg(test)]
mod tests;
