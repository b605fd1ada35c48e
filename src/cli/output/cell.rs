//! What the cells of tables have in common.

use std::borrow::Cow;

use anstyle::{AnsiColor, Style};
use jiff::Timestamp;

use super::{Look, span};
use crate::audit::words::EndedWhy;
use crate::cli::when;
use crate::escape;
use crate::query::Time;

/// Absent: a pod without a node, a life without an end.
pub const NONE: &str = "<none>";
/// It exists, and was not observed.
pub const UNKNOWN: &str = "<unknown>";

/// The meaning of a cell's colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// It failed: red.
    Bad,
    /// Something came between, or is not known: yellow.
    Odd,
}

impl Tone {
    pub fn style(self) -> Style {
        let colour = match self {
            Tone::Bad => AnsiColor::Red,
            Tone::Odd => AnsiColor::Yellow,
        };
        colour.on_default()
    }
}

pub fn text(value: Option<&str>, absent: &str) -> String {
    value.unwrap_or(absent).to_owned()
}

pub fn list(values: &[String]) -> String {
    if values.is_empty() {
        NONE.to_owned()
    } else {
        values.join(",")
    }
}

/// As `--workload` takes it.
pub fn workload(kind: Option<&str>, name: Option<&str>) -> String {
    match (kind, name) {
        (Some(kind), Some(name)) => format!("{kind}/{name}"),
        (_, name) => text(name, NONE),
    }
}

/// The head of a column of times. It names the zone, since the cells don't.
pub fn zoned(head: &str, look: &Look) -> String {
    format!("{head} ({})", zone(look))
}

/// The zone of the times. The database of zones has several names for UTC.
pub fn zone(look: &Look) -> String {
    let name = when::zone_name(&look.zone);
    match &*name {
        "Etc/UTC" | "Etc/UCT" | "Etc/Zulu" | "Etc/Universal" | "UCT" | "Zulu" | "Universal" => {
            "UTC".to_owned()
        }
        _ => name,
    }
}

/// In whole seconds; a part of a second is cut off.
pub fn time(time: Option<Time>, absent: &str, look: &Look) -> String {
    let Some(time) = time else {
        return absent.to_owned();
    };
    look.zone
        .to_datetime(time.instant)
        .strftime("%Y-%m-%d %H:%M:%S")
        .to_string()
}

/// From then till `end`.
pub fn span(start: Option<Time>, end: Timestamp) -> String {
    match start {
        Some(start) => span::human(end.duration_since(start.instant)),
        None => UNKNOWN.to_owned(),
    }
}

/// The text as a person may see it. An empty cell would not be seen as one.
pub fn visible(text: String) -> String {
    match escape::controls(&text) {
        Cow::Borrowed("") => NONE.to_owned(),
        Cow::Borrowed(_) => text,
        Cow::Owned(shown) => shown,
    }
}

/// Whether its end was neither its own nor a plain request.
pub fn why_tone(why: Option<&str>) -> Option<Tone> {
    match EndedWhy::of_word(why?)? {
        EndedWhy::DeadlineExceeded
        | EndedWhy::Evicted
        | EndedWhy::ForceDeleted
        | EndedWhy::NodeLost
        | EndedWhy::NodePressure
        | EndedWhy::Preempted
        | EndedWhy::TaintEvicted
        | EndedWhy::Unknown => Some(Tone::Odd),
        _ => None,
    }
}
