//! The sources of a running bygone: those that it reads by itself, and how all of them are.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::clickhouse::Stores;
use crate::config::Config;
use crate::http;
use crate::pipeline::Pipeline;
use crate::positions::Positions;
use crate::source::file::{Context, Followers, Own};
use crate::source::kafka::Kafka;
use crate::source::{Status, file, kafka};
use crate::spool::Spool;

/// Whether the configuration of the sources makes sense, and Kafka lets us in.
pub async fn check(config: &Config) -> anyhow::Result<()> {
    for files in &config.files {
        files.check()?;
    }
    Ok(kafka::check(&config.kafka).await?)
}

/// The sources that are read.
pub struct Pull {
    kafka: Option<Kafka>,
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
        let context = |cluster: &str| Context::new(Arc::new(files.clone()), cluster, stop.clone());
        let followers = Followers::start(&config.files, context);
        Ok(Pull {
            kafka,
            followers,
            files,
        })
    }

    pub fn statuses(&self) -> Statuses {
        Statuses {
            kafka: self.kafka.as_ref().map(Kafka::statuses),
            files: self.followers.statuses(),
        }
    }

    /// Returns when what is under way has ended, within the limits of each.
    pub async fn stop(self) {
        if let Some(kafka) = self.kafka {
            kafka.stop().await;
        }
        self.followers.stopped().await;
    }
}

/// Where the state of the pull sources is asked.
#[derive(Clone)]
pub struct Statuses {
    pub kafka: Option<kafka::Statuses>,
    pub files: file::Statuses,
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
        last_error: status.last_error,
    }
}
