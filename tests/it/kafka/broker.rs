//! A real Kafka broker, and what tests ask it beside bygone.

use std::io::Write;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::message::OwnedHeaders;
use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use tempfile::TempDir;

use crate::listener::pki::Authority;
use crate::support::{block_on, free_address, kill_at_once, wait_for};

/// Who may use the secure listener.
pub const USER: &str = "bygone";
pub const PASSWORD: &str = "kafka-secret-0123456789";

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/kafka.sh");

const ASK_WAIT: Duration = Duration::from_secs(10);

pub struct Broker {
    folder: TempDir,
    /// Plain, secure, controller.
    addresses: [String; 3],
    script: Option<Child>,
}

/// The broker that most tests share, each with topics of its own. It ends with this process.
pub fn shared() -> &'static Broker {
    static SHARED: LazyLock<Broker> = LazyLock::new(Broker::start);
    &SHARED
}

impl Broker {
    /// Starts one, and returns when it answers.
    pub fn start() -> Broker {
        let folder = tempfile::tempdir().expect("a folder");
        let dir = folder.path();
        let authority = Authority::new(dir, "ca");
        let pair = authority.issue(dir, "broker", None);
        authority.issue(dir, "client", None);
        Authority::new(dir, "other-ca");
        let read = |path: &Path| std::fs::read_to_string(path).expect("PEM");
        let pem = read(&pair.key) + &read(&pair.certificate);
        std::fs::write(dir.join("broker.pem"), pem).expect("written");
        std::fs::write(dir.join("users"), format!("{USER} {PASSWORD}\n")).expect("written");
        std::fs::write(dir.join("password"), format!("{PASSWORD}\n")).expect("written");
        let addresses = [(); 3].map(|()| free_address().to_string());
        let mut broker = Broker {
            folder,
            addresses,
            script: None,
        };
        broker.launch();
        broker.answers();
        broker
    }

    /// Starts it again, on the same data and ports. Returns at once.
    pub fn launch(&mut self) {
        let port = |address: &String| address.rsplit(':').next().expect("a port").to_owned();
        let script = Command::new(SCRIPT)
            .arg("run")
            .arg(self.folder.path())
            .args(self.addresses.iter().map(port))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn();
        self.script = Some(script.expect("bash"));
    }

    /// Ends it by SIGKILL.
    pub fn kill(&mut self) {
        let pid = std::fs::read_to_string(self.folder.path().join("pid")).expect("a pid");
        kill_at_once(pid.trim().parse().expect("a pid"));
        self.end();
    }

    fn end(&mut self) {
        if let Some(mut script) = self.script.take() {
            // The end of its input is the order to stop.
            drop(script.stdin.take());
            _ = script.wait();
        }
    }

    pub fn dir(&self) -> &str {
        self.folder.path().to_str().expect("UTF-8")
    }

    pub fn address(&self) -> &str {
        &self.addresses[0]
    }

    pub fn secure_address(&self) -> &str {
        &self.addresses[1]
    }

    fn client(&self) -> ClientConfig {
        let mut client = ClientConfig::new();
        client.set("bootstrap.servers", self.address());
        client
    }

    /// Waits until it answers.
    pub fn answers(&self) {
        let asker: BaseConsumer = self.client().create().expect("a client");
        wait_for("an answer of the broker", || {
            asker.fetch_metadata(None, Duration::from_secs(1)).ok()
        });
    }

    /// Makes a topic.
    pub fn topic(&self, name: &str, partitions: i32) {
        let admin: AdminClient<DefaultClientContext> = self.client().create().expect("a client");
        let topic = NewTopic::new(name, partitions, TopicReplication::Fixed(1));
        let made = block_on(admin.create_topics(&[topic], &AdminOptions::new()));
        made.expect("an answer")[0].as_ref().expect("a topic");
        let asker: BaseConsumer = self.client().create().expect("a client");
        wait_for("the leaders of a topic", || {
            let metadata = asker.fetch_metadata(Some(name), ASK_WAIT).ok()?;
            let partitions = metadata.topics()[0].partitions();
            let led = partitions.iter().all(|partition| partition.leader() >= 0);
            (led && !partitions.is_empty()).then_some(())
        });
    }

    pub fn producer(&self) -> FutureProducer {
        let mut client = self.client();
        client
            .set("enable.idempotence", "true")
            .set("compression.type", "lz4")
            .set("linger.ms", "5")
            // An event that lists many objects is large.
            .set("message.max.bytes", "16000000")
            .set("queue.buffering.max.kbytes", "262144");
        client.create().expect("a producer")
    }

    /// Produces records and returns when the broker has them.
    pub fn produce(&self, topic: &str, records: impl IntoIterator<Item = Record>) {
        let producer = self.producer();
        let sent = records.into_iter().map(|record| {
            let mut headers = OwnedHeaders::new();
            for (key, value) in &record.headers {
                let value = Some(value.as_str());
                headers = headers.insert(rdkafka::message::Header { key, value });
            }
            let mut future = FutureRecord::to(topic)
                .partition(record.partition)
                .payload(&record.body)
                .headers(headers);
            future.key = record.key.as_ref();
            producer.send_result(future).map_err(|(error, _)| error)
        });
        let sent: Vec<_> = sent.map(|sent| sent.expect("room in the queue")).collect();
        block_on(async {
            for sent in sent {
                sent.await.expect("an answer").expect("it is there");
            }
        });
    }

    /// What a group has committed of the partitions of a topic.
    pub fn committed(&self, group: &str, topic: &str, partitions: i32) -> Vec<Option<i64>> {
        let asker: BaseConsumer = self
            .client()
            .set("group.id", group)
            .create()
            .expect("a client");
        let mut list = TopicPartitionList::new();
        list.add_partition_range(topic, 0, partitions - 1);
        let list = wait_for("committed offsets", || {
            asker.committed_offsets(list.clone(), ASK_WAIT).ok()
        });
        let offset = |offset| match offset {
            Offset::Offset(offset) => Some(offset),
            _ => None,
        };
        let elements = list.elements();
        elements
            .iter()
            .map(|element| offset(element.offset()))
            .collect()
    }

    /// Behind the last record of each partition of a topic.
    pub fn ends(&self, topic: &str, partitions: i32) -> Vec<i64> {
        let asker: BaseConsumer = self.client().create().expect("a client");
        let end = |partition| {
            wait_for("the end of a partition", || {
                let marks = asker.fetch_watermarks(topic, partition, ASK_WAIT);
                Some(marks.ok()?.1)
            })
        };
        (0..partitions).map(end).collect()
    }

    /// Sets the offsets of a group that has no members, as an operator does.
    pub fn reset(&self, group: &str, topic: &str, partitions: i32, offset: i64) {
        let asker: BaseConsumer = self
            .client()
            .set("group.id", group)
            .create()
            .expect("a client");
        let mut list = TopicPartitionList::new();
        for partition in 0..partitions {
            list.add_partition_offset(topic, partition, Offset::Offset(offset))
                .expect("an offset");
        }
        wait_for("an empty group", || {
            asker.commit(&list, CommitMode::Sync).ok()
        });
    }

    /// The bodies and headers in a topic of one partition.
    pub fn read(&self, topic: &str, count: usize) -> Vec<rdkafka::message::OwnedMessage> {
        let reader: BaseConsumer = self
            .client()
            .set("group.id", "reader")
            .create()
            .expect("a client");
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(topic, 0, Offset::Beginning)
            .expect("an offset");
        reader.assign(&list).expect("assigned");
        let mut read = Vec::new();
        wait_for("records", || {
            if let Some(message) = reader.poll(Duration::from_millis(100)) {
                read.push(message.expect("a record").detach());
            }
            (read.len() >= count).then_some(())
        });
        read
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.end();
    }
}

/// A record to produce.
#[derive(Default)]
pub struct Record {
    pub partition: i32,
    pub key: Option<String>,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Record {
    pub fn new(partition: i32, body: impl Into<Vec<u8>>) -> Record {
        Record {
            partition,
            body: body.into(),
            ..Record::default()
        }
    }
}

/// A folder for a bygone with a configuration that names files.
pub fn folder_with(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, text) in files {
        let mut file = std::fs::File::create(folder.path().join(name)).expect("a file");
        file.write_all(text.as_bytes()).expect("written");
    }
    folder
}
