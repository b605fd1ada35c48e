//! Rows that can't be printed as they come: the newest come first and are printed last, or they are to be sorted.

use std::cmp::Ordering;

use anyhow::bail;
use jiff::Timestamp;
use serde_json::Value;

use crate::query::Life;

/// So many rows are packed together.
const CHUNK_ROWS: usize = 1_000;

/// The most rows that are sorted. They lie unpacked in memory, about 2 KiB each.
pub const SORT_ROWS_MAX: usize = 100_000;

/// Rows that are given back the other way round. Packed, a million of them take about 100 MB.
pub struct Reversed<L> {
    chunks: Vec<Vec<u8>>,
    /// The rows of the last chunk, as long as it is not full.
    open: Vec<L>,
}

impl<L: Life> Reversed<L> {
    pub fn new() -> Reversed<L> {
        Reversed {
            chunks: Vec::new(),
            open: Vec::new(),
        }
    }

    pub fn push(&mut self, row: L) -> anyhow::Result<()> {
        self.open.push(row);
        if self.open.len() == CHUNK_ROWS {
            self.chunks.push(pack(&self.open)?);
            self.open.clear();
        }
        Ok(())
    }

    /// The last row first.
    pub fn rows(mut self) -> impl Iterator<Item = anyhow::Result<L>> {
        let open = std::mem::take(&mut self.open).into_iter().rev().map(Ok);
        let packed = self.chunks.into_iter().rev();
        open.chain(packed.flat_map(|chunk| {
            let (rows, error) = match unpack::<L>(&chunk) {
                Ok(rows) => (rows, None),
                Err(error) => (Vec::new(), Some(Err(error))),
            };
            rows.into_iter().rev().map(Ok).chain(error)
        }))
    }
}

fn pack<L: Life>(rows: &[L]) -> anyhow::Result<Vec<u8>> {
    let mut plain = Vec::new();
    for row in rows {
        plain = postcard::to_extend(row, plain)?;
    }
    Ok(zstd::encode_all(&*plain, 1)?)
}

fn unpack<L: Life>(chunk: &[u8]) -> anyhow::Result<Vec<L>> {
    let plain = zstd::decode_all(chunk)?;
    let (mut rest, mut rows) = (&*plain, Vec::with_capacity(CHUNK_ROWS));
    while !rest.is_empty() {
        let (row, behind) = postcard::take_from_bytes(rest)?;
        rows.push(row);
        rest = behind;
    }
    Ok(rows)
}

/// Rows in the order of a field.
pub struct Sorted<L> {
    field: String,
    rows: Vec<(Key, L)>,
}

impl<L: Life> Sorted<L> {
    /// `field` is that of a row, or `labels.KEY`.
    pub fn by(field: &str) -> Sorted<L> {
        Sorted {
            field: field.to_owned(),
            rows: Vec::new(),
        }
    }

    pub fn push(&mut self, row: L) -> anyhow::Result<()> {
        if self.rows.len() == SORT_ROWS_MAX {
            bail!("more than {SORT_ROWS_MAX} rows to sort: ask for less, or set a lower --limit");
        }
        let all = serde_json::to_value(&row)?;
        let value = match self.field.split_once('.') {
            Some((map, key)) => &all[map][key],
            None => &all[&self.field],
        };
        self.rows.push((Key::of(value), row));
        Ok(())
    }

    /// What is absent comes last: a life without an end ends after all others. Rows that are equal stay in the order of
    /// their starts, the newest last; they came the other way round.
    pub fn rows(mut self) -> impl DoubleEndedIterator<Item = L> {
        self.rows.reverse();
        self.rows.sort_by(|(one, _), (other, _)| one.order(other));
        self.rows.into_iter().map(|(_, row)| row)
    }
}

/// A value that can be compared.
#[derive(Debug, PartialEq)]
enum Key {
    Number(f64),
    Time(Timestamp),
    Text(String),
    Absent,
}

impl Key {
    fn of(value: &Value) -> Key {
        match value {
            Value::Null => Key::Absent,
            Value::Number(number) => Key::Number(number.as_f64().unwrap_or_default()),
            Value::String(text) => match text.parse() {
                // Of different precision, as texts they would compare wrongly.
                Ok(time) => Key::Time(time),
                Err(_) => Key::Text(text.clone()),
            },
            other => Key::Text(other.to_string()),
        }
    }

    fn order(&self, other: &Key) -> Ordering {
        match (self, other) {
            (Key::Number(one), Key::Number(other)) => one.total_cmp(other),
            (Key::Time(one), Key::Time(other)) => one.cmp(other),
            (Key::Text(one), Key::Text(other)) => one.cmp(other),
            _ => self.rank().cmp(&other.rank()),
        }
    }

    fn rank(&self) -> u8 {
        match self {
            Key::Number(_) => 0,
            Key::Time(_) => 1,
            Key::Text(_) => 2,
            Key::Absent => 3,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::Pod;

    fn pod(number: usize) -> Pod {
        Pod {
            pod: format!("web-{number}"),
            labels: [("app".to_owned(), format!("{}", number % 7))].into(),
            created_at: serde_json::from_str("\"2026-11-23T06:15:00.123Z\"").unwrap(),
            restarts: number as u64 % 5,
            unknown: vec!["request unseen".to_owned()],
            ..Pod::default()
        }
    }

    /// None, less than a chunk, a chunk, and more than two.
    #[test]
    fn reversed() {
        for count in [0, 3, CHUNK_ROWS, 2 * CHUNK_ROWS + 7] {
            let mut kept = Reversed::new();
            for number in 0..count {
                kept.push(pod(number)).unwrap();
            }
            let back: Vec<Pod> = kept.rows().map(Result::unwrap).collect();
            let expected: Vec<Pod> = (0..count).rev().map(pod).collect();
            assert_eq!(back, expected);
        }
    }

    #[test]
    fn sorted() {
        let order = |field: &str| {
            let mut kept = Sorted::by(field);
            for number in [12, 3, 2, 1, 0] {
                let mut pod = pod(number);
                pod.removed_at = pod.created_at.filter(|_| number != 2);
                kept.push(pod).unwrap();
            }
            let names = kept.rows().map(|pod| pod.pod["web-".len()..].to_owned());
            names.collect::<Vec<_>>().join(" ")
        };
        assert_eq!(order("restarts"), "0 1 2 12 3");
        assert_eq!(order("pod"), "0 1 12 2 3");
        assert_eq!(order("labels.app"), "0 1 2 3 12");
        assert_eq!(order("removed_at"), "0 1 3 12 2");
    }

    #[test]
    fn times_of_different_precision() {
        let key = |text: &str| Key::of(&Value::from(text));
        let [whole, exact] = ["2026-11-23T06:15:05Z", "2026-11-23T06:15:05.123Z"].map(key);
        assert_eq!(whole.order(&exact), Ordering::Less);
    }

    #[test]
    fn too_many_to_sort() {
        let mut kept = Sorted::by("pod");
        for _ in 0..SORT_ROWS_MAX {
            kept.push(Pod::default()).unwrap();
        }
        let error = kept.push(Pod::default()).unwrap_err();
        assert!(error.to_string().contains("more than 100000"), "{error}");
    }
}
