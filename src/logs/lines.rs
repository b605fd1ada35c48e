//! The lines of several instances out of several stores, merged by time.

mod again;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::ask::Ask;
use super::identity::Identity;
use super::instance::Instance;
use super::line::Given;
use super::neighbours::Neighbours;
use super::reader::Reader;
use super::reasons::Missed;
use super::select::Selected;
use super::store::Store;
use super::summary::{Part, Summary, key};
use super::tail::Tail;
use super::{Error, OPEN_MAX};

/// Of how many instances and stores without lines one answer looks for the reason, and how long it does.
const EXAMINED_MAX: usize = 5;
const EXAMINE_SECONDS_MAX: u64 = 10;

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
    pub(super) fn new(stores: &[Arc<Store>], selected: Selected, ask: Ask) -> Lines {
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
        for instance in selected.instances {
            lines.add(stores, instance, &selected.neighbours);
        }
        lines.sort();
        lines.share();
        lines
    }

    fn add(&mut self, stores: &[Arc<Store>], instance: Instance, neighbours: &Arc<Neighbours>) {
        let instance = Arc::new(instance);
        let holders = stores.iter().filter(|store| store.holds(&instance.cluster));
        let readers = holders.map(|store| Reader::new(store, &instance, neighbours, &self.ask));
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
            // Reasons are looked for by every identity; if the history can't be asked, less exactly.
            let place = reader.place(Identity::Names);
            // What one instance says of a preset, all others would.
            let tries_presets = tried.insert(reader.store.name().to_owned());
            let missed = Missed {
                of: &reader.instance,
                store: &reader.store,
                from: self.ask.from,
                until: self.ask.until,
                has_grep: self.ask.grep.is_some(),
                is_found: reader.is_found,
                absent: &reader.absent,
                tries_presets,
                now: self.ask.now,
            };
            let looking = async {
                _ = place.await;
                missed.look(&mut why).await;
            };
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
