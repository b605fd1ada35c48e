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
use super::ledger::Place;
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
            self.0.state().trouble.met(code, reason);
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
        let places = places(list);
        let outcome = match kind {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS => self.assign(consumer, &places),
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS => self.revoke(consumer, &places),
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
    fn assign(&self, consumer: &BaseConsumer<Self>, places: &[Place]) -> KafkaResult<()> {
        metrics::counter!(telemetry::KAFKA_REBALANCES, "kind" => "assigned").increment(1);
        let mut list = list(places, Offset::Invalid);
        if !places.is_empty() {
            let begins = begins(consumer, places, self.0.config.start);
            let mut state = self.0.state();
            for (place, begin) in places.iter().zip(begins) {
                let offset = begin.start.map_or(Offset::Invalid, Offset::Offset);
                list.set_partition_offset(&place.topic, place.partition, offset)?;
                let Begin {
                    start, committed, ..
                } = begin;
                state.ledger.assigned(place.clone(), start, committed);
            }
            drop(state);
            info!(
                "kafka: assigned {} partitions: {}",
                places.len(),
                some(places)
            );
        }
        match consumer.rebalance_protocol() {
            RebalanceProtocol::Cooperative => consumer.incremental_assign(&list)?,
            _ => consumer.assign(&list)?,
        }
        match self.0.state().paused && !places.is_empty() {
            true => consumer.pause(&list),
            false => Ok(()),
        }
    }

    fn revoke(&self, consumer: &BaseConsumer<Self>, places: &[Place]) -> KafkaResult<()> {
        let lost = consumer.assignment_lost();
        let kind = if lost { "lost" } else { "revoked" };
        metrics::counter!(telemetry::KAFKA_REBALANCES, "kind" => kind).increment(1);
        if !places.is_empty() {
            if lost {
                // Somebody else may have them already: a commit of ours could turn theirs back.
                self.tell_lost(places);
            } else {
                self.hand_over(consumer, places);
            }
            let mut state = self.0.state();
            for place in places {
                state.ledger.gone(place);
                watch::forget(place);
            }
        }
        match consumer.rebalance_protocol() {
            RebalanceProtocol::Cooperative => {
                consumer.incremental_unassign(&list(places, Offset::Invalid))
            }
            _ => consumer.unassign(),
        }
    }

    fn tell_lost(&self, places: &[Place]) {
        let (count, names) = (places.len(), some(places));
        if self.0.state().trouble.is_down() {
            // That no broker answers says it already.
            debug!("kafka: lost {count} partitions: {names}");
        } else {
            warn!("kafka: lost {count} partitions: {names}");
        }
    }

    fn hand_over(&self, consumer: &BaseConsumer<Self>, places: &[Place]) {
        if !self.0.flush(places) {
            let seconds = self.0.config.flush_seconds_max;
            warn!(
                "kafka: clickhouse did not accept everything within {seconds} s: the next owner rereads it"
            );
        }
        let due = self.0.state().ledger.commit(Some(places));
        commit(consumer, &self.0, &due);
        info!(
            "kafka: revoked {} partitions: {}",
            places.len(),
            some(places)
        );
    }
}

/// Commits offsets, and notes the broker's answer. Waits for it.
pub fn commit(consumer: &BaseConsumer<Context>, member: &Member, due: &[(Place, i64)]) {
    if due.is_empty() {
        return;
    }
    let result = consumer.commit(&offsets(due), CommitMode::Sync);
    let outcome = if result.is_ok() { "done" } else { "failed" };
    metrics::counter!(telemetry::KAFKA_COMMITS, "outcome" => outcome).increment(1);
    let mut state = member.state();
    for (place, offset) in due {
        state.ledger.committed(place, *offset, result.is_ok());
    }
    drop(state);
    if let Err(error) = result {
        // It comes again with the next one.
        debug!("kafka: commit: {}", named(&error));
    }
}

/// The first names of a list.
fn some(places: &[Place]) -> String {
    const NAMED_MAX: usize = 12;
    let named = places.iter().take(NAMED_MAX).map(Place::to_string);
    let more = if places.len() > NAMED_MAX { " ..." } else { "" };
    named.collect::<Vec<_>>().join(" ") + more
}

fn place(topic: &str, partition: i32) -> Place {
    Place {
        topic: topic.into(),
        partition,
    }
}

fn places(list: &TopicPartitionList) -> Vec<Place> {
    let elements = list.elements();
    let places = elements.iter().map(|it| place(it.topic(), it.partition()));
    places.collect()
}

/// The same with an offset for each.
fn offsets(due: &[(Place, i64)]) -> TopicPartitionList {
    let mut list = TopicPartitionList::with_capacity(due.len());
    for (Place { topic, partition }, offset) in due {
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

/// The committed offsets decide. Where there is none, `start` does; it is then committed at once.
/// Where the brokers can't be asked librdkafka goes by the committed offset, or the beginning.
fn begins(consumer: &BaseConsumer<Context>, places: &[Place], start: Start) -> Vec<Begin> {
    for _ in 0..ASKED_MAX {
        match ask(consumer, places, start) {
            Ok(begins) => return begins,
            Err(error) => warn!(
                "kafka: start offsets of partitions are not known yet: {}",
                named(&error)
            ),
        }
    }
    vec![Begin::default(); places.len()]
}

fn ask(
    consumer: &BaseConsumer<Context>,
    places: &[Place],
    start: Start,
) -> KafkaResult<Vec<Begin>> {
    let committed = consumer.committed_offsets(list(places, Offset::Invalid), ASK_WAIT)?;
    let first = asked(consumer, places, Offset::Beginning, ASK_WAIT)?;
    let wanted = match start {
        Start::Earliest => first.clone(),
        Start::Latest => asked(consumer, places, Offset::End, ASK_WAIT)?,
        Start::Time(time) => {
            let ends = asked(consumer, places, Offset::End, ASK_WAIT)?;
            let time = Offset::Offset(time.as_millisecond().max(0));
            let found = asked(consumer, places, time, ASK_WAIT)?;
            // Where nothing is that young, the end is what comes next.
            let either = found.iter().zip(ends).map(|(found, end)| found.or(end));
            either.collect()
        }
    };
    let begins = places.iter().zip(first.into_iter().zip(wanted));
    let begins = begins.map(|(place, (first, wanted))| {
        let element = committed.find_partition(&place.topic, place.partition);
        let committed = match element.map(|element| element.offset()) {
            Some(Offset::Offset(offset)) => Some(offset),
            _ => None,
        };
        let start = committed.map(|committed| begin_at(place, committed, first));
        Begin {
            start: start.or(wanted),
            committed,
        }
    });
    Ok(begins.collect())
}

/// The committed offset, or the first record where retention was faster than we.
fn begin_at(place: &Place, committed: i64, first: Option<i64>) -> i64 {
    let first = first.unwrap_or(committed);
    if committed < first {
        let gone = first - committed;
        metrics::counter!(telemetry::KAFKA_RECORDS_GONE).increment(gone.unsigned_abs());
        warn!("kafka: {gone} records of {place} were removed by retention before they were read");
    }
    committed.max(first)
}
