//! Files are followed: again and again, everything that changed is read from its position to its end.
//!
//! So there is nothing to know about how they are rotated. What was renamed is the same file under another name; what was
//! truncated has another beginning; a copy or a compressed rotation is known again and has what was not read yet. A file
//! that vanished is read to its end, as long as it is open here.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::task::{JoinHandle, JoinSet};
use tracing::info;

use super::entry::{Entry, Seen};
use super::find::{Files, Found};
use super::known::Known;
use super::pass::Context;
use super::rotation::is_rotation;
use super::{Config, Error, Imported, Opened, import_open};
use crate::source::Status;
use crate::telemetry;

/// How often it is looked for changes.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Files that are read, or wait for ClickHouse, at the same time.
const PASSES_MAX: usize = 64;

/// Files that stay open, in case that they vanish: those that were changed last.
const OPEN_MAX: usize = 64;

/// How long the last commits may take when following ends.
const STOP_WAIT: Duration = Duration::from_secs(10);

/// Files that `bygone sources status` shows: those that were changed last.
const SHOWN_MAX: usize = 100;

type Inode = (u64, u64);

/// How a pass over a file ended.
type Done = (Inode, Seen, Result<Imported, Error>);

/// Follows files of one cluster.
pub struct Follower {
    context: Context,
    paths: Vec<String>,
    known: Arc<Known>,
    entries: BTreeMap<Inode, Entry>,
    passes: JoinSet<Done>,
    statuses: Shared,
}

type Shared = Arc<Mutex<Vec<Status>>>;

/// The state of followed files.
#[derive(Clone, Default)]
pub struct Statuses(Vec<Shared>);

impl Statuses {
    pub fn now(&self) -> Vec<Status> {
        let all = self.0.iter().flat_map(|shared| locked(shared).clone());
        all.collect()
    }
}

fn locked(shared: &Shared) -> MutexGuard<'_, Vec<Status>> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Everything that is followed.
#[derive(Default)]
pub struct Followers {
    statuses: Statuses,
    tasks: Vec<JoinHandle<()>>,
}

impl Followers {
    /// Begins to follow; `context` makes what the files of a cluster share.
    pub fn start(configs: &[Config], context: impl Fn(&str) -> Context) -> Followers {
        let mut followers = Followers::default();
        for config in configs {
            let follower = Follower::new(context(&config.cluster), config.paths.clone());
            followers.statuses.0.push(follower.statuses.clone());
            let paths = config.paths.join(", ");
            info!("following {paths} for cluster {}", config.cluster);
            followers.tasks.push(tokio::spawn(follower.run()));
        }
        followers
    }

    pub fn statuses(&self) -> Statuses {
        self.statuses.clone()
    }

    /// Returns when everything under way has ended, after `stop` of the contexts; what takes too long is read again after
    /// the next start.
    pub async fn stopped(self) {
        let aborts: Vec<_> = self.tasks.iter().map(JoinHandle::abort_handle).collect();
        let ended = async {
            for task in self.tasks {
                _ = task.await;
            }
        };
        if tokio::time::timeout(STOP_WAIT, ended).await.is_err() {
            aborts.iter().for_each(tokio::task::AbortHandle::abort);
        }
    }
}

impl Follower {
    pub fn new(context: Context, paths: Vec<String>) -> Follower {
        Follower {
            context,
            paths,
            known: Arc::default(),
            entries: BTreeMap::new(),
            passes: JoinSet::new(),
            statuses: Shared::default(),
        }
    }

    pub fn statuses(&self) -> Statuses {
        Statuses(vec![self.statuses.clone()])
    }

    /// Follows until `stop`.
    pub async fn run(mut self) {
        let stop = self.context.stop.clone();
        while !stop.is_cancelled() {
            self.look().await;
            self.begin();
            self.publish();
            let wait = async {
                tokio::select! {
                    Some(done) = self.passes.join_next() => done.ok(),
                    () = tokio::time::sleep(LOOK_EVERY) => None,
                }
            };
            if let Some(Some((inode, seen, outcome))) = stop.run_until_cancelled(wait).await {
                self.ended(inode, seen, outcome);
            }
        }
        while self.passes.join_next().await.is_some() {}
    }

    /// Finds out which files there are now.
    async fn look(&mut self) {
        let paths = self.paths.clone();
        let found = tokio::task::spawn_blocking(move || find(&paths)).await;
        let Ok(files) = found else { return };
        let there: BTreeSet<Inode> = files.files.iter().map(|file| file.inode).collect();
        for (inode, entry) in &mut self.entries {
            entry.is_gone = !there.contains(inode);
        }
        // One that is gone is read once more, where it is still open.
        self.entries
            .retain(|_, entry| !entry.is_gone || entry.is_being_read || entry.file.is_some());
        for found in files.files {
            let entry = self
                .entries
                .entry(found.inode)
                .or_insert_with(|| Entry::new(&found));
            entry.found_again(found);
        }
        self.close_old();
    }

    /// Keeps only the files open that were changed last.
    fn close_old(&mut self) {
        let mut times: Vec<SystemTime> =
            self.entries.values().map(|it| it.found.modified).collect();
        times.sort_unstable_by(|one, other| other.cmp(one));
        let Some(oldest) = times.get(OPEN_MAX) else {
            return;
        };
        for entry in self.entries.values_mut() {
            if entry.found.modified <= *oldest {
                entry.file = None;
            }
        }
    }

    /// Begins to read what changed, the newest first.
    fn begin(&mut self) {
        let now = tokio::time::Instant::now();
        let mut changed: Vec<&mut Entry> = self
            .entries
            .values_mut()
            .filter(|it| it.is_due(now))
            .collect();
        changed.sort_by_key(|entry| std::cmp::Reverse(entry.found.modified));
        let room = PASSES_MAX.saturating_sub(self.passes.len());
        for entry in changed.into_iter().take(room) {
            let file = match entry.open() {
                Ok(file) => file,
                Err(error) => {
                    entry.fail(&format!("cannot be opened: {error}"));
                    continue;
                }
            };
            entry.begin();
            let (context, known) = (self.context.clone(), Arc::clone(&self.known));
            let reached = Arc::clone(&entry.reached);
            let Found {
                path,
                inode,
                size,
                modified,
                ..
            } = entry.found.clone();
            self.passes.spawn(async move {
                let opened = Opened {
                    file,
                    path: &path,
                    is_growing: true,
                    reached,
                };
                let imported = import_open(&context, &known, opened).await;
                (inode, (size, modified), imported)
            });
        }
    }

    fn ended(&mut self, inode: Inode, seen: Seen, outcome: Result<Imported, Error>) {
        let Some(entry) = self.entries.get_mut(&inode) else {
            return;
        };
        entry.ended(seen, outcome);
    }

    fn publish(&self) {
        let mut entries: Vec<&Entry> = self.entries.values().collect();
        entries.sort_by_key(|entry| std::cmp::Reverse(entry.found.modified));
        let mut statuses: Vec<Status> = entries
            .iter()
            .take(SHOWN_MAX)
            .map(|it| it.status())
            .collect();
        let is_found = |path: &&String| {
            entries
                .iter()
                .any(|entry| entry.found.path == Path::new(*path))
        };
        let plain = self
            .paths
            .iter()
            .filter(|path| !is_pattern(path) && !Path::new(path).is_dir());
        statuses.extend(plain.filter(|path| !is_found(path)).map(|path| Status {
            place: Some(path.clone()),
            ..Status::of("file", "missing")
        }));
        *locked(&self.statuses) = statuses;
        self.measure();
    }

    /// Sets the gauges.
    fn measure(&self) {
        let lag: u64 = self.entries.values().filter_map(Entry::lag).sum();
        let oldest = self.entries.values().filter_map(Entry::behind);
        let oldest = oldest.max().unwrap_or_default();
        let labels = [("cluster", self.context.cluster.clone())];
        metrics::gauge!(telemetry::FILE_LAG, &labels).set(lag as f64);
        metrics::gauge!(telemetry::FILE_OLDEST_SECONDS, &labels).set(oldest.as_secs_f64());
    }
}

fn is_pattern(path: &str) -> bool {
    path.contains(['*', '?', '['])
}

/// All files of these paths, with the rotations beside those that are named.
fn find(paths: &[String]) -> Files {
    let mut files = Files::default();
    for path in paths {
        if is_pattern(path) {
            files.add_pattern(path);
            continue;
        }
        let path = PathBuf::from(path);
        files.add(&path);
        if !path.is_dir() {
            for rotation in rotations(&path) {
                files.add(&rotation);
            }
        }
    }
    files
}

fn rotations(log: &Path) -> Vec<PathBuf> {
    let (Some(folder), Some(name)) = (log.parent(), log.file_name()) else {
        return Vec::new();
    };
    let folder = match folder.as_os_str().is_empty() {
        true => Path::new("."),
        false => folder,
    };
    let name = name.to_string_lossy();
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let beside = entries.filter(|entry| is_rotation(&entry.file_name().to_string_lossy(), &name));
    beside.map(|entry| entry.path()).collect()
}
