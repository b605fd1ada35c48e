//! The thread that polls.

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use rdkafka::config::FromClientConfigAndContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::{ClientConfig, Offset};
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

use super::context;
use super::ledger::TopicPartition;
use super::librdkafka::named;
use super::member::{Context, Member};

/// How long a poll waits where nothing is gathered.
const POLL_WAIT: Duration = Duration::from_millis(100);

/// How long it waits for one more record where some are.
const MORE_WAIT: Duration = Duration::from_millis(5);

/// How often offsets are committed, and the rest looked after.
const TEND_EVERY: Duration = Duration::from_millis(500);

/// Without room for this long partitions are paused; a shorter stop costs no fetch.
const PAUSE_AFTER: Duration = Duration::from_secs(1);

/// How long to wait before joining again after an error that ends a consumer.
const AGAIN_WAIT: Duration = Duration::from_secs(10);

/// How long the last commit may take.
const LEAVE_WAIT: Duration = Duration::from_secs(5);

/// How long a partition may take to go back to an offset.
const SEEK_WAIT: Duration = Duration::from_secs(5);

/// Is a member of the group until `stop`.
pub fn run(client: &ClientConfig, member: &Arc<Member>, stop: &CancellationToken) {
    while !stop.is_cancelled() {
        let Err(failure) = serve(client, member, stop) else {
            return;
        };
        error!(
            "kafka: {}: rejoining the group in {AGAIN_WAIT:?}",
            named(&failure)
        );
        let wait = async {
            _ = tokio::time::timeout(AGAIN_WAIT, stop.cancelled()).await;
        };
        member.runtime().block_on(wait);
    }
}

fn serve(
    client: &ClientConfig,
    member: &Arc<Member>,
    stop: &CancellationToken,
) -> Result<(), KafkaError> {
    let consumer = BaseConsumer::from_config_and_context(client, Context(member.clone()))?;
    let consumer = Arc::new(consumer);
    member.set_consumer(Arc::downgrade(&consumer));
    let topics: Vec<&str> = member.config.topics.iter().map(String::as_str).collect();
    consumer.subscribe(&topics)?;
    let mut poller = Poller {
        consumer: &consumer,
        member,
        tended: Instant::now(),
        blocked_since: None,
    };
    let mut outcome = Ok(());
    while outcome.is_ok() && !stop.is_cancelled() {
        outcome = poller.turn();
    }
    end(consumer, member);
    outcome
}

/// Closes the consumer after the requests to it are done. Closing revokes its partitions.
fn end(consumer: Arc<BaseConsumer<Context>>, member: &Arc<Member>) {
    member.set_consumer(Weak::new());
    let deadline = Instant::now() + LEAVE_WAIT;
    while Arc::strong_count(&consumer) > 1 && Instant::now() < deadline {
        member.wait(MORE_WAIT);
    }
    drop(consumer);
}

struct Poller<'a> {
    consumer: &'a Arc<BaseConsumer<Context>>,
    member: &'a Arc<Member>,
    tended: Instant,
    blocked_since: Option<Instant>,
}

impl Poller<'_> {
    /// Polls once. Fails where this consumer can't go on.
    fn turn(&mut self) -> Result<(), KafkaError> {
        if self.tended.elapsed() >= TEND_EVERY {
            self.tend();
            self.tended = Instant::now();
        }
        let (some, full) = self.member.gathered();
        let paused = self.member.state().paused;
        if (paused || full || !some) && self.holds_back(paused) {
            return Ok(());
        }
        let wait = if some { MORE_WAIT } else { POLL_WAIT };
        match self.consumer.poll(wait) {
            Some(Ok(message)) => self.member.gather(&message),
            Some(Err(KafkaError::MessageConsumptionFatal(code))) => {
                return Err(KafkaError::MessageConsumptionFatal(code));
            }
            // The context has received it.
            Some(Err(_)) => {}
            None => self.member.dispatch(false),
        }
        Ok(())
    }

    /// Sees to it that no more is taken than there is room for. Returns whether to poll later.
    fn holds_back(&mut self, paused: bool) -> bool {
        self.member.dispatch(false);
        if paused {
            if self.member.has_room_again() {
                self.pause(false);
            }
            return false;
        }
        if !self.member.is_blocked() {
            self.blocked_since = None;
            return false;
        }
        let since = *self.blocked_since.get_or_insert_with(Instant::now);
        if since.elapsed() < PAUSE_AFTER {
            self.member.wait(MORE_WAIT);
            return true;
        }
        self.pause(true);
        false
    }

    fn pause(&mut self, pause: bool) {
        let outcome = self.consumer.assignment().and_then(|list| match pause {
            true => self.consumer.pause(&list),
            false => self.consumer.resume(&list),
        });
        match outcome {
            Ok(()) => self.member.state().paused = pause,
            Err(error) => warn!("kafka: cannot pause or resume partitions: {error}"),
        }
        self.blocked_since = None;
    }

    fn tend(&self) {
        let mut state = self.member.state();
        state.broker_errors.report_down(false);
        let rewinds = state.ledger.rewinds();
        drop(state);
        for (topic_partition, offset) in rewinds {
            let TopicPartition { topic, partition } = &topic_partition;
            let back = Offset::Offset(offset);
            match self.consumer.seek(topic, *partition, back, SEEK_WAIT) {
                Ok(()) => {
                    warn!("kafka: rereading {topic_partition} from {offset}: its rows were lost");
                    self.member.state().ledger.rewound(&topic_partition);
                }
                Err(error) => warn!("kafka: cannot seek {topic_partition} to {offset}: {error}"),
            }
        }
        self.commit();
    }

    /// Commits what ClickHouse has, beside the polling: the broker may take its time. One commit
    /// after the other, so that none overtakes.
    fn commit(&self) {
        let mut state = self.member.state();
        if state.ledger.is_committing() {
            return;
        }
        let due = state.ledger.commit(None);
        drop(state);
        if due.is_empty() {
            return;
        }
        let (consumer, member) = (self.consumer.clone(), self.member.clone());
        self.member
            .runtime()
            .spawn_blocking(move || context::commit(&consumer, &member, &due));
    }
}
