//! Every way through a scenario. States that were reached before are not left again; how many ways there are is
//! counted all the same.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hash, Hasher};

use super::check;
use super::facts::T0;
use super::hash::Short;
use super::model::Model;
use super::reconcile::{self, Reconcile};
use super::rule::Rule;
use super::scenario::Scenario;
use super::sink::{self, Sink, SinkStep};
use super::state::{State, Step};
use super::store::{ALL, Store};

/// What was explored.
#[derive(Clone, Copy, Debug, Default)]
pub struct Explored {
    pub states: usize,
    pub ways: f64,
    pub folds: usize,
}

struct Explorer<'m> {
    model: &'m Model<'m>,
    /// How many ways lead on from a state.
    known: HashMap<u64, f64, BuildHasherDefault<Short>>,
    path: Vec<Step>,
}

/// Rounds of reconcile after which there must be nothing left to do.
const ROUNDS_MAX: usize = 40;

/// Explores a scenario without a rule, or with all. Fails with the way to what is wrong.
pub fn explore(scenario: &Scenario, off: Option<Rule>) -> Result<Explored, String> {
    let model = Model::new(scenario, off);
    let store = before(&model)?;
    let mut explorer = Explorer {
        model: &model,
        known: HashMap::default(),
        path: Vec::new(),
    };
    let state = State::new(&model, store);
    let ways = explorer.go(&state).map_err(|what| {
        let steps = explorer.path.iter().map(|step| format!("    {step:?}\n"));
        let steps: String = steps.collect();
        format!("{}: {what}\n{steps}", scenario.name)
    })?;
    Ok(Explored {
        states: explorer.known.len(),
        ways,
        folds: model.folds(),
    })
}

impl Explorer<'_> {
    fn go(&mut self, state: &State) -> Result<f64, String> {
        let mut hash = Short::default();
        state.hash(&mut hash);
        let hash = hash.finish();
        if let Some(ways) = self.known.get(&hash) {
            return Ok(*ways);
        }
        let steps = state.steps(self.model);
        let mut ways = 0.0;
        if steps.is_empty() {
            self.finish(state)?;
            ways = 1.0;
        }
        let seldom = state.seldom(self.model, &steps);
        for step in steps.into_iter().chain(seldom) {
            self.path.push(step);
            let mut next = state.clone();
            next.take(self.model, step)?;
            if self.model.scenario.merged {
                next.store.merge(&self.model.rows.borrow());
            }
            check::goes_on(self.model, &state.store, &next.store)?;
            ways += self.go(&next)?;
            self.path.pop();
        }
        self.known.insert(hash, ways);
        Ok(ways)
    }

    /// Nobody has anything left to do but reconcile.
    fn finish(&self, state: &State) -> Result<(), String> {
        let mut store = state.store.clone();
        if self.model.scenario.at_once && state.crashes == 0 {
            check::is_right(self.model, &store).map_err(|what| format!("at once: {what}"))?;
        }
        store.sync(ALL);
        reconcile_all(self.model, &mut store)?;
        check::is_right(self.model, &store)
    }
}

/// Reconciles until nothing is left to do, but to drop the slots that are too new for that.
fn reconcile_all(model: &Model, store: &mut Store) -> Result<(), String> {
    let at = reconcile::Place { model, replica: 1 };
    for _ in 0..ROUNDS_MAX {
        let Some(due) = Reconcile::due(&at, store) else {
            return Ok(());
        };
        store.now = store.now.max(due);
        let mut reconcile = Reconcile::default();
        loop {
            let before = store.clone();
            match reconcile.insert(&at, store) {
                Some(Ok(insert)) => {
                    store.commit(&insert, ALL);
                    reconcile.inserted(&at, true);
                }
                Some(Err(())) => unreachable!("no time goes by"),
                None => reconcile.step(&at, store),
            }
            store.sync(ALL);
            check::goes_on(model, &before, store)?;
            if reconcile.is_idle() {
                break;
            }
        }
    }
    Err(format!("reconcile does not come to an end: {:?}", store))
}

/// The store as it is before the scenario begins.
fn before(model: &Model) -> Result<Store, String> {
    let mut store = Store::default();
    store.now = T0;
    for before in &model.scenario.before {
        let at = sink::Place {
            model,
            replica: before.replica,
            loads: &[before.load],
        };
        let mut sink = Sink::new(if before.died { 9 } else { 8 });
        while !sink.is_idle(1) {
            let step = sink.steps(&at, &store)[0];
            if before.died && step == SinkStep::Read {
                break;
            }
            match sink.insert(step, &at, &store) {
                Some(Ok(insert)) => {
                    store.commit(&insert, at.seen());
                    sink.inserted(step, &at, true);
                }
                Some(Err(())) => unreachable!("no time goes by"),
                None => sink.step(step, &at, &mut store),
            }
        }
        if before.log_lost {
            store.facts.clear();
            store.sync(ALL);
        }
        if before.filed {
            reconcile_all(model, &mut store)?;
        }
        store.now += before.then;
    }
    Ok(store)
}
