//! What librdkafka is asked and says, whoever the consumer is.

use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::{Offset, TopicPartitionList};
use tracing::debug;

use super::ledger::Place;

/// librdkafka's own lines: many for one event, so they are for who looks for them.
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

/// librdkafka's form of these places, all with one offset.
pub fn list(places: &[Place], offset: Offset) -> TopicPartitionList {
    let mut list = TopicPartitionList::with_capacity(places.len());
    for Place { topic, partition } in places {
        list.add_partition_offset(topic, *partition, offset)
            .expect("an offset that librdkafka can name");
    }
    list
}

/// Asks the brokers for offsets: of the beginning, of the end, or of a time.
pub fn asked<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    places: &[Place],
    what: Offset,
    wait: Duration,
) -> KafkaResult<Vec<Option<i64>>> {
    let answer = consumer.offsets_for_times(list(places, what), wait)?;
    let offset = |place: &Place| {
        let element = answer.find_partition(&place.topic, place.partition)?;
        element.error().ok()?;
        match element.offset() {
            Offset::Offset(offset) => Some(offset),
            _ => None,
        }
    };
    Ok(places.iter().map(offset).collect())
}
