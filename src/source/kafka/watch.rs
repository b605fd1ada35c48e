//! How far behind we are: the ends of partitions, as metrics and for `bygone sources status`.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use rdkafka::Offset;
use tokio_util::sync::CancellationToken;

use super::ledger::{Partition, TopicPartition};
use super::librdkafka::asked;
use super::member::{Member, State};
use crate::source::Status;
use crate::telemetry;

/// How often the ends are asked for.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// How long the brokers may take to answer.
const LOOK_WAIT: Duration = Duration::from_secs(3);

/// Looks every so often until `stop`.
pub async fn keep(member: Arc<Member>, stop: CancellationToken) {
    while stop
        .run_until_cancelled(tokio::time::sleep(LOOK_EVERY))
        .await
        .is_some()
    {
        look(member.clone()).await;
    }
}

/// Asks the brokers for the ends of our partitions.
pub async fn look(member: Arc<Member>) {
    // A panic in there leaves what was known before.
    _ = tokio::task::spawn_blocking(move || ask(&member)).await;
}

fn ask(member: &Member) {
    let Some(consumer) = member.consumer() else {
        return;
    };
    let topic_partitions: Vec<TopicPartition> = {
        let state = member.state();
        state
            .ledger
            .partitions()
            .map(|(topic_partition, _)| topic_partition.clone())
            .collect()
    };
    if topic_partitions.is_empty() {
        return;
    }
    if let Ok(ends) = asked(&consumer, &topic_partitions, Offset::End, LOOK_WAIT) {
        let now = Timestamp::now().as_millisecond();
        let mut state = member.state();
        state.broker_errors.over();
        for (topic_partition, end) in topic_partitions.iter().zip(ends) {
            if let Some(end) = end {
                state.ledger.ended(topic_partition, end, now);
            }
        }
    }
}

/// From the first record that ClickHouse has not confirmed to the end.
fn lag(partition: &Partition) -> Option<i64> {
    Some((partition.end? - partition.stored?).max(0))
}

/// How old that record is, in seconds: by its own time where it was taken, else at least since it
/// was known of.
fn oldest_seconds(
    state: &State,
    topic_partition: &TopicPartition,
    partition: &Partition,
    now: Timestamp,
) -> Option<f64> {
    let since = state
        .ledger
        .oldest(topic_partition)
        .or(partition.behind_since)?;
    Some((now.as_millisecond() - since).max(0) as f64 / 1e3)
}

/// One for each assigned partition, or a single one if there is none.
pub fn statuses(member: &Member) -> Vec<Status> {
    let state = member.state();
    let condition = match (state.broker_errors.is_down(), state.paused) {
        (true, _) => "no broker is reachable",
        (false, true) => "paused",
        (false, false) => "running",
    };
    let now = Timestamp::now();
    let status = |(topic_partition, partition): (&TopicPartition, &Partition)| Status {
        place: Some(topic_partition.to_string()),
        position: partition.stored,
        committed: partition.committed,
        // What was stored since the brokers were asked was there, too.
        end: partition.end.max(partition.stored),
        lag: lag(partition),
        oldest_seconds: oldest_seconds(&state, topic_partition, partition, now),
        last_error: state.broker_errors.last(),
        ..Status::of("kafka", condition)
    };
    let mut statuses: Vec<Status> = state.ledger.partitions().map(status).collect();
    if statuses.is_empty() {
        let condition = if state.broker_errors.is_down() {
            condition
        } else {
            "no partition assigned"
        };
        statuses.push(Status {
            last_error: state.broker_errors.last(),
            ..Status::of("kafka", condition)
        });
    }
    statuses
}

/// Sets the gauges.
pub fn measure(member: &Member) {
    let state = member.state();
    let now = Timestamp::now();
    metrics::gauge!(telemetry::KAFKA_PAUSED).set(f64::from(u8::from(state.paused)));
    metrics::gauge!(telemetry::KAFKA_DOWN).set(f64::from(u8::from(state.broker_errors.is_down())));
    metrics::gauge!(telemetry::KAFKA_UNSTORED_BYTES).set(state.ledger.unstored_bytes() as f64);
    for (topic_partition, partition) in state.ledger.partitions() {
        let oldest = oldest_seconds(&state, topic_partition, partition, now);
        set(
            topic_partition,
            lag(partition).unwrap_or_default() as f64,
            oldest.unwrap_or_default(),
        );
    }
}

/// A partition of another member is not reported here: so sums over members are right.
pub fn forget(topic_partition: &TopicPartition) {
    set(topic_partition, 0.0, 0.0);
}

fn set(topic_partition: &TopicPartition, lag: f64, oldest_seconds: f64) {
    let labels = [
        ("topic", topic_partition.topic.to_string()),
        ("partition", topic_partition.partition.to_string()),
    ];
    metrics::gauge!(telemetry::KAFKA_LAG, &labels).set(lag);
    metrics::gauge!(telemetry::KAFKA_OLDEST_SECONDS, &labels).set(oldest_seconds);
}
