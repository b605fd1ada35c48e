//! A process that stores loads: said, then facts; then it folds; then it confirms. As `sink::Sink::deliver` and
//! `sink::folder` do, one step after the other.

use super::fold::{Folding, Todo};
use super::model::Model;
use super::rule::Rule;
use super::scenario::Load;
use super::store::{Insert, Logged, Replicas, Store};

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Sink {
    /// It has another number after each start.
    pub writer: u8,
    /// Loads whose facts are stored.
    inserted: u8,
    /// Of the next load, what is said is stored.
    said: bool,
    /// The same of its facts, where these come first.
    facts: bool,
    pub confirmed: u8,
    fold: Option<Folding>,
    /// Loads that are folded now, or were last.
    folded_from: u8,
    folded_until: u8,
    /// They are folded and noted, and are to be confirmed.
    noted: bool,
    pub is_gone: bool,
}

/// A sink may take one of these steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SinkStep {
    Said,
    Facts,
    Read,
    Lives,
    Note,
    Confirm,
}

/// Where a sink stands.
pub struct Place<'m> {
    pub model: &'m Model<'m>,
    pub replica: Replicas,
    pub loads: &'m [Load],
}

/// A replica that lags more is not folded on.
const LAG_MAX: u32 = 60;

impl Sink {
    pub fn new(writer: u8) -> Sink {
        Sink {
            writer,
            ..Sink::default()
        }
    }

    pub fn is_idle(&self, loads: usize) -> bool {
        usize::from(self.confirmed) == loads
    }

    pub fn is_fresh(&self) -> bool {
        self.inserted == self.confirmed && !self.said && !self.facts
    }

    pub fn steps(&self, at: &Place, store: &Store) -> Vec<SinkStep> {
        let mut steps = Vec::new();
        if self.is_gone {
            return steps;
        }
        let ahead = self.inserted - self.confirmed;
        if usize::from(self.inserted) < at.loads.len() && ahead <= at.model.scenario.ahead {
            steps.push(self.insert_step(at));
        }
        let confirms_early = !at.model.holds(Rule::ConfirmLast);
        if self.noted || confirms_early && self.confirmed < self.inserted {
            steps.push(SinkStep::Confirm);
            return steps;
        }
        match &self.fold {
            Some(fold) => match fold.todo(at.model) {
                Todo::Read => steps.extend(self.may_read(at, store)),
                Todo::Insert(_) => steps.push(SinkStep::Lives),
                Todo::Done => steps.push(SinkStep::Note),
            },
            None if self.folded_until < self.inserted => steps.extend(self.may_read(at, store)),
            None => {}
        }
        steps
    }

    fn may_read(&self, at: &Place, store: &Store) -> Option<SinkStep> {
        let lag = store.lag(at.replica).unwrap_or(0);
        (lag <= LAG_MAX).then_some(SinkStep::Read)
    }

    fn insert_step(&self, at: &Place) -> SinkStep {
        let has_said = at.says(self.inserted);
        match at.model.holds(Rule::SaidFirst) {
            true if has_said && !self.said => SinkStep::Said,
            true => SinkStep::Facts,
            false if !self.facts => SinkStep::Facts,
            false => SinkStep::Said,
        }
    }

    /// The INSERT that a step begins, if it is one that takes time; or that it is refused.
    pub fn insert(&self, step: SinkStep, at: &Place, store: &Store) -> Option<Result<Insert, ()>> {
        match step {
            SinkStep::Facts => {
                let load = at.loads[usize::from(self.inserted)];
                let rows = load.iter().map(|fact| {
                    let event_at = at.model.scenario.facts[usize::from(*fact)].event_at;
                    Logged {
                        block: 0,
                        slot: store.slot(),
                        fact: *fact,
                        late: i64::from(store.now) - event_at / 1_000_000 > 300,
                        writer: self.writer,
                        load: self.inserted,
                        seen: 0,
                        stored_at: 0,
                    }
                });
                Some(Ok(Insert::Facts(rows.collect())))
            }
            SinkStep::Lives => {
                let Some(Todo::Insert(rows)) = self.fold.as_ref().map(|it| it.todo(at.model))
                else {
                    unreachable!("it inserts");
                };
                let known = at.model.rows.borrow();
                let refused = at.model.holds(Rule::Fence) && store.refuses(&rows, &known);
                Some(if refused {
                    Err(())
                } else {
                    Ok(Insert::Lives(rows))
                })
            }
            _ => None,
        }
    }

    /// An INSERT of a step has ended.
    pub fn inserted(&mut self, step: SinkStep, at: &Place, done: bool) {
        let fold = self.fold.as_mut();
        match step {
            SinkStep::Facts => {
                self.facts = true;
                self.next_load(at);
            }
            SinkStep::Lives if done => fold.expect("it folds").inserted(at.model),
            SinkStep::Lives => fold.expect("it folds").refused(at.model),
            _ => unreachable!("no INSERT"),
        }
    }

    fn next_load(&mut self, at: &Place) {
        let has_said = at.says(self.inserted);
        if self.facts && (self.said || !has_said) {
            self.inserted += 1;
            (self.said, self.facts) = (false, false);
        }
    }

    /// Takes a step that is no INSERT into a table with a clock.
    pub fn step(&mut self, step: SinkStep, at: &Place, store: &mut Store) {
        match step {
            SinkStep::Said => {
                let facts = at.loads[usize::from(self.inserted)].iter();
                let said = facts
                    .filter(|fact| at.model.scenario.facts[usize::from(**fact)].said.is_some());
                for fact in said {
                    store.say(*fact, at.seen());
                }
                self.said = true;
                self.next_load(at);
            }
            SinkStep::Read => {
                if self.fold.is_none() {
                    self.folded_from = self.folded_until;
                    self.folded_until = self.inserted;
                    let loads = self.folded_from..self.folded_until;
                    let scope = loads.into_iter().any(|load| at.is_of_scope(load));
                    self.fold = Some(Folding::new(at.model, scope, false));
                }
                let fold = self.fold.as_mut().expect("was begun");
                fold.read(at.model, store, at.replica);
            }
            SinkStep::Note => {
                let loads = self.folded_from..self.folded_until;
                loads.for_each(|load| store.note(self.writer, load));
                self.fold = None;
                self.noted = self.confirmed < self.folded_until;
                if self.noted && at.model.scenario.crashes_max == 0 {
                    // Nothing can come between.
                    self.step(SinkStep::Confirm, at, store);
                }
            }
            SinkStep::Confirm => {
                self.confirmed = match at.model.holds(Rule::ConfirmLast) {
                    true => self.folded_until,
                    false => self.inserted,
                };
                self.noted = false;
            }
            SinkStep::Facts | SinkStep::Lives => unreachable!("an INSERT"),
        }
    }

    /// The process ends, and another begins with what was not confirmed, if it does.
    pub fn crash(&mut self, for_good: bool, writer: u8) {
        *self = Sink {
            writer,
            inserted: self.confirmed,
            folded_until: self.confirmed,
            confirmed: self.confirmed,
            is_gone: for_good,
            ..Sink::default()
        };
    }
}

impl Place<'_> {
    fn facts(&self, load: u8) -> impl Iterator<Item = &super::facts::Fact> {
        let facts = self.loads[usize::from(load)].iter();
        facts.map(|fact| &self.model.scenario.facts[usize::from(*fact)])
    }

    fn says(&self, load: u8) -> bool {
        self.facts(load).any(|fact| fact.said.is_some())
    }

    fn is_of_scope(&self, load: u8) -> bool {
        self.facts(load).any(super::facts::Fact::is_of_scope)
    }

    /// Who sees what is stored here.
    pub fn seen(&self) -> Replicas {
        match self.model.scenario.replicated {
            true => self.replica,
            false => super::store::ALL,
        }
    }
}
