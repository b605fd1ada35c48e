//! A reader, as `schema/views.sql`: recent rows, and the ended ones of which no recent row may speak. Each table is
//! read at an instant of its own.

use std::collections::{BTreeMap, BTreeSet};

use super::model::Model;
use super::rows::RowId;
use super::rule::Rule;
use super::store::{Replicas, Store};

/// A question takes at most so long from the first table that it opens to the last.
pub const QUESTION_SECONDS: u32 = 59;

/// See `bygone::fold::MAY_BE_FILED_SECONDS`.
const QUIET_SECONDS: u32 = bygone::fold::MAY_BE_FILED_SECONDS;

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Reader {
    begun: Option<u32>,
    recent: Option<Vec<RowId>>,
    hidden: Option<BTreeSet<u8>>,
    ended: Option<Vec<RowId>>,
    must_have: BTreeSet<u8>,
    pub is_done: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReaderStep {
    Recent,
    Hidden,
    Ended,
}

impl Reader {
    /// Since when it is under way.
    pub fn since(&self) -> Option<u32> {
        self.begun.filter(|_| !self.is_done)
    }

    pub fn steps(&self) -> Vec<ReaderStep> {
        let all = [
            (self.recent.is_none(), ReaderStep::Recent),
            (
                self.recent.is_some() && self.hidden.is_none(),
                ReaderStep::Hidden,
            ),
            (self.ended.is_none(), ReaderStep::Ended),
        ];
        let steps = all.into_iter().filter(|(may, _)| *may && !self.is_done);
        steps.map(|(_, step)| step).collect()
    }

    /// Fails where a life is missing or there twice.
    pub fn step(
        &mut self,
        step: ReaderStep,
        model: &Model,
        store: &Store,
        replica: Replicas,
    ) -> Result<(), String> {
        let known = model.rows.borrow();
        let now = *self.begun.get_or_insert(store.now);
        let recent = store.recent_final(replica, &known);
        let filed = store.ended_final(replica, &known);
        if self.must_have.is_empty() {
            let filed = filed.values().filter(|filed| !filed.moved);
            self.must_have = filed.map(|filed| known.row(filed.row).key).collect();
            self.must_have.extend(recent.keys());
        }
        let hidden = || {
            let rows = store.recent.iter().filter(|part| part.seen & replica != 0);
            let rows = rows.map(|part| known.row(part.row));
            let hidden = rows
                .filter(|row| row.returned || row.is_over() && row.read_at + QUIET_SECONDS < now);
            hidden.map(|row| row.key).collect()
        };
        match step {
            ReaderStep::Recent => {
                self.recent = Some(recent.into_values().collect());
                if model.holds(Rule::OneSnapshot) {
                    self.hidden = Some(hidden());
                }
            }
            ReaderStep::Hidden => self.hidden = Some(hidden()),
            ReaderStep::Ended => {
                let filed = filed.into_values().filter(|filed| !filed.moved);
                self.ended = Some(filed.map(|filed| filed.row).collect());
            }
        }
        let (Some(recent), Some(hidden), Some(ended)) = (&self.recent, &self.hidden, &self.ended)
        else {
            return Ok(());
        };
        let mut times: BTreeMap<u8, u8> = self.must_have.iter().map(|key| (*key, 0)).collect();
        let ended = ended
            .iter()
            .filter(|id| !hidden.contains(&known.row(**id).key));
        for id in recent.iter().chain(ended) {
            *times.entry(known.row(*id).key).or_insert(0) += 1;
        }
        let wrong = times.into_iter().find(|(_, times)| *times != 1);
        *self = Reader {
            is_done: true,
            ..Reader::default()
        };
        match wrong {
            Some((key, times)) => Err(format!("a reader gets life {key} {times} times")),
            None => Ok(()),
        }
    }

    /// All rows that a reader gets now.
    pub fn answer(model: &Model, store: &Store, replica: Replicas) -> Vec<RowId> {
        let known = model.rows.borrow();
        let recent: Vec<RowId> = store.recent_final(replica, &known).into_values().collect();
        let rows = store.recent.iter().map(|part| known.row(part.row));
        let hidden = rows
            .filter(|row| row.returned || row.is_over() && row.read_at + QUIET_SECONDS < store.now);
        let hidden: BTreeSet<u8> = hidden.map(|row| row.key).collect();
        let filed = store.ended_final(replica, &known).into_values();
        let filed =
            filed.filter(|filed| !filed.moved && !hidden.contains(&known.row(filed.row).key));
        recent
            .into_iter()
            .chain(filed.map(|filed| filed.row))
            .collect()
    }
}
