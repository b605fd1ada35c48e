//! What the model is made of, which rules hold, and the folds: the program's own, asked step by step.

use std::cell::RefCell;
use std::collections::HashMap;
use std::hash::BuildHasherDefault;
use std::rc::Rc;

use bygone::lives::Name;
use bygone::lives::plan::{Answer, Answers, Insert, Plan, Step};
use bygone::lives::read::{InstanceRow, LogRow, PodRow};

use super::facts::{CLUSTER, Fact, NAMESPACE, NODE, POD, name};
use super::hash::Short;
use super::rows::{RowId, Rows};
use super::rule::Rule;
use super::scenario::Scenario;
use super::store::{Replicas, SLOT_SECONDS, Store};

/// What a fold has read, in its order.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Got {
    /// Facts with their place and whether they came late; and the server's time.
    Log(Vec<(u8, u64, bool)>, u32),
    Recent(Vec<RowId>, u32),
    Now(u32),
    Ended(Vec<RowId>),
    Said(Vec<u8>),
    /// Of these pods.
    Instances(Vec<u128>, Vec<RowId>),
    Wrote,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Asked {
    /// What was said of the node is folded.
    pub scope: bool,
    pub raced: bool,
    pub got: Vec<Got>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    Log,
    Recent,
    Now,
    Ended,
    Said,
    Instances(Vec<u128>),
    Write(Vec<Vec<RowId>>),
    Done,
}

/// What a fold has asked and read, by number.
pub type AskedId = u32;

type Quick = BuildHasherDefault<Short>;

#[derive(Default)]
struct Folds {
    ids: HashMap<Asked, AskedId, Quick>,
    /// What comes of a fold that has got one more.
    and: HashMap<(AskedId, Got), AskedId, Quick>,
    all: Vec<(Asked, Rc<Next>)>,
}

/// A scenario, and everything that was found out on the way.
pub struct Model<'s> {
    pub scenario: &'s Scenario,
    off: Option<Rule>,
    pub rows: RefCell<Rows>,
    folds: RefCell<Folds>,
}

impl<'s> Model<'s> {
    pub fn new(scenario: &'s Scenario, off: Option<Rule>) -> Model<'s> {
        Model {
            scenario,
            off,
            rows: RefCell::default(),
            folds: RefCell::default(),
        }
    }

    pub fn holds(&self, rule: Rule) -> bool {
        self.off != Some(rule)
    }

    fn facts(&self) -> &[Fact] {
        &self.scenario.facts
    }

    pub fn folds(&self) -> usize {
        self.folds.borrow().all.len()
    }

    /// The number of a fold that has read this.
    pub fn asked(&self, asked: Asked) -> AskedId {
        if let Some(id) = self.folds.borrow().ids.get(&asked) {
            return *id;
        }
        let next = Rc::new(self.ask(&asked));
        let mut folds = self.folds.borrow_mut();
        let id = folds.all.len() as AskedId;
        folds.all.push((asked.clone(), next));
        folds.ids.insert(asked, id);
        id
    }

    /// The same fold, when it has got this too.
    pub fn and(&self, id: AskedId, got: Got) -> AskedId {
        let step = (id, got);
        if let Some(and) = self.folds.borrow().and.get(&step) {
            return *and;
        }
        let mut asked = self.folds.borrow().all[id as usize].0.clone();
        asked.got.push(step.1.clone());
        let and = self.asked(asked);
        self.folds.borrow_mut().and.insert(step, and);
        and
    }

    /// The same fold once more, after a failure.
    pub fn again(&self, id: AskedId) -> AskedId {
        let mut asked = self.folds.borrow().all[id as usize].0.clone();
        asked.got.clear();
        asked.raced |= self.holds(Rule::AnewAfterFailure);
        self.asked(asked)
    }

    /// What a fold does next.
    pub fn next(&self, id: AskedId) -> Rc<Next> {
        self.folds.borrow().all[id as usize].1.clone()
    }

    pub fn has_written(&self, id: AskedId) -> bool {
        self.folds.borrow().all[id as usize]
            .0
            .got
            .contains(&Got::Wrote)
    }

    fn ask(&self, asked: &Asked) -> Next {
        let names = [name()];
        let scopes = [Name {
            cluster: CLUSTER.into(),
            namespace: String::new(),
            pod: NODE.into(),
        }];
        let scopes = if asked.scope { &scopes[..] } else { &[] };
        let raced = asked.raced && self.holds(Rule::AllRowsAnew);
        let answers = Answers::new();
        let mut plan = Plan::new(&answers, &names, scopes, raced);
        for got in &asked.got {
            plan.take(self.answer(got));
        }
        match plan.next() {
            Step::Log(_) => Next::Log,
            Step::Recent(_) => Next::Recent,
            Step::Now => Next::Now,
            Step::Ended(_) => Next::Ended,
            Step::Said(_) => Next::Said,
            Step::Instances(pods) => {
                Next::Instances(pods.into_iter().map(|(_, uid)| uid).collect())
            }
            Step::Done => Next::Done,
            Step::Write(changed) => {
                assert!(changed.refused.is_empty(), "{:?}", changed.refused);
                Next::Write(self.inserts(changed.inserts()))
            }
        }
    }

    fn inserts(&self, inserts: [Insert; 2]) -> Vec<Vec<RowId>> {
        let mut rows = self.rows.borrow_mut();
        let inserts = inserts.into_iter().map(|insert| match insert {
            Insert::Containers(new) => new.iter().map(|row| rows.container(row)).collect(),
            Insert::Pods(new) => new.iter().map(|row| rows.pod(row, self.facts())).collect(),
        });
        let mut inserts: Vec<Vec<RowId>> = inserts.collect();
        inserts.retain(|rows| !rows.is_empty());
        if !self.holds(Rule::ContainersFirst) {
            inserts.reverse();
        }
        inserts
    }

    fn answer(&self, got: &Got) -> Answer {
        match got {
            Got::Log(facts, read_at) => {
                let rows = facts.iter().map(|(fact, place, late)| {
                    let fact = &self.facts()[usize::from(*fact)];
                    LogRow {
                        cluster: fact.name.cluster.clone(),
                        namespace: fact.name.namespace.clone(),
                        pod: fact.name.pod.clone(),
                        pod_uid: uuid::Uuid::from_u128(fact.pod_uid),
                        event_at: fact.event_at,
                        late: (*late).into(),
                        place: *place,
                        body: serde_bytes::ByteBuf::from(fact.body.clone()),
                        read_at: *read_at,
                    }
                });
                Answer::Log(rows.collect())
            }
            Got::Recent(rows, now) => Answer::Recent(self.pods(rows, false, *now)),
            Got::Now(now) => Answer::Now(*now),
            Got::Ended(rows) => Answer::Ended(self.pods(rows, true, 0)),
            Got::Said(facts) => {
                let said = facts.iter().map(|fact| &self.facts()[usize::from(*fact)]);
                Answer::Said(said.filter_map(|fact| fact.said.clone()).collect())
            }
            Got::Instances(pods, rows) => {
                let pods = pods.iter().map(|uid| (name(), *uid));
                Answer::Instances(pods.collect(), self.instances(rows))
            }
            Got::Wrote => Answer::Wrote,
        }
    }

    fn pods(&self, ids: &[RowId], filed: bool, asked_at: u32) -> Vec<PodRow> {
        let known = self.rows.borrow();
        let rows = ids.iter().filter_map(|id| {
            let row = known.row(*id);
            let pod = row.pod.as_ref()?;
            Some(PodRow {
                cluster: CLUSTER.into(),
                namespace: NAMESPACE.into(),
                pod: POD.into(),
                pod_uid: uuid::Uuid::from_u128(row.pod_uid),
                version: row.version,
                read_at: row.read_at,
                over_at: row.over_at,
                returned: (row.returned || filed).into(),
                judged: pod.judged,
                copied: pod.copied,
                last_seen: pod.last_seen,
                state: serde_bytes::ByteBuf::from(pod.state.clone()),
                asked_at,
            })
        });
        rows.collect()
    }

    fn instances(&self, ids: &[RowId]) -> Vec<InstanceRow> {
        let known = self.rows.borrow();
        let rows = ids.iter().map(|id| known.row(*id));
        rows.filter_map(|row| {
            let instance = row.instance.as_ref()?;
            Some(instance.row(CLUSTER, row.pod_uid, row.version))
        })
        .collect()
    }

    /// Reads what a fold asks for.
    pub fn read(&self, id: AskedId, next: &Next, store: &Store, replica: Replicas) -> Got {
        match next {
            Next::Log => {
                let rows = store.facts.iter().filter(|row| row.seen & replica != 0);
                let scope = self.folds.borrow().all[id as usize].0.scope;
                let rows =
                    rows.filter(|row| scope || !self.facts()[usize::from(row.fact)].is_of_scope());
                // As `schema/lives/log.sql`.
                let place = |slot: u32, block: u32| {
                    let room = if self.holds(Rule::RoomBetweenPlaces) {
                        256
                    } else {
                        1
                    };
                    match self.holds(Rule::VersionFromPlace) {
                        true => (u64::from(slot / SLOT_SECONDS) << 40) + u64::from(block) * room,
                        false => 0,
                    }
                };
                let rows = rows.map(|row| (row.fact, place(row.slot, row.block), row.late));
                Got::Log(rows.collect(), store.now)
            }
            Next::Recent => Got::Recent(self.recent(store, replica), store.now),
            Next::Now => Got::Now(store.now),
            Next::Ended => {
                let rows = store.ended.iter();
                let rows = rows.filter(|row| row.seen & replica != 0 && !row.moved);
                Got::Ended(self.newest(rows.map(|row| row.row).collect()))
            }
            Next::Said => Got::Said(store.said(replica)),
            Next::Instances(pods) => {
                let recent = store.recent.iter().filter(|row| row.seen & replica != 0);
                let filed = store.ended.iter();
                let filed = filed.filter(|row| row.seen & replica != 0 && !row.moved);
                let rows = recent.map(|row| row.row).chain(filed.map(|row| row.row));
                let known = self.rows.borrow();
                let rows = rows.filter(|id| {
                    let row = known.row(*id);
                    row.instance.is_some() && pods.contains(&row.pod_uid)
                });
                Got::Instances(pods.clone(), rows.collect())
            }
            Next::Write(_) | Next::Done => unreachable!("nothing is read"),
        }
    }

    pub fn recent(&self, store: &Store, replica: Replicas) -> Vec<RowId> {
        let known = self.rows.borrow();
        let rows = store.recent.iter().filter(|row| row.seen & replica != 0);
        let pods = rows.filter(|part| known.row(part.row).pod.is_some());
        let pods = pods.map(|part| part.row).collect();
        drop(known);
        self.newest(pods)
    }

    fn newest(&self, mut rows: Vec<RowId>) -> Vec<RowId> {
        if self.holds(Rule::AllVersions) {
            return rows;
        }
        let known = self.rows.borrow();
        let versions: Vec<(u8, u64)> = rows
            .iter()
            .map(|id| (known.row(*id).key, known.row(*id).version))
            .collect();
        rows.retain(|id| {
            let row = known.row(*id);
            let mut others = versions.iter();
            !others.any(|(key, version)| *key == row.key && *version > row.version)
        });
        rows
    }
}
