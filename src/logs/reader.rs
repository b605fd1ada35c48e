//! One instance that is read from one store, by the strongest identity that finds a line.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use jiff::Timestamp;

use super::ask::Ask;
use super::conditions::{conditions, names};
use super::explain::{Sent, Trial};
use super::identity::Identity;
use super::instance::Instance;
use super::layout::TimeIs;
use super::line::Line;
use super::neighbours::Neighbours;
use super::overlap::Overlap;
use super::query::Query;
use super::reasons;
use super::span::Span;
use super::store::{Pages, Store};
use super::summary::Part;
use super::{Error, PAGE_LINES};

/// One instance in one store.
pub struct Reader {
    pub instance: Arc<Instance>,
    pub neighbours: Arc<Neighbours>,
    pub store: Arc<Store>,
    /// Orders readers whose lines have one time.
    pub number: u32,
    /// Where its lines may lie, by any identity.
    pub reach: Span,
    /// Where it goes on, in an answer that is followed.
    pub from: Option<Timestamp>,
    /// What was not tried yet, the strongest last.
    pub identities: Vec<Identity>,
    pub identity: Option<Identity>,
    pub pages: Option<Pages>,
    pub page: VecDeque<Line>,
    pub lines: u64,
    /// Whether any line came, also one that `grep` left out.
    pub is_found: bool,
    pub has_cut_lines: bool,
    /// Fields for stronger identities that no record of the store has.
    pub absent: Vec<String>,
    /// What was given of its end, in an answer that is followed.
    pub overlap: Option<Overlap>,
    /// By identity, where that is wanted.
    pub trials: Vec<Trial>,
    pub why: Vec<String>,
}

impl Reader {
    pub fn new(
        store: &Arc<Store>,
        instance: &Arc<Instance>,
        neighbours: &Arc<Neighbours>,
        ask: &Ask,
    ) -> Reader {
        Reader {
            instance: instance.clone(),
            neighbours: neighbours.clone(),
            store: store.clone(),
            number: instance.restart,
            reach: reach(instance, store, ask),
            from: None,
            identities: identities(instance, store),
            identity: None,
            pages: None,
            page: VecDeque::new(),
            lines: 0,
            is_found: false,
            has_cut_lines: false,
            absent: Vec::new(),
            overlap: ask.follow.then(|| Overlap::new(PAGE_LINES)),
            trials: Vec::new(),
            why: Vec::new(),
        }
    }

    /// The next page, by the first identity that finds a line.
    pub async fn fill(&mut self, ask: &Ask) -> Result<(), Error> {
        loop {
            let pages = match &mut self.pages {
                Some(pages) => pages,
                None => match self.open(ask).await? {
                    Some(pages) => self.pages.insert(pages),
                    None => return Ok(()),
                },
            };
            let since = Instant::now();
            let lines = pages.next().await?;
            if let Some(trial) = self.trial() {
                trial.count(&lines, since);
            }
            if lines.is_empty() {
                if self.is_found {
                    return Ok(());
                }
                let pages = self.pages.take();
                let absent = pages.as_ref().and_then(Pages::absent);
                self.absent.extend(absent.map(str::to_owned));
                continue;
            }
            self.is_found = true;
            self.has_cut_lines |= lines.iter().any(|line| line.is_cut);
            let grep = ask.grep.as_ref();
            let overlap = &mut self.overlap;
            let is_wanted = |line: &Line| {
                let is_match = grep.is_none_or(|grep| grep.is_match(&line.text));
                is_match && overlap.as_mut().is_none_or(|overlap| overlap.is_new(line))
            };
            self.page.extend(lines.into_iter().filter(is_wanted));
            if !self.page.is_empty() {
                return Ok(());
            }
        }
    }

    /// Sees to it that it is known where its lines begin and end by this identity.
    pub fn place(&self, identity: Identity) -> impl Future<Output = Result<(), Error>> + use<> {
        let (neighbours, instance) = (self.neighbours.clone(), self.instance.clone());
        async move { neighbours.place(&instance, identity).await }
    }

    async fn open(&mut self, ask: &Ask) -> Result<Option<Pages>, Error> {
        while let Some(identity) = self.identities.pop() {
            self.identity = Some(identity);
            self.place(identity).await?;
            let span = self.instance.span(identity, self.store.slack, ask.now);
            let span = span.within(ask.from, ask.until).within(self.from, None);
            let conditions = conditions(identity, &self.store.fields, &self.instance);
            let Some(conditions) = conditions.filter(|_| !span.is_empty()) else {
                continue;
            };
            let sent = self.sent(identity, ask);
            return Ok(Some(
                self.store.pages(Query {
                    conditions,
                    names: names(&self.store.fields, &self.instance),
                    span,
                    newest_first: ask.newest_first,
                    grep: ask.grep.clone(),
                    // One more tells whether more follow. Where lines come again, some of them are not given.
                    lines_max: ask
                        .lines_max
                        .filter(|_| self.from.is_none())
                        .map(|lines| lines.saturating_add(1)),
                    sent,
                }),
            ));
        }
        Ok(None)
    }

    /// The trial of the identity that is tried.
    fn trial(&mut self) -> Option<&mut Trial> {
        let identity = self.identity;
        let mut trials = self.trials.iter_mut();
        trials.find(|trial| Some(trial.identity()) == identity)
    }

    fn sent(&mut self, identity: Identity, ask: &Ask) -> Sent {
        if ask.explain && self.trial().is_none() {
            self.trials.push(Trial::new(identity));
        }
        self.trial().map(|trial| trial.sent()).unwrap_or_default()
    }

    pub fn part(&self) -> Part {
        let Instance {
            cluster,
            namespace,
            pod,
            uid,
            container,
            restart,
            ..
        } = &*self.instance;
        Part {
            store: self.store.name().to_owned(),
            cluster: cluster.clone(),
            namespace: namespace.clone(),
            pod: pod.clone(),
            pod_uid: *uid,
            container: container.clone(),
            restart: *restart,
            lines: self.lines,
            identity: self.identity,
            uncertain: self.uncertain(),
            attempts: self.trials.iter().map(Trial::attempt).collect(),
            why: self.why(),
        }
    }

    fn why(&self) -> Vec<String> {
        let is_known = self.is_found || !self.why.is_empty();
        let of_fields = reasons::of_fields(&self.absent, "the store").filter(|_| !is_known);
        of_fields.into_iter().chain(self.why.clone()).collect()
    }

    fn uncertain(&self) -> Vec<String> {
        let Some(identity) = self.identity.filter(|_| self.is_found) else {
            return Vec::new();
        };
        let absent = self.absent.iter();
        let mut uncertain: Vec<String> = absent
            .map(|field| format!("no record of the store has field {field}"))
            .collect();
        if self.instance.has_blurred_border(identity) {
            uncertain
                .push("lines at its border may be of the instance before or after it".to_owned());
        }
        if identity == Identity::ContainerId && self.store.container_id_is_uncertain {
            uncertain.push("this agent may write the container ID of another instance".to_owned());
        }
        if self.instance.ended.is_some() && !self.instance.end_seen {
            uncertain.push("its end was not reported: later lines may be missing".to_owned());
        }
        if self.store.time_is == TimeIs::Application {
            uncertain.push("times are the application's own, where its lines have one".to_owned());
        }
        if self.has_cut_lines {
            uncertain.push("lines over 4 MiB are cut".to_owned());
        }
        uncertain
    }
}

/// Where lines may lie, by any identity.
pub fn reach(instance: &Instance, store: &Store, ask: &Ask) -> Span {
    let life = instance.span(Identity::ContainerId, store.slack, ask.now);
    life.within(ask.from, ask.until)
}

/// By what an instance may be found in a store, the strongest last.
pub fn identities(instance: &Instance, store: &Store) -> Vec<Identity> {
    let mut identities = store.identities(instance);
    identities.reverse();
    identities
}
