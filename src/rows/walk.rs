//! Where rows end in RowBinary, by the types of their columns. It is needed when one row of many is
//! bad, and keeps the encoder honest in tests.

use super::rowbinary::{read_bytes, read_varint};

/// How a column's values are laid out.
enum Layout {
    Fixed(usize),
    Text,
    /// This many elements, one after the other.
    Array(&'static [Layout]),
    Tuple(&'static [Layout]),
}

use Layout::{Array, Fixed, Text, Tuple};

/// By name, so that rows of an older build are understood: a column never changes its type.
fn layout(column: &str) -> Option<Layout> {
    Some(match column {
        "cluster" | "namespace" | "pod" | "body" | "origin" | "reason" | "api_server" | "name"
        | "by" | "selector" | "kind" | "container" | "user" | "acting_as" | "source" | "via"
        | "audit_id" => Text,
        "pod_uid" | "id" | "uid" => Fixed(16),
        "sha256" => Fixed(32),
        "event_at" | "received_at" | "position_from" | "bytes" | "minutes" | "writer" | "load"
        | "began_at" | "over_at" => Fixed(8),
        "raw_kept" | "about" | "level" | "stage" | "what" => Fixed(1),
        "code" => Fixed(2),
        "hour" | "second" => Fixed(4),
        "ids" => Array(&[Fixed(8)]),
        "seconds" => Array(&[Fixed(2)]),
        "first" | "last" => Tuple(&[Fixed(8), Text, Text, Text]),
        _ => return None,
    })
}

/// The ends of all rows; `None` where a column is not known or the bytes are not whole rows.
pub fn ends(columns: &[String], bytes: &[u8]) -> Option<Vec<usize>> {
    let layouts: Vec<Layout> = columns
        .iter()
        .map(|name| layout(name))
        .collect::<Option<_>>()?;
    let mut ends = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        for layout in &layouts {
            at = layout.skip(bytes, at)?;
        }
        ends.push(at);
    }
    Some(ends)
}

impl Layout {
    fn skip(&self, bytes: &[u8], at: usize) -> Option<usize> {
        match self {
            Fixed(length) => within(bytes, at.checked_add(*length)?),
            Text => read_bytes(bytes, at).map(|(_, end)| end),
            Tuple(parts) => parts.iter().try_fold(at, |at, part| part.skip(bytes, at)),
            Array(parts) => {
                let (count, mut at) = read_varint(bytes, at)?;
                for _ in 0..count {
                    at = parts.iter().try_fold(at, |at, part| part.skip(bytes, at))?;
                }
                Some(at)
            }
        }
    }
}

fn within(bytes: &[u8], at: usize) -> Option<usize> {
    (at <= bytes.len()).then_some(at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rows::{FACTS, Fact, Facts};

    #[test]
    fn every_row_ends_where_the_next_begins() {
        let columns: Vec<String> = FACTS.columns.iter().map(|it| (*it).to_owned()).collect();
        let long = "x".repeat(300);
        let mut facts = Facts::default();
        for pod in ["", &long, "web"] {
            facts.push(&Fact {
                cluster: "c",
                pod,
                pod_uid: 1,
                ..Fact::default()
            });
        }
        let rows = facts.finish().into_bytes();
        let expected: Vec<usize> = crate::rows::fact_rows(&rows).map(|(_, end)| end).collect();
        assert_eq!(expected.len(), 3);
        assert_eq!(ends(&columns, &rows), Some(expected));
        assert_eq!(ends(&columns, &rows[1..]), None);
        assert_eq!(ends(&["elsewhere".to_owned()], &rows), None);
    }
}
