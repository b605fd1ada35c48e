//! Lists: everything there is, page by page, and what is missing from it.

use std::collections::BTreeSet;

use bytes::Bytes;
use tracing::info;

use super::OpenPod;
use super::client::Client;
use super::clock::ours;
use super::cluster::{Identity, list_uids};
use super::failure::Failure;
use super::ledger::Mark;
use super::owners::{self, Controllers};
use super::read;
use super::resource::{Emit, Resource};
use super::run::{End, Listed, Loop, PAGE_OBJECTS};
use crate::lifecycle::watched;
use crate::pipeline::Stored;

/// The largest page; where it is larger, fewer objects are asked for.
const PAGE_BYTES_MAX: usize = 64 << 20;

/// What is gone stays gone. But the API server's dates have seconds, and so has the creation of a pod: how long after the
/// list it counts as gone, in microseconds, so that it was not seen after that.
const LIST_SLACK: i64 = 1_000_000;

/// Missing pods that are stored together.
const MISSING_MAX: usize = 1_000;

impl Loop {
    /// Lists everything. [`Loop::finish`] has to follow, after the watch has begun.
    pub(super) async fn list(
        &mut self,
        client: &Client,
        identity: &Identity,
        uid: &str,
    ) -> Result<Mark, End> {
        self.show(|shown| shown.state = "listing");
        let resource = self.view.resource;
        let (mut token, mut begun, mut stored) = (String::new(), None, Vec::new());
        let mut uids = BTreeSet::new();
        let version = loop {
            let path = resource.page(self.page_objects, &token);
            let sent = ours();
            let answer = client.get(&path, resource.accept_list());
            let answer = self.until_stop(answer).await??;
            self.clock.see(sent, ours(), answer.date);
            let at = *begun.get_or_insert(self.clock.at(sent));
            let body = client.read(answer.body, PAGE_BYTES_MAX);
            let body: Bytes = self.until_stop(body).await??;
            let cluster = self.cluster.name().to_owned();
            let controllers = match resource {
                Resource::Pods => self.controllers(client, &owners::of_page(&body)).await?,
                _ => Controllers::default(),
            };
            let store = self.store(move |emit| {
                let emit: Emit = &mut |fact| controllers.emit(fact, emit);
                read::page(&cluster, resource, &body, at, emit)
            });
            let (found, of_page) = store.await?;
            let Some(found) = found else {
                let what = format!("answered something else than a list of {}", resource.name());
                return Err(client.place().odd(&what).into());
            };
            self.count(&found);
            stored.push(of_page);
            uids.extend(found.uids);
            token = found.token;
            if token.is_empty() {
                break found.version.unwrap_or_default();
            }
        };
        self.page_objects = PAGE_OBJECTS;
        self.listed = Some(Listed {
            uids,
            stored,
            ends_pods: resource == Resource::Pods && *identity != Identity::Hidden,
        });
        Ok(Mark {
            cluster_uid: uid.to_owned(),
            version,
            at: begun.unwrap_or_default(),
        })
    }

    /// Ends what the history has open and a list lacked, and takes the list's version as a position. The history is read
    /// when it has the list, and so everything that was stored before. A pod that is created meanwhile may not be missing
    /// from the list, so a second one must lack it too.
    pub(super) async fn finish(
        &self,
        client: &Client,
        mark: &Mark,
        listed: Listed,
    ) -> Result<(), End> {
        for page in listed.stored {
            if !self.until_stop(page.wait()).await? {
                return Err(
                    Failure::of_us("rows were lost on their way: reading them again").into(),
                );
            }
        }
        let mut stored = Vec::new();
        if listed.ends_pods {
            let mut missing = self.open_pods().await?;
            missing.retain(|pod| !listed.uids.contains(&pod.uid));
            if !missing.is_empty() {
                let there = self.until_stop(list_uids(client)).await??;
                missing.retain(|pod| !there.contains(&pod.uid));
            }
            self.end(missing, &mut stored).await?;
        }
        self.view.ledger.send(mark.clone(), stored).await;
        Ok(())
    }

    /// The pods that the history has open.
    async fn open_pods(&self) -> Result<Vec<OpenPod>, End> {
        let (mut all, mut after) = (Vec::new(), None);
        loop {
            let page = (self.cluster.open_pods)(self.cluster.name().to_owned(), after);
            let page = self.until_stop(page).await?.map_err(Failure::of_us)?;
            after = page.last().cloned();
            if after.is_none() {
                return Ok(all);
            }
            all.extend(page);
        }
    }

    /// Ends pods that are gone.
    async fn end(&self, missing: Vec<OpenPod>, stored: &mut Vec<Stored>) -> Result<(), End> {
        if missing.is_empty() {
            return Ok(());
        }
        let at = self.clock.now() + LIST_SLACK;
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
            "watch {}: {count} pods had ended while nobody watched",
            self.cluster.name()
        );
        Ok(())
    }
}
