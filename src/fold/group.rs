//! Which reports are about the same container instance.
//!
//! Kubelets identify an instance by its container ID, and number the restarts. Not all do both: virtual kubelets
//! report no ID, or the same one for all restarts; Docker restarts a container under its ID; a kubelet that can't
//! find a container makes up a report without an ID, and counts on. So reports are kept by ID and number, and grouped
//! into instances again at each fold.

use super::instance::Instance;
use super::life::{InstanceKey, Life};

/// Instead of a container ID, where none was reported.
pub(super) const NO_ID: &str = "-";

/// The key where no ID was reported.
pub(super) const NONE: [u8; 32] = [0; 32];

/// This many bytes of a key distinguish IDs where several instances have the same one.
const SHARED_BYTES: usize = 28;

/// An instance, of all reports about it.
#[derive(Clone, Debug)]
pub struct Run<'a> {
    pub container: &'a str,
    /// Of its row: that of its ID, the end of which is another one where several have the same ID.
    pub key: [u8; 32],
    /// The key of its ID; zeros where none was reported.
    pub id: [u8; 32],
    /// Whether the key of its row is another one than that of its ID.
    pub is_shared: bool,
    /// The one restart number of all reports of its ID, if there is just one and every report has an ID. Such an
    /// instance may be pruned.
    pub alone: Option<InstanceKey<'a>>,
    pub instance: Instance<'a>,
}

impl<'a> Run<'a> {
    fn without_id(key: InstanceKey<'a>, report: &Instance<'a>) -> Run<'a> {
        Run {
            container: key.0,
            key: shared(NONE, key.2),
            id: NONE,
            is_shared: true,
            alone: Some(key),
            instance: report.clone(),
        }
    }

    /// Its place among the instances of its container whose starts are known.
    fn sort_key(&self, created_at: u32) -> (u32, u32, [u8; 32]) {
        self.instance.sort_key(&self.key, created_at)
    }

    /// Whether both were started at the same time, as far as is known of both.
    fn has_start_of(&self, other: &Instance) -> bool {
        let own = &self.instance;
        own.started_at <= other.restarted_at && other.started_at <= own.restarted_at
    }

    fn take(&mut self, other: Instance<'a>) {
        self.instance.merge(other);
        self.alone = None;
    }
}

/// The instances of a pod, by container.
pub fn runs<'a>(life: &Life<'a>) -> Vec<Run<'a>> {
    let mut runs = Vec::new();
    let mut rest = life.instances.iter().peekable();
    while let Some(((container, ..), _)) = rest.peek() {
        let container = *container;
        let mut of_container: Vec<(InstanceKey<'a>, &Instance<'a>)> = Vec::new();
        while let Some((key, instance)) = rest.next_if(|(key, _)| key.0 == container) {
            of_container.push((*key, &**instance));
        }
        runs.extend(of_one(&of_container, life.created_at));
    }
    runs
}

type Report<'r, 'a> = (InstanceKey<'a>, &'r Instance<'a>);

/// Those of one container, whose reports are in the order of their keys: without an ID first.
fn of_one<'a>(reports: &[Report<'_, 'a>], created_at: u32) -> Vec<Run<'a>> {
    let without_id = reports.partition_point(|(key, _)| key.1 == NONE);
    let (without_id, with_id) = reports.split_at(without_id);
    let mut runs = Vec::new();
    for of_id in with_id.chunk_by(|(one, _), (other, _)| one.1 == other.1) {
        runs.extend(of_id_alone(of_id));
    }
    for (key, report) in without_id.iter().filter(|(_, it)| it.started_at != 0) {
        match runs.iter_mut().find(|run| run.has_start_of(report)) {
            Some(run) => run.take((*report).clone()),
            None => runs.push(Run::without_id(*key, report)),
        }
    }
    for (key, report) in without_id.iter().filter(|(_, it)| it.started_at == 0) {
        let begun = |run: &&mut Run| run.instance.began(created_at) <= report.seen.first;
        let counted = |run: &Run| run.instance.restart <= key.2;
        let last = runs
            .iter_mut()
            .filter(begun)
            .max_by_key(|run| (counted(run), run.sort_key(created_at)));
        match last {
            Some(run) => run.take((*report).clone()),
            // A made-up end that nobody observed is no evidence of an instance.
            None if report.ran_at.is_none() && report.ended.is_none() => {}
            None => runs.push(Run::without_id(*key, report)),
        }
    }
    runs
}

/// Those with one ID: as many as there are starts under different numbers.
fn of_id_alone<'a>(reports: &[Report<'_, 'a>]) -> Vec<Run<'a>> {
    let id = reports[0].0.1;
    let run = |(key, report): &Report<'_, 'a>| Run {
        container: key.0,
        key: id,
        id,
        is_shared: false,
        alone: Some(*key),
        instance: (*report).clone(),
    };
    if let [report] = reports {
        return vec![run(report)];
    }
    let mut known: Vec<_> = reports
        .iter()
        .filter(|(_, it)| it.started_at != 0)
        .collect();
    known.sort_by_key(|(key, it)| (it.started_at, *key));
    let mut runs: Vec<Run> = Vec::new();
    for report in known {
        match runs.last_mut().filter(|run| run.has_start_of(report.1)) {
            Some(last) => last.take(report.1.clone()),
            None => runs.push(run(report)),
        }
    }
    for report in reports.iter().filter(|(_, it)| it.started_at == 0) {
        let number = report.0.2;
        let nearest = runs
            .iter_mut()
            .min_by_key(|run| run.instance.restart.abs_diff(number));
        match nearest {
            Some(nearest) => nearest.take(report.1.clone()),
            None => runs.push(run(report)),
        }
    }
    for (place, run) in runs.iter_mut().enumerate() {
        run.alone = None;
        if place > 0 {
            run.key = shared(id, run.instance.started_at);
            run.is_shared = true;
        }
    }
    runs
}

/// The key of an instance that has not an ID of its own.
fn shared(id: [u8; 32], number: u32) -> [u8; 32] {
    let mut key = id;
    key[SHARED_BYTES..].copy_from_slice(&number.to_be_bytes());
    key
}

/// The number that a row was given whose instance has no ID.
pub(super) fn number_of(key: [u8; 32]) -> u32 {
    let [.., first, second, third, fourth] = key;
    u32::from_be_bytes([first, second, third, fourth])
}

/// The key of the ID of a stored instance.
pub(super) fn id_of(key: [u8; 32], id_text: &str) -> [u8; 32] {
    match id_text {
        NO_ID => NONE,
        "" => key,
        text => crate::rows::container_key(text).0,
    }
}
