//! Members join, leave and are killed, the broker is killed and started again, all under load:
//! nothing is lost, nothing is there twice, and the lag that is told is the true one.
//!
//! Many more than in every run: `BYGONE_REBALANCES=100 cargo test --test it kafka::rebalance --
//! --nocapture`.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rdkafka::producer::{FutureProducer, FutureRecord};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::broker::Broker;
use super::members::{Group, partitions};
use crate::load;
use crate::support::{self, Bygone, Random, alone, block_on, setting, wait_for};

const PARTITIONS: i32 = 12;
const MEMBERS_MAX: usize = 3;
const SENDERS: u64 = 4;

/// How long a sender waits between its records.
const SEND_EVERY: Duration = Duration::from_millis(40);

/// How long the broker may take for one record: it is down for a while.
const SEND_WAIT: Duration = Duration::from_secs(90);

/// Records that are produced, and those that the broker has.
#[derive(Default)]
struct Sent {
    next: AtomicU64,
    posted: Mutex<BTreeSet<u64>>,
    acknowledged: Mutex<BTreeSet<u64>>,
}

/// Senders at work.
pub struct Senders {
    sent: Arc<Sent>,
    stop: CancellationToken,
    tasks: Vec<JoinHandle<()>>,
}

impl Senders {
    pub fn start(broker: &Broker, topic: &str, partitions: i32) -> Senders {
        let (sent, stop) = (Arc::<Sent>::default(), CancellationToken::new());
        let producer = broker.producer();
        let tasks = (0..SENDERS).map(|_| {
            let task = send(producer.clone(), topic.to_owned(), partitions, sent.clone());
            let stop = stop.clone();
            support::spawn(async move {
                let mut task = task;
                while !stop.is_cancelled() {
                    task = task.one().await;
                    tokio::time::sleep(SEND_EVERY).await;
                }
            })
        });
        let tasks = tasks.collect();
        Senders { sent, stop, tasks }
    }

    pub fn acknowledged(&self) -> usize {
        self.sent.acknowledged.lock().expect("a ledger").len()
    }

    /// Ends them, each after the record that it is at.
    pub fn finish(&mut self) {
        self.stop.cancel();
        for task in std::mem::take(&mut self.tasks) {
            block_on(task).expect("a sender");
        }
    }

    /// Holds the answers against what was sent.
    pub fn check(&self, bygone: &Bygone) {
        let posted = self.sent.posted.lock().expect("a ledger");
        let acknowledged = self.sent.acknowledged.lock().expect("a ledger");
        load::check(bygone, &posted, &acknowledged);
    }
}

struct Sender {
    producer: FutureProducer,
    topic: String,
    partitions: i32,
    sent: Arc<Sent>,
}

fn send(producer: FutureProducer, topic: String, partitions: i32, sent: Arc<Sent>) -> Sender {
    Sender {
        producer,
        topic,
        partitions,
        sent,
    }
}

impl Sender {
    async fn one(self) -> Sender {
        let batch = self.sent.next.fetch_add(1, Ordering::Relaxed);
        self.sent.posted.lock().expect("a ledger").insert(batch);
        let body = load::body(batch);
        let partition = (batch % self.partitions as u64) as i32;
        let record = FutureRecord::<(), String>::to(&self.topic)
            .partition(partition)
            .payload(&body);
        let sent = self.producer.send(record, SEND_WAIT).await;
        if sent.is_ok() {
            let mut acknowledged = self.sent.acknowledged.lock().expect("a ledger");
            acknowledged.insert(batch);
        }
        self
    }
}

#[derive(Clone, Copy, Debug)]
enum Action {
    Join,
    Leave,
    Kill,
    RestartBroker,
}

/// The first rounds have one of each; then the seed decides.
const FIRST: [Action; 5] = [
    Action::Join,
    Action::Kill,
    Action::RestartBroker,
    Action::Join,
    Action::Leave,
];

fn action(round: u64, members: usize, random: &mut Random) -> Action {
    if let Some(first) = FIRST.get(round as usize) {
        return *first;
    }
    match random.below(10) {
        0 => Action::RestartBroker,
        1..=3 if members < MEMBERS_MAX => Action::Join,
        4..=6 if members > 1 => Action::Leave,
        _ => Action::Kill,
    }
}

#[test]
fn rebalances_under_load() {
    let _alone = alone();
    let rounds = setting("BYGONE_REBALANCES", FIRST.len() as u64);
    let mut random = Random(setting("BYGONE_SEED", 1));
    let mut broker = Broker::start();
    let group = Group::new(&broker, "rebalance", PARTITIONS, "");
    let mut members = vec![group.join(), group.join()];
    let mut senders = Senders::start(&broker, &group.topic, PARTITIONS);
    let mut samples = 0;
    for round in 0..rounds {
        let action = action(round, members.len(), &mut random);
        let chosen = random.below(members.len() as u64) as usize;
        println!("round {round}: {action:?} with {} members", members.len());
        match action {
            Action::Join => members.push(group.join()),
            Action::Leave => {
                let mut member = members.remove(chosen);
                assert!(member.stop().success(), "{}", member.log());
            }
            Action::Kill => {
                members.remove(chosen).kill();
                members.push(group.join());
            }
            Action::RestartBroker => {
                broker.kill();
                broker.launch();
                broker.answers();
            }
        }
        let before = senders.acknowledged();
        wait_for("more records", || {
            (senders.acknowledged() >= before + 50).then_some(())
        });
        settled(&members);
        samples += sample(&broker, &group, &members);
    }
    senders.finish();
    group.drained(&broker);
    assert!(samples > 0, "no lag was compared");
    for member in &members {
        for status in partitions(member) {
            assert_eq!(status["lag"], 0, "{status}");
        }
    }
    senders.check(&members[0]);
    println!(
        "{rounds} rebalances, {} records, {samples} lags compared",
        senders.acknowledged()
    );
}

/// Waits until each partition is told of by one member, and no more than one.
fn settled(members: &[Bygone]) {
    wait_for("every partition once", || {
        let places: Vec<String> = members
            .iter()
            .flat_map(partitions)
            .map(|status| status["place"].as_str().expect("a place").to_owned())
            .collect();
        let once: BTreeSet<&String> = places.iter().collect();
        (places.len() == PARTITIONS as usize && once.len() == places.len()).then_some(())
    });
}

/// Compares what members tell with what the broker tells before and after. Returns how many lags
/// were compared.
fn sample(broker: &Broker, group: &Group, members: &[Bygone]) -> usize {
    let topic = &group.topic;
    let ends_before = broker.ends(topic, PARTITIONS);
    let committed_before = broker.committed(topic, topic, PARTITIONS);
    let told: Vec<_> = members.iter().flat_map(partitions).collect();
    let ends_after = broker.ends(topic, PARTITIONS);
    // What a member has in ClickHouse it commits within a second.
    let committed_after = |partition: usize, position: i64| {
        wait_for("a commit of what was told", || {
            let committed = broker.committed(topic, topic, PARTITIONS)[partition]?;
            (committed >= position).then_some(committed)
        })
    };
    for status in &told {
        let place = status["place"].as_str().expect("a place");
        let partition: usize = place.rsplit('/').next().unwrap().parse().expect("a number");
        let number = |key: &str| status[key].as_i64().expect("a number");
        let (position, end, lag) = (number("position"), number("end"), number("lag"));
        assert_eq!(lag, end - position, "{status}");
        assert!(end >= ends_before[partition], "{status}: {ends_before:?}");
        assert!(end <= ends_after[partition], "{status}: {ends_after:?}");
        assert!(
            position >= committed_before[partition].unwrap_or(0),
            "{status}"
        );
        committed_after(partition, position);
    }
    told.len()
}
