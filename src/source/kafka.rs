//! The Kafka source: a member of a consumer group.
//!
//! In: records, each with one or many audit events. Out: their facts in ClickHouse, and only then
//! the offset, committed. What the group has committed alone decides where a partition goes on: an
//! operator's reset is the way to read again.
//!
//! ```text
//! librdkafka's queue -> gathered -> batch: pipeline -> spool ... ClickHouse -> ledger -> commit
//!       one thread polls            tasks
//! ```
//!
//! At a revoke no more records are taken, the gathered ones are sent, ClickHouse has `flush_seconds_max` to store
//! them, the result is committed, and the partition is released. A lost assignment is released at once. Records that
//! were taken and not committed are read again by the next owner; facts tolerate duplicates.
//!
//! A record that can't be read becomes a dead letter and holds up nothing.
//!
//! Limits: librdkafka's queue `queue_bytes_max`, what is taken and not yet in ClickHouse
//! `unstored_bytes_max` and 1,024 batches. At these, and when the spool is full, all partitions are
//! paused until there is room: Kafka keeps the records better than a spool that others need.
//!
//! Never here: the content of a record, in a log, an error or a metric.

mod broker_errors;
mod config;
mod connect;
mod context;
mod dead;
mod ledger;
mod librdkafka;
mod member;
mod names;
mod run;
mod watch;

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tracing::error;

use super::Status;
use crate::pipeline::Pipeline;
pub use config::{ClusterFrom, Config, Mechanism, Options, Start};
use dead::DeadTopic;
use member::Member;

/// Why the Kafka source could not start: one line.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Error(String);

/// Asks the brokers once, if there is a Kafka source, whether they accept us and have the topics. Waits for them some
/// seconds; if none answers, the member logs that and retries until one does.
///
/// # Errors
///
/// When the configuration makes no sense, a broker does not let us in, or a topic is missing.
pub async fn check(config: &Config) -> Result<(), Error> {
    if !config.is_on() {
        return Ok(());
    }
    let config = config.clone();
    let asked = tokio::task::spawn_blocking(move || connect::check(&config)).await;
    asked.unwrap_or_else(|_| Err(Error("kafka: the check has panicked".to_owned())))
}

/// A running member of the group.
pub struct Kafka {
    member: Arc<Member>,
    stop: CancellationToken,
    thread: JoinHandle<()>,
}

impl Kafka {
    /// Joins the group, if there is a Kafka source.
    ///
    /// # Errors
    ///
    /// When the configuration makes no sense.
    pub fn start(config: &Config, pipeline: Pipeline) -> Result<Option<Kafka>, Error> {
        if !config.is_on() {
            return Ok(None);
        }
        let client = config.member()?;
        let dead = match &config.dead_letter_topic {
            None => None,
            Some(topic) => Some(DeadTopic::open(topic, &config.client()?)?),
        };
        let member = Arc::new(Member::new(config.clone(), pipeline, dead));
        let stop = CancellationToken::new();
        let thread = tokio::task::spawn_blocking({
            let (member, stop) = (member.clone(), stop.clone());
            move || run::run(&client, &member, &stop)
        });
        tokio::spawn(watch::keep(member.clone(), stop.clone()));
        Ok(Some(Kafka {
            member,
            stop,
            thread,
        }))
    }

    /// The handle for the source's state.
    pub fn statuses(&self) -> Statuses {
        Statuses(self.member.clone())
    }

    /// Leaves the group, with everything committed that ClickHouse has within `flush_seconds_max`.
    pub async fn stop(self) {
        self.stop.cancel();
        // A little longer than what is waited for inside.
        let patience = self.member.flush_wait() * 2 + Duration::from_secs(10);
        match tokio::time::timeout(patience, self.thread).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => error!("kafka: the member's thread has panicked"),
            Err(_) => error!("kafka: the member did not leave its group within {patience:?}"),
        }
    }
}

/// The state of the source.
#[derive(Clone)]
pub struct Statuses(Arc<Member>);

impl Statuses {
    /// Queries the end offsets of the partitions, and reports each assigned one.
    pub async fn now(&self) -> Vec<Status> {
        watch::look(self.0.clone()).await;
        watch::statuses(&self.0)
    }

    /// Sets the gauges, from what is known.
    pub fn measure(&self) {
        watch::measure(&self.0);
    }
}
