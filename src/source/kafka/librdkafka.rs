//! Queries to librdkafka and its logs, for any consumer.

use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::{Offset, TopicPartitionList};
use tracing::debug;

use super::ledger::TopicPartition;

/// librdkafka's own lines: many for one event, so they are at debug level.
pub fn log(facility: &str, text: &str) {
    debug!("librdkafka: {facility}: {text}");
}

/// librdkafka's words for it, without the wrapper's.
pub fn named(error: &KafkaError) -> String {
    match error {
        KafkaError::ClientConfig(_, text, key, _) => format!("{key}: {text}"),
        KafkaError::ClientCreation(text) => text.clone(),
        error => match error.rdkafka_error_code() {
            Some(code) => code.to_string(),
            None => error.to_string(),
        },
    }
}

/// librdkafka's list of these partitions, all with one offset.
pub fn list(topic_partitions: &[TopicPartition], offset: Offset) -> TopicPartitionList {
    let mut list = TopicPartitionList::with_capacity(topic_partitions.len());
    for TopicPartition { topic, partition } in topic_partitions {
        list.add_partition_offset(topic, *partition, offset)
            .expect("an offset that librdkafka can name");
    }
    list
}

/// Asks the brokers for offsets: of the beginning, of the end, or of a time.
pub fn asked<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    topic_partitions: &[TopicPartition],
    what: Offset,
    wait: Duration,
) -> KafkaResult<Vec<Option<i64>>> {
    let answer = consumer.offsets_for_times(list(topic_partitions, what), wait)?;
    let offset = |topic_partition: &TopicPartition| {
        let element = answer.find_partition(&topic_partition.topic, topic_partition.partition)?;
        element.error().ok()?;
        match element.offset() {
            Offset::Offset(offset) => Some(offset),
            _ => None,
        }
    };
    Ok(topic_partitions.iter().map(offset).collect())
}
