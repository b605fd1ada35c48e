//! The sources of a running bygone: those that it reads by itself, and how all of them are.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::clickhouse::{Store, Stores};
use crate::config::Config;
use crate::http;
use crate::lives::open;
use crate::pipeline::Pipeline;
use crate::positions::Positions;
use crate::source::file::{Context, Followers, Own};
use crate::source::kafka::Kafka;
use crate::source::objects::{self, Observers, OpenPod, OpenPods, Parts};
use crate::source::{Status, etcd, file, kafka, watch};
use crate::spool::Spool;

/// Checks the configuration of the sources, and asks Kafka's brokers.
///
/// # Errors
///
/// One line.
pub async fn check(config: &Config) -> anyhow::Result<()> {
    for files in &config.files {
        files.check()?;
    }
    kafka::check(&config.kafka).await?;
    watch::check(&config.watch, config.access.insecure).await?;
    Ok(etcd::check(&config.etcd, config.access.insecure)?)
}

/// The sources that are read.
pub struct Pull {
    kafka: Option<Kafka>,
    watches: Observers,
    etcds: Observers,
    followers: Followers,
    /// The way of files to the pipeline.
    pub files: Own,
}

impl Pull {
    pub fn start(
        config: &Config,
        pipeline: &Pipeline,
        stores: &Stores,
        stop: &CancellationToken,
    ) -> anyhow::Result<Pull> {
        let files = Own::new(pipeline, Positions::new(stores, "file"));
        let kafka = Kafka::start(&config.kafka, pipeline.clone())?;
        let parts = |source| Parts {
            pipeline: pipeline.clone(),
            positions: Positions::new(stores, source),
            open_pods: open_pods(stores.whole.clone()),
            insecure: config.access.insecure,
        };
        let watches = watch::start(&config.watch, &parts("watch"));
        let etcds = etcd::start(&config.etcd, &parts("etcd"));
        let context = |cluster: &str| Context::new(Arc::new(files.clone()), cluster, stop.clone());
        let followers = Followers::start(&config.files, context);
        Ok(Pull {
            kafka,
            watches,
            etcds,
            followers,
            files,
        })
    }

    pub fn statuses(&self) -> Statuses {
        Statuses {
            kafka: self.kafka.as_ref().map(Kafka::statuses),
            watches: self.watches.statuses(),
            etcds: self.etcds.statuses(),
            files: self.followers.statuses(),
        }
    }

    /// Returns when what is under way has ended, within the limits of each.
    pub async fn stop(self) {
        let kafka = async {
            if let Some(kafka) = self.kafka {
                kafka.stop().await;
            }
        };
        let objects = async { tokio::join!(self.watches.stop(), self.etcds.stop()) };
        tokio::join!(objects, kafka, self.followers.stopped());
    }
}

/// Where the state of the pull sources is asked.
#[derive(Clone)]
pub struct Statuses {
    kafka: Option<kafka::Statuses>,
    watches: objects::Statuses,
    etcds: objects::Statuses,
    files: file::Statuses,
}

impl Statuses {
    /// Sets their gauges.
    pub fn measure(&self) {
        if let Some(kafka) = &self.kafka {
            kafka.measure();
        }
        self.watches.measure();
        self.etcds.measure();
    }
}

/// How every source is.
pub async fn now(spool: Spool, others: Statuses) -> Vec<http::Source> {
    let condition = match spool.stats().full {
        true => "the spool is full",
        false => "running",
    };
    let mut statuses = vec![Status::of("webhook", condition)];
    if let Some(kafka) = others.kafka {
        statuses.extend(kafka.now().await);
    }
    statuses.extend(others.watches.now());
    statuses.extend(others.etcds.now());
    statuses.extend(others.files.now());
    statuses.into_iter().map(of_api).collect()
}

/// The API's own type: `http` does not see the sources.
fn of_api(status: Status) -> http::Source {
    http::Source {
        source: status.source,
        place: status.place,
        state: status.state,
        position: status.position,
        committed: status.committed,
        end: status.end,
        lag: status.lag,
        oldest_seconds: status.oldest_seconds,
        facts: status.facts,
        last_error: status.last_error,
    }
}

/// Reads open pods from the store.
fn open_pods(store: Arc<Store>) -> OpenPods {
    Arc::new(move |cluster, after| {
        let store = store.clone();
        Box::pin(async move {
            let after = after.map(|pod| open::OpenPod {
                namespace: pod.namespace,
                pod: pod.name,
                pod_uid: Uuid::from_u128(pod.uid),
            });
            let found = open::open_pods(&store, &cluster, &after.unwrap_or_default()).await;
            let found = found.map_err(|error| error.to_string())?;
            let pods = found.into_iter().map(|pod| OpenPod {
                namespace: pod.namespace,
                name: pod.pod,
                uid: pod.pod_uid.as_u128(),
            });
            Ok(pods.collect())
        })
    })
}
