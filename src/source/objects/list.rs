//! Lists: everything there is, page by page, and what is missing from it.

use std::collections::BTreeSet;

use tracing::info;

use super::cluster::{Identity, OpenPod};
use super::failure::{Failure, Next};
use super::ledger::Mark;
use super::ours;
use super::progress::Progress;
use super::resource::{Emit, Resource};
use super::run::{End, Loop, PAGE_OBJECTS};
use super::way::Way;
use crate::lifecycle::watched;
use crate::pipeline::Stored;

/// A pod that is created while a list is made must not count as missing from it: how long before the list was asked
/// for it counts, in microseconds. The API server's dates have seconds.
const LIST_SLACK: i64 = 2_000_000;

/// Missing pods that are stored together.
const MISSING_MAX: usize = 1_000;

/// The pods that a list had: those that could not be read by their names.
#[derive(Default)]
struct Listed {
    uids: BTreeSet<u128>,
    unread: BTreeSet<(String, String)>,
}

impl Listed {
    fn has(&self, pod: &OpenPod) -> bool {
        self.uids.contains(&pod.uid)
            || !self.unread.is_empty()
                && self
                    .unread
                    .contains(&(pod.namespace.clone(), pod.name.clone()))
    }
}

impl<W: Way> Loop<W> {
    /// Lists everything. What the history has open and the list lacks, is gone.
    pub(super) async fn list(
        &mut self,
        client: &W::Client,
        identity: &Identity,
        uid: &str,
    ) -> Result<Mark, End> {
        self.show(|shown| shown.state = "listing");
        let resource = self.view.resource;
        let (mut cursor, mut begun, mut stored) = (W::Cursor::default(), None, Vec::new());
        let mut listed = Listed::default();
        let version = loop {
            let sent = ours();
            let way = &self.cluster.way;
            let raw = way.page(client, resource, &cursor, self.page_objects);
            let raw = self.until_stop(raw).await??;
            let at = *begun.get_or_insert(W::at(client, sent));
            let mut aside = |line: &str| self.aside(line);
            let controllers = way.controllers_of_page(client, (resource, &raw), &mut aside);
            let controllers = self.until_stop(controllers).await??;
            let cluster = self.cluster.name().to_owned();
            let store = self.store(move |emit| {
                let emit: Emit = &mut |fact| W::emit(&controllers, fact, emit);
                W::read_page((&cluster, resource), &raw, at, emit)
            });
            let (read, of_page) = store.await?;
            let odd = |what| Failure::new(Next::Retry, format!("{} {what}", W::url(client)));
            let page = read.map_err(odd)?;
            self.count(&page.found);
            stored.push(of_page);
            listed.uids.extend(page.found.uids);
            listed.unread.extend(page.found.unread);
            match page.next {
                Some(next) => cursor = next,
                None => break page.found.version.unwrap_or_default(),
            }
        };
        let at = begun.unwrap_or_default();
        if resource == Resource::Pods && *identity != Identity::Hidden {
            self.end_missing(&listed, at - LIST_SLACK, &mut stored)
                .await?;
        }
        self.page_objects = PAGE_OBJECTS;
        let mark = Mark {
            cluster_uid: uid.to_owned(),
            version,
            at,
            history: W::history(client),
        };
        self.view.ledger.send(mark.clone(), stored).await;
        Ok(mark)
    }

    /// Reads everything once, as it was when it was written. What is missing from it says nothing.
    pub(super) async fn read_past(&mut self, client: &W::Client) -> Result<(), End> {
        self.show(|shown| shown.state = "reading");
        let resource = self.view.resource;
        let (mut cursor, mut progress) = (W::Cursor::default(), Progress::from(0));
        loop {
            let way = &self.cluster.way;
            let at = W::at(client, ours());
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

    /// Ends the open pods that the list did not have.
    async fn end_missing(
        &self,
        listed: &Listed,
        at: i64,
        stored: &mut Vec<Stored>,
    ) -> Result<(), End> {
        let (mut after, mut missing) = (None, Vec::new());
        loop {
            let open = (self.cluster.open_pods)(self.cluster.name().to_owned(), after.take());
            let open = self.until_stop(open).await?.map_err(Failure::of_us)?;
            after = open.last().cloned();
            missing.extend(open.into_iter().filter(|pod| !listed.has(pod)));
            let is_last = after.is_none();
            while missing.len() >= MISSING_MAX || is_last && !missing.is_empty() {
                let gone: Vec<_> = missing.drain(..missing.len().min(MISSING_MAX)).collect();
                let cluster = self.cluster.name().to_owned();
                let count = gone.len();
                let store = self.store(move |emit| {
                    for pod in &gone {
                        let name = (&*pod.namespace, &*pod.name, pod.uid);
                        // The only failure is a time that no clock has.
                        _ = watched::absent(&cluster, name, at, emit);
                    }
                });
                let ((), of_gone) = store.await?;
                stored.push(of_gone);
                self.show(|shown| shown.facts += count as u64);
                info!(
                    "{}: {count} pods had ended while nobody watched",
                    self.cluster.title()
                );
            }
            if is_last {
                return Ok(());
            }
        }
    }
}
