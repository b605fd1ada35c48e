//! etcd as a way to see the objects of a cluster.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::super::objects::failure::{Failure, Next};
use super::super::objects::ledger::{History, Mark};
use super::super::objects::progress::{Found, Progress};
use super::super::objects::resource::{Emit, Resource};
use super::super::objects::way::{Aside, Dated, Kind, Page, Way};
use super::address::Address;
use super::client::Client;
use super::config::Config;
use super::feed::{Changes, Responses};
use super::messages::{KeyValue, RangeRequest, SortOrder, SortTarget, WatchCreate};
use super::read;
use crate::telemetry;

/// Pods on a page of which only the uids are wanted.
const PAGE_PODS: usize = 500;

pub struct Etcd {
    config: Config,
    /// The password may be sent without TLS.
    insecure: bool,
    /// The member that answered last.
    preferred: AtomicUsize,
}

/// Where a page begins.
#[derive(Default)]
pub struct Cursor {
    /// Of the whole list; 0 before the first page.
    revision: i64,
    from: Vec<u8>,
    /// Of the past: the first revision of a change.
    changed_from: i64,
}

/// Keys of a list, at a revision.
pub struct Keys {
    kvs: Vec<KeyValue>,
    revision: i64,
    more: bool,
}

impl Etcd {
    pub fn new(config: &Config, insecure: bool) -> Etcd {
        Etcd {
            config: config.clone(),
            insecure,
            preferred: AtomicUsize::default(),
        }
    }

    /// What the keys of a resource begin with (`registry/core/rest` of Kubernetes; nodes were minions once). Nothing
    /// else is ever read.
    fn prefix(&self, resource: Resource) -> String {
        let name = match resource {
            Resource::Pods => "pods",
            Resource::Nodes => "minions",
            Resource::Namespaces => "namespaces",
        };
        format!("{}/{name}/", self.config.prefix())
    }

    fn range(&self, resource: Resource) -> (Vec<u8>, Vec<u8>) {
        let begin = self.prefix(resource).into_bytes();
        let mut end = begin.clone();
        // A slash, which is not the last byte that there is.
        if let Some(last) = end.last_mut() {
            *last += 1;
        }
        (begin, end)
    }

    async fn keys(
        &self,
        client: &Client,
        resource: Resource,
        cursor: &Cursor,
        objects_max: usize,
    ) -> Result<Keys, Failure> {
        let (begin, range_end) = self.range(resource);
        let key = match &*cursor.from {
            [] => begin,
            from => from.to_vec(),
        };
        let limit = objects_max as i64;
        let revision = cursor.revision;
        let mut request = RangeRequest {
            key,
            range_end,
            limit,
            revision,
            ..RangeRequest::default()
        };
        if self.config.once {
            request.sort_order = SortOrder::Ascend.into();
            request.sort_target = SortTarget::Mod.into();
            request.min_mod_revision = cursor.changed_from;
        }
        let response = client.range(request).await?;
        let newest = response.header.map_or(0, |header| header.revision);
        Ok(Keys {
            kvs: response.kvs,
            revision: if revision == 0 { newest } else { revision },
            more: response.more,
        })
    }
}

impl Keys {
    fn next(&self) -> Option<Cursor> {
        let last = self.kvs.last().filter(|_| self.more)?;
        let mut from = last.key.to_vec();
        from.push(0);
        Some(Cursor {
            revision: self.revision,
            from,
            ..Cursor::default()
        })
    }

    /// The same in the order of changes. The API server changes one key at a time.
    fn next_change(&self) -> Option<Cursor> {
        let last = self.kvs.last().filter(|_| self.more)?;
        Some(Cursor {
            revision: self.revision,
            changed_from: last.mod_revision + 1,
            ..Cursor::default()
        })
    }
}

impl Way for Etcd {
    const KIND: &'static Kind = &Kind {
        name: "etcd",
        counts_versions: true,
        objects: telemetry::ETCD_OBJECTS,
        oldest_seconds: telemetry::ETCD_OLDEST_SECONDS,
    };

    type Client = Client;
    type Cursor = Cursor;
    type Raw = Keys;
    type Feed = Responses;
    type Buffer = Changes;
    /// ReplicaSets and Jobs are not read: names decide, as they do for audit events.
    type Controllers = ();

    fn cluster(&self) -> &str {
        &self.config.cluster
    }

    fn cluster_uid(&self) -> Option<&str> {
        self.config.cluster_uid.as_deref()
    }

    fn silence_max(&self) -> Duration {
        Duration::from_secs(self.config.silence_seconds_max)
    }

    fn is_of_the_past(&self) -> bool {
        self.config.once
    }

    fn permit(&self, resource: Resource) -> String {
        format!(
            "run \"etcdctl role grant-permission ROLE read {} --prefix=true\" for its role",
            self.prefix(resource)
        )
    }

    fn encrypted(how: &str) -> String {
        format!(
            "values are encrypted at rest ({how}), and only the API server has the key: use [[watch]] or audit events \
             for this cluster"
        )
    }

    async fn connect(&self, aside: Aside<'_>) -> Result<Client, Failure> {
        let address = Address::find(&self.config, self.insecure).map_err(Failure::of_us)?;
        let count = address.members.len();
        let first = self.preferred.load(Ordering::Relaxed);
        let mut tried = 0;
        loop {
            let index = (first + tried) % count;
            tried += 1;
            match Client::open(&address, &address.members[index]).await {
                Ok(client) => {
                    self.preferred.store(index, Ordering::Relaxed);
                    return Ok(client);
                }
                Err(failure) if tried == count => return Err(failure),
                Err(failure) => aside(&format!("{}; trying the next endpoint", failure.line)),
            }
        }
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

    /// etcd tells no time.
    fn ahead(_: &Client) -> i64 {
        0
    }

    async fn uid(&self, client: &Client) -> Result<Option<String>, Failure> {
        let key = format!("{}kube-system", self.prefix(Resource::Namespaces));
        let request = RangeRequest {
            key: key.clone().into_bytes(),
            ..RangeRequest::default()
        };
        let response = match client.range(request).await {
            Ok(response) => response,
            Err(failure) if failure.next == Next::Forbidden => return Ok(None),
            Err(failure) => return Err(failure),
        };
        let url = Self::url(client);
        let Some(kv) = response.kvs.first() else {
            return Err(Failure::new(
                Next::Retry,
                format!("{url} has no {key}: set prefix to the --etcd-prefix of the API server"),
            ));
        };
        read::uid_of(Resource::Namespaces, &kv.value).map_err(|reason| {
            Failure::new(
                Next::Retry,
                format!("{url} has {reason} as {key}: is it the etcd of a Kubernetes?"),
            )
        })
    }

    async fn pod_uids(&self, client: &Client) -> Result<BTreeSet<u128>, Failure> {
        let (mut all, mut cursor) = (BTreeSet::new(), Cursor::default());
        loop {
            let of = ("", Resource::Pods);
            let keys = self.keys(client, of.1, &cursor, PAGE_PODS).await?;
            all.extend(read::page(of, &keys.kvs, 0, &mut |_| {}).uids);
            let next = match self.config.once {
                true => keys.next_change(),
                false => keys.next(),
            };
            match next {
                Some(next) => cursor = next,
                None => return Ok(all),
            }
        }
    }

    fn history(client: &Client) -> Option<History> {
        Some(client.history())
    }

    fn lost(client: &Client, mark: &Mark) -> Option<String> {
        let url = Self::url(client);
        let now = client.history();
        let revision = client.header().revision;
        let position: i64 = mark.version.parse().unwrap_or_default();
        let before = mark.history.as_ref();
        match before {
            Some(before) if before.id != now.id => Some(format!(
                "{url} is the etcd {} instead of {}",
                now.id, before.id
            )),
            Some(before) if before.term > now.term => Some(format!(
                "{url} was restored: its raft term is {} after {}",
                now.term, before.term
            )),
            _ if revision < position => Some(format!(
                "{url} was restored: its revision is {revision} after {position}"
            )),
            _ => None,
        }
    }

    async fn page(
        &self,
        client: &Client,
        resource: Resource,
        cursor: &Cursor,
        objects_max: usize,
    ) -> Result<Keys, Failure> {
        self.keys(client, resource, cursor, objects_max).await
    }

    fn read_page(
        (cluster, resource, ()): (&str, Resource, &()),
        raw: &Keys,
        at: i64,
        emit: Emit,
    ) -> Result<Page<Cursor>, String> {
        let mut found = read::page((cluster, resource), &raw.kvs, at, emit);
        found.version = Some(raw.revision.to_string());
        let next = raw.next();
        Ok(Page { found, next })
    }

    fn read_past(
        of: (&str, Resource),
        raw: &Keys,
        at: i64,
        progress: &mut Progress,
        emit: Emit,
    ) -> Page<Cursor> {
        let found = read::past(of, &raw.kvs, at, progress, emit);
        let next = raw.next_change();
        Page { found, next }
    }

    async fn controllers_of_page(
        &self,
        _: &Client,
        _: (Resource, &Keys),
        _: Aside<'_>,
    ) -> Result<(), Failure> {
        Ok(())
    }

    async fn controllers(&self) {}

    async fn controllers_of_items(
        &self,
        _: &Client,
        _: (Resource, &[Dated<Changes>]),
        _: Aside<'_>,
    ) -> Result<(), Failure> {
        Ok(())
    }

    fn read_items(
        (cluster, resource, ()): (&str, Resource, &()),
        items: &[Dated<Changes>],
        progress: &mut Progress,
        emit: Emit,
    ) -> Found {
        read::items((cluster, resource), items, progress, emit)
    }

    async fn watch(
        &self,
        client: &Client,
        resource: Resource,
        mark: &Mark,
    ) -> Result<(Responses, Changes), Failure> {
        let (key, range_end) = self.range(resource);
        let known = mark.version.parse().unwrap_or_default();
        let create = WatchCreate {
            key,
            range_end,
            start_revision: known,
            progress_notify: true,
            prev_kv: true,
            fragment: true,
        };
        let begun = client.watch(create).await?;
        let changes = Changes::behind(known, begun.has_sound_progress);
        Ok((Responses::new(begun, self.silence_max()), changes))
    }
}
