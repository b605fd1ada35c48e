//! Expected answers against those that came.

use std::collections::BTreeMap;

use super::answer::{Key, Row};

/// What a comparison found.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Rows that were compared.
    pub rows: u64,
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
        self.rows += other.rows;
        self.wrong.extend(other.wrong);
    }
}

pub fn compare<R: Row>(question: &str, expected: Vec<&R>, came: Vec<R>) -> Outcome {
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
    for expected in &expected {
        let key = expected.key();
        match by_key.remove(&key) {
            Some(row) => {
                for what in differences(*expected, &row) {
                    wrong(&key, what);
                }
            }
            None => wrong(&key, "is missing".to_owned()),
        }
    }
    for (key, row) in &by_key {
        wrong(key, format!("should not be there: {row:?}"));
    }
    outcome.rows = expected.len() as u64;
    outcome
}

/// The columns whose value is another one.
pub fn differences<R: Row>(expected: &R, row: &R) -> Vec<String> {
    if expected == row {
        return Vec::new();
    }
    let columns = expected.columns().into_iter().zip(row.columns());
    let differ = columns.filter(|((_, wanted), (_, value))| wanted != value);
    differ
        .map(|((name, wanted), (_, value))| format!("{name} is {value}, should be {wanted}"))
        .collect()
}
