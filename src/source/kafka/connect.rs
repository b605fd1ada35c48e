//! The first contact: errors are reported in one line before anything is started.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

use rdkafka::ClientContext;
use rdkafka::config::{FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::metadata::Metadata;

use super::Error;
use super::config::{Config, Mechanism};
use super::librdkafka::{log, named};

/// How long brokers may take to let us connect for the first time. Others wait for it.
const CONNECT_WAIT: Duration = Duration::from_secs(5);

/// How long brokers may take to answer when no error is known.
const ANSWER_WAIT: Duration = Duration::from_secs(30);

/// How long one try of it may take.
const TRY_WAIT: Duration = Duration::from_secs(1);

/// Keeps the errors that librdkafka meets.
#[derive(Default)]
struct Errors(Mutex<Vec<(RDKafkaErrorCode, String)>>);

impl ClientContext for Errors {
    fn log(&self, _: RDKafkaLogLevel, facility: &str, text: &str) {
        log(facility, text);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        if let Some(code) = error.rdkafka_error_code() {
            let mut errors = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            errors.push((code, reason.to_owned()));
        }
    }
}

impl ConsumerContext for Errors {}

impl Errors {
    fn find(&self, codes: &[RDKafkaErrorCode]) -> Option<(RDKafkaErrorCode, String)> {
        let errors = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut newest = errors.iter().rev();
        newest.find(|(code, _)| codes.contains(code)).cloned()
    }
}

/// Asks the brokers for the topics. Where none answers, nothing is found wrong: the member tries on.
pub fn check(config: &Config) -> Result<(), Error> {
    let client = config.client()?;
    // Without a group: nothing is joined yet.
    let consumer = BaseConsumer::from_config_and_context(&client, Errors::default());
    let consumer = consumer.map_err(|error| Error(format!("kafka: {}", named(&error))))?;
    let begun = Instant::now();
    let mut pattern = false;
    for topic in &config.topics {
        if topic.starts_with('^') {
            pattern = true;
            continue;
        }
        let Some(metadata) = ask(&consumer, Some(topic), begun, config)? else {
            return Ok(());
        };
        let found = metadata.topics().iter().find(|it| it.name() == topic);
        let error = found.and_then(|topic| topic.error());
        match error.map(RDKafkaErrorCode::from) {
            None if found.is_some_and(|topic| !topic.partitions().is_empty()) => {}
            None | Some(RDKafkaErrorCode::UnknownTopicOrPartition) => {
                return Err(Error(format!(
                    "kafka: topic {topic:?} does not exist: create it, or check kafka.topics"
                )));
            }
            Some(RDKafkaErrorCode::TopicAuthorizationFailed) => {
                return Err(Error(format!(
                    "kafka: not authorized to read topic {topic:?}: grant it to {}",
                    config.sasl_user.as_deref().unwrap_or("this client")
                )));
            }
            Some(other) => return Err(Error(format!("kafka: topic {topic:?}: {other}"))),
        }
    }
    if pattern {
        ask(&consumer, None, begun, config)?;
    }
    Ok(())
}

/// `None` where no broker answers in time.
fn ask(
    consumer: &BaseConsumer<Errors>,
    topic: Option<&str>,
    begun: Instant,
    config: &Config,
) -> Result<Option<Metadata>, Error> {
    loop {
        let answer = consumer.fetch_metadata(topic, TRY_WAIT);
        // Serves the callbacks of librdkafka.
        while consumer.poll(Duration::ZERO).is_some() {}
        if let Ok(metadata) = answer {
            return Ok(Some(metadata));
        }
        let errors = consumer.context();
        let refused = [
            RDKafkaErrorCode::Authentication,
            RDKafkaErrorCode::SaslAuthenticationFailed,
            RDKafkaErrorCode::SSL,
        ];
        if let Some(refusal) = errors.find(&refused) {
            return Err(refusal_of(&refusal, config));
        }
        let transport = [
            RDKafkaErrorCode::BrokerTransportFailure,
            RDKafkaErrorCode::Resolve,
        ];
        let away = begun.elapsed() >= CONNECT_WAIT && errors.find(&transport).is_some();
        if away || begun.elapsed() >= ANSWER_WAIT {
            return Ok(None);
        }
    }
}

fn refusal_of((code, text): &(RDKafkaErrorCode, String), config: &Config) -> Error {
    if *code == RDKafkaErrorCode::SSL {
        return Error(format!("kafka: tls: {text}: see kafka.tls_ca_file"));
    }
    let user = config.sasl_user.as_deref().unwrap_or_default();
    let hint = match config.sasl_mechanism {
        Some(Mechanism::Plain) | None => "see kafka.sasl_user and its password",
        Some(_) => "see kafka.sasl_user, its password, and kafka.sasl_mechanism",
    };
    Error(format!(
        "kafka: authentication of user {user:?} failed: {text}: {hint}"
    ))
}
