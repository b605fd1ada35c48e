//! Rows that wait for the last one: the newest come first and are printed last, or they are to be sorted.

use std::cmp::Ordering;

use anyhow::bail;
use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// This many rows are compressed together.
const CHUNK_ROWS: usize = 1_000;

/// The most rows that are sorted. They lie unpacked in memory, about 2 KiB each.
pub const SORT_ROWS_MAX: usize = 100_000;

/// Rows that can be packed.
pub trait Kind: Serialize + DeserializeOwned + 'static {}

impl<R: Serialize + DeserializeOwned + 'static> Kind for R {}

/// How rows are given back.
#[derive(Clone, Debug)]
pub enum Order {
    /// As they came.
    AsCame,
    LastFirst,
    /// By a field of a row, or `labels.KEY`; whether the greatest comes first.
    Sorted(String, bool),
}

/// Rows, as they come.
pub struct Kept<L> {
    order: Order,
    count: usize,
    /// Packed, a million rows take about 100 MB.
    chunks: Vec<Vec<u8>>,
    /// The rows of the last chunk, as long as it is not full; all of those that are to be sorted.
    open: Vec<L>,
}

impl<L: Kind> Kept<L> {
    pub fn new(order: Order) -> Kept<L> {
        Kept {
            order,
            count: 0,
            chunks: Vec::new(),
            open: Vec::new(),
        }
    }

    pub fn count(&self) -> usize {
        self.count
    }

    pub fn push(&mut self, row: L) -> anyhow::Result<()> {
        self.open.push(row);
        self.count += 1;
        let is_sorted = matches!(self.order, Order::Sorted(..));
        if is_sorted && self.open.len() > SORT_ROWS_MAX {
            bail!(
                "more than {SORT_ROWS_MAX} rows to sort: narrow the query, or set a lower --limit"
            );
        }
        if !is_sorted && self.open.len() == CHUNK_ROWS {
            self.chunks.push(pack(&self.open)?);
            self.open.clear();
        }
        Ok(())
    }

    /// All of them, in their order.
    ///
    /// # Errors
    ///
    /// When a row can't be written as JSON.
    pub fn rows(self) -> anyhow::Result<Box<dyn Iterator<Item = anyhow::Result<L>>>> {
        let Kept {
            order,
            chunks,
            open,
            ..
        } = self;
        Ok(match order {
            Order::Sorted(path, reverse) => {
                Box::new(sorted(open, &path, reverse)?.into_iter().map(Ok))
            }
            Order::AsCame => {
                let packed = chunks.into_iter().flat_map(|chunk| unpack(&chunk, |_| ()));
                Box::new(packed.chain(open.into_iter().map(Ok)))
            }
            Order::LastFirst => {
                let packed = chunks.into_iter().rev();
                let packed = packed.flat_map(|chunk| unpack(&chunk, <[L]>::reverse));
                Box::new(open.into_iter().rev().map(Ok).chain(packed))
            }
        })
    }
}

fn pack<L: Kind>(rows: &[L]) -> anyhow::Result<Vec<u8>> {
    let mut plain = Vec::new();
    for row in rows {
        plain = postcard::to_extend(row, plain)?;
    }
    Ok(zstd::encode_all(&*plain, 1)?)
}

/// The rows of a chunk, after `arrange`; or the error.
fn unpack<L: Kind>(chunk: &[u8], arrange: fn(&mut [L])) -> Vec<anyhow::Result<L>> {
    let read = || -> anyhow::Result<Vec<L>> {
        let plain = zstd::decode_all(chunk)?;
        let (mut rest, mut rows) = (&*plain, Vec::with_capacity(CHUNK_ROWS));
        while !rest.is_empty() {
            let (row, behind) = postcard::take_from_bytes(rest)?;
            rows.push(row);
            rest = behind;
        }
        arrange(&mut rows);
        Ok(rows)
    };
    match read() {
        Ok(rows) => rows.into_iter().map(Ok).collect(),
        Err(error) => vec![Err(error)],
    }
}

/// What is absent comes last: a life without an end ends after all others. Rows that are equal stay in the order of their
/// starts, the newest last; they came the other way round.
fn sorted<L: Kind>(rows: Vec<L>, path: &str, reverse: bool) -> anyhow::Result<Vec<L>> {
    let mut keyed = Vec::with_capacity(rows.len());
    for row in rows.into_iter().rev() {
        let all = serde_json::to_value(&row)?;
        let value = match path.split_once('.') {
            Some((map, key)) => &all[map][key],
            None => &all[path],
        };
        keyed.push((Key::of(value), row));
    }
    keyed.sort_by(|(one, _), (other, _)| one.order(other));
    if reverse {
        keyed.reverse();
    }
    Ok(keyed.into_iter().map(|(_, row)| row).collect())
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

    fn back(kept: Kept<Pod>) -> Vec<Pod> {
        kept.rows().unwrap().map(Result::unwrap).collect()
    }

    /// None, less than a chunk, a chunk, and more than two.
    #[test]
    fn as_they_came_and_reversed() {
        for count in [0, 3, CHUNK_ROWS, 2 * CHUNK_ROWS + 7] {
            let kept = |order| {
                let mut kept = Kept::new(order);
                for number in 0..count {
                    kept.push(pod(number)).unwrap();
                }
                assert_eq!(kept.count(), count);
                back(kept)
            };
            let mut expected: Vec<Pod> = (0..count).map(pod).collect();
            assert_eq!(kept(Order::AsCame), expected);
            expected.reverse();
            assert_eq!(kept(Order::LastFirst), expected);
        }
    }

    #[test]
    fn sorted() {
        let order = |field: &str, reverse| {
            let mut kept = Kept::new(Order::Sorted(field.to_owned(), reverse));
            for number in [12, 3, 2, 1, 0] {
                let mut pod = pod(number);
                pod.removed_at = pod.created_at.filter(|_| number != 2);
                kept.push(pod).unwrap();
            }
            let names = back(kept)
                .into_iter()
                .map(|pod| pod.pod["web-".len()..].to_owned());
            names.collect::<Vec<_>>().join(" ")
        };
        assert_eq!(order("restarts", false), "0 1 2 12 3");
        assert_eq!(order("restarts", true), "3 12 2 1 0");
        assert_eq!(order("pod", false), "0 1 12 2 3");
        assert_eq!(order("labels.app", false), "0 1 2 3 12");
        assert_eq!(order("removed_at", false), "0 1 3 12 2");
    }

    #[test]
    fn times_of_different_precision() {
        let key = |text: &str| Key::of(&Value::from(text));
        let [whole, exact] = ["2026-11-23T06:15:05Z", "2026-11-23T06:15:05.123Z"].map(key);
        assert_eq!(whole.order(&exact), Ordering::Less);
    }

    #[test]
    fn too_many_to_sort() {
        let mut kept = Kept::new(Order::Sorted("pod".to_owned(), false));
        for _ in 0..SORT_ROWS_MAX {
            kept.push(Pod::default()).unwrap();
        }
        let error = kept.push(Pod::default()).unwrap_err();
        assert!(error.to_string().contains("more than 100000"), "{error}");
    }
}
