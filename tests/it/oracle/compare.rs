//! Expected answers against those that came.

use std::collections::BTreeMap;

use super::Window;
use super::answer::{Key, Row};
use super::life::Span;

/// A row that is expected.
#[derive(Clone, Debug)]
pub struct Expected<'a, R> {
    /// What it may say; if this is one, it must say exactly that.
    pub rows: Vec<&'a R>,
    /// Whether it must be there; else it may.
    pub must: bool,
    /// Whether what was said of names may be joined in part: see [`LOOSE`].
    pub loose: bool,
    /// Other instances of its pod: what these may say of the pod it may say too. See [`OF_THE_POD`].
    pub siblings: Vec<&'a R>,
}

impl<'a, R> Expected<'a, R> {
    /// Of spans that may be true, each with whether the question's other conditions hold: nothing
    /// if the row must not be there.
    pub fn of(
        spans: &[(Span, bool)],
        window: Option<Window>,
        visible: bool,
        rows: impl Iterator<Item = &'a R>,
    ) -> Option<Expected<'a, R>> {
        let hull = Span {
            start: spans.iter().map(|(span, _)| span.start).min()?,
            end: spans
                .iter()
                .map(|(span, _)| span.end.unwrap_or(i64::MAX))
                .max()
                .filter(|end| *end != i64::MAX),
        };
        let within = |span: Span| window.is_none_or(|window| span.overlaps(window));
        let may = within(hull) && spans.iter().any(|(_, holds)| *holds);
        let must = visible && spans.iter().all(|(span, holds)| *holds && within(*span));
        may.then(|| Expected {
            rows: rows.collect(),
            must,
            loose: false,
            siblings: Vec::new(),
        })
    }
}

/// What changes while a settling finds out which pod was meant by its name.
const LOOSE: [&str; 12] = [
    "created_by",
    "delete_asked_at",
    "delete_asked_by",
    "removed_at",
    "pod_removed_at",
    "ended_at",
    "ended_by",
    "ended_why",
    "unknown",
    "node",
    "end_seen",
    "truncated",
];

/// What late facts do not add to, but give way to what history says: an instance that only late facts
/// speak of is shown with what its settled siblings know of the pod.
const OF_THE_POD: [&str; 3] = ["labels", "workload", "workload_kind"];

impl<'a, R> Expected<'a, R> {
    /// One that may be there, at any time.
    pub fn loose(rows: Vec<&'a R>) -> Expected<'a, R> {
        Expected {
            rows,
            must: false,
            loose: true,
            siblings: Vec::new(),
        }
    }
}

/// What a comparison found.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Rows of which the oracle is certain.
    pub certain: u64,
    /// Rows held to the weaker rule.
    pub uncertain: u64,
    /// What is wrong: where, and how.
    pub wrong: Vec<Wrong>,
}

#[derive(Clone, Debug)]
pub struct Wrong {
    pub key: Key,
    pub what: String,
}

impl Wrong {
    /// The view, and what is wrong there, without values.
    pub fn kind(&self) -> &str {
        let known = ["is missing", "is there twice", "should not be there"];
        if let Some(kind) = known.into_iter().find(|kind| self.what.contains(kind)) {
            return kind;
        }
        let end = self.what.rfind(" is ").unwrap_or(self.what.len());
        self.what[..end].rsplit(": ").next().unwrap_or_default()
    }
}

impl Outcome {
    /// Says when the questions were asked.
    pub fn when(mut self, when: &str) -> Outcome {
        for wrong in &mut self.wrong {
            wrong.what = format!("{when}, {}", wrong.what);
        }
        self
    }

    pub fn add(&mut self, other: Outcome) {
        self.certain += other.certain;
        self.uncertain += other.uncertain;
        self.wrong.extend(other.wrong);
    }
}

pub fn compare<R: Row>(question: &str, expected: Vec<Expected<R>>, came: Vec<R>) -> Outcome {
    let mut outcome = Outcome::default();
    let mut wrong = |key: &Key, what: String| {
        outcome.wrong.push(Wrong {
            key: key.clone(),
            what: format!("{question}: {what}"),
        });
    };
    let mut by_key: BTreeMap<Key, R> = BTreeMap::new();
    for row in came {
        let key = row.key();
        if by_key.insert(key.clone(), row).is_some() {
            wrong(&key, "is there twice".to_owned());
        }
    }
    for expected in expected {
        let key = expected.rows[0].key();
        match by_key.remove(&key) {
            Some(row) => {
                for what in differences(&expected, &row) {
                    wrong(&key, what);
                }
            }
            None if expected.must => wrong(&key, "is missing".to_owned()),
            None => {}
        }
        if expected.rows.len() == 1 && !expected.loose {
            outcome.certain += 1;
        } else {
            outcome.uncertain += 1;
        }
    }
    for (key, row) in &by_key {
        outcome.wrong.push(Wrong {
            key: key.clone(),
            what: format!("{question}: should not be there: {row:?}"),
        });
    }
    outcome
}

/// The columns whose value no expected row has.
fn differences<R: Row>(expected: &Expected<R>, row: &R) -> Vec<String> {
    let (is_loose, siblings) = (expected.loose, &expected.siblings);
    let expected = &expected.rows;
    if expected.contains(&row) {
        return Vec::new();
    }
    let all: Vec<_> = expected.iter().map(|row| row.columns()).collect();
    let siblings: Vec<_> = siblings.iter().map(|row| row.columns()).collect();
    let columns = row.columns().into_iter().enumerate();
    columns
        .filter_map(|(place, (name, value))| {
            let mut wanted: Vec<&str> = all.iter().map(|columns| &*columns[place].1).collect();
            let by_siblings = OF_THE_POD.contains(&name)
                && siblings.iter().any(|columns| columns[place].1 == value);
            if wanted.contains(&&*value) || by_siblings || is_loose && LOOSE.contains(&name) {
                return None;
            }
            wanted.sort_unstable();
            wanted.dedup();
            Some(format!(
                "{name} is {value}, should be {}",
                wanted.join(" or ")
            ))
        })
        .collect()
}
