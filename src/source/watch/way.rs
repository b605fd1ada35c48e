//! The API as a way to see the objects of a cluster.

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::Mutex;

use super::super::objects::failure::{Failure, Next};
use super::super::objects::ledger::Mark;
use super::super::objects::progress::{Found, Progress};
use super::super::objects::resource::{Emit, Resource};
use super::super::objects::way::{Aside, Dated, Kind, Page, Way};
use super::address::Address;
use super::client::Client;
use super::config::Config;
use super::feed::Answer;
use super::lines::Lines;
use super::owners::{self, Controllers, Owners, Reference};
use super::{paths, read};
use crate::telemetry;

/// The largest page; where it is larger, fewer objects are asked for.
const PAGE_BYTES_MAX: usize = 64 << 20;

/// Pods on a page of metadata.
const PAGE_PODS: usize = 500;

/// How long an API server keeps a watch open, in seconds.
const WATCH_SECONDS: u64 = 290;

pub struct Api {
    config: Config,
    /// Credentials may be sent without verified TLS.
    insecure: bool,
    owners: Mutex<Owners>,
}

impl Api {
    pub fn new(config: &Config, insecure: bool) -> Api {
        Api {
            config: config.clone(),
            insecure,
            owners: Mutex::default(),
        }
    }

    async fn controllers(
        &self,
        client: &Client,
        wanted: &BTreeSet<Reference>,
        aside: Aside<'_>,
    ) -> Result<Controllers, Failure> {
        let mut owners = self.owners.lock().await;
        let (controllers, forbidden) = owners.controllers(client, wanted).await?;
        if let Some(line) = forbidden {
            aside(&line);
        }
        Ok(controllers)
    }
}

impl Way for Api {
    const KIND: &'static Kind = &Kind {
        name: "watch",
        counts_versions: false,
        objects: telemetry::WATCH_OBJECTS,
        oldest_seconds: telemetry::WATCH_OLDEST_SECONDS,
    };

    type Client = Client;
    type Cursor = String;
    type Raw = Bytes;
    type Feed = Answer;
    type Buffer = Lines;
    type Controllers = Controllers;

    fn cluster(&self) -> &str {
        &self.config.cluster
    }

    fn cluster_uid(&self) -> Option<&str> {
        self.config.cluster_uid.as_deref()
    }

    fn silence_max(&self) -> Duration {
        Duration::from_secs(self.config.silence_seconds_max)
    }

    fn permit(&self, _: Resource) -> String {
        "apply deploy/watch-rbac.yaml for it".to_owned()
    }

    async fn connect(&self, _: Aside<'_>) -> Result<Client, Failure> {
        let variable = |name: &str| std::env::var(name).ok();
        let address = Address::find(&self.config, self.insecure, &variable).await;
        Client::open(address.map_err(Failure::of_us)?).await
    }

    fn is_stale(client: &Client) -> bool {
        client.is_stale()
    }

    fn url(client: &Client) -> &str {
        &client.place().url
    }

    fn danger(client: &Client) -> Option<&'static str> {
        client.danger()
    }

    fn ahead(client: &Client) -> i64 {
        client.clock().ahead()
    }

    async fn uid(&self, client: &Client) -> Result<Option<String>, Failure> {
        let asked = client
            .get("/api/v1/namespaces/kube-system", paths::ONE)
            .await;
        let body = match asked {
            Ok(body) => body,
            Err(failure) if failure.next == Next::Forbidden => return Ok(None),
            Err(failure) => return Err(failure),
        };
        let body = client.read(body, PAGE_BYTES_MAX).await?;
        match read::uid_of(&body) {
            Some(uid) => Ok(Some(uid)),
            None => Err(client
                .place()
                .odd("answered something else than a namespace")),
        }
    }

    async fn pod_uids(&self, client: &Client) -> Result<BTreeSet<u128>, Failure> {
        let (mut all, mut token) = (BTreeSet::new(), String::new());
        loop {
            let path = paths::page(Resource::Pods, PAGE_PODS, &token);
            let body = client.get(&path, paths::MANY).await?;
            let body = client.read(body, PAGE_BYTES_MAX).await?;
            let page = read::uids(&body);
            let (uids, next) = page.ok_or_else(|| {
                client
                    .place()
                    .odd("answered something else than a list of pods")
            })?;
            all.extend(uids);
            if next.is_empty() {
                return Ok(all);
            }
            token = next;
        }
    }

    async fn page(
        &self,
        client: &Client,
        resource: Resource,
        cursor: &String,
        objects_max: usize,
    ) -> Result<Bytes, Failure> {
        let path = paths::page(resource, objects_max, cursor);
        let body = client.get(&path, paths::accept_list(resource)).await?;
        client.read(body, PAGE_BYTES_MAX).await
    }

    fn read_page(
        of: (&str, Resource, &Controllers),
        raw: &Bytes,
        at: i64,
        emit: Emit,
    ) -> Result<Page<String>, String> {
        let Some((found, token)) = read::page(of, raw, at, emit) else {
            let name = of.1.name();
            return Err(format!(
                "answered something else than a list of {name}: is it an API server?"
            ));
        };
        let next = (!token.is_empty()).then_some(token);
        Ok(Page { found, next })
    }

    async fn controllers_of_page(
        &self,
        client: &Client,
        (resource, raw): (Resource, &Bytes),
        aside: Aside<'_>,
    ) -> Result<Controllers, Failure> {
        match resource {
            Resource::Pods => self.controllers(client, &owners::of_page(raw), aside).await,
            _ => Ok(Controllers::default()),
        }
    }

    async fn controllers(&self) -> Controllers {
        self.owners.lock().await.known(true)
    }

    async fn controllers_of_items(
        &self,
        client: &Client,
        (resource, items): (Resource, &[Dated<Lines>]),
        aside: Aside<'_>,
    ) -> Result<Controllers, Failure> {
        match resource {
            Resource::Pods => {
                self.controllers(client, &owners::of_lines(items), aside)
                    .await
            }
            _ => Ok(Controllers::default()),
        }
    }

    fn read_items(
        of: (&str, Resource, &Controllers),
        items: &[Dated<Lines>],
        progress: &mut Progress,
        emit: Emit,
    ) -> Found {
        read::lines(of, items, progress, emit)
    }

    async fn watch(
        &self,
        client: &Client,
        resource: Resource,
        mark: &Mark,
    ) -> Result<(Answer, Lines), Failure> {
        let path = paths::watch(resource, &mark.version, WATCH_SECONDS);
        let body = client.get(&path, paths::accept_watch(resource)).await?;
        let answer = Answer::new(body, &client.place().url);
        Ok((answer, Lines::default()))
    }
}
