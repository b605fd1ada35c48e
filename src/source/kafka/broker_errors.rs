//! Errors of the brokers: logged once, and again when they are over.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use rdkafka::types::RDKafkaErrorCode;
use tracing::{info, warn};

use crate::throttle::{Episode, Throttle};

/// The same kind of error is logged again after this.
const LOGGED_AGAIN: Duration = Duration::from_secs(300);

/// How long to wait for the reason why no broker is reachable.
const WHY_WAIT: Duration = Duration::from_secs(3);

/// The longest text of librdkafka that is passed on.
const TEXT_CHARS_MAX: usize = 300;

#[derive(Debug, Default)]
pub struct BrokerErrors {
    /// No broker answers since then.
    down: Option<Instant>,
    down_logged: Episode,
    /// By the number of the error.
    logged: HashMap<i32, Throttle>,
    last: Option<(String, Timestamp)>,
}

impl BrokerErrors {
    /// librdkafka has met an error.
    pub fn met(&mut self, code: RDKafkaErrorCode, text: &str) {
        let text: String = text.chars().take(TEXT_CHARS_MAX).collect();
        if code == RDKafkaErrorCode::AllBrokersDown {
            self.down.get_or_insert_with(Instant::now);
            return;
        }
        self.last = Some((text.clone(), Timestamp::now()));
        // One unreachable broker of several is not an error yet; that all are unreachable is handled above.
        let connection = matches!(
            code,
            RDKafkaErrorCode::BrokerTransportFailure
                | RDKafkaErrorCode::Resolve
                | RDKafkaErrorCode::OperationTimedOut
        );
        if connection || self.down.is_some() {
            self.report_down(connection);
            return;
        }
        let line = self.logged.entry(code as i32);
        let line = line.or_insert_with(|| Throttle::new(LOGGED_AGAIN));
        if line.due(1, Instant::now().into()).is_some() {
            warn!("kafka: {text}");
        }
    }

    /// Logs once that no broker is reachable: when the first connection attempt has failed with a reason, or after a
    /// while without one.
    pub fn report_down(&mut self, why_is_known: bool) {
        let Some(since) = self.down else { return };
        if (why_is_known || since.elapsed() >= WHY_WAIT) && self.down_logged.begins() {
            let why = self.last.as_ref().map_or("", |(text, _)| text);
            warn!("kafka: no broker is reachable, retrying until one is: {why}");
        }
    }

    /// A broker has answered.
    pub fn over(&mut self) {
        let logged = self.down_logged.ends();
        if let Some(since) = self.down.take().filter(|_| logged) {
            info!(
                "kafka: a broker is reachable again after {:.0?}",
                since.elapsed()
            );
        }
    }

    pub fn is_down(&self) -> bool {
        self.down.is_some()
    }

    /// The last error, and when it was met.
    pub fn last(&self) -> Option<String> {
        let (text, at) = self.last.as_ref()?;
        Some(format!("{text} ({at:.0})"))
    }
}
