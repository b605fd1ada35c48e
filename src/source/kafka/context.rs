//! What librdkafka calls: partitions come and go, errors are met.
//!
//! All of it happens inside of a poll, on the thread that polls.

use std::time::Duration;

use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext, RebalanceProtocol};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{Offset, TopicPartitionList};
use tracing::{debug, info, warn};

use super::config::Start;
use super::ledger::TopicPartition;
use super::librdkafka::{asked, list, log, named};
use super::member::{Context, Member};
use super::watch;
use crate::telemetry;

/// How long the brokers may take to say where a partition begins, and how often they are asked.
const ASK_WAIT: Duration = Duration::from_secs(10);
const ASKED_MAX: usize = 3;

impl ClientContext for Context {
    fn log(&self, _: RDKafkaLogLevel, facility: &str, text: &str) {
        log(facility, text);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        if let Some(code) = error.rdkafka_error_code() {
            self.0.state().broker_errors.met(code, reason);
        }
    }
}

impl ConsumerContext for Context {
    fn rebalance(
        &self,
        consumer: &BaseConsumer<Self>,
        kind: RDKafkaRespErr,
        list: &mut TopicPartitionList,
    ) {
        let topic_partitions = topic_partitions(list);
        let outcome = match kind {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS => {
                self.assign(consumer, &topic_partitions)
            }
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS => {
                self.revoke(consumer, &topic_partitions)
            }
            other => {
                warn!("kafka: rebalance failed: {other:?}");
                consumer.unassign()
            }
        };
        if let Err(error) = outcome {
            warn!("kafka: cannot assign or revoke partitions: {error}");
        }
    }
}

impl Context {
    fn assign(
        &self,
        consumer: &BaseConsumer<Self>,
        topic_partitions: &[TopicPartition],
    ) -> KafkaResult<()> {
        metrics::counter!(telemetry::KAFKA_REBALANCES, "kind" => "assigned").increment(1);
        let mut list = list(topic_partitions, Offset::Invalid);
        if !topic_partitions.is_empty() {
            let begins = begins(consumer, topic_partitions, self.0.config.start);
            let mut state = self.0.state();
            for (topic_partition, begin) in topic_partitions.iter().zip(begins) {
                let offset = begin.start.map_or(Offset::Invalid, Offset::Offset);
                list.set_partition_offset(
                    &topic_partition.topic,
                    topic_partition.partition,
                    offset,
                )?;
                let Begin {
                    start, committed, ..
                } = begin;
                state
                    .ledger
                    .assigned(topic_partition.clone(), start, committed);
            }
            drop(state);
            info!(
                "kafka: assigned {} partitions: {}",
                topic_partitions.len(),
                some(topic_partitions)
            );
        }
        match consumer.rebalance_protocol() {
            RebalanceProtocol::Cooperative => consumer.incremental_assign(&list)?,
            _ => consumer.assign(&list)?,
        }
        match self.0.state().paused && !topic_partitions.is_empty() {
            true => consumer.pause(&list),
            false => Ok(()),
        }
    }

    fn revoke(
        &self,
        consumer: &BaseConsumer<Self>,
        topic_partitions: &[TopicPartition],
    ) -> KafkaResult<()> {
        let lost = consumer.assignment_lost();
        let kind = if lost { "lost" } else { "revoked" };
        metrics::counter!(telemetry::KAFKA_REBALANCES, "kind" => kind).increment(1);
        if !topic_partitions.is_empty() {
            if lost {
                // Somebody else may have them already: a commit of ours could turn theirs back.
                self.report_lost(topic_partitions);
            } else {
                self.hand_over(consumer, topic_partitions);
            }
            let mut state = self.0.state();
            for topic_partition in topic_partitions {
                state.ledger.gone(topic_partition);
                watch::forget(topic_partition);
            }
        }
        match consumer.rebalance_protocol() {
            RebalanceProtocol::Cooperative => {
                consumer.incremental_unassign(&list(topic_partitions, Offset::Invalid))
            }
            _ => consumer.unassign(),
        }
    }

    fn report_lost(&self, topic_partitions: &[TopicPartition]) {
        let (count, names) = (topic_partitions.len(), some(topic_partitions));
        if self.0.state().broker_errors.is_down() {
            // The message about unreachable brokers covers this.
            debug!("kafka: lost {count} partitions: {names}");
        } else {
            warn!("kafka: lost {count} partitions: {names}");
        }
    }

    fn hand_over(&self, consumer: &BaseConsumer<Self>, topic_partitions: &[TopicPartition]) {
        if !self.0.flush(topic_partitions) {
            let seconds = self.0.config.flush_seconds_max;
            warn!(
                "kafka: clickhouse did not accept everything within {seconds} s: the next owner rereads it"
            );
        }
        let due = self.0.state().ledger.commit(Some(topic_partitions));
        commit(consumer, &self.0, &due);
        info!(
            "kafka: revoked {} partitions: {}",
            topic_partitions.len(),
            some(topic_partitions)
        );
    }
}

/// Commits offsets, and notes the broker's answer. Waits for it.
pub fn commit(consumer: &BaseConsumer<Context>, member: &Member, due: &[(TopicPartition, i64)]) {
    if due.is_empty() {
        return;
    }
    let result = consumer.commit(&offsets(due), CommitMode::Sync);
    let outcome = if result.is_ok() { "done" } else { "failed" };
    metrics::counter!(telemetry::KAFKA_COMMITS, "outcome" => outcome).increment(1);
    let mut state = member.state();
    for (topic_partition, offset) in due {
        state
            .ledger
            .committed(topic_partition, *offset, result.is_ok());
    }
    drop(state);
    if let Err(error) = result {
        // It is sent again with the next one.
        debug!("kafka: commit: {}", named(&error));
    }
}

/// The first names of a list.
fn some(topic_partitions: &[TopicPartition]) -> String {
    const NAMED_MAX: usize = 12;
    let named = topic_partitions
        .iter()
        .take(NAMED_MAX)
        .map(TopicPartition::to_string);
    let more = if topic_partitions.len() > NAMED_MAX {
        " ..."
    } else {
        ""
    };
    named.collect::<Vec<_>>().join(" ") + more
}

fn topic_partition(topic: &str, partition: i32) -> TopicPartition {
    TopicPartition {
        topic: topic.into(),
        partition,
    }
}

fn topic_partitions(list: &TopicPartitionList) -> Vec<TopicPartition> {
    let elements = list.elements();
    let topic_partitions = elements
        .iter()
        .map(|it| topic_partition(it.topic(), it.partition()));
    topic_partitions.collect()
}

/// The same with an offset for each.
fn offsets(due: &[(TopicPartition, i64)]) -> TopicPartitionList {
    let mut list = TopicPartitionList::with_capacity(due.len());
    for (TopicPartition { topic, partition }, offset) in due {
        list.add_partition_offset(topic, *partition, Offset::Offset(*offset))
            .expect("an offset that librdkafka can name");
    }
    list
}

/// Where a partition begins for us.
#[derive(Clone, Copy, Default)]
struct Begin {
    start: Option<i64>,
    committed: Option<i64>,
}

/// The committed offsets decide. Without one, `start` does; it is then committed at once.
/// If the brokers can't be asked, librdkafka uses the committed offset, or the beginning.
fn begins(
    consumer: &BaseConsumer<Context>,
    topic_partitions: &[TopicPartition],
    start: Start,
) -> Vec<Begin> {
    for _ in 0..ASKED_MAX {
        match ask(consumer, topic_partitions, start) {
            Ok(begins) => return begins,
            Err(error) => warn!(
                "kafka: start offsets of partitions are not known yet: {}",
                named(&error)
            ),
        }
    }
    vec![Begin::default(); topic_partitions.len()]
}

fn ask(
    consumer: &BaseConsumer<Context>,
    topic_partitions: &[TopicPartition],
    start: Start,
) -> KafkaResult<Vec<Begin>> {
    let committed =
        consumer.committed_offsets(list(topic_partitions, Offset::Invalid), ASK_WAIT)?;
    let first = asked(consumer, topic_partitions, Offset::Beginning, ASK_WAIT)?;
    let wanted = match start {
        Start::Earliest => first.clone(),
        Start::Latest => asked(consumer, topic_partitions, Offset::End, ASK_WAIT)?,
        Start::Time(time) => {
            let ends = asked(consumer, topic_partitions, Offset::End, ASK_WAIT)?;
            let time = Offset::Offset(time.as_millisecond().max(0));
            let found = asked(consumer, topic_partitions, time, ASK_WAIT)?;
            // Where nothing is that young, the end is what comes next.
            let either = found.iter().zip(ends).map(|(found, end)| found.or(end));
            either.collect()
        }
    };
    let begins = topic_partitions.iter().zip(first.into_iter().zip(wanted));
    let begins = begins.map(|(topic_partition, (first, wanted))| {
        let element = committed.find_partition(&topic_partition.topic, topic_partition.partition);
        let committed = match element.map(|element| element.offset()) {
            Some(Offset::Offset(offset)) => Some(offset),
            _ => None,
        };
        let start = committed.map(|committed| begin_at(topic_partition, committed, first));
        Begin {
            start: start.or(wanted),
            committed,
        }
    });
    Ok(begins.collect())
}

/// The committed offset, or the first record where retention was faster than we.
fn begin_at(topic_partition: &TopicPartition, committed: i64, first: Option<i64>) -> i64 {
    let first = first.unwrap_or(committed);
    if committed < first {
        let gone = first - committed;
        metrics::counter!(telemetry::KAFKA_RECORDS_GONE).increment(gone.unsigned_abs());
        warn!(
            "kafka: {gone} records of {topic_partition} were removed by retention before they were read"
        );
    }
    committed.max(first)
}
