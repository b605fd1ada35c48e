//! The message when nothing was found.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::cli::when;
use crate::escape;
use crate::query::{Params, Window};

/// The message that nothing was found, where that was searched, and which names are not known there.
pub fn say(what: &str, params: &Params, zone: &TimeZone, hints: &[String]) {
    let clusters = place(params.cluster.as_deref(), "cluster");
    let namespaces = place(params.namespace.as_deref(), "namespace");
    let time = time_of(params, zone);
    eprintln!("no {what} found: searched {clusters}, {namespaces}, {time}");
    for hint in hints {
        eprintln!("{}", escape::controls(hint));
    }
}

fn place(names: Option<&str>, what: &str) -> String {
    match names {
        None => format!("all {what}s"),
        Some(names) if names.contains(',') => format!("{what}s {}", names.replace(',', ", ")),
        Some(name) => format!("{what} {name}"),
    }
}

/// The time that is asked for, as the zone's clocks show it.
fn time_of(params: &Params, zone: &TimeZone) -> String {
    let instant = |text: &Option<String>| text.as_ref()?.parse().ok();
    let time = Window {
        since: instant(&params.from),
        until: instant(&params.to),
    };
    let local = |instant: Timestamp| zone.to_datetime(instant).strftime("%F %T").to_string();
    let range = match (time.since, time.until) {
        (None, None) => return "any time".to_owned(),
        (Some(since), _) if time == Window::at(since) => format!("at {}", local(since)),
        (Some(since), None) => format!("since {}", local(since)),
        (None, Some(until)) => format!("before {}", local(until)),
        (Some(since), Some(until)) => format!("from {} to {}", local(since), local(until)),
    };
    format!("{range} ({})", when::zone_name(zone))
}
