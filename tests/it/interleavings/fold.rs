//! A fold that is under way.

use super::model::{Asked, AskedId, Got, Model, Next};
use super::rows::RowId;
use super::rule::Rule;
use super::store::{Replicas, Store};

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Folding {
    asked: AskedId,
    /// INSERTs that are done.
    inserted: u8,
    /// Lives that were read before the log, where that rule does not hold.
    early: Option<Got>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Todo {
    Read,
    Insert(Vec<RowId>),
    Done,
}

impl Folding {
    pub fn new(model: &Model, scope: bool, raced: bool) -> Folding {
        let got = Vec::new();
        Folding {
            asked: model.asked(Asked { scope, raced, got }),
            inserted: 0,
            early: None,
        }
    }

    pub fn todo(&self, model: &Model) -> Todo {
        match &*model.next(self.asked) {
            Next::Done => Todo::Done,
            Next::Log if model.has_written(self.asked) && !model.holds(Rule::LogAgain) => {
                Todo::Done
            }
            Next::Write(writes) => Todo::Insert(writes[usize::from(self.inserted)].clone()),
            _ => Todo::Read,
        }
    }

    /// Reads what is to be read next. What nobody else of this scenario can change is read in one step.
    pub fn read(&mut self, model: &Model, store: &Store, replica: Replicas) {
        loop {
            let next = model.next(self.asked);
            if *next == Next::Log && !model.holds(Rule::LogFirst) && self.early.is_none() {
                self.early = Some(Got::Recent(model.recent(store, replica), store.now));
                return;
            }
            // The fence goes by the time at which the log was read.
            let early = self.early.take_if(|_| *next == Next::Recent);
            let early = early.map(|got| match got {
                Got::Recent(rows, _) => Got::Recent(rows, store.now),
                other => other,
            });
            let got = early.unwrap_or_else(|| model.read(self.asked, &next, store, replica));
            self.asked = model.and(self.asked, got);
            self.skip_nothing(model);
            let facts = &model.scenario.facts;
            let is_free = match &*model.next(self.asked) {
                Next::Said => facts.iter().all(|fact| fact.said.is_none()),
                Next::Ended => model.scenario.reconciles.is_empty(),
                Next::Recent => self.early.is_some(),
                _ => false,
            };
            if !is_free {
                return;
            }
        }
    }

    /// Nothing changed: so there is nothing to write.
    fn skip_nothing(&mut self, model: &Model) {
        if *model.next(self.asked) == Next::Write(Vec::new()) {
            self.asked = model.and(self.asked, Got::Wrote);
        }
    }

    pub fn inserted(&mut self, model: &Model) {
        self.inserted += 1;
        if let Next::Write(writes) = &*model.next(self.asked)
            && writes.len() == usize::from(self.inserted)
        {
            self.inserted = 0;
            self.asked = model.and(self.asked, Got::Wrote);
        }
    }

    /// What was read is too old: all is read again.
    pub fn refused(&mut self, model: &Model) {
        *self = Folding {
            asked: model.again(self.asked),
            inserted: 0,
            early: None,
        };
    }
}
