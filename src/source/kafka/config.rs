//! The configuration, and the settings passed to librdkafka.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize, Serializer};

use super::Error;

/// The environment's name of the password, for who has no file for it.
const PASSWORD_VARIABLE: &str = "BYGONE_KAFKA_SASL_PASSWORD";

/// A client that is cut off tries again after this at the latest, in milliseconds.
const RECONNECT_MS_MAX: u64 = 5_000;

/// How often the group's coordinator is looked for where none is known, in milliseconds. A commit
/// without one fails after this.
const COORDINATOR_MS: u64 = 5_000;

/// Names that only bygone sets, and those that would switch off the verification of certificates.
const OURS: [&str; 10] = [
    "bootstrap.servers",
    "group.id",
    "enable.auto.commit",
    "enable.auto.offset.store",
    "auto.offset.reset",
    "queued.max.messages.kbytes",
    "enable.ssl.certificate.verification",
    "ssl.endpoint.identification.algorithm",
    "sasl.password",
    "topic.blacklist",
];

/// The Kafka source. Without brokers there is none.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Addresses of bootstrap brokers, separated by commas.
    pub brokers: String,
    /// Names of topics. One that begins with ^ is a regular expression.
    pub topics: Vec<String>,
    /// The consumer group. Its members share the partitions.
    pub group_id: String,
    /// Name of this member, so that its restart moves no partitions.
    pub group_instance_id: Option<String>,
    /// Start offset of partitions without a committed offset.
    pub start: Start,
    /// The cluster of events for which neither `cluster_from` nor their wrapper has one.
    pub cluster: Option<String>,
    /// Clusters that a wrapper may name; whoever writes to a topic controls the wrapper. Unset: none if `cluster` is
    /// set, otherwise any.
    pub clusters_of_wrappers: Option<BTreeSet<String>>,
    /// Where to find the cluster of a record; the first that has one wins.
    pub cluster_from: Vec<ClusterFrom>,
    /// The header with the cluster.
    pub cluster_header: String,
    /// A topic for copies of records that could not be read.
    pub dead_letter_topic: Option<String>,
    /// Use TLS.
    pub tls: bool,
    /// PEM file with the CA certificates of the brokers; unset: the system's.
    pub tls_ca_file: Option<PathBuf>,
    /// PEM files with our certificate and its key.
    pub tls_certificate_file: Option<PathBuf>,
    pub tls_key_file: Option<PathBuf>,
    /// Authentication mechanism.
    pub sasl_mechanism: Option<Mechanism>,
    pub sasl_user: Option<String>,
    /// A file that contains only the password.
    pub sasl_password_file: Option<PathBuf>,
    /// Memory for fetched records that are not yet processed, in bytes; exceeded by at most one fetch.
    pub queue_bytes_max: usize,
    /// Partitions pause at this many bytes of records that are not yet in ClickHouse.
    pub unstored_bytes_max: usize,
    /// How long a revoked partition may wait for ClickHouse, in seconds.
    pub flush_seconds_max: u64,
    /// The cluster of each topic.
    pub cluster_by_topic: BTreeMap<String, String>,
    /// Other settings of librdkafka.
    pub librdkafka: Options,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            brokers: String::new(),
            topics: Vec::new(),
            group_id: "bygone".to_owned(),
            group_instance_id: None,
            start: Start::Earliest,
            cluster: None,
            clusters_of_wrappers: None,
            cluster_from: Vec::new(),
            cluster_header: "cluster".to_owned(),
            dead_letter_topic: None,
            tls: false,
            tls_ca_file: None,
            tls_certificate_file: None,
            tls_key_file: None,
            sasl_mechanism: None,
            sasl_user: None,
            sasl_password_file: None,
            queue_bytes_max: 32 << 20,
            unstored_bytes_max: 64 << 20,
            flush_seconds_max: 10,
            cluster_by_topic: BTreeMap::new(),
            librdkafka: Options::default(),
        }
    }
}

/// Where the cluster of a record is taken from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ClusterFrom {
    /// `cluster_by_topic`.
    Topic,
    /// The header `cluster_header`.
    Header,
    /// The record's key.
    Key,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub enum Mechanism {
    #[serde(rename = "PLAIN")]
    Plain,
    #[serde(rename = "SCRAM-SHA-256")]
    Scram256,
    #[serde(rename = "SCRAM-SHA-512")]
    Scram512,
}

impl Mechanism {
    fn name(self) -> &'static str {
        match self {
            Mechanism::Plain => "PLAIN",
            Mechanism::Scram256 => "SCRAM-SHA-256",
            Mechanism::Scram512 => "SCRAM-SHA-512",
        }
    }
}

/// `earliest`, `latest`, or a time in RFC 3339.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub enum Start {
    Earliest,
    Latest,
    Time(Timestamp),
}

impl TryFrom<String> for Start {
    type Error = String;

    fn try_from(text: String) -> Result<Start, String> {
        match &*text {
            "earliest" => Ok(Start::Earliest),
            "latest" => Ok(Start::Latest),
            time => time.parse().map(Start::Time).map_err(|_| {
                format!(
                    "invalid start {text:?}: use earliest, latest, or a time like 2026-11-23T06:00:00Z"
                )
            }),
        }
    }
}

impl From<Start> for String {
    fn from(start: Start) -> String {
        match start {
            Start::Earliest => "earliest".to_owned(),
            Start::Latest => "latest".to_owned(),
            Start::Time(time) => time.to_string(),
        }
    }
}

/// Settings by librdkafka's own names. Those that may be secret are never shown.
#[derive(Clone, Default, Deserialize)]
pub struct Options(BTreeMap<String, Scalar>);

#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum Scalar {
    Text(String),
    Number(i64),
    Switch(bool),
}

impl fmt::Display for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Scalar::Text(text) => f.write_str(text),
            Scalar::Number(number) => write!(f, "{number}"),
            Scalar::Switch(switch) => write!(f, "{switch}"),
        }
    }
}

impl Options {
    fn shown(&self) -> BTreeMap<&str, String> {
        let secret = |key: &str| {
            ["password", "secret", "ssl.key.pem", "sasl.jaas"]
                .iter()
                .any(|word| key.contains(word))
        };
        let shown = self.0.iter().map(|(key, value)| match secret(key) {
            true => (&**key, "(not shown)".to_owned()),
            false => (&**key, value.to_string()),
        });
        shown.collect()
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        self.shown().fmt(f)
    }
}

impl Serialize for Options {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.shown().serialize(serializer)
    }
}

/// A slip in a key, in one line.
fn slip(key: &str, cause: impl fmt::Display) -> Error {
    Error(format!("kafka.{key}: {cause}"))
}

impl Config {
    /// Whether there is a Kafka source.
    pub(super) fn is_on(&self) -> bool {
        !self.brokers.is_empty()
    }

    /// The settings of librdkafka, for members and producers alike.
    pub(super) fn client(&self) -> Result<ClientConfig, Error> {
        self.check()?;
        let mut client = ClientConfig::new();
        client
            .set("bootstrap.servers", &self.brokers)
            .set("client.id", "bygone")
            .set("reconnect.backoff.max.ms", RECONNECT_MS_MAX.to_string())
            .set_log_level(RDKafkaLogLevel::Warning);
        self.secure(&mut client)?;
        for (key, value) in &self.librdkafka.0 {
            if OURS.contains(&&**key) {
                return Err(slip("librdkafka", format_args!("{key} cannot be set here")));
            }
            client.set(key, value.to_string());
        }
        Ok(client)
    }

    /// The same with what a member of the group needs.
    pub(super) fn member(&self) -> Result<ClientConfig, Error> {
        let mut client = self.client()?;
        let fetch_bytes = self.queue_bytes_max.max(1 << 20);
        let ours = [
            ("group.id", self.group_id.clone()),
            ("enable.auto.commit", "false".to_owned()),
            ("enable.auto.offset.store", "false".to_owned()),
            // Only for offsets that retention has passed: what is still there is not left out.
            ("auto.offset.reset", "earliest".to_owned()),
            (
                "queued.max.messages.kbytes",
                (self.queue_bytes_max >> 10).max(1).to_string(),
            ),
        ];
        for (key, value) in ours {
            client.set(key, value);
        }
        let defaults = [
            (
                "partition.assignment.strategy",
                "cooperative-sticky".to_owned(),
            ),
            ("coordinator.query.interval.ms", COORDINATOR_MS.to_string()),
            ("fetch.max.bytes", fetch_bytes.to_string()),
            ("fetch.queue.backoff.ms", "50".to_owned()),
        ];
        for (key, value) in defaults {
            if client.get(key).is_none() {
                client.set(key, value);
            }
        }
        if let Some(topic) = &self.dead_letter_topic {
            // A pattern must not find it: what can't be read would go round for ever.
            let itself = format!("^{}$", topic.replace('.', "\\."));
            client.set("topic.blacklist", itself);
        }
        if let Some(name) = &self.group_instance_id {
            client.set("group.instance.id", name);
        }
        Ok(client)
    }

    fn check(&self) -> Result<(), Error> {
        if self.topics.is_empty() {
            return Err(slip("topics", "at least one is required"));
        }
        if self.cluster.is_none() && self.cluster_from.is_empty() {
            return Err(slip(
                "cluster",
                "no cluster is configured: set it, or cluster_from",
            ));
        }
        if self.cluster_from.contains(&ClusterFrom::Topic) && self.cluster_by_topic.is_empty() {
            return Err(slip(
                "cluster_by_topic",
                "cluster_from has \"topic\", and this table is empty",
            ));
        }
        let own = self.dead_letter_topic.as_ref();
        if own.is_some_and(|own| self.topics.contains(own)) {
            return Err(slip(
                "dead_letter_topic",
                "it must not be one of kafka.topics",
            ));
        }
        if self.unstored_bytes_max == 0 {
            return Err(slip("unstored_bytes_max", "it must be at least 1"));
        }
        Ok(())
    }

    fn secure(&self, client: &mut ClientConfig) -> Result<(), Error> {
        let protocol = match (self.tls, self.sasl_mechanism.is_some()) {
            (false, false) => "plaintext",
            (true, false) => "ssl",
            (false, true) => "sasl_plaintext",
            (true, true) => "sasl_ssl",
        };
        client.set("security.protocol", protocol);
        let files = [
            ("tls_ca_file", "ssl.ca.location", &self.tls_ca_file),
            (
                "tls_certificate_file",
                "ssl.certificate.location",
                &self.tls_certificate_file,
            ),
            ("tls_key_file", "ssl.key.location", &self.tls_key_file),
        ];
        for (key, theirs, path) in files {
            let Some(path) = path else { continue };
            if !self.tls {
                return Err(slip(key, "it needs kafka.tls = true"));
            }
            read(key, path)?;
            client.set(theirs, path.to_string_lossy());
        }
        if self.tls_certificate_file.is_some() != self.tls_key_file.is_some() {
            return Err(slip("tls_key_file", "set both the certificate and the key"));
        }
        let Some(mechanism) = self.sasl_mechanism else {
            return match &self.sasl_user {
                Some(_) => Err(slip("sasl_user", "it needs kafka.sasl_mechanism")),
                None => Ok(()),
            };
        };
        if mechanism == Mechanism::Plain && !self.tls {
            let cause = "PLAIN sends the password in clear text: it needs kafka.tls = true";
            return Err(slip("sasl_mechanism", cause));
        }
        let user = self.sasl_user.as_deref().unwrap_or_default();
        if user.is_empty() {
            return Err(slip("sasl_user", "kafka.sasl_mechanism needs it"));
        }
        client
            .set("sasl.mechanism", mechanism.name())
            .set("sasl.username", user)
            .set("sasl.password", self.password()?.expose_secret());
        Ok(())
    }

    fn password(&self) -> Result<SecretString, Error> {
        if let Some(path) = &self.sasl_password_file {
            let text = read("sasl_password_file", path)?;
            return Ok(SecretString::from(text.trim_end_matches(['\r', '\n'])));
        }
        let text = std::env::var(PASSWORD_VARIABLE).map_err(|_| {
            let cause = format_args!("set a file, or {PASSWORD_VARIABLE}").to_string();
            slip("sasl_password_file", cause)
        })?;
        Ok(SecretString::from(text))
    }
}

fn read(key: &str, path: &Path) -> Result<String, Error> {
    let text = std::fs::read_to_string(path);
    text.map_err(|cause| slip(key, format_args!("{}: {cause}", path.display())))
}
