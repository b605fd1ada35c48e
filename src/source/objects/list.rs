//! Lists: everything there is, page by page, and what is missing from it.

use tracing::info;

use super::cluster::{Identity, OpenPod};
use super::failure::{Failure, Next};
use super::ledger::Mark;
use super::ours;
use super::progress::Progress;
use super::resource::Resource;
use super::run::{End, Listed, Loop, PAGE_OBJECTS, rows_were_lost};
use super::way::Way;
use crate::lifecycle::watched;
use crate::pipeline::Stored;

/// What is gone stays gone. But the API server's dates have seconds, and so has the creation of a pod: how long after the
/// list it counts as gone, in microseconds, so that it was not seen after that.
const LIST_SLACK: i64 = 1_000_000;

/// Missing pods that are stored together.
const MISSING_MAX: usize = 1_000;

impl<W: Way> Loop<W> {
    /// Lists everything. [`Loop::finish`] has to follow, after the watch has begun.
    pub(super) async fn list(
        &mut self,
        client: &W::Client,
        identity: &Identity,
        uid: &str,
    ) -> Result<Mark, End> {
        self.show(|shown| shown.state = "listing");
        let resource = self.view.resource;
        let (mut cursor, mut begun) = (W::Cursor::default(), None);
        let mut listed = Listed {
            ends_pods: resource == Resource::Pods && *identity != Identity::Hidden,
            ..Listed::default()
        };
        let version = loop {
            let sent = ours();
            let way = &self.cluster.way;
            let raw = way.page(client, resource, &cursor, self.page_objects);
            let raw = self.until_stop(raw).await??;
            let at = *begun.get_or_insert(sent + W::ahead(client));
            let mut aside = |line: &str| self.aside(line);
            let controllers = way.controllers_of_page(client, (resource, &raw), &mut aside);
            let controllers = self.until_stop(controllers).await??;
            let cluster = self.cluster.name().to_owned();
            let store = self.store(move |emit| {
                W::read_page((&cluster, resource, &controllers), &raw, at, emit)
            });
            let (read, of_page) = store.await?;
            let odd = |what| Failure::new(Next::Retry, format!("{} {what}", W::url(client)));
            let page = read.map_err(odd)?;
            self.count(&page.found);
            listed.stored.push(of_page);
            listed.uids.extend(page.found.uids);
            listed.unread.extend(page.found.unread);
            match page.next {
                Some(next) => cursor = next,
                None => break page.found.version.unwrap_or_default(),
            }
        };
        self.page_objects = PAGE_OBJECTS;
        self.listed = Some(listed);
        Ok(Mark {
            cluster_uid: uid.to_owned(),
            version,
            at: begun.unwrap_or_default(),
            history: W::history(client),
        })
    }

    /// Reads everything once, as it was when it was written. What is missing from it says nothing.
    pub(super) async fn read_past(&mut self, client: &W::Client) -> Result<(), End> {
        self.show(|shown| shown.state = "reading");
        let resource = self.view.resource;
        let (mut cursor, mut progress) = (W::Cursor::default(), Progress::from(0));
        loop {
            let way = &self.cluster.way;
            let at = ours() + W::ahead(client);
            let raw = way.page(client, resource, &cursor, self.page_objects);
            let raw = self.until_stop(raw).await??;
            let (cluster, before) = (self.cluster.name().to_owned(), progress);
            let store = self.store(move |emit| {
                let mut progress = before.clone();
                let page = W::read_past((&cluster, resource), &raw, at, &mut progress, emit);
                if page.next.is_none() {
                    // All of them were there together when the last was written.
                    progress.catch_up(&cluster, progress.since(), emit);
                }
                (page, progress)
            });
            let ((page, after), _) = store.await?;
            progress = after;
            self.count(&page.found);
            let Some(next) = page.next else {
                self.show(|shown| shown.state = "read");
                return Ok(());
            };
            cursor = next;
        }
    }

    /// Ends what the history has open and a list lacked, and takes the list's version as a position. The history is read
    /// when it has the list, and so everything that was stored before. A pod that is created meanwhile may not be missing
    /// from the list, so a second one must lack it too.
    pub(super) async fn finish(
        &self,
        client: &W::Client,
        mark: &Mark,
        mut listed: Listed,
    ) -> Result<(), End> {
        for page in listed.stored.drain(..) {
            if !self.until_stop(page.wait()).await? {
                return Err(rows_were_lost().into());
            }
        }
        let mut stored = Vec::new();
        if listed.ends_pods {
            let mut missing = self.missing_from(&listed).await?;
            if !missing.is_empty() {
                let there = self.cluster.way.pod_uids(client);
                let there = self.until_stop(there).await??;
                missing.retain(|pod| !there.contains(&pod.uid));
            }
            let at = ours() + W::ahead(client) + LIST_SLACK;
            self.end(missing, at, &mut stored).await?;
        }
        self.view.ledger.send(mark.clone(), stored).await;
        Ok(())
    }

    /// The pods that the history has open and the list lacked.
    async fn missing_from(&self, listed: &Listed) -> Result<Vec<OpenPod>, End> {
        let (mut missing, mut after) = (Vec::new(), None);
        loop {
            let page = (self.cluster.open_pods)(self.cluster.name().to_owned(), after);
            let page = self.until_stop(page).await?.map_err(Failure::of_us)?;
            after = page.last().cloned();
            if after.is_none() {
                return Ok(missing);
            }
            missing.extend(page.into_iter().filter(|pod| !listed.has(pod)));
        }
    }

    /// Ends pods that are gone.
    async fn end(
        &self,
        missing: Vec<OpenPod>,
        at: i64,
        stored: &mut Vec<Stored>,
    ) -> Result<(), End> {
        if missing.is_empty() {
            return Ok(());
        }
        let count = missing.len();
        for gone in missing.chunks(MISSING_MAX) {
            let (cluster, gone) = (self.cluster.name().to_owned(), gone.to_vec());
            let store = self.store(move |emit| {
                for pod in &gone {
                    let name = (&*pod.namespace, &*pod.name, pod.uid);
                    // The only failure is a time that no clock has.
                    _ = watched::absent(&cluster, name, at, emit);
                }
            });
            let ((), of_gone) = store.await?;
            stored.push(of_gone);
        }
        self.show(|shown| shown.facts += count as u64);
        info!(
            "{}: {count} pods had ended while nobody watched",
            self.cluster.title()
        );
        Ok(())
    }
}
