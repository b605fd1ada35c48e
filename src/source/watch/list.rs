//! Lists: everything there is, page by page, and what is missing from it.

use std::collections::BTreeSet;

use bytes::Bytes;
use tracing::info;

use super::client::Client;
use super::clock::ours;
use super::cluster::Identity;
use super::failure::Failure;
use super::ledger::Mark;
use super::owners::{self, Controllers};
use super::read;
use super::resource::{Emit, Resource};
use super::run::{End, Loop, PAGE_OBJECTS};
use crate::lifecycle::watched;
use crate::pipeline::Stored;

/// The largest page; where it is larger, fewer objects are asked for.
const PAGE_BYTES_MAX: usize = 64 << 20;

/// A pod that is created while a list is made must not count as missing from it: how long before the list was asked
/// for it counts, in microseconds. The API server's dates have seconds.
const LIST_SLACK: i64 = 2_000_000;

/// Missing pods that are stored together.
const MISSING_MAX: usize = 1_000;

impl Loop {
    /// Lists everything. What the history has open and the list lacks, is gone.
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
        let at = begun.unwrap_or_default();
        if resource == Resource::Pods && *identity != Identity::Hidden {
            self.end_missing(uids, at - LIST_SLACK, &mut stored).await?;
        }
        self.page_objects = PAGE_OBJECTS;
        let mark = Mark {
            cluster_uid: uid.to_owned(),
            version,
            at,
        };
        self.view.ledger.send(mark.clone(), stored).await;
        Ok(mark)
    }

    /// Ends the open pods that the list did not have.
    async fn end_missing(
        &self,
        listed: BTreeSet<u128>,
        at: i64,
        stored: &mut Vec<Stored>,
    ) -> Result<(), End> {
        let (mut after, mut missing) = (None, Vec::new());
        loop {
            let open = (self.cluster.open_pods)(self.cluster.name().to_owned(), after.take());
            let open = self.until_stop(open).await?.map_err(Failure::of_us)?;
            after = open.last().cloned();
            missing.extend(open.into_iter().filter(|pod| !listed.contains(&pod.uid)));
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
                    "watch {}: {count} pods had ended while nobody watched",
                    self.cluster.name()
                );
            }
            if is_last {
                return Ok(());
            }
        }
    }
}
