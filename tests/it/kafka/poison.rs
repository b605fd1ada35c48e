//! What can't be read holds up nothing: it is a dead letter with its topic, partition and offset.

use std::collections::BTreeSet;

use rdkafka::Message;
use rdkafka::message::Headers;

use super::broker::{Record, shared};
use super::members::Group;
use crate::load;
use crate::support::{BYGONE, plain, run, stderr, stdout};

const PARTITIONS: i32 = 12;

#[test]
fn a_poisoned_record_in_each_partition() {
    let broker = shared();
    broker.topic("poison-unread", 1);
    // The pattern would find the copies, too.
    let more = "dead_letter_topic = \"poison-unread\"\ntopics = [\"^poison.*\"]";
    let group = Group::new(broker, "poison", PARTITIONS, more);
    let member = group.join();
    let mut batch = 0;
    let mut good = |partition| {
        batch += 1;
        Record::new(partition, load::body(batch - 1))
    };
    let records: Vec<Record> = (0..PARTITIONS)
        .flat_map(|partition| {
            let poison = format!("{{\"kind\": \"Event\", \"secret-{partition}");
            [
                good(partition),
                Record::new(partition, poison),
                good(partition),
            ]
        })
        .collect();
    broker.produce(&group.topic, records);
    group.drained(broker);
    let batches: BTreeSet<u64> = (0..batch).collect();
    load::check(&member, &batches, &batches);

    let list = run(plain(BYGONE)
        .args(["dead-letters", "list", "-o", "ndjson", "--data-dir"])
        .arg(member.data_dir()));
    assert!(list.status.success(), "{}", stderr(&list));
    let letters: BTreeSet<(String, String)> = stdout(&list)
        .lines()
        .map(|line| {
            let letter: serde_json::Value = serde_json::from_str(line).expect("JSON");
            let text = |key: &str| letter[key].as_str().expect("text").to_owned();
            (text("origin"), text("reason"))
        })
        .collect();
    let expected = (0..PARTITIONS).map(|partition| {
        let origin = format!("kafka poison/{partition} offset 1");
        (origin, "cut off".to_owned())
    });
    assert_eq!(letters, expected.collect());
    assert!(!member.log().contains("secret-"), "content in the log");

    let copies = broker.read("poison-unread", PARTITIONS as usize);
    let origins: BTreeSet<(String, String)> = copies
        .iter()
        .map(|copy| {
            let headers = copy.headers().expect("headers");
            let text = |key: &str| {
                let header = headers.iter().find(|header| header.key == key);
                let value = header.and_then(|header| header.value).expect("a value");
                String::from_utf8(value.to_vec()).expect("text")
            };
            let body = copy.payload().expect("a body");
            assert!(body.starts_with(b"{\"kind\": \"Event\", \"secret-"));
            (text("bygone-origin"), text("bygone-reason"))
        })
        .collect();
    assert_eq!(origins, letters);
}
