//! Container instances: which reports are about the same one, and when it ran.

use std::collections::BTreeMap;

use super::fold::{Pod, Report};
use crate::lives::fact::Ended;
use crate::lives::object::Kind;
use crate::lives::{MINUTE, SECOND, Text};

/// All reports about one instance.
#[derive(Clone, Debug)]
pub struct Instance<'p> {
    pub container: &'p Text,
    /// Of its ID; zeros where none was told.
    pub id: [u8; 32],
    /// Of its row.
    pub key: [u8; 32],
    pub reports: Vec<&'p Report>,
}

/// The end that counts.
#[derive(Clone, Debug)]
pub struct End<'p> {
    pub report: &'p Ended,
    /// The first event that told of an end of this start; microseconds.
    told: i64,
    pub differs: bool,
}

/// When an instance ran, in microseconds.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    pub began: i64,
    /// Where its end was reported.
    pub over: Option<i64>,
    /// By how much its node's clock is off, as far as it shows.
    pub clock_off: i64,
}

/// The reports of one number under one ID.
struct Bundle<'p> {
    number: u32,
    reports: Vec<&'p Report>,
}

/// The reports of one container, by ID and number.
type Bundles<'p> = BTreeMap<([u8; 32], u32), Vec<&'p Report>>;

/// The instances of a pod.
pub fn instances(pod: &Pod) -> Vec<Instance<'_>> {
    let mut containers: BTreeMap<&Text, Bundles> = BTreeMap::new();
    for report in &pod.reports {
        let of_container = containers.entry(&report.container).or_default();
        let bundle = of_container.entry((report.key, report.restart));
        bundle.or_default().push(report);
    }
    let each = containers.into_iter();
    each.flat_map(|(container, bundles)| of_container(pod, container, bundles))
        .collect()
}

fn of_container<'p>(
    pod: &Pod,
    container: &'p Text,
    bundles: BTreeMap<([u8; 32], u32), Vec<&'p Report>>,
) -> Vec<Instance<'p>> {
    let mut of_ids: BTreeMap<[u8; 32], Vec<Bundle>> = BTreeMap::new();
    for ((id, number), reports) in bundles {
        let of_id = of_ids.entry(id).or_default();
        of_id.push(Bundle { number, reports });
    }
    let nameless = of_ids.remove(&[0; 32]).unwrap_or_default();
    let of_ids = of_ids.into_iter();
    let mut instances: Vec<Instance> = of_ids
        .flat_map(|(id, bundles)| of_id(container, id, bundles))
        .collect();
    let (started, made_up): (Vec<Bundle>, Vec<Bundle>) = nameless
        .into_iter()
        .partition(|bundle| start(&bundle.reports) != 0);
    for bundle in started {
        let same = instances.iter_mut();
        let mut same = same.filter(|it| start_alike(&it.reports, &bundle.reports));
        match same.next() {
            Some(same) => same.reports.extend(bundle.reports),
            None => instances.push(Instance::nameless(container, bundle)),
        }
    }
    for bundle in made_up {
        let heard = bundle.reports.iter().map(|report| report.at).min();
        let begun = instances
            .iter_mut()
            .filter(|it| Some(it.began(pod)) <= heard);
        // Its own number is not less than that of the instance; where all are less, any.
        let last = begun.max_by_key(|it| (it.number() <= bundle.number, it.place(pod)));
        let ran = |report: &&Report| report.is_running || is_real(report);
        match last {
            Some(last) => last.reports.extend(bundle.reports),
            None if bundle.reports.iter().any(ran) => {
                instances.push(Instance::nameless(container, bundle));
            }
            None => {}
        }
    }
    instances
}

/// One ID under several numbers: as many instances as there are starts.
fn of_id<'p>(container: &'p Text, id: [u8; 32], bundles: Vec<Bundle<'p>>) -> Vec<Instance<'p>> {
    let instance = |bundle: Bundle<'p>| Instance {
        container,
        id,
        key: id,
        reports: bundle.reports,
    };
    let (mut started, unstarted): (Vec<Bundle>, Vec<Bundle>) = bundles
        .into_iter()
        .partition(|bundle| start(&bundle.reports) != 0);
    started.sort_by_key(|bundle| (start(&bundle.reports), bundle.number));
    let mut instances: Vec<Instance> = Vec::new();
    for bundle in started {
        match instances.last_mut() {
            Some(last) if start_alike(&last.reports, &bundle.reports) => {
                last.reports.extend(bundle.reports);
            }
            _ => instances.push(instance(bundle)),
        }
    }
    for bundle in unstarted {
        let near = |it: &&mut Instance| it.number().abs_diff(bundle.number);
        match instances.iter_mut().min_by_key(near) {
            Some(nearest) => nearest.reports.extend(bundle.reports),
            None => instances.push(instance(bundle)),
        }
    }
    for later in instances.iter_mut().skip(1) {
        later.key = with_number(id, start(&later.reports));
    }
    instances
}

/// A key whose last four bytes are a number.
fn with_number(mut key: [u8; 32], number: u32) -> [u8; 32] {
    key[28..].copy_from_slice(&number.to_be_bytes());
    key
}

fn starts(reports: &[&Report]) -> impl Iterator<Item = u32> {
    let starts = reports.iter().map(|report| report.started_at);
    starts.filter(|start| *start != 0)
}

/// Its first start, in seconds; 0 where it is not known.
fn start(reports: &[&Report]) -> u32 {
    starts(reports).min().unwrap_or(0)
}

fn last_start(reports: &[&Report]) -> u32 {
    starts(reports).max().unwrap_or(0)
}

/// Whether what is known of their starts overlaps.
fn start_alike(one: &[&Report], other: &[&Report]) -> bool {
    start(one) <= last_start(other) && start(other) <= last_start(one)
}

/// Whether it tells an end with a time.
fn is_real(report: &Report) -> bool {
    matches!(&report.ended, Some(ended) if ended.finished_at != 0)
}

/// Of milliseconds.
fn told_micros(millis: i64) -> i64 {
    millis * 1_000
}

fn micros(second: u32) -> i64 {
    i64::from(second) * SECOND
}

impl<'p> Instance<'p> {
    fn nameless(container: &'p Text, bundle: Bundle<'p>) -> Instance<'p> {
        Instance {
            container,
            id: [0; 32],
            key: with_number([0; 32], bundle.number),
            reports: bundle.reports,
        }
    }

    fn greatest<T: Ord + Default>(&self, of: impl Fn(&'p Report) -> T) -> T {
        let told = self.reports.iter().map(|report| of(report));
        told.max().unwrap_or_default()
    }

    pub fn id_text(&self) -> &'p str {
        self.greatest(|report| &*report.id_text)
    }

    pub fn runtime(&self) -> &'p str {
        self.greatest(|report| &*report.runtime)
    }

    pub fn image(&self) -> &'p str {
        self.greatest(|report| &*report.image.0)
    }

    pub fn image_id(&self) -> &'p str {
        self.greatest(|report| &*report.image.1)
    }

    pub fn kind(&self) -> Kind {
        let kinds = self.reports.iter().map(|report| report.kind);
        kinds.max().expect("a report")
    }

    /// Its restart number: what was told of it itself counts more than what follows from others.
    pub fn number(&self) -> u32 {
        let told = self.reports.iter().filter(|report| !report.is_guess);
        let told = told.map(|report| report.restart).max();
        told.unwrap_or_else(|| self.greatest(|report| report.restart))
    }

    /// In seconds; 0 where it is not known.
    pub fn start(&self) -> u32 {
        start(&self.reports)
    }

    pub fn started_again(&self) -> bool {
        last_start(&self.reports) != self.start()
    }

    pub fn last_heard(&self) -> i64 {
        let all = self.reports.iter().map(|report| report.at);
        all.max().expect("a report")
    }

    /// The last event that showed it running.
    pub fn ran_at(&self) -> Option<i64> {
        let running = self.reports.iter().filter(|report| report.is_running);
        running.map(|report| report.at).max()
    }

    /// The end of its last start, by the report that has it earliest.
    pub fn end(&self) -> Option<End<'p>> {
        let real = || self.reports.iter().filter(|report| is_real(report));
        let of_start = real().map(|report| report.started_at).max()?;
        if of_start != 0 && of_start < last_start(&self.reports) {
            return None;
        }
        let of_it = || real().filter(|report| report.started_at == of_start);
        let ends = of_it().filter_map(|report| report.ended.as_ref());
        let mut ends: Vec<&Ended> = ends.collect();
        ends.sort();
        ends.dedup();
        Some(End {
            report: ends[0],
            told: of_it().map(|report| report.at).min()?,
            differs: ends.len() > 1,
        })
    }

    /// An end that a kubelet made up, without a time, and when it was told after the instance was seen to run.
    pub fn missed(&self) -> Option<(i64, &'p Ended)> {
        let is_made_up =
            |report: &&&'p Report| matches!(&report.ended, Some(ended) if ended.finished_at == 0);
        let made_up = || self.reports.iter().filter(is_made_up);
        let times = || made_up().map(|report| report.at);
        let at = first_not_before((times().min()?, times().max()?), self.ran_at())?;
        let ends = made_up().filter_map(|report| report.ended.as_ref());
        Some((at, ends.min()?))
    }

    /// When it began; where no start was told, as far as it was spoken of.
    pub fn began(&self, pod: &Pod) -> i64 {
        let first_heard = self.reports.iter().map(|report| report.at).min();
        let first_heard = first_heard.expect("a report");
        if self.start() == 0 {
            let ended = self.end().map(|end| micros(end.report.finished_at));
            return ended.map_or(first_heard, |ended| ended.min(first_heard));
        }
        let told = self.reports.iter();
        let told = told.filter(|it| it.started_at == self.start());
        let told = told.map(|report| report.at).min().expect("a start");
        let (start, created) = (micros(self.start()), micros(pod.created_at));
        // Its clock is ahead, or behind: then it was told long after it was, and that was before its pod was.
        let is_behind = start < created && told > start + MINUTE;
        match told < start || is_behind {
            true => told,
            false => start.max(created),
        }
    }

    /// The same, but for a start before its pod was, which was told long after that. A kubelet takes a pod up when it was
    /// bound, and by one clock it is known how long after that the container began. A static pod is there before the API
    /// knows of it, and what was never started again may be as old.
    fn began_by_its_node(&self, pod: &Pod) -> i64 {
        let (start, created) = (micros(self.start()), micros(pod.created_at));
        let told = self.began(pod);
        let (bound, taken_up) = (told_micros(pod.scheduled_at), micros(pod.started_at));
        let not_before = bound.max(created);
        if self.start() == 0 || created <= start || told <= created {
            told
        } else if pod.is_mirror {
            if self.number() == 0 { created } else { told }
        } else if bound == 0 || taken_up == 0 || not_before <= taken_up {
            told
        } else {
            let after = start - taken_up;
            (not_before + after).min(told).max(created)
        }
    }

    /// In which order the instances of a container were; those without a start come first.
    fn place(&self, pod: &Pod) -> (i64, u32, [u8; 32]) {
        let second = match self.start() {
            0 => 0,
            _ => self.began(pod).div_euclid(SECOND),
        };
        (second, self.number(), self.key)
    }

    /// Whether the other instance is a later one of the same container.
    pub fn is_before(&self, other: &Instance, pod: &Pod) -> bool {
        let counts_more = other.number() > self.number();
        let is_of_container = self.container == other.container;
        is_of_container
            && match (self.start(), other.start()) {
                (0, _) => counts_more,
                (_, 0) => counts_more && other.began(pod) >= self.began(pod),
                _ => other.place(pod) > self.place(pod),
            }
    }

    pub fn times(&self, pod: &Pod) -> Times {
        let (began, start) = (self.began(pod), micros(self.start()));
        let mut clock_off = 0;
        if start != 0 {
            let early = match pod.is_mirror {
                true => 0,
                false => micros(pod.created_at) - start,
            };
            clock_off = early.max(start - began).max(0);
        }
        let over = self.end().map(|end| end.over(began, self.ran_at()));
        Times {
            began: self.began_by_its_node(pod),
            over: over.map(|(over, _)| over),
            clock_off: over.map_or(0, |(_, off)| off).max(clock_off),
        }
    }
}

impl End<'_> {
    /// When it was over, and by how much the clock is off that told it.
    fn over(&self, began: i64, ran_at: Option<i64>) -> (i64, i64) {
        let finished = micros(self.report.finished_at);
        let second_over = finished + SECOND;
        if self.differs {
            return (second_over.max(began), 0);
        }
        // It was told before it was.
        if self.told < finished {
            return (self.told.max(began), finished - self.told);
        }
        // It was seen to run long after it, and told still later.
        let is_seen_later = ran_at.is_some_and(|ran_at| ran_at >= finished + MINUTE);
        if is_seen_later && self.told > finished + MINUTE {
            let over = self.told.max(began);
            return (over, over - finished);
        }
        if second_over > began {
            return (second_over, 0);
        }
        // It was before it began.
        let told = match self.told <= finished + MINUTE {
            true => finished,
            false => self.told,
        };
        let over = told.max(began + 1);
        (over, over - finished)
    }
}

/// Of the first and the last time that something was told, the first that does not come before a sign of the contrary.
pub fn first_not_before((first, last): (i64, i64), contrary: Option<i64>) -> Option<i64> {
    let after = |at: &i64| contrary.is_none_or(|contrary| contrary <= *at);
    Some(first).filter(after).or(Some(last).filter(after))
}
