//! Reading on: what came into the stores since, of an answer that is followed.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::Lines;
use crate::logs::ask::Ask;
use crate::logs::instance::Instance;
use crate::logs::overlap::LATE;
use crate::logs::reader::{Reader, identities, reach};
use crate::logs::select::Selected;
use crate::logs::span::{earlier, later};
use crate::logs::store::Store;

/// Lines that are remembered to be left out where they come again, of all that is followed, and at least of one
/// instance.
const OVERLAP_LINES_MAX: usize = 100_000;
const OVERLAP_LINES_MIN: usize = 1_000;

/// Instances in stores that a summary lists while it goes on: those that ended first are left out then.
const FOLLOWED_MAX: usize = 1_000;

impl Lines {
    /// Whether lines may come later, at the end of these.
    pub(in crate::logs) fn goes_on(&self) -> bool {
        let is_enough = self.more && !self.ask.newest_first;
        let mut readers = self.readers();
        self.ask.follow && !is_enough && readers.any(|reader| !reader.is_over(self.ask.now))
    }

    /// How many lines were given.
    pub(in crate::logs) fn given(&self) -> u64 {
        self.given
    }

    /// Begins again with what came into the stores since: of the instances as they are now, and of new ones that
    /// `is_meant` does not leave out.
    pub(in crate::logs) fn again(
        &mut self,
        stores: &[Arc<Store>],
        selected: Selected,
        now: Timestamp,
        is_meant: impl Fn(&Instance) -> bool,
    ) {
        let asked_at = std::mem::replace(&mut self.ask.now, now);
        self.end_tail(asked_at);
        let mut readers = std::mem::take(&mut self.waiting);
        readers.append(&mut self.open);
        self.emptied = None;
        readers.append(&mut self.done);
        let (over, mut readers): (Vec<_>, Vec<_>) = readers
            .into_iter()
            .partition(|reader| reader.is_over(asked_at));
        self.done = over;
        let Selected {
            instances,
            neighbours,
            ..
        } = selected;
        for instance in instances {
            let instance = Arc::new(instance);
            let all = readers.iter_mut().chain(&mut self.done);
            let all = all.chain(&mut self.waiting);
            let mut known: Vec<&mut Reader> =
                all.filter(|reader| reader.is_of(&instance)).collect();
            if known.is_empty() && is_meant(&instance) {
                let newest = readers.iter().chain(&self.done);
                let mut newest = newest.filter(|reader| reader.instance.shares_names(&instance));
                if newest.all(|reader| reader.instance.began <= instance.began) {
                    self.add(stores, (*instance).clone(), &neighbours);
                }
                continue;
            }
            for reader in &mut known {
                reader.instance = instance.clone();
                reader.neighbours = neighbours.clone();
            }
        }
        for reader in &mut readers {
            reader.rewind(&self.ask, asked_at);
        }
        self.waiting.append(&mut readers);
        self.sort();
        self.share();
        let count = self.done.len() + self.waiting.len();
        self.done.sort_by_key(|reader| reader.instance.ended);
        let forgotten = count.saturating_sub(FOLLOWED_MAX).min(self.done.len());
        self.done.drain(..forgotten);
    }

    /// Behind the last lines all others follow, and none that was left out before them.
    fn end_tail(&mut self, asked_at: Timestamp) {
        let Ask {
            newest_first,
            lines_max,
            ..
        } = self.ask;
        if newest_first {
            if self.more {
                let first = self.tail_began.filter(|_| lines_max != Some(0));
                let behind = first.map(|at| later(at, SignedDuration::from_nanos(1)));
                self.ask.from = self.ask.from.max(behind.or(Some(asked_at)));
            }
            self.ask.newest_first = false;
            self.ask.lines_max = None;
            self.more = false;
        }
    }

    /// Shares out what is remembered of lines that may come again.
    pub(super) fn share(&mut self) {
        let count = self.waiting.len().max(1);
        let lines_max = (OVERLAP_LINES_MAX / count).max(OVERLAP_LINES_MIN);
        let overlaps = self.waiting.iter_mut();
        let overlaps = overlaps.filter_map(|reader| reader.overlap.as_mut());
        overlaps.for_each(|overlap| overlap.set_max(lines_max));
    }

    fn readers(&self) -> impl Iterator<Item = &Reader> {
        let begun = self.done.iter().chain(&self.open);
        begun.chain(&self.waiting)
    }
}

impl Reader {
    fn is_of(&self, instance: &Instance) -> bool {
        let own = &self.instance;
        let ids = own
            .container_id
            .as_ref()
            .zip(instance.container_id.as_ref());
        own.uid == instance.uid
            && own.container == instance.container
            && own.restart == instance.restart
            && ids.is_none_or(|(one, other)| one == other)
    }

    /// Whether it ended so long before that nothing comes any more.
    fn is_over(&self, now: Timestamp) -> bool {
        self.instance
            .ended
            .is_some_and(|ended| later(ended, LATE) < now)
    }

    /// Begins again, behind what was given. By the identity that found lines, else by each again.
    fn rewind(&mut self, ask: &Ask, asked_at: Timestamp) {
        let Some(overlap) = &mut self.overlap else {
            return;
        };
        // Without a line before, its clock is not known.
        let asked_at = match self.is_found {
            true => asked_at,
            false => earlier(asked_at, self.store.slack),
        };
        self.from = Some(overlap.begin(asked_at));
        self.reach = reach(&self.instance, &self.store, ask).within(self.from, None);
        self.identities = match self.identity.filter(|_| self.is_found) {
            Some(identity) => vec![identity],
            None => identities(&self.instance, &self.store),
        };
        self.pages = None;
        self.page.clear();
        self.absent.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logs::Config;
    use crate::logs::neighbours::Neighbours;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    /// `uid restart began ended`, ended `-` while it runs.
    fn instance(text: &str) -> Instance {
        let parts: Vec<&str> = text.split(' ').collect();
        Instance {
            pod: "web-0".to_owned(),
            uid: uuid::Uuid::from_u128(parts[0].parse().unwrap()),
            restart: parts[1].parse().unwrap(),
            began: parts[2].parse().ok().map(at),
            ended: parts[3].parse().ok().map(at),
            ..Instance::default()
        }
    }

    fn selected(instances: &[&str]) -> Selected {
        Selected {
            instances: instances.iter().map(|text| instance(text)).collect(),
            neighbours: Arc::new(Neighbours::known(Vec::new())),
            more: false,
            hints: Vec::new(),
        }
    }

    struct Following {
        stores: Vec<Arc<Store>>,
        lines: Lines,
    }

    impl Following {
        fn of(instances: &[&str], now: i64) -> Following {
            let store = Store::open(
                &Config {
                    name: "vl".to_owned(),
                    preset: Some("otel-victorialogs".to_owned()),
                    address: Some("http://127.0.0.1:9428".to_owned()),
                    ..Config::default()
                },
                None,
            );
            let stores = vec![Arc::new(store.unwrap())];
            let ask = Ask {
                from: None,
                until: None,
                newest_first: false,
                grep: None,
                lines_max: None,
                follow: true,
                explain: false,
                now: at(now),
            };
            let lines = Lines::new(&stores, selected(instances), ask);
            Following { stores, lines }
        }

        fn again(&mut self, instances: &[&str], now: i64) -> &mut Following {
            self.lines
                .again(&self.stores, selected(instances), at(now), |instance| {
                    instance.ended.is_none_or(|ended| ended >= at(1000))
                });
            self
        }

        /// Those that are read again, and whether more may come.
        fn state(&self) -> (Vec<u32>, bool) {
            let mut waiting: Vec<u32> = self
                .lines
                .waiting
                .iter()
                .map(|reader| reader.number)
                .collect();
            waiting.sort_unstable();
            (waiting, self.lines.goes_on())
        }
    }

    #[test]
    fn an_instance_is_read_until_a_minute_after_its_end() {
        let mut following = Following::of(&["1 0 100 -"], 1000);
        assert_eq!(following.state(), (vec![0], true));
        assert_eq!(
            following.again(&["1 0 100 1005"], 1010).state(),
            (vec![0], true)
        );
        // Once more behind that minute, and never again.
        assert_eq!(
            following.again(&["1 0 100 1005"], 1070).state(),
            (vec![0], false)
        );
        assert_eq!(following.again(&[], 1071).state(), (vec![], false));
        assert!(!Following::of(&["1 0 100 200"], 1000).state().1);
        assert!(!Following::of(&[], 1000).state().1);
    }

    #[test]
    fn instances_that_start_later_are_read_too() {
        let mut following = Following::of(&["1 4 100 -"], 1000);
        // The one before it, which was not meant; the next one, twice; another pod of the name that began before it.
        let others = [
            "1 3 50 99",
            "1 4 100 1001",
            "1 5 1001 -",
            "1 5 1001 -",
            "2 7 60 -",
        ];
        assert_eq!(following.again(&others, 1002).state(), (vec![4, 5], true));
        assert_eq!(following.again(&others, 1004).state(), (vec![4, 5], true));
        assert_eq!(
            following.again(&["1 5 1001 -"], 1100).state(),
            (vec![4, 5], true)
        );
        assert_eq!(
            following.again(&["1 5 1001 -"], 1102).state(),
            (vec![5], true)
        );
    }

    #[test]
    fn a_summary_does_not_grow_for_ever() {
        let mut following = Following::of(&["1 0 100 -"], 1000);
        for number in 0..FOLLOWED_MAX as i64 + 100 {
            let now = 1000 + number * 100;
            let ended = format!("1 {number} {now} {}", now + 1);
            following.again(&[&*ended], now + 2);
        }
        let lines = &following.lines;
        assert!(lines.done.len() + lines.waiting.len() <= FOLLOWED_MAX);
    }
}
