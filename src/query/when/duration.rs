//! Durations: `90s`, `1d12h`, `1.5h`.

use jiff::fmt::friendly::{Designator, Spacing, SpanPrinter};
use jiff::{SignedDuration, Span};

use crate::query::ParseError;

/// Ten years. Kubernetes is hardly older, so more is a slip of the finger.
const DAYS_MAX: u32 = 3_650;

/// Counts and units, as many as are given; a day has 24 hours.
///
/// # Errors
///
/// When the text is not a duration, is zero, or is longer than ten years.
pub fn parse(parameter: &'static str, text: &str) -> Result<SignedDuration, ParseError> {
    let invalid = |instead: &str| {
        let problem = format!("invalid duration {text:?}: use {instead}");
        ParseError::value(parameter, problem)
    };
    match seconds(text.trim()) {
        Some(seconds) if seconds > f64::from(DAYS_MAX) * 86_400.0 => {
            let problem = format!("duration {text:?} is too long: use at most {DAYS_MAX}d");
            Err(ParseError::value(parameter, problem))
        }
        Some(seconds) if seconds > 0.0 => {
            SignedDuration::try_from_secs_f64(seconds).map_err(|_| invalid("1h"))
        }
        _ => Err(invalid(
            suggestion(text)
                .as_deref()
                .unwrap_or("90s, 15m, 2h, 1d or 1d12h"),
        )),
    }
}

/// This many seconds, finite or not.
fn seconds(mut text: &str) -> Option<f64> {
    if text.is_empty() {
        return None;
    }
    let mut sum = 0.0;
    while !text.is_empty() {
        let is_of_number = |byte: &u8| byte.is_ascii_digit() || *byte == b'.';
        let (count, rest) = text.split_at(text.bytes().take_while(is_of_number).count());
        let seconds = match rest.bytes().next()? {
            b's' => 1.0,
            b'm' => 60.0,
            b'h' => 3_600.0,
            b'd' => 86_400.0,
            b'w' => 7.0 * 86_400.0,
            _ => return None,
        };
        sum += count.parse::<f64>().ok()? * seconds;
        text = &rest[1..];
    }
    Some(sum)
}

/// The same duration as [`parse`] reads it, where the text is one that others would understand.
fn suggestion(text: &str) -> Option<String> {
    let span: Span = text.trim().parse().ok()?;
    let printer = SpanPrinter::new()
        .designator(Designator::Compact)
        .spacing(Spacing::None);
    let text = printer.span_to_string(&span.abs());
    seconds(&text)
        .is_some_and(|seconds| seconds > 0.0)
        .then_some(text)
}
