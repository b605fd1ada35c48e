//! Members of a group: bygones that read the same topic into the same database.

use serde_json::Value;

use super::broker::Broker;
use crate::support::{
    BYGONE, Bygone, new_database, on_shared, plain, run, stderr, stdout, wait_for,
};

/// A group on one topic.
pub struct Group {
    pub topic: String,
    pub partitions: i32,
    /// The group's name; members that are started from now on are of it.
    pub name: String,
    database: String,
    config: String,
    environment: Vec<(&'static str, String)>,
}

impl Group {
    /// A topic with a database. `more` are further lines of the section.
    pub fn new(broker: &Broker, topic: &str, partitions: i32, more: &str) -> Group {
        broker.topic(topic, partitions);
        let database = new_database();
        let output = run(&mut on_shared(&database, &["schema", "apply"]));
        assert!(output.status.success(), "{}", stderr(&output));
        let topics = match more.contains("topics = ") {
            true => String::new(),
            false => format!("topics = [{topic:?}]\n"),
        };
        // A member that was killed is missed after two seconds.
        let config = format!(
            "[kafka]\nbrokers = {:?}\n{topics}cluster = \"demo\"\n{more}\n[kafka.librdkafka]\n\"session.timeout.ms\" = 2000\n\
             \"heartbeat.interval.ms\" = 300\n",
            broker.address()
        );
        Group {
            topic: topic.to_owned(),
            partitions,
            name: topic.to_owned(),
            database,
            config,
            environment: Vec::new(),
        }
    }

    /// Members that are started from now on have this in their environment.
    pub fn set(&mut self, key: &'static str, value: &str) {
        self.environment.push((key, value.to_owned()));
    }

    /// Starts one more member.
    pub fn join(&self) -> Bygone {
        let folder = tempfile::tempdir().expect("a folder");
        let environment = self.environment.iter();
        let mut set: Vec<(&'static str, &str)> =
            environment.map(|(key, value)| (*key, &**value)).collect();
        set.push(("BYGONE_KAFKA_GROUP_ID", &self.name));
        Bygone::start_beside(self.database.clone(), &self.config, folder, &set)
    }

    /// Waits until everything that is in the topic now is committed.
    pub fn drained(&self, broker: &Broker) {
        let ends = broker.ends(&self.topic, self.partitions);
        wait_for("a commit of everything", || {
            let committed = broker.committed(&self.name, &self.topic, self.partitions);
            let mut both = committed.iter().zip(&ends);
            both.all(|(committed, end)| *committed >= Some(*end))
                .then_some(())
        });
    }
}

/// What `bygone sources status` says of the partitions of a member.
pub fn partitions(bygone: &Bygone) -> Vec<Value> {
    let statuses = statuses(bygone).into_iter();
    statuses
        .filter(|status| status["source"] == "kafka" && !status["place"].is_null())
        .collect()
}

/// All that it says.
pub fn statuses(bygone: &Bygone) -> Vec<Value> {
    let data_dir = bygone.data_dir();
    let output = run(plain(BYGONE)
        .args(["sources", "status", "-o", "ndjson", "--data-dir"])
        .arg(data_dir));
    assert!(output.status.success(), "{}", stderr(&output));
    let lines = stdout(&output);
    lines
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect()
}
