//! The loop of one resource: list where no position is stored, then watch from there on.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::cluster::{Identity, OpenPod, Shared};
use super::failure::{Failure, Next};
use super::incoming::{Came, Incoming, LOOK_EVERY};
use super::ledger::Mark;
use super::ours;
use super::progress::{Found, Progress};
use super::resource::Emit;
use super::view::{Shown, View};
use super::way::{Buffer, Dated, Feed, Way};
use crate::backoff::Backoff;
use crate::lifecycle::watched::Moment;
use crate::pipeline::Stored;
use crate::telemetry;

/// Objects on a page of a list.
pub(super) const PAGE_OBJECTS: usize = 500;

/// How long the pipeline may be full before the next try.
const ROOM_WAIT: Duration = Duration::from_millis(250);

/// How long to wait before a resource that may not be read is asked for again.
const FORBIDDEN_WAIT: Duration = Duration::from_secs(60);

/// A turn that took this long went well before it failed. Microseconds.
const WENT_WELL: i64 = 60_000_000;

pub struct Loop<W: Way> {
    pub cluster: Shared<W>,
    pub view: Arc<View>,
    stop: CancellationToken,
    position: Option<Mark>,
    client: Option<W::Client>,
    pub(super) page_objects: usize,
    /// The last list, as long as what it lacked was not ended.
    pub(super) listed: Option<Listed>,
}

/// Items that came, shared with the thread that reads them.
type Items<W> = Arc<[Dated<<W as Way>::Buffer>]>;

/// What a list had.
#[derive(Default)]
pub(super) struct Listed {
    pub uids: BTreeSet<u128>,
    /// Namespaces and names of pods that could not be read.
    pub unread: BTreeSet<(String, String)>,
    pub stored: Vec<Stored>,
    /// Whether pods that it lacks have ended.
    pub ends_pods: bool,
}

impl Listed {
    pub fn has(&self, pod: &OpenPod) -> bool {
        self.uids.contains(&pod.uid)
            || !self.unread.is_empty()
                && self
                    .unread
                    .contains(&(pod.namespace.clone(), pod.name.clone()))
    }
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

impl<W: Way> Loop<W> {
    pub fn new(cluster: Shared<W>, view: Arc<View>, stop: CancellationToken) -> Loop<W> {
        Loop {
            cluster,
            position: view.ledger.committed(),
            view,
            stop,
            client: None,
            page_objects: PAGE_OBJECTS,
            listed: None,
        }
    }

    /// Lists and watches until `stop`.
    pub async fn run(mut self) {
        let mut backoff = Backoff::default();
        loop {
            let begun = ours();
            let outcome = self.turn().await;
            if outcome.is_ok() && self.cluster.way.is_of_the_past() {
                return;
            }
            let Err(end) = outcome else {
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
                self.position = None;
                self.listed = None;
                self.lists_because(&failure.line);
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
                "{}: {}: {}; what is permitted is watched",
                resource.name(),
                failure.line,
                self.cluster.way.permit(resource)
            ),
            _ => failure.line.clone(),
        };
        self.cluster.report(resource, &line);
        self.show(|shown| {
            shown.state = state;
            shown.fail(&line);
        });
    }

    fn lists_because(&self, why: &str) {
        let (title, resource) = (self.cluster.title(), self.view.resource.name());
        info!("{title}: {resource}: {why}: listing");
        self.show(|shown| shown.state = "listing");
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
        let kept = self.client.take().filter(|client| !W::is_stale(client));
        let client = match kept {
            Some(client) => client,
            None => self.connect().await?,
        };
        let outcome = self.with(&client).await;
        self.client = Some(client);
        outcome
    }

    async fn connect(&self) -> Result<W::Client, End> {
        let resource = self.view.resource;
        let mut aside = |line: &str| self.cluster.report(resource, line);
        let client = self.cluster.way.connect(&mut aside);
        let client = self.until_stop(client).await??;
        self.show(|shown| {
            W::url(&client).clone_into(&mut shown.url);
            shown.danger = W::danger(&client);
        });
        Ok(client)
    }

    pub(super) async fn until_stop<T>(&self, work: impl Future<Output = T>) -> Result<T, End> {
        self.stop
            .run_until_cancelled(work)
            .await
            .ok_or(End::Stopped)
    }

    async fn with(&mut self, client: &W::Client) -> Result<(), End> {
        let identity = self.until_stop(self.cluster.identify(client)).await??;
        let uid = match &identity {
            Identity::Known(uid) => uid.clone(),
            Identity::Hidden => String::new(),
        };
        if self.cluster.way.is_of_the_past() {
            return self.read_past(client).await;
        }
        // A position in another cluster means nothing in this one.
        let position = self.position.take().filter(|mark| mark.cluster_uid == uid);
        let lost = position.as_ref().and_then(|mark| W::lost(client, mark));
        if let Some(why) = &lost {
            self.lists_because(why);
        }
        let mark = match position.filter(|_| lost.is_none()) {
            Some(mark) => mark,
            None => self.list(client, &identity, &uid).await?,
        };
        let mark = Mark {
            history: W::history(client),
            ..mark
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

    /// Logs trouble that stops nothing.
    pub(super) fn aside(&self, line: &str) {
        warn!("{}: {line}", self.cluster.title());
        self.show(|shown| shown.fail(line));
    }

    pub(super) fn count(&self, found: &Found) {
        let (title, resource) = (self.cluster.title(), self.view.resource.name());
        metrics::counter!(W::KIND.objects, &self.view.labels()).increment(found.objects);
        if let Some(reason) = found.reason {
            metrics::counter!(telemetry::PIPELINE_REJECTED, "reason" => "watched object")
                .increment(found.unreadable);
            warn!(
                "{title}: {resource}: {} unreadable: {reason}",
                found.unreadable
            );
        }
        self.show(|shown| {
            shown.facts += found.facts;
            if found.version.is_some() {
                shown.version.clone_from(&found.version);
            }
            if let Some(how) = &found.encrypted
                && shown.unread.is_none()
            {
                warn!("{title}: {resource}: {}", W::encrypted(how));
                shown.unread = Some(format!("encrypted ({how})"));
            }
        });
    }

    /// Watches from behind a position until the server ends that.
    async fn watch(&mut self, client: &W::Client, mark: Mark) -> Result<(), End> {
        let resource = self.view.resource;
        let begun = self.cluster.way.watch(client, resource, &mark);
        let (feed, buffer) = self.until_stop(begun).await??;
        self.cluster.recovered(resource);
        self.show(|shown| shown.state = "catching up");
        let place = (W::url(client), W::ahead(client));
        let mut incoming = Incoming::of(feed, place, mark.at);
        // It is read meanwhile.
        if let Some(listed) = self.listed.take()
            && let Err(end) = self.finish(client, &mark, listed).await
        {
            self.position = None;
            return Err(end);
        }
        let mut stream = Stream {
            buffer,
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
        client: &W::Client,
        incoming: &mut Incoming<<W::Feed as Feed>::Part>,
        stream: &mut Stream<W::Buffer>,
    ) -> Result<(), End> {
        let silence = self.cluster.way.silence_max();
        let now = || ours() + W::ahead(client);
        let mut heard_at = Instant::now();
        loop {
            if self.view.ledger.was_lost() {
                return Err(rows_were_lost().into());
            }
            let mut came = incoming.ready();
            if came.is_none() {
                self.flush(client, stream).await?;
                let next = timeout(LOOK_EVERY, incoming.next());
                let is_quiet = !stream.progress.keeps_up && stream.buffer.is_quiet_enough();
                came = match self.until_stop(next).await? {
                    Ok(came) => Some(came),
                    Err(_) if is_quiet => {
                        self.caught_up(now(), stream).await?;
                        continue;
                    }
                    Err(_) if heard_at.elapsed() >= silence => {
                        return Err(Failure::silent(W::url(client), silence).into());
                    }
                    Err(_) => continue,
                };
            }
            heard_at = Instant::now();
            match came {
                None => {}
                Some(Came::Part(part)) => stream.push(part.content, part.moment),
                Some(Came::Failed(failure)) => {
                    self.flush(client, stream).await?;
                    return Err(failure.into());
                }
                Some(Came::End) => {
                    // The server ends each watch after a while. Everything that was written has come.
                    self.flush(client, stream).await?;
                    if stream.progress.keeps_up {
                        stream.mark.at = now();
                    }
                    return Ok(());
                }
            }
            if stream.buffer.is_full() {
                self.flush(client, stream).await?;
            }
        }
    }

    /// Nothing came for a while: everything that happened while nobody watched has come.
    async fn caught_up(&self, at: i64, stream: &mut Stream<W::Buffer>) -> Result<(), End> {
        let cluster = self.cluster.name().to_owned();
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

    /// Stores the items that came.
    async fn flush(&self, client: &W::Client, stream: &mut Stream<W::Buffer>) -> Result<(), End> {
        let (items, left_out) = stream.buffer.take();
        if let Some((unreadable, reason)) = left_out {
            self.count(&Found {
                unreadable,
                reason: Some(reason),
                ..Found::default()
            });
        }
        if items.is_empty() {
            return Ok(());
        }
        let way = &self.cluster.way;
        let resource = self.view.resource;
        let items: Items<W> = items.into();
        let mut controllers = self.until_stop(way.controllers()).await?;
        let mut from = 0;
        loop {
            let left = self.flush_from(&items, from, controllers, stream).await?;
            if left == 0 {
                return Ok(());
            }
            from = items.len() - left;
            let mut aside = |line: &str| self.aside(line);
            let asked = way.controllers_of_items(client, (resource, &items[from..]), &mut aside);
            controllers = self.until_stop(asked).await??;
        }
    }

    /// Stores what items prove, from one on. Returns how many are left, since an owner has to be asked for.
    async fn flush_from(
        &self,
        items: &Items<W>,
        from: usize,
        controllers: W::Controllers,
        stream: &mut Stream<W::Buffer>,
    ) -> Result<usize, End> {
        let resource = self.view.resource;
        let cluster = self.cluster.name().to_owned();
        let progress = stream.progress.clone();
        let read = items.clone();
        let store = self.store(move |emit| {
            let mut progress = progress.clone();
            let of = (&*cluster, resource, &controllers);
            let found = W::read_items(of, &read[from..], &mut progress, emit);
            (progress, found)
        });
        let ((progress, found), stored) = store.await?;
        let was_behind = !stream.progress.keeps_up;
        stream.progress = progress;
        self.count(&found);
        if was_behind && stream.progress.keeps_up {
            self.show(|shown| shown.state = "watching");
        }
        let last = items[..items.len() - found.left].last();
        let until = last.map_or(stream.since, |(_, moment)| moment.until);
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
            None => Ok(found.left),
            Some(failure) => Err(failure.into()),
        }
    }
}

/// What is to be read again, since it did not arrive in ClickHouse.
pub(super) fn rows_were_lost() -> Failure {
    Failure::of_us("rows were lost on their way: reading them again")
}

/// A watch under way.
struct Stream<B> {
    buffer: B,
    progress: Progress,
    /// When everything that was written had come, until it keeps up.
    since: i64,
    mark: Mark,
}

impl<B: Buffer> Stream<B> {
    fn push(&mut self, part: B::Part, moment: Moment) {
        let moment = match self.progress.keeps_up {
            true => moment,
            false => Moment {
                since: self.since,
                ..moment
            },
        };
        self.buffer.push(part, moment);
    }
}
