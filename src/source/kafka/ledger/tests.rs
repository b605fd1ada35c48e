use super::*;
use proptest::prelude::*;

fn topic_partition(partition: i32) -> TopicPartition {
    TopicPartition {
        topic: "audit".into(),
        partition,
    }
}

fn take(ledger: &mut Ledger, partition: i32, offset: i64) -> bool {
    let record = Record {
        offset,
        made_at: 1_000 + offset,
        bytes: 10,
    };
    ledger.take(&topic_partition(partition), record)
}

fn stored(ledger: &Ledger, partition: i32) -> Option<i64> {
    ledger.partitions[&topic_partition(partition)].stored
}

#[test]
fn an_offset_waits_for_the_flights_before_it() {
    let mut ledger = Ledger::default();
    ledger.assigned(topic_partition(0), Some(5), Some(5));
    assert!(take(&mut ledger, 0, 5));
    let first = ledger.seal();
    assert!(take(&mut ledger, 0, 6));
    let second = ledger.seal();
    ledger.settled(second, true);
    assert_eq!(stored(&ledger, 0), Some(5));
    assert_eq!(ledger.oldest(&topic_partition(0)), Some(1_005));
    assert_eq!(ledger.unstored_bytes(), 20);
    ledger.settled(first, true);
    assert_eq!(stored(&ledger, 0), Some(7));
    assert_eq!((ledger.unstored_bytes(), ledger.batches()), (0, 0));
    assert!(!ledger.is_under_way(&[topic_partition(0)]));
}

#[test]
fn a_start_that_nobody_committed_is_due_at_once() {
    let mut ledger = Ledger::default();
    ledger.assigned(topic_partition(0), Some(9), None);
    assert_eq!(ledger.commit(None), [(topic_partition(0), 9)]);
    assert_eq!(ledger.commit(None), []);
    ledger.committed(&topic_partition(0), 9, false);
    assert_eq!(ledger.commit(None), [(topic_partition(0), 9)]);
    assert_eq!(
        ledger.commit(Some(&[topic_partition(0)])),
        [(topic_partition(0), 9)]
    );
    ledger.committed(&topic_partition(0), 9, true);
    assert_eq!(ledger.commit(Some(&[topic_partition(0)])), []);
}

#[test]
fn a_former_assignment_moves_nothing() {
    let mut ledger = Ledger::default();
    ledger.assigned(topic_partition(0), Some(0), Some(0));
    assert!(take(&mut ledger, 0, 0));
    let batch = ledger.seal();
    ledger.gone(&topic_partition(0));
    assert!(!take(&mut ledger, 0, 1), "it is not ours");
    ledger.assigned(topic_partition(0), Some(40), Some(40));
    assert!(!ledger.is_wanted(batch));
    ledger.settled(batch, true);
    assert_eq!(stored(&ledger, 0), Some(40));
}

#[test]
fn what_was_lost_is_read_again() {
    let mut ledger = Ledger::default();
    ledger.assigned(topic_partition(0), Some(0), Some(0));
    take(&mut ledger, 0, 0);
    let lost = ledger.seal();
    take(&mut ledger, 0, 1);
    let behind = ledger.seal();
    ledger.settled(lost, false);
    ledger.settled(behind, true);
    assert_eq!(stored(&ledger, 0), Some(0));
    assert_eq!(ledger.rewinds(), [(topic_partition(0), 0)]);
    assert!(!take(&mut ledger, 0, 2), "not before it has gone back");
    ledger.rewound(&topic_partition(0));
    assert!(take(&mut ledger, 0, 0));
    let again = ledger.seal();
    ledger.settled(again, true);
    assert_eq!(stored(&ledger, 0), Some(1));
}

#[derive(Clone, Debug)]
enum Operation {
    Take(i32),
    Seal,
    Settle(usize, bool),
    Lose(i32),
}

fn operation() -> impl Strategy<Value = Operation> {
    prop_oneof![
        6 => (0..3).prop_map(Operation::Take),
        3 => Just(Operation::Seal),
        3 => (0..4_usize, prop::bool::weighted(0.9)).prop_map(|(at, ok)| Operation::Settle(at, ok)),
        1 => (0..3).prop_map(Operation::Lose),
    ]
}

proptest! {
    /// Whatever happens: an offset never passes a record that ClickHouse does not have.
    #[test]
    fn no_offset_passes_what_is_not_stored(deeds in prop::collection::vec(operation(), 1..200)) {
        let mut ledger = Ledger::default();
        let mut confirmed = [const { std::collections::BTreeSet::new() }; 3];
        let mut next = [0_i64; 3];
        let mut gathered: Vec<(i32, i64)> = Vec::new();
        let mut flying: Vec<(u64, Vec<(i32, i64)>)> = Vec::new();
        for partition in 0..3 {
            ledger.assigned(topic_partition(partition), Some(0), None);
        }
        for operation in deeds {
            match operation {
                Operation::Take(partition) => {
                    let at = &mut next[partition as usize];
                    if take(&mut ledger, partition, *at) {
                        gathered.push((partition, *at));
                        *at += 1;
                    }
                }
                Operation::Seal => flying.push((ledger.seal(), std::mem::take(&mut gathered))),
                Operation::Settle(at, ok) if at < flying.len() => {
                    let (id, records) = flying.remove(at);
                    if ok {
                        for (partition, offset) in records {
                            confirmed[partition as usize].insert(offset);
                        }
                    }
                    ledger.settled(id, ok);
                }
                Operation::Settle(..) => {}
                Operation::Lose(partition) => {
                    // Another member goes on where this one had committed, then it comes back.
                    let at = stored(&ledger, partition).unwrap();
                    ledger.gone(&topic_partition(partition));
                    ledger.assigned(topic_partition(partition), Some(at), Some(at));
                    next[partition as usize] = at;
                }
            }
            for (topic_partition, offset) in ledger.rewinds() {
                next[topic_partition.partition as usize] = offset;
                ledger.rewound(&topic_partition);
            }
            for partition in 0..3 {
                let through = stored(&ledger, partition).unwrap();
                for offset in 0..through {
                    prop_assert!(confirmed[partition as usize].contains(&offset));
                }
            }
        }
    }
}
