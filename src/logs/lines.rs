//! The lines of several instances out of several stores, merged by time.

mod again;

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::conditions::{conditions, names};
use super::explain::{Attempt, Sent, Trial};
use super::grep::Grep;
use super::identity::Identity;
use super::instance::Instance;
use super::layout::TimeIs;
use super::line::{Given, Line};
use super::overlap::Overlap;
use super::query::Query;
use super::reasons::{self, Missed};
use super::span::Span;
use super::store::{Pages, Store};
use super::tail::Tail;
use super::{Error, OPEN_MAX, PAGE_LINES};

/// Of how many instances and stores without lines one answer looks for the reason, and how long it does.
const EXAMINED_MAX: usize = 5;
const EXAMINE_SECONDS_MAX: u64 = 10;

/// How the lines are wanted.
#[derive(Clone, Debug)]
pub struct Ask {
    /// Only lines from here, and before there.
    pub from: Option<Timestamp>,
    pub until: Option<Timestamp>,
    /// The last `lines_max` lines, which are read newest first. They are given in the order of time all the same.
    pub newest_first: bool,
    pub grep: Option<Grep>,
    /// At most so many lines in all.
    pub lines_max: Option<u64>,
    /// Whether to go on with what comes later ([`super::Follow`]).
    pub follow: bool,
    /// Whether to say what the stores were asked.
    pub explain: bool,
    /// What runs ends here.
    pub now: Timestamp,
}

/// How an answer came about.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Summary {
    pub lines: u64,
    /// Whether a limit cut it: there are more.
    pub more: bool,
    /// Whether fewer of the last lines are given than were asked for: no more than 32 MiB of them are held.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub tail_cut: bool,
    pub parts: Vec<Part>,
    /// Of so many parts without lines the reason was not looked for: there are too many, or it took too long.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub not_examined: u64,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes it so")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// What one store had of one instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Part {
    pub store: String,
    pub cluster: String,
    pub namespace: String,
    pub pod: String,
    pub pod_uid: uuid::Uuid,
    pub container: String,
    pub restart: u32,
    pub lines: u64,
    /// By what its lines were found; without lines the last that was tried.
    pub identity: Option<Identity>,
    /// What is not certain.
    pub uncertain: Vec<String>,
    /// With `explain`: what the store was asked, and what came back.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attempts: Vec<Attempt>,
    /// Why it has no lines, as far as that was found out. For people.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub why: Vec<String>,
}

/// An answer on its way.
pub struct Lines {
    ask: Ask,
    /// In the order in which their time comes, the next one last.
    waiting: Vec<Reader>,
    open: Vec<Reader>,
    /// Which of the open ones has given its page. Its next one is read when the next line is wanted, and not before.
    emptied: Option<usize>,
    done: Vec<Reader>,
    /// Lines that were read newest first and are not given yet.
    tail: Tail,
    is_tail_read: bool,
    tail_began: Option<Timestamp>,
    given: u64,
    more: bool,
    tail_cut: bool,
    not_examined: u64,
}

impl Lines {
    pub(super) fn new(stores: &[Arc<Store>], instances: Vec<Instance>, ask: Ask) -> Lines {
        let mut lines = Lines {
            waiting: Vec::new(),
            open: Vec::new(),
            emptied: None,
            done: Vec::new(),
            tail: Tail::default(),
            is_tail_read: !ask.newest_first,
            tail_began: None,
            ask,
            given: 0,
            more: false,
            tail_cut: false,
            not_examined: 0,
        };
        for instance in instances {
            lines.add(stores, instance);
        }
        lines.sort();
        lines.share();
        lines
    }

    fn add(&mut self, stores: &[Arc<Store>], instance: Instance) {
        let instance = Arc::new(instance);
        let holders = stores.iter().filter(|store| store.holds(&instance.cluster));
        let readers = holders.map(|store| Reader::new(store, &instance, &self.ask));
        self.waiting.extend(readers);
    }

    fn sort(&mut self) {
        let waiting = &mut self.waiting;
        match self.ask.newest_first {
            false => waiting.sort_by_key(|reader| std::cmp::Reverse(reader.reach.from)),
            true => waiting.sort_by_key(|reader| reader.reach.until),
        }
    }

    /// The next line, or `None` at the end.
    ///
    /// # Errors
    ///
    /// As [`Error`] says. The lines before stay true, but are not all.
    pub async fn next(&mut self) -> Result<Option<Given>, Error> {
        if self.is_tail_read {
            return match self.tail.pop() {
                Some(given) => Ok(Some(given)),
                None if self.ask.newest_first => Ok(None),
                None => self.read_next().await,
            };
        }
        while let Some(given) = self.read_next().await? {
            self.tail.push(given);
        }
        self.is_tail_read = true;
        let first = self.tail.pop();
        self.tail_began = first.as_ref().map(|first| first.line.at);
        Ok(first)
    }

    /// The next line in the order in which the stores are read.
    async fn read_next(&mut self) -> Result<Option<Given>, Error> {
        loop {
            if let Some(index) = self.emptied.take() {
                let reader = self.open.swap_remove(index);
                self.read(reader).await?;
            }
            let first = self.first();
            // Who may have lines before that is opened before it is given.
            let is_due = |reader: &Reader| match first {
                None => true,
                Some((_, at)) if self.ask.newest_first => reader.reach.until > at,
                Some((_, at)) => reader.reach.from <= at,
            };
            if self.waiting.last().is_some_and(is_due) {
                let reader = self.waiting.pop().expect("there is a last one");
                self.read(reader).await?;
                continue;
            }
            let Some((index, _)) = first else {
                return Ok(None);
            };
            if self.ask.lines_max == Some(self.given) {
                self.more = true;
                return Ok(None);
            }
            let reader = &mut self.open[index];
            let has_room = |line| self.tail.has_room(line);
            if self.ask.newest_first && !reader.page.front().is_some_and(has_room) {
                (self.more, self.tail_cut) = (true, true);
                return Ok(None);
            }
            self.given += 1;
            let line = reader.page.pop_front().expect("an open reader has a line");
            reader.lines += 1;
            let instance = reader.instance.clone();
            self.emptied = reader.page.is_empty().then_some(index);
            return Ok(Some(Given { line, instance }));
        }
    }

    /// The open reader whose line comes next, and that line's time.
    fn first(&self) -> Option<(usize, Timestamp)> {
        let times = self.open.iter().enumerate();
        let times = times.filter_map(|(index, reader)| Some((index, reader.page.front()?.at)));
        match self.ask.newest_first {
            false => times.min_by_key(|(index, at)| (*at, self.open[*index].number)),
            true => times.max_by_key(|(index, at)| (*at, self.open[*index].number)),
        }
    }

    /// Sees to it that a reader has its next line, or is done. It is among the open ones meanwhile, so that a summary
    /// has it when this fails, or is not waited for.
    async fn read(&mut self, reader: Reader) -> Result<(), Error> {
        self.open.push(reader);
        let reader = self.open.last_mut().expect("it was pushed");
        if reader.page.is_empty() {
            reader.fill(&self.ask).await?;
        }
        if reader.page.is_empty() {
            self.done.extend(self.open.pop());
        } else if self.open.len() > OPEN_MAX {
            return Err(Error::TooMany {
                count: self.open.len(),
            });
        }
        Ok(())
    }

    /// After the last line: looks for the reasons why instances have none in any store. Of those that `grep` left out
    /// only where there is no line at all: the others are as was asked.
    pub async fn examine(&mut self) {
        if self.more || (self.ask.grep.is_some() && self.given > 0) {
            return;
        }
        let deadline = tokio::time::Instant::now() + Duration::from_secs(EXAMINE_SECONDS_MAX);
        let mut tried = HashSet::new();
        for (number, reader) in missed(&mut self.done).into_iter().enumerate() {
            if number >= EXAMINED_MAX {
                self.not_examined += 1;
                continue;
            }
            let mut why = Vec::new();
            // What one instance says of a preset, all others would.
            let tries_presets = tried.insert(reader.store.name.clone());
            let missed = Missed {
                of: &reader.instance.clone(),
                store: &reader.store.clone(),
                from: self.ask.from,
                until: self.ask.until,
                has_grep: self.ask.grep.is_some(),
                is_found: reader.is_found,
                absent: &reader.absent.clone(),
                tries_presets,
                now: self.ask.now,
            };
            let looking = missed.look(&mut why);
            let is_late = tokio::time::timeout_at(deadline, looking).await.is_err();
            self.not_examined += u64::from(is_late);
            reader.why = why;
        }
    }

    /// After the last line: how the answer came about.
    #[must_use]
    pub fn summary(&self) -> Summary {
        let begun = self.done.iter().chain(&self.open);
        // Of an answer that is followed some wait to be read again.
        let again = self
            .waiting
            .iter()
            .filter(|reader| reader.identity.is_some());
        let mut parts: Vec<Part> = begun.chain(again).map(Reader::part).collect();
        parts.sort_by(|one, other| key(one).cmp(&key(other)));
        Summary {
            lines: self.given,
            more: self.more,
            tail_cut: self.tail_cut,
            parts,
            not_examined: self.not_examined,
        }
    }
}

/// Those whose instances have no lines in any store, the newest first: they are what people mostly ask about.
fn missed(done: &mut [Reader]) -> Vec<&mut Reader> {
    let with_lines = done.iter().filter(|reader| reader.lines > 0);
    let with_lines: HashSet<_> = with_lines
        .map(|reader| Arc::as_ptr(&reader.instance))
        .collect();
    let newest_first = done.iter_mut().rev();
    newest_first
        .filter(|reader| !with_lines.contains(&Arc::as_ptr(&reader.instance)))
        .collect()
}

fn key(part: &Part) -> (&str, &str, &str, uuid::Uuid, &str, u32, &str) {
    let Part {
        cluster,
        namespace,
        pod,
        container,
        store,
        ..
    } = part;
    (
        cluster,
        namespace,
        pod,
        part.pod_uid,
        container,
        part.restart,
        store,
    )
}

/// One instance in one store.
struct Reader {
    instance: Arc<Instance>,
    store: Arc<Store>,
    /// Orders readers whose lines have one time.
    number: u32,
    /// Where its lines may lie, by any identity.
    reach: Span,
    /// Where it goes on, in an answer that is followed.
    from: Option<Timestamp>,
    /// What was not tried yet, the strongest last.
    identities: Vec<Identity>,
    identity: Option<Identity>,
    pages: Option<Pages>,
    page: VecDeque<Line>,
    lines: u64,
    /// Whether any line came, also one that `grep` left out.
    is_found: bool,
    has_cut_lines: bool,
    /// Fields for stronger identities that no record of the store has.
    absent: Vec<String>,
    /// What was given of its end, in an answer that is followed.
    overlap: Option<Overlap>,
    /// By identity, where that is wanted.
    trials: Vec<Trial>,
    why: Vec<String>,
}

impl Reader {
    fn new(store: &Arc<Store>, instance: &Arc<Instance>, ask: &Ask) -> Reader {
        Reader {
            instance: instance.clone(),
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
    async fn fill(&mut self, ask: &Ask) -> Result<(), Error> {
        loop {
            let pages = match &mut self.pages {
                Some(pages) => pages,
                None => match self.open(ask) {
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

    fn open(&mut self, ask: &Ask) -> Option<Pages> {
        while let Some(identity) = self.identities.pop() {
            self.identity = Some(identity);
            let span = self.instance.span(identity, self.store.slack, ask.now);
            let span = span.within(ask.from, ask.until).within(self.from, None);
            let conditions = conditions(identity, &self.store.fields, &self.instance);
            let Some(conditions) = conditions.filter(|_| !span.is_empty()) else {
                continue;
            };
            let sent = self.sent(identity, ask);
            return Some(
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
            );
        }
        None
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

    fn part(&self) -> Part {
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
            store: self.store.name.clone(),
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
fn reach(instance: &Instance, store: &Store, ask: &Ask) -> Span {
    let life = instance.span(Identity::ContainerId, store.slack, ask.now);
    life.within(ask.from, ask.until)
}

/// By what an instance may be found in a store, the strongest last.
fn identities(instance: &Instance, store: &Store) -> Vec<Identity> {
    let mut identities = store.identities(instance);
    identities.reverse();
    identities
}
