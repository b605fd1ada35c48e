//! The ledger: which records were taken, and which of them ClickHouse has.
//!
//! In: assigned and revoked partitions, records, settled batches. Out: for each partition the offset after the last
//! record that ClickHouse has without a gap: the one that may be committed.
//!
//! Records are gathered, then sealed as a batch. Batches are settled in any order; a partition's offset advances in
//! the order of its records. Records of an earlier assignment of a partition change nothing: each assignment is an
//! epoch of its own, and a failed batch ends the epoch, so that later batches do not count.
//!
//! Never here: a clock, I/O.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::Arc;

/// A partition of a topic.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TopicPartition {
    pub topic: Arc<str>,
    pub partition: i32,
}

impl fmt::Display for TopicPartition {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}/{}", self.topic, self.partition)
    }
}

/// What is known of a partition that is ours. Offsets are those of the next record.
#[derive(Clone, Debug, Default)]
pub struct Partition {
    epoch: u64,
    /// Everything before is in ClickHouse. Unknown until the first record where it could not be
    /// asked for.
    pub stored: Option<i64>,
    /// What the broker has acknowledged.
    pub committed: Option<i64>,
    committing: Option<i64>,
    /// After the last existing record.
    pub end: Option<i64>,
    /// When records beyond `stored` were first known of, in milliseconds since 1970.
    pub behind_since: Option<i64>,
    /// Records are not taken before the consumer has gone back to `stored`.
    rewinding: bool,
}

/// The records of one partition in a batch.
#[derive(Clone, Debug)]
struct OffsetRange {
    epoch: u64,
    next: i64,
    /// When the first of them was made, in milliseconds since 1970.
    made_at: i64,
}

/// Records that are on their way together.
#[derive(Debug, Default)]
struct Batch {
    id: u64,
    bytes: usize,
    ranges: BTreeMap<TopicPartition, OffsetRange>,
    /// How it ended: whether ClickHouse has them.
    settled: Option<bool>,
}

/// A record on its way in.
#[derive(Clone, Copy, Debug)]
pub struct Record {
    pub offset: i64,
    /// In milliseconds since 1970.
    pub made_at: i64,
    pub bytes: usize,
}

#[derive(Debug, Default)]
pub struct Ledger {
    partitions: BTreeMap<TopicPartition, Partition>,
    gathered: Batch,
    batches: VecDeque<Batch>,
    epochs: u64,
    unstored_bytes: usize,
}

impl Ledger {
    /// A partition is ours from `start` on. `committed` is what the group has committed.
    pub fn assigned(
        &mut self,
        topic_partition: TopicPartition,
        start: Option<i64>,
        committed: Option<i64>,
    ) {
        self.epochs += 1;
        let partition = Partition {
            epoch: self.epochs,
            stored: start,
            committed,
            ..Partition::default()
        };
        self.partitions.insert(topic_partition, partition);
    }

    /// A partition was revoked or lost.
    pub fn gone(&mut self, topic_partition: &TopicPartition) {
        self.partitions.remove(topic_partition);
    }

    pub fn partitions(&self) -> impl Iterator<Item = (&TopicPartition, &Partition)> {
        self.partitions.iter()
    }

    /// The partition of that name, if it is assigned to us.
    pub fn topic_partition(&self, topic: &str, partition: i32) -> Option<TopicPartition> {
        let mut topic_partitions = self.partitions.keys();
        let same = |topic_partition: &&TopicPartition| {
            topic_partition.partition == partition && &*topic_partition.topic == topic
        };
        topic_partitions.find(same).cloned()
    }

    /// Notes a record. Returns whether it is to be taken.
    pub fn take(&mut self, topic_partition: &TopicPartition, record: Record) -> bool {
        let Some(partition) = self.partitions.get_mut(topic_partition) else {
            return false;
        };
        if partition.rewinding {
            return false;
        }
        partition.stored.get_or_insert(record.offset);
        let epoch = partition.epoch;
        let next = record.offset + 1;
        match self.gathered.ranges.get_mut(topic_partition) {
            Some(range) if range.epoch == epoch => range.next = next,
            _ => {
                let made_at = record.made_at;
                let range = OffsetRange {
                    epoch,
                    next,
                    made_at,
                };
                self.gathered.ranges.insert(topic_partition.clone(), range);
            }
        }
        self.gathered.bytes += record.bytes;
        self.unstored_bytes += record.bytes;
        true
    }

    /// Seals the gathered records as a batch.
    pub fn seal(&mut self) -> u64 {
        let id = self.gathered.id;
        let next = Batch {
            id: id + 1,
            ..Batch::default()
        };
        let batch = std::mem::replace(&mut self.gathered, next);
        self.batches.push_back(batch);
        id
    }

    /// A batch has ended. `stored` tells whether ClickHouse has it.
    pub fn settled(&mut self, id: u64, stored: bool) {
        if let Some(batch) = self.batches.iter_mut().find(|batch| batch.id == id) {
            batch.settled = Some(stored);
        }
        while let Some(stored) = self.batches.front().and_then(|batch| batch.settled) {
            let batch = self.batches.pop_front().expect("there is a first");
            self.unstored_bytes -= batch.bytes;
            for (topic_partition, range) in batch.ranges {
                self.land(&topic_partition, &range, stored);
            }
        }
    }

    fn land(&mut self, topic_partition: &TopicPartition, range: &OffsetRange, stored: bool) {
        let partition = self.partitions.get_mut(topic_partition);
        let Some(partition) = partition.filter(|partition| partition.epoch == range.epoch) else {
            return;
        };
        if stored {
            partition.stored = Some(range.next);
            partition.behind_since = None;
        } else {
            self.epochs += 1;
            partition.epoch = self.epochs;
            partition.rewinding = true;
        }
    }

    /// Where the consumer must go back to, since something was lost.
    pub fn rewinds(&self) -> Vec<(TopicPartition, i64)> {
        let rewinding = self.partitions.iter().filter(|(_, it)| it.rewinding);
        rewinding
            .filter_map(|(topic_partition, it)| Some((topic_partition.clone(), it.stored?)))
            .collect()
    }

    /// The consumer has gone back.
    pub fn rewound(&mut self, topic_partition: &TopicPartition) {
        if let Some(partition) = self.partitions.get_mut(topic_partition) {
            partition.rewinding = false;
        }
    }

    /// What may be committed and is not, of all partitions or of these. It counts as on its way
    /// from now on.
    pub fn commit(&mut self, of: Option<&[TopicPartition]>) -> Vec<(TopicPartition, i64)> {
        let mut due = Vec::new();
        for (topic_partition, partition) in &mut self.partitions {
            let Some(stored) = partition.stored else {
                continue;
            };
            let asked =
                of.is_none_or(|topic_partitions| topic_partitions.contains(topic_partition));
            let known = partition.committing.or(partition.committed);
            // The partition is about to be revoked: batches under way may fail.
            let due_now = of.is_some() && partition.committed != Some(stored);
            if asked && (known != Some(stored) || due_now) {
                partition.committing = Some(stored);
                due.push((topic_partition.clone(), stored));
            }
        }
        due
    }

    /// The broker's answer to a commit.
    pub fn committed(&mut self, topic_partition: &TopicPartition, offset: i64, done: bool) {
        let Some(partition) = self.partitions.get_mut(topic_partition) else {
            return;
        };
        if done {
            partition.committed = Some(offset);
        }
        if partition.committing == Some(offset) {
            partition.committing = None;
        }
    }

    /// Whether the broker still owes an answer to a commit.
    pub fn is_committing(&self) -> bool {
        let mut partitions = self.partitions.values();
        partitions.any(|partition| partition.committing.is_some())
    }

    /// The end offset of a partition, as the broker reported at `now`.
    pub fn ended(&mut self, topic_partition: &TopicPartition, end: i64, now: i64) {
        if let Some(partition) = self.partitions.get_mut(topic_partition) {
            partition.end = Some(end);
            let behind = partition.stored.is_some_and(|stored| stored < end);
            partition.behind_since = behind.then(|| partition.behind_since.unwrap_or(now));
        }
    }

    /// Whether records of these partitions are under way.
    pub fn is_under_way(&self, topic_partitions: &[TopicPartition]) -> bool {
        topic_partitions
            .iter()
            .any(|topic_partition| self.oldest(topic_partition).is_some())
    }

    /// Whether anything still waits for this batch.
    pub fn is_wanted(&self, id: u64) -> bool {
        let batch = self.batches.iter().find(|batch| batch.id == id);
        batch.is_some_and(|batch| {
            batch
                .ranges
                .iter()
                .any(|(topic_partition, range)| self.is_now(topic_partition, range))
        })
    }

    fn is_now(&self, topic_partition: &TopicPartition, range: &OffsetRange) -> bool {
        let partition = self.partitions.get(topic_partition);
        partition.is_some_and(|partition| partition.epoch == range.epoch)
    }

    /// When the oldest record of a partition that is on its way was made.
    pub fn oldest(&self, topic_partition: &TopicPartition) -> Option<i64> {
        let batches = self.batches.iter().chain([&self.gathered]);
        let mut ranges = batches.filter_map(|batch| batch.ranges.get(topic_partition));
        let first = ranges.find(|range| self.is_now(topic_partition, range))?;
        Some(first.made_at)
    }

    pub fn unstored_bytes(&self) -> usize {
        self.unstored_bytes
    }

    pub fn batches(&self) -> usize {
        self.batches.len()
    }
}

#[cfg(test)]
mod tests;
