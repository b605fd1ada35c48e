//! What reconcile finds to do: the conditions of the statements in `schema/reconcile/`.

use std::collections::BTreeSet;

use super::reconcile::Place;
use super::rows::{Row, RowId, Rows};
use super::rule::Rule;
use super::store::{ALL, Filed, SLOT_SECONDS, Store};

pub const CHECK_AFTER: u32 = 180;
pub const DROP_AFTER: u32 = 3_600;
const FILE_AFTER: u32 = 720;
const DELETE_AFTER: u32 = 60;

impl Place<'_> {
    pub fn delete_after(&self) -> u32 {
        match self.model.holds(Rule::MinuteBeforeDelete) {
            true => DELETE_AFTER,
            false => 0,
        }
    }

    pub fn file_after(&self) -> u32 {
        match self.model.holds(Rule::QuietBeforeFiling) {
            true => FILE_AFTER,
            false => 600,
        }
    }

    /// `slots.sql`.
    pub fn is_checked(&self, slot: u32, block: u32, store: &Store) -> bool {
        match self.model.holds(Rule::BlockNumber) {
            true => store.checked.contains(&(slot, block)),
            false => store.checked.iter().any(|(checked, _)| *checked == slot),
        }
    }

    pub fn due_slots(&self, now: u32, store: &Store) -> BTreeSet<(u32, u32)> {
        let slots = store
            .slots(self.replica, self.model.scenario.replicated)
            .into_iter();
        let due = slots.filter(|(slot, block)| {
            slot + SLOT_SECONDS + CHECK_AFTER <= now && !self.is_checked(*slot, *block, store)
        });
        due.collect()
    }

    /// `writers.sql`, `names.sql` and `scopes.sql`: whether the name is folded once more, and with what was said
    /// of its node.
    pub fn raced(&self, slot: u32, store: &Store) -> Option<bool> {
        let seen = || {
            store
                .facts
                .iter()
                .filter(|row| row.seen & self.replica != 0)
        };
        let is_of_scope = |fact: u8| self.model.scenario.facts[usize::from(fact)].is_of_scope();
        let unfinished = |scope: bool| {
            let of = seen().filter(move |row| is_of_scope(row.fact) == scope && row.slot == slot);
            let mut of = of.filter(|row| !store.is_noted(row.writer, row.load));
            self.model.holds(Rule::Unfinished) && of.next().is_some()
        };
        let writers = |scope: bool| {
            let of = seen().filter(move |row| scope || !is_of_scope(row.fact));
            let writers: BTreeSet<u8> = of.map(|row| row.writer).collect();
            self.model.holds(Rule::SeveralWriters) && writers.len() > 1
        };
        let has =
            |scope: bool| seen().any(|row| row.slot == slot && is_of_scope(row.fact) == scope);
        if has(true) && (writers(true) || unfinished(true) || unfinished(false)) {
            return Some(true);
        }
        (has(false) && (writers(false) || unfinished(false))).then_some(false)
    }

    fn is_due(&self, row: &Row, now: u32) -> bool {
        row.is_over() && row.read_at + self.file_after() < now
    }

    fn filed_as<'s>(
        row: &'s Row,
        store: &'s Store,
        known: &'s Rows,
    ) -> impl Iterator<Item = &'s Filed> {
        store.ended.iter().filter(move |filed| {
            let of = known.row(filed.row);
            let place = (of.key, of.class, of.from, of.read_at);
            !filed.moved
                && filed.version == row.version
                && place == (row.key, row.class, row.from, row.read_at)
        })
    }

    /// `filed.sql`.
    pub fn deletable(&self, now: u32, store: &Store) -> (Vec<RowId>, Vec<RowId>) {
        let known = self.model.rows.borrow();
        let mut rows = (Vec::new(), Vec::new());
        let is_old = |filed: &Filed| filed.filed_at + self.delete_after() <= now;
        for (key, id) in store.recent_final(self.replica, &known) {
            let newest = known.row(id);
            let mut any = store
                .ended
                .iter()
                .filter(|filed| known.row(filed.row).key == key);
            let is_filed = match self.model.holds(Rule::SameVersion) {
                true => {
                    self.is_due(newest, now) && Self::filed_as(newest, store, &known).any(is_old)
                }
                false => any.any(is_old),
            };
            if !is_filed {
                continue;
            }
            for part in store
                .recent
                .iter()
                .filter(|part| known.row(part.row).key == key)
            {
                match known.row(part.row).version < newest.version {
                    true => rows.0.push(part.row),
                    false => rows.1.push(part.row),
                }
            }
        }
        rows
    }

    /// `moved.sql` and `file.sql`.
    pub fn fileable(&self, now: u32, store: &Store) -> Vec<Filed> {
        let known = self.model.rows.borrow();
        let seen = if self.model.scenario.replicated {
            self.replica
        } else {
            ALL
        };
        let mut new = Vec::new();
        for id in store.recent_final(self.replica, &known).into_values() {
            let row = known.row(id);
            if !self.is_due(row, now) || Self::filed_as(row, store, &known).next().is_some() {
                continue;
            }
            let filed = |row: RowId, version: u64, moved: bool| Filed {
                row,
                version,
                moved,
                filed_at: store.now,
                seen,
            };
            let former = store.ended_final(self.replica, &known).into_iter();
            let former = former.filter(|((class, from, key), filed)| {
                *key == row.key && (*class, *from) != (row.class, row.from) && !filed.moved
            });
            let former = former.filter(|_| row.returned);
            new.extend(former.map(|(_, former)| filed(former.row, row.version - 1, true)));
            new.push(filed(id, row.version, false));
        }
        new
    }

    /// `drop_slot.sql`.
    pub fn droppable(&self, now: u32, store: &Store) -> Vec<u32> {
        let slots = store
            .slots(self.replica, self.model.scenario.replicated)
            .into_iter();
        let old = slots.filter(|(slot, block)| {
            let is_old = slot + SLOT_SECONDS + DROP_AFTER <= now;
            is_old && self.is_checked(*slot, *block, store)
        });
        old.map(|(slot, _)| slot).collect()
    }
}
