//! The dead-letter topic: copies of unreadable records, for their producers.
//!
//! The local dead letter is authoritative. A copy that the broker does not accept within the limit is counted and
//! logged, and delays nothing.

use std::time::Duration;

use bytes::Bytes;
use rdkafka::ClientConfig;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{FutureProducer, FutureRecord};
use tracing::warn;

use super::Error;
use crate::telemetry;

/// How long a copy may take.
const COPY_WAIT: Duration = Duration::from_secs(10);

/// Copies that may wait for the broker, and their bytes.
const QUEUE_MESSAGES_MAX: u64 = 10_000;
const QUEUE_KBYTES_MAX: u64 = 16 << 10;

pub struct DeadTopic {
    topic: String,
    producer: FutureProducer,
}

/// A record that could not be read.
pub struct Poisoned<'a> {
    /// Topic, partition and offset.
    pub origin: &'a str,
    pub reason: &'static str,
    pub body: &'a Bytes,
}

impl DeadTopic {
    pub fn open(topic: &str, client: &ClientConfig) -> Result<DeadTopic, Error> {
        let mut client = client.clone();
        let settings = [
            ("message.timeout.ms", COPY_WAIT.as_millis() as u64),
            ("queue.buffering.max.messages", QUEUE_MESSAGES_MAX),
            ("queue.buffering.max.kbytes", QUEUE_KBYTES_MAX),
        ];
        for (key, value) in settings {
            client.set(key, value.to_string());
        }
        let producer = client
            .create()
            .map_err(|error| Error(format!("kafka.dead_letter_topic: {error}")))?;
        let topic = topic.to_owned();
        Ok(DeadTopic { topic, producer })
    }

    /// Copies a record.
    pub async fn put(&self, record: Poisoned<'_>) {
        let headers = OwnedHeaders::new_with_capacity(2)
            .insert(Header {
                key: "bygone-reason",
                value: Some(record.reason),
            })
            .insert(Header {
                key: "bygone-origin",
                value: Some(record.origin),
            });
        let copy = FutureRecord::<[u8], [u8]>::to(&self.topic)
            .payload(&record.body[..])
            .headers(headers);
        let outcome = self.producer.send(copy, COPY_WAIT).await;
        let name = if outcome.is_ok() { "copied" } else { "failed" };
        metrics::counter!(telemetry::KAFKA_DEAD_LETTERS, "outcome" => name).increment(1);
        if let Err((error, _)) = outcome {
            warn!(
                "kafka: a record that could not be read was not copied to {}: {error}",
                self.topic
            );
        }
    }
}
