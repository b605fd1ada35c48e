//! A state of the model, and the steps that lead out of it.

use super::model::Model;
use super::reader::{Reader, ReaderStep};
use super::reconcile::{self, Reconcile};
use super::scenario::Jump;
use super::sink::{self, Sink, SinkStep};
use super::store::{ALL, INSERT_SECONDS, Insert, Replicas, Store};

/// Who takes a step, and which.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Sink(usize, SinkStep),
    /// An INSERT begins, and the clock jumps before it ends.
    SinkBegins(usize, SinkStep, u32),
    /// An INSERT begins, and its process ends.
    SinkDies(usize, SinkStep),
    Crash(usize),
    Reconcile(usize),
    ReconcileBegins(usize, u32),
    /// An INSERT that took its time ends.
    Ends(usize),
    Reader(usize, ReaderStep),
    Sync(Replicas),
    Clock(Jump),
}

/// An INSERT that has begun.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct UnderWay {
    /// Nobody waits for it where its process has ended.
    pub by: Option<By>,
    insert: Insert,
    seen: Replicas,
    pub begun: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum By {
    Sink(usize, bool),
    Reconcile(usize),
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct State {
    pub store: Store,
    pub sinks: Vec<Sink>,
    pub reconciles: Vec<Reconcile>,
    pub readers: Vec<Reader>,
    pub under_way: Vec<UnderWay>,
    pub jumps: u8,
    pub crashes: u8,
    pub was_set_back: bool,
    writers: u8,
}

impl State {
    pub fn new(model: &Model, store: Store) -> State {
        let scenario = model.scenario;
        let sinks = (1..).zip(&scenario.sinks);
        let sinks = sinks.map(|(writer, _)| Sink::new(writer));
        State {
            store,
            sinks: sinks.collect(),
            reconciles: vec![Reconcile::default(); scenario.reconciles.len()],
            readers: vec![Reader::default(); scenario.readers.len()],
            writers: scenario.sinks.len() as u8,
            ..State::default()
        }
    }

    fn sink<'m>(model: &'m Model<'m>, number: usize) -> sink::Place<'m> {
        let (replica, loads) = &model.scenario.sinks[number];
        sink::Place {
            model,
            replica: *replica,
            loads,
        }
    }

    pub fn reconcile<'m>(model: &'m Model<'m>, number: usize) -> reconcile::Place<'m> {
        let replica = model.scenario.reconciles.get(number).map_or(1, |it| it.0);
        reconcile::Place { model, replica }
    }

    fn waits(&self, by: By) -> bool {
        self.under_way.iter().any(|it| it.by == Some(by))
    }

    /// All steps but jumps of the clock and crashes.
    pub fn steps(&self, model: &Model) -> Vec<Step> {
        let mut steps: Vec<Step> = (0..self.under_way.len()).map(Step::Ends).collect();
        for (number, sink) in self.sinks.iter().enumerate() {
            let at = State::sink(model, number);
            let of = sink.steps(&at, &self.store).into_iter();
            let of = of.filter(|step| !self.waits(By::Sink(number, *step == SinkStep::Lives)));
            steps.extend(of.map(|step| Step::Sink(number, step)));
        }
        for (number, reconcile) in self.reconciles.iter().enumerate() {
            let at = State::reconcile(model, number);
            let due = || Reconcile::due(&at, &self.store).is_some_and(|due| due <= self.store.now);
            let begins = reconcile.rounds < model.scenario.reconciles[number].1 && due();
            if !self.waits(By::Reconcile(number)) && (!reconcile.is_idle() || begins) {
                steps.push(Step::Reconcile(number));
            }
        }
        for (number, reader) in self.readers.iter().enumerate() {
            let of = reader.steps().into_iter();
            steps.extend(of.map(|step| Step::Reader(number, step)));
        }
        if model.scenario.replicated {
            // The first one reconciles, and is synced then.
            let lags = self.store.lag(2).is_some();
            steps.extend(lags.then_some(Step::Sync(2)));
        }
        steps
    }

    fn set_clock(&mut self, now: u32) {
        self.store.now = now;
        self.under_way.retain(|it| it.begun + INSERT_SECONDS >= now);
    }

    /// Takes a step.
    pub fn take(&mut self, model: &Model, step: Step) -> Result<(), String> {
        match step {
            Step::Sink(number, of) => return self.sink_step(model, number, of),
            Step::SinkBegins(number, of, by) => {
                self.jumps += 1;
                self.begin_sink(model, number, of, true);
                self.set_clock(self.store.now + by);
            }
            Step::SinkDies(number, of) => {
                self.begin_sink(model, number, of, false);
                self.crash(model, number);
            }
            Step::Crash(number) => self.crash(model, number),
            Step::Reconcile(number) => {
                let at = State::reconcile(model, number);
                match self.reconciles[number].insert(&at, &self.store) {
                    Some(Ok(insert)) => {
                        self.store.commit(&insert, seen(model, at.replica));
                        self.reconciles[number].inserted(&at, true);
                    }
                    Some(Err(())) => self.reconciles[number].inserted(&at, false),
                    None => self.reconciles[number].step(&at, &mut self.store),
                }
            }
            Step::ReconcileBegins(number, by) => {
                self.jumps += 1;
                let at = State::reconcile(model, number);
                if let Some(Ok(insert)) = self.reconciles[number].insert(&at, &self.store) {
                    self.begin(Some(By::Reconcile(number)), insert, seen(model, at.replica));
                }
                self.set_clock(self.store.now + by);
            }
            Step::Ends(number) => self.end(model, number),
            Step::Reader(number, of) => {
                let replica = model.scenario.readers[number];
                return self.readers[number].step(of, model, &self.store, replica);
            }
            Step::Sync(replica) => self.store.sync(replica),
            Step::Clock(jump) => {
                let now = self.jumped(model, jump).expect("it may jump");
                self.was_set_back |= matches!(jump, Jump::Back(_));
                self.jumps += 1;
                self.set_clock(now);
            }
        }
        Ok(())
    }

    fn sink_step(&mut self, model: &Model, number: usize, of: SinkStep) -> Result<(), String> {
        let at = State::sink(model, number);
        let sink = &mut self.sinks[number];
        match sink.insert(of, &at, &self.store) {
            Some(Ok(insert)) => {
                self.store.commit(&insert, at.seen());
                sink.inserted(of, &at, true);
            }
            Some(Err(())) => sink.inserted(of, &at, false),
            None => {
                let before = sink.confirmed;
                sink.step(of, &at, &mut self.store);
                let confirmed = before..sink.confirmed;
                for load in confirmed {
                    super::check::is_stored(model, &self.store, at.loads[usize::from(load)])?;
                }
            }
        }
        Ok(())
    }

    fn begin_sink(&mut self, model: &Model, number: usize, of: SinkStep, waits: bool) {
        let at = State::sink(model, number);
        if let Some(Ok(insert)) = self.sinks[number].insert(of, &at, &self.store) {
            let by = By::Sink(number, of == SinkStep::Lives);
            self.begin(waits.then_some(by), insert, at.seen());
        }
    }

    fn begin(&mut self, by: Option<By>, insert: Insert, seen: Replicas) {
        self.under_way.push(UnderWay {
            by,
            insert,
            seen,
            begun: self.store.now,
        });
    }

    fn end(&mut self, model: &Model, number: usize) {
        let UnderWay {
            by, insert, seen, ..
        } = self.under_way.remove(number);
        self.store.commit(&insert, seen);
        match by {
            Some(By::Sink(number, lives)) => {
                let step = if lives {
                    SinkStep::Lives
                } else {
                    SinkStep::Facts
                };
                self.sinks[number].inserted(step, &State::sink(model, number), true);
            }
            Some(By::Reconcile(number)) => {
                self.reconciles[number].inserted(&State::reconcile(model, number), true);
            }
            None => {}
        }
    }

    fn crash(&mut self, model: &Model, number: usize) {
        self.crashes += 1;
        self.writers += 1;
        for under_way in &mut self.under_way {
            if matches!(under_way.by, Some(By::Sink(sink, _)) if sink == number) {
                under_way.by = None;
            }
        }
        self.sinks[number].crash(model.scenario.for_good, self.writers);
    }
}

fn seen(model: &Model, replica: Replicas) -> Replicas {
    match model.scenario.replicated {
        true => replica,
        false => ALL,
    }
}
