//! What the sources that pull need of the rest, and their states together.

use std::sync::Arc;

use uuid::Uuid;

use crate::clickhouse::{Store, Stores};
use crate::config::Config;
use crate::lives;
use crate::pipeline::Pipeline;
use crate::positions::Positions;
use crate::source::kafka::Kafka;
use crate::source::watch::{self, OpenPods, Watches};
use crate::source::{Status, kafka};

/// Checks their configurations, and asks Kafka's brokers.
///
/// # Errors
///
/// One line.
pub async fn check(config: &Config) -> anyhow::Result<()> {
    kafka::check(&config.kafka).await?;
    Ok(watch::check(&config.watch, config.access.insecure).await?)
}

/// Begins to watch.
pub fn watches(config: &Config, pipeline: Pipeline, stores: &Stores) -> Watches {
    let parts = watch::Parts {
        pipeline,
        positions: Positions::new(stores, "watch"),
        open_pods: open_pods(stores.whole.clone()),
        insecure: config.access.insecure,
    };
    Watches::start(&config.watch, &parts)
}

/// The states of the sources that pull.
#[derive(Clone)]
pub struct PullStatuses {
    kafka: Option<kafka::Statuses>,
    watches: watch::Statuses,
}

impl PullStatuses {
    pub fn of(kafka: Option<&Kafka>, watches: &Watches) -> PullStatuses {
        PullStatuses {
            kafka: kafka.map(Kafka::statuses),
            watches: watches.statuses(),
        }
    }

    pub async fn now(&self) -> Vec<Status> {
        let mut statuses = match &self.kafka {
            Some(kafka) => kafka.now().await,
            None => Vec::new(),
        };
        statuses.extend(self.watches.now());
        statuses
    }

    pub fn measure(&self) {
        if let Some(kafka) = &self.kafka {
            kafka.measure();
        }
        self.watches.measure();
    }
}

/// Reads open pods from the store.
fn open_pods(store: Arc<Store>) -> OpenPods {
    Arc::new(move |cluster, after| {
        let store = store.clone();
        Box::pin(async move {
            let after = after.map(|pod| lives::open::OpenPod {
                namespace: pod.namespace,
                pod: pod.name,
                pod_uid: Uuid::from_u128(pod.uid),
            });
            let found = lives::open::open_pods(&store, &cluster, &after.unwrap_or_default()).await;
            let found = found.map_err(|error| error.to_string())?;
            let pods = found.into_iter().map(|pod| watch::OpenPod {
                namespace: pod.namespace,
                name: pod.pod,
                uid: pod.pod_uid.as_u128(),
            });
            Ok(pods.collect())
        })
    })
}
