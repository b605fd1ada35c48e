//! Reconcile, as `src/reconcile.rs` and `schema/reconcile/` have it: closed slots are checked, what was filed is
//! deleted, what is due is filed, old slots are dropped. Each statement is a step.

use std::collections::BTreeSet;

use super::due::{CHECK_AFTER, DROP_AFTER};
use super::fold::{Folding, Todo};
use super::model::Model;
use super::rows::RowId;
use super::rule::Rule;
use super::store::{ALL, Insert, Replicas, SLOT_SECONDS, Store};

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Reconcile {
    pub rounds: u8,
    at: At,
    /// The server's clock at the begin of the round.
    now: u32,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
enum At {
    #[default]
    Idle,
    /// Slots that are left to be checked, with their blocks.
    Names(Vec<(u32, u32)>),
    Fold(Vec<(u32, u32)>, Box<Folding>),
    Checked(Vec<(u32, u32)>),
    Filed,
    /// Rows to be deleted: those that others have replaced, then the newest.
    Delete(Vec<RowId>, Vec<RowId>),
    File,
    Drop,
}

pub struct Place<'m> {
    pub model: &'m Model<'m>,
    pub replica: Replicas,
}

impl Reconcile {
    pub fn is_idle(&self) -> bool {
        self.at == At::Idle
    }

    /// The INSERT of lives that comes next; or that it is refused.
    pub fn insert(&self, at: &Place, store: &Store) -> Option<Result<Insert, ()>> {
        let At::Fold(_, fold) = &self.at else {
            return None;
        };
        let Todo::Insert(rows) = fold.todo(at.model) else {
            return None;
        };
        let refused = at.model.holds(Rule::Fence) && store.refuses(&rows, &at.model.rows.borrow());
        Some(if refused {
            Err(())
        } else {
            Ok(Insert::Lives(rows))
        })
    }

    pub fn inserted(&mut self, at: &Place, done: bool) {
        if let At::Fold(slots, fold) = &mut self.at {
            match done {
                true => fold.inserted(at.model),
                false => fold.refused(at.model),
            }
            if fold.todo(at.model) == Todo::Done {
                self.at = At::Checked(std::mem::take(slots));
            }
        }
    }

    /// The next statement that is no INSERT of lives. What finds nothing to do is no step of its own.
    pub fn step(&mut self, at: &Place, store: &mut Store) {
        self.statement(at, store);
        loop {
            let nothing = match &self.at {
                At::Filed => {
                    let (older, newest) = at.deletable(self.now, store);
                    older.is_empty() && newest.is_empty()
                }
                At::File => at.fileable(self.now, store).is_empty(),
                At::Drop => at.droppable(self.now, store).is_empty(),
                _ => false,
            };
            if !nothing {
                return;
            }
            self.statement(at, store);
        }
    }

    fn statement(&mut self, at: &Place, store: &mut Store) {
        self.at = match std::mem::take(&mut self.at) {
            At::Idle => {
                self.rounds += 1;
                self.now = store.now;
                if at.model.holds(Rule::Sync) {
                    store.sync(at.replica);
                }
                let slots = at.due_slots(self.now, store);
                after_slot(slots.into_iter().collect())
            }
            At::Names(slots) => match at.raced(slots[0].0, store) {
                Some(scope) => At::Fold(slots, Box::new(Folding::new(at.model, scope, true))),
                None => At::Checked(slots),
            },
            At::Fold(slots, mut fold) => {
                fold.read(at.model, store, at.replica);
                match fold.todo(at.model) {
                    Todo::Done => At::Checked(slots),
                    _ => At::Fold(slots, fold),
                }
            }
            At::Checked(mut slots) => {
                store.checked.insert(slots.remove(0));
                after_slot(slots)
            }
            At::Filed => match at.deletable(self.now, store) {
                (older, newest) if older.is_empty() && newest.is_empty() => At::File,
                (older, newest) => At::Delete(older, newest),
            },
            At::Delete(older, newest) => {
                let first = match at.model.holds(Rule::OlderFirst) {
                    true => [older, newest],
                    false => [newest, older],
                };
                let [mut now, mut then] = first;
                if now.is_empty() {
                    (now, then) = (then, now);
                }
                store.recent.retain(|part| !now.contains(&part.row));
                match then.is_empty() {
                    true => At::File,
                    false => At::Delete(then, Vec::new()),
                }
            }
            At::File => {
                store.ended.extend(at.fileable(self.now, store));
                At::Drop
            }
            At::Drop => {
                if at.model.holds(Rule::SyncOthers) {
                    store.sync_lives(ALL);
                }
                let slots = at.droppable(self.now, store);
                store.facts.retain(|row| !slots.contains(&row.slot));
                At::Idle
            }
        };
    }

    /// When something is due next; it may be now.
    pub fn due(at: &Place, store: &Store) -> Option<u32> {
        let known = at.model.rows.borrow();
        let mut due = BTreeSet::new();
        for (slot, block) in store.slots(ALL, at.model.scenario.replicated) {
            let end = slot + SLOT_SECONDS;
            due.insert(match at.is_checked(slot, block, store) {
                true => end + DROP_AFTER,
                false => end + CHECK_AFTER,
            });
        }
        let newest = store.recent_final(ALL, &known);
        for row in newest.values().map(|id| (id, known.row(*id))) {
            let (id, row) = row;
            if !row.is_over() {
                continue;
            }
            let filed = store
                .ended
                .iter()
                .find(|filed| filed.row == *id && !filed.moved);
            due.insert(match filed {
                Some(filed) => filed.filed_at + at.delete_after(),
                None => row.read_at + at.file_after() + 1,
            });
        }
        due.first().copied()
    }
}

fn after_slot(slots: Vec<(u32, u32)>) -> At {
    match slots.is_empty() {
        true => At::Filed,
        false => At::Names(slots),
    }
}
