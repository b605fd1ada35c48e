//! Where rows end in RowBinary, by the types of their columns. It is needed when one row of many is
//! bad, and keeps the encoder honest in tests.

use super::rowbinary::read_varint;

/// How a column's values are laid out.
enum Layout {
    Fixed(usize),
    Text,
    /// So many elements, each of these one after the other.
    Array(&'static [Layout]),
    Tuple(&'static [Layout]),
}

use Layout::{Array, Fixed, Text, Tuple};

/// By name, so that rows of an older build are understood: a column never changes its type.
fn layout(column: &str) -> Option<Layout> {
    Some(match column {
        "cluster" | "namespace" | "container" | "pod" | "node" | "service_account" | "runtime"
        | "container_id_text" | "image" | "image_id" | "origin" | "reason" | "status_reason"
        | "api_server" => Text,
        "pod_uid" | "id" => Fixed(16),
        "container_id" | "sha256" => Fixed(32),
        "event_at" | "not_after" | "scheduled_at" | "terminal_at" | "removed_at"
        | "received_at" | "position_from" | "bytes" | "minutes" => Fixed(8),
        "host_network" | "phase" | "kind" | "raw_kept" | "truncated" | "about" | "level"
        | "stage" => Fixed(1),
        "created_at" | "pod_started_at" | "started_at" | "restart" | "hour" => Fixed(4),
        "ids" => Array(&[Fixed(8)]),
        "metadata" => Tuple(&[
            Fixed(8),
            Array(&[Text, Text]),
            Text,
            Text,
            Text,
            Text,
            Fixed(1),
        ]),
        "pod_ips" => Array(&[Fixed(16), Fixed(8)]),
        "restarts" => Array(&[Text, Fixed(4)]),
        "created_by" => Tuple(&[Text, Text]),
        "named" => Array(&[Fixed(8), Text, Text, Text, Text]),
        "disrupted" | "asked_event" => Tuple(&[Fixed(8), Text]),
        "waiting" => Tuple(&[Fixed(8), Array(&[Text, Text])]),
        "delete_asked" | "evict_asked" | "force_asked" => Tuple(&[Fixed(8), Text, Text]),
        "ended" => Tuple(&[Fixed(1 + 4 + 4 + 4), Text]),
        _ => return None,
    })
}

/// The ends of all rows; nothing where a column is not known or the bytes are no whole rows.
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
            Text => {
                let (length, at) = read_varint(bytes, at)?;
                within(bytes, at.checked_add(length)?)
            }
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
    use crate::rows::{Ended, FACTS, Fact, Facts, Image, Named, Owner};

    #[test]
    fn every_row_ends_where_the_next_begins() {
        let columns: Vec<String> = FACTS
            .columns
            .iter()
            .map(|name| (*name).to_owned())
            .collect();
        let mut facts = Facts::default();
        let mut expected = Vec::new();
        let long = "x".repeat(300);
        let full = Fact {
            cluster: "c",
            pod: &long,
            owner: Some(Owner {
                kind: "k",
                name: "n",
                workload_kind: "w",
                workload: "d",
                inferred: true,
            }),
            labels: Some(&[("a", "1"), ("b", "2")]),
            pod_ips: &["::1".parse().unwrap(), "::2".parse().unwrap()],
            restarts: &[("a", 1), ("b", 0)],
            created_by: Some(("a", "b")),
            delete_asked: Some((1, "a", "b")),
            evict_asked: Some((2, "c", "d")),
            force_asked: Some((3, "e", "f")),
            disrupted: Some((4, "why")),
            audit_id: "id",
            status_reason: "Evicted",
            waiting: &[("a", "ImagePullBackOff"), ("b", "")],
            named: Some(Named {
                at: 1,
                what: "ask",
                user: "a",
                acting_as: "b",
                selector: "s",
            }),
            image: Some(Image {
                image: "i",
                image_id: "j",
            }),
            ended: Some(Ended {
                finished_at: 1,
                exit_code: -1,
                signal: 9,
                reason: "Error",
            }),
            ..Fact::default()
        };
        for fact in [&Fact::default(), &full, &Fact::default()] {
            facts.push(fact);
            expected.push(facts.bytes().len());
        }
        assert_eq!(ends(&columns, facts.bytes()), Some(expected));
        assert_eq!(ends(&columns, &facts.bytes()[1..]), None);
        assert_eq!(ends(&["elsewhere".to_owned()], facts.bytes()), None);
    }
}
