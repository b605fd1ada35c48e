//! The loop of one resource: list where no position is stored, then watch from there on.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::client::Client;
use super::clock::{Clock, ours};
use super::cluster::{Identity, Shared};
use super::failure::{Failure, Next};
use super::incoming::{Came, Incoming, LOOK_EVERY, Part};
use super::ledger::Mark;
use super::lines::Lines;
use super::owners::{self, Controllers, Owners, Reference};
use super::read::{Found, Progress};
use super::resource::{Emit, Resource};
use super::view::{Shown, View};
use crate::backoff::Backoff;
use crate::lifecycle::watched::Moment;
use crate::pipeline::Stored;
use crate::telemetry;

/// Objects on a page of a list.
pub(super) const PAGE_OBJECTS: usize = 500;

/// How long an API server keeps a watch open, in seconds.
const WATCH_SECONDS: u64 = 290;

/// How long the pipeline may be full before the next try.
const ROOM_WAIT: Duration = Duration::from_millis(250);

/// How long to wait before a resource that may not be read is asked for again.
const FORBIDDEN_WAIT: Duration = Duration::from_secs(60);

/// A turn that took this long went well before it failed. Microseconds.
const WENT_WELL: i64 = 60_000_000;

pub struct Loop {
    pub cluster: Shared,
    pub view: Arc<View>,
    pub stop: CancellationToken,
    pub position: Option<Mark>,
    pub clock: Clock,
    pub client: Option<Client>,
    pub owners: Owners,
    pub page_objects: usize,
    /// The last list, as long as what it lacked was not ended.
    pub(super) listed: Option<Listed>,
}

/// What a list had.
pub(super) struct Listed {
    pub uids: BTreeSet<u128>,
    pub stored: Vec<Stored>,
    /// Whether pods that it lacks have ended.
    pub ends_pods: bool,
}

/// Why a step ended without a result.
pub(super) enum End {
    Stopped,
    Failed(Failure),
}

impl From<Failure> for End {
    fn from(failure: Failure) -> End {
        End::Failed(failure)
    }
}

impl Loop {
    pub fn new(cluster: Shared, view: Arc<View>, stop: CancellationToken) -> Loop {
        Loop {
            cluster,
            position: view.ledger.committed(),
            view,
            stop,
            clock: Clock::default(),
            client: None,
            owners: Owners::default(),
            page_objects: PAGE_OBJECTS,
            listed: None,
        }
    }

    /// Lists and watches until `stop`.
    pub async fn run(mut self) {
        let mut backoff = Backoff::default();
        loop {
            let begun = ours();
            let Err(end) = self.turn().await else {
                backoff = Backoff::default();
                continue;
            };
            let End::Failed(failure) = end else { return };
            // What went well for a while begins anew.
            if ours() - begun > WENT_WELL {
                backoff = Backoff::default();
            }
            self.failed(&failure);
            let wait = async {
                match failure.next {
                    Next::Wait(wait) => tokio::time::sleep(wait).await,
                    Next::Forbidden => tokio::time::sleep(FORBIDDEN_WAIT).await,
                    _ => backoff.wait().await,
                }
            };
            if self.stop.run_until_cancelled(wait).await.is_none() {
                return;
            }
        }
    }

    fn failed(&mut self, failure: &Failure) {
        let resource = self.view.resource;
        let state = match failure.next {
            Next::List => {
                let at = self
                    .position
                    .take()
                    .map(|mark| mark.version)
                    .unwrap_or_default();
                self.listed = None;
                info!(
                    "watch {}: {}: version {at} is no longer there: listing",
                    self.cluster.name(),
                    resource.name()
                );
                self.show(|shown| shown.state = "listing");
                return;
            }
            Next::Smaller => {
                self.page_objects = (self.page_objects / 2).max(1);
                "listing"
            }
            Next::Reconnect => {
                self.client = None;
                "disconnected"
            }
            Next::Forbidden => "not permitted",
            Next::Wait(_) | Next::Retry => "waiting",
        };
        let line = match failure.next {
            Next::Forbidden => format!(
                "{}: {}: apply deploy/watch-rbac.yaml for it; what is permitted is watched",
                resource.name(),
                failure.line
            ),
            _ => failure.line.clone(),
        };
        self.cluster.report(resource, &line);
        self.show(|shown| {
            shown.state = state;
            shown.fail(&line);
        });
    }

    pub(super) fn show(&self, change: impl FnOnce(&mut Shown)) {
        change(&mut self.view.now());
    }

    /// One list if it needs that, and one watch.
    async fn turn(&mut self) -> Result<(), End> {
        if self.view.ledger.was_lost() {
            self.listed = None;
            self.position = self.view.ledger.committed();
        }
        let client = match self.client.take().filter(|client| !client.is_stale()) {
            Some(client) => client,
            None => self.until_stop(self.cluster.client()).await??,
        };
        let outcome = self.with(&client).await;
        self.client = Some(client);
        outcome
    }

    pub(super) async fn until_stop<T>(&self, work: impl Future<Output = T>) -> Result<T, End> {
        self.stop
            .run_until_cancelled(work)
            .await
            .ok_or(End::Stopped)
    }

    async fn with(&mut self, client: &Client) -> Result<(), End> {
        let identity = self.until_stop(self.cluster.identify(client)).await??;
        let uid = match &identity {
            Identity::Known(uid) => uid.clone(),
            Identity::Hidden => String::new(),
        };
        // A position in another cluster means nothing in this one.
        let position = self.position.take().filter(|mark| mark.cluster_uid == uid);
        let mark = match position {
            Some(mark) => mark,
            None => self.list(client, &identity, &uid).await?,
        };
        self.position = Some(mark.clone());
        self.watch(client, mark).await
    }

    /// Stores what `read` finds, however long the pipeline is full.
    pub(super) async fn store<T, R>(&self, read: R) -> Result<(T, Stored), End>
    where
        T: Send + 'static,
        R: Fn(Emit) -> T + Send + Sync + 'static,
    {
        let read = Arc::new(read);
        loop {
            let read = read.clone();
            if self.cluster.pipeline.has_room() {
                let taken = self.cluster.pipeline.observe(move |emit| read(emit));
                // Failures are logged where they happen.
                if let Ok(taken) = self.until_stop(taken).await? {
                    return Ok(taken);
                }
            }
            self.until_stop(tokio::time::sleep(ROOM_WAIT)).await?;
        }
    }

    /// What controls the owners that pods name.
    pub(super) async fn controllers(
        &mut self,
        client: &Client,
        wanted: &BTreeSet<Reference>,
    ) -> Result<Controllers, End> {
        let read = self.owners.controllers(client, wanted);
        let read = self.stop.run_until_cancelled(read).await;
        let (controllers, forbidden) = read.ok_or(End::Stopped)??;
        if let Some(line) = forbidden {
            warn!("watch {}: {line}", self.cluster.name());
            self.show(|shown| shown.fail(&line));
        }
        Ok(controllers)
    }

    pub(super) fn count(&self, found: &Found) {
        let resource = self.view.resource.name();
        let labels = [
            ("cluster", self.cluster.name().to_owned()),
            ("resource", resource.to_owned()),
        ];
        metrics::counter!(telemetry::WATCH_OBJECTS, &labels).increment(found.objects);
        if let Some(reason) = found.reason {
            metrics::counter!(telemetry::PIPELINE_REJECTED, "reason" => "watched object")
                .increment(found.unreadable);
            warn!(
                "watch {}: {resource}: {} unreadable: {reason}",
                self.cluster.name(),
                found.unreadable
            );
        }
        self.show(|shown| {
            shown.facts += found.facts;
            if found.version.is_some() {
                shown.version.clone_from(&found.version);
            }
        });
    }

    /// Watches from behind a position until the API server ends that.
    async fn watch(&mut self, client: &Client, mark: Mark) -> Result<(), End> {
        let resource = self.view.resource;
        let path = resource.watch(&mark.version, WATCH_SECONDS);
        let sent = ours();
        let answer = client.get(&path, resource.accept_watch());
        let answer = self.until_stop(answer).await??;
        self.clock.see(sent, ours(), answer.date);
        self.cluster.recovered(resource);
        self.show(|shown| shown.state = "catching up");
        let mut incoming = Incoming::of(answer.body, self.clock, mark.at);
        // It is read meanwhile.
        if let Some(listed) = self.listed.take()
            && let Err(end) = self.finish(client, &mark, listed).await
        {
            self.position = None;
            return Err(end);
        }
        let mut stream = Stream {
            lines: Lines::default(),
            progress: Progress::from(mark.at),
            since: mark.at,
            mark,
        };
        let outcome = self.stream(client, &mut incoming, &mut stream).await;
        self.position = Some(stream.mark);
        outcome
    }

    async fn stream(
        &mut self,
        client: &Client,
        incoming: &mut Incoming,
        stream: &mut Stream,
    ) -> Result<(), End> {
        let silence = Duration::from_secs(self.cluster.config.silence_seconds_max);
        let mut heard_at = Instant::now();
        loop {
            if self.view.ledger.was_lost() {
                return Err(
                    Failure::of_us("rows were lost on their way: reading them again").into(),
                );
            }
            let mut came = incoming.ready();
            if came.is_none() {
                self.flush(client, stream).await?;
                let next = timeout(LOOK_EVERY, incoming.next());
                came = match self.until_stop(next).await? {
                    Ok(came) => Some(came),
                    Err(_) if !stream.progress.keeps_up => {
                        self.caught_up(stream).await?;
                        continue;
                    }
                    Err(_) if heard_at.elapsed() >= silence => {
                        return Err(client.place().silent(silence).into());
                    }
                    Err(_) => continue,
                };
            }
            heard_at = Instant::now();
            match came {
                None => {}
                Some(Came::Part(part)) => stream.push(&part),
                Some(Came::Broken) => {
                    self.flush(client, stream).await?;
                    return Err(client.place().broke_off().into());
                }
                Some(Came::End) => {
                    // The API server ends each watch after a while. Everything that was written has come.
                    self.flush(client, stream).await?;
                    if stream.progress.keeps_up {
                        stream.mark.at = self.clock.now();
                    }
                    return Ok(());
                }
            }
            if stream.lines.is_full() {
                self.flush(client, stream).await?;
            }
        }
    }

    /// Nothing came for a while: everything that happened while nobody watched has come.
    async fn caught_up(&self, stream: &mut Stream) -> Result<(), End> {
        let cluster = self.cluster.name().to_owned();
        let at = self.clock.now();
        let progress = stream.progress.clone();
        let store = self.store(move |emit| {
            let mut progress = progress.clone();
            progress.catch_up(&cluster, at, emit);
            progress
        });
        let (progress, stored) = store.await?;
        stream.progress = progress;
        stream.since = at;
        stream.mark.at = at;
        self.show(|shown| shown.state = "watching");
        self.view
            .ledger
            .send(stream.mark.clone(), vec![stored])
            .await;
        Ok(())
    }

    /// Stores the lines that came.
    async fn flush(&mut self, client: &Client, stream: &mut Stream) -> Result<(), End> {
        let (lines, too_long) = stream.lines.take();
        if too_long > 0 {
            self.count(&Found {
                unreadable: too_long,
                reason: Some("a line of a watch is too long"),
                ..Found::default()
            });
        }
        if lines.is_empty() {
            return Ok(());
        }
        let resource = self.view.resource;
        let cluster = self.cluster.name().to_owned();
        let until = lines.last().map_or(stream.since, |line| line.moment.until);
        let controllers = match resource {
            Resource::Pods => self.controllers(client, &owners::of_lines(&lines)).await?,
            _ => Controllers::default(),
        };
        let progress = stream.progress.clone();
        let store = self.store(move |emit| {
            let mut progress = progress.clone();
            let emit: Emit = &mut |fact| controllers.emit(fact, emit);
            let found = progress.read(&cluster, resource, &lines, emit);
            (progress, found)
        });
        let ((progress, found), stored) = store.await?;
        let was_behind = !stream.progress.keeps_up;
        stream.progress = progress;
        self.count(&found);
        if was_behind && stream.progress.keeps_up {
            self.show(|shown| shown.state = "watching");
        }
        if let Some(version) = found.version {
            stream.mark.version = version;
            stream.mark.at = match stream.progress.keeps_up {
                true => until,
                false => stream.progress.since(),
            };
            self.view
                .ledger
                .send(stream.mark.clone(), vec![stored])
                .await;
        }
        match found.ended {
            None => Ok(()),
            Some(410) => Err(Failure::expired().into()),
            Some(code) => Err(Failure {
                line: format!(
                    "the API server ended the watch of {} ({code})",
                    resource.name()
                ),
                next: Next::Retry,
            }
            .into()),
        }
    }
}

/// A watch under way.
struct Stream {
    lines: Lines,
    progress: Progress,
    /// When everything that was written had come, until it keeps up.
    since: i64,
    mark: Mark,
}

impl Stream {
    fn push(&mut self, part: &Part) {
        let moment = match self.progress.keeps_up {
            true => part.moment,
            false => Moment {
                since: self.since,
                ..part.moment
            },
        };
        self.lines.push(&part.data, moment);
    }
}
