//! What the cells of tables have in common.

use jiff::Timestamp;

use super::{Look, span};
use crate::cli::when;
use crate::query::Time;

/// There is none: a pod without a node, a life without an end.
pub const NONE: &str = "<none>";
/// There is one, and nobody saw it.
pub const UNKNOWN: &str = "<unknown>";

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
    format!("{head}({})", when::zone_name(&look.zone))
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

/// The text without what could command a terminal or turn its writing round. Names of Kubernetes
/// have nothing of this, but a forged event may. An empty cell would not be seen as one.
pub fn harmless(text: String) -> String {
    if text.is_empty() {
        return NONE.to_owned();
    }
    if text.chars().any(is_control) {
        text.replace(is_control, "?")
    } else {
        text
    }
}

/// C0 with escape, delete, C1 with the one-byte CSI, line separators, and the bidirectional controls.
fn is_control(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}')
        || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}
