//! Steps that a scenario has few of: the clock jumps, a process dies, an INSERT takes its time.

use super::model::Model;
use super::reader::{QUESTION_SECONDS, Reader};
use super::reconcile::Reconcile;
use super::scenario::Jump;
use super::sink::SinkStep;
use super::state::{State, Step};
use super::store::INSERT_SECONDS;

impl State {
    /// The steps that a scenario has few of.
    pub fn seldom(&self, model: &Model, steps: &[Step]) -> Vec<Step> {
        let scenario = model.scenario;
        let mut seldom = Vec::new();
        let may_jump = self.jumps < scenario.jumps_max;
        let may_crash = self.crashes < scenario.crashes_max;
        let short = scenario.jumps.iter().filter_map(|jump| match jump {
            Jump::By(by) if *by <= INSERT_SECONDS && self.may_jump(*by) => Some(*by),
            _ => None,
        });
        for step in steps {
            match *step {
                Step::Sink(number, of @ (SinkStep::Facts | SinkStep::Lives)) => {
                    if may_jump {
                        let begins = short.clone().map(|by| Step::SinkBegins(number, of, by));
                        seldom.extend(begins);
                    }
                    if may_crash {
                        seldom.push(Step::SinkDies(number, of));
                    }
                }
                Step::Reconcile(number) if may_jump => {
                    let at = State::reconcile(model, number);
                    let insert = self.reconciles[number].insert(&at, &self.store);
                    let begins = short.clone().filter(|_| matches!(insert, Some(Ok(_))));
                    seldom.extend(begins.map(|by| Step::ReconcileBegins(number, by)));
                }
                _ => {}
            }
        }
        if may_crash {
            let busy = self.sinks.iter().enumerate();
            let busy = busy.filter(|(_, sink)| !sink.is_gone && !sink.is_fresh());
            seldom.extend(busy.map(|(number, _)| Step::Crash(number)));
        }
        if may_jump {
            let jumps = scenario.jumps.iter();
            let jumps = jumps.filter(|jump| self.jumped(model, **jump).is_some());
            seldom.extend(jumps.map(|jump| Step::Clock(*jump)));
        }
        seldom
    }

    /// What the clock is after a jump, if there can be one.
    pub fn jumped(&self, model: &Model, jump: Jump) -> Option<u32> {
        let now = self.store.now;
        let due = || Reconcile::due(&State::reconcile(model, 0), &self.store);
        let then = match jump {
            Jump::By(by) => now + by,
            Jump::Due => due()?,
            Jump::Back(by) if !self.was_set_back && self.under_way.is_empty() => {
                return Some(now - by);
            }
            Jump::Back(_) => return None,
        };
        (then > now && self.may_jump(then - now)).then_some(then)
    }

    /// No INSERT that somebody waits for takes longer than it may, no question, and no replica that is synced.
    fn may_jump(&self, by: u32) -> bool {
        let then = self.store.now + by;
        let inserts = self.under_way.iter().filter(|it| it.by.is_some());
        let inserts = inserts.map(|it| it.begun + INSERT_SECONDS);
        let readers = self.readers.iter().filter_map(Reader::since);
        let mut until = inserts.chain(readers.map(|since| since + QUESTION_SECONDS));
        until.all(|until| then <= until)
    }
}
