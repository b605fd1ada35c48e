//! The state shared by the polling thread, its callbacks, and the tasks of batches.

use std::collections::BTreeSet;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use bytes::Bytes;
use jiff::Timestamp;
use rdkafka::Message;
use rdkafka::consumer::BaseConsumer;
use rdkafka::message::{BorrowedMessage, Headers};
use tokio::runtime::Handle;

use super::broker_errors::BrokerErrors;
use super::config::Config;
use super::dead::{DeadTopic, Poisoned};
use super::ledger::{Ledger, Record, TopicPartition};
use super::names::{self, ClusterHints};
use crate::pipeline::{Delivery, NotTaken, Pipeline, Taken};
use crate::telemetry;

/// A batch is sent at this many records or bytes at the latest.
const BATCH_RECORDS_MAX: usize = 4_096;
const BATCH_BYTES_MAX: usize = 4 << 20;

/// Flights that are being decoded and written to the spool at the same time. The bodies of their
/// records are in memory until then.
const DECODING_MAX: usize = 2;

/// Flights that wait for ClickHouse.
const BATCHES_MAX: usize = 1_024;

/// How long a batch waits for room in the spool before the next try.
const ROOM_WAIT: Duration = Duration::from_millis(250);

/// The longest single wait for a batch; then the deadline is checked.
const SETTLED_WAIT: Duration = Duration::from_millis(100);

/// The member as librdkafka calls it.
pub struct Context(pub Arc<Member>);

pub struct Member {
    pub config: Config,
    /// See [`Config::clusters_of_wrappers`].
    wrappers: Option<Arc<BTreeSet<String>>>,
    pipeline: Pipeline,
    dead: Option<DeadTopic>,
    runtime: Handle,
    state: Mutex<State>,
    /// A batch has made progress.
    moved: Condvar,
    consumer: Mutex<Weak<BaseConsumer<Context>>>,
}

#[derive(Default)]
pub struct State {
    pub ledger: Ledger,
    pub broker_errors: BrokerErrors,
    pub paused: bool,
    gathered: Vec<Delivery>,
    gathered_bytes: usize,
    /// With those that have no body.
    gathered_records: usize,
    decoding: usize,
    /// Of the last record: the next one is mostly of the same.
    topic_partition: Option<TopicPartition>,
}

/// The fields of a record that may name its cluster.
struct Labels<'a>(&'a BorrowedMessage<'a>);

impl ClusterHints for Labels<'_> {
    fn topic(&self) -> &str {
        self.0.topic()
    }

    fn key(&self) -> Option<&[u8]> {
        self.0.key()
    }

    fn header(&self, name: &str) -> Option<&[u8]> {
        let headers = self.0.headers()?;
        let found = headers.iter().find(|header| header.key == name)?;
        found.value
    }
}

impl Member {
    pub fn new(config: Config, pipeline: Pipeline, dead: Option<DeadTopic>) -> Member {
        Member {
            wrappers: config.clusters_of_wrappers.clone().map(Arc::new),
            config,
            pipeline,
            dead,
            runtime: Handle::current(),
            state: Mutex::default(),
            moved: Condvar::new(),
            consumer: Mutex::default(),
        }
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        // A panic of another thread leaves an offset behind at worst, never ahead.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn runtime(&self) -> &Handle {
        &self.runtime
    }

    pub fn flush_wait(&self) -> Duration {
        Duration::from_secs(self.config.flush_seconds_max)
    }

    /// The current consumer, for queries to the brokers from other threads.
    pub fn consumer(&self) -> Option<Arc<BaseConsumer<Context>>> {
        let consumer = self.consumer.lock().unwrap_or_else(PoisonError::into_inner);
        consumer.upgrade()
    }

    pub fn set_consumer(&self, consumer: Weak<BaseConsumer<Context>>) {
        *self.consumer.lock().unwrap_or_else(PoisonError::into_inner) = consumer;
    }

    /// Takes a record in, if its partition is ours.
    pub fn gather(&self, message: &BorrowedMessage) {
        let (topic, partition, offset) = (message.topic(), message.partition(), message.offset());
        let mut state = self.state();
        let known = |topic_partition: &TopicPartition| {
            topic_partition.partition == partition && &*topic_partition.topic == topic
        };
        if !state.topic_partition.as_ref().is_some_and(known) {
            state.topic_partition = state.ledger.topic_partition(topic, partition);
        }
        let Some(topic_partition) = state.topic_partition.clone() else {
            return;
        };
        let body = message.payload().unwrap_or_default();
        let record = Record {
            offset,
            made_at: message.timestamp().to_millis().unwrap_or_default(),
            bytes: body.len(),
        };
        if !state.ledger.take(&topic_partition, record) {
            return;
        }
        state.gathered_records += 1;
        state.gathered_bytes += body.len();
        // A record without a body is the tombstone of a compacted topic: there is nothing in it.
        if !body.is_empty() {
            let labels = Labels(message);
            let cluster = names::cluster(&self.config, &labels);
            state.gathered.push(Delivery {
                cluster: cluster.map(str::to_owned),
                cluster_else: self.config.cluster.clone(),
                clusters_of_wrappers: self.wrappers.clone(),
                origin: format!("kafka {topic_partition} offset {offset}"),
                received_at: Timestamp::now(),
                body: Bytes::copy_from_slice(body),
                from: 0,
            });
        }
    }

    /// Whether nothing more should be taken now.
    pub fn is_blocked(&self) -> bool {
        let state = self.state();
        let full = state.is_full() && state.decoding >= DECODING_MAX;
        let bytes_max = self.config.unstored_bytes_max;
        full || state.ledger.unstored_bytes() >= bytes_max
            || state.ledger.batches() >= BATCHES_MAX
            || !self.pipeline.has_room()
    }

    /// Whether there is so much room that a pause can end.
    pub fn has_room_again(&self) -> bool {
        let half = self.config.unstored_bytes_max / 2;
        let state = self.state();
        let enough = state.ledger.unstored_bytes() <= half;
        enough && state.ledger.batches() <= BATCHES_MAX / 2 && self.pipeline.has_room()
    }

    /// Whether records are gathered, and whether they fill a batch.
    pub fn gathered(&self) -> (bool, bool) {
        let state = self.state();
        (state.gathered_records > 0, state.is_full())
    }

    /// Sends off what is gathered, if not too many are being decoded. `force` sends it in any case.
    pub fn dispatch(self: &Arc<Self>, force: bool) {
        let mut state = self.state();
        if state.gathered_records == 0 || (state.decoding >= DECODING_MAX && !force) {
            return;
        }
        let id = state.ledger.seal();
        let deliveries: Arc<[Delivery]> = std::mem::take(&mut state.gathered).into();
        let records = std::mem::take(&mut state.gathered_records) as u64;
        let bytes = std::mem::take(&mut state.gathered_bytes) as u64;
        state.decoding += 1;
        drop(state);
        metrics::counter!(telemetry::KAFKA_RECORDS).increment(records);
        metrics::counter!(telemetry::KAFKA_BYTES).increment(bytes);
        self.runtime.spawn(self.clone().fly(id, deliveries));
    }

    async fn fly(self: Arc<Self>, id: u64, deliveries: Arc<[Delivery]>) {
        let taken = self.spooled(id, &deliveries).await;
        self.state().decoding -= 1;
        self.moved.notify_all();
        let stored = match taken {
            None => false,
            Some(taken) => {
                self.copy_poisoned(&deliveries, &taken).await;
                drop(deliveries);
                taken.stored.wait().await
            }
        };
        self.state().ledger.settled(id, stored);
        self.moved.notify_all();
    }

    /// Writes a batch to the spool, however long that takes. `None` if nothing waits for it any more.
    async fn spooled(&self, id: u64, deliveries: &Arc<[Delivery]>) -> Option<Taken> {
        loop {
            if self.pipeline.has_room() {
                match self.pipeline.take(deliveries.clone(), ()).await {
                    Ok(taken) => return Some(taken),
                    // Logged where it happened.
                    Err(NotTaken::Full | NotTaken::NoMemory | NotTaken::Failed) => {}
                }
            }
            if !self.state().ledger.is_wanted(id) {
                return None;
            }
            tokio::time::sleep(ROOM_WAIT).await;
        }
    }

    async fn copy_poisoned(&self, deliveries: &[Delivery], taken: &Taken) {
        let Some(dead) = &self.dead else { return };
        let unread = taken.receipts.iter().zip(deliveries);
        let poisoned = unread.filter_map(|(receipt, delivery)| {
            Some(Poisoned {
                origin: &delivery.origin,
                reason: receipt.reason?,
                body: &delivery.body,
            })
        });
        futures_util::future::join_all(poisoned.map(|record| dead.put(record))).await;
    }

    /// Waits for progress of a batch, but not long.
    pub fn wait(&self, at_most: Duration) {
        let state = self.state();
        // What has changed is looked at by the caller.
        _ = self.moved.wait_timeout(state, at_most);
    }

    /// Sends the gathered records and waits until ClickHouse has all records of these partitions.
    /// Returns whether it has.
    pub fn flush(self: &Arc<Self>, topic_partitions: &[TopicPartition]) -> bool {
        self.dispatch(true);
        let deadline = Instant::now() + self.flush_wait();
        while self.state().ledger.is_under_way(topic_partitions) {
            if Instant::now() >= deadline {
                return false;
            }
            self.wait(SETTLED_WAIT);
        }
        true
    }
}

impl State {
    fn is_full(&self) -> bool {
        self.gathered_records >= BATCH_RECORDS_MAX || self.gathered_bytes >= BATCH_BYTES_MAX
    }
}
